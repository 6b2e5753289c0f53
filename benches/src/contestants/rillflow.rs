//! Rillflow through its public API, with its default settings but for the size of the pool.

use std::time::Duration;

use futures_util::future::BoxFuture;
use rillflow::{Expected, Lifecycle, Store};
use uuid::Uuid;

use super::by_hand_tables::{fill_customers, stream};
use super::{Contestant, PAGE, STREAMS, Turns, database};
use crate::contest::{Case, Op, Worker, Workers};
use crate::domain::{
    Account, AccountEvent, CITIES, CUSTOMERS, Customer, IMPORTED, Import, Receipt, Receipts, customer, deposited,
    imports, in_city,
};
use crate::server::Server;
use crate::{Result, What};

pub(super) struct Rillflow {
    pub(super) batch_appends: bool,
}

impl Contestant for Rillflow {
    fn name(&self) -> &'static str {
        if self.batch_appends { "rillflow" } else { "rillflow, not batched" }
    }

    fn database(&self, case: Case) -> String {
        database(if self.batch_appends { "rillflow" } else { "rillflow_alone" }, case)
    }

    fn workers<'a>(&'a self, server: &'a Server, case: Case) -> BoxFuture<'a, Result<Workers>> {
        Box::pin(async move {
            if !self.batch_appends && case.kind() != What::Append {
                return Ok(Vec::new());
            }
            let store = self.store(server, case).await?;
            let worker = |number| Typed::new(&store, case.op, number);
            Ok((0..case.workers).map(|number| Box::new(worker(number)) as Box<dyn Worker>).collect())
        })
    }
}

impl Rillflow {
    async fn store(&self, server: &Server, case: Case) -> Result<Store> {
        let (url, new) = server.database(&self.database(case)).await?;
        // not batched, it has a connection for each worker, as those by hand have
        let connections = if self.batch_appends { 20 } else { case.workers as u32 + 2 };
        let store = Store::builder(url)
            .max_connections(connections)
            .batch_appends(self.batch_appends)
            .document::<Customer>()
            .document::<Import>()
            .projection::<Receipts>(Lifecycle::Async)
            .build()
            .await?;
        if new {
            store.schema().sync(&Default::default()).await?;
            fill(&store, case.kind()).await?;
            sqlx::raw_sql("VACUUM ANALYZE").execute(store.pool()).await?;
        }
        Ok(store)
    }
}

async fn fill(store: &Store, what: What) -> Result<()> {
    match what {
        What::Load | What::Read => {
            for number in 0..STREAMS {
                let events = (0..100).map(|n| AccountEvent::Deposited(deposited(n)));
                store.events().append_stream(stream(number), Expected::NoStream, events).await?;
            }
        }
        What::Documents => {
            let mut conn = store.pool().acquire().await?;
            fill_customers(&mut conn, "docs_customers").await?;
        }
        What::Append | What::All => {}
    }
    Ok(())
}

struct Typed {
    store: Store,
    op: Op,
    turns: Turns,
    /// The stream it appends to, and how many events that has.
    stream: (Uuid, i64),
}

impl Typed {
    fn new(store: &Store, op: Op, number: usize) -> Self {
        Self { store: store.clone(), op, turns: Turns::new(number), stream: (Uuid::now_v7(), 0) }
    }

    async fn append(&mut self, events: usize, expected: bool) -> Result<u64> {
        if self.stream.1 >= 100 {
            self.stream = (Uuid::now_v7(), 0);
        }
        let (stream, version) = self.stream;
        let expected = if expected { Expected::Exact(version) } else { Expected::Any };
        let events = (0..events).map(|n| AccountEvent::Deposited(deposited(n as i64)));
        self.stream.1 = self.store.events().append_stream(stream, expected, events).await?.version;
        Ok(1)
    }

    async fn load(&mut self) -> Result<u64> {
        let id = stream(self.turns.next(STREAMS));
        let account = self.store.aggregate::<Account>(id).load().await?.state;
        if account.deposits != 100 || account.balance == 0 {
            Err("a wrong account")?
        }
        Ok(1)
    }

    async fn read_all(&mut self) -> Result<u64> {
        let (mut after, mut count, mut sum) = (0, 0, 0);
        loop {
            let page = self.store.events().read_all(after, PAGE).await?;
            for event in &page {
                after = event.global_seq;
                let AccountEvent::Deposited(event) = event.decode()?;
                sum += event.amount;
                count += 1;
            }
            if page.is_empty() {
                if sum == 0 {
                    Err("no events")?
                }
                return Ok(count);
            }
        }
    }

    async fn project(&mut self) -> Result<u64> {
        let last = (STREAMS * 100) as i64;
        let daemon = self.store.start_daemon().await?;
        self.store.wait_for("receipts", last, Duration::from_secs(60)).await?;
        daemon.shutdown().await;
        Ok(last as u64)
    }

    async fn forget(&mut self) -> Result<()> {
        let all = self.store.docs().query::<Receipt>().fetch_all().await?.len();
        if all != 0 && all != STREAMS * 100 {
            Err("a wrong read model")?
        }
        sqlx::raw_sql("TRUNCATE docs_receipts; DELETE FROM projections").execute(self.store.pool()).await?;
        Ok(())
    }

    async fn upsert(&mut self) -> Result<u64> {
        self.store.docs().put(&customer(self.turns.next(CUSTOMERS))).await?;
        Ok(1)
    }

    async fn get(&mut self) -> Result<u64> {
        let id = customer(self.turns.next(CUSTOMERS)).id;
        let found = self.store.docs().get::<Customer>(&id).await?.ok_or("no customer")?;
        if found.0.id != id {
            Err("a wrong customer")?
        }
        Ok(1)
    }

    async fn query(&mut self) -> Result<u64> {
        let city = format!("City {:04}", self.turns.next(CITIES));
        if self.store.query(in_city(&city)).await?.len() != 20 {
            Err("too few customers")?
        }
        Ok(1)
    }

    async fn bulk_insert(&mut self) -> Result<u64> {
        let done = self.store.docs().bulk_insert::<Import, _>(imports()).run().await?;
        if done.written != IMPORTED as u64 { Err("too few documents")? } else { Ok(done.written) }
    }
}

impl Worker for Typed {
    fn reset(&mut self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async {
            match self.op {
                Op::Project => self.forget().await?,
                Op::BulkInsert => drop(sqlx::raw_sql("TRUNCATE docs_imports").execute(self.store.pool()).await?),
                _ => {}
            }
            Ok(())
        })
    }

    fn step(&mut self) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async {
            match self.op {
                Op::Append(events) => self.append(events, false).await,
                Op::AppendExpected => self.append(1, true).await,
                Op::Load => self.load().await,
                Op::ReadAll => self.read_all().await,
                Op::Project => self.project().await,
                Op::Upsert => self.upsert().await,
                Op::Get => self.get().await,
                Op::Query => self.query().await,
                Op::BulkInsert => self.bulk_insert().await,
            }
        })
    }
}

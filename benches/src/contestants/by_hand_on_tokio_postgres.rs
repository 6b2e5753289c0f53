//! Hand-written SQL on tokio-postgres, one connection per worker, every statement prepared.

use futures_util::future::BoxFuture;
use tokio_postgres::types::Json;
use tokio_postgres::{Client, NoTls, Statement};
use uuid::Uuid;

use super::by_hand_tables::{
    APPEND_MANY, APPEND_ONE, BULK_INSERT, CHECKPOINT, EMPTY, FORGET, GET, LOAD, QUERY, READ, RECEIPT, UPSERT, prepare,
    stream,
};
use super::{Contestant, PAGE, STREAMS, Turns, database};
use crate::Result;
use crate::contest::{Case, Op, Worker, Workers};
use crate::domain::{
    Account, CITIES, CUSTOMERS, Customer, DEPOSITED, Deposited, IMPORTED, Receipt, customer, deposited, imports,
};
use crate::server::Server;

pub(super) struct ByHand;

impl Contestant for ByHand {
    fn name(&self) -> &'static str {
        "tokio-postgres by hand"
    }

    fn database(&self, case: Case) -> String {
        database("tokio", case)
    }

    fn workers<'a>(&'a self, server: &'a Server, case: Case) -> BoxFuture<'a, Result<Workers>> {
        Box::pin(async move {
            let name = self.database(case);
            prepare(server, &name, case.kind()).await?;
            let mut workers: Workers = Vec::new();
            for number in 0..case.workers {
                workers.push(Box::new(Hand::new(server, &name, case.op, number).await?));
            }
            Ok(workers)
        })
    }
}

struct Hand {
    client: Client,
    op: Op,
    turns: Turns,
    /// The stream it appends to, and how many events that has.
    stream: (Uuid, i64),
    statement: Statement,
    receipt: Statement,
    checkpoint: Statement,
}

impl Hand {
    async fn new(server: &Server, database: &str, op: Op, number: usize) -> Result<Self> {
        let mut config = tokio_postgres::Config::new();
        config.host_path(server.host()).port(5432).user("postgres").dbname(database);
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        let text = match op {
            Op::Append(1) | Op::AppendExpected => APPEND_ONE,
            Op::Append(_) => APPEND_MANY,
            Op::Load => LOAD,
            Op::ReadAll | Op::Project => READ,
            Op::Upsert => UPSERT,
            Op::Get => GET,
            Op::Query => QUERY,
            Op::BulkInsert => BULK_INSERT,
        };
        let (statement, receipt, checkpoint) =
            (client.prepare(text).await?, client.prepare(RECEIPT).await?, client.prepare(CHECKPOINT).await?);
        let stream = (Uuid::now_v7(), 0);
        Ok(Self { client, op, turns: Turns::new(number), stream, statement, receipt, checkpoint })
    }

    async fn append(&mut self, events: usize) -> Result<u64> {
        if self.stream.1 >= 100 {
            self.stream = (Uuid::now_v7(), 0);
        }
        let (stream, version) = self.stream;
        if events == 1 {
            let (id, data) = (Uuid::now_v7(), Json(deposited(version)));
            self.client.execute(&self.statement, &[&stream, &(version + 1), &id, &DEPOSITED, &data]).await?;
        } else {
            let ids: Vec<_> = (0..events).map(|_| Uuid::now_v7()).collect();
            let data =
                (0..events).map(|n| serde_json::to_string(&deposited(n as i64))).collect::<Result<Vec<_>, _>>()?;
            self.client.execute(&self.statement, &[&stream, &version, &ids, &DEPOSITED, &data]).await?;
        }
        self.stream.1 += events as i64;
        Ok(1)
    }

    async fn load(&mut self) -> Result<u64> {
        let id = stream(self.turns.next(STREAMS));
        let mut account = Account::default();
        for row in self.client.query(&self.statement, &[&id]).await? {
            let Json(event): Json<Deposited> = row.try_get(0)?;
            account.on_deposited(&event);
        }
        if account.deposits != 100 || account.balance == 0 {
            Err("a wrong account")?
        }
        Ok(1)
    }

    async fn read_all(&mut self) -> Result<u64> {
        let (mut after, mut count, mut sum) = (0_i64, 0, 0);
        loop {
            let rows = self.client.query(&self.statement, &[&after, &PAGE]).await?;
            for row in &rows {
                after = row.try_get(0)?;
                let _: (Uuid, i64, Uuid, String) = (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
                let Json(event): Json<Deposited> = row.try_get(5)?;
                sum += event.amount;
                count += 1;
            }
            if rows.is_empty() {
                if sum == 0 {
                    Err("no events")?
                }
                return Ok(count);
            }
        }
    }

    async fn project(&mut self) -> Result<u64> {
        let (mut after, mut count) = (0_i64, 0);
        loop {
            let rows = self.client.query(&self.statement, &[&after, &PAGE]).await?;
            if rows.is_empty() {
                return Ok(count);
            }
            let page = self.client.transaction().await?;
            for row in &rows {
                after = row.try_get(0)?;
                let (id, Json(event)): (Uuid, Json<Deposited>) = (row.try_get(3)?, row.try_get(5)?);
                let receipt = Receipt { id, amount: event.amount, reference: event.reference };
                page.execute(&self.receipt, &[&id, &Json(receipt)]).await?;
                count += 1;
            }
            page.execute(&self.checkpoint, &[&after]).await?;
            page.commit().await?;
        }
    }

    async fn upsert(&mut self) -> Result<u64> {
        let customer = customer(self.turns.next(CUSTOMERS));
        self.client.execute(&self.statement, &[&customer.id, &Json(&customer)]).await?;
        Ok(1)
    }

    async fn get(&mut self) -> Result<u64> {
        let id = customer(self.turns.next(CUSTOMERS)).id;
        let Json(found): Json<Customer> = self.client.query_one(&self.statement, &[&id]).await?.try_get(0)?;
        if found.id != id {
            Err("a wrong customer")?
        }
        Ok(1)
    }

    async fn query(&mut self) -> Result<u64> {
        let city = format!("City {:04}", self.turns.next(CITIES));
        let rows = self.client.query(&self.statement, &[&city]).await?;
        let found = rows.iter().map(|row| row.try_get::<_, Json<Customer>>(0)).collect::<Result<Vec<_>, _>>()?;
        if found.len() != 20 {
            Err("too few customers")?
        }
        Ok(1)
    }

    async fn bulk_insert(&mut self) -> Result<u64> {
        let (ids, docs): (Vec<_>, Vec<_>) = imports().map(|it| (it.id, Json(it))).unzip();
        let inserted = self.client.execute(&self.statement, &[&ids, &docs]).await?;
        if inserted != IMPORTED as u64 { Err("too few documents")? } else { Ok(inserted) }
    }
}

impl Worker for Hand {
    fn reset(&mut self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async {
            match self.op {
                Op::Project => self.client.batch_execute(FORGET).await?,
                Op::BulkInsert => self.client.batch_execute(EMPTY).await?,
                _ => {}
            }
            Ok(())
        })
    }

    fn step(&mut self) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async {
            match self.op {
                Op::Append(events) => self.append(events).await,
                Op::AppendExpected => self.append(1).await,
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

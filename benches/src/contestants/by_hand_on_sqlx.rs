//! Hand-written SQL on sqlx, one connection per worker.

use futures_util::future::BoxFuture;
use sqlx::types::Json;
use sqlx::{Connection, PgConnection, Row};
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
        "sqlx by hand"
    }

    fn database(&self, case: Case) -> String {
        database("sqlx", case)
    }

    fn workers<'a>(&'a self, server: &'a Server, case: Case) -> BoxFuture<'a, Result<Workers>> {
        Box::pin(async move {
            let url = prepare(server, &self.database(case), case.kind()).await?;
            let mut workers: Workers = Vec::new();
            for number in 0..case.workers {
                let conn = PgConnection::connect(&url).await?;
                workers.push(Box::new(Hand {
                    conn,
                    op: case.op,
                    turns: Turns::new(number),
                    stream: (Uuid::now_v7(), 0),
                }));
            }
            Ok(workers)
        })
    }
}

struct Hand {
    conn: PgConnection,
    op: Op,
    turns: Turns,
    /// The stream it appends to, and how many events that has.
    stream: (Uuid, i64),
}

impl Hand {
    async fn append(&mut self, events: usize) -> Result<u64> {
        if self.stream.1 >= 100 {
            self.stream = (Uuid::now_v7(), 0);
        }
        let (stream, version) = self.stream;
        let append = if events == 1 {
            let append = sqlx::query(APPEND_ONE).bind(stream).bind(version + 1).bind(Uuid::now_v7());
            append.bind(DEPOSITED).bind(Json(deposited(version)))
        } else {
            let ids: Vec<_> = (0..events).map(|_| Uuid::now_v7()).collect();
            let data =
                (0..events).map(|n| serde_json::to_string(&deposited(n as i64))).collect::<Result<Vec<_>, _>>()?;
            sqlx::query(APPEND_MANY).bind(stream).bind(version).bind(ids).bind(DEPOSITED).bind(data)
        };
        append.execute(&mut self.conn).await?;
        self.stream.1 += events as i64;
        Ok(1)
    }

    async fn load(&mut self) -> Result<u64> {
        let id = stream(self.turns.next(STREAMS));
        let mut account = Account::default();
        for row in sqlx::query(LOAD).bind(id).fetch_all(&mut self.conn).await? {
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
            let rows = sqlx::query(READ).bind(after).bind(PAGE).fetch_all(&mut self.conn).await?;
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
            let rows = sqlx::query(READ).bind(after).bind(PAGE).fetch_all(&mut self.conn).await?;
            if rows.is_empty() {
                return Ok(count);
            }
            let mut page = self.conn.begin().await?;
            for row in &rows {
                after = row.try_get(0)?;
                let (id, Json(event)): (Uuid, Json<Deposited>) = (row.try_get(3)?, row.try_get(5)?);
                let receipt = Receipt { id, amount: event.amount, reference: event.reference };
                sqlx::query(RECEIPT).bind(id).bind(Json(receipt)).execute(&mut *page).await?;
                count += 1;
            }
            sqlx::query(CHECKPOINT).bind(after).execute(&mut *page).await?;
            page.commit().await?;
        }
    }

    async fn upsert(&mut self) -> Result<u64> {
        let customer = customer(self.turns.next(CUSTOMERS));
        sqlx::query(UPSERT).bind(customer.id).bind(Json(&customer)).execute(&mut self.conn).await?;
        Ok(1)
    }

    async fn get(&mut self) -> Result<u64> {
        let id = customer(self.turns.next(CUSTOMERS)).id;
        let Json(found): Json<Customer> = sqlx::query_scalar(GET).bind(id).fetch_one(&mut self.conn).await?;
        if found.id != id {
            Err("a wrong customer")?
        }
        Ok(1)
    }

    async fn query(&mut self) -> Result<u64> {
        let city = format!("City {:04}", self.turns.next(CITIES));
        let found: Vec<Json<Customer>> = sqlx::query_scalar(QUERY).bind(city).fetch_all(&mut self.conn).await?;
        if found.len() != 20 {
            Err("too few customers")?
        }
        Ok(1)
    }

    async fn bulk_insert(&mut self) -> Result<u64> {
        let (ids, docs): (Vec<_>, Vec<_>) = imports().map(|it| (it.id, Json(it))).unzip();
        let inserted = sqlx::query(BULK_INSERT).bind(ids).bind(docs).execute(&mut self.conn).await?.rows_affected();
        if inserted != IMPORTED as u64 { Err("too few documents")? } else { Ok(inserted) }
    }
}

impl Worker for Hand {
    fn reset(&mut self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async {
            match self.op {
                Op::Project => drop(sqlx::raw_sql(FORGET).execute(&mut self.conn).await?),
                Op::BulkInsert => drop(sqlx::raw_sql(EMPTY).execute(&mut self.conn).await?),
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

//! Those who write, each in every way there is.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use crate::{Error, Expected, Store};
use sqlx::postgres::PgPoolCopyExt;
use sqlx::{Connection, PgConnection, PgPool};
use tokio::sync::watch;
use uuid::Uuid;

use super::dice::Dice;
use super::domain::{TortureEvent, ticked};
use super::ledger::{Deed, Outcome};

/// Few enough that writers meet.
const STREAMS: usize = 64;
const LARGEST_BATCH: usize = 12;
const ROLLBACKS: usize = 15;

const INSERT: &str = "INSERT INTO events (stream_id, stream_seq, event_id, type, data) \
                      SELECT $1, place, gen_random_uuid(), 'ticked', json_build_object('number', number) \
                      FROM unnest($2::bigint[]) WITH ORDINALITY AS it (number, place)";
const COPY: &str = "COPY events (stream_id, stream_seq, event_id, type, data) FROM STDIN";

/// The streams that all writers share.
pub(super) fn streams() -> Vec<Uuid> {
    (0..STREAMS).map(|_| Uuid::now_v7()).collect()
}

/// One writer, and what it did so far.
#[derive(Debug)]
pub(super) struct Writer {
    store: Store,
    pool: PgPool,
    streams: Arc<Vec<Uuid>>,
    dice: Dice,
    next_number: i64,
    /// The versions it believes in.
    versions: HashMap<Uuid, i64>,
    deeds: Vec<Deed>,
}

impl Writer {
    pub(super) fn new(store: &Store, pool: &PgPool, streams: &Arc<Vec<Uuid>>, seed: u64, number: usize) -> Self {
        Self {
            store: store.clone(),
            pool: pool.clone(),
            streams: Arc::clone(streams),
            dice: Dice::new(seed, number),
            next_number: (number as i64 + 1) << 32,
            versions: HashMap::new(),
            deeds: Vec::new(),
        }
    }

    pub(super) async fn run(mut self, stopped: watch::Receiver<bool>) -> Vec<Deed> {
        while !*stopped.borrow() {
            match self.dice.below(100) {
                0..40 => self.append_to_any().await,
                40..50 => self.append_to_new().await,
                50..65 => self.append_to_expected().await,
                65..88 => self.append_in_transaction().await,
                88..96 => self.insert().await,
                _ => self.copy().await,
            }
        }
        self.deeds
    }

    fn numbers(&mut self) -> Vec<i64> {
        let from = self.next_number;
        self.next_number += 1 + self.dice.below(LARGEST_BATCH) as i64;
        (from..self.next_number).collect()
    }

    fn stream(&mut self) -> Uuid {
        self.streams[self.dice.below(STREAMS)]
    }

    fn note(&mut self, began: Instant, outcome: Result<Outcome, Error>, numbers: Vec<i64>) {
        self.deeds.push(Deed::since(began, outcome.unwrap_or_else(given_up), numbers));
    }

    async fn append_to_any(&mut self) {
        let (stream, numbers) = (self.stream(), self.numbers());
        let began = Instant::now();
        let done = self.store.events().append_stream(stream, Expected::Any, events(&numbers)).await;
        self.note(began, done.map(|_| Outcome::Committed), numbers);
    }

    async fn append_to_new(&mut self) {
        let numbers = self.numbers();
        let began = Instant::now();
        let done = self.store.events().append_stream(Uuid::now_v7(), Expected::NoStream, events(&numbers)).await;
        self.note(began, done.map(|it| as_expected(it.version, 0, &numbers)), numbers);
    }

    /// Believes in the version that it was told last, which others may have left behind.
    async fn append_to_expected(&mut self) {
        let (stream, numbers) = (self.stream(), self.numbers());
        let known = self.versions.get(&stream).copied().unwrap_or(0);
        let began = Instant::now();
        let done = self.store.events().append_stream(stream, Expected::Exact(known), events(&numbers)).await;
        match &done {
            Ok(appended) => self.versions.insert(stream, appended.version),
            Err(Error::VersionConflict { actual, .. }) => self.versions.insert(stream, *actual),
            Err(_) => None,
        };
        self.note(began, done.map(|it| as_expected(it.version, known, &numbers)), numbers);
    }

    /// One to three appends, some of them under savepoints that are given up, held open and perhaps rolled back.
    async fn append_in_transaction(&mut self) {
        let began = Instant::now();
        let (mut kept, mut dropped) = (Vec::new(), Vec::new());
        let outcome = self.transaction(&mut kept, &mut dropped).await;
        self.note(began, outcome, kept);
        self.note(began, Ok(Outcome::GivenUp), dropped);
    }

    async fn transaction(&mut self, kept: &mut Vec<i64>, dropped: &mut Vec<i64>) -> Result<Outcome, Error> {
        let pool = self.pool.clone();
        let mut tx = pool.begin().await?;
        for _ in 0..=self.dice.below(3) {
            let (stream, numbers) = (self.stream(), self.numbers());
            if self.dice.percent(25) {
                dropped.extend(&numbers);
                let mut inner = tx.begin().await?;
                self.store.events().append_in_tx(&mut inner, stream, Expected::Any, events(&numbers)).await?;
                tokio::time::sleep(self.dice.hold()).await;
                inner.rollback().await?;
            } else {
                kept.extend(&numbers);
                self.store.events().append_in_tx(&mut tx, stream, Expected::Any, events(&numbers)).await?;
                tokio::time::sleep(self.dice.hold()).await;
            }
        }
        self.end(tx).await
    }

    /// As other software would, that knows the table and nothing else.
    async fn insert(&mut self) {
        let numbers = self.numbers();
        let began = Instant::now();
        let outcome = self.inserted(&numbers).await;
        self.note(began, outcome, numbers);
    }

    async fn inserted(&mut self, numbers: &[i64]) -> Result<Outcome, Error> {
        let pool = self.pool.clone();
        let mut tx = pool.begin().await?;
        insert_into(&mut tx, numbers).await?;
        tokio::time::sleep(self.dice.hold()).await;
        self.end(tx).await
    }

    async fn copy(&mut self) {
        let numbers = self.numbers();
        let began = Instant::now();
        let done = copied(&self.pool, &numbers).await;
        self.note(began, done.map(|()| Outcome::Committed), numbers);
    }

    async fn end(&mut self, tx: sqlx::Transaction<'_, sqlx::Postgres>) -> Result<Outcome, Error> {
        if self.dice.percent(ROLLBACKS) {
            tx.rollback().await?;
            return Ok(Outcome::GivenUp);
        }
        tx.commit().await?;
        Ok(Outcome::Committed)
    }
}

fn events(numbers: &[i64]) -> Vec<TortureEvent> {
    numbers.iter().copied().map(ticked).collect()
}

fn as_expected(version: i64, expected: i64, numbers: &[i64]) -> Outcome {
    if version == expected + numbers.len() as i64 { Outcome::Committed } else { Outcome::WrongVersion }
}

/// The errors that a writer has to expect: all of them say that nothing was written.
fn given_up(error: Error) -> Outcome {
    match error {
        Error::VersionConflict { .. } | Error::Contention(_) => Outcome::GivenUp,
        other => Outcome::Failed(other.to_string()),
    }
}

async fn insert_into(conn: &mut PgConnection, numbers: &[i64]) -> sqlx::Result<()> {
    sqlx::query(INSERT).bind(Uuid::now_v7()).bind(numbers).execute(conn).await?;
    Ok(())
}

async fn copied(pool: &PgPool, numbers: &[i64]) -> Result<(), Error> {
    let stream = Uuid::now_v7();
    let lines: Vec<_> = numbers
        .iter()
        .enumerate()
        .map(|(i, number)| format!("{stream}\t{}\t{}\tticked\t{{\"number\":{number}}}\n", i + 1, Uuid::new_v4()))
        .collect();
    let mut copy = pool.copy_in_raw(COPY).await?;
    copy.send(lines.concat().into_bytes()).await?;
    copy.finish().await?;
    Ok(())
}

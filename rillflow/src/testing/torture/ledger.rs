//! What the writers did, and what the database says there is.

use std::collections::HashMap;
use std::time::Instant;

use sqlx::PgPool;
use uuid::Uuid;

/// What became of a writer's events, as far as it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Acknowledged: they must be there, once, for ever.
    Committed,
    /// Rolled back or refused: they must never be there.
    GivenUp,
    /// A writer that expected another version than the one it got an answer for.
    WrongVersion,
    /// An error that nothing here explains.
    Failed(String),
}

/// One transaction of a writer, from before its first append to after its end.
#[derive(Clone, Debug)]
pub(super) struct Deed {
    pub(super) began: Instant,
    pub(super) ended: Instant,
    pub(super) outcome: Outcome,
    pub(super) numbers: Vec<i64>,
}

impl Deed {
    pub(super) fn since(began: Instant, outcome: Outcome, numbers: Vec<i64>) -> Self {
        Self { began, ended: Instant::now(), outcome, numbers }
    }
}

/// An event as the table has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoredEvent {
    pub(super) position: i64,
    pub(super) stream_id: Uuid,
    pub(super) stream_seq: i64,
    pub(super) number: i64,
}

/// All events, by position.
#[derive(Debug)]
pub(super) struct Stored(pub(super) Vec<StoredEvent>);

impl Stored {
    pub(super) async fn read(pool: &PgPool) -> sqlx::Result<Self> {
        let all = "SELECT global_seq, stream_id, stream_seq, (data->>'number')::bigint FROM events ORDER BY global_seq";
        let rows: Vec<(i64, Uuid, i64, i64)> = sqlx::query_as(all).fetch_all(pool).await?;
        let event = |(position, stream_id, stream_seq, number)| StoredEvent { position, stream_id, stream_seq, number };
        Ok(Self(rows.into_iter().map(event).collect()))
    }

    pub(super) fn last_position(&self) -> i64 {
        self.0.last().map_or(0, |it| it.position)
    }

    /// How many numbers are stored more than once, and the position of each.
    pub(super) fn by_number(&self) -> (usize, HashMap<i64, i64>) {
        let positions: HashMap<_, _> = self.0.iter().map(|it| (it.number, it.position)).collect();
        (self.0.len() - positions.len(), positions)
    }

    /// How many events do not follow, by position, the one before them in their stream.
    pub(super) fn out_of_order(&self) -> usize {
        let mut last: HashMap<Uuid, i64> = HashMap::new();
        self.0.iter().filter(|it| last.insert(it.stream_id, it.stream_seq).unwrap_or(0) + 1 != it.stream_seq).count()
    }

    /// For each stream, how many events it holds and the sum of their numbers.
    pub(super) fn tallies(&self) -> HashMap<Uuid, (i64, i64)> {
        let mut tallies = HashMap::new();
        for event in &self.0 {
            let tally: &mut (i64, i64) = tallies.entry(event.stream_id).or_default();
            tally.0 += 1;
            tally.1 += event.number;
        }
        tallies
    }
}

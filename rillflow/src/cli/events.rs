//! `rillflow events`.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::connect::Session;
use super::failure::Failure;
use super::out::{Out, maybe, moment};
use super::{Done, Ran, interrupted};
use crate::{EventEnvelope, RawJson, Store};

/// How often the log is looked at while nothing comes.
const POLL: Duration = Duration::from_millis(250);
/// How many events are read at a time.
const PAGE: u32 = 500;

/// What to do with events.
#[derive(Debug, Subcommand)]
pub(super) enum Events {
    /// Print the events of all streams in their global order, one a line.
    Tail(Tail),
}

/// Which events to print.
#[derive(Debug, Args)]
pub(super) struct Tail {
    /// Begin after this position; at the last 20 positions otherwise.
    #[arg(long, value_name = "POSITION")]
    after: Option<i64>,
    /// Go on with what is appended, until interrupted.
    #[arg(long, short)]
    follow: bool,
    /// End after this many events.
    #[arg(long, value_name = "EVENTS")]
    limit: Option<u64>,
    /// Only events of this name; may be given several times.
    #[arg(long, value_name = "NAME")]
    event_type: Vec<String>,
    /// Only streams of this category; may be given several times.
    #[arg(long, value_name = "NAME")]
    category: Vec<String>,
    /// Only this stream, by id; may be given several times.
    #[arg(long, value_name = "ID")]
    stream: Vec<Uuid>,
    #[command(flatten)]
    columns: Columns,
}

/// What to print of an event.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Columns {
    /// Print the payload too. JSON has it always.
    #[arg(long)]
    body: bool,
}

impl Events {
    pub(super) async fn run(self, session: &mut Session) -> Ran {
        match self {
            Self::Tail(tail) => tokio::select! {
                printed = tail.run(session) => printed,
                () = interrupted() => Ok(Done::Well),
            },
        }
    }
}

impl Tail {
    async fn run(self, session: &mut Session) -> Ran {
        let store = session.store().await?;
        let mut after = match self.after {
            Some(position) => position,
            None => (store.events().safe_mark().await? - 20).max(0),
        };
        let mut left = self.limit.unwrap_or(u64::MAX);
        while left > 0 {
            let page = self.read(&store, after, left).await?;
            for event in &page.events {
                let shown = Shown::new(event);
                session.out.show_line(&shown, || self.columns.line(&shown))?;
            }
            left -= page.events.len() as u64;
            after = page.position;
            if page.reached_end && !self.follow {
                break;
            }
            if page.reached_end {
                tokio::time::sleep(POLL).await;
            }
        }
        Ok(Done::Well)
    }

    async fn read(&self, store: &Store, after: i64, left: u64) -> Result<crate::EventPage, Failure> {
        let limit = u32::try_from(left).unwrap_or(PAGE).min(PAGE);
        let mut read = store.events().all().after(after).limit(limit);
        if !self.event_type.is_empty() {
            read = read.types(self.event_type.iter().cloned());
        }
        if !self.category.is_empty() {
            read = read.categories(self.category.iter().cloned());
        }
        if !self.stream.is_empty() {
            read = read.streams(self.stream.iter().copied());
        }
        Ok(read.page().await?)
    }
}

/// An event as JSON.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    global_seq: i64,
    stream_id: Uuid,
    stream_seq: i64,
    event_id: Uuid,
    #[serde(rename = "type")]
    typ: String,
    type_version: i32,
    #[serde(serialize_with = "as_it_is")]
    data: RawJson,
    #[serde(serialize_with = "as_it_is_or_null")]
    headers: Option<RawJson>,
    causation_id: Option<Uuid>,
    correlation_id: Option<Uuid>,
    created_at: chrono::DateTime<chrono::Utc>,
}

/// JSON as it was written, within JSON.
fn as_it_is<S: Serializer>(json: &RawJson, serializer: S) -> Result<S::Ok, S::Error> {
    serde_json::from_str::<&RawValue>(json.as_str()).map_err(S::Error::custom)?.serialize(serializer)
}

fn as_it_is_or_null<S: Serializer>(json: &Option<RawJson>, serializer: S) -> Result<S::Ok, S::Error> {
    match json {
        Some(json) => as_it_is(json, serializer),
        None => serializer.serialize_none(),
    }
}

impl Shown {
    pub(super) fn new(event: &EventEnvelope) -> Self {
        Self {
            global_seq: event.global_seq,
            stream_id: event.stream_id.0,
            stream_seq: event.stream_seq,
            event_id: event.event_id,
            typ: event.typ.to_string(),
            type_version: event.type_version,
            data: event.body.clone(),
            headers: event.headers.clone(),
            causation_id: event.causation_id,
            correlation_id: event.correlation_id,
            created_at: event.created_at,
        }
    }
}

impl Columns {
    pub(super) fn line(self, it: &Shown) -> String {
        let line =
            format!("{:>8}  {}  {}@{}  {}", it.global_seq, moment(it.created_at), it.stream_id, it.stream_seq, it.typ,);
        if self.body { format!("{line}  {}", it.data.as_str()) } else { line }
    }

    pub(super) fn table(self, out: &mut Out, events: &[Shown]) -> Result<(), Failure> {
        if self.body {
            let rows = events.iter().map(|it| {
                [it.stream_seq.to_string(), it.global_seq.to_string(), it.typ.clone(), it.data.as_str().to_owned()]
            });
            return out.table(["version", "position", "type", "payload"], rows, "No events.");
        }
        let rows = events.iter().map(|it| {
            let (version, correlation) = (it.stream_seq.to_string(), maybe(it.correlation_id));
            [version, it.global_seq.to_string(), it.typ.clone(), moment(it.created_at), correlation]
        });
        out.table(["version", "position", "type", "recorded", "correlation"], rows, "No events.")
    }
}

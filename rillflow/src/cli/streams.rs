//! `rillflow streams`.

use clap::Subcommand;
use serde::Serialize;
use uuid::Uuid;

use super::connect::Session;
use super::events::{Columns, Shown};
use super::failure::Failure;
use super::out::{maybe, moment};
use super::{Done, Ran};
use crate::{Store, StreamState};

/// What to do with a stream. `STREAM` is an id, or an alias such as `orders:42`.
#[derive(Debug, Subcommand)]
pub(super) enum Streams {
    /// Print the id that an alias stands for; a new one when nobody asked before.
    Resolve {
        /// What people call the stream.
        alias: String,
    },
    /// What is known of a stream.
    Show {
        /// An id or an alias.
        stream: String,
    },
    /// The events of a stream.
    Events {
        /// An id or an alias.
        stream: String,
        /// Begin at this version.
        #[arg(long, value_name = "VERSION")]
        from: Option<i64>,
        /// From the newest to the oldest.
        #[arg(long)]
        backwards: bool,
        /// How many at most.
        #[arg(long, default_value_t = 100)]
        limit: u32,
        #[command(flatten)]
        columns: Columns,
    },
    /// Close a stream: it stays readable, and refuses appends.
    Archive {
        /// An id or an alias.
        stream: String,
    },
    /// Open an archived stream to appends again.
    Restore {
        /// An id or an alias.
        stream: String,
    },
    /// Delete a stream and its events for good. Asks first.
    Delete {
        /// An id or an alias.
        stream: String,
    },
}

impl Streams {
    pub(super) async fn run(self, session: &mut Session) -> Ran {
        let store = session.store().await?;
        match self {
            Self::Resolve { alias } => resolve(session, &store, alias).await?,
            Self::Show { stream } => show(session, &store, &stream).await?,
            Self::Events { stream, from, backwards, limit, columns } => {
                let mut read = store.events().stream(id(&store, &stream).await?).limit(limit);
                read = if backwards { read.backwards() } else { read };
                read = from.into_iter().fold(read, |read, version| read.from_version(version));
                let events: Vec<_> = read.fetch_all().await?.iter().map(Shown::new).collect();
                session.out.show(&events, |out| columns.table(out, &events))?;
            }
            Self::Archive { stream } => {
                store.events().archive_stream(known(&store, &stream).await?).await?;
                show(session, &store, &stream).await?;
            }
            Self::Restore { stream } => {
                store.events().restore_stream(known(&store, &stream).await?).await?;
                show(session, &store, &stream).await?;
            }
            Self::Delete { stream } => {
                let id = known(&store, &stream).await?;
                session.confirm(&format!("Delete stream {id} and its events for good?"))?;
                store.events().delete_stream(id).await?;
                show(session, &store, &stream).await?;
            }
        }
        Ok(Done::Well)
    }
}

async fn resolve(session: &mut Session, store: &Store, alias: String) -> Result<(), Failure> {
    if alias.is_empty() {
        return Err(Failure::usage("an alias has at least one character", "rillflow streams resolve orders:42"));
    }
    let stream_id = store.resolve_stream_alias(&alias).await?;
    session
        .out
        .show(&serde_json::json!({ "alias": alias, "stream_id": stream_id }), |out| out.line(&stream_id.to_string()))
}

/// The stream of an id or alias. Looking makes no alias.
async fn id(store: &Store, stream: &str) -> Result<Uuid, Failure> {
    if let Ok(id) = Uuid::parse_str(stream) {
        return Ok(id);
    }
    store.find_stream_alias(stream).await?.ok_or_else(|| {
        Failure::failed(
            format!("`{stream}` is neither the id nor the alias of a stream"),
            "`rillflow streams resolve` makes an alias",
        )
    })
}

/// As [`id`], of a stream that has begun.
async fn known(store: &Store, stream: &str) -> Result<Uuid, Failure> {
    let id = id(store, stream).await?;
    match store.events().stream_state(id).await? {
        Some(_) => Ok(id),
        None => Err(crate::Error::StreamNotFound { stream_id: id.into() }.into()),
    }
}

/// A stream as JSON.
#[derive(Debug, Serialize)]
struct Stream {
    stream_id: Uuid,
    category: String,
    version: i64,
    created_at: chrono::DateTime<chrono::Utc>,
    archived_at: Option<chrono::DateTime<chrono::Utc>>,
    deleted_at: Option<chrono::DateTime<chrono::Utc>>,
}

impl From<StreamState> for Stream {
    fn from(state: StreamState) -> Self {
        let StreamState { stream_id, version, category, created_at, archived_at, deleted_at } = state;
        Self { stream_id: stream_id.0, category, version, created_at, archived_at, deleted_at }
    }
}

async fn show(session: &mut Session, store: &Store, stream: &str) -> Result<(), Failure> {
    let id = id(store, stream).await?;
    let state = store.events().stream_state(id).await?;
    let it = Stream::from(state.ok_or(crate::Error::StreamNotFound { stream_id: id.into() })?);
    session.out.show(&it, |out| {
        out.facts([
            ("stream", it.stream_id.to_string()),
            ("category", it.category.clone()),
            ("version", it.version.to_string()),
            ("created", moment(it.created_at)),
            ("archived", maybe(it.archived_at.map(moment))),
            ("deleted", maybe(it.deleted_at.map(moment))),
        ])
    })
}

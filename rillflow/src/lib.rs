#![doc = include_str!("../README.md")]

// The derives write `::rillflow::..`; this lets them work in our own tests and docs too.
#[allow(unused_extern_crates, reason = "only the output of the derives names it")]
extern crate self as rillflow;

#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "dev")]
pub mod dev;
mod error;
pub mod model;
#[cfg(feature = "nats")]
pub mod nats;
pub mod observe;
mod sql;
mod storage;

mod runtime;
mod store;
#[cfg(feature = "testing")]
pub mod testing;

pub use error::{BoxError, Error, PayloadProblem, Result};
pub use model::Transport;
pub use model::query::{Cursor, DocumentValue, Find, NumberedPage, Page, Query};
pub use model::{
    Aggregate, AppendOptions, Appended, DocMetadata, Document, DocumentId, DocumentOutcome, DocumentProjection, Event,
    EventEnvelope, EventPayload, EventSet, EventType, Expected, GeneratedId, Lifecycle, Patch, Pooler, RawJson,
    SchemaConfig, SchemaPlan, SchemaStep, Stored, StreamId, StreamKey, StreamState, TableLock,
};
pub use model::{Checkpoint, EventTags, Message, OutboxMessage, Tag, TagField, TagQuery, TagValue};
pub use model::{JsonFormat, query::Queries};
pub use model::{TenancyMode, TenantResolver};
#[cfg(feature = "derive")]
pub use rillflow_derive::{
    Aggregate, Document, DocumentFields, DocumentValue, Event, EventTags, compiled_query, handlers, projection,
};
pub use runtime::aggregates::Loaded;
pub use runtime::daemon::{Daemon, DaemonConfig};
pub use runtime::decide::{DecideError, Decided};
pub use runtime::doctor::{Finding, Severity};
pub use runtime::reading::EventPage;
pub use runtime::session::Committed;
pub use runtime::snapshots::{Compaction, Snapshotter, SnapshotterConfig, SnapshotterMetrics};
pub use runtime::sync::{SchemaChanges, SchemaProgress};
pub use runtime::tagged::{Observed, TagDecided};
pub use runtime::tenants::TenantsDaemon;
pub use storage::epochs::Epoch;
pub use storage::projections::ProjectionStatus;
pub use store::QueryStream;
pub use store::{
    AggregateRepository, Aggregates, AppendBuilder, AtLeast, DecodedEvents, Docs, DocumentQuery, EventStream, Events,
    Outbox, ReadAll, ReadStream, Schema, SchemaTexts, SelectQuery, Session, Source, Store, StoreBuilder,
};
pub use store::{BulkInsert, BulkInserted, BulkMode, DynamicQuery, Schemaless};
pub use store::{Roles, Tagged};
pub use store::{Tenant, TenantMigrated, TenantStatus, TenantedStore, TenantedStoreBuilder};

/// What projections are made of, and what is told about them.
pub mod projections {
    pub use crate::model::{DocumentOutcome, DocumentProjection, OnFailure, ProjectionHandler, SqlProjection};
    pub use crate::runtime::dead_letters::Requeued;
    pub use crate::runtime::rebuild::RebuildProgress;
    pub use crate::storage::letters::DeadLetter;
    pub use crate::storage::projections::{ProjectionMetrics, ProjectionStatus, ShardStatus};
    pub use crate::store::Projections;
}

/// Running projections.
pub mod projection_runtime {
    pub use crate::runtime::daemon::{Daemon, DaemonConfig, DaemonConfig as ProjectionWorkerConfig};
    pub use crate::runtime::ticks::TickResult;
    pub use crate::store::{ProjectionDaemon, ProjectionDaemonBuilder};
}

/// Appending and reading events.
pub mod events {
    pub use crate::model::{AppendOptions, Appended, Event, EventEnvelope, Expected};
    pub use crate::store::{AppendBuilder, Events};
}

/// Keeping snapshots of long streams in the background.
pub mod snapshotter {
    pub use crate::runtime::snapshots::{Compaction, Snapshotter, SnapshotterConfig};
}

/// Queries that are put together while the program runs.
pub mod query {
    pub use crate::model::{CompiledQuery, DocumentQueryContext, Predicate, SortDirection};
    pub use crate::store::DynamicQuery;
}

/// Subscriptions: events as they come, from a place that is kept, alone or shared in a group.
pub mod subscriptions {
    pub use crate::model::{
        AckMode, GroupStatus, MemberStatus, PartitionStatus, StartAt, SubscriptionDeadLetter, SubscriptionFilter,
        SubscriptionInfo, SubscriptionOptions,
    };
    pub use crate::runtime::relay::RelayOptions;
    pub use crate::runtime::subscriber::{SubscriptionHealth, Trouble};
    pub use crate::store::{DecodedSubscription, Relay, SubscriptionHandle, SubscriptionReceiver, Subscriptions};
}

/// What the derives write code against; nothing here is for people.
#[doc(hidden)]
pub mod __private {
    pub use crate::__event_types as event_types;
    pub use crate::__sql_text as sql_text;
    pub use crate::model::query::text::*;
    pub use crate::model::query::tree::*;
    pub use crate::model::query::*;
    pub use crate::model::*;
    pub use crate::sql::render::*;
    pub use crate::{BoxError, Error, Result};
    pub use sqlx::{Postgres, Transaction};
    pub use {serde, serde_json};

    /// The parameters of a query.
    pub type Binds = Vec<SqlValue>;
}

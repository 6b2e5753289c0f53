//! Layer 1, values and traits: what streams, events, documents and queries are.
//!
//! Nothing here does I/O, spawns a task or asks for the time.

mod aggregate;
mod append;
pub(crate) mod catalog;
mod checkpoint;
mod document;
mod dynamic;
mod envelope;
mod event;
mod finite;
pub(crate) mod instant;
mod json;
pub mod jsonb;
mod metadata;
mod outbox;
mod patch;
mod pooler;
mod predicate;
mod projection;
pub mod query;
mod schema;
mod shape;
mod snapshot;
mod stream;
mod subscription;
mod tags;
mod tenant;
pub(crate) mod traceparent;
mod transport;
mod value;

pub use aggregate::{Aggregate, Apply, Dispatch, EventsOf};
pub use append::{AppendOptions, Appended};
pub use checkpoint::Checkpoint;
pub use document::{
    Collection, Document, DocumentId, ForeignKey, GeneratedId, IdSource, IdValue, Index, StoredColumn, made_id,
    refers_to,
};
pub(crate) use dynamic::Fields;
pub use dynamic::{CompiledQuery, DocumentQueryContext};
pub use envelope::EventEnvelope;
pub use event::{
    Codec, Event, EventPayload, EventSet, EventShape, EventType, HasEvent, PayloadOfOneEnum, count_types, join_types,
};
pub use json::{JsonFormat, RawJson};
pub use metadata::{DocMetadata, Stored};
pub use outbox::{Message, OutboxMessage};
pub(crate) use patch::PatchChanges;
pub use patch::{Patch, PathTo};
pub use pooler::Pooler;
pub(crate) use predicate::{Comparison, JsonPath, Test};
pub use predicate::{Predicate, SortDirection};
pub use projection::{
    AnyHandler, AnyProjection, Changes, DocumentOutcome, DocumentProjection, Found, IntoHandled, IntoKeys, IntoOutcome,
    Lifecycle, Lookups, On, OnFailure, OnSql, OneKey, ProjectionBatch, ProjectionHandler, Registered, Route, RouteSql,
    Shard, SqlProjection, Wanted, WantedOf, Work,
};
pub use schema::{SchemaConfig, SchemaPlan, SchemaStep, TableLock};
pub use shape::Shape;
pub use snapshot::{Json, SnapshotState, Snapshots, Verdict, fingerprint};
pub use stream::{Expected, Newtype, StreamId, StreamKey, StreamState};
pub use subscription::{
    AckMode, GroupStatus, MemberStatus, PartitionStatus, StartAt, SubscriptionDeadLetter, SubscriptionFilter,
    SubscriptionInfo, SubscriptionOptions,
};
pub use tags::{EventTags, NoTags, Tag, TagField, TagQuery, TagValue, TagsOf};
pub(crate) use tags::{TagCondition, array_literal, array_literal_in_order};
pub use tenant::{TenancyMode, TenantResolver};
pub(crate) use tenant::{TenantName, prefix};
pub use transport::Transport;
pub use value::{SqlType, SqlValue};

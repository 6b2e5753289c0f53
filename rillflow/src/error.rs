//! The one error type: variants are named by what the caller can do about them.

use crate::model::{Expected, StreamId, jsonb};

/// What a rillflow operation returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error from the application's own code, carried without knowing its type.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Everything that can go wrong, as variants to match on.
///
/// ```
/// # fn handle(error: rillflow::Error) {
/// match error {
///     rillflow::Error::VersionConflict { stream_id, actual, .. } => println!("{stream_id} moved on to {actual}: load it again"),
///     other if other.is_retryable() => println!("try again: {other}"),
///     other => println!("give up: {other}"),
/// }
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Somebody else appended first; nothing of this append was written. Load again and decide again.
    #[error("stream {stream_id} is at version {actual}, but {expected} was expected")]
    VersionConflict {
        /// The stream that moved on.
        stream_id: StreamId,
        /// What the caller believed.
        expected: Expected,
        /// The version found, 0 when there is no such stream.
        actual: i64,
    },

    /// An event that a decision on tags rests on was appended meanwhile; nothing was written. Look and decide again.
    #[error("an event that this decision rests on was appended meanwhile, at position {position}")]
    TagConflict {
        /// Where it is.
        position: i64,
    },

    /// The stream refuses appends; nothing was written. [`restore_stream`](crate::Events::restore_stream) opens it again.
    #[error("stream {stream_id} is archived: restore it before you append to it")]
    StreamArchived {
        /// The stream.
        stream_id: StreamId,
    },

    /// The stream was deleted for good; nothing was written. Its id is never used again: take another.
    #[error("stream {stream_id} was deleted, and its id is never used again")]
    StreamDeleted {
        /// The stream.
        stream_id: StreamId,
    },

    /// There is no such stream.
    #[error("stream {stream_id} does not exist")]
    StreamNotFound {
        /// The stream.
        stream_id: StreamId,
    },

    /// A validator refused the state that these events lead to; nothing was written.
    #[error("the {aggregate} of stream {stream_id} would not be valid: {source}")]
    Invalid {
        /// The aggregate's name.
        aggregate: &'static str,
        /// Its stream.
        stream_id: StreamId,
        /// The validator's own error: `source.downcast_ref::<YourError>()`.
        source: BoxError,
    },

    /// The stored document is at another version; nothing was written. Load again and change again.
    #[error("{collection} {id} is at version {actual}, but {expected} was expected")]
    DocVersionConflict {
        /// The collection's name.
        collection: &'static str,
        /// The document's id.
        id: String,
        /// What the caller believed.
        expected: i64,
        /// The version found, 0 when there is no such document.
        actual: i64,
    },

    /// No document has this id.
    #[error("{collection} {id} does not exist")]
    DocNotFound {
        /// The collection's name.
        collection: &'static str,
        /// The document's id.
        id: String,
    },

    /// A document with this id is there already.
    #[error("{collection} {id} exists already")]
    AlreadyExists {
        /// The collection's name.
        collection: &'static str,
        /// The document's id.
        id: String,
    },

    /// The document has no id yet, and this call makes none. [`create`](crate::Docs::create) does, or
    /// [`reserve_ids`](crate::Docs::reserve_ids) beforehand.
    #[error("a document of {collection} has no id yet: store it with `create`, or take one from `reserve_ids`")]
    IdNotSet {
        /// The collection's name.
        collection: &'static str,
    },

    /// The document is soft-deleted; nothing was written. [`restore`](crate::Docs::restore) it first.
    #[error("{collection} {id} is deleted: restore it before it is written to")]
    DocDeleted {
        /// The collection's name.
        collection: &'static str,
        /// The document's id.
        id: String,
    },

    /// Another document holds the same value of a unique index.
    #[error("{collection} already holds another document with this value of the unique index {index}")]
    UniqueViolation {
        /// The collection's name.
        collection: &'static str,
        /// The index, as in the schema.
        index: String,
    },

    /// The document names one that is not there, or is named by others and so cannot go.
    #[error(
        "{collection}: the foreign key {constraint} points to a document that is not there, or is still pointed from"
    )]
    ForeignKeyViolation {
        /// The collection's name.
        collection: &'static str,
        /// The constraint, as in the schema.
        constraint: String,
    },

    /// A patch does not fit what is stored; nothing was written.
    #[error("cannot patch {collection}: {problem}")]
    Patch {
        /// The collection's name.
        collection: &'static str,
        /// Which change met what.
        problem: String,
    },

    /// A value that `jsonb` would refuse, or give back changed; nothing was sent.
    #[error("cannot store {what}: {problem}")]
    Payload {
        /// What was being written.
        what: String,
        /// What is wrong with it.
        problem: PayloadProblem,
    },

    /// A query for one row found more.
    #[error("query {query} found more than one row: ask for a `Vec`, or filter by a unique field")]
    NotUnique {
        /// The query's name.
        query: &'static str,
    },

    /// A query that must find one found none.
    #[error("query {query} found nothing: where that may be, ask for an `Option`")]
    NotFound {
        /// The query's name.
        query: &'static str,
    },

    /// A cursor that is damaged, or comes from another query. Begin at the first page.
    #[error("this is no cursor of this query: {reason}")]
    InvalidCursor {
        /// What is wrong with it.
        reason: String,
    },

    /// The idempotency key, or the event ids, of this append belong to an earlier one with other events. Nothing was
    /// written.
    #[error("{key} was used before to append other events than these to stream {stream_id}")]
    IdempotencyConflict {
        /// The stream of this append.
        stream_id: StreamId,
        /// What was used before.
        key: String,
    },

    /// A message of this id waits in the outbox already. Nothing was written: it was published before.
    #[error("message {message_id} was published before and still waits in the outbox")]
    AlreadyPublished {
        /// The message's id.
        message_id: String,
    },

    /// The connection broke while the append was under way: it may be there or not. To try again without appending
    /// twice, use an idempotency key, or events with ids of their own.
    #[error("the connection broke during an append to stream {stream_id}, which may be there or not: {reason}")]
    OutcomeUnknown {
        /// The stream.
        stream_id: StreamId,
        /// How it broke.
        reason: String,
    },

    /// A query that cannot be asked, such as one for the first -1 documents, or by a regular expression that is none.
    #[error("cannot query: {problem}")]
    InvalidQuery {
        /// What is wrong with it.
        problem: String,
    },

    /// A stored event that this program has no variant for.
    #[error(
        "stream {stream_id} holds event `{name}` version {version}, which this program cannot read: add the variant or its upcaster"
    )]
    UnknownEvent {
        /// The stream, nil when the event was decoded outside of one.
        stream_id: StreamId,
        /// The stored name.
        name: String,
        /// The stored version.
        version: i32,
    },

    /// A stored event that is read as several was asked for as one.
    #[error("event `{name}` version {version} is read as several events: use `decode_each`")]
    SplitEvent {
        /// The stored name.
        name: String,
        /// The stored version.
        version: i32,
    },

    /// Stored JSON does not fit the Rust type.
    #[error("cannot read {what}: {source}")]
    Decode {
        /// What was being read, such as an event's name.
        what: String,
        /// serde's own words, with line and column.
        source: serde_json::Error,
    },

    /// A value cannot be written as JSON that PostgreSQL stores.
    #[error("cannot write {what}: {reason}")]
    Encode {
        /// What was being written.
        what: String,
        /// Why not.
        reason: String,
    },

    /// The store has no projection of this name.
    #[error("no projection `{name}` is known here: register it with `Store::builder(..).projection(..)`")]
    UnknownProjection {
        /// The name asked for.
        name: String,
    },

    /// No projection that is registered here keeps a collection that the query reads, so there is none to wait for.
    #[error(
        "no projection that is known here keeps what the query `{query}` reads: register it with `Store::builder(..).projection(..)`, or wait with `wait_for` for one by its name"
    )]
    NotProjected {
        /// The query.
        query: String,
    },

    /// The projection cannot be split into shards, or not so; nothing changed.
    #[error("projection `{name}` cannot be split: {reason}")]
    CannotSplit {
        /// The projection.
        name: String,
        /// Why not, and what to do.
        reason: &'static str,
    },

    /// The projection is being rebuilt by another process, or its rebuild was cancelled. Nothing was swapped.
    #[error("the rebuild of projection `{name}` is not this process's: another one is at it, or it was cancelled")]
    RebuildLost {
        /// The projection.
        name: String,
    },

    /// The read model of an inline projection is of another version than this program's code, so an append that would change
    /// it was refused, and nothing was written. A daemon of the newer program builds it anew by itself, and so does
    /// [`build_inline`](crate::store::Projections::build_inline).
    #[error("{}", other_version(.name, *.stored, *.wanted))]
    ReadModelVersion {
        /// The projection.
        name: String,
        /// The version that built what is stored; 0 when it holds only part of the log, or ran behind the appends.
        stored: i32,
        /// The version of this program's code.
        wanted: i32,
    },

    /// The projection has no dead letter of this id: it was requeued or deleted meanwhile.
    #[error("projection `{projection}` has no dead letter {id}")]
    UnknownDeadLetter {
        /// The projection.
        projection: String,
        /// The id asked for.
        id: i64,
    },

    /// A read model did not reach the position in time. It may still do so.
    #[error("projection `{name}` is at {reached} and did not reach {position} within {waited:?}")]
    WaitTimeout {
        /// The projection.
        name: String,
        /// The position asked for.
        position: i64,
        /// How far it came.
        reached: i64,
        /// How long the caller waited.
        waited: std::time::Duration,
    },

    /// There is no subscription of this name.
    #[error("there is no subscription `{name}`: make it with `create_or_update`, or subscribe to it")]
    UnknownSubscription {
        /// The name asked for.
        name: String,
    },

    /// The event's partition has another owner by now, which gets the event again. An acknowledgement wrote nothing; one in
    /// a transaction has ended that transaction: roll it back.
    #[error(
        "subscription `{name}` lost its hold on the event at position {position} to another member, which gets it again"
    )]
    SubscriptionLost {
        /// The subscription.
        name: String,
        /// The event.
        position: i64,
    },

    /// The event was acknowledged before, so what the transaction does was done before. It has ended: roll it back.
    #[error("the event at position {position} was acknowledged before by subscription `{name}`: its effect is there")]
    AlreadyAcked {
        /// The subscription.
        name: String,
        /// The event.
        position: i64,
    },

    /// This handle never delivered the event, so there is nothing to acknowledge.
    #[error("subscription `{name}` has not delivered an event at position {position} here")]
    NotDelivered {
        /// The subscription.
        name: String,
        /// The position given.
        position: i64,
    },

    /// Text that is no checkpoint of this library.
    #[error("`{text}` is no checkpoint: keep what `Checkpoint::to_string` wrote")]
    InvalidCheckpoint {
        /// The text.
        text: String,
    },

    /// The event a checkpoint points to is no longer there: the history was restored or replaced.
    #[error(
        "`{name}` stopped: the event at its checkpoint {position} is not the one it processed, so this history is another one; rebuild it from the beginning, or reset it"
    )]
    HistoryDiverged {
        /// The projection, or the checkpoint of a reader outside of the store.
        name: String,
        /// Its checkpoint.
        position: i64,
    },

    /// A projection's own handler failed.
    #[error("projection `{name}` failed at position {position}: {source}")]
    Projection {
        /// The projection.
        name: String,
        /// The event it could not handle.
        position: i64,
        /// The handler's error, or its panic as text.
        source: BoxError,
    },

    /// The tables are not there, or not as this version needs them.
    #[error("{problem}: {help}")]
    Schema {
        /// What is wrong.
        problem: String,
        /// What to do about it.
        help: String,
    },

    /// A pooler stands between the store and PostgreSQL, and what is asked for cannot be had through it as it is declared.
    #[error("{problem}: {help}")]
    Pooler {
        /// What is in the way.
        problem: String,
        /// What to set.
        help: String,
    },

    /// The schema is not as this program wants it, as [`Schema::assert`](crate::Schema::assert) found.
    #[error("schema `{schema}` is not as this program wants it; `store.schema().sync(..)` takes these steps:\n{plan}")]
    SchemaDiffers {
        /// The schema.
        schema: String,
        /// What would have to be done.
        plan: Box<crate::SchemaPlan>,
    },

    /// A step of a sync failed. Those before it are done; the next sync goes on from there.
    #[error("schema step `{step}` failed: {source}")]
    SchemaStep {
        /// The step.
        step: String,
        /// Why.
        source: Box<Error>,
    },

    /// A name that no tenant can have.
    #[error("`{tenant}` cannot be the name of a tenant: {problem}", tenant = tenant.escape_debug())]
    TenantName {
        /// The name.
        tenant: String,
        /// What is wrong with it.
        problem: String,
    },

    /// There is no such tenant.
    #[error("there is no tenant `{tenant}`: make it with `ensure_tenant`", tenant = tenant.escape_debug())]
    TenantNotFound {
        /// The name asked for.
        tenant: String,
    },

    /// Row level security does not hold for the role of this connection, so a tenant's connection would show all tenants.
    #[error(
        "role `{role}` passes row level security, which keeps the tenants of this schema apart: connect as a role that is neither a superuser nor has BYPASSRLS (`schema().roles()` makes some), or sync the schema when a table's row level security was turned off; for work on the schema alone there is `TenantedStoreBuilder::for_schema_work`"
    )]
    RowSecurityBypassed {
        /// The role.
        role: String,
    },

    /// A row was refused: it is of another tenant than its connection, or of one that was dropped meanwhile.
    #[error(
        "the row is of another tenant than the connection it was sent on, or of one that was dropped: nothing was written"
    )]
    NotTheTenants,

    /// A transaction that was handed to one tenant belongs to another one already, by its setting `rillflow.tenant`.
    #[error("this transaction is not tenant `{tenant}`'s: begin it on `tenant.pool()`", tenant = tenant.escape_debug())]
    NotOfTenant {
        /// The tenant that it was handed to.
        tenant: String,
    },

    /// The tenant holds events or documents, and is dropped by force only.
    #[error("tenant `{tenant}` holds events or documents: nothing was dropped, as `force` was not given", tenant = tenant.escape_debug())]
    TenantNotEmpty {
        /// The tenant.
        tenant: String,
    },

    /// The application's own [`TenantResolver`](crate::TenantResolver) failed.
    #[error("could not find out where tenant `{tenant}` is: {source}", tenant = tenant.escape_debug())]
    TenantResolver {
        /// The tenant, or `all`.
        tenant: String,
        /// The resolver's own error.
        source: BoxError,
    },

    /// No development PostgreSQL could be started.
    #[error("{0}")]
    Development(String),

    /// No connection became free in time.
    #[error(
        "no connection to PostgreSQL became free in time: raise `max_connections`, or look for connections held across long work"
    )]
    PoolTimeout,

    /// PostgreSQL gave up one of several transactions that stood in each other's way. Nothing was written: try again.
    #[error("PostgreSQL gave up this transaction in favour of another: {0}")]
    Contention(sqlx::Error),

    /// PostgreSQL, or the way to it, failed.
    #[error(transparent)]
    Database(sqlx::Error),
}

/// Why a value cannot be stored as `jsonb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadProblem {
    /// PostgreSQL stores no NUL characters.
    #[error("a text in it holds a NUL character (\\u0000), which PostgreSQL does not store")]
    Nul,
    /// Half of a surrogate pair, written by other software.
    #[error("a text in it holds half of a surrogate pair (\\ud800 to \\udfff), which is no character")]
    NotUnicode,
    /// `NaN` or an infinity, which JSON does not have: serde would write null.
    #[error("a number in it is NaN or infinite, which JSON cannot say: use an `Option` for a missing number")]
    NotFinite,
    /// A number beyond [`MAX_EXPONENT`](jsonb::MAX_EXPONENT) or [`MAX_NUMBER_LENGTH`](jsonb::MAX_NUMBER_LENGTH).
    #[error("a number in it has an exponent beyond {max} or more than {length} characters", max = jsonb::MAX_EXPONENT, length = jsonb::MAX_NUMBER_LENGTH)]
    NumberOutOfRange,
    /// More than [`MAX_DEPTH`](jsonb::MAX_DEPTH) levels.
    #[error("its lists and objects lie more than {max} levels deep", max = jsonb::MAX_DEPTH)]
    TooDeep,
    /// More than [`MAX_BYTES`](jsonb::MAX_BYTES).
    #[error("it is {bytes} bytes long, and at most {max} are stored", max = jsonb::MAX_BYTES)]
    TooLarge {
        /// How long it is.
        bytes: usize,
    },
}

fn other_version(name: &str, stored: i32, wanted: i32) -> String {
    let model = format!("the read model of the inline projection `{name}`");
    let build = format!(
        "appends that change it are refused until it is built anew, which a daemon of this program does by itself, or \
         `store.projections().build_inline()`, or `rillflow projections rebuild {name}`"
    );
    if stored == 0 {
        format!("{model} does not hold what was appended before: {build}")
    } else if stored < wanted {
        format!("{model} is of version {stored}, and this program's code of version {wanted}: {build}")
    } else {
        format!(
            "{model} is of version {stored}, and this program's older code of version {wanted} does not write it: replace \
             this program; or, to go back, have it rebuild the model, `rillflow projections rebuild {name}`"
        )
    }
}

impl Error {
    /// A table that has the name of one of ours, and was not made by us.
    pub(crate) fn foreign_table(schema: &str, table: &str) -> Self {
        Self::Schema {
            problem: format!("schema `{schema}` holds a table `{table}` that rillflow did not make"),
            help:
                "keep rillflow in a schema of its own: `Store::builder(url).schema(\"rillflow\")`, `--schema rillflow`"
                    .to_owned(),
        }
    }

    /// True when the same call may succeed when it is simply made again with fresh state.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::VersionConflict { .. }
                | Self::DocVersionConflict { .. }
                | Self::TagConflict { .. }
                | Self::PoolTimeout
                | Self::Contention(_)
        )
    }
}

//! One binary against a real PostgreSQL, through the public API: `cargo test --test integration_postgres`.

mod faults;
mod orders;
mod served;
mod support;

/// Aggregates: load, decide, upcast.
mod aggregates;
/// The samples of the alpha's document.
mod alpha;
/// Expected versions, conflicts, several writers of one stream.
mod append;
/// Natural batching: what callers see of sharing statements.
mod batching;
/// Many documents at once.
mod bulk;
/// Tenants on Citus, where there is one.
mod citus;
/// Servers that are killed, connections that are cut.
mod crash;
/// Decisions and validators in sessions and in the caller's transaction.
mod decisions;
/// The development PostgreSQL and the test databases themselves.
mod dev_postgres;
/// Columns beside the document: hot fields, references, words, metadata.
mod document_columns;
/// Ids that are made for documents.
mod document_ids;
/// Documents by id and version.
mod documents;
/// Queries put together while the program runs, and documents of no declared type.
mod dynamic;
/// Histories that part: checkpoints of readers outside.
mod epochs;
/// Events stored under old names and versions.
mod evolution;
/// What filters can say, each against the same words in Rust.
mod filters;
/// Distinct rows, and groups with what is made of them.
mod grouping;
/// Keys and ids that make an append happen once.
mod idempotency;
/// Who makes a schema: it comes to the same.
mod layouts;
/// Values of maps, as fields.
mod maps;
/// Where the meaning of a query could part from that of the same words in Rust.
mod meaning;
/// Columns and references inside of what a document holds.
mod nested_columns;
/// Spans, metrics, trace context, causality.
mod observe;
/// The global order: what readers see while appends are open.
mod order;
/// Messages that commit with what they tell of.
mod outbox;
/// Pages, endings and soft-deleted documents.
mod pages;
/// Indexes over some of a collection's documents.
mod partial_indexes;
/// Changes to parts of documents.
mod patch;
/// Behind a pooler that keeps no sessions.
mod pooler;
/// Projections: inline, async, leases, failures.
mod projections;
/// Projections from outside: status, pausing, running by hand, dead letters.
mod projections_admin;
/// Queries that wait for their read models.
mod projections_at_least;
/// Projections after a failover or a restore.
mod projections_epochs;
/// Workers killed, stopped, cut off; two daemons; what is asked of the server.
mod projections_faults;
/// Inline projections of a version that is not the stored one's.
mod projections_inline;
/// Documents of other collections that handlers look at.
mod projections_lookups;
/// Read models built anew beside the live one.
mod projections_rebuild;
/// Projections split by stream.
mod projections_shards;
/// Projections that write SQL of their own, and what becomes of events they fail on.
mod projections_sql;
/// Typed queries against real documents.
mod queries;
/// Reading streams and the whole log: directions, bounds, filters, pages.
mod reading;
/// Documents of other collections beside those found.
mod related;
/// Who may do what.
mod roles;
/// Making the schema, twice, at once, elsewhere.
mod schema;
/// What a sync would do, what it does, and what it leaves alone.
mod schema_plan;
/// Units of work: documents and events together, or not at all.
mod sessions;
/// Snapshots: when they are kept, what is loaded from them, compaction.
mod snapshots;
/// Events that are gone, and read as several.
mod split;
/// Results that are read as they arrive.
mod streaming;
/// Streams as a whole: state, archive, deletion, aliases.
mod streams;
/// Subscriptions: delivery, acknowledgement, groups, and what goes wrong meanwhile.
mod subscriptions;
/// Tags: reading by them, and decisions that rest on them.
mod tags;
/// Tenants that never meet.
mod tenancy;
mod tenant_column;
/// Several queries in one statement.
mod together;
/// Everything at once, and every event counted.
mod torture;
/// What would lose events if it were done the obvious way.
mod traps;
/// Databases that an older rillflow made.
mod upgrade;
/// What values documents may hold: each path finds what serde wrote.
mod values;
/// Connections that readers keep warm.
mod warm;

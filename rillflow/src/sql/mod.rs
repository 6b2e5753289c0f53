//! Layer 2, statement text: one file per statement, named here; no I/O.
//!
//! Every text is written for the schema `public` and runs as it stands; [`Texts`] turns it into a store's own.

pub(crate) mod appends;
pub(crate) mod beside;
mod combined;
pub(crate) mod difference;
pub(crate) mod dynamic;
mod filtered;
pub(crate) mod fold;
pub(crate) mod render;
pub(crate) mod roles;
pub(crate) mod session;
pub(crate) mod tenancy;
mod texts;
pub(crate) mod wanted;

pub(crate) use filtered::FilteredWrite;
pub(crate) use texts::{SchemaName, Text, Texts, names_table};

/// Names one file per statement; what several have in common stands before, in a file of its own.
macro_rules! statements {
    ($($name:ident = $($file:literal)+;)*) => { $(pub(crate) const $name: &str = concat!($(include_str!($file)),+);)* };
}

statements! {
    LOCK_SCHEMA = "lock_schema.sql";
    SCHEMA_RELATIONS = "schema_relations.sql";
    APPLIED_MIGRATIONS = "applied_migrations.sql";
    KEEPS_NAMES = "keeps_names.sql";
    BACKEND_PID = "backend_pid.sql";
    HOLDS_TRANSACTION = "holds_transaction.sql";
    EXTENSION_SCHEMAS = "extension_schemas.sql";
    SCHEMA_CATALOG = "schema_catalog.sql";
    SCHEMA_STATE = "schema_state.sql";
    RECORD_SYNC = "record_sync.sql";
    TENANT_SCHEMAS = "tenant_schemas.sql";
    TENANT_SIZE = "tenant_size.sql";
    IS_SYNCED = "is_synced.sql";
    HOLDS_ANY = "holds_any.sql";
    HAS_TENANT_COLUMN = "has_tenant_column.sql";
    TENANT_COLUMN = "tenant_column.sql";
    TENANT_COLUMN_OFF = "tenant_column_off.sql";
    ENTER_TENANT = "enter_tenant.sql";
    JOIN_TENANT = "join_tenant.sql";
    FIND_TENANT = "find_tenant.sql";
    MAKE_TENANT = "make_tenant.sql";
    LIST_TENANTS = "list_tenants.sql";
    CLOSE_TENANT = "close_tenant.sql";
    TENANT_TABLES = "tenant_tables.sql";
    BEGIN_REMOVAL = "begin_removal.sql";
    BURY_STREAMS = "bury_streams.sql";
    REMOVE_TENANT = "remove_tenant.sql";
    ROLE_BYPASSES = "role_bypasses.sql";

    APPEND_BEGIN = "append_begin.sql" "append_one.sql";
    APPEND_NEXT = "append_next.sql" "append_one.sql";
    APPEND_EACH = "append_each.sql";
    APPEND_MANY = "append_many.sql";
    FIND_APPENDED = "find_appended.sql";
    TAGS_WRITTEN = "tags_written.sql";
    TAGS_REQUIRED = "tags_required.sql";
    LOAD_TAGGED = "load_tagged.sql";
    READ_ALL_TAGGED = "read_all_tagged.sql";
    PUBLISH_MESSAGES = "publish_messages.sql";
    PUBLISH = "publish.sql";
    READ_OUTBOX = "read_outbox.sql";
    DELETE_OUTBOX = "delete_outbox.sql";
    LOCK_STREAM = "lock_stream.sql";
    FORGET_KEYS = "forget_keys.sql";
    STREAM_VERSION = "stream_version.sql";
    READ_STREAM = "read_stream.sql";
    READ_ALL = "read_all.sql";
    READ_ALL_TYPES = "read_all_types.sql";
    READ_SHARD = "read_shard.sql";
    READ_STREAM_BACKWARDS = "read_stream_backwards.sql";
    READ_ALL_FILTERED = "read_all_filtered.sql";
    READ_ALL_OF_CATEGORIES = "read_all_of_categories.sql";
    READ_ALL_OF_STREAMS = "read_all_of_streams.sql";
    READ_CORRELATED = "read_correlated.sql";

    STREAM_STATE = "stream_state.sql";
    STREAM_EXISTS = "stream_exists.sql";
    ARCHIVE_STREAM = "archive_stream.sql";
    RESTORE_STREAM = "restore_stream.sql";
    DELETE_STREAM = "delete_stream.sql";
    RESOLVE_ALIAS = "resolve_alias.sql";
    FIND_ALIAS = "find_alias.sql";

    LOAD_AGGREGATE = "load_aggregate.sql";
    LOAD_AGGREGATE_AS_OF = "load_aggregate_as_of.sql";
    PUT_SNAPSHOT = "put_snapshot.sql";
    COMPACTION_METRICS = "compaction_metrics.sql";
    STREAMS_TO_COMPACT = "streams_to_compact.sql";

    SAFE_MARK = "safe_mark.sql";
    BEGIN_EPOCH = "begin_epoch.sql";
    HISTORY = "history.sql";
    PUBLISH_MARK = "publish_mark.sql";

    REGISTER_PROJECTION = "register_projection.sql";
    PROJECTION_STATUS = "projection_status.sql";
    TAKE_LEASE = "take_lease.sql";
    TEND_LEASES = "tend_leases.sql";
    SEIZE_LEASES = "seize_leases.sql";
    SPLIT_PROJECTION = "split_projection.sql";
    LEAVE_WORK = "leave_work.sql";
    GUARD_BATCH = "guard_batch.sql";
    RELEASE_LEASE = "release_lease.sql";
    ENTER_EPOCH = "enter_epoch.sql";
    SAVE_CHECKPOINT = "fence.sql" "save_checkpoint.sql";
    WRITE_BATCH = "fence.sql" "write_batch.sql";
    RESTART_PROJECTION = "restart_projection.sql";
    NOTE_FAILURE = "note_failure.sql";
    PROJECTION_METRICS = "projection_metrics.sql";
    PAUSE_PROJECTION = "pause_projection.sql";
    RESUME_PROJECTION = "resume_projection.sql";
    RESET_CHECKPOINT = "reset_checkpoint.sql";

    REGISTER_INLINE = "register_inline.sql";
    INLINE_VERSIONS = "inline_versions.sql";
    INLINE_MODELS = "inline_models.sql";
    REPLACE_INLINE = "replace_inline.sql";

    BEGIN_REBUILD = "begin_rebuild.sql";
    REBUILD_STATUS = "rebuild_status.sql";
    FIND_REBUILD = "find_rebuild.sql";
    MAKE_BESIDE = "make_beside.sql";
    DROP_BESIDE = "drop_beside.sql";
    LOCK_TIMEOUT = "lock_timeout.sql";
    LOCK_LIVE = "lock_live.sql";
    SWAP_READ_MODEL = "swap_read_model.sql";

    PARKED_KEYS = "parked_keys.sql";
    DEAD_LETTERS = "dead_letters.sql";
    LETTERS_OF_KEY = "letters_of_key.sql";
    LETTER_EVENT = "letter_event.sql";
    NOTE_LETTER = "note_letter.sql";
    DELETE_LETTER = "delete_letter.sql";

    CREATE_SUBSCRIPTION = "create_subscription.sql";
    CREATE_SUBSCRIPTION_GROUP = "create_subscription_group.sql";
    SUBSCRIPTION_GROUP_PARTITIONS = "subscription_group_partitions.sql";
    POSITION_BEFORE = "position_before.sql";
    TEND_MEMBERS = "tend_members.sql";
    ENTER_PARTITION = "enter_partition.sql";
    FOLLOW_PARTITIONS = "follow_partitions.sql";
    ACK_SUBSCRIPTION = "ack_subscription.sql";
    REFUSE = "refuse.sql";
    NACK_SUBSCRIPTION = "nack_subscription.sql";
    RELEASE_PARTITIONS = "release_partitions.sql";
    LEAVE_GROUP = "leave_group.sql";
    READ_SUBSCRIPTION = "read_subscription.sql";
    READ_OUTBOX_PARTITIONS = "read_outbox_partitions.sql";
    READ_OUTBOX_POSITIONS = "read_outbox_positions.sql";
    DELETE_RELAYED = "delete_relayed.sql";
    READ_POSITIONS = "read_positions.sql";
    SET_ASIDE = "set_aside.sql";
    RECOVER_RETRIES = "recover_retries.sql";
    RETRIES_AHEAD = "retries_ahead.sql";
    DUE_RETRIES = "due_retries.sql";
    RETRIES_LEFT = "retries_left.sql";
    STREAMS_SET_ASIDE = "streams_set_aside.sql";
    PROMOTE_RETRIES = "promote_retries.sql";
    DROP_RETRIES = "drop_retries.sql";
    LIST_SUBSCRIPTIONS = "list_subscriptions.sql";
    GROUP_STATUS = "group_status.sql";
    SET_GROUP_STATUS = "set_group_status.sql";
    RESET_GROUP = "reset_group.sql";
    DELETE_SUBSCRIPTION = "delete_subscription.sql";
    SUBSCRIPTION_DEAD_LETTERS = "subscription_dead_letters.sql";
    REQUEUE_DEAD_LETTERS = "requeue_dead_letters.sql";
    DELETE_DEAD_LETTERS = "delete_dead_letters.sql";

    PUT_DOCUMENT = "put_document.sql";
    INSERT_DOCUMENT = "insert_document.sql";
    CREATE_DOCUMENT = "create_document.sql";
    CATCH_UP_SEQUENCE = "catch_up_sequence.sql";
    RESERVE_IDS = "reserve_ids.sql";
    GET_DOCUMENT = "get_document.sql";
    UPDATE_DOCUMENT = "update_document.sql";
    PATCH_DOCUMENT = "patch_document.sql";
    PATCHED_IN_STEPS = "patched_in_steps.sql";
    COPY_DOCUMENTS = "copy_documents.sql";
    STAGE_DOCUMENTS = "stage_documents.sql";
    COPY_STAGED = "copy_staged.sql";
    INSERT_STAGED = "insert_staged.sql";
    PUT_STAGED = "put_staged.sql";
    DELETED_STAGED = "deleted_staged.sql";
    TAKEN_STAGED = "taken_staged.sql";
    GET_STORED = "get_stored.sql";
    GET_DOCUMENTS = "get_documents.sql";
    DOCUMENT_STATE = "document_state.sql";
    DOCUMENT_EXISTS = "document_exists.sql";
    COUNT_DOCUMENTS = "count_documents.sql";
    DELETE_DOCUMENT = "delete_document.sql";
    SOFT_DELETE_DOCUMENT = "soft_delete_document.sql";
    RESTORE_DOCUMENT = "restore_document.sql";
    LOAD_DOCUMENTS = "load_documents.sql";
    LOCK_DOCUMENTS = "lock_documents.sql";
    LOOK_UP_DOCUMENTS = "look_up_documents.sql";
    WRITE_DOCUMENTS = "write_documents.sql";
    SESSION_DOCUMENTS = "session_documents.sql";
    DOCUMENT_VERSIONS = "document_versions.sql";
    EMPTY_COLLECTION = "empty_collection.sql";
}

// what `Store::diagnose` asks
statements! {
    DOCTOR_SERVER = "doctor_server.sql";
    DOCTOR_PRIVILEGES = "doctor_privileges.sql";
    DOCTOR_SEQUENCE = "doctor_sequence.sql";
    DOCTOR_MARK = "doctor_mark.sql";
    DOCTOR_HOLDERS = "doctor_holders.sql";
    DOCTOR_PROJECTIONS = "doctor_projections.sql";
    DOCTOR_INDEXES = "doctor_indexes.sql";
    DOCTOR_BLOAT = "doctor_bloat.sql";
    DOCTOR_HORIZON = "doctor_horizon.sql";
    DOCTOR_TABLE_THERE = "doctor_table_there.sql";
    DOCTOR_PROJECTION_LETTERS = "doctor_projection_letters.sql";
    DOCTOR_SUBSCRIPTION_LETTERS = "doctor_subscription_letters.sql";
}

#[cfg(feature = "cli")]
statements! {
    LIST_COLLECTIONS = "list_collections.sql";
    LIST_INDEXES = "list_indexes.sql";
    SHOW_DOCUMENT = "show_document.sql";
    SOFT_DELETE_NAMED = "soft_delete_named.sql";
    RESTORE_NAMED = "restore_named.sql";
}

/// Version, name, text.
pub(crate) type Migration = (i64, &'static str, &'static str);

/// The migrations in order.
pub(crate) const MIGRATIONS: &[Migration] = &[
    (1, "streams_and_events", include_str!("../../migrations/0001_streams_and_events.sql")),
    (2, "projections", include_str!("../../migrations/0002_projections.sql")),
    (3, "documents", include_str!("../../migrations/0003_documents.sql")),
    (4, "aliases_and_snapshots", include_str!("../../migrations/0004_aliases_and_snapshots.sql")),
    (5, "document_values", include_str!("../../migrations/0005_documents.sql")),
    (6, "tags_and_outbox", include_str!("../../migrations/0006_tags_and_outbox.sql")),
    (7, "projections_runtime", include_str!("../../migrations/0007_projections_runtime.sql")),
    (8, "subscriptions", include_str!("../../migrations/0008_subscriptions.sql")),
    (9, "schema", include_str!("../../migrations/0009_schema.sql")),
    (10, "shards", include_str!("../../migrations/0010_shards.sql")),
    (11, "subscriptions_runtime", include_str!("../../migrations/0011_subscriptions_runtime.sql")),
    (12, "far_dates", include_str!("../../migrations/0012_far_dates.sql")),
];

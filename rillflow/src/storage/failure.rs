//! What PostgreSQL's errors mean: the only reader of SQLSTATEs and constraint names.

use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;

use crate::model::Collection;
use crate::{Error, Result};

/// What a pooler that nobody told of is answered with.
const UNDECLARED: &str = "a pooler in transaction mode is in between: declare it, \
                          `Store::builder(url).pooler(Pooler::transaction().direct_url(..))`";

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::PoolTimedOut => Self::PoolTimeout,
            sqlx::Error::Database(e) => match e.code().as_deref() {
                // undefined_table, undefined_function, undefined_column, invalid_schema_name
                Some("42P01" | "42883" | "42703" | "3F000") => Self::Schema {
                    problem: e.message().to_owned(),
                    help:
                        "the schema is not as this program needs it: call `store.schema().sync(..).await`, and register \
                           each document with `Store::builder(..).document::<T>()`"
                            .to_owned(),
                },
                // serialization_failure, deadlock_detected, lock_not_available
                Some("40001" | "40P01" | "55P03") => Self::Contention(error),
                // invalid_sql_statement_name, duplicate_prepared_statement: another session's, as nobody else could have one
                Some("26000" | "42P05") => Self::Pooler {
                    problem: format!("statements go astray between sessions: {}", e.message()),
                    help: UNDECLARED.to_owned(),
                },
                _ if e.message().starts_with("unsupported startup parameter") => {
                    Self::Pooler { problem: e.message().to_owned(), help: UNDECLARED.to_owned() }
                }
                // invalid_row_count_in_limit_clause, .._in_result_offset_clause, invalid_regular_expression,
                // invalid_escape_sequence
                Some("2201W" | "2201X" | "2201B" | "22025") => Self::InvalidQuery { problem: e.message().to_owned() },
                Some("42501") if e.message().contains("row-level security policy \"rillflow_tenant\"") => {
                    Self::NotTheTenants
                }
                // `enter_tenant` names the role
                Some("RF009") => Self::RowSecurityBypassed { role: e.message().to_owned() },
                Some("RF003") => Self::TagConflict { position: position_in_detail(&**e) },
                Some("23505") if e.constraint() == Some("outbox_messages_message_id_key") => {
                    Self::AlreadyPublished { message_id: taken(&**e, "message_id").unwrap_or_default() }
                }
                _ => Self::Database(error),
            },
            _ => Self::Database(error),
        }
    }
}

/// Which way an append that PostgreSQL refused has been here before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeated {
    /// Its idempotency key was being used at the same time.
    Key,
    /// One of its event ids is taken.
    EventId,
}

/// Whether an append was refused as it has been here before.
pub(crate) fn repeated(error: &Error) -> Option<Repeated> {
    let Error::Database(error) = error else { return None };
    match unique_index(error).as_deref() {
        Some("idempotency_keys_pkey") => Some(Repeated::Key),
        Some("events_event_id_key") => Some(Repeated::EventId),
        _ => None,
    }
}

/// Whether the connection broke, so that nobody knows what became of the statement.
pub(crate) fn broke(error: &Error) -> bool {
    matches!(error, Error::Database(sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed | sqlx::Error::Protocol(_)))
        || matches!(error, Error::Database(sqlx::Error::Database(refused)) if refused.code().is_some_and(|it| ends(&it)))
}

/// Whether it is the connection's fault that it could not be made a tenant's: it broke, or was left in a transaction
/// (invalid_transaction_termination, in_failed_sql_transaction).
pub(crate) fn unfit_connection(error: &Error) -> bool {
    let Error::Database(refused) = error else { return false };
    let code = refused.as_database_error().and_then(DatabaseError::code);
    broke(error) || matches!(code.as_deref(), Some("2D000" | "25P02" | "25P03"))
}

/// The server ended the session: admin_shutdown, crash_shutdown, cannot_connect_now; or a pooler says that it lost the
/// server (class 08, connection exceptions).
fn ends(code: &str) -> bool {
    matches!(code, "57P01" | "57P02" | "57P03") || code.starts_with("08")
}

/// Whether an error says nothing about what was being done: a connection lost, a transaction given up for another's sake,
/// none free. Looks through the errors that the application's code wrapped it in.
pub(crate) fn passing(error: &Error) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = match error {
        Error::Projection { source, .. } => Some(&**source),
        other => Some(other),
    };
    while let Some(error) = next {
        let passes = match (error.downcast_ref::<Error>(), error.downcast_ref::<sqlx::Error>()) {
            (Some(Error::PoolTimeout | Error::Contention(_)), _) => true,
            (Some(Error::Database(theirs)), _) | (None, Some(theirs)) => passes(theirs),
            _ => false,
        };
        if passes {
            return true;
        }
        next = error.source();
    }
    false
}

fn passes(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed | sqlx::Error::Protocol(_) | sqlx::Error::PoolTimedOut => true,
        // serialization_failure, deadlock_detected, lock_not_available; the session was ended
        sqlx::Error::Database(refused) => {
            refused.code().is_some_and(|it| ends(&it) || matches!(&*it, "40001" | "40P01" | "55P03" | "25P03"))
        }
        _ => false,
    }
}

fn unique_index(error: &sqlx::Error) -> Option<String> {
    let violated = error.as_database_error().filter(|e| e.is_unique_violation())?;
    violated.constraint().map(str::to_owned)
}

/// Whether a session was ended as something was not as it expects. (The code is ours: `rillflow_refuse`.)
pub(crate) fn refused(error: &Error) -> bool {
    matches!(error, Error::Database(sqlx::Error::Database(error)) if error.code().as_deref() == Some("RF001"))
}

/// What a refused acknowledgement means. (The codes are ours: `rillflow_ack`.)
pub(super) fn refusal_of_ack(error: sqlx::Error, subscription: &str, position: Option<i64>) -> Error {
    let (name, position) = (subscription.to_owned(), position.unwrap_or_default());
    match error.as_database_error().and_then(|it| it.code()).as_deref() {
        Some("RF003") => Error::SubscriptionLost { name, position },
        Some("RF004") => Error::AlreadyAcked { name, position },
        _ => error.into(),
    }
}

/// Whether a statement that reads on was refused, as another epoch began. (The code is ours: `rillflow_in_epoch`.)
pub(super) fn in_another_epoch(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|it| it.code()).as_deref() == Some("RF005")
}

/// What an error while everything is made anew means.
pub(super) fn of_creation(error: sqlx::Error, schema: &str) -> Error {
    let Some(refused) = error.as_database_error() else { return error.into() };
    match refused.code().as_deref() {
        // duplicate_table: PostgreSQL names what is in the way, between quotes
        Some("42P07") => match refused.message().split('"').nth(1) {
            Some(table) => Error::foreign_table(schema, table),
            None => error.into(),
        },
        // insufficient_privilege
        Some("42501") => Error::Schema {
            problem: format!("this role may not make schema `{schema}`: {}", refused.message()),
            help: "let the owner's role sync it once; see `store.schema().roles()`".to_owned(),
        },
        _ => error.into(),
    }
}

/// What an error means of a transaction that begins to compare.
pub(super) fn of_scratch(error: sqlx::Error) -> Error {
    let Some(refused) = error.as_database_error() else { return error.into() };
    match refused.code().as_deref() {
        // insufficient_privilege, read_only_sql_transaction
        Some("42501" | "25006") => Error::Schema {
            problem: format!(
                "the schema is not as this program left it, and it cannot be compared from here: {}",
                refused.message()
            ),
            help: "sync it with a role that may create schemas in this database, on the primary, from a program that \
                   registers the same documents"
                .to_owned(),
        },
        _ => error.into(),
    }
}

/// Whether a parameter is not of the type it should have: invalid_text_representation, numeric_value_out_of_range, and
/// what no text holds.
#[cfg(feature = "cli")]
pub(super) fn unreadable_parameter(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    matches!(code.as_deref(), Some("22P02" | "22003" | "22007" | "22021"))
}

/// Whether the error speaks of this table.
pub(super) fn names_table(error: &sqlx::Error, table: &str) -> bool {
    let name = table.rsplit('.').next().unwrap_or(table);
    error.as_database_error().and_then(DatabaseError::table) == Some(name)
}

/// What an error of a document statement means for its collection.
pub(super) fn of_collection(error: sqlx::Error, collection: &'static Collection) -> Error {
    let Some(refused) = error.as_database_error() else { return error.into() };
    let collection = collection.name;
    let constraint = || refused.constraint().unwrap_or_default().to_owned();
    match refused.code().as_deref() {
        Some("23505") => match taken(refused, "id") {
            Some(id) => Error::AlreadyExists { collection, id },
            None => Error::UniqueViolation { collection, index: constraint() },
        },
        Some("23503") => Error::ForeignKeyViolation { collection, constraint: constraint() },
        Some(PATCH_REFUSED) => Error::Patch { collection, problem: refused.message().to_owned() },
        // only a patch computes
        Some("22003") if routine(refused) == Some("float_overflow_error") => {
            Error::Patch { collection, problem: refused.message().to_owned() }
        }
        // untranslatable_character, invalid_text_representation, numeric_value_out_of_range, program_limit_exceeded
        // (a key too long for its index, an object too large), statement_too_complex (nesting)
        Some("22P05" | "22P02" | "22003" | "54000" | "54001") => {
            Error::Encode { what: format!("a document of {collection}"), reason: refused.message().to_owned() }
        }
        _ => error.into(),
    }
}

/// Which function of PostgreSQL's said so.
fn routine(refused: &dyn DatabaseError) -> Option<&str> {
    refused.try_downcast_ref::<PgDatabaseError>().and_then(PgDatabaseError::routine)
}

/// The SQLSTATE by which `rillflow_patch` refuses a change.
const PATCH_REFUSED: &str = "RF002";

/// The value in `Key (id)=(42) already exists.`: what was violated is told by its column, whatever it is called.
fn taken(refused: &dyn DatabaseError, column: &str) -> Option<String> {
    let detail = refused.try_downcast_ref::<PgDatabaseError>()?.detail()?;
    let (_, id) = detail.split_once(&format!("({column})=("))?;
    id.rfind(')').map(|end| id[..end].to_owned())
}

/// The position that `rillflow_require` met.
fn position_in_detail(refused: &dyn DatabaseError) -> i64 {
    let detail = refused.try_downcast_ref::<PgDatabaseError>().and_then(PgDatabaseError::detail);
    detail.and_then(|it| it.parse().ok()).unwrap_or_default()
}

/// A stored value that is not of the type its column has in our schema.
pub(super) fn not_ours(what: &str, error: impl std::fmt::Display) -> Error {
    Error::Schema {
        problem: format!("cannot read {what}: {error}"),
        help: "the table is not as rillflow makes it: compare it with `store.schema().sync(..)`".to_owned(),
    }
}

/// Reads a column of text, `json` or `jsonb::text` without copying it.
pub(super) fn text(row: &sqlx::postgres::PgRow, column: usize) -> Result<&str> {
    let value = sqlx::Row::try_get_raw(row, column)?;
    value.as_str().map_err(|e| not_ours("a column of text", e))
}

//! A pooler between a store and its PostgreSQL.

/// A pooler that lends a server for one transaction at a time, such as PgBouncer with `pool_mode = transaction`.
///
/// What a session keeps is not kept behind one. So each statement outside of a transaction gets one of its own, two short
/// trips more, unless the pooler [keeps prepared statements](Self::keeps_prepared_statements); LISTEN and the lock of a
/// schema go to PostgreSQL itself, where [`direct_url`](Self::direct_url) says.
///
/// In SQL of your own, on [`Store::pool`](crate::Store::pool), say `.persistent(false)` and stay in a transaction; begin it
/// by `begin()`, so that a store which joins it sees it.
///
/// ```
/// # use rillflow::{Pooler, Store};
/// let pooler = Pooler::transaction().direct_url("postgres://app@10.0.0.5:5432/app");
/// let builder = Store::builder("postgres://app@10.0.0.5:6432/app").pooler(pooler);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pooler {
    pub(crate) direct_url: Option<String>,
    pub(crate) keeps_prepared_statements: bool,
}

impl Pooler {
    /// One in transaction mode, of which nothing more is known.
    #[must_use]
    pub fn transaction() -> Self {
        Self { direct_url: None, keeps_prepared_statements: false }
    }

    /// Where PostgreSQL itself is, past the pooler. A store opens one connection there when it listens, and one while it
    /// changes the schema. Without it new events are found by polling, five times a second, and a change of the schema is
    /// [`Error::Pooler`](crate::Error::Pooler).
    #[must_use]
    pub fn direct_url(mut self, url: impl Into<String>) -> Self {
        self.direct_url = Some(url.into());
        self
    }

    /// The pooler knows prepared statements by their names and prepares them where they are missing: PgBouncer 1.21 or
    /// later with `max_prepared_statements` above 100. Then a statement is one trip, as without a pooler.
    #[must_use]
    pub fn keeps_prepared_statements(mut self) -> Self {
        self.keeps_prepared_statements = true;
        self
    }
}

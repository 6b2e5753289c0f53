//! Where a store gets its connections from.

use sqlx::PgPool;

/// Where a store gets its connections from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Source {
    /// A PostgreSQL URL: the store opens a pool of its own.
    Url(String),
    /// The application's own pool, with the application's own settings.
    Pool(PgPool),
}

impl From<&str> for Source {
    fn from(url: &str) -> Self {
        Self::Url(url.to_owned())
    }
}

impl From<&String> for Source {
    fn from(url: &String) -> Self {
        Self::Url(url.clone())
    }
}

impl From<String> for Source {
    fn from(url: String) -> Self {
        Self::Url(url)
    }
}

impl From<PgPool> for Source {
    fn from(pool: PgPool) -> Self {
        Self::Pool(pool)
    }
}

impl From<&PgPool> for Source {
    fn from(pool: &PgPool) -> Self {
        Self::Pool(pool.clone())
    }
}

//! A database to develop against, wherever it is.

use std::fmt;

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::{Postgres, url};
use crate::{Error, Result};

/// The name of the database that [`database`] gives.
const DEFAULT_NAME: &str = "rillflow";

/// A database for development: the value keeps its server running, dropping it lets go.
///
/// Its `Display` says in one sentence where it is.
#[derive(Clone, Debug)]
pub struct Database {
    url: String,
    psql: String,
    place: String,
    server: Option<Postgres>,
}

/// The development database `rillflow`: `DATABASE_URL` when it is set, else on the persistent local server.
///
/// ```no_run
/// # async fn example() -> rillflow::Result<()> {
/// let database = rillflow::dev::database().await?;
/// println!("{database}\nlook into it: {}", database.psql());
/// // let store = Store::connect(database.url()).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`Error::Development`] when no server is set and none can be started; its text says what to do.
pub async fn database() -> Result<Database> {
    database_named(DEFAULT_NAME).await
}

/// The development database of this name, made when it is not there yet.
///
/// With `DATABASE_URL` set the name is not used: that URL names its database already.
///
/// # Errors
///
/// As [`database`], and [`Error::Development`] for a name that PostgreSQL cannot hold.
pub async fn database_named(name: &str) -> Result<Database> {
    if let Some(url) = database_url() {
        return Ok(Database::given(url));
    }
    check_name(name)?;
    let server = Postgres::persistent().await?;
    ensure_database(&server.url("postgres"), name).await?;
    Ok(Database::local(server, name))
}

impl Database {
    fn given(url: String) -> Self {
        let place = format!("the database of DATABASE_URL, {}", url::without_login(&url));
        // The variable by name: its value may hold a password, and this line is made to be printed.
        Self { url, psql: r#"psql "$DATABASE_URL""#.to_owned(), place, server: None }
    }

    fn local(server: Postgres, name: &str) -> Self {
        let (version, data) = (server.version(), server.data().display());
        let place =
            format!("the database `{name}` of a local PostgreSQL {version} that rillflow runs; data kept in {data}");
        Self { url: server.url(name), psql: server.psql(name), place, server: Some(server) }
    }

    /// The URL to connect to.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The command line to look into it with psql, from a shell of the same user.
    #[must_use]
    pub fn psql(&self) -> String {
        self.psql.clone()
    }

    /// Where it is, in one sentence.
    #[must_use]
    pub fn where_it_is(&self) -> String {
        self.place.clone()
    }

    /// The local server behind it; `None` with `DATABASE_URL`.
    #[must_use]
    pub fn server(&self) -> Option<&Postgres> {
        self.server.as_ref()
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

/// `DATABASE_URL`; an empty one counts as not set.
pub(crate) fn database_url() -> Option<String> {
    std::env::var("DATABASE_URL").ok().filter(|url| !url.trim().is_empty())
}

/// Makes the database unless it is there.
async fn ensure_database(admin_url: &str, name: &str) -> Result<()> {
    let mut conn = PgConnection::connect(admin_url)
        .await
        .map_err(|e| Error::Development(format!("the development PostgreSQL does not answer: {e}")))?;
    if !exists(&mut conn, name).await? {
        let made = sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {}", ident(name)))).execute(&mut conn).await;
        // Another process may have been faster.
        if let Err(error) = made
            && !exists(&mut conn, name).await?
        {
            return Err(Error::Database(error));
        }
    }
    conn.close().await.map_err(Error::Database)
}

/// True when the server has a database of this name.
async fn exists(conn: &mut PgConnection, name: &str) -> Result<bool> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(name)
        .fetch_one(conn)
        .await
        .map_err(Error::Database)
}

/// A quoted identifier.
fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// PostgreSQL cuts a longer name off silently, and two names would be one database.
fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || name.len() > 63 || name.contains('\0') {
        return Err(Error::Development(format!("`{name}` cannot name a database: 1 to 63 bytes, no NUL")));
    }
    Ok(())
}

//! A fresh database that is dropped with its value.

use sqlx::Connection;

use super::keeper::{self, Keeper};
use super::server::{self, Server};
use super::template;
use crate::dev::url;
use crate::{Error, Result};

/// A database of its own for one test, dropped when the value is.
///
/// Dropping ends every connection to it and every transaction prepared in it. That happens in the background, except on
/// the server of `DATABASE_URL`, where the drop waits for it, since nobody else would clean up. Databases of a test
/// process that was killed are dropped by the next one.
///
/// ```no_run
/// # async fn example() -> rillflow::Result<()> {
/// use rillflow::testing::TestDatabase;
///
/// let database = TestDatabase::create().await?;
/// // let store = Store::connect(database.url()).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TestDatabase {
    name: String,
    url: String,
    keeper: Keeper,
    dropped: bool,
    server: Server,
}

impl TestDatabase {
    /// An empty database.
    ///
    /// # Errors
    ///
    /// [`Error::Development`] when no server can be had, [`Error::Database`] when it makes no database.
    pub async fn create() -> Result<Self> {
        Self::on(Server::of_this_run().await?, None).await
    }

    /// A copy of a template that `prepare` fills once for all tests and processes.
    ///
    /// `key` stands for everything that `prepare` does, such as the text of all migrations: another key is another
    /// template. `prepare` is given the URL of the empty template and must close its connections before it returns;
    /// those still open a moment later are cut. If it fails the template is dropped, and the next caller tries again.
    ///
    /// ```no_run
    /// # async fn example() -> rillflow::Result<()> {
    /// use rillflow::testing::TestDatabase;
    ///
    /// const MIGRATION: &str = "CREATE TABLE orders (id uuid PRIMARY KEY)";
    /// let database = TestDatabase::from_template(MIGRATION, async |url: &str| {
    ///     use sqlx::Connection;
    ///     let mut conn = sqlx::PgConnection::connect(url).await.map_err(rillflow::Error::Database)?;
    ///     sqlx::raw_sql(MIGRATION).execute(&mut conn).await.map_err(rillflow::Error::Database)?;
    ///     conn.close().await.map_err(rillflow::Error::Database)
    /// })
    /// .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create), and what `prepare` returns.
    pub async fn from_template(key: &str, prepare: impl AsyncFnOnce(&str) -> Result<()>) -> Result<Self> {
        let server = Server::of_this_run().await?;
        let template = template::ready(&server.admin_url(), key, prepare).await?;
        Self::on(server, Some(&template)).await
    }

    pub(super) async fn on(server: Server, template: Option<&str>) -> Result<Self> {
        let admin_url = server.admin_url();
        let keeper = keeper::of(&server)?;
        let name = keeper.name();
        // `template0` is the one that nobody can be connected to.
        let create = format!("CREATE DATABASE {name} TEMPLATE {}", template.unwrap_or("template0"));
        let mut conn = server::connect(&admin_url).await?;
        let database = Self { url: url::with_database(&admin_url, &name), name, keeper, dropped: false, server };
        // Made before its database is, so that a cancelled caller leaves none.
        template::while_in_use(&mut conn, &create).await?;
        conn.close().await.map_err(Error::Database)?;
        Ok(database)
    }

    /// The URL to connect to.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The database's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Drops the database now and waits for it, as `Drop` cannot.
    ///
    /// # Errors
    ///
    /// [`Error::Development`] when the server cannot be reached, [`Error::Database`] when it refuses.
    pub async fn close(mut self) -> Result<()> {
        let mut conn = server::connect(&self.server.admin_url()).await?;
        keeper::drop_database(&mut conn, &self.url, &self.name).await?;
        self.dropped = true;
        conn.close().await.map_err(Error::Database)
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if !self.dropped {
            self.keeper.drop_database(&self.name, self.server.stays());
        }
    }
}

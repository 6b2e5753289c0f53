//! Where it is measured: a durable PostgreSQL of its own, or the one of `DATABASE_URL`.

use std::path::Path;

use rillflow_tests::private_server::PrivateServer;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::processor::parent_of;
use crate::{Failure, Result};

const SETTINGS: [&str; 4] =
    ["max_connections=600", "shared_buffers=512MB", "max_wal_size=4GB", "shared_preload_libraries=pg_stat_statements"];

pub(crate) struct Server {
    running: PrivateServer,
    admin: String,
    counts: bool,
    /// Its first process, whose children do the work.
    pub(crate) postmaster: Option<u32>,
    pub(crate) version: String,
}

impl Server {
    pub(crate) async fn start() -> Result<Self> {
        let running = match PrivateServer::start(&SETTINGS).await {
            Ok(server) => server,
            // an installation without the extension
            Err(error) => {
                eprintln!("statements are not counted: {error}");
                PrivateServer::start(&SETTINGS[..3]).await.map_err(|e| e.to_string())?
            }
        };
        let running = running.ok_or("the benchmarks need PostgreSQL's programs on this machine")?;
        let admin = running.url("postgres");
        let mut conn = PgConnection::connect(&admin).await?;
        let counts = sqlx::raw_sql("CREATE EXTENSION pg_stat_statements").execute(&mut conn).await.is_ok();
        let version: String = sqlx::query_scalar("SHOW server_version").fetch_one(&mut conn).await?;
        let backend: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut conn).await?;
        let postmaster = parent_of(Path::new(&format!("/proc/{backend}")));
        let server = Self { running, admin, counts, postmaster, version: format!("PostgreSQL {version}") };
        if counts {
            // counted in a pass of its own, so that counting is not measured
            server.track("none").await?;
        }
        Ok(server)
    }

    /// The URL of a database, and whether it was made just now.
    pub(crate) async fn database(&self, name: &str) -> Result<(String, bool)> {
        let mut conn = PgConnection::connect(&self.admin).await?;
        let there = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)";
        if sqlx::query_scalar(there).bind(name).fetch_one(&mut conn).await? {
            return Ok((self.running.url(name), false));
        }
        let url = self.running.create_database(name).await.map_err(|e| Failure::from(e.to_string()))?;
        Ok((url, true))
    }

    /// The folder of its socket, which tokio-postgres takes as a host.
    pub(crate) fn host(&self) -> String {
        let query = self.admin.split_once("host=").map_or("", |(_, rest)| rest);
        query.split('&').next().unwrap_or_default().to_owned()
    }

    /// Begins to count the statements of all databases; `false` when this server cannot.
    pub(crate) async fn count_from_now(&self) -> Result<bool> {
        if self.counts {
            self.admin("SELECT pg_stat_statements_reset()").await?;
            self.track("top").await?;
        }
        Ok(self.counts)
    }

    /// Ends the count: the statements of one database since it began, without those of tasks in the background.
    pub(crate) async fn counted(&self, database: &str) -> Result<i64> {
        let mut conn = PgConnection::connect(&self.admin).await?;
        let calls = "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid \
                     WHERE d.datname = $1 AND query !~ 'rillflow_safe_mark|event_marks|LISTEN|projections'";
        let calls = sqlx::query_scalar(calls).bind(database).fetch_one(&mut conn).await?;
        self.track("none").await?;
        Ok(calls)
    }

    async fn track(&self, what: &str) -> Result<()> {
        self.admin(&format!("ALTER SYSTEM SET pg_stat_statements.track = '{what}'")).await?;
        self.admin("SELECT pg_reload_conf()").await?;
        // backends look at it between two statements; there is no sign to wait for
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        Ok(())
    }

    pub(crate) async fn admin(&self, statement: &str) -> Result<()> {
        let mut conn = PgConnection::connect(&self.admin).await?;
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut conn).await?;
        Ok(())
    }
}

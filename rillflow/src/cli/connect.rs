//! From flags to a store.

use std::io::{IsTerminal, Write};
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool};

use super::app::{App, Opening};
use super::args::Global;
use super::failure::Failure;
use super::out::Out;
use crate::{Store, StoreBuilder, TenancyMode, TenantedStore};

/// How many connections a command opens at most.
const CONNECTIONS: u32 = 5;

/// One command line at work.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) app: App,
    pub(super) global: Global,
    pub(super) out: Out,
}

impl Session {
    pub(super) fn new(app: App, global: Global) -> Self {
        let out = Out::new(global.json);
        Self { app, global, out }
    }

    /// Opens the store that the command works on.
    pub(super) async fn store(&self) -> Result<Store, Failure> {
        if let Some(tenant) = &self.global.tenant {
            return Ok(self.tenants().await?.tenant(tenant).await?.store().clone());
        }
        match &self.app.opening {
            Opening::Open(store) => self.already_open(store),
            Opening::Configured(configure) => {
                let builder = configure(self.connect().await?);
                Ok(self.in_schema(builder).build().await?)
            }
        }
    }

    /// Opens the store whose tenants the command works on: those that share the tables of its schema, or those that have
    /// one each.
    pub(super) async fn tenants(&self) -> Result<TenantedStore, Failure> {
        self.tenants_by(None).await
    }

    /// Opens the store whose tenants share tables, or will.
    pub(super) async fn tenants_sharing_tables(&self) -> Result<TenantedStore, Failure> {
        self.tenants_by(Some(TenancyMode::TenantColumn)).await
    }

    async fn tenants_by(&self, mode: Option<TenancyMode>) -> Result<TenantedStore, Failure> {
        match &self.app.opening {
            Opening::Open(_) => Err(Failure::usage(
                "this program has opened its store already, and that has no tenants",
                "mount `rillflow::cli::App::new(..)` instead",
            )),
            Opening::Configured(configure) => {
                if let Some(mode @ TenancyMode::DatabasePerTenant(_)) = &self.app.tenancy {
                    let builder = self.in_schema(configure(Store::builder(nowhere())));
                    return Ok(builder.tenants(mode.clone()).for_schema_work().build().await?);
                }
                let builder = self.in_schema(configure(self.connect().await?));
                let mode = match mode.or_else(|| self.app.tenancy.clone()) {
                    Some(mode) => mode,
                    None if builder.clone().build().await?.shares_tables().await? => TenancyMode::TenantColumn,
                    None => TenancyMode::SchemaPerTenant,
                };
                Ok(builder.tenants(mode).for_schema_work().build().await?)
            }
        }
    }

    /// A store that asks no database, for what comes from the derives alone.
    pub(super) async fn offline_store(&self) -> Result<Store, Failure> {
        if self.global.tenant.is_some() {
            return Err(Failure::usage(
                "a tenant cannot be looked up without a database",
                "give its schema by --schema; `rillflow tenants status` names it",
            ));
        }
        match &self.app.opening {
            Opening::Open(store) => self.already_open(store),
            Opening::Configured(configure) => Ok(self.in_schema(configure(Store::builder(nowhere()))).build().await?),
        }
    }

    fn in_schema(&self, builder: StoreBuilder) -> StoreBuilder {
        match &self.global.schema {
            Some(schema) => builder.schema(schema),
            None => builder,
        }
    }

    fn already_open(&self, store: &Store) -> Result<Store, Failure> {
        if self.global.schema.is_none() {
            return Ok(store.clone());
        }
        Err(Failure::usage("this program has opened its store already, in a schema of its own", "leave --schema away"))
    }

    /// A builder on a pool of the command's own, of which one connection was seen working: a pool says only that
    /// nobody answered in time, a connection says why.
    async fn connect(&self) -> Result<StoreBuilder, Failure> {
        let options = self.options()?;
        self.reach(&options).await?;
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(self.timeout());
        Ok(Store::builder(pool.connect_lazy_with(options)))
    }

    /// The URL of the server that `--database-url` names, once it was seen answering.
    #[cfg(feature = "testing")]
    pub(super) async fn server(&self) -> Result<&str, Failure> {
        self.reach(&self.options()?).await?;
        Ok(self.global.database_url.as_deref().unwrap_or_default())
    }

    fn timeout(&self) -> Duration {
        Duration::from_secs(self.global.connect_timeout.max(1))
    }

    async fn reach(&self, options: &PgConnectOptions) -> Result<(), Failure> {
        let timeout = self.timeout();
        let connecting = tokio::time::timeout(timeout, PgConnection::connect_with(options));
        let Ok(connected) = connecting.await else {
            return Err(Failure::failed(
                format!("{}:{} did not answer within {timeout:?}", options.get_host(), options.get_port()),
                "is it the right host? --connect-timeout waits longer",
            ));
        };
        Ok(connected?.close().await?)
    }

    fn options(&self) -> Result<PgConnectOptions, Failure> {
        let url = self.global.database_url.as_deref().filter(|url| !url.is_empty()).ok_or_else(|| {
            Failure::usage("no database was named", "give --database-url, or set the environment variable DATABASE_URL")
        })?;
        let unreadable = |why: &str| {
            Failure::usage(format!("the database URL cannot be read: {why}"), "postgres://user:password@host/name")
        };
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(unreadable("it does not begin with postgres://"));
        }
        let options = PgConnectOptions::from_str(url).map_err(|error| unreadable(&error.to_string()))?;
        Ok(match options.get_application_name() {
            Some(_) => options,
            None => options.application_name("rillflow"),
        })
    }

    /// Asks before something that cannot be undone. Who is not there to answer must have said `--yes`.
    pub(super) fn confirm(&mut self, question: &str) -> Result<(), Failure> {
        if self.global.yes {
            return Ok(());
        }
        if !std::io::stdin().is_terminal() {
            return Err(Failure::usage(format!("{question} Nobody is there to answer"), "say --yes"));
        }
        let mut stderr = anstream::stderr();
        write!(stderr, "{question} [y/N] ")?;
        stderr.flush()?;
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        match answer.trim() {
            "y" | "Y" | "yes" => Ok(()),
            _ => Err(Failure::failed("nothing was done", "answer y, or say --yes")),
        }
    }
}

/// A pool of no database: for what asks none.
fn nowhere() -> PgPool {
    PgPoolOptions::new().connect_lazy_with(PgConnectOptions::new_without_pgpass())
}

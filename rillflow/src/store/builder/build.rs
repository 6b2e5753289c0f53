//! What the settings of a store become: checked, connected, opened.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgPool};

use super::{Source, StoreBuilder};
use crate::model::Registered;
use crate::runtime::Core;
use crate::runtime::connections::Connections;
use crate::runtime::lanes::Lanes;
use crate::runtime::sessions::Sessions;
use crate::sql::{SchemaName, Texts};
use crate::storage::doctor;
use crate::store::Store;
use crate::{Error, Result};

/// A connection that rested longer may have been cut meanwhile.
const RESTED: Duration = Duration::from_secs(1);

impl StoreBuilder {
    /// Connects.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] when the URL is wrong or nobody answers there, [`Error::PoolTimeout`] when nobody answers in
    /// time, [`Error::Schema`] for a schema name that cannot be, or for two projections or collections of one name.
    pub async fn build(self) -> Result<Store> {
        let schema = self.checked()?;
        let pool = self.connect().await?;
        self.check_pooler(&pool).await?;
        Ok(self.open(pool, schema))
    }

    /// The schema, when the settings can be.
    pub(in crate::store) fn checked(&self) -> Result<SchemaName> {
        refuse_twins("projection", self.projections.iter().map(|it| &*it.name))?;
        refuse_twins("collection", self.collections.iter().map(|it| it.name))?;
        self.sessions()?;
        self.projections.iter().try_for_each(refuse_own_lookup)?;
        self.schema_name()
    }

    pub(in crate::store) fn has_pooler(&self) -> bool {
        self.pooler.is_some()
    }

    /// The texts of a schema, sent as the pooler needs it.
    pub(in crate::store) fn texts(&self, schema: SchemaName) -> Texts {
        Texts::new(schema).pooled(self.pooler.as_ref().is_some_and(|it| !it.keeps_prepared_statements))
    }

    /// Where sessions are had. Of several databases behind a pooler each has its own, at the same place.
    fn sessions(&self) -> Result<Sessions> {
        let Some(pooler) = &self.pooler else { return Ok(Sessions::Pool) };
        let Some(direct) = &pooler.direct_url else { return Ok(Sessions::Nowhere) };
        let options = PgConnectOptions::from_str(direct)?;
        let database = match &self.source {
            Source::Url(url) => PgConnectOptions::from_str(url)?.get_database().map(str::to_owned),
            Source::Pool(_) => None,
        };
        Ok(Sessions::Direct(Box::new(match database {
            Some(database) if self.one_of_many => options.database(&database),
            _ => options,
        })))
    }

    /// Whether a pooler is as it is declared: statements that go astray could run in silence as others.
    pub(in crate::store) async fn check_pooler(&self, pool: &PgPool) -> Result<()> {
        if !self.pooler.as_ref().is_some_and(|it| it.keeps_prepared_statements) {
            return Ok(());
        }
        let mut conn = pool.acquire().await?;
        if !doctor::keeps_names(&mut conn).await? {
            return Ok(());
        }
        Err(Error::Pooler {
            problem: "the pooler hands prepared statements on under the names they are given, so it does not keep them"
                .to_owned(),
            help: "PgBouncer keeps them from 1.21 on with `max_prepared_statements = 200`; for others leave \
                   `.keeps_prepared_statements()` away"
                .to_owned(),
        })
    }

    /// The same settings on another source.
    pub(in crate::store) fn on(mut self, source: impl Into<Source>) -> Self {
        self.source = source.into();
        self.one_of_many = true;
        self
    }

    pub(in crate::store) async fn connect(&self) -> Result<PgPool> {
        match &self.source {
            Source::Pool(pool) => Ok(pool.clone()),
            Source::Url(url) => {
                let options = pool_options(self.max_connections).acquire_timeout(self.connect_timeout);
                let to = PgConnectOptions::from_str(url)?;
                // poolers refuse start-up parameters that they don't know
                let to = if self.pooler.is_some() { to.extra_float_digits(None) } else { to };
                Ok(options.connect_with(to).await?)
            }
        }
    }

    /// A store in a schema, on connections that are there.
    pub(in crate::store) fn open(self, pool: PgPool, schema: SchemaName) -> Store {
        let texts = self.texts(schema);
        let pooled = texts.is_pooled();
        self.open_on(Connections::of(pool).pooled(pooled), Arc::new(texts))
    }

    /// A store with these texts, on these connections.
    pub(in crate::store) fn open_on(self, connections: Connections, texts: Arc<Texts>) -> Store {
        let lanes = Lanes::new(if self.batch_appends { lanes(&connections) } else { 0 });
        // `checked` has seen that it can be read
        let sessions = self.sessions().unwrap_or(Sessions::Nowhere);
        let core = Core::on(connections, texts, self.projections);
        let core = Core { sessions, lanes, snapshots: self.snapshots, observer: self.observer, ..core };
        Store { core: Arc::new(core), collections: self.collections.into() }
    }
}

/// A pool whose connections are checked only when they rested: a round trip before each use would double the cost of a
/// short one.
fn pool_options(max_connections: u32) -> PgPoolOptions {
    let options = PgPoolOptions::new().max_connections(max_connections).test_before_acquire(false);
    options.before_acquire(|conn, meta| {
        Box::pin(async move {
            if meta.idle_for > RESTED {
                conn.ping().await?;
            }
            Ok(true)
        })
    })
}

/// How many lanes appends may have: half of the pool stays for everything else.
fn lanes(connections: &Connections) -> usize {
    (connections.most() / 2).min(2) as usize
}

pub(super) fn refuse_twins<'n>(what: &str, names: impl Iterator<Item = &'n str>) -> Result<()> {
    let mut seen = std::collections::HashSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(Error::Schema {
                problem: format!("two {what}s are called `{name}`"),
                help: "give each a name of its own, and register it once".to_owned(),
            });
        }
    }
    Ok(())
}

/// Within a batch a document is folded in memory: what is stored of it is older than what the handler would look for.
fn refuse_own_lookup(registered: &Registered) -> Result<()> {
    let Some(projection) = registered.documents() else { return Ok(()) };
    let own = projection.collection();
    if projection.looks_up().iter().any(|looked_at| looked_at.table == own.table) {
        return Err(Error::Schema {
            problem: format!(
                "the projection `{}` looks up documents of `{}`, which it keeps itself",
                registered.name, own.name
            ),
            help: "name the document with a `#[key]` function, which may return several ids".to_owned(),
        });
    }
    Ok(())
}

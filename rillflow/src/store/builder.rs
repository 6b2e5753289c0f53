//! Making a store.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgPool};
use uuid::Uuid;

use super::{SchemaTexts, Store, TenantedStoreBuilder};
use crate::model::{
    Aggregate, Collection, Document, DocumentProjection, Json, Lifecycle, Pooler, ProjectionHandler, Registered,
    Snapshots, SqlProjection, TenancyMode,
};
use crate::observe::{Observer, TraceContext, TraceSink};
use crate::runtime::Core;
use crate::runtime::connections::Connections;
use crate::runtime::lanes::Lanes;
use crate::runtime::sessions::Sessions;
use crate::runtime::snapshots::SnapshotPolicies;
use crate::sql::{SchemaName, Texts};
use crate::storage::doctor;
use crate::{Error, Result};

/// A connection that rested longer may have been cut meanwhile.
const RESTED: Duration = Duration::from_secs(1);

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

/// The settings of a store to be.
#[derive(Clone, Debug)]
#[must_use = "nothing happens before `build().await`"]
pub struct StoreBuilder {
    source: Source,
    /// Whether this is the database of one tenant among others.
    one_of_many: bool,
    max_connections: u32,
    connect_timeout: Duration,
    batch_appends: bool,
    schema: Result<SchemaName, String>,
    pooler: Option<Pooler>,
    collections: Vec<&'static Collection>,
    projections: Vec<Registered>,
    snapshots: SnapshotPolicies,
    observer: Observer,
}

impl StoreBuilder {
    pub(super) fn new(source: Source) -> Self {
        Self {
            source,
            one_of_many: false,
            max_connections: 10,
            connect_timeout: Duration::from_secs(30),
            batch_appends: true,
            schema: Ok(SchemaName::default()),
            pooler: None,
            collections: Vec::new(),
            projections: Vec::new(),
            snapshots: Default::default(),
            observer: Default::default(),
        }
    }

    /// How many connections the store opens at most; 10 by default. A pool of the application's own keeps its setting.
    pub fn max_connections(mut self, max: u32) -> Self {
        self.max_connections = max;
        self
    }

    /// How long a call waits for a connection, free or new; 30 seconds by default.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Whether appends that arrive while others are under way go together in one statement; true by default.
    ///
    /// Up to two connections, and never more than half of the pool, are kept for it while appends arrive. Appends in a
    /// transaction of the application, or with inline projections, are never put together.
    pub fn batch_appends(mut self, batch: bool) -> Self {
        self.batch_appends = batch;
        self
    }

    /// The schema that holds everything; `public` by default. Names are kept as they are written.
    pub fn schema(mut self, name: &str) -> Self {
        self.schema = SchemaName::new(name).map_err(|_| name.to_owned());
        self
    }

    /// Says that the store's connections lead to a pooler that lends a server for one transaction at a time.
    pub fn pooler(mut self, pooler: Pooler) -> Self {
        self.pooler = Some(pooler);
        self
    }

    /// Makes a document's collection known to [`Schema::sync`](super::Schema::sync).
    pub fn document<D: Document>(mut self) -> Self {
        self.add_collection(D::COLLECTION);
        self
    }

    /// Makes a projection, the collection that it keeps, and those that it looks at, known to the store.
    pub fn projection<P: DocumentProjection>(mut self, lifecycle: Lifecycle) -> Self {
        self.add_collection(P::Document::COLLECTION);
        let registered = Registered::new::<P>(lifecycle);
        for looked_at in registered.documents().into_iter().flat_map(|it| it.looks_up()) {
            self.add_collection(looked_at);
        }
        self.projections.push(registered);
        self
    }

    /// Keeps the state of an aggregate as a document: its `Document` derive says where. The document's id is the stream's.
    ///
    /// The projection is called as the aggregate's streams. It reads the aggregate's events wherever they are.
    ///
    /// ```
    /// # use rillflow::{Aggregate, Document, Event, Lifecycle, Store, handlers};
    /// # use serde::{Deserialize, Serialize};
    /// # use uuid::Uuid;
    /// # #[derive(Serialize, Deserialize)]
    /// # pub struct Renamed { pub name: String }
    /// # #[derive(Event)]
    /// # pub enum ShopEvent { Renamed(Renamed) }
    /// #[derive(Default, Serialize, Deserialize, Aggregate, Document)]
    /// #[aggregate(events = ShopEvent)]
    /// pub struct Shop {
    ///     #[document(id)]
    ///     id: Uuid,
    ///     name: String,
    /// }
    ///
    /// #[handlers]
    /// impl Shop {
    ///     fn on_renamed(&mut self, e: &Renamed) {
    ///         self.name = e.name.clone();
    ///     }
    /// }
    ///
    /// let builder = Store::builder("postgres://localhost/app").aggregate_document::<Shop>(Lifecycle::Async);
    /// ```
    pub fn aggregate_document<A: Aggregate + Document>(mut self, lifecycle: Lifecycle) -> Self
    where
        A::Id: From<Uuid>,
    {
        self.add_collection(A::COLLECTION);
        self.projections.push(Registered::aggregate::<A>(lifecycle));
        self
    }

    /// Makes an SQL projection known to the store: `#[projection]` with async handlers. It runs behind the appends.
    pub fn sql_projection<P: SqlProjection>(mut self) -> Self {
        self.projections.push(Registered::sql::<P>());
        self
    }

    /// Makes a handler of events by their stored names known to the store, as the projection `name`. It runs behind the
    /// appends.
    pub fn projection_handler(mut self, name: &str, handler: impl ProjectionHandler) -> Self {
        self.projections.push(Registered::handler(name, handler));
        self
    }

    /// Keeps a snapshot of an aggregate at every crossing of `events` events; 0 turns off what its
    /// `#[aggregate(snapshot_every = ..)]` says.
    pub fn snapshot_every<A: Aggregate + Serialize + DeserializeOwned>(mut self, events: u32) -> Self {
        self.snapshots.set(Snapshots::<A>::every::<Json>(events));
        self
    }

    /// How to find the trace context of a caller: it goes into the headers of the events that are appended, and links
    /// the spans of projections to the appends. Headers that have a `traceparent` already keep it.
    pub fn trace_context(mut self, context: impl TraceContext) -> Self {
        self.observer.context = Some(Arc::new(context));
        self
    }

    /// Records appends, and projections of their events, of whatever has a correlation id: for development.
    pub fn trace_sink(mut self, sink: TraceSink) -> Self {
        self.observer.sink = Some(sink);
        self
    }

    /// The schema of this program as text, from the derives alone: nothing connects.
    ///
    /// ```
    /// # use rillflow::{Document, Store};
    /// # #[derive(serde::Serialize, serde::Deserialize, Document)]
    /// # struct Note { #[document(id)] id: i64, #[document(index)] title: String }
    /// let texts = Store::builder("postgres://nobody/is/asked").document::<Note>().schema_texts()?;
    /// assert!(texts.dump().contains("CREATE TABLE public.events"));
    /// assert!(texts.patch().contains("docs_notes_title_idx"));
    /// # Ok::<(), rillflow::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Schema`] for a schema name that cannot be, or for two collections of one name.
    pub fn schema_texts(&self) -> Result<SchemaTexts> {
        refuse_twins("collection", self.collections.iter().map(|it| it.name))?;
        Ok(SchemaTexts::new(self.schema_name()?, self.collections.clone().into()))
    }

    fn schema_name(&self) -> Result<SchemaName> {
        match &self.schema {
            Ok(schema) => Ok(schema.clone()),
            Err(name) => SchemaName::new(name),
        }
    }

    fn add_collection(&mut self, collection: &'static Collection) {
        // the same constant may have several addresses
        let same = |it: &&Collection| it.table == collection.table && it.type_name == collection.type_name;
        if !self.collections.iter().any(same) {
            self.collections.push(collection);
        }
    }

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

    /// A store for many tenants with these settings; each tenant has its own documents, events and projections.
    ///
    /// ```no_run
    /// # async fn example(url: &str) -> rillflow::Result<()> {
    /// use rillflow::{Store, TenancyMode};
    ///
    /// let store = Store::builder(url).tenants(TenancyMode::SchemaPerTenant).build().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn tenants(self, mode: TenancyMode) -> TenantedStoreBuilder {
        TenantedStoreBuilder::new(self, mode)
    }

    /// The schema, when the settings can be.
    pub(super) fn checked(&self) -> Result<SchemaName> {
        refuse_twins("projection", self.projections.iter().map(|it| &*it.name))?;
        refuse_twins("collection", self.collections.iter().map(|it| it.name))?;
        self.sessions()?;
        self.projections.iter().try_for_each(refuse_own_lookup)?;
        self.schema_name()
    }

    pub(super) fn has_pooler(&self) -> bool {
        self.pooler.is_some()
    }

    /// The texts of a schema, sent as the pooler needs it.
    pub(super) fn texts(&self, schema: SchemaName) -> Texts {
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
    pub(super) async fn check_pooler(&self, pool: &PgPool) -> Result<()> {
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
    pub(super) fn on(mut self, source: impl Into<Source>) -> Self {
        self.source = source.into();
        self.one_of_many = true;
        self
    }

    pub(super) async fn connect(&self) -> Result<PgPool> {
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
    pub(super) fn open(self, pool: PgPool, schema: SchemaName) -> Store {
        let texts = self.texts(schema);
        let pooled = texts.is_pooled();
        self.open_on(Connections::of(pool).pooled(pooled), Arc::new(texts))
    }

    /// A store with these texts, on these connections.
    pub(super) fn open_on(self, connections: Connections, texts: Arc<Texts>) -> Store {
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

fn refuse_twins<'n>(what: &str, names: impl Iterator<Item = &'n str>) -> Result<()> {
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

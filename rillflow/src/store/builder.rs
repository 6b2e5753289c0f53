//! Making a store: its settings.

mod build;
mod source;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use self::build::refuse_twins;
pub use self::source::Source;
use super::{SchemaTexts, TenantedStoreBuilder};
use crate::Result;
use crate::model::{
    Aggregate, Collection, Document, DocumentProjection, Json, Lifecycle, Pooler, ProjectionHandler, Registered,
    Snapshots, SqlProjection, TenancyMode,
};
use crate::observe::{Observer, TraceContext, TraceSink};
use crate::runtime::snapshots::SnapshotPolicies;
use crate::sql::SchemaName;

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
    /// The projection is called as the aggregate's streams. It reads the aggregate's events wherever they are. Its version is
    /// the aggregate's `snapshot_version`: with a new one the documents are built anew. Behind the appends it can be split:
    /// `#[aggregate(.., shards = 4)]` says how it begins, [`split`](crate::store::Projections::split) changes that.
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
    /// [`Error::Schema`](crate::Error::Schema) for a schema name that cannot be, or for two collections of one name.
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
}

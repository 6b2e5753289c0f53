//! What the command line knows of an application.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{
    Aggregate, AggregateRepository, Compaction, Result, Snapshotter, SnapshotterConfig, Store, StoreBuilder,
    TenancyMode,
};

/// An application, as the command line sees it: its documents, projections and aggregates.
#[derive(Debug)]
pub struct App {
    pub(super) opening: Opening,
    pub(super) aggregates: Vec<AnyAggregate>,
    pub(super) tenancy: Option<TenancyMode>,
}

/// How the command line gets its store.
pub(super) enum Opening {
    Configured(Box<dyn Fn(StoreBuilder) -> StoreBuilder + Send + Sync>),
    Open(Store),
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Configured(_) => "Configured",
            Self::Open(_) => "Open",
        })
    }
}

impl App {
    /// No types: what the stock binary does.
    #[must_use]
    pub fn stock() -> Self {
        Self::new(|store| store)
    }

    /// An application whose store `configure` describes: documents, projections, settings. Where the database is comes
    /// from the command line.
    #[must_use]
    pub fn new(configure: impl Fn(StoreBuilder) -> StoreBuilder + Send + Sync + 'static) -> Self {
        Self { opening: Opening::Configured(Box::new(configure)), aggregates: Vec::new(), tenancy: None }
    }

    /// An application with a store that is open already, such as one on a pool of its own. `--schema` and
    /// `--tenant` are refused then, as they could not count.
    #[must_use]
    pub fn on(store: Store) -> Self {
        Self { opening: Opening::Open(store), aggregates: Vec::new(), tenancy: None }
    }

    /// How the application keeps its tenants. Without it the schema tells whether they share tables or have a schema each.
    ///
    /// With a database per tenant, `--tenant` and `tenants` ask the resolver, and no `--database-url` is needed for them.
    #[must_use]
    pub fn tenants(mut self, mode: TenancyMode) -> Self {
        self.tenancy = Some(mode);
        self
    }

    /// Makes an aggregate known to `snapshots`, which folds its streams.
    #[must_use]
    pub fn aggregate<A: Aggregate + Serialize + DeserializeOwned>(mut self) -> Self {
        let compact = |store: Store, config, to_the_end| -> Compacting {
            Box::pin(async move {
                let snapshotter = Snapshotter::new(AggregateRepository::<A>::new(store.events()), config);
                if to_the_end { snapshotter.run_until_idle().await } else { snapshotter.tick_once().await }
            })
        };
        self.aggregates.push(AnyAggregate { name: A::NAME, compact: Box::new(compact) });
        self
    }
}

/// A compaction under way.
pub(super) type Compacting = Pin<Box<dyn Future<Output = Result<Compaction>> + Send>>;
type Compact = dyn Fn(Store, SnapshotterConfig, bool) -> Compacting + Send + Sync;

/// An aggregate whose type is known where it was named only.
pub(super) struct AnyAggregate {
    pub(super) name: &'static str,
    /// Compacts one batch, or every stream that is due.
    pub(super) compact: Box<Compact>,
}

impl fmt::Debug for AnyAggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

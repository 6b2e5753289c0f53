//! A projection that the store knows.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use super::batch::{Erased, Single, Typed};
use super::handler::{Handled, TypedSql};
use super::{
    AnyHandler, AnyProjection, DocumentProjection, Lifecycle, OnFailure, ProjectionHandler, Shard, SqlProjection,
};
use crate::model::{Aggregate, Collection, Document, EventSet, EventType};

/// A projection the store knows, when it runs, and what it does.
#[doc(hidden)]
#[derive(Clone)]
pub struct Registered {
    /// The name of its checkpoint.
    pub name: Arc<str>,
    /// A new one builds the read model anew.
    pub version: i32,
    /// The stored names of the events it asks for; `None` for all.
    pub types: Option<Arc<[Box<str>]>>,
    /// What becomes of an event that it fails on.
    pub on_failure: OnFailure,
    /// When it runs.
    pub lifecycle: Lifecycle,
    /// How many shards it begins with; `None` when it cannot be split.
    pub shards: Option<i32>,
    /// Which of them this is: `name` is that of its row then.
    pub shard: Shard,
    /// Whether it is built beside the live read model, in a table that nobody reads.
    pub is_beside: bool,
    /// What it does with events.
    pub work: Work,
}

/// What a projection does with events.
#[doc(hidden)]
#[derive(Clone)]
pub enum Work {
    /// Folds them into documents of a collection: its own, or one that is built beside it.
    Documents(Arc<dyn AnyProjection>, &'static Collection),
    /// Hands each to the application's own code, with a transaction.
    Sql(Arc<dyn AnyHandler>),
}

impl Registered {
    /// A document projection.
    #[must_use]
    pub fn new<P: DocumentProjection>(lifecycle: Lifecycle) -> Self {
        Self {
            name: P::NAME.into(),
            version: P::VERSION,
            types: Some(names(P::TYPES)),
            on_failure: P::ON_FAILURE,
            lifecycle,
            shards: P::SHARDS,
            shard: Shard::WHOLE,
            is_beside: false,
            work: Work::Documents(Erased::<Typed<P>>::new(), P::Document::COLLECTION),
        }
    }

    /// An aggregate whose state is kept as a document.
    #[must_use]
    pub fn aggregate<A: Aggregate + Document>(lifecycle: Lifecycle) -> Self
    where
        A::Id: From<Uuid>,
    {
        Self {
            name: A::STREAM.into(),
            version: A::VERSION,
            types: Some(names(A::Event::TYPES)),
            on_failure: OnFailure::Stop,
            lifecycle,
            shards: Some(A::SHARDS),
            shard: Shard::WHOLE,
            is_beside: false,
            work: Work::Documents(Erased::<Single<A>>::new(), A::COLLECTION),
        }
    }

    /// A typed SQL projection.
    #[must_use]
    pub fn sql<P: SqlProjection>() -> Self {
        Self {
            name: P::NAME.into(),
            version: P::VERSION,
            types: Some(names(P::TYPES)),
            on_failure: P::ON_FAILURE,
            lifecycle: Lifecycle::Async,
            shards: P::SHARDS,
            shard: Shard::WHOLE,
            is_beside: false,
            work: Work::Sql(TypedSql::<P>::new()),
        }
    }

    /// A handler under a name.
    #[must_use]
    pub fn handler(name: &str, handler: impl ProjectionHandler) -> Self {
        Self {
            name: name.into(),
            version: handler.version(),
            types: handler.types().map(|types| types.iter().map(|name| Box::from(*name)).collect()),
            on_failure: handler.on_failure(),
            lifecycle: Lifecycle::Async,
            shards: handler.shards(),
            shard: Shard::WHOLE,
            is_beside: false,
            work: Work::Sql(Arc::new(Handled(handler))),
        }
    }

    /// The same, as it is built beside the live read model.
    pub(crate) fn beside(&self, collection: &'static Collection) -> Self {
        let work = match &self.work {
            Work::Documents(projection, _) => Work::Documents(projection.clone(), collection),
            sql @ Work::Sql(_) => sql.clone(),
        };
        // an event that fails inline fails its append: there is nobody to try a dead letter again
        let on_failure = match self.lifecycle {
            Lifecycle::Inline => OnFailure::Stop,
            Lifecycle::Async => self.on_failure,
        };
        Self { name: format!("{}@rebuild", self.name).into(), on_failure, is_beside: true, work, ..self.clone() }
    }

    /// One of its shards.
    pub(crate) fn shard(&self, shard: Shard) -> Self {
        Self { name: Shard::row(&self.name, shard.number).into(), shard, ..self.clone() }
    }

    /// How many shards a new one has.
    pub(crate) fn first_shards(&self) -> i32 {
        self.shards.unwrap_or(1).clamp(1, Shard::MOST)
    }

    /// The document projection that this is, if it is one.
    pub(crate) fn documents(&self) -> Option<&dyn AnyProjection> {
        match &self.work {
            Work::Documents(projection, _) => Some(&**projection),
            Work::Sql(_) => None,
        }
    }
}

fn names(types: &[EventType]) -> Arc<[Box<str>]> {
    types.iter().map(|it| Box::from(it.name)).collect()
}

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} v{} ({:?})", self.name, self.version, self.lifecycle)
    }
}

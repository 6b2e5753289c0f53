//! Projections that write SQL of their own: async handlers with the transaction of the checkpoint.

use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use sqlx::{Postgres, Transaction};

use super::OnFailure;
use crate::model::{EventEnvelope, EventSet, EventType, RawJson};
use crate::{BoxError, Result};

/// A projection that takes events by their stored names and writes SQL of its own.
///
/// Register it with [`StoreBuilder::projection_handler`](crate::StoreBuilder::projection_handler). What it writes
/// through `tx` commits together with the checkpoint, or not at all: so each event takes effect once. For events of a
/// closed set, `#[projection]` with async handlers has the compiler check that none is forgotten.
///
/// ```
/// use rillflow::{BoxError, EventEnvelope, RawJson};
/// use rillflow::projections::ProjectionHandler;
/// use sqlx::{Postgres, Transaction, query};
///
/// struct Totals;
///
/// impl ProjectionHandler for Totals {
///     async fn apply(
///         &self,
///         event_type: &str,
///         body: &RawJson,
///         at: &EventEnvelope,
///         tx: &mut Transaction<'_, Postgres>,
///     ) -> Result<(), BoxError> {
///         #[derive(serde::Deserialize)]
///         struct Placed {
///             total: i64,
///         }
///         if event_type == "order-placed" {
///             query("INSERT INTO totals (order_id, total) VALUES ($1, $2)")
///                 .bind(at.stream_id.0)
///                 .bind(body.parse::<Placed>()?.total)
///                 .execute(&mut **tx)
///                 .await?;
///         }
///         Ok(())
///     }
///
///     fn types(&self) -> Option<&[&str]> {
///         Some(&["order-placed"])
///     }
/// }
/// ```
pub trait ProjectionHandler: Send + Sync + 'static {
    /// Handles one event, in the order of positions.
    ///
    /// It may be called again for an event whose transaction did not commit, so what it does beside `tx` may happen
    /// twice. A call that takes longer than the lease is given up, and is a failure.
    ///
    /// # Errors
    ///
    /// Whatever goes wrong; [`on_failure`](Self::on_failure) says what becomes of the event.
    fn apply(
        &self,
        event_type: &str,
        body: &RawJson,
        at: &EventEnvelope,
        tx: &mut Transaction<'_, Postgres>,
    ) -> impl Future<Output = Result<(), BoxError>> + Send;

    /// Empties what it wrote, when it begins anew: a new version, or a rebuild.
    ///
    /// # Errors
    ///
    /// Whatever goes wrong; the projection does not begin then.
    fn reset(&self, tx: &mut Transaction<'_, Postgres>) -> impl Future<Output = Result<(), BoxError>> + Send {
        let _ = tx;
        async { Ok(()) }
    }

    /// The stored names of the events it takes; all by default. Others are never read for it.
    fn types(&self) -> Option<&[&str]> {
        None
    }

    /// Its version: a new one begins anew.
    fn version(&self) -> i32 {
        1
    }

    /// What becomes of an event that it fails on.
    fn on_failure(&self) -> OnFailure {
        OnFailure::default()
    }

    /// How many shards it begins with, each with the events of its own streams. `None`, which is the default, says that
    /// it cannot be split: that what it writes for one stream depends on what it wrote for another.
    fn shards(&self) -> Option<i32> {
        None
    }
}

/// A projection of typed events that writes SQL of its own. `#[projection]` without a `document` writes the
/// implementation.
///
/// Its handlers are async and take the transaction that the checkpoint commits in: what they write through it takes
/// effect once. An event of the set without a handler does not compile, unless it is listed in `ignore(..)`. An optional
/// `#[reset]` function empties what the handlers wrote, when a new version or a rebuild begins anew.
///
/// `shards = 4` says that handlers of different streams do not come in each other's way, and splits the projection into
/// so many parts: see [`DocumentProjection`](super::DocumentProjection).
///
/// ```
/// use rillflow::{Event, EventEnvelope, projection};
/// use sqlx::{Postgres, Transaction, query};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize)]
/// # pub struct Placed { pub total: i64 }
/// # #[derive(Serialize, Deserialize)]
/// # pub struct Shipped { pub tracking: String }
///
/// #[derive(Event)]
/// pub enum OrderEvent {
///     Placed(Placed),
///     Shipped(Shipped),
/// }
///
/// pub struct Totals;
///
/// #[projection(name = "totals", events = OrderEvent, ignore(Shipped))]
/// impl Totals {
///     async fn on_placed(
///         tx: &mut Transaction<'_, Postgres>,
///         e: &Placed,
///         at: &EventEnvelope,
///     ) -> Result<(), sqlx::Error> {
///         query("INSERT INTO totals (order_id, total) VALUES ($1, $2)")
///             .bind(at.stream_id.0)
///             .bind(e.total)
///             .execute(&mut **tx)
///             .await?;
///         Ok(())
///     }
///
///     #[reset]
///     async fn empty(tx: &mut Transaction<'_, Postgres>) -> Result<(), sqlx::Error> {
///         query("TRUNCATE totals").execute(&mut **tx).await?;
///         Ok(())
///     }
/// }
/// ```
pub trait SqlProjection: Sized + Send + Sync + 'static {
    /// The events it reads.
    type Events: EventSet + RouteSql<Self>;
    /// Its name: the row of its checkpoint.
    const NAME: &'static str;
    /// Its version: a new one begins anew.
    const VERSION: i32;
    /// The events it handles; the others are never read for it.
    const TYPES: &'static [EventType];
    /// What becomes of an event that it fails on.
    const ON_FAILURE: OnFailure = OnFailure::Stop;
    /// How many shards it begins with; `None` when its handlers cannot run for several streams at once.
    const SHARDS: Option<i32> = None;

    /// Empties what it wrote.
    ///
    /// # Errors
    ///
    /// Whatever goes wrong; the projection does not begin then.
    fn reset(tx: &mut Transaction<'_, Postgres>) -> impl Future<Output = Result<(), BoxError>> + Send {
        let _ = tx;
        async { Ok(()) }
    }
}

/// What an SQL projection does with one event. `#[projection]` writes it.
#[diagnostic::on_unimplemented(
    message = "projection `{Self}` has no handler for event `{E}`",
    label = "missing handler for `{E}`",
    note = "add `async fn on_event(tx: &mut Transaction<'_, Postgres>, e: &{E}) -> Result<(), sqlx::Error>`, or list it in `ignore({E})`"
)]
pub trait OnSql<E>: SqlProjection {
    /// Handles the event.
    ///
    /// # Errors
    ///
    /// Whatever the handler reports.
    fn apply(
        event: &E,
        at: &EventEnvelope,
        tx: &mut Transaction<'_, Postgres>,
    ) -> impl Future<Output = Result<(), BoxError>> + Send;
}

/// What an async handler may return: nothing, or a `Result<(), E>`.
#[diagnostic::on_unimplemented(
    message = "a handler that writes SQL returns nothing or a `Result<(), E>`, not `{Self}`",
    label = "not a handler's result"
)]
pub trait IntoHandled {
    /// As the runtime takes it.
    #[allow(clippy::missing_errors_doc, reason = "the error is the handler's")]
    fn into_handled(self) -> Result<(), BoxError>;
}

impl IntoHandled for () {
    fn into_handled(self) -> Result<(), BoxError> {
        Ok(())
    }
}

impl<E: Into<BoxError>> IntoHandled for Result<(), E> {
    fn into_handled(self) -> Result<(), BoxError> {
        self.map_err(Into::into)
    }
}

/// Hands an event to its async handler; implemented only for projections that handle or ignore every event of the set.
#[doc(hidden)]
pub trait RouteSql<P> {
    /// As [`OnSql::apply`].
    #[allow(clippy::missing_errors_doc, reason = "hidden")]
    fn apply_sql(
        &self,
        at: &EventEnvelope,
        tx: &mut Transaction<'_, Postgres>,
    ) -> impl Future<Output = Result<(), BoxError>> + Send;
}

/// The outcome of a call into a handler.
#[doc(hidden)]
pub(super) type Handling<'h> = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send + 'h>>;

/// A handler as the runtime sees it.
#[doc(hidden)]
pub trait AnyHandler: Send + Sync {
    /// Handles one event.
    fn apply<'h, 't: 'h>(&'h self, at: &'h EventEnvelope, tx: &'h mut Transaction<'t, Postgres>) -> Handling<'h>;
    /// Empties what it wrote.
    fn reset<'h, 't: 'h>(&'h self, tx: &'h mut Transaction<'t, Postgres>) -> Handling<'h>;
}

/// A handler by names.
pub(super) struct Handled<H>(pub(super) H);

impl<H: ProjectionHandler> AnyHandler for Handled<H> {
    fn apply<'h, 't: 'h>(&'h self, at: &'h EventEnvelope, tx: &'h mut Transaction<'t, Postgres>) -> Handling<'h> {
        Box::pin(self.0.apply(&at.typ, &at.body, at, tx))
    }
    fn reset<'h, 't: 'h>(&'h self, tx: &'h mut Transaction<'t, Postgres>) -> Handling<'h> {
        Box::pin(self.0.reset(tx))
    }
}

/// A typed SQL projection.
pub(super) struct TypedSql<P>(PhantomData<fn() -> P>);

impl<P: SqlProjection> TypedSql<P> {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(PhantomData))
    }
}

impl<P: SqlProjection> AnyHandler for TypedSql<P> {
    fn apply<'h, 't: 'h>(&'h self, at: &'h EventEnvelope, tx: &'h mut Transaction<'t, Postgres>) -> Handling<'h> {
        Box::pin(async move {
            for event in at.decode_each::<P::Events>()? {
                event.apply_sql(at, tx).await?;
            }
            Ok(())
        })
    }
    fn reset<'h, 't: 'h>(&'h self, tx: &'h mut Transaction<'t, Postgres>) -> Handling<'h> {
        Box::pin(P::reset(tx))
    }
}

//! Aggregates: state folded from one stream.

use std::marker::PhantomData;

use super::{EventSet, HasEvent, Snapshots, fingerprint};
use crate::BoxError;

/// State folded from the events of one stream.
///
/// Derive it, and write one handler per event in a `#[handlers]` impl: a method `on_..` that takes the event by
/// reference. An event without a handler does not compile, unless it is listed: `#[handlers(ignore(Shipped))]`.
/// Decisions are plain methods that return events. The category of the streams is the type's name in kebab-case unless
/// `stream` says otherwise.
///
/// ```
/// use rillflow::{Aggregate, Event, handlers};
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
/// #[derive(Debug, Default, Aggregate)]
/// #[aggregate(events = OrderEvent, stream = "order")]
/// pub struct Order {
///     total: i64,
///     shipped: bool,
/// }
///
/// #[derive(Debug, PartialEq)]
/// pub struct AlreadyShipped;
///
/// #[handlers]
/// impl Order {
///     fn on_placed(&mut self, e: &Placed) {
///         self.total = e.total;
///     }
///
///     fn on_shipped(&mut self, _: &Shipped) {
///         self.shipped = true;
///     }
///
///     pub fn ship(&self, tracking: &str) -> Result<Vec<OrderEvent>, AlreadyShipped> {
///         if self.shipped {
///             return Err(AlreadyShipped);
///         }
///         Ok(vec![OrderEvent::Shipped(Shipped { tracking: tracking.to_owned() })])
///     }
/// }
///
/// let order = Order::fold(&[OrderEvent::Placed(Placed { total: 7 })]);
/// let shipped = Order::fold(&order.ship("1Z")?);
/// assert_eq!(shipped.ship("1Z").err(), Some(AlreadyShipped));
/// # Ok::<(), AlreadyShipped>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an aggregate",
    label = "add `#[derive(Aggregate)]` and `#[aggregate(events = ..)]` to `{Self}`"
)]
pub trait Aggregate: Default + Send + Sync + 'static {
    /// The events of its streams.
    type Event: EventSet;

    /// The category of its streams, such as `order`.
    const STREAM: &'static str;

    /// What its snapshots are kept under: the type's name.
    const NAME: &'static str = Self::STREAM;

    /// What its snapshots must have been written by: a hash of the fields, and of `snapshot_version`.
    ///
    /// A snapshot with another one is not read, and costs nothing but the whole fold.
    const FINGERPRINT: i64 = fingerprint("", 1);

    /// The version of its fold: `snapshot_version`. Where it is kept as a document, a new one builds the documents anew.
    const VERSION: i32 = 1;

    /// How many shards it begins with where it is kept as a document behind the appends: `shards`. See
    /// [`DocumentProjection`](crate::DocumentProjection).
    const SHARDS: i32 = 1;

    /// How its snapshots are written, when it has any.
    #[doc(hidden)]
    const SNAPSHOTS: Option<Snapshots<Self>> = None;

    /// True when [`validate`](Self::validate) looks at anything.
    #[doc(hidden)]
    const VALIDATED: bool = false;

    /// What its handlers are checked against.
    #[doc(hidden)]
    const EVENTS: EventsOf<Self::Event> = EventsOf(PhantomData);

    /// Folds one event into the state.
    fn apply(&mut self, event: &Self::Event);

    /// Looks at the state that events lead to, before they are appended. `#[aggregate(validate = path)]` names the
    /// function.
    ///
    /// # Errors
    ///
    /// Whatever that function says; nothing is appended then.
    fn validate(&self) -> Result<(), BoxError> {
        Ok(())
    }

    /// Folds events in memory, without a store.
    fn fold<'e>(events: impl IntoIterator<Item = &'e Self::Event>) -> Self {
        let mut state = Self::default();
        for event in events {
            state.apply(event);
        }
        state
    }
}

/// A handler: how `Self` changes with `E`. `#[handlers]` writes it.
#[diagnostic::on_unimplemented(
    message = "aggregate `{Self}` has no handler for event `{E}`",
    label = "missing handler for `{E}`",
    note = "add `fn on_event(&mut self, e: &{E})` to its `#[handlers]` impl, or list it there: `#[handlers(ignore({E}))]`"
)]
pub trait Apply<E> {
    /// Folds `event` into `self`.
    fn apply_event(&mut self, event: &E);
}

/// Hands an event to its handler; implemented only for aggregates that handle every event of the set.
#[doc(hidden)]
pub trait Dispatch<A> {
    /// Calls the handler.
    fn dispatch(&self, aggregate: &mut A);
}

/// The events of an aggregate, to check its handlers against.
#[doc(hidden)]
#[derive(Debug)]
pub struct EventsOf<S>(PhantomData<fn() -> S>);

impl<S> EventsOf<S> {
    /// Compiles when `E` is one of them.
    pub const fn has<E>(&self)
    where
        S: HasEvent<E>,
    {
    }
}

//! Aggregates: state folded from one stream.

use std::marker::PhantomData;

use super::{EventSet, HasEvent};

/// State folded from the events of one stream.
///
/// Derive it, and write one handler per event in a `#[handlers]` impl.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an aggregate",
    label = "add `#[derive(Aggregate)]` and `#[aggregate(events = ..)]` to `{Self}`"
)]
pub trait Aggregate: Default + Send + Sync + 'static {
    /// The events of its streams.
    type Event: EventSet;

    /// The category of its streams, such as `order`.
    const STREAM: &'static str;

    /// What its handlers are checked against.
    #[doc(hidden)]
    const EVENTS: EventsOf<Self::Event> = EventsOf(PhantomData);

    /// Folds one event into the state.
    fn apply(&mut self, event: &Self::Event);

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

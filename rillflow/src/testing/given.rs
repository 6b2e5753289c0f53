//! Given events, when something is decided, then: tests of aggregates without a database.

use std::fmt::Debug;

use serde::Serialize;
use serde_json::Value;

use super::difference::difference;
use crate::model::{Aggregate, Event, EventSet};

/// Begins a test of an aggregate: the events that its stream holds.
///
/// The events are written and read back as a store would do it, so a payload that does not survive that fails here.
///
/// ```
/// use rillflow::testing::given;
/// use rillflow::{Aggregate, Event, handlers};
/// # use serde::{Deserialize, Serialize};
///
/// # #[derive(Clone, Serialize, Deserialize)]
/// # pub struct Placed { pub total: i64 }
/// # #[derive(Serialize, Deserialize)]
/// # pub struct Shipped { pub tracking: String }
/// # #[derive(Event)]
/// # pub enum OrderEvent { Placed(Placed), Shipped(Shipped) }
/// #[derive(Debug, Default, Aggregate)]
/// #[aggregate(events = OrderEvent)]
/// pub struct Order {
///     shipped: bool,
/// }
///
/// #[derive(Debug, PartialEq)]
/// pub struct AlreadyShipped;
///
/// #[handlers(ignore(Placed))]
/// impl Order {
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
/// let placed = || OrderEvent::Placed(Placed { total: 7 });
/// let shipped = || OrderEvent::Shipped(Shipped { tracking: "1Z".to_owned() });
///
/// given::<Order>([placed()])
///     .when(|order| order.ship("1Z"))
///     .then([shipped()])
///     .then_state(|order| order.shipped);
/// given::<Order>([placed(), shipped()])
///     .when(|order| order.ship("2Z"))
///     .then_rejected(|error| *error == AlreadyShipped);
/// ```
#[must_use = "go on with `when` or `then_state`"]
#[track_caller]
pub fn given<A: Aggregate>(events: impl IntoIterator<Item = A::Event>) -> Given<A> {
    Given { state: A::default(), folded: 0 }.events(events)
}

/// An aggregate with the events that were given. [`given`] makes it.
#[derive(Debug)]
pub struct Given<A> {
    state: A,
    folded: usize,
}

impl<A: Aggregate> Given<A> {
    /// More events.
    ///
    /// # Panics
    ///
    /// When one does not survive being stored.
    #[must_use = "go on with `when` or `then_state`"]
    #[track_caller]
    pub fn events(self, events: impl IntoIterator<Item = A::Event>) -> Self {
        events.into_iter().map(Event::from).fold(self, |given, event| given.fold(&event))
    }

    /// An event as it was stored once: under an old name, at an old version.
    ///
    /// # Panics
    ///
    /// When it cannot be read.
    #[must_use = "go on with `when` or `then_state`"]
    #[track_caller]
    pub fn stored(self, name: &'static str, version: i32, payload: &impl Serialize) -> Self {
        let mut event = Event::new(name, payload);
        event.version = version;
        self.fold(&event)
    }

    #[track_caller]
    fn fold(mut self, event: &Event) -> Self {
        stored::<A::Event>(event).iter().for_each(|event| self.state.apply(event));
        self.folded += 1;
        self
    }

    /// What is decided on the state. It may be refused with an error of any type.
    #[must_use = "say what is expected: `then`, `then_rejected` or `then_state`"]
    #[track_caller]
    pub fn when<E>(self, decide: impl FnOnce(&A) -> Result<Vec<A::Event>, E>) -> When<A, E> {
        let decided = decide(&self.state);
        let decided = decided.map(|events| events.into_iter().map(Event::from).collect());
        When { state: self.state, applied: false, decided }
    }

    /// Checks the state: `check` returns whether it is right, or nothing and asserts by itself.
    ///
    /// # Panics
    ///
    /// When it is not.
    #[track_caller]
    pub fn then_state<V: Verdict>(self, check: impl FnOnce(&A) -> V) -> Self {
        let folded = self.folded;
        check(&self.state).or_panic(|| format!("the state after {folded} events is not as expected"));
        self
    }
}

/// What was decided. [`Given::when`] makes it.
#[derive(Debug)]
pub struct When<A, E> {
    state: A,
    /// The decision's own events are in the state.
    applied: bool,
    decided: Result<Vec<Event>, E>,
}

impl<A: Aggregate, E: Debug> When<A, E> {
    /// Checks that exactly these events were decided, in this order, by the JSON that would be stored.
    ///
    /// # Panics
    ///
    /// When others were, or the decision was rejected.
    #[track_caller]
    pub fn then(self, expected: impl IntoIterator<Item = A::Event>) -> Self {
        let expected: Vec<_> = expected.into_iter().map(|event| shown(&event.into())).collect();
        let decided: Vec<_> = self.accepted().iter().map(shown).collect();
        if decided != expected {
            panic!("other events than expected (-) were decided (+):\n{}", difference(&expected, &decided));
        }
        self
    }

    /// Checks that the decision was to do nothing.
    ///
    /// # Panics
    ///
    /// When it was to do something, or was rejected.
    #[track_caller]
    pub fn then_nothing(self) -> Self {
        self.then([])
    }

    /// Checks the state after the decision's events, as [`Given::then_state`] does.
    ///
    /// # Panics
    ///
    /// When it is not as expected, or the decision was rejected.
    #[track_caller]
    pub fn then_state<V: Verdict>(mut self, check: impl FnOnce(&A) -> V) -> Self {
        let decided: Vec<_> = self.accepted().iter().flat_map(stored::<A::Event>).collect();
        if !std::mem::replace(&mut self.applied, true) {
            decided.iter().for_each(|event| self.state.apply(event));
        }
        let events = self.decided.as_deref().unwrap_or_default().iter().map(shown).collect::<Vec<_>>().join("\n");
        check(&self.state)
            .or_panic(|| format!("the state after the decision is not as expected; decided was:\n{events}"));
        self
    }

    /// Checks that the decision was rejected: `check` returns whether the error is right, or asserts by itself.
    ///
    /// # Panics
    ///
    /// When it was not, or with another error.
    #[track_caller]
    pub fn then_rejected<V: Verdict>(self, check: impl FnOnce(&E) -> V) {
        match &self.decided {
            Err(error) => check(error).or_panic(|| format!("rejected with another error than expected: {error:?}")),
            Ok(events) => {
                let events: Vec<_> = events.iter().map(shown).collect();
                panic!("expected a rejection, but this was decided:\n{}", events.join("\n"));
            }
        }
    }

    #[track_caller]
    fn accepted(&self) -> &[Event] {
        match &self.decided {
            Ok(events) => events,
            Err(error) => panic!("expected a decision, but it was rejected: {error:?}"),
        }
    }
}

/// What a check returns: a `bool`, or nothing when it asserts by itself.
pub trait Verdict {
    /// Panics with `message` when it is against.
    #[track_caller]
    fn or_panic(self, message: impl FnOnce() -> String);
}

impl Verdict for () {
    fn or_panic(self, _: impl FnOnce() -> String) {}
}

impl Verdict for bool {
    #[track_caller]
    fn or_panic(self, message: impl FnOnce() -> String) {
        assert!(self, "{}", message());
    }
}

/// An event as a store would give it back.
#[track_caller]
fn stored<S: EventSet>(event: &Event) -> Vec<S> {
    let mut events = Vec::new();
    let read = match &event.body {
        Ok(body) => {
            S::decode_each(&event.name, event.version, body.as_str().as_bytes(), &mut |event| events.push(event))
        }
        Err(error) => panic!("event `{}` cannot be stored: {error}", event.name),
    };
    match read {
        Ok(true) => events,
        Ok(false) => panic!("no event of the aggregate is stored as `{}`", event.name),
        Err(error) => panic!("event `{}` version {} is stored, but cannot be read: {error}", event.name, event.version),
    }
}

/// An event for people: its name, and its payload over several lines.
fn shown(event: &Event) -> String {
    let payload = match &event.body {
        Ok(body) => body.parse::<Value>().map(|value| format!("{value:#}")),
        Err(error) => return format!("{} (cannot be stored: {error})", event.name),
    };
    format!("{} {}", event.name, payload.unwrap_or_else(|error| error.to_string()))
}

//! Decisions on tags.

use std::marker::PhantomData;

use crate::Result;
use crate::model::{Aggregate, Appended, StreamKey, TagQuery};
use crate::runtime::SharedCore;
use crate::runtime::aggregates::Rules;
use crate::runtime::decide::DecideError;
use crate::runtime::tagged::{Observed, TagDecided, append_observed, decide_on, observe};

/// State folded from all events that carry some tags, whatever their streams.
///
/// A rule often spans streams: a course has so many seats, a student takes so many courses, a name is given once. Here
/// the events that a rule speaks of are found by their tags (see [`EventTags`](crate::EventTags)), folded by an
/// aggregate's handlers, and the events decided on are appended only if no other event came up meanwhile that the fold
/// would have seen. Only events of the aggregate's set are looked at.
///
/// ```no_run
/// # use rillflow::{Aggregate, Event, EventTags, TagQuery, handlers};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize, EventTags)]
/// # pub struct Enrolled { #[event(tag)] pub course: i64, #[event(tag)] pub student: i64 }
/// # #[derive(Event)]
/// # pub enum CourseEvent { Enrolled(Enrolled) }
/// #[derive(Default, Aggregate)]
/// #[aggregate(events = CourseEvent)]
/// pub struct Seats {
///     taken: u32,
/// }
///
/// #[handlers]
/// impl Seats {
///     fn on_enrolled(&mut self, _: &Enrolled) {
///         self.taken += 1;
///     }
/// }
///
/// # async fn example(store: rillflow::Store, stream: uuid::Uuid) -> Result<(), Box<dyn std::error::Error>> {
/// let (course, student) = (42, 7);
/// let seats = store.tagged::<Seats>(TagQuery::tag("course", &course));
/// seats
///     .decide(stream, |seats| match seats.taken {
///         0..30 => Ok(vec![CourseEvent::Enrolled(Enrolled { course, student })]),
///         _ => Err("the course is full"),
///     })
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Tagged<'s, A> {
    core: &'s SharedCore,
    query: TagQuery,
    aggregate: PhantomData<fn() -> A>,
}

// derived, it would ask the same of the aggregate
impl<A> Clone for Tagged<'_, A> {
    fn clone(&self) -> Self {
        Self { query: self.query.clone(), ..*self }
    }
}

impl<'s, A: Aggregate> Tagged<'s, A> {
    pub(super) fn new(core: &'s SharedCore, query: TagQuery) -> Self {
        Self { core, query, aggregate: PhantomData }
    }

    /// Folds every committed event that the query finds: the mark in one statement, the events in the next.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`](crate::Error::Decode), [`Error::UnknownEvent`](crate::Error::UnknownEvent) when an event cannot
    /// be read; [`Error::Encode`](crate::Error::Encode) for a tag that cannot be.
    pub async fn load(self) -> Result<Observed<A>> {
        observe(self.core, &self.query).await
    }

    /// Folds, asks `decision` which events to append to `stream`, and appends them if nothing that it would have looked at
    /// came up meanwhile; otherwise folds and asks again.
    ///
    /// The events carry tags of their own, and these need not be those of the query. `decision` may be asked several times,
    /// so it should do nothing but decide. An empty answer appends nothing. Three statements; the last one waits for those
    /// who are appending, or deciding on, events with the last tag of one of the query's alternatives.
    ///
    /// # Errors
    ///
    /// [`DecideError::Rejected`] with the application's own error; [`DecideError::Store`] when loading or appending fails,
    /// also with [`Error::TagConflict`](crate::Error::TagConflict) after 20 lost races, and with
    /// [`Error::Invalid`](crate::Error::Invalid) when the aggregate's validator refuses the new state.
    pub async fn decide<E>(
        self,
        stream: impl StreamKey,
        decision: impl FnMut(&A) -> Result<Vec<A::Event>, E>,
    ) -> Result<TagDecided<A>, DecideError<E>> {
        decide_on(self.core, &self.query, stream.stream_id(), decision).await
    }

    /// Appends events to `stream`, if what was observed is still all there is.
    ///
    /// # Errors
    ///
    /// [`Error::TagConflict`](crate::Error::TagConflict) when it is not; otherwise as
    /// [`Events::append_stream`](super::Events::append_stream), and [`Error::Invalid`](crate::Error::Invalid).
    pub async fn append(
        self,
        observed: Observed<A>,
        stream: impl StreamKey,
        events: Vec<A::Event>,
    ) -> Result<Appended> {
        let rules = Rules::of(self.core);
        Ok(append_observed(self.core, observed, stream.stream_id(), &events, &rules).await?.0)
    }
}

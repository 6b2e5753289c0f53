//! One aggregate: load it, decide on it.

use std::marker::PhantomData;

use crate::Result;
use crate::model::{Aggregate, AppendOptions, Appended, Expected, StreamId};
use crate::runtime::SharedCore;
use crate::runtime::append::append;
use crate::runtime::decide::{self, DecideError, Decided, Loaded};
use crate::storage::append::Append;

/// One aggregate of a store.
#[derive(Clone, Copy, Debug)]
pub struct Aggregates<'s, A> {
    core: &'s SharedCore,
    stream_id: StreamId,
    aggregate: PhantomData<fn() -> A>,
}

impl<'s, A: Aggregate> Aggregates<'s, A> {
    pub(super) fn new(core: &'s SharedCore, stream_id: StreamId) -> Self {
        Self { core, stream_id, aggregate: PhantomData }
    }

    /// Folds the stream, straight from the bytes of its events. A stream that is not there gives the default state.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownEvent`](crate::Error::UnknownEvent) when the stream holds an event this program cannot read:
    /// state built on a part of the history would be wrong.
    pub async fn load(&self) -> Result<Loaded<A>> {
        decide::load(self.core, self.stream_id).await
    }

    /// Loads the aggregate, asks `decision` which events to append, and appends them if nobody else did meanwhile;
    /// otherwise loads and asks again.
    ///
    /// `decision` may be asked several times, so it should do nothing but decide. An empty answer appends nothing.
    ///
    /// # Errors
    ///
    /// [`DecideError::Rejected`] with the application's own error; [`DecideError::Store`] when loading or appending
    /// fails, also with a conflict after 20 lost races. An append whose outcome is unknown is never tried again.
    pub async fn decide<E>(
        &self,
        decision: impl FnMut(&A) -> Result<Vec<A::Event>, E>,
    ) -> Result<Decided<A>, DecideError<E>> {
        decide::decide(self.core, self.stream_id, decision).await
    }

    /// Appends events that are known already, such as those of a version that the caller loaded.
    ///
    /// # Errors
    ///
    /// As [`Events::append_stream`](super::Events::append_stream).
    pub async fn append(&self, expected: Expected, events: Vec<A::Event>) -> Result<Appended> {
        let options = AppendOptions::default().expected(expected);
        append(self.core, Append::new(self.stream_id, A::STREAM, options, events.into_iter().map(Into::into))?).await
    }
}

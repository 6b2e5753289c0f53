//! Where a subscription's events arrive.

use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::Stream;

use crate::Result;
use crate::model::{AckMode, EventEnvelope, EventSet};
use crate::runtime::subscriber::Shared;

/// The events of a subscription as they come. Dropping it ends the subscription.
///
/// As a [`Stream`] it tells what ended it, once, as an error. Asking is cancel safe: no event is lost when a `recv()` or
/// `next()` is given up.
#[derive(Debug)]
#[must_use = "the subscription ends when its receiver is dropped"]
pub struct SubscriptionReceiver {
    shared: Arc<Shared>,
    mode: AckMode,
    /// Taken, and done when the next one is asked for.
    taken: Option<i64>,
    told: bool,
}

impl SubscriptionReceiver {
    pub(super) fn new(shared: Arc<Shared>, mode: AckMode) -> Self {
        Self { shared, mode, taken: None, told: false }
    }

    /// The next event; `None` when the subscription has ended: [`SubscriptionHandle::shutdown`] says why.
    ///
    /// With [`AckMode::Auto`], asking says that the event before is done.
    ///
    /// [`SubscriptionHandle::shutdown`]: super::SubscriptionHandle::shutdown
    pub async fn recv(&mut self) -> Option<EventEnvelope> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<EventEnvelope>> {
        if let Some(position) = self.taken.take() {
            self.shared.ack_later(position);
        }
        let event = ready!(self.shared.poll_take(cx));
        self.taken = event.as_ref().filter(|_| self.mode == AckMode::Auto).map(|it| it.global_seq);
        Poll::Ready(event)
    }

    /// The events decoded, as one of a closed set, each with its envelope.
    ///
    /// One that does not decode is told as an error, and becomes a dead letter.
    pub fn decode<E: EventSet>(self) -> DecodedSubscription<E> {
        DecodedSubscription { receiver: self, set: PhantomData }
    }

    /// The events decoded, for those who no longer want the envelope.
    fn poll_decoded<E: EventSet>(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<(E, EventEnvelope)>>> {
        let Some(event) = ready!(self.poll_recv(cx)) else { return Poll::Ready(self.ending().map(Err)) };
        Poll::Ready(Some(match event.decode() {
            Ok(decoded) => Ok((decoded, event)),
            Err(error) => {
                self.taken = None;
                self.shared.give_up_later(event.global_seq, 1, error.to_string());
                Err(error)
            }
        }))
    }

    /// What ended the subscription, told once.
    fn ending(&mut self) -> Option<crate::Error> {
        if std::mem::replace(&mut self.told, true) { None } else { self.shared.why_ended().err() }
    }
}

impl Stream for SubscriptionReceiver {
    type Item = Result<EventEnvelope>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match ready!(self.poll_recv(cx)) {
            Some(event) => Poll::Ready(Some(Ok(event))),
            None => Poll::Ready(self.ending().map(Err)),
        }
    }
}

impl Drop for SubscriptionReceiver {
    fn drop(&mut self) {
        self.shared.receiver_dropped();
    }
}

/// The events of a subscription decoded as they come, each with its envelope.
#[derive(Debug)]
#[must_use = "the subscription ends when its receiver is dropped"]
pub struct DecodedSubscription<E> {
    receiver: SubscriptionReceiver,
    set: PhantomData<fn() -> E>,
}

impl<E: EventSet> DecodedSubscription<E> {
    /// The next event and its envelope; `None` when the subscription has ended.
    pub async fn recv(&mut self) -> Option<Result<(E, EventEnvelope)>> {
        poll_fn(|cx| self.receiver.poll_decoded(cx)).await
    }
}

impl<E: EventSet> Stream for DecodedSubscription<E> {
    type Item = Result<(E, EventEnvelope)>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.receiver.poll_decoded(cx)
    }
}

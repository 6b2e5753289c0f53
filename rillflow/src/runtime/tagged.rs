//! Decisions on tags: look at the events of whatever streams, decide, append if nothing else came up meanwhile.

use std::ops::Deref;
use std::time::Duration;

use super::SharedCore;
use super::aggregates::{Rules, apply, request};
use super::append::append;
use super::backoff::Backoff;
use super::decide::{DecideError, TRIES};
use crate::model::{Aggregate, Appended, EventSet, Expected, StreamId, TagCondition, TagQuery};
use crate::observe::operation;
use crate::storage::{marks, tags};
use crate::{Error, Result};

/// State folded from the events that a query over tags found, and what it rests on. The state's fields and methods are at
/// hand: `observed.seats`.
#[derive(Clone, Debug)]
pub struct Observed<A> {
    /// The state.
    pub state: A,
    pub(crate) condition: TagCondition,
}

impl<A> Deref for Observed<A> {
    type Target = A;

    fn deref(&self) -> &A {
        &self.state
    }
}

/// What a decision on tags came to.
#[derive(Clone, Debug)]
pub struct TagDecided<A> {
    /// The state after the decision.
    pub state: A,
    /// What was appended; `None` when the decision was to do nothing.
    pub appended: Option<Appended>,
}

impl<A> TagDecided<A> {
    /// The position of the last event appended, 0 when there was none: what a reader waits for.
    #[must_use]
    pub fn position(&self) -> i64 {
        self.appended.as_ref().map_or(0, Appended::position)
    }
}

/// Folds what the query finds. First the mark and then the rows: all up to the mark is there, and what is there above it
/// is noted.
pub(crate) async fn observe<A: Aggregate>(core: &SharedCore, query: &TagQuery) -> Result<Observed<A>> {
    operation!(core, "load", A::NAME).run(look(core, query)).await
}

async fn look<A: Aggregate>(core: &SharedCore, query: &TagQuery) -> Result<Observed<A>> {
    query.check()?;
    let types: Vec<&'static str> = A::Event::TYPES.iter().map(|it| it.name).collect();
    let mut conn = core.pool.acquire().await?;
    let after = marks::safe_mark(&mut conn, &core.texts).await?.mark;
    let (mut state, mut seen) = (A::default(), Vec::new());
    tags::fold(&mut conn, &core.texts, query, &types, |found| {
        if found.position > after {
            seen.push(found.position);
        }
        apply(&mut state, found.stream_id, found.name, found.version, found.json)
    })
    .await?;
    Ok(Observed { state, condition: TagCondition { query: query.clone(), types, after, seen } })
}

/// Appends to a stream, if what was observed is still all there is, and returns the state that the events lead to.
pub(crate) async fn append_observed<A: Aggregate>(
    core: &SharedCore,
    observed: Observed<A>,
    stream_id: StreamId,
    events: &[A::Event],
    rules: &Rules<A>,
) -> Result<(Appended, A)> {
    let Observed { mut state, condition } = observed;
    events.iter().for_each(|event| state.apply(event));
    rules.check(stream_id, &state)?;
    let mut request = request::<A>(stream_id, Expected::Any, events)?;
    request.condition = Some(condition);
    Ok((append(core, request).await?, state))
}

/// Looks, decides and appends, again and again while others are first.
pub(crate) async fn decide_on<A: Aggregate, E>(
    core: &SharedCore,
    query: &TagQuery,
    stream_id: StreamId,
    decision: impl FnMut(&A) -> Result<Vec<A::Event>, E>,
) -> Result<TagDecided<A>, DecideError<E>> {
    let operation = operation!(core, "decide", A::NAME).stream(stream_id);
    operation.run_any(decide_until(core, query, stream_id, decision)).await
}

async fn decide_until<A: Aggregate, E>(
    core: &SharedCore,
    query: &TagQuery,
    stream_id: StreamId,
    mut decision: impl FnMut(&A) -> Result<Vec<A::Event>, E>,
) -> Result<TagDecided<A>, DecideError<E>> {
    let rules = Rules::of(core);
    let mut backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(100));
    loop {
        let observed = observe::<A>(core, query).await?;
        let decided = decision(&observed.state).map_err(DecideError::Rejected)?;
        if decided.is_empty() {
            return Ok(TagDecided { state: observed.state, appended: None });
        }
        match append_observed(core, observed, stream_id, &decided, &rules).await {
            Ok((appended, state)) => return Ok(TagDecided { state, appended: Some(appended) }),
            Err(error @ (Error::TagConflict { .. } | Error::Contention(_))) if backoff.tries() < TRIES => {
                tracing::debug!(%error, %stream_id, "a decision on tags is made anew");
                tokio::time::sleep(backoff.next()).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

//! One event to each of several streams: what a batch is, as a rule.

use sqlx::postgres::PgArguments;
use sqlx::{PgConnection, Row};

use super::{Append, Column, Outcome};
use crate::Result;
use crate::model::Appended;
use crate::sql::{self, Texts};
use crate::storage::ask::query_with;
use crate::storage::bind::push;

/// The event of each, when all are one event and nothing else.
pub(super) fn events<'a>(appends: &[&'a Append]) -> Option<Vec<&'a Column>> {
    let only = |append: &&'a Append| match append.events.as_slice() {
        [event] if append.is_plain() => Some(event),
        _ => None,
    };
    appends.iter().map(only).collect()
}

/// Appends them, sorted by stream, in one statement.
pub(super) async fn append(
    conn: &mut PgConnection,
    texts: &Texts,
    appends: &[&Append],
    events: &[&Column],
    wait: &str,
) -> Result<Vec<Outcome>> {
    let arguments = arguments(appends, events, wait)?;
    let rows = query_with(texts.statement(sql::APPEND_EACH), arguments).fetch_all(conn).await?;
    let mut outcomes: Vec<Outcome> = appends.iter().map(|_| Outcome::NotAsExpected).collect();
    for row in rows {
        let number: i64 = row.try_get(3)?;
        let at = usize::try_from(number - 1).unwrap_or(usize::MAX);
        if let (Some(append), Some(outcome)) = (appends.get(at), outcomes.get_mut(at)) {
            *outcome = Outcome::Appended(Appended {
                stream_id: append.stream_id,
                version: row.try_get(0)?,
                positions: vec![row.try_get(1)?],
                created_at: row.try_get(2)?,
                repeated: false,
            });
        }
    }
    Ok(outcomes)
}

fn arguments(appends: &[&Append], events: &[&Column], wait: &str) -> Result<PgArguments> {
    let (streams, events) = (|| appends.iter(), || events.iter());
    let mut arguments = PgArguments::default();
    let it = &mut arguments;
    push(it, streams().map(|a| a.stream_id.0).collect::<Vec<_>>())?;
    push(it, streams().map(|a| a.category.as_str()).collect::<Vec<_>>())?;
    push(it, streams().map(|a| a.expected.as_parameter()).collect::<Vec<_>>())?;
    push(it, events().map(|e| e.id).collect::<Vec<_>>())?;
    push(it, events().map(|e| e.typ.as_str()).collect::<Vec<_>>())?;
    push(it, events().map(|e| e.type_version).collect::<Vec<_>>())?;
    push(it, events().map(|e| e.body.as_str()).collect::<Vec<_>>())?;
    push(it, events().map(|e| e.headers.as_deref()).collect::<Vec<_>>())?;
    push(it, events().map(|e| e.causation_id).collect::<Vec<_>>())?;
    push(it, events().map(|e| e.correlation_id).collect::<Vec<_>>())?;
    push(it, wait)?;
    Ok(arguments)
}

//! Epochs: which history positions belong to.

use sqlx::{PgConnection, Row};

use super::ask::query;
use crate::Result;
use crate::model::Checkpoint;
use crate::sql::{self, Texts};

/// A history that began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Epoch {
    /// Its number; grows.
    pub number: i32,
    /// The last position drawn before it began. The next one is at least a million above.
    pub after_position: i64,
}

/// Begins a new epoch.
pub(crate) async fn begin(conn: &mut PgConnection, texts: &Texts) -> Result<Epoch> {
    let row = query(texts.statement(sql::BEGIN_EPOCH)).fetch_one(conn).await?;
    Ok(Epoch { number: row.try_get(0)?, after_position: row.try_get(1)? })
}

/// The checkpoint as it is good for this history; `None` when it comes from another one.
///
/// What an older epoch passed without an event may hold events in this one: it is looked at again.
pub(crate) async fn resume(
    conn: &mut PgConnection,
    texts: &Texts,
    checkpoint: &Checkpoint,
) -> Result<Option<Checkpoint>> {
    let at = checkpoint.last.map(|(position, _)| position);
    let row = query(texts.statement(sql::HISTORY)).bind(at).fetch_one(conn).await?;
    let (epoch, drawn): (i32, i64) = (row.try_get(0)?, row.try_get(1)?);
    let same_event =
        checkpoint.last.is_none_or(|(_, id)| row.try_get(2).is_ok_and(|found: Option<_>| found == Some(id)));
    let same_epoch = checkpoint.epoch == epoch || checkpoint.epoch == 0;
    let position = if same_epoch { checkpoint.position } else { at.unwrap_or(0) };
    Ok((same_event && position <= drawn).then_some(Checkpoint { epoch, position, ..*checkpoint }))
}

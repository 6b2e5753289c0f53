//! The mark: the position up to which the global order is settled.

use sqlx::{PgConnection, Row};

use super::ask::query;
use crate::Result;
use crate::model::fingerprint;
use crate::sql::{self, Texts};

/// What a look at the log's head says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    /// Every event up to here is visible, or never will be.
    pub(crate) mark: i64,
    /// The last position drawn. Above the mark: an append is open.
    pub(crate) drawn: i64,
}

/// Computes the mark. Rows up to it must be read in a later statement.
pub(crate) async fn safe_mark(conn: &mut PgConnection, texts: &Texts) -> Result<Head> {
    let row = query(texts.statement(sql::SAFE_MARK)).fetch_one(conn).await?;
    Ok(Head { mark: row.try_get(0)?, drawn: row.try_get(1)? })
}

/// Publishes the mark and notifies the listeners, when it moved.
pub(crate) async fn publish(conn: &mut PgConnection, texts: &Texts, mark: i64) -> Result<()> {
    query(texts.statement(sql::PUBLISH_MARK)).bind(mark).bind(channel(texts)).execute(conn).await?;
    Ok(())
}

/// The channel on which marks are published.
pub(crate) fn channel(texts: &Texts) -> String {
    channel_of(texts, "rillflow_mark")
}

/// What PostgreSQL takes for the name of a channel.
const LONGEST_CHANNEL: usize = 63;

/// The schema's own channel of this name, shortened where PostgreSQL would refuse it.
pub(super) fn channel_of(texts: &Texts, name: &str) -> String {
    let channel = texts.qualify(&format!("public.{name}"));
    if channel.len() <= LONGEST_CHANNEL {
        return channel;
    }
    format!("{name}_{:016x}", fingerprint(texts.schema().as_str(), 1))
}

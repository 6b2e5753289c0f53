//! Rows as a stream: read as they are asked for, and given up at any time.

use std::time::Duration;

use futures_util::stream::{BoxStream, Stream, poll_fn};
use futures_util::{FutureExt, TryStreamExt};
use sqlx::Connection as _;
use sqlx::postgres::PgRow;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Sender, channel};

use super::SharedCore;
use super::connections::Connection;
use crate::Result;
use crate::observe::operation;
use crate::storage::rows::{Reader, Statement, fetch};

/// How long the rest of an answer that nobody wants may take, before it ends with its connection.
const PATIENCE: Duration = Duration::from_millis(50);

/// The items that `reader` makes of a statement's rows: an operation `query` on `collection`, from the first poll to the
/// last row, an error, or the drop.
///
/// What is in memory is one item, one row and a socket's buffer: a slow reader makes the server wait. No task is
/// spawned; what is not polled does not run.
pub(crate) fn stream<R: Reader + 'static>(
    core: SharedCore,
    collection: Box<str>,
    statement: Result<Statement>,
    reader: R,
) -> impl Stream<Item = Result<R::Item>> + Send + 'static
where
    R::Item: 'static,
{
    let (items, mut received) = channel(1);
    let mut source = Box::pin(read_into(items, core, collection, statement, reader)).fuse();
    poll_fn(move |cx| {
        if let ready @ std::task::Poll::Ready(_) = received.poll_recv(cx) {
            return ready;
        }
        let _done = source.poll_unpin(cx);
        received.poll_recv(cx)
    })
}

/// Reads all rows; the receiver is at the other end of the same stream, so there is no item that nobody takes.
async fn read_into<R: Reader>(
    items: Sender<Result<R::Item>>,
    core: SharedCore,
    collection: Box<str>,
    statement: Result<Statement>,
    mut reader: R,
) {
    let reading = async {
        let mut conn = Unfinished(Some(core.pool.acquire().await?));
        if let Some(inner) = &mut conn.0 {
            let statement = statement?;
            if statement.in_transaction() {
                let mut tx = inner.begin().await?;
                read_all(&items, fetch(&mut tx, statement), &mut reader).await?;
                tx.commit().await?;
            } else {
                read_all(&items, fetch(inner, statement), &mut reader).await?;
            }
        }
        conn.0 = None;
        if let Some(item) = reader.end() {
            let _received = items.send(Ok(item)).await;
        }
        Ok(())
    };
    if let Err(error) = operation!(&core, "query", &*collection).run_while_wanted(reading).await {
        let _received = items.send(Err(error)).await;
    }
}

async fn read_all<R: Reader>(
    items: &Sender<Result<R::Item>>,
    mut rows: BoxStream<'_, Result<PgRow>>,
    reader: &mut R,
) -> Result<()> {
    while let Some(row) = rows.try_next().await? {
        if let Some(item) = reader.row(&row)? {
            let _received = items.send(Ok(item)).await;
        }
    }
    Ok(())
}

/// A connection in the midst of an answer.
struct Unfinished(Option<Connection>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        let Some(conn) = self.0.take() else { return };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(give_back(conn))),
            Err(_gone) => drop(conn.leak()), // and the pool with its runtime
        }
    }
}

/// Gives a connection back once the rest of its answer was read, or closes it when that would take long: then the
/// server finds nobody to send to, and ends the statement.
async fn give_back(mut conn: Connection) {
    if !matches!(tokio::time::timeout(PATIENCE, conn.ping()).await, Ok(Ok(())))
        && let Err(error) = conn.close().await
    {
        tracing::debug!(%error, "a connection was given up in the midst of an answer");
    }
}

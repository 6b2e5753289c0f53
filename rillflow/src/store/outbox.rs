//! The outbox: messages for other systems.

use sqlx::PgConnection;

use crate::Result;
use crate::model::{Message, OutboxMessage};
use crate::runtime::SharedCore;
use crate::runtime::marks::Marks;
use crate::storage::marks;
use crate::storage::outbox::{self, Outgoing};

/// The messages of a store that wait to be handed on.
///
/// Messages are published with what they tell of: in a [`Session`](crate::Session::publish), beside events through
/// [`AppendBuilder::publish`](crate::AppendBuilder::publish), or in the application's own transaction.
#[derive(Clone, Copy, Debug)]
pub struct Outbox<'s> {
    core: &'s SharedCore,
}

impl<'s> Outbox<'s> {
    pub(super) fn new(core: &'s SharedCore) -> Self {
        Self { core }
    }

    /// Publishes a message by itself, and returns its position.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`](crate::Error::Encode) when it does not serialise,
    /// [`Error::AlreadyPublished`](crate::Error::AlreadyPublished) when one of this id still waits.
    pub async fn publish(self, message: Message) -> Result<i64> {
        let mut conn = self.core.pool.acquire().await?;
        self.publish_in_tx(&mut conn, message).await
    }

    /// Publishes a message in the caller's own transaction: nobody sees it before that commits.
    ///
    /// Readers of all streams, and relays, wait for the transaction from here on: keep what follows short.
    ///
    /// ```no_run
    /// # async fn take_from_stock(tx: &mut sqlx::PgConnection) -> rillflow::Result<()> { Ok(()) }
    /// # async fn example(store: rillflow::Store) -> rillflow::Result<()> {
    /// use rillflow::Message;
    ///
    /// let mut tx = store.begin().await?;
    /// take_from_stock(&mut tx).await?; // the application's own SQL
    /// store.outbox().publish_in_tx(&mut tx, Message::new("stock", "tea", &-1)).await?;
    /// tx.commit().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    pub async fn publish_in_tx(self, tx: &mut PgConnection, message: Message) -> Result<i64> {
        let message = Outgoing::new(message)?;
        self.core.join(tx).await?;
        let positions = outbox::publish(tx, &self.core.texts, &[message]).await?;
        let position = positions.last().copied().unwrap_or(0);
        Marks::appended(self.core, position);
        Ok(position)
    }

    /// Reads up to `limit` messages after a position, in their order.
    ///
    /// Never reads past a transaction that is still open: a message that comes later has a higher position.
    ///
    /// # Errors
    ///
    /// [`Error::Schema`](crate::Error::Schema) when the schema was not synced.
    pub async fn read(self, after: i64, limit: i64) -> Result<Vec<OutboxMessage>> {
        let mut conn = self.core.pool.acquire().await?;
        let mark = marks::safe_mark(&mut conn, &self.core.texts).await?.mark;
        outbox::read(&mut conn, &self.core.texts, after, mark, limit).await
    }

    /// Deletes the messages up to a position that [`read`](Self::read) gave, and says how many.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub async fn delete_up_to(self, position: i64) -> Result<u64> {
        let mut conn = self.core.pool.acquire().await?;
        outbox::delete_up_to(&mut conn, &self.core.texts, position).await
    }
}

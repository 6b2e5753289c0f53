//! What caused what, from stored events.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Events;
use crate::Result;
use crate::observe::{Causality, operation};
use crate::storage::{events, marks};

/// More would be no diagram that anybody reads.
const MOST: i64 = 1000;

impl Events<'_> {
    /// The events of one correlation id, up to the safe mark: what was caused together. The first 1000 of them.
    ///
    /// No index serves it, as one would cost every append: it reads the log from `since` on, which a BRIN index narrows;
    /// `None` reads all of it.
    ///
    /// ```no_run
    /// # async fn example(store: rillflow::Store, correlation_id: uuid::Uuid) -> rillflow::Result<()> {
    /// let causality = store.events().causality(correlation_id, None).await?;
    /// println!("{}", causality.to_mermaid());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Schema`](crate::Error::Schema) when the schema was not synced.
    pub async fn causality(self, correlation_id: Uuid, since: Option<DateTime<Utc>>) -> Result<Causality> {
        let core = self.core;
        let work = async {
            let mut conn = core.pool.acquire().await?;
            let mark = marks::safe_mark(&mut conn, &core.texts).await?.mark;
            events::read_correlated(&mut conn, &core.texts, correlation_id, mark, since, MOST).await
        };
        let found = operation!(core, "causality", "events").run(work).await?;
        let categories = found.iter().map(|(event, category)| (event.stream_id.0, category.clone())).collect();
        Ok(Causality { correlation_id, events: found.into_iter().map(|(event, _)| event).collect(), categories })
    }
}

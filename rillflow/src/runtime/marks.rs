//! The marker: publishes how far the global order is settled, so that writers need not.
//!
//! Every process that appends runs one; it sleeps until somebody appends here, or until its poll when somebody here
//! waits for events. Any of them may publish, as the mark only grows.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::{Core, SharedCore, Task, warm};
use crate::storage::marks;

/// How often the head is looked at while somebody waits for events and nothing is known to be open: what other software
/// inserted is found then, and what was told while nobody listened. With the check of a connection that rested, this and
/// the members' heartbeat stay below one statement per second.
const POLL: Duration = Duration::from_secs(3);
/// How often, where nobody can listen.
const POLL_UNHEARD: Duration = Duration::from_millis(200);
/// How long the server may take to tell: a connection that is silent for longer is given up.
const DEADLINE: Duration = Duration::from_secs(5);
/// How soon after an append that the mark has not reached it is looked at again, and the longest such pause.
const SOON: Duration = Duration::from_millis(2);
/// How soon while nobody here waits for events: a look costs as much as some appends, and others hear of it by then.
const UNHURRIED: Duration = Duration::from_millis(4);
const LATE: Duration = Duration::from_millis(50);

/// The mark as this process knows it.
#[derive(Debug)]
pub(crate) struct Marks {
    known: watch::Sender<i64>,
    /// The highest position appended here: until the mark reaches it, the marker looks often.
    appended: AtomicI64,
    wake: Arc<Notify>,
    task: OnceLock<Task>,
}

impl Default for Marks {
    fn default() -> Self {
        Self { known: watch::Sender::new(0), appended: AtomicI64::new(0), wake: Arc::default(), task: OnceLock::new() }
    }
}

impl Marks {
    /// Notes an append of this process.
    pub(crate) fn appended(core: &SharedCore, position: i64) {
        core.marks.appended.fetch_max(position, Ordering::Relaxed);
        Self::start(core);
        core.marks.wake.notify_one();
    }

    /// Looks at the head again now, as a publication may have been missed.
    pub(crate) fn look_again(&self) {
        self.wake.notify_one();
    }

    /// Notes what another process published.
    pub(crate) fn heard(&self, mark: i64) {
        self.known.send_if_modified(|known| {
            let moved = *known < mark;
            *known = (*known).max(mark);
            moved
        });
    }

    /// Follows the mark. While anybody does, the marker polls.
    pub(crate) fn follow(core: &SharedCore) -> watch::Receiver<i64> {
        let following = core.marks.known.subscribe();
        Self::start(core);
        core.marks.wake.notify_one();
        following
    }

    fn start(core: &SharedCore) {
        core.marks.task.get_or_init(|| {
            // weak, so that the last store to be dropped takes the marker with it
            let weak = Arc::downgrade(core);
            let wake = Arc::clone(&core.marks.wake);
            Task::spawn(async move {
                let mut published = 0;
                let mut pause = SOON;
                while let Some(core) = weak.upgrade() {
                    let poll = if core.session_options().is_some() { POLL } else { POLL_UNHEARD };
                    let idle = core.marks.known.receiver_count() == 0;
                    let open = match look(&core, &mut published).await {
                        Ok(open) => open,
                        Err(error) => {
                            tracing::warn!(%error, "could not look at the head of the event log; trying again");
                            true
                        }
                    };
                    drop(core);
                    pause = if open { (pause * 2).min(LATE) } else { SOON };
                    // those who append all the time share one look: it costs them more than it tells anybody sooner
                    tokio::time::sleep(if idle { UNHURRIED } else { SOON }).await;
                    let timeout = if open { pause } else { poll };
                    if idle && !open {
                        wake.notified().await;
                    } else {
                        // an elapsed poll is as good a reason to look as a wake-up
                        let _elapsed = tokio::time::timeout(timeout, wake.notified()).await;
                    }
                }
            })
        });
    }
}

/// Computes the mark, tells those who follow it here, and publishes it when it moved past what this process published.
/// True when an append is open, or was when the mark was computed.
async fn look(core: &SharedCore, published: &mut i64) -> crate::Result<bool> {
    let mut conn = warm::connection(core).await?;
    let Ok(head) = tokio::time::timeout(DEADLINE, marks::safe_mark(&mut conn, &core.texts)).await else {
        conn.give_up();
        let late = std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer from PostgreSQL in time");
        return Err(sqlx::Error::Io(late).into());
    };
    let head = head?;
    core.observer.mark(head.mark, head.drawn);
    core.marks.heard(head.mark);
    if head.mark > *published {
        marks::publish(&mut conn, &core.texts, head.mark).await?;
        *published = head.mark;
    }
    conn.rest();
    Ok(head.mark < head.drawn.max(core.marks.appended.load(Ordering::Relaxed)))
}

impl Core {
    /// The mark as this process knows it.
    pub(crate) fn known_mark(&self) -> i64 {
        *self.marks.known.borrow()
    }
}

//! What a torture came to.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// What was counted, as text for people and as JSON whose field names are kept.
///
/// ```no_run
/// # async fn example() -> rillflow::Result<()> {
/// use rillflow::testing::torture::Torture;
///
/// let report = Torture::new().run().await?;
/// assert!(report.is_clean(), "{report}");
/// assert!(report.events_stored > 100);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// Transactions whose commit was acknowledged.
    pub transactions_committed: usize,
    /// Transactions rolled back by their writer, or refused.
    pub transactions_given_up: usize,
    /// Events of the committed transactions.
    pub events_acknowledged: usize,
    /// Events of those given up.
    pub events_given_up: usize,
    /// Events in the table after the last writer.
    pub events_stored: usize,
    /// Readers of all events, beside the projection.
    pub readers: usize,
    /// How long a committed event had to wait for an append that was still open; milliseconds in JSON.
    #[serde(rename = "longest_wait_ms", serialize_with = "millis")]
    pub longest_wait: Duration,
    /// How long the mark stayed below an event that nothing open explains; milliseconds in JSON.
    #[serde(rename = "longest_stall_ms", serialize_with = "millis")]
    pub longest_stall: Duration,
    /// All of them must be nought.
    pub faults: Faults,
    /// Errors that nothing explains.
    pub errors: Vec<String>,
}

/// What must not happen, and how often it did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Faults {
    /// Events acknowledged and not stored.
    pub lost: usize,
    /// Events rolled back or refused, and stored.
    pub given_up_and_stored: usize,
    /// Events stored more than once.
    pub stored_twice: usize,
    /// Appends that were written although another version was expected.
    pub wrong_version: usize,
    /// Events stored out of their stream's order, or after a hole in it.
    pub stored_out_of_order: usize,
    /// Stored events that a reader never saw, added up over the readers.
    pub unseen: usize,
    /// Events that a reader saw again.
    pub seen_twice: usize,
    /// Events that a reader saw after a later one.
    pub seen_out_of_global_order: usize,
    /// Events that a reader saw out of their stream's order.
    pub seen_out_of_stream_order: usize,
    /// Documents of the projection that are wrong or missing.
    pub wrong_documents: usize,
    /// How often the published mark went back.
    pub mark_steps_back: usize,
    /// 1 when the mark stayed behind nothing for longer than a quarter of a second.
    pub mark_stalls: usize,
}

impl Report {
    /// True when nothing went wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.faults == Faults::default() && self.errors.is_empty()
    }
}

impl Faults {
    fn named(&self) -> [(&'static str, usize); 12] {
        [
            ("acknowledged and lost", self.lost),
            ("rolled back and stored", self.given_up_and_stored),
            ("stored twice", self.stored_twice),
            ("written although another version was expected", self.wrong_version),
            ("stored out of their stream's order, or after a hole", self.stored_out_of_order),
            ("never seen by a reader", self.unseen),
            ("seen twice by a reader", self.seen_twice),
            ("seen out of the global order", self.seen_out_of_global_order),
            ("seen out of their stream's order", self.seen_out_of_stream_order),
            ("documents of the projection that are wrong or missing", self.wrong_documents),
            ("steps back of the published mark", self.mark_steps_back),
            ("stalls of the mark behind nothing", self.mark_stalls),
        ]
    }
}

/// A table: how many, and of what; then the first errors, and the verdict.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, value: String| writeln!(f, "{value:>12}  {name}");
        line("transactions committed", self.transactions_committed.to_string())?;
        line("transactions rolled back or refused", self.transactions_given_up.to_string())?;
        line("events acknowledged", self.events_acknowledged.to_string())?;
        line("events rolled back or refused", self.events_given_up.to_string())?;
        line("events stored", self.events_stored.to_string())?;
        line("readers of all of them, beside the projection", self.readers.to_string())?;
        line("longest wait of a committed event for an open append", format!("{:.1?}", self.longest_wait))?;
        line("longest stall of the mark behind nothing", format!("{:.1?}", self.longest_stall))?;
        for (name, count) in self.faults.named() {
            line(name, count.to_string())?;
        }
        line("errors", self.errors.len().to_string())?;
        self.errors.iter().take(5).try_for_each(|error| writeln!(f, "{error}"))?;
        f.write_str(if self.is_clean() {
            "\nNothing was lost, doubled, reordered or held back."
        } else {
            "\nFAILED: each of the counts under the longest stall has to be 0."
        })
    }
}

fn millis<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64() * 1000.0)
}

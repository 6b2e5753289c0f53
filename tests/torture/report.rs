//! The count, and what it says.

use std::collections::HashSet;
use std::fmt;
use std::time::{Duration, Instant};

use super::domain::Tally;
use super::ledger::{Deed, Outcome, Stored};
use super::readers::{Samples, Seen};

/// How long the mark may stay behind for no reason. Locks go before the client hears of its commit, so this is noise.
const LONGEST_STALL: Duration = Duration::from_millis(250);

/// What was counted. All of [`faults`](Self::faults) must be nought.
#[derive(Debug)]
pub struct Report {
    deeds: Vec<Deed>,
    stored: Stored,
    readers: usize,
    faults: Vec<(&'static str, usize)>,
    longest_stall: Duration,
    longest_wait: Duration,
    failures: Vec<String>,
}

impl Report {
    pub(super) fn new(deeds: Vec<Deed>, stored: Stored) -> Self {
        let failures = deeds
            .iter()
            .filter_map(|it| match &it.outcome {
                Outcome::Failed(error) => Some(format!("a writer: {error}")),
                _ => None,
            })
            .collect();
        let (stall, wait) = (Duration::ZERO, Duration::ZERO);
        let mut report =
            Self { deeds, stored, readers: 0, faults: Vec::new(), longest_stall: stall, longest_wait: wait, failures };
        report.writers();
        report
    }

    /// Compares what the writers were told with what is there.
    fn writers(&mut self) {
        let (doubles, positions) = self.stored.by_number();
        let count = |outcome: &Outcome, stored: bool| {
            let deeds = self.deeds.iter().filter(|it| it.outcome == *outcome);
            deeds.flat_map(|it| &it.numbers).filter(|number| positions.contains_key(number) == stored).count()
        };
        let lost = count(&Outcome::Committed, false);
        let undead = count(&Outcome::GivenUp, true);
        let wrong = self.deeds.iter().filter(|it| it.outcome == Outcome::WrongVersion).count();
        let out_of_order = self.stored.out_of_order();
        self.fault("acknowledged and lost", lost);
        self.fault("rolled back and stored", undead);
        self.fault("stored twice", doubles);
        self.fault("written although another version was expected", wrong);
        self.fault("stored out of their stream's order, or after a hole", out_of_order);
    }

    /// Compares what one reader saw with what is there.
    pub(super) fn reader(&mut self, seen: Seen) {
        self.readers += 1;
        let distinct: HashSet<_> = seen.events.iter().copied().collect();
        let lost = self.stored.0.iter().filter(|it| !distinct.contains(&(it.position, it.number))).count();
        self.fault("never seen by a reader", lost);
        self.fault("seen twice by a reader", seen.events.len() - distinct.len());
        self.fault("seen out of the global order", seen.reordered);
        self.fault("seen out of their stream's order", seen.out_of_stream_order);
        self.failures.extend(seen.failure.map(|it| format!("a reader: {it}")));
    }

    /// Compares the read model with what is there.
    pub(super) fn projection(&mut self, caught_up: rillflow::Result<()>, found: &[Tally]) {
        self.failures.extend(caught_up.err().map(|it| format!("the projection: {it}")));
        let mut expected = self.stored.tallies();
        let right =
            |it: &&Tally| it.faults == 0 && expected.get(&it.id).is_some_and(|&tally| tally == (it.events, it.sum));
        let right: Vec<_> = found.iter().filter(right).map(|it| it.id).collect();
        let wrong = found.len() - right.len();
        for id in right {
            expected.remove(&id);
        }
        self.fault("documents of the projection that are wrong or missing", wrong.max(expected.len()));
    }

    /// Compares the mark with what was open: it may stay below an event only for an append that is itself still open
    /// and may have begun before that event's positions were drawn.
    pub(super) fn mark(&mut self, samples: Samples) {
        self.fault("steps back of the published mark", samples.backwards);
        let open = OpenUntil::new(&self.deeds);
        let (_, positions) = self.stored.by_number();
        for deed in self.deeds.iter().filter(|it| it.outcome == Outcome::Committed) {
            let Some(position) = deed.numbers.iter().filter_map(|number| positions.get(number)).max() else { continue };
            // the last time that the mark is known to have been below
            let below = samples.taken.partition_point(|&(_, mark)| mark < *position);
            let Some(&(asked, _)) = below.checked_sub(1).and_then(|last| samples.taken.get(last)) else { continue };
            self.longest_wait = self.longest_wait.max(asked.saturating_duration_since(deed.ended));
            let excused = open.by_those_begun_before(deed.ended);
            self.longest_stall = self.longest_stall.max(asked.saturating_duration_since(excused));
        }
        self.fault("stalls of the mark behind nothing", usize::from(self.longest_stall > LONGEST_STALL));
        self.failures.extend(samples.failure.map(|it| format!("the mark: {it}")));
    }

    fn fault(&mut self, name: &'static str, count: usize) {
        match self.faults.iter_mut().find(|it| it.0 == name) {
            Some(fault) => fault.1 += count,
            None => self.faults.push((name, count)),
        }
    }

    /// The position of the last event.
    #[must_use]
    pub fn last_position(&self) -> i64 {
        self.stored.last_position()
    }

    /// How many events are stored.
    #[must_use]
    pub fn stored(&self) -> usize {
        self.stored.0.len()
    }

    /// What went wrong, by name and count; without those that did not happen.
    #[must_use]
    pub fn faults(&self) -> Vec<(&'static str, usize)> {
        self.faults.iter().copied().filter(|it| it.1 > 0).collect()
    }

    /// Errors that nothing explains.
    #[must_use]
    pub fn failures(&self) -> &[String] {
        &self.failures
    }

    /// True when nothing went wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.faults().is_empty() && self.failures.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |outcome| self.deeds.iter().filter(move |it| it.outcome == outcome);
        let events = |outcome| of(outcome).map(|it| it.numbers.len()).sum::<usize>();
        let mut line = |name: &str, value: String| writeln!(f, "{value:>12}  {name}");
        line("transactions committed", of(Outcome::Committed).count().to_string())?;
        line("transactions rolled back or refused", of(Outcome::GivenUp).count().to_string())?;
        line("events acknowledged", events(Outcome::Committed).to_string())?;
        line("events rolled back or refused", events(Outcome::GivenUp).to_string())?;
        line("events stored", self.stored().to_string())?;
        line("readers of all of them, beside the projection", self.readers.to_string())?;
        line("longest wait of a committed event for an open append", format!("{:.1?}", self.longest_wait))?;
        line("longest stall of the mark behind nothing", format!("{:.1?}", self.longest_stall))?;
        for (name, count) in &self.faults {
            line(name, count.to_string())?;
        }
        line("errors", self.failures.len().to_string())?;
        self.failures.iter().take(5).try_for_each(|failure| writeln!(f, "{failure}"))
    }
}

/// When the last of those that had begun before a given time ended.
struct OpenUntil(Vec<(Instant, Instant)>);

impl OpenUntil {
    fn new(deeds: &[Deed]) -> Self {
        let mut spans: Vec<_> = deeds.iter().map(|it| (it.began, it.ended)).collect();
        spans.sort_unstable();
        let mut latest = None;
        for span in &mut spans {
            span.1 = latest.map_or(span.1, |latest| span.1.max(latest));
            latest = Some(span.1);
        }
        Self(spans)
    }

    fn by_those_begun_before(&self, time: Instant) -> Instant {
        let begun = self.0.partition_point(|&(began, _)| began < time);
        begun.checked_sub(1).map_or(time, |last| self.0[last].1.max(time))
    }
}

//! The count: what was told, what is there, and what was seen.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::domain::Tally;
use super::ledger::{Deed, Outcome, Stored};
use super::readers::{Samples, Seen};
use super::report::Report;

/// How long the mark may stay behind for no reason. Locks go before the client hears of its commit, so this is noise.
const LONGEST_STALL: Duration = Duration::from_millis(250);

/// What is compared, and what came of it so far.
#[derive(Debug)]
pub(super) struct Count {
    deeds: Vec<Deed>,
    stored: Stored,
    report: Report,
}

impl Count {
    pub(super) fn new(deeds: Vec<Deed>, stored: Stored) -> Self {
        let mut count = Self { deeds, stored, report: Report::default() };
        count.totals();
        count.writers();
        count
    }

    pub(super) fn last_position(&self) -> i64 {
        self.stored.last_position()
    }

    pub(super) fn report(self) -> Report {
        self.report
    }

    fn totals(&mut self) {
        let Self { deeds, stored, report } = self;
        for deed in deeds.iter() {
            let (transactions, events) = match &deed.outcome {
                Outcome::Committed => (&mut report.transactions_committed, &mut report.events_acknowledged),
                Outcome::GivenUp => (&mut report.transactions_given_up, &mut report.events_given_up),
                Outcome::WrongVersion => continue,
                Outcome::Failed(error) => {
                    report.errors.push(format!("a writer: {error}"));
                    continue;
                }
            };
            *transactions += 1;
            *events += deed.numbers.len();
        }
        report.events_stored = stored.0.len();
    }

    /// Compares what the writers were told with what is there.
    fn writers(&mut self) {
        let (doubles, positions) = self.stored.by_number();
        let count = |outcome: &Outcome, stored: bool| {
            let deeds = self.deeds.iter().filter(|it| it.outcome == *outcome);
            deeds.flat_map(|it| &it.numbers).filter(|number| positions.contains_key(number) == stored).count()
        };
        let faults = &mut self.report.faults;
        faults.lost = count(&Outcome::Committed, false);
        faults.given_up_and_stored = count(&Outcome::GivenUp, true);
        faults.stored_twice = doubles;
        faults.wrong_version = self.deeds.iter().filter(|it| it.outcome == Outcome::WrongVersion).count();
        faults.stored_out_of_order = self.stored.out_of_order();
    }

    /// Compares what one reader saw with what is there.
    pub(super) fn reader(&mut self, seen: Seen) {
        let distinct: HashSet<_> = seen.events.iter().copied().collect();
        self.report.readers += 1;
        self.report.errors.extend(seen.failure.map(|it| format!("a reader: {it}")));
        let faults = &mut self.report.faults;
        faults.unseen += self.stored.0.iter().filter(|it| !distinct.contains(&(it.position, it.number))).count();
        faults.seen_twice += seen.events.len() - distinct.len();
        faults.seen_out_of_global_order += seen.reordered;
        faults.seen_out_of_stream_order += seen.out_of_stream_order;
    }

    /// Compares the read model with what is there.
    pub(super) fn projection(&mut self, caught_up: crate::Result<()>, found: &[Tally]) {
        self.report.errors.extend(caught_up.err().map(|it| format!("the projection: {it}")));
        let mut expected = self.stored.tallies();
        let right =
            |it: &&Tally| it.faults == 0 && expected.get(&it.id).is_some_and(|&tally| tally == (it.events, it.sum));
        let right: Vec<_> = found.iter().filter(right).map(|it| it.id).collect();
        let wrong = found.len() - right.len();
        for id in right {
            expected.remove(&id);
        }
        self.report.faults.wrong_documents = wrong.max(expected.len());
    }

    /// Compares the mark with what was open: it may stay below an event only for an append that is itself still open
    /// and may have begun before that event's positions were drawn.
    pub(super) fn mark(&mut self, samples: Samples) {
        let open = OpenUntil::new(&self.deeds);
        let (_, positions) = self.stored.by_number();
        let report = &mut self.report;
        for deed in self.deeds.iter().filter(|it| it.outcome == Outcome::Committed) {
            let Some(position) = deed.numbers.iter().filter_map(|number| positions.get(number)).max() else { continue };
            // the last time that the mark is known to have been below
            let below = samples.taken.partition_point(|&(_, mark)| mark < *position);
            let Some(&(asked, _)) = below.checked_sub(1).and_then(|last| samples.taken.get(last)) else { continue };
            report.longest_wait = report.longest_wait.max(asked.saturating_duration_since(deed.ended));
            let excused = open.by_those_begun_before(deed.ended);
            report.longest_stall = report.longest_stall.max(asked.saturating_duration_since(excused));
        }
        report.faults.mark_steps_back = samples.backwards;
        report.faults.mark_stalls = usize::from(report.longest_stall > LONGEST_STALL);
        report.errors.extend(samples.failure.map(|it| format!("the mark: {it}")));
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

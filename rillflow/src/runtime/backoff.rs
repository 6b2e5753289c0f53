//! How long to wait before the next try.

use std::time::Duration;

/// Doubles from `first` to `longest`, with up to a quarter taken off, so that those who failed together do not try
/// together again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    tries: u32,
}

impl Backoff {
    pub(crate) const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, tries: 0 }
    }

    /// As it stands after so many tries.
    pub(crate) const fn after(self, tries: u32) -> Self {
        Self { tries, ..self }
    }

    /// The delay before the next try.
    pub(crate) fn next(&mut self) -> Duration {
        let full = self.first.saturating_mul(1 << self.tries.min(20)).min(self.longest);
        self.tries += 1;
        full.mul_f64(1.0 - jitter() / 4.0)
    }

    /// How many tries were begun since the last success.
    pub(crate) const fn tries(&self) -> u32 {
        self.tries
    }

    pub(crate) const fn reset(&mut self) {
        self.tries = 0;
    }
}

/// From 0 to 1; a random id is as random as this needs.
fn jitter() -> f64 {
    f64::from(uuid::Uuid::new_v4().as_fields().0) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_doubles_up_to_the_longest() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let delays: Vec<_> = (0..6).map(|_| backoff.next().as_millis()).collect();
        for (delay, full) in delays.iter().zip([100, 200, 400, 800, 1000, 1000]) {
            assert!((full * 3 / 4..=full).contains(delay), "{delay} of {full}");
        }
    }

    #[test]
    fn a_success_begins_again() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        backoff.next();
        backoff.next();
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(100));
    }
}

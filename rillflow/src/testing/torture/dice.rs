//! Chance that can be repeated.

use std::time::Duration;

/// A splitmix64 generator: good enough to choose what to do next, and the same for the same seed.
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64, number: usize) -> Self {
        Self(seed.wrapping_add((number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }

    /// From 0 to `end - 1`.
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }

    /// True so many times in a hundred.
    pub(super) fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    /// How long a transaction is held open: mostly not, sometimes long.
    pub(super) fn hold(&mut self) -> Duration {
        let millis = match self.below(100) {
            0..60 => 0,
            60..97 => self.below(20),
            _ => 50 + self.below(250),
        };
        Duration::from_millis(millis as u64)
    }
}

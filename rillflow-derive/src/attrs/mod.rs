//! Step 1: attributes into plain values with spans. Every mistake is gathered, none stops the reading.

pub(crate) mod problems;

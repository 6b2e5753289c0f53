//! Step 1: attributes into plain values with spans. Every mistake is gathered, none stops the reading.

pub(crate) mod aggregate;
pub(crate) mod event;
pub(crate) mod options;
pub(crate) mod problems;
pub(crate) mod projection;

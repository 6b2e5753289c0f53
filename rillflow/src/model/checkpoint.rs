//! How far a reader outside of the store has come, and in which history.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

use super::EventEnvelope;
use crate::{Error, Result};

/// How the text begins: the version of its format.
const FORMAT: &str = "1";

/// How far a reader has come, for it to keep: the position, the last event it processed, and the history they belong to.
///
/// A database that was restored from a backup, or a standby that took over, may not have the events that a reader has seen,
/// and may give their positions to others. So a reader keeps more than a number, and shows it when it
/// [goes on](crate::Events::resume).
///
/// It is kept as text, by `to_string` and `parse`, or through serde.
///
/// ```
/// let checkpoint = rillflow::Checkpoint::default(); // before the first event
/// assert_eq!(checkpoint.to_string().parse::<rillflow::Checkpoint>()?, checkpoint);
/// # Ok::<(), rillflow::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    pub(crate) epoch: i32,
    pub(crate) position: i64,
    pub(crate) last: Option<(i64, Uuid)>,
}

impl Checkpoint {
    /// Where to go on reading: after this position.
    #[must_use]
    pub fn position(&self) -> i64 {
        self.position
    }

    /// The history that the position belongs to; 0 before the first [`resume`](crate::Events::resume).
    #[must_use]
    pub fn epoch(&self) -> i32 {
        self.epoch
    }

    /// Notes an event that was processed.
    pub fn processed(&mut self, event: &EventEnvelope) {
        self.last = Some((event.global_seq, event.event_id));
        self.position = self.position.max(event.global_seq);
    }

    /// Notes that there was nothing more up to a position, such as that of an [`EventPage`](crate::EventPage).
    pub fn passed(&mut self, position: i64) {
        self.position = self.position.max(position);
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{FORMAT}:{}:{}", self.epoch, self.position)?;
        self.last.map_or(Ok(()), |(position, id)| write!(f, ":{position}:{id}"))
    }
}

impl FromStr for Checkpoint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts: Vec<_> = text.split(':').collect();
        let read = || -> Option<Self> {
            let (epoch, position, last) = match parts.as_slice() {
                [FORMAT, epoch, position] => (epoch, position, None),
                [FORMAT, epoch, position, at, id] => (epoch, position, Some((at.parse().ok()?, id.parse().ok()?))),
                _ => return None,
            };
            Some(Self { epoch: epoch.parse().ok()?, position: position.parse().ok()?, last })
        };
        read().ok_or_else(|| Error::InvalidCheckpoint { text: text.to_owned() })
    }
}

impl Serialize for Checkpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Checkpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_survives_being_written_down_and_other_text_is_refused() {
        let last = Some((3, Uuid::from_u128(7)));
        for checkpoint in [Checkpoint::default(), Checkpoint { epoch: 2, position: 9, last }] {
            assert_eq!(checkpoint.to_string().parse::<Checkpoint>().ok(), Some(checkpoint));
            let json = serde_json::to_string(&checkpoint).unwrap_or_default();
            assert_eq!(serde_json::from_str::<Checkpoint>(&json).ok(), Some(checkpoint));
        }
        for text in ["", "9", "2:1:9", "1:1:x", "1:1:9:3", "1:1:9:3:no-id", "1:1:9:3:4:5"] {
            assert!(text.parse::<Checkpoint>().is_err(), "{text}");
        }
    }
}

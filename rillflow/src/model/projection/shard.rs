//! Parts of a projection: each handles the events of its own streams.

use sha2::{Digest, Sha256};

use crate::model::StreamId;

/// One of the parts that a projection is split into. Every stream belongs to one of them.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which, from 0.
    pub number: i32,
    /// Of how many.
    pub of: i32,
}

impl Shard {
    /// The projection as a whole.
    pub(crate) const WHOLE: Self = Self { number: 0, of: 1 };
    /// How many there are at most.
    pub(crate) const MOST: i32 = 1024;

    /// Whether the events of a stream are its own.
    pub(crate) fn holds(self, stream: StreamId) -> bool {
        self.of == 1 || partition(stream, self.of) == self.number
    }

    /// The name of the row that a shard is kept in.
    pub(crate) fn row(projection: &str, number: i32) -> String {
        if number == 0 { projection.to_owned() } else { format!("{projection}#{number}") }
    }
}

/// As `rillflow_partition` tells it: the first 28 bits of the SHA-256 of the stream's id, divided up.
fn partition(stream: StreamId, partitions: i32) -> i32 {
    let [first, second, third, fourth, ..] = <[u8; 32]>::from(Sha256::digest(stream.0.as_bytes()));
    let bits = (u32::from_be_bytes([first, second, third, fourth]) >> 4).cast_signed();
    bits % partitions
}

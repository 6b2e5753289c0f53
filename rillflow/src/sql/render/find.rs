//! Text for queries that are written in place: a const of their type.
//!
//! The size of an array in generic code cannot be computed from a generic const, so the text goes into the smallest of
//! a few sizes.

use std::marker::PhantomData;

use super::{Source, length, text};
use crate::Result;
use crate::model::SqlValue;
use crate::model::query::{Definition, Query, Row};

/// The text of `Q` in a buffer of `N` bytes; nothing when a smaller buffer, down to `MORE_THAN`, does.
struct Sized<Q, const MORE_THAN: usize, const N: usize>(PhantomData<fn() -> Q>);

impl<Q: Definition, const MORE_THAN: usize, const N: usize> Sized<Q, MORE_THAN, N> {
    const FITS: bool = MORE_THAN < Rendered::<Q>::LENGTH && Rendered::<Q>::LENGTH <= N;
    const BYTES: &'static [u8] = if Self::FITS { &super::bytes::<N>(Source::Statement(&Q::STATEMENT)) } else { &[] };
}

/// The text of `Q`.
struct Rendered<Q>(PhantomData<fn() -> Q>);

impl<Q: Definition> Rendered<Q> {
    const LENGTH: usize = length(Source::Statement(&Q::STATEMENT));
    const SQL: &'static str = {
        let buffer = match Self::LENGTH {
            0..=256 => Sized::<Q, 0, 256>::BYTES,
            257..=1024 => Sized::<Q, 256, 1024>::BYTES,
            1025..=4096 => Sized::<Q, 1024, 4096>::BYTES,
            4097..=65536 => Sized::<Q, 4096, 65536>::BYTES,
            _ => panic!(
                "this query's text is longer than 64 KiB: make it a `#[compiled_query]`, which has no such limit"
            ),
        };
        text(buffer.split_at(Self::LENGTH).0)
    };
}

impl<Q: Definition> Query<Q::Out> for Q {
    fn name(&self) -> &'static str {
        Q::NAME
    }
    fn sql(&self) -> &'static str {
        Rendered::<Q>::SQL
    }
    fn binds(&self) -> Vec<SqlValue> {
        let mut binds = Vec::new();
        self.bind(&mut binds);
        binds
    }
    fn decode(&self, rows: &[Row<'_>]) -> Result<Q::Out> {
        Q::DECODE(Q::NAME, rows)
    }
}

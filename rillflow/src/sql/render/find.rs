//! Text for queries that are written in place: a const of their type.
//!
//! The size of an array in generic code cannot be computed from a generic const, so the text goes into the smallest of
//! a few sizes.

use std::marker::PhantomData;

use super::{Rendered, Source, length, render};
use crate::Result;
use crate::model::SqlValue;
use crate::model::query::{Definition, Query, Row};

/// The text of `Q` in a buffer of `N` bytes; nothing when a smaller buffer, down to `MORE_THAN`, does.
struct Fitting<Q, const MORE_THAN: usize, const N: usize>(PhantomData<fn() -> Q>);

impl<Q: Definition, const MORE_THAN: usize, const N: usize> Fitting<Q, MORE_THAN, N> {
    const FITS: bool = MORE_THAN < Text::<Q>::LENGTH && Text::<Q>::LENGTH <= N;
    const RENDERED: Option<&'static Rendered<N>> =
        if Self::FITS { Some(&render(Source::Statement(&Q::STATEMENT))) } else { None };

    const TEXT: &'static str = match Self::RENDERED {
        Some(rendered) => rendered.as_str(),
        None => "",
    };
}

/// The text of `Q`.
struct Text<Q>(PhantomData<fn() -> Q>);

impl<Q: Definition> Text<Q> {
    const LENGTH: usize = length(Source::Statement(&Q::STATEMENT));
    const SQL: &'static str = {
        let buffer = match Self::LENGTH {
            0..=256 => Fitting::<Q, 0, 256>::TEXT,
            257..=1024 => Fitting::<Q, 256, 1024>::TEXT,
            1025..=4096 => Fitting::<Q, 1024, 4096>::TEXT,
            4097..=65536 => Fitting::<Q, 4096, 65536>::TEXT,
            _ => panic!(
                "this query's text is longer than 64 KiB: make it a `#[compiled_query]`, which has no such limit"
            ),
        };
        buffer.split_at(Self::LENGTH).0
    };
}

impl<Q: Definition> Query<Q::Out> for Q {
    fn name(&self) -> &'static str {
        Q::NAME
    }
    fn sql(&self) -> &'static str {
        if self.after().is_some() { Text::<Q::Next>::SQL } else { Text::<Q>::SQL }
    }
    fn binds(&self) -> Vec<SqlValue> {
        let mut binds = Vec::new();
        self.bind(&mut binds);
        binds
    }
    fn check(&self) -> Result<()> {
        self.after().map_or(Ok(()), |cursor| cursor.check(&Q::STATEMENT))
    }
    fn decode(&self, rows: &[Row<'_>]) -> Result<Q::Out> {
        Q::DECODE(Q::NAME, rows)
    }
}

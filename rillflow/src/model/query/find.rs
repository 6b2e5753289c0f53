//! Queries written where they are used.

use std::marker::PhantomData;

use crate::model::Document;

/// A query over one collection.
#[derive(Debug)]
pub struct Find<D>(PhantomData<fn() -> D>);

impl<D: Document> Find<D> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}

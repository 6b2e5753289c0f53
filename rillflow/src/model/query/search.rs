//! Full-text search: words in a filter, and how well a document fits them as an order.

use std::marker::PhantomData;

use super::condition::Condition;
use super::operand::{ComparableTo, Value};
use super::order::Sorted;
use super::path::{Parent, Path, Tag};
use super::presence::Always;
use super::tree::{Node, PathInfo, Place};
use crate::model::{Document, SqlType, SqlValue};

/// A document with a full-text index.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no full-text index, so it cannot be searched",
    label = "not a searchable document",
    note = "declare the language and the texts on the struct: `#[document(fulltext(language = \"english\", title, body))]`"
)]
#[doc(hidden)]
pub trait FullText: Document {}

/// The paths of a document.
#[doc(hidden)]
pub trait PathsOf<D> {}

/// A document that holds words.
pub struct Search<D, V> {
    words: V,
    document: Tag<D>,
}

// that there is an index, `search` has asked: asked here again, it would be reported again
impl<D: Document, V: Value> Condition for Search<D, V> {
    type Root = D;
    const NODE: &'static Node = match D::FULL_TEXT {
        Some(index) => &Node::Search(index, V::OPERAND),
        None => &Node::Everything,
    };
    fn bind(&self, binds: &mut Vec<SqlValue>) {
        self.words.bind(binds);
    }
}

/// See [`Search`].
#[doc(hidden)]
pub const fn search<D, V: ComparableTo<String>>(words: V) -> Search<D, V> {
    Search { words, document: PhantomData }
}

/// How well a document fits the words that the filter searches for.
pub struct Rank<D>(Tag<D>);

impl<D: 'static> Rank<D> {
    /// The one value.
    #[doc(hidden)]
    pub const NEW: Self = Self(PhantomData);

    /// The best first.
    pub const fn desc(self) -> Sorted<RankOf<D>, true, true> {
        Sorted::NEW
    }

    /// The best last.
    pub const fn asc(self) -> Sorted<RankOf<D>, false, false> {
        Sorted::NEW
    }
}

/// The path to a document's rank.
#[doc(hidden)]
pub struct RankOf<D>(Tag<D>);

impl<D: 'static> Parent for RankOf<D> {
    type Root = D;
    type Presence = Always;
    const INFO: &'static PathInfo = &PathInfo {
        parent: None,
        key: "",
        quoted_key: "",
        computed_key: None,
        left_out: false,
        field: "rank()",
        sql_type: SqlType::Float,
        nullable: false,
        conditional: false,
        place: Place::Rank,
    };
}

impl<D: 'static> Path for RankOf<D> {
    type Value = f64;
}

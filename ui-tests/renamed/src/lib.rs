//! A crate that knows rillflow under another name: what the macros write finds it by one line.

#![deny(missing_docs, warnings)]

extern crate rf as rillflow;

use rf::{Document, DocumentFields, DocumentValue, Query, compiled_query};
use serde::{Deserialize, Serialize};

/// Identifies a note.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, DocumentValue)]
pub struct NoteId(pub i64);

/// Who wrote it.
#[derive(Clone, Debug, Serialize, Deserialize, DocumentFields)]
pub struct Author {
    /// The name.
    pub name: String,
}

/// A note.
#[derive(Clone, Debug, Serialize, Deserialize, Document)]
#[document(index(author.name))]
pub struct Note {
    /// Its id.
    #[document(id)]
    pub id: NoteId,
    /// Who wrote it.
    pub author: Author,
    /// How many like it.
    pub stars: i64,
}

/// How many stars the notes of an author have.
#[compiled_query]
pub fn stars(author: &str) -> impl Query<Option<(String, i64)>> {
    Note::query()
        .filter(|n| n.author.name == author)
        .group_by(|n| n.author.name)
        .select(|n, g| (n.author.name, g.sum(n.stars)))
        .one()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_macros_find_the_crate_under_its_other_name() {
        assert_eq!(stars("ada").binds().len(), 1);
    }
}

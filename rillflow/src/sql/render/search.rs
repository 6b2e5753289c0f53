//! Full text: words of an index, and what is looked for in them.

use super::writer::Writer;
use crate::model::query::tree::{IndexDefinition, Operand};

impl<const N: usize> Writer<N> {
    /// `to_tsvector('english', ..)`, in an index and in a search alike.
    pub(super) const fn words(&mut self, index: &IndexDefinition) {
        self.put("to_tsvector('");
        self.put(index.language);
        self.put("', ");
        let mut i = 0;
        while i < index.keys.len() {
            self.put(if i > 0 { " || ' ' || coalesce(" } else { "coalesce(" });
            self.scalar(index.keys[i].path);
            self.put(", '')");
            i += 1;
        }
        self.put(")");
    }

    const fn wanted_words(&mut self, index: &IndexDefinition, words: Operand) {
        self.put("websearch_to_tsquery('");
        self.put(index.language);
        self.put("', ");
        self.operand(words);
        self.put(")");
    }

    pub(super) const fn search(&mut self, index: &'static IndexDefinition, words: Operand) {
        let words = self.claim(words);
        self.search_for(index, words);
        self.put("(");
        self.words(index);
        self.put(" @@ ");
        self.wanted_words(index, words);
        self.put(")");
    }

    pub(super) const fn rank(&mut self) {
        // without a search it was refused, at the order
        let Some((index, words)) = self.searched() else { return };
        self.put("ts_rank(");
        self.words(index);
        self.put(", ");
        self.wanted_words(index, words);
        // as wide as its value in a cursor
        self.put(")::float8");
    }
}

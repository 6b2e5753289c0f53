//! A writer for const evaluation, where cost is per call and not per byte.

use crate::model::query::tree::{IndexDefinition, Operand};

/// Writes text into `N` bytes; with `N = 0` it only counts.
pub(super) struct Writer<const N: usize> {
    buffer: [u8; N],
    length: usize,
    /// The number of the next parameter that no operand has claimed.
    next: u64,
    /// How many lists we are inside of: elements are named `e1`, `e2` and so on.
    depth: u64,
    /// True where a document's columns are those of the statement around.
    outside: bool,
    /// What the filter searched for: what a rank goes by.
    searched: Option<(&'static IndexDefinition, Operand)>,
}

impl<const N: usize> Writer<N> {
    pub(super) const fn new() -> Self {
        Self { buffer: [0; N], length: 0, next: 1, depth: 0, outside: false, searched: None }
    }

    pub(super) const fn length(&self) -> usize {
        self.length
    }

    /// What was written. Sizes are counted by the same code, so the buffer is exactly full, or larger on purpose.
    pub(super) const fn finish(self) -> [u8; N] {
        self.buffer
    }

    /// Writes text as it stands.
    pub(super) const fn put(&mut self, text: &str) {
        let from = self.length;
        self.length += text.len();
        if N > 0 {
            assert!(self.length <= N, "the text is longer than it was when counted");
            // SAFETY: `from + text.len() <= N` was asserted, and a `&str` cannot overlap our own buffer. One copy costs
            // const evaluation much less than `split_at_mut` and `copy_from_slice`.
            unsafe {
                let to = (&raw mut self.buffer).cast::<u8>().add(from);
                core::ptr::copy_nonoverlapping(text.as_ptr(), to, text.len());
            }
        }
    }

    /// Writes a number.
    pub(super) const fn number(&mut self, number: u64) {
        if number >= 10 {
            self.number(number / 10);
        }
        const DIGITS: &str = "0123456789";
        self.put(DIGITS.split_at((number % 10) as usize).1.split_at(1).0);
    }

    /// Claims the number of a parameter.
    pub(super) const fn next_parameter(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    /// How many parameters were claimed.
    pub(super) const fn parameters(&self) -> u64 {
        self.next
    }

    /// Claims parameters anew from here, for text that repeats what was written.
    pub(super) const fn rewind(&mut self, parameters: u64) {
        self.next = parameters;
    }

    /// The same operand with a number of its own, to be named several times.
    pub(super) const fn claim(&mut self, operand: Operand) -> Operand {
        match operand {
            Operand::Next(sql_type, arity) => Operand::Numbered(self.next_parameter() as u16, sql_type, arity),
            other => other,
        }
    }

    /// Names a column of the document at hand.
    pub(super) const fn column(&mut self, name: &str) {
        if self.outside {
            self.put("found.");
        }
        self.put(name);
    }

    /// Inside a statement of its own, whether columns are those of the statement around.
    pub(super) const fn look_outside(&mut self, outside: bool) {
        self.outside = outside;
    }

    /// Notes what is searched for.
    pub(super) const fn search_for(&mut self, index: &'static IndexDefinition, words: Operand) {
        self.searched = Some((index, words));
    }

    /// What is searched for.
    pub(super) const fn searched(&self) -> Option<(&'static IndexDefinition, Operand)> {
        self.searched
    }

    /// Enters a list, and names its elements.
    pub(super) const fn enter(&mut self) {
        self.depth += 1;
        self.element();
    }

    pub(super) const fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Names the element at hand.
    pub(super) const fn element(&mut self) {
        self.put("e");
        self.number(self.depth);
    }
}

//! Text at compile time.

use super::tree::PathInfo;

/// `a == b`, in const.
#[must_use]
pub const fn str_eq(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// A compiler message put together in const.
pub(super) struct Message {
    bytes: [u8; Self::CAPACITY],
    length: usize,
}

impl Message {
    const CAPACITY: usize = 768;

    pub(super) const fn new() -> Self {
        Self { bytes: [0; Self::CAPACITY], length: 0 }
    }

    /// Adds text; what does not fit is left out.
    pub(super) const fn text(mut self, text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut i = 0;
        while i < bytes.len() && self.length < Self::CAPACITY {
            self.bytes[self.length] = bytes[i];
            self.length += 1;
            i += 1;
        }
        self
    }

    /// Adds a path as its user writes it, such as `address.city`.
    pub(super) const fn path(self, path: &PathInfo) -> Self {
        match path.parent {
            Some(parent) if path.field.is_empty() => self.path(parent),
            Some(parent) if parent.parent.is_some() => self.path(parent).text(".").text(path.field),
            _ => self.text(path.field),
        }
    }

    pub(super) const fn as_str(&self) -> &str {
        match str::from_utf8(self.bytes.split_at(self.length).0) {
            Ok(text) => text,
            Err(_) => "the message was cut off inside a character",
        }
    }
}

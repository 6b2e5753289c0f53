//! JSON text as it was written: neither parsed nor rearranged until somebody asks.

use std::fmt;

use serde::{Serialize, de::DeserializeOwned};

use crate::{Error, Result};

/// How JSON values follow each other in a stream of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonFormat {
    /// One array: `application/json`.
    Array,
    /// One value per line, each line ended: `application/x-ndjson`. No value holds a line break.
    Lines,
}

/// JSON text, kept as written.
#[derive(Clone, PartialEq, Eq)]
pub struct RawJson(Box<str>);

impl RawJson {
    /// Takes text that is known to be JSON.
    pub(crate) fn from_text(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// Writes a value; `what` names it in the error.
    pub(crate) fn encode(what: &str, value: &(impl Serialize + ?Sized)) -> Result<Self> {
        serde_json::to_string(value)
            .map(|text| Self(text.into()))
            .map_err(|e| Error::Encode { what: what.to_owned(), reason: e.to_string() })
    }

    /// Gives up the text.
    pub(crate) fn into_text(self) -> String {
        self.0.into()
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads the text as `T`, with nothing in between.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`] when the JSON does not fit `T`.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.0)
            .map_err(|source| Error::Decode { what: std::any::type_name::<T>().to_owned(), source })
    }
}

impl fmt::Debug for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

//! Conditions that are put together while the program runs: for tools, and for documents of no declared type.

use serde_json::Value;

use crate::{Error, Result};

/// A condition on documents, by paths as text: `status`, `address.city`, `lines[0].sku`, `["a key"].b`.
///
/// Paths name JSON keys, as they are stored. Numbers compare as numbers and texts as texts; a document that holds
/// another type there simply does not match. For documents whose type is known, typed queries find mistakes earlier.
///
/// ```
/// use rillflow::query::Predicate;
///
/// let active_vips = Predicate::and([
///     Predicate::eq("status", "active"),
///     Predicate::contains("tags", "vip"),
///     Predicate::negate(Predicate::lt("score", 5)),
/// ]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Predicate(pub(crate) Test);

/// What a [`Predicate`] tests.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    Compare(String, Comparison, Value),
    Contains(String, Value),
    In(String, Vec<Value>),
    Exists(String),
    Not(Box<Predicate>),
    And(Vec<Predicate>),
    Or(Vec<Predicate>),
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
}

impl Comparison {
    /// Its SQL; a missing value differs from every value.
    pub(crate) fn sql(self) -> &'static str {
        match self {
            Self::Eq => "=",
            Self::Ne => "IS DISTINCT FROM",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::Lt => "<",
            Self::Le => "<=",
        }
    }
}

macro_rules! comparisons {
    ($($(#[$doc:meta])* $method:ident $comparison:ident;)*) => { $(
        $(#[$doc])*
        #[must_use]
        pub fn $method(path: impl Into<String>, value: impl Into<Value>) -> Self {
            Self(Test::Compare(path.into(), Comparison::$comparison, value.into()))
        }
    )* };
}

impl Predicate {
    comparisons! {
        /// The value at `path` is equal; `null` also finds documents that have none.
        eq Eq;
        /// It differs, or is missing.
        ne Ne;
        /// It is greater: numbers and texts only.
        gt Gt;
        /// It is greater or equal: numbers and texts only.
        ge Ge;
        /// It is less: numbers and texts only.
        lt Lt;
        /// It is less or equal: numbers and texts only.
        le Le;
    }

    /// The list at `path` holds the value, or each value of a list; the object at `path` holds each key of an object.
    #[must_use]
    pub fn contains(path: impl Into<String>, value: impl Into<Value>) -> Self {
        Self(Test::Contains(path.into(), value.into()))
    }

    /// The value at `path` is one of several.
    #[must_use]
    pub fn r#in<V: Into<Value>>(path: impl Into<String>, values: impl IntoIterator<Item = V>) -> Self {
        Self(Test::In(path.into(), values.into_iter().map(Into::into).collect()))
    }

    /// There is something at `path`, be it `null`.
    #[must_use]
    pub fn exists(path: impl Into<String>) -> Self {
        Self(Test::Exists(path.into()))
    }

    /// The opposite.
    #[must_use]
    pub fn negate(predicate: Self) -> Self {
        Self(Test::Not(Box::new(predicate)))
    }

    /// All of them; of none, every document.
    #[must_use]
    pub fn and(predicates: impl IntoIterator<Item = Self>) -> Self {
        Self(Test::And(predicates.into_iter().collect()))
    }

    /// One of them at least; of none, no document.
    #[must_use]
    pub fn or(predicates: impl IntoIterator<Item = Self>) -> Self {
        Self(Test::Or(predicates.into_iter().collect()))
    }
}

/// Which way an order runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortDirection {
    /// Smallest first, documents without a value last.
    Asc,
    /// Greatest first, documents without a value first.
    Desc,
}

/// A path that was read: its keys, and whether all of them are keys of objects.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct JsonPath {
    pub(crate) keys: Vec<String>,
    pub(crate) objects_only: bool,
}

/// How many steps a path may have.
const LONGEST_PATH: usize = 64;

impl JsonPath {
    /// Reads `address.city`, `lines[0].sku` or `["a key"].b`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidQuery`] for anything else.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let invalid = || Error::InvalidQuery {
            problem: format!(
                "`{}` is not a path such as `address.city`, `lines[0].sku` or `[\"a key\"].b`",
                text.escape_debug()
            ),
        };
        let mut path = Self { keys: Vec::new(), objects_only: true };
        let mut rest = text;
        loop {
            rest = if rest.starts_with('[') { path.bracket(rest) } else { path.key(rest) }.ok_or_else(invalid)?;
            if rest.is_empty() {
                break;
            }
            if !rest.starts_with('[') {
                rest = rest.strip_prefix('.').filter(|it| !it.starts_with('[')).ok_or_else(invalid)?;
            }
        }
        if path.keys.len() > LONGEST_PATH || text.contains('\0') { Err(invalid()) } else { Ok(path) }
    }

    fn key<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        let end = text.find(['.', '[', ']', '"']).unwrap_or(text.len());
        let (key, rest) = text.split_at(end);
        self.keys.push(key.to_owned());
        (!key.is_empty()).then_some(rest)
    }

    fn bracket<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        let inner = text.strip_prefix('[')?;
        if let Some(quoted) = inner.strip_prefix('"') {
            let (key, rest) = quoted.split_once("\"]")?;
            self.keys.push(key.to_owned());
            return Some(rest);
        }
        let (index, rest) = inner.split_once(']')?;
        self.keys.push(index.parse::<u32>().ok()?.to_string());
        self.objects_only = false;
        Some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_or_refused() {
        for (text, keys, objects_only) in [
            ("status", &["status"][..], true),
            ("address.city", &["address", "city"], true),
            ("lines[0].sku", &["lines", "0", "sku"], false),
            ("[\"a.b' key\"].c[\"d\"]", &["a.b' key", "c", "d"], true),
            ("a'; drop table docs", &["a'; drop table docs"], true),
        ] {
            let path = JsonPath::parse(text).expect("a path");
            assert_eq!(
                (path.keys.as_slice(), path.objects_only),
                (&keys.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>()[..], objects_only)
            );
        }
        for wrong in ["", ".", "a.", ".a", "a..b", "a[", "a[]", "a[x]", "a[-1]", "a]b", "a.[0]", "a\0", "a\"b", "[\"a"]
        {
            assert!(matches!(JsonPath::parse(wrong), Err(Error::InvalidQuery { .. })), "{wrong}");
        }
    }
}

//! Pages after a cursor: which keys order them, and the cursor itself.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use serde_json::Value as Json;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::coverage::same_path;
use super::row::{FromRows, Row};
use super::tree::{Output, PathInfo, Place, Rows, SortKey, Statement};
use crate::model::instant::as_chrono_reads;
use crate::model::{SqlType, jsonb};
use crate::{Error, Result};

/// What a page is ordered by.
#[derive(Clone, Copy, Debug)]
pub(crate) enum KeyOf {
    /// A field, or what is made of it.
    Path(&'static PathInfo),
    /// The document's id.
    Id,
    /// The row itself, where rows are distinct.
    Row,
}

/// One key of a page's order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageKey {
    /// What it is.
    pub(crate) of: KeyOf,
    /// Greatest first.
    pub(crate) descending: bool,
    /// Rows without a value before the others.
    pub(crate) nulls_first: bool,
    /// What its values are.
    pub(crate) sql_type: SqlType,
    /// True when rows may have no value.
    pub(crate) nullable: bool,
}

/// How many keys order the pages: those asked for, and what tells rows apart that are equal by them.
pub(crate) const fn number_of_keys(statement: &Statement) -> usize {
    let asked_for = statement.order.len();
    match statement.rows {
        Rows::Each if sorts_by_id(statement.order) => asked_for,
        Rows::Each | Rows::Distinct => asked_for + 1,
        Rows::Groups(keys, _) => {
            let (mut number, mut i) = (asked_for, 0);
            while i < keys.len() {
                number += if sorts_by(statement.order, keys[i]) { 0 } else { 1 };
                i += 1;
            }
            number
        }
    }
}

const fn sorts_by_id(order: &[SortKey]) -> bool {
    let mut i = 0;
    while i < order.len() {
        if let Place::Id = order[i].path.place {
            return true;
        }
        i += 1;
    }
    false
}

const fn sorts_by(order: &[SortKey], path: &PathInfo) -> bool {
    let mut i = 0;
    while i < order.len() {
        if same_path(order[i].path, path) && !matches!(order[i].path.place, Place::Aggregate(_)) {
            return true;
        }
        i += 1;
    }
    false
}

/// The key number `i`. What was not asked for goes in the direction of the last key that was, so that one comparison of
/// rows will do.
pub(crate) const fn key_at(statement: &Statement, i: usize) -> PageKey {
    let order = statement.order;
    if i < order.len() {
        let key = order[i];
        return key_of(key.path, key.descending, key.nulls_first);
    }
    let descending = !order.is_empty() && order[order.len() - 1].descending;
    let (of, sql_type, nullable) = match statement.rows {
        Rows::Each => (KeyOf::Id, statement.id_type, false),
        Rows::Distinct => (KeyOf::Row, SqlType::Json, row_may_be_null(statement.output)),
        Rows::Groups(keys, _) => {
            return key_of(unsorted(order, keys, i - order.len()), descending, descending);
        }
    };
    PageKey { of, descending, nulls_first: descending, sql_type, nullable }
}

const fn key_of(path: &'static PathInfo, descending: bool, nulls_first: bool) -> PageKey {
    PageKey { of: KeyOf::Path(path), descending, nulls_first, sql_type: path.sql_type, nullable: path.nullable }
}

/// The key of groups that is number `at` of those that nobody sorts by.
const fn unsorted(order: &[SortKey], keys: &[&'static PathInfo], at: usize) -> &'static PathInfo {
    let (mut i, mut seen) = (0, 0);
    while i < keys.len() {
        if !sorts_by(order, keys[i]) {
            if seen == at {
                return keys[i];
            }
            seen += 1;
        }
        i += 1;
    }
    panic!("there are no more keys")
}

const fn row_may_be_null(output: Output) -> bool {
    match output {
        Output::Value(path) => path.nullable,
        _ => false,
    }
}

/// Tells cursors of different orders apart (FNV-1a).
pub(crate) const fn fingerprint(statement: &Statement) -> u32 {
    let mut hash = add(0x811c_9dc5, statement.table);
    let mut i = 0;
    while i < statement.order.len() {
        let key = &statement.order[i];
        hash = add_path(hash, key.path);
        hash = add(hash, if key.descending { ">" } else { "<" });
        hash = add(hash, if key.nulls_first { "0" } else { "1" });
        i += 1;
    }
    match statement.rows {
        Rows::Each => hash,
        Rows::Groups(keys, _) => {
            let mut i = 0;
            while i < keys.len() {
                hash = add_path(add(hash, "g"), keys[i]);
                i += 1;
            }
            hash
        }
        Rows::Distinct => {
            let mut i = 0;
            while let Some(path) = statement.output.field(i) {
                hash = add_path(add(hash, "d"), path);
                i += 1;
            }
            hash
        }
    }
}

const fn add(mut hash: u32, text: &str) -> u32 {
    let bytes = text.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u32).wrapping_mul(0x0100_0193);
        i += 1;
    }
    hash
}

const fn add_path(hash: u32, path: &PathInfo) -> u32 {
    match path.parent {
        Some(parent) => {
            let step = match path.place {
                Place::Aggregate(aggregation) => aggregation.name(),
                _ if path.computed_key.is_some() => "/$",
                _ => "/",
            };
            add(add(add_path(hash, parent), step), path.key)
        }
        None => hash,
    }
}

/// Where a page ended: what the next one begins after.
///
/// It is opaque text without spaces or signs that a URL would change, and goes to clients and back by `Display` and
/// `FromStr`, or as a string by serde. It belongs to one collection, one order, and the same groups. It is not secret: it holds the
/// values of the last row's sort keys.
///
/// ```
/// use rillflow::Cursor;
///
/// assert!("not one of ours".parse::<Cursor>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cursor(Box<str>);

impl Cursor {
    /// Its JSON: the fingerprint of its order, and a value per key.
    pub(crate) fn json(&self) -> &str {
        &self.0
    }

    /// Refuses a cursor of another query.
    pub(crate) fn check(&self, statement: &Statement) -> Result<()> {
        let unread: &RawValue = serde_json::from_str(&self.0).map_err(|e| invalid(&e.to_string()))?;
        jsonb::encode(unread, || "a cursor".to_owned()).map_err(|e| invalid(&e.to_string()))?;
        let values: Vec<Json> = serde_json::from_str(&self.0).map_err(|e| invalid(&e.to_string()))?;
        let fits = values.first().and_then(Json::as_u64) == Some(fingerprint(statement).into())
            && values.len() == number_of_keys(statement) + 1
            && values.iter().skip(1).enumerate().all(|(i, value)| holds(key_at(statement, i), value));
        if fits { Ok(()) } else { Err(invalid("it comes from a query with another order")) }
    }
}

/// True when the value is one that PostgreSQL reads as the key's type.
fn holds(key: PageKey, value: &Json) -> bool {
    match (key.sql_type, value) {
        (_, Json::Null) => key.nullable,
        (SqlType::Json, _) => true,
        (SqlType::Text, Json::String(_)) => true,
        (SqlType::Int, Json::Number(number)) => number.is_i64(),
        (SqlType::Float | SqlType::Numeric | SqlType::Decimal, Json::Number(_)) | (SqlType::Bool, Json::Bool(_)) => {
            true
        }
        (SqlType::Date, Json::String(text)) => as_chrono_reads(text).parse::<NaiveDate>().is_ok(),
        (SqlType::TimeOfDay, Json::String(text)) => text.parse::<NaiveTime>().is_ok(),
        (SqlType::LocalTime, Json::String(text)) => as_chrono_reads(text).parse::<NaiveDateTime>().is_ok(),
        (SqlType::Uuid, Json::String(text)) => Uuid::parse_str(text).is_ok(),
        (SqlType::Time, Json::String(text)) => as_chrono_reads(text).parse::<DateTime<FixedOffset>>().is_ok(),
        _ => false,
    }
}

fn invalid(reason: &str) -> Error {
    Error::InvalidCursor { reason: reason.to_owned() }
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl fmt::Display for Cursor {
    /// The URL-safe form of base64, without padding.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.as_bytes().chunks(3) {
            let bits = (0..3).fold(0_u32, |bits, i| bits << 8 | u32::from(chunk.get(i).copied().unwrap_or(0)));
            for digit in 0..=chunk.len() {
                let value = bits >> (18 - 6 * digit) & 63;
                write!(f, "{}", DIGITS[value as usize] as char)?;
            }
        }
        Ok(())
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut bytes = Vec::with_capacity(text.len());
        for chunk in text.as_bytes().chunks(4) {
            let mut bits = 0_u32;
            for i in 0..4 {
                let digit = chunk.get(i).map_or(Some(0), |byte| DIGITS.iter().position(|digit| digit == byte));
                bits = bits << 6 | digit.ok_or_else(|| invalid("it holds a sign that no cursor has"))? as u32;
            }
            bytes.extend_from_slice(&bits.to_be_bytes()[1..chunk.len()]);
        }
        let json = String::from_utf8(bytes).map_err(|e| invalid(&e.to_string()))?;
        serde_json::from_str::<Vec<Json>>(&json).map_err(|e| invalid(&e.to_string()))?;
        Ok(Self(json.into()))
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What says where a page begins: a [`Cursor`], or none for the first page.
#[diagnostic::on_unimplemented(
    message = "a page begins after an `Option<Cursor>`, not after `{Self}`",
    label = "expected an `Option<Cursor>`, found `{Self}`"
)]
pub trait After {
    /// The cursor.
    fn cursor(&self) -> Option<Cursor>;
}

impl After for Cursor {
    fn cursor(&self) -> Option<Cursor> {
        Some(self.clone())
    }
}

impl<A: After> After for Option<A> {
    fn cursor(&self) -> Option<Cursor> {
        self.as_ref().and_then(After::cursor)
    }
}

impl<A: After> After for &A {
    fn cursor(&self) -> Option<Cursor> {
        (**self).cursor()
    }
}

/// Some rows in order, and where the next ones begin.
///
/// Serialises as `{"items": [..], "next": ".."}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// What the next page begins after; none when this is the last one.
    pub next: Option<Cursor>,
}

impl<I> FromRows for Page<I> {
    type Item = I;
    fn from_rows<T: DeserializeOwned>(_: &'static str, rows: &[Row<'_>], make: impl Fn(T) -> I) -> Result<Self> {
        let (rows, next) = cut(rows)?;
        let items = rows.iter().map(|row| row.json(0).map(&make)).collect::<Result<_>>()?;
        Ok(Self { items, next })
    }
}

/// The rows of a page, without the one more that says that there is a next page, and where that begins.
pub(super) fn cut<'r, 'a>(rows: &'r [Row<'a>]) -> Result<(&'r [Row<'a>], Option<Cursor>)> {
    let size = rows.first().map_or(Ok(0), |row| row.int(2))?;
    let size = usize::try_from(size).unwrap_or(0);
    if rows.len() <= size {
        return Ok((rows, None));
    }
    let rows = &rows[..size];
    let next = rows.last().map(|row| row.json_text(1).map(|text| Cursor(text.into()))).transpose()?;
    Ok((rows, next))
}

/// Some rows in order, and how many there are in all.
///
/// Serialises as `{"items": [..], "total": 12}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberedPage<T> {
    /// The rows.
    pub items: Vec<T>,
    /// How many rows there are on all pages.
    pub total: i64,
}

impl<I> FromRows for NumberedPage<I> {
    type Item = I;
    fn from_rows<T: DeserializeOwned>(_: &'static str, rows: &[Row<'_>], make: impl Fn(T) -> I) -> Result<Self> {
        let Some(row) = rows.first() else {
            return Ok(Self { items: Vec::new(), total: 0 });
        };
        Ok(Self { items: row.json::<Vec<T>>(0)?.into_iter().map(make).collect(), total: row.int(1)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text_whatever_its_length() {
        for word in ["", "a", "ab", "abc", "äöü", "\u{10ffff}~?>"] {
            let cursor = Cursor(format!("[1, {:?}]", word.replace('\u{10ffff}', "x")).into());
            let text = cursor.to_string();
            assert!(text.bytes().all(|b| DIGITS.contains(&b)), "{text}");
            assert_eq!(text.parse::<Cursor>().ok(), Some(cursor));
        }
    }

    #[test]
    fn text_that_is_no_cursor_is_an_error() {
        for text in ["", "a", "!", "aaaa", "W10=", "\u{e9}"] {
            assert!(matches!(text.parse::<Cursor>(), Err(Error::InvalidCursor { .. })), "{text}");
        }
    }
}

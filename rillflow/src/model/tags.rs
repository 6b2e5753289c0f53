//! Tags: what an event is about beside its stream, and queries over them.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use uuid::Uuid;

use super::{Newtype, StreamId};
use crate::{Error, Result};

/// The longest tag, in bytes.
const LONGEST: usize = 512;

/// What an event is about: a name and a value, such as `course:42`.
///
/// ```
/// let tag = rillflow::Tag::new("course", &42);
/// assert_eq!(tag.to_string(), "course:42");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag {
    name: Cow<'static, str>,
    value: String,
}

impl Tag {
    /// A tag. A name that holds a colon, or a tag of more than 512 bytes, is reported by the append or the query.
    pub fn new(name: impl Into<Cow<'static, str>>, value: &(impl TagValue + ?Sized)) -> Self {
        Self { name: name.into(), value: value.tag_value() }
    }

    /// Refuses what could be mistaken for another tag, or is too long for an index.
    pub(crate) fn check(&self) -> Result<()> {
        let reason = if self.name.is_empty() || self.name.contains(':') {
            "a tag's name is not empty and holds no colon"
        } else if self.name.len() + self.value.len() >= LONGEST {
            "a tag is at most 512 bytes long"
        } else if self.name.contains('\0') || self.value.contains('\0') {
            "PostgreSQL stores no NUL characters"
        } else {
            return Ok(());
        };
        Err(Error::Encode { what: format!("the tag `{}`", self.name.escape_debug()), reason: reason.to_owned() })
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.value)
    }
}

/// What a tag may tell of: text, a [`Uuid`], a whole number, `true` or `false`, or a newtype of one that derives
/// `DocumentValue`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the value of a tag",
    label = "expected text, a `Uuid`, a whole number, a `bool`, or a newtype of one",
    note = "derive `DocumentValue` on the newtype: `struct CourseId(Uuid);`"
)]
pub trait TagValue {
    /// As it stands behind the tag's name.
    fn tag_value(&self) -> String;
}

impl<T: Newtype> TagValue for T
where
    T::Inner: TagValue,
{
    fn tag_value(&self) -> String {
        self.inner().tag_value()
    }
}

macro_rules! tag_values {
    ($($type:ty)*) => { $(impl TagValue for $type {
        fn tag_value(&self) -> String {
            self.to_string()
        }
    })* };
}

tag_values!(str String Uuid StreamId bool i16 i32 i64 u16 u32 u64);

/// What a field with `#[event(tag)]` may be: a value, an `Option` of one, or a `Vec` of several.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a tag",
    label = "expected text, a `Uuid`, a whole number, a `bool`, a newtype of one, or an `Option` or `Vec` of these",
    note = "derive `DocumentValue` on the newtype: `struct CourseId(Uuid);`"
)]
pub trait TagField {
    /// Adds a tag for each value.
    fn add_tags(&self, name: &'static str, tags: &mut Vec<Tag>);
}

impl<T: TagValue> TagField for T {
    fn add_tags(&self, name: &'static str, tags: &mut Vec<Tag>) {
        tags.push(Tag::new(name, self));
    }
}

impl<T: TagValue> TagField for Option<T> {
    fn add_tags(&self, name: &'static str, tags: &mut Vec<Tag>) {
        tags.extend(self.iter().map(|value| Tag::new(name, value)));
    }
}

impl<T: TagValue> TagField for Vec<T> {
    fn add_tags(&self, name: &'static str, tags: &mut Vec<Tag>) {
        tags.extend(self.iter().map(|value| Tag::new(name, value)));
    }
}

/// A payload with tags. Derive it, and mark what the event is about.
///
/// An event is found by its tags whatever its stream is. The name of a tag is the field's, or the one that is given; it
/// is stored with the event, so a field may be renamed as long as its tag is not. `None` and an empty `Vec` are no tag.
///
/// ```
/// use rillflow::{Event, EventSet, EventTags};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, EventTags)]
/// pub struct Enrolled {
///     #[event(tag)]
///     pub course: i64,
///     #[event(tag = "student")]
///     pub student_number: String,
///     pub remark: String,
/// }
///
/// #[derive(Event)]
/// pub enum CourseEvent {
///     Enrolled(Enrolled),
/// }
///
/// let event = CourseEvent::Enrolled(Enrolled { course: 42, student_number: "kim".into(), remark: String::new() });
/// assert_eq!(event.tags().iter().map(ToString::to_string).collect::<Vec<_>>(), ["course:42", "student:kim"]);
/// ```
pub trait EventTags {
    /// The tags of this payload.
    fn tags(&self) -> Vec<Tag>;
}

/// Asks a payload for its tags, when it has any: see [`NoTags`].
#[doc(hidden)]
#[derive(Debug)]
pub struct TagsOf<'a, T>(pub &'a T);

impl<T: EventTags> TagsOf<'_, T> {
    /// Those it has.
    #[must_use]
    pub fn tags(&self) -> Vec<Tag> {
        self.0.tags()
    }
}

/// The answer of a payload that is not [`EventTags`].
#[doc(hidden)]
pub trait NoTags {
    /// None.
    fn tags(&self) -> Vec<Tag> {
        Vec::new()
    }
}

impl<T> NoTags for TagsOf<'_, T> {}

/// Which events: those that carry all tags of one of the alternatives.
///
/// ```
/// use rillflow::TagQuery;
///
/// let about_the_course = TagQuery::tag("course", &42);
/// let this_seat = TagQuery::tag("course", &42).and("student", "kim");
/// let either = TagQuery::tag("course", &42).or(TagQuery::tag("student", "kim"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagQuery {
    alternatives: Vec<Vec<Tag>>,
}

impl TagQuery {
    /// Events with this tag.
    pub fn tag(name: impl Into<Cow<'static, str>>, value: &(impl TagValue + ?Sized)) -> Self {
        Self { alternatives: vec![vec![Tag::new(name, value)]] }
    }

    /// Of those, the ones that carry this tag too.
    ///
    /// A decision locks the last tag of each alternative: name what tells most apart last, such as a tenant before its
    /// customer.
    #[must_use]
    pub fn and(mut self, name: impl Into<Cow<'static, str>>, value: &(impl TagValue + ?Sized)) -> Self {
        let tag = Tag::new(name, value);
        self.alternatives.iter_mut().for_each(|all| all.push(tag.clone()));
        self
    }

    /// Those, and the ones that `other` finds.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        self.alternatives.extend(other.alternatives);
        self
    }

    /// The tags of each alternative.
    pub(crate) fn alternatives(&self) -> impl Iterator<Item = &[Tag]> {
        self.alternatives.iter().map(Vec::as_slice)
    }

    pub(crate) fn check(&self) -> Result<()> {
        self.alternatives.iter().flatten().try_for_each(Tag::check)
    }
}

/// What a decision saw, and so what must not have changed when its events are appended.
#[derive(Clone, Debug)]
pub(crate) struct TagCondition {
    pub(crate) query: TagQuery,
    /// The stored names of the events that it looks at.
    pub(crate) types: Vec<&'static str>,
    /// The mark when it looked: everything up to it was seen.
    pub(crate) after: i64,
    /// What it saw above the mark.
    pub(crate) seen: Vec<i64>,
}

/// As PostgreSQL writes a `text[]`: each tag once, in their order.
pub(crate) fn array_literal<'t>(tags: impl IntoIterator<Item = &'t Tag>) -> String {
    let distinct: BTreeSet<String> = tags.into_iter().map(ToString::to_string).collect();
    quoted(distinct.iter().map(String::as_str))
}

/// As [`array_literal`], in the order given: what is last is what a decision locks.
pub(crate) fn array_literal_in_order(tags: &[Tag]) -> String {
    let texts: Vec<_> = tags.iter().map(ToString::to_string).collect();
    quoted(texts.iter().map(String::as_str))
}

fn quoted<'t>(texts: impl Iterator<Item = &'t str>) -> String {
    let quoted: Vec<_> = texts.map(|text| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))).collect();
    format!("{{{}}}", quoted.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_are_written_as_postgresql_reads_them() {
        let tags = [Tag::new("b", r#"a"\,{}"#), Tag::new("a", &1), Tag::new("a", &1)];
        assert_eq!(array_literal(&tags), r#"{"a:1","b:a\"\\,{}"}"#);
        assert_eq!(array_literal_in_order(&tags[..2]), r#"{"b:a\"\\,{}","a:1"}"#);
    }

    #[test]
    fn a_tag_that_could_be_another_is_refused() {
        for tag in [Tag::new("", "x"), Tag::new("a:b", "c"), Tag::new("a", "\0"), Tag::new("a", &"x".repeat(600))] {
            assert!(tag.check().is_err(), "{tag}");
        }
        assert!(Tag::new("a", "b:c").check().is_ok());
    }

    #[test]
    fn and_narrows_every_alternative_and_or_adds_one() {
        let query = TagQuery::tag("a", &1).or(TagQuery::tag("b", &2)).and("c", &3);
        let texts: Vec<_> = query.alternatives().map(array_literal_in_order).collect();
        assert_eq!(texts, [r#"{"a:1","c:3"}"#, r#"{"b:2","c:3"}"#]);
    }
}

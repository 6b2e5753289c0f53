//! The stored form of a type, found by reading made-up data as that type: serde itself says what it asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

mod below;
mod made_up;
mod trace;

/// The stored form of a type: what stands at each place of its JSON.
///
/// It is found without any derive of ours: made-up data is read as the type, again and again, until each field has been
/// asked for and each variant of each enum has been seen. So it knows serde's renames, defaults and skips, and the form
/// of foreign types. What serde only reads through a buffer (`flatten`, `untagged`, an enum with `tag`) says nothing
/// about itself: such places are [`gaps`](Self::gaps), and are known by samples alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    pub(crate) places: BTreeMap<String, Place>,
    /// The value read in each round, as JSON text.
    pub(crate) samples: Vec<String>,
}

/// What stands at one place.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Place {
    /// In one word, such as `text`, `i64`, `object`; an enum's variants.
    pub(crate) kind: String,
    /// The key may be missing.
    pub(crate) optional: bool,
    /// It may be null.
    pub(crate) nullable: bool,
}

impl Shape {
    /// The form of `T`.
    #[must_use]
    pub fn of<T: Serialize + DeserializeOwned>() -> Self {
        trace::shape::<T>()
    }

    /// The places that are known by samples alone.
    #[must_use]
    pub fn gaps(&self) -> Vec<&str> {
        self.places.iter().filter(|(_, place)| place.kind == GAP).map(|(path, _)| path.as_str()).collect()
    }

    /// Fills the gaps with the form of `samples`, which are values of the type as JSON.
    pub fn learn(&mut self, samples: &[Value]) {
        for gap in self.gaps().into_iter().map(str::to_owned).collect::<Vec<_>>() {
            let values: Vec<_> = samples.iter().flat_map(|sample| at(sample, &gap)).collect();
            note(&mut self.places, &gap, &values);
        }
    }

    /// One line per place, in the order of their paths: `lines[].sku: text`. Objects that have fields are left out.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.places
            .iter()
            .filter(|(path, place)| place.optional || place.nullable || place.kind != OBJECT || self.is_leaf(path))
            .map(|(path, place)| place.line(path))
            .collect()
    }

    fn is_leaf(&self, path: &str) -> bool {
        let below = |other: &str| {
            other.strip_prefix(path).is_some_and(|rest| path.is_empty() || rest.starts_with(['.', '[', '{', '(']))
        };
        !self.places.keys().any(|other| other.len() > path.len() && below(other))
    }
}

impl Place {
    fn line(&self, path: &str) -> String {
        let path = if path.is_empty() { "(itself)" } else { path };
        let (missing, null) = (if self.optional { "?" } else { "" }, if self.nullable { " or null" } else { "" });
        format!("{path}{missing}: {}{null}", self.kind)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines().iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// A place that only samples tell about.
pub(crate) const GAP: &str = "as in its samples";
pub(crate) const OBJECT: &str = "object";
pub(crate) const LIST: &str = "list";

/// The path of a field.
pub(crate) fn field(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The values at a path, which may lead through lists, maps and variants.
fn at<'v>(value: &'v Value, path: &str) -> Vec<&'v Value> {
    let Some(end) = path.char_indices().skip(1).find(|(_, c)| matches!(c, '.' | '[' | '{' | '(')).map(|(at, _)| at)
    else {
        return step(value, path);
    };
    step(value, &path[..end]).into_iter().flat_map(|inner| at(inner, &path[end..])).collect()
}

/// One step of a path: `.key`, `[]`, `[0]`, `{}` or `(Variant)`.
fn step<'v>(value: &'v Value, step: &str) -> Vec<&'v Value> {
    use Value::{Array, Object};
    match (step, value) {
        ("", value) => vec![value],
        ("[]", Array(all)) => all.iter().collect(),
        ("{}", Object(all)) => all.values().collect(),
        (index, Array(all)) if index.starts_with('[') => {
            index[1..index.len() - 1].parse().ok().and_then(|index: usize| all.get(index)).into_iter().collect()
        }
        (variant, Object(all)) if variant.starts_with('(') => {
            all.get(&variant[1..variant.len() - 1]).into_iter().collect()
        }
        (key, Object(all)) => all.get(key.strip_prefix('.').unwrap_or(key)).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// Notes the form of the values at one place, and of what is below it. A key that some do not have may be missing.
fn note(places: &mut BTreeMap<String, Place>, path: &str, values: &[&Value]) {
    let place = places.entry(path.to_owned()).or_default();
    let mut kinds: Vec<_> = values.iter().map(|value| kind(value)).filter(|kind| *kind != "null").collect();
    place.nullable |= kinds.len() < values.len();
    kinds.sort_unstable();
    kinds.dedup();
    if !kinds.is_empty() {
        place.kind = kinds.join(" | ");
    } else if !values.is_empty() {
        place.kind = "null".to_owned();
    }
    let elements: Vec<_> = values.iter().filter_map(|value| value.as_array()).flatten().collect();
    if !elements.is_empty() {
        note(places, &format!("{path}[]"), &elements);
    }
    let objects: Vec<_> = values.iter().filter_map(|value| value.as_object()).collect();
    let keys: BTreeSet<_> = objects.iter().flat_map(|object| object.keys()).collect();
    for key in keys {
        let (path, values) =
            (field(path, key), objects.iter().filter_map(|object| object.get(key)).collect::<Vec<_>>());
        note(places, &path, &values);
        if let Some(place) = places.get_mut(&path) {
            place.optional = values.len() < objects.len();
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => LIST,
        Value::Object(_) => OBJECT,
    }
}

#[cfg(test)]
mod tests;

//! Made-up data as serde reads it: one place.

use std::any::type_name;
use std::cell::RefCell;

use serde::Deserializer;
use serde::de::{Expected, Visitor};

use super::below::{Elements, Entry, Fields, Variant};
use super::trace::{Failed, OWN_FORM, Refusal, Trace};
use super::{GAP, LIST, OBJECT, field};

pub(super) type Read<T> = Result<T, Refusal>;

/// Text that some type or other reads, with a word for its form.
const TEXTS: &[(&str, &str)] = &[
    ("text", "text"),
    ("uuid", "018f0000-0000-7000-8000-000000000001"),
    ("timestamp", "2024-01-31T12:00:00Z"),
    ("date", "2024-01-31"),
    ("time of day", "12:00:00"),
    ("date and time", "2024-01-31T12:00:00"),
    ("number as text", "1.5"),
    ("number as text", "1"),
    (OWN_FORM, "127.0.0.1"),
    (OWN_FORM, "127.0.0.1:80"),
    (OWN_FORM, "::1"),
    (OWN_FORM, "https://example.com/"),
    (OWN_FORM, "someone@example.com"),
    (OWN_FORM, "EUR"),
    (OWN_FORM, "en"),
    (OWN_FORM, "P1D"),
    (OWN_FORM, "Europe/Oslo"),
    (OWN_FORM, "a"),
    (OWN_FORM, ""),
];

/// Numbers, for types that refuse some.
const NUMBERS: &[u8] = &[1, 0, 2, 100];

/// One place of the made-up data.
pub(super) struct At<'t> {
    pub(super) trace: &'t RefCell<Trace>,
    pub(super) path: String,
}

impl<'t> At<'t> {
    pub(super) fn below(&self, step: &str) -> At<'t> {
        At { trace: self.trace, path: format!("{}{step}", self.path) }
    }

    fn note(&self, kind: &str) {
        self.trace.borrow_mut().note(&self.path, kind);
    }

    /// A value that has nothing below it: the next candidate that was not refused yet.
    ///
    /// When all are refused, it is noted as `otherwise`.
    fn leaf<T>(
        &self,
        candidates: usize,
        otherwise: &'static str,
        read: impl FnOnce(usize) -> (Read<T>, &'static str),
    ) -> Read<T> {
        let tried = self.trace.borrow().tried.get(&self.path).copied().unwrap_or(0);
        if tried >= candidates {
            return self.dead_end();
        }
        let (value, kind) = read(tried);
        match &value {
            Ok(_) => self.note(kind),
            Err(_) if tried + 1 < candidates => {
                self.trace.borrow_mut().failed = Some(Failed::Candidate(self.path.clone()))
            }
            Err(_) => {
                self.note(otherwise);
                self.trace.borrow_mut().failed = Some(Failed::Candidate(self.path.clone()));
                self.trace.borrow_mut().stuck.insert(self.path.clone());
            }
        }
        value
    }

    fn dead_end<T>(&self) -> Read<T> {
        self.trace.borrow_mut().dead_end(&self.path);
        Err(Refusal::default())
    }

    /// A place that serde reads through a buffer: no made-up value says anything about it.
    fn gap<T>(&self) -> Read<T> {
        self.note(GAP);
        self.dead_end()
    }

    /// An option, list or map, which may stay empty: then `read` gets false.
    fn open<T>(self, read: impl FnOnce(Self, bool) -> Read<T>) -> Read<T> {
        let (trace, cut) = (self.trace, self.trace.borrow().cut.contains(&self.path));
        trace.borrow_mut().open.push(self.path.clone());
        let value = read(self, !cut);
        trace.borrow_mut().open.pop();
        value
    }

    /// A type that may be inside of itself.
    fn inside<T>(self, ty: &'static str, name: &str, read: impl FnOnce(Self) -> Read<T>) -> Read<T> {
        let trace = self.trace;
        if trace.borrow().active.contains(&ty) {
            self.note(&format!("{name} again"));
            return self.dead_end();
        }
        trace.borrow_mut().active.push(ty);
        let value = read(self);
        trace.borrow_mut().active.pop();
        value
    }

    pub(super) fn object<'de, V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Read<V::Value> {
        self.note(OBJECT);
        let keys = self.keys(fields);
        visitor.visit_map(Fields { at: self, keys, key: "" })
    }

    /// The keys of a struct, last first: those at which the round will end come last.
    fn keys(&self, fields: &'static [&'static str]) -> Vec<&'static str> {
        let trace = &mut *self.trace.borrow_mut();
        let path = |key: &str| field(&self.path, key);
        let mut keys: Vec<_> = fields.iter().copied().filter(|key| !trace.aliases.contains(&path(key))).collect();
        keys.sort_by_key(|key| {
            let path = path(key);
            let stuck = trace.stuck.range(path.clone()..).take_while(|stuck| stuck.starts_with(&path));
            let is_stuck = stuck.into_iter().any(|stuck| is_below(&path, stuck));
            (is_stuck, !trace.first.contains(&path))
        });
        let omit = trace.omit.clone();
        if let Some(omit) = omit.filter(|omit| keys.iter().any(|key| path(key) == *omit)) {
            trace.omitted = true;
            keys.retain(|key| path(key) != omit);
        }
        keys.reverse();
        keys
    }
}

/// True when `path` leads to `place` or further up.
fn is_below(path: &str, place: &str) -> bool {
    place.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[', '{', '(']))
}

/// How a visitor names what it reads.
fn expected<'de, V: Visitor<'de>>(visitor: &V) -> String {
    (visitor as &dyn Expected).to_string()
}

macro_rules! number {
    ($($method:ident $visit:ident $kind:literal;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
            self.leaf(NUMBERS.len(), $kind, |tried| (visitor.$visit(NUMBERS[tried].into()), $kind))
        }
    )*};
}

impl<'de> Deserializer<'de> for At<'_> {
    type Error = Refusal;

    number! {
        deserialize_i8 visit_i64 "i8";
        deserialize_i16 visit_i64 "i16";
        deserialize_i32 visit_i64 "i32";
        deserialize_i64 visit_i64 "i64";
        deserialize_i128 visit_i128 "i128";
        deserialize_u8 visit_u64 "u8";
        deserialize_u16 visit_u64 "u16";
        deserialize_u32 visit_u64 "u32";
        deserialize_u64 visit_u64 "u64";
        deserialize_u128 visit_u128 "u128";
        deserialize_f32 visit_f64 "f32";
        deserialize_f64 visit_f64 "f64";
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        // serde's own buffer, in its words: for flattened fields, and for enums that are tagged inside or not at all
        if type_name::<V>().contains("Content") {
            return self.gap();
        }
        self.leaf(TEXTS.len() + 1, GAP, |tried| {
            let value = match tried {
                0 => visitor.visit_u64(1),
                other => visitor.visit_str(TEXTS[other - 1].1),
            };
            (value, "any")
        })
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.leaf(2, "bool", |tried| (visitor.visit_bool(tried == 0), "bool"))
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.leaf(1, "character", |_| (visitor.visit_char('a'), "character"))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.leaf(TEXTS.len(), OWN_FORM, |tried| (visitor.visit_str(TEXTS[tried].1), TEXTS[tried].0))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.leaf(1, "bytes", |_| (visitor.visit_bytes(b"a"), "bytes"))
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.leaf(1, "null", |_| (visitor.visit_unit(), "null"))
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Read<V::Value> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.trace.borrow_mut().places.entry(self.path.clone()).or_default().nullable = true;
        self.open(|at, some| if some { visitor.visit_some(at) } else { visitor.visit_none() })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Read<V::Value> {
        // serde_json asks for its own types under such names: any JSON
        if name.starts_with('$') { self.gap() } else { visitor.visit_newtype_struct(self) }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.note(LIST);
        self.open(|at, some| visitor.visit_seq(Elements { step: |_| "[]".to_owned(), at, next: 0, len: some.into() }))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Read<V::Value> {
        self.note(&format!("{LIST} of {len}"));
        visitor.visit_seq(Elements { step: |at| format!("[{at}]"), at: self, next: 0, len })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(self, _: &'static str, len: usize, visitor: V) -> Read<V::Value> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        // a struct with flattened fields does not say which
        if expected(&visitor).starts_with("struct ") {
            return self.gap();
        }
        self.note("map");
        self.open(|at, some| visitor.visit_map(Entry { at, left: some }))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Read<V::Value> {
        if expected(&visitor).starts_with("adjacently tagged") {
            return self.gap();
        }
        self.inside(type_name::<V>(), name, |at| at.object(fields, visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Read<V::Value> {
        self.inside(type_name::<V>(), name, |at| {
            let variant = at.variant(variants);
            variant.map_or_else(|| at.dead_end(), |variant| visitor.visit_enum(Variant { at: &at, variant }))
        })
    }
}

impl At<'_> {
    /// The variant of this round. When the enum is new, its other variants get rounds of their own.
    fn variant(&self, variants: &'static [&'static str]) -> Option<&'static str> {
        let trace = &mut *self.trace.borrow_mut();
        if trace.places.get(&self.path).is_none_or(|place| place.kind.is_empty()) {
            let kinds: Vec<_> = variants.iter().map(|variant| format!("{variant:?}")).collect();
            trace.note(&self.path, &kinds.join(" | "));
            for other in 1..variants.len() {
                let mut selection = trace.selection.clone();
                selection.insert(self.path.clone(), other);
                trace.waiting.push_back(selection);
            }
        }
        variants.get(trace.selection.get(&self.path).copied().unwrap_or(0)).copied()
    }
}

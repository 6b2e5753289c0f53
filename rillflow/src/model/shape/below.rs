//! What is below a place of made-up data: fields, elements, the entry of a map, a variant.

use serde::Deserializer;
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};

use super::field;
use super::made_up::{At, Read};
use super::trace::Refusal;

/// The fields of a struct.
pub(super) struct Fields<'t> {
    pub(super) at: At<'t>,
    pub(super) keys: Vec<&'static str>,
    pub(super) key: &'static str,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Refusal;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Read<Option<K::Value>> {
        let Some(key) = self.keys.pop() else { return Ok(None) };
        self.key = key;
        self.at.trace.borrow_mut().key = field(&self.at.path, key);
        seed.deserialize(BorrowedStrDeserializer::new(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Read<V::Value> {
        let path = field(&self.at.path, self.key);
        {
            let trace = &mut *self.at.trace.borrow_mut();
            trace.fields.entry(path.clone()).or_insert_with(|| trace.selection.clone());
        }
        seed.deserialize(At { trace: self.at.trace, path })
    }
}

/// The elements of a list or tuple.
pub(super) struct Elements<'t> {
    pub(super) at: At<'t>,
    pub(super) step: fn(usize) -> String,
    pub(super) next: usize,
    pub(super) len: usize,
}

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = Refusal;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Read<Option<T::Value>> {
        if self.next == self.len {
            return Ok(None);
        }
        self.next += 1;
        seed.deserialize(self.at.below(&(self.step)(self.next - 1))).map(Some)
    }
}

/// The one entry of a map.
pub(super) struct Entry<'t> {
    pub(super) at: At<'t>,
    pub(super) left: bool,
}

impl<'de> MapAccess<'de> for Entry<'_> {
    type Error = Refusal;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Read<Option<K::Value>> {
        if std::mem::take(&mut self.left) { seed.deserialize(self.at.below("{key}")).map(Some) } else { Ok(None) }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Read<V::Value> {
        seed.deserialize(self.at.below("{}"))
    }
}

/// One variant of an enum.
pub(super) struct Variant<'a, 't> {
    pub(super) at: &'a At<'t>,
    pub(super) variant: &'static str,
}

impl<'t> Variant<'_, 't> {
    fn content(&self) -> At<'t> {
        self.at.below(&format!("({})", self.variant))
    }
}

impl<'de> EnumAccess<'de> for Variant<'_, '_> {
    type Error = Refusal;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Read<(V::Value, Self)> {
        Ok((seed.deserialize(BorrowedStrDeserializer::new(self.variant))?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, '_> {
    type Error = Refusal;

    fn unit_variant(self) -> Read<()> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Read<T::Value> {
        seed.deserialize(self.content())
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Read<V::Value> {
        self.content().deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Read<V::Value> {
        self.content().object(fields, visitor)
    }
}

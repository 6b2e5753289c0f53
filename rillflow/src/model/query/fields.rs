//! Rows whose fields make a struct: read in the order in which `jsonb` keeps its keys, whatever serde calls them.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

/// The values of an object, as a list: `(a, (b, ()))`.
#[doc(hidden)]
pub trait FieldList: Sized {
    /// Reads the values that are left.
    fn read<'de, M: MapAccess<'de>>(map: M) -> Result<Self, M::Error>;
}

impl FieldList for () {
    fn read<'de, M: MapAccess<'de>>(_: M) -> Result<Self, M::Error> {
        Ok(())
    }
}

impl<H: DeserializeOwned, T: FieldList> FieldList for (H, T) {
    fn read<'de, M: MapAccess<'de>>(mut map: M) -> Result<Self, M::Error> {
        let Some((IgnoredAny, head)) = map.next_entry()? else {
            return Err(M::Error::custom("a row has fewer fields than were selected"));
        };
        Ok((head, T::read(map)?))
    }
}

/// An object whose values are read one after another.
#[derive(Debug)]
pub(super) struct Fields<F>(pub(super) F);

impl<'de, F: FieldList> Deserialize<'de> for Fields<F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Object(PhantomData)).map(Self)
    }
}

struct Object<F>(PhantomData<F>);

impl<'de, F: FieldList> Visitor<'de> for Object<F> {
    type Value = F;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the selected fields")
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<F, M::Error> {
        F::read(map)
    }
}

//! A serializer around another one that refuses `NaN` and the infinities, which serde_json would write as `null`.

use serde::Serialize;
use serde::ser::{self, Error as _, Serializer};

use super::jsonb::Found;
use crate::PayloadProblem;

/// A serializer, or a list or object on its way, of which each number must be finite.
pub(super) struct Finite<'f, S> {
    inner: S,
    found: &'f Found,
}

impl<'f, S> Finite<'f, S> {
    pub(super) fn new(inner: S, found: &'f Found) -> Self {
        Self { inner, found }
    }
}

/// A value inside another one.
struct Inside<'f, 'v, T: ?Sized>(&'v T, &'f Found);

impl<T: Serialize + ?Sized> Serialize for Inside<'_, '_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(Finite::new(serializer, self.1))
    }
}

impl<S: Serializer> Finite<'_, S> {
    fn refuse(&self) -> S::Error {
        self.found.set(Some(PayloadProblem::NotFinite));
        S::Error::custom("not a finite number")
    }
}

/// Methods that hand a scalar on as it is.
macro_rules! scalars {
    ($($method:ident($type:ty))*) => { $(
        fn $method(self, value: $type) -> Result<S::Ok, S::Error> {
            self.inner.$method(value)
        }
    )* };
}

/// Methods that begin a list or an object, whose values are checked too.
macro_rules! compounds {
    ($($method:ident($($argument:ident: $type:ty),*) -> $compound:ident;)*) => { $(
        fn $method(self, $($argument: $type),*) -> Result<Self::$compound, S::Error> {
            Ok(Finite { inner: self.inner.$method($($argument),*)?, found: self.found })
        }
    )* };
}

impl<'f, S: Serializer> Serializer for Finite<'f, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Finite<'f, S::SerializeSeq>;
    type SerializeTuple = Finite<'f, S::SerializeTuple>;
    type SerializeTupleStruct = Finite<'f, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Finite<'f, S::SerializeTupleVariant>;
    type SerializeMap = Finite<'f, S::SerializeMap>;
    type SerializeStruct = Finite<'f, S::SerializeStruct>;
    type SerializeStructVariant = Finite<'f, S::SerializeStructVariant>;

    scalars! {
        serialize_bool(bool) serialize_char(char) serialize_str(&str) serialize_bytes(&[u8])
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64) serialize_i128(i128)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64) serialize_u128(u128)
        serialize_unit_struct(&'static str)
    }

    compounds! {
        serialize_seq(len: Option<usize>) -> SerializeSeq;
        serialize_tuple(len: usize) -> SerializeTuple;
        serialize_tuple_struct(name: &'static str, len: usize) -> SerializeTupleStruct;
        serialize_tuple_variant(name: &'static str, index: u32, variant: &'static str, len: usize) -> SerializeTupleVariant;
        serialize_map(len: Option<usize>) -> SerializeMap;
        serialize_struct(name: &'static str, len: usize) -> SerializeStruct;
        serialize_struct_variant(name: &'static str, index: u32, variant: &'static str, len: usize) -> SerializeStructVariant;
    }

    fn serialize_f32(self, value: f32) -> Result<S::Ok, S::Error> {
        if value.is_finite() { self.inner.serialize_f32(value) } else { Err(self.refuse()) }
    }

    fn serialize_f64(self, value: f64) -> Result<S::Ok, S::Error> {
        if value.is_finite() { self.inner.serialize_f64(value) } else { Err(self.refuse()) }
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.inner.serialize_none()
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit()
    }

    fn serialize_unit_variant(self, name: &'static str, index: u32, variant: &'static str) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit_variant(name, index, variant)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.serialize_some(&Inside(value, self.found))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.serialize_newtype_struct(name, &Inside(value, self.found))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.inner.serialize_newtype_variant(name, index, variant, &Inside(value, self.found))
    }

    fn collect_str<T: std::fmt::Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// Lists and objects: each value is checked, names and keys are handed on.
macro_rules! values {
    ($($trait:ident: $method:ident($($name:ident: $type:ty)?);)*) => { $(
        impl<S: ser::$trait> ser::$trait for Finite<'_, S> {
            type Ok = S::Ok;
            type Error = S::Error;
            fn $method<T: Serialize + ?Sized>(&mut self, $($name: $type,)? value: &T) -> Result<(), S::Error> {
                self.inner.$method($($name,)? &Inside(value, self.found))
            }
            fn end(self) -> Result<S::Ok, S::Error> {
                self.inner.end()
            }
        }
    )* };
}

values! {
    SerializeSeq: serialize_element();
    SerializeTuple: serialize_element();
    SerializeTupleStruct: serialize_field();
    SerializeTupleVariant: serialize_field();
    SerializeStruct: serialize_field(name: &'static str);
    SerializeStructVariant: serialize_field(name: &'static str);
}

impl<S: ser::SerializeMap> ser::SerializeMap for Finite<'_, S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), S::Error> {
        self.inner.serialize_key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
        self.inner.serialize_value(&Inside(value, self.found))
    }

    fn end(self) -> Result<S::Ok, S::Error> {
        self.inner.end()
    }
}

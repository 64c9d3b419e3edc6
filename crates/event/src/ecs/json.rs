//! Writes an event as JSON, several times as fast as a general serialiser: keys are known to need no escapes,
//! and text is looked at eight bytes at a time.
//!
//! It knows what events are made of: no floating point, no bytes, no enums but those without contents.
use crate::{number, text};
use serde::ser::{self, Impossible, Serialize, Serializer};
use std::fmt;

/// Appends `value` as JSON.
pub(super) fn write(out: &mut Vec<u8>, value: &impl Serialize) -> Result<(), Unsupported> {
    value.serialize(&mut Json { out })
}

/// A value that events do not hold.
#[derive(Debug)]
pub(super) struct Unsupported;

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("events do not hold such a value")
    }
}

impl std::error::Error for Unsupported {}

impl ser::Error for Unsupported {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

struct Json<'o> {
    out: &'o mut Vec<u8>,
}

/// A list or an object being written.
struct Compound<'j, 'o> {
    json: &'j mut Json<'o>,
    first: bool,
    close: u8,
}

impl Compound<'_, '_> {
    #[inline]
    fn next(&mut self) {
        if !self.first {
            self.json.out.push(b',');
        }
        self.first = false;
    }

    #[inline]
    fn field(&mut self, key: &'static str, value: &(impl Serialize + ?Sized)) -> Result<(), Unsupported> {
        self.next();
        self.json.out.push(b'"');
        self.json.out.extend_from_slice(key.as_bytes());
        self.json.out.extend_from_slice(b"\":");
        value.serialize(&mut *self.json)
    }

    #[inline]
    fn close(self) -> Result<(), Unsupported> {
        self.json.out.push(self.close);
        Ok(())
    }
}

/// Escapes what a value prints.
struct Escape<'o>(&'o mut Vec<u8>);

impl fmt::Write for Escape<'_> {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        text::json_utf8(self.0, part);
        Ok(())
    }
}

macro_rules! unsigned {
    ($($name:ident $type:ty,)*) => {$(
        #[inline]
        fn $name(self, value: $type) -> Result<(), Unsupported> {
            number::decimal(self.out, u64::from(value));
            Ok(())
        }
    )*};
}

macro_rules! unsupported {
    ($($name:ident $type:ty,)*) => {$(
        fn $name(self, _: $type) -> Result<(), Unsupported> {
            Err(Unsupported)
        }
    )*};
}

impl<'j, 'o> Serializer for &'j mut Json<'o> {
    type Ok = ();
    type Error = Unsupported;
    type SerializeSeq = Compound<'j, 'o>;
    type SerializeTuple = Compound<'j, 'o>;
    type SerializeTupleStruct = Impossible<(), Unsupported>;
    type SerializeTupleVariant = Impossible<(), Unsupported>;
    type SerializeMap = Compound<'j, 'o>;
    type SerializeStruct = Compound<'j, 'o>;
    type SerializeStructVariant = Impossible<(), Unsupported>;

    unsigned! { serialize_u8 u8, serialize_u16 u16, serialize_u32 u32, serialize_u64 u64, }
    unsupported! {
        serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64,
        serialize_f32 f32, serialize_f64 f64, serialize_bytes &[u8],
    }

    fn serialize_bool(self, value: bool) -> Result<(), Unsupported> {
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Unsupported> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result<(), Unsupported> {
        self.out.push(b'"');
        text::json_utf8(self.out, value);
        self.out.push(b'"');
        Ok(())
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<(), Unsupported> {
        self.out.push(b'"');
        fmt::write(&mut Escape(self.out), format_args!("{value}")).map_err(|_| Unsupported)?;
        self.out.push(b'"');
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Unsupported> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Unsupported> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Unsupported> {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Unsupported> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, name: &'static str) -> Result<(), Unsupported> {
        self.serialize_str(name)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Unsupported> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Unsupported> {
        Err(Unsupported)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Compound<'j, 'o>, Unsupported> {
        self.out.push(b'[');
        Ok(Compound { json: self, first: true, close: b']' })
    }

    fn serialize_tuple(self, len: usize) -> Result<Compound<'j, 'o>, Unsupported> {
        self.serialize_seq(Some(len))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, Unsupported> {
        Err(Unsupported)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Unsupported> {
        Err(Unsupported)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Compound<'j, 'o>, Unsupported> {
        self.out.push(b'{');
        Ok(Compound { json: self, first: true, close: b'}' })
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Compound<'j, 'o>, Unsupported> {
        self.serialize_map(None)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Unsupported> {
        Err(Unsupported)
    }
}

impl ser::SerializeSeq for Compound<'_, '_> {
    type Ok = ();
    type Error = Unsupported;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unsupported> {
        self.next();
        value.serialize(&mut *self.json)
    }

    fn end(self) -> Result<(), Unsupported> {
        self.close()
    }
}

impl ser::SerializeTuple for Compound<'_, '_> {
    type Ok = ();
    type Error = Unsupported;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unsupported> {
        ser::SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Result<(), Unsupported> {
        self.close()
    }
}

impl ser::SerializeStruct for Compound<'_, '_> {
    type Ok = ();
    type Error = Unsupported;

    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), Unsupported> {
        self.field(key, value)
    }

    fn end(self) -> Result<(), Unsupported> {
        self.close()
    }
}

/// Objects that have another object's fields put in among their own.
impl ser::SerializeMap for Compound<'_, '_> {
    type Ok = ();
    type Error = Unsupported;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unsupported> {
        self.next();
        key.serialize(&mut *self.json)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unsupported> {
        self.json.out.push(b':');
        value.serialize(&mut *self.json)
    }

    fn end(self) -> Result<(), Unsupported> {
        self.close()
    }
}

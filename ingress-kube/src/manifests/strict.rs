//! Reading an object while noting the fields that its type does not have.
//!
//! A layer between a parser and the types: which fields a type has it says itself when it asks for a
//! struct, so there is no table of fields to keep, and the text is read once. Whole numbers are asked for
//! as they are written, so that neither parser reads one out of a quoted text.

use std::cell::RefCell;
use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;

/// A field that its type does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unknown {
    /// The path of what the field stands in, such as `spec.rules[0]`.
    pub(super) parent: String,
    pub(super) name: String,
    /// The fields that may stand there.
    pub(super) known: &'static [&'static str],
}

/// Reads an object. What is in `metadata` and `status` is not looked at.
pub(super) fn read<'de, T, D>(deserializer: D, unknown: &mut Vec<Unknown>) -> Result<T, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    let found = RefCell::new(std::mem::take(unknown));
    let result = T::deserialize(Strict { inner: deserializer, at: &Path::Root, found: &found });
    *unknown = found.into_inner();
    result
}

/// A place in the object.
enum Path<'p> {
    Root,
    Field(&'p Path<'p>, &'p str),
    Item(&'p Path<'p>, usize),
}

/// A parser, visitor or seed at a place.
struct Strict<'p, T> {
    inner: T,
    at: &'p Path<'p>,
    found: &'p RefCell<Vec<Unknown>>,
}

/// The visitor of a struct.
struct Struct<'p, V> {
    visitor: Strict<'p, V>,
    known: &'static [&'static str],
}

/// The fields of a struct.
struct Fields<'p, A> {
    access: Strict<'p, A>,
    known: &'static [&'static str],
    /// The field whose value is next.
    name: String,
    is_known: bool,
}

/// The items of a list.
struct Items<'p, A> {
    access: Strict<'p, A>,
    index: usize,
}

/// Writes a field's name into a text.
struct Name<'n>(&'n mut String);

// ===== impl Path =====

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Field(Self::Root, name) => f.write_str(name),
            Self::Field(above, name) => write!(f, "{above}.{name}"),
            Self::Item(above, index) => write!(f, "{above}[{index}]"),
        }
    }
}

// ===== impl Strict =====

impl<'p, T> Strict<'p, T> {
    fn with<U>(&self, inner: U) -> Strict<'p, U> {
        Strict { inner, at: self.at, found: self.found }
    }
}

/// Passes numbers on as whatever they are in the text.
macro_rules! numbers {
    ($($name:ident)*) => {$(
        fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.inner.deserialize_any(visitor)
        }
    )*};
}

/// Passes on what holds no fields.
macro_rules! plain {
    ($($name:ident)*) => {$(
        fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$name(visitor)
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<'_, D> {
    type Error = D::Error;

    numbers! { deserialize_any deserialize_i32 deserialize_i64 }
    plain! { deserialize_bool deserialize_str deserialize_string deserialize_map deserialize_ignored_any }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let visitor = self.with(visitor);
        self.inner.deserialize_option(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let visitor = self.with(visitor);
        self.inner.deserialize_seq(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_newtype_struct(name, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = Struct { visitor: self.with(visitor), known };
        self.inner.deserialize_struct(name, known, visitor)
    }

    // No object has any of these.
    forward_to_deserialize_any! {
        i8 i16 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct
        enum identifier
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Strict<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        let deserializer = self.with(deserializer);
        self.inner.deserialize(deserializer)
    }
}

/// Of optional values and lists.
impl<'de, V: Visitor<'de>> Visitor<'de> for Strict<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        let deserializer = self.with(deserializer);
        self.inner.visit_some(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let access = self.with(access);
        self.inner.visit_seq(Items { access, index: 0 })
    }
}

// ===== impl Struct, Fields, Items =====

impl<'de, V: Visitor<'de>> Visitor<'de> for Struct<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.inner.expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let access = self.visitor.with(access);
        let fields = Fields { access, known: self.known, name: String::new(), is_known: true };
        self.visitor.inner.visit_map(fields)
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Fields<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        self.name.clear();
        if self.access.inner.next_key_seed(Name(&mut self.name))?.is_none() {
            return Ok(None);
        }
        self.is_known = self.known.contains(&&*self.name);
        if !self.is_known {
            let (parent, name) = (self.access.at.to_string(), self.name.clone());
            self.access.found.borrow_mut().push(Unknown { parent, name, known: self.known });
        }
        seed.deserialize(self.name.as_str().into_deserializer()).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let Strict { inner, at, found } = &mut self.access;
        let unread = matches!((&**at, &*self.name), (Path::Root, "metadata" | "status"));
        if unread || !self.is_known {
            return inner.next_value_seed(seed);
        }
        let at = Path::Field(at, &self.name);
        inner.next_value_seed(Strict { inner: seed, at: &at, found })
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Items<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        let Strict { inner, at, found } = &mut self.access;
        let at = Path::Item(at, self.index);
        self.index += 1;
        inner.next_element_seed(Strict { inner: seed, at: &at, found })
    }

    fn size_hint(&self) -> Option<usize> {
        self.access.inner.size_hint()
    }
}

// ===== impl Name =====

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<(), E> {
        self.0.push_str(name);
        Ok(())
    }
}

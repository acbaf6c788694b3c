//! Where a rule comes from: the object, its field, and the file if there is one.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// The object and field that a rule, an endpoint set or a finding stems from.
///
/// `Ord` is ruling R10: the older object first, then namespace and name, then the field, where
/// `rules[2]` comes before `rules[10]`. An object without a creation time counts as younger than any with
/// one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Source {
    /// The object; shared by everything that stems from it.
    #[cfg_attr(feature = "serde", serde(flatten, serialize_with = "serialize_object"))]
    pub object: Arc<ObjectRef>,
    /// The field inside the object, such as `spec.rules[0].http.paths[1]`; empty for the whole object.
    pub field: Box<str>,
}

struct Located<'s>(&'s Source);

/// One configuration object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ObjectRef {
    /// `Ingress`, `Service` and so on; empty for a source that knows no objects.
    pub kind: Box<str>,
    /// `metadata.namespace`; empty for what has none.
    pub namespace: Box<str>,
    /// `metadata.name`.
    pub name: Box<str>,
    /// `metadata.creationTimestamp` in seconds since 1970.
    pub created: Option<i64>,
    /// The file that holds the object.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub file: Option<Box<str>>,
    /// The line of that file where the object or the fault is, counted from 1.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub line: Option<u32>,
}

// ===== impl Source =====

impl Source {
    /// A field of an object.
    pub fn new(object: Arc<ObjectRef>, field: impl Into<Box<str>>) -> Self {
        Self { object, field: field.into() }
    }

    /// Its text with the place in front, as far as that is known: `file.yaml:7: Ingress shop/web spec.rules[0]`.
    pub fn located(&self) -> impl fmt::Display + '_ {
        Located(self)
    }

    /// Takes over the line of the field, where `locate` knows it.
    pub(crate) fn locate(&mut self, mut locate: impl FnMut(&Self) -> Option<u32>) {
        if let Some(line) = locate(self) {
            Arc::make_mut(&mut self.object).line = Some(line);
        }
    }

    fn precedence(&self) -> impl Ord + '_ {
        let object = &*self.object;
        (object.created.is_none(), object.created, &object.namespace, &object.name, &object.kind)
    }

    fn place(&self) -> impl Ord + '_ {
        (&self.field, &self.object.file, self.object.line)
    }
}

impl Ord for Source {
    fn cmp(&self, other: &Self) -> Ordering {
        self.precedence()
            .cmp(&other.precedence())
            .then_with(|| field_order(&self.field, &other.field))
            .then_with(|| self.place().cmp(&other.place()))
    }
}

impl PartialOrd for Source {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Located<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        if let Some(file) = &self.0.object.file {
            write!(f, "{file}")?;
            if let Some(line) = self.0.object.line {
                write!(f, ":{line}")?;
            }
            if !text.is_empty() {
                f.write_str(": ")?;
            }
        }
        f.write_str(&text)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.object)?;
        if !self.field.is_empty() {
            write!(f, " {}", self.field)?;
        }
        Ok(())
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)?;
        if !self.name.is_empty() {
            f.write_str(if self.kind.is_empty() { "" } else { " " })?;
            if !self.namespace.is_empty() {
                write!(f, "{}/", self.namespace)?;
            }
            f.write_str(&self.name)?;
        }
        Ok(())
    }
}

/// By text, but numbers by value.
fn field_order(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    while let (Some(&first_a), Some(&first_b)) = (a.first(), b.first()) {
        let (len_a, len_b) = (number_len(a), number_len(b));
        let order = if len_a > 0 && len_b > 0 {
            // Indices are written without leading zeros, so the longer number is the greater one.
            len_a.cmp(&len_b).then_with(|| a[..len_a].cmp(&b[..len_b]))
        } else {
            first_a.cmp(&first_b)
        };
        if order.is_ne() {
            return order;
        }
        (a, b) = (&a[len_a.max(1)..], &b[len_b.max(1)..]);
    }
    a.len().cmp(&b.len())
}

fn number_len(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

#[cfg(feature = "serde")]
fn serialize_object<S: serde::Serializer>(object: &Arc<ObjectRef>, serializer: S) -> Result<S::Ok, S::Error> {
    serde::Serialize::serialize(&**object, serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(created: Option<i64>, namespace: &str, name: &str, field: &str) -> Source {
        let object = ObjectRef {
            kind: "Ingress".into(),
            namespace: namespace.into(),
            name: name.into(),
            created,
            ..ObjectRef::default()
        };
        Source::new(Arc::new(object), field)
    }

    #[test]
    fn older_first_then_namespace_and_name() {
        let mut sources = [
            source(None, "a", "a", ""),
            source(Some(2), "a", "a", ""),
            source(Some(1), "b", "a", ""),
            source(Some(1), "a", "b", "x"),
            source(Some(1), "a", "b", ""),
        ];
        sources.sort();
        let texts: Vec<_> = sources.iter().map(|s| format!("{s} {:?}", s.object.created)).collect();
        assert_eq!(
            texts,
            [
                "Ingress a/b Some(1)",
                "Ingress a/b x Some(1)",
                "Ingress b/a Some(1)",
                "Ingress a/a Some(2)",
                "Ingress a/a None"
            ]
        );
    }

    #[test]
    fn indices_inside_a_field_count_as_numbers() {
        let mut fields = [
            "rules[10].host",
            "rules[2].host",
            "rules[2]",
            "defaultBackend",
            "rules[2].paths[11]",
            "rules[2].paths[9]",
        ];
        fields.sort_by_key(|field| source(None, "", "", field));
        assert_eq!(
            fields,
            [
                "defaultBackend",
                "rules[2]",
                "rules[2].host",
                "rules[2].paths[9]",
                "rules[2].paths[11]",
                "rules[10].host"
            ]
        );
    }
}

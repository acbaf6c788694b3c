//! Where a rule comes from: the object, its field, and the file if there is one.

use std::fmt;
use std::sync::Arc;

/// The object and field that a rule, an endpoint set or a finding stems from.
///
/// `Ord` is ruling R10: the older object first, then namespace and name, then the field. An object
/// without a creation time counts as younger than any with one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Source {
    /// The object; shared by everything that stems from it.
    #[cfg_attr(feature = "serde", serde(flatten, serialize_with = "serialize_object"))]
    pub object: Arc<ObjectRef>,
    /// The field inside the object, such as `spec.rules[0].http.paths[1]`; empty for the whole object.
    pub field: Box<str>,
}

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

    fn precedence(&self) -> impl Ord + '_ {
        let object = &*self.object;
        (object.created.is_none(), object.created, &object.namespace, &object.name, &object.kind, &self.field)
    }
}

impl Ord for Source {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let files = |source: &Self| (source.object.file.clone(), source.object.line);
        self.precedence().cmp(&other.precedence()).then_with(|| files(self).cmp(&files(other)))
    }
}

impl PartialOrd for Source {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
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

#[cfg(feature = "serde")]
fn serialize_object<S: serde::Serializer>(object: &Arc<ObjectRef>, serializer: S) -> Result<S::Ok, S::Error> {
    serde::Serialize::serialize(&**object, serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(created: Option<i64>, namespace: &str, name: &str, field: &str) -> Source {
        let object = ObjectRef { kind: "Ingress".into(), namespace: namespace.into(), name: name.into(), created, ..ObjectRef::default() };
        Source::new(Arc::new(object), field)
    }

    #[test]
    fn older_first_then_namespace_and_name() {
        let mut sources = vec![
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
            ["Ingress a/b Some(1)", "Ingress a/b x Some(1)", "Ingress b/a Some(1)", "Ingress a/a Some(2)", "Ingress a/a None"]
        );
    }
}

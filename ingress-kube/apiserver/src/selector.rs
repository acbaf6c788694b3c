//! Label and field selectors.

use serde_json::Value;

use crate::failure::Failure;
use crate::kind::Kind;

/// Which objects of a kind a request is about.
#[derive(Debug, Default)]
pub(crate) struct Selector {
    namespace: Option<String>,
    name: Option<String>,
    labels: Vec<LabelTerm>,
    fields: Vec<FieldTerm>,
}

#[derive(Debug)]
struct LabelTerm {
    key: String,
    test: LabelTest,
}

#[derive(Debug)]
enum LabelTest {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Absent,
}

#[derive(Debug)]
struct FieldTerm {
    pointer: &'static str,
    value: String,
    equal: bool,
}

impl Selector {
    /// `labels` and `fields` as the query has them.
    pub(crate) fn new(
        kind: &Kind,
        namespace: Option<&str>,
        name: Option<&str>,
        labels: Option<&str>,
        fields: Option<&str>,
    ) -> Result<Self, Failure> {
        let fields = fields.unwrap_or_default();
        let terms = fields.split(',').filter(|term| !term.is_empty());
        Ok(Self {
            namespace: namespace.map(str::to_owned),
            name: name.map(str::to_owned),
            labels: label_terms(labels.unwrap_or_default())?,
            fields: terms.map(|term| field_term(kind, term)).collect::<Result<_, _>>()?,
        })
    }

    /// Whether it is about all objects of the kind, or of one namespace.
    pub(crate) fn is_plain(&self) -> bool {
        self.name.is_none() && self.labels.is_empty() && self.fields.is_empty()
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        let metadata = &object["metadata"];
        let is = |wanted: &Option<String>, field: &str| {
            wanted.as_ref().is_none_or(|wanted| metadata[field].as_str() == Some(wanted))
        };
        is(&self.namespace, "namespace")
            && is(&self.name, "name")
            && self.labels.iter().all(|term| term.matches(&metadata["labels"]))
            && self.fields.iter().all(|term| term.matches(object))
    }
}

impl LabelTerm {
    fn matches(&self, labels: &Value) -> bool {
        let value = labels.get(&self.key).and_then(Value::as_str);
        let among = |values: &[String]| value.is_some_and(|value| values.iter().any(|one| one == value));
        match &self.test {
            LabelTest::In(values) => among(values),
            LabelTest::NotIn(values) => !among(values),
            LabelTest::Exists => value.is_some(),
            LabelTest::Absent => value.is_none(),
        }
    }
}

impl FieldTerm {
    fn matches(&self, object: &Value) -> bool {
        let value = object.pointer(self.pointer).and_then(Value::as_str).unwrap_or_default();
        (value == self.value) == self.equal
    }
}

fn label_terms(selector: &str) -> Result<Vec<LabelTerm>, Failure> {
    let mut depth = 0_u32;
    let terms = selector.split(|c| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    });
    let terms = terms.map(str::trim).filter(|term| !term.is_empty());
    terms.map(|term| label_term(term).ok_or_else(|| unparsable(selector))).collect()
}

fn unparsable(selector: &str) -> Failure {
    Failure::bad_request(format!("unable to parse requirement: {selector}"))
}

fn label_term(term: &str) -> Option<LabelTerm> {
    let (key, test) = if let Some(key) = term.strip_prefix('!') {
        (key, LabelTest::Absent)
    } else if let Some((head, values)) = term.strip_suffix(')').and_then(|term| term.split_once('(')) {
        let values = values.split(',').map(|value| value.trim().to_owned()).collect();
        match head.split_whitespace().collect::<Vec<_>>()[..] {
            [key, "in"] => (key, LabelTest::In(values)),
            [key, "notin"] => (key, LabelTest::NotIn(values)),
            _ => return None,
        }
    } else if let Some((key, value)) = term.split_once("!=") {
        (key, LabelTest::NotIn(vec![value.trim().to_owned()]))
    } else if let Some((key, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
        (key, LabelTest::In(vec![value.trim().to_owned()]))
    } else {
        (term, LabelTest::Exists)
    };
    let key = key.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    (!key.is_empty() && key.chars().all(plain)).then(|| LabelTerm { key: key.to_owned(), test })
}

fn field_term(kind: &Kind, term: &str) -> Result<FieldTerm, Failure> {
    let (field, value, equal) = if let Some((field, value)) = term.split_once("!=") {
        (field, value, false)
    } else if let Some((field, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
        (field, value, true)
    } else {
        return Err(Failure::bad_request(format!("invalid selector: '{term}'; can't understand '{term}'")));
    };
    let pointer = match field {
        "metadata.name" => "/metadata/name",
        "metadata.namespace" => "/metadata/namespace",
        "type" if kind.name == "Secret" => "/type",
        _ => {
            let message = format!("field label \"{field}\" not supported for {}", kind.name);
            return Err(Failure::bad_request(message));
        }
    };
    Ok(FieldTerm { pointer, value: value.to_owned(), equal })
}

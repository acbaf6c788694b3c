//! `headers`: fields that are set, added or taken out.

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, SET_COOKIE};
use ingress_core::{FieldEdits, FieldName, Headers, Template};

use super::{Facts, Treated};

/// What is done to the fields of both messages.
#[derive(Debug)]
pub(super) struct Plans {
    request: Box<[Step]>,
    answer: Box<[Step]>,
}

/// What is done to a field. Steps are in the order in which they are taken.
#[derive(Debug)]
struct Step {
    name: HeaderName,
    change: Change,
}

#[derive(Debug)]
enum Change {
    Remove,
    Set(Value),
    Add(Value),
}

#[derive(Debug)]
enum Value {
    /// The same for all requests; `None` is none that a field may have.
    Plain(Option<HeaderValue>),
    Made(Template),
}

/// What is done to the fields of one message.
pub(super) struct Edits<'p> {
    steps: &'p [Step],
    /// What the request makes of each [`Value::Made`], in order.
    made: Vec<Option<HeaderValue>>,
}

impl Plans {
    pub(super) fn new(value: &Headers) -> Self {
        let cookies = value
            .response_cookies
            .iter()
            .map(|cookie| Step { name: SET_COOKIE, change: Change::Add(Value::new(&SET_COOKIE, cookie)) });
        Self {
            request: steps(&value.request).collect(),
            answer: steps(&value.response).chain(cookies).collect(),
        }
    }
}

fn steps(edits: &FieldEdits) -> impl Iterator<Item = Step> {
    let step = |name: &FieldName, change| Step { name: name.as_name().clone(), change };
    let value = |name: &FieldName, template| Value::new(name.as_name(), template);
    let remove = edits.remove.iter().map(move |name| step(name, Change::Remove));
    let set = edits.set.iter().map(move |(name, template)| step(name, Change::Set(value(name, template))));
    let add = edits.add.iter().map(move |(name, template)| step(name, Change::Add(value(name, template))));
    remove.chain(set).chain(add)
}

/// What is done to the answer of a request.
pub(super) fn of_answer<'p>(treated: &'p Treated, facts: &Facts<'_>) -> Option<Edits<'p>> {
    Edits::of(&treated.prepared.headers.answer, facts)
}

/// What is done to a request on its way to an endpoint.
pub(super) fn of_request<'p>(treated: &'p Treated, facts: &Facts<'_>) -> Option<Edits<'p>> {
    Edits::of(&treated.prepared.headers.request, facts)
}

impl<'p> Edits<'p> {
    fn of(steps: &'p [Step], facts: &Facts<'_>) -> Option<Self> {
        if steps.is_empty() {
            return None;
        }
        let made = steps.iter().filter_map(|step| match &step.change {
            Change::Set(Value::Made(template)) | Change::Add(Value::Made(template)) => {
                let mut text = String::new();
                template.expand(&mut text, |part| facts.value(part));
                Some(usable(&step.name, text))
            }
            _ => None,
        });
        Some(Self { steps, made: made.collect() })
    }

    pub(super) fn apply(self, headers: &mut HeaderMap) {
        let mut made = self.made.into_iter();
        let mut value = |value: &Value| match value {
            Value::Plain(value) => value.clone(),
            Value::Made(_) => made.next().flatten(),
        };
        for Step { name, change } in self.steps {
            match change {
                Change::Remove => drop(headers.remove(name)),
                Change::Set(own) => match value(own) {
                    Some(value) => drop(headers.insert(name, value)),
                    None => drop(headers.remove(name)),
                },
                Change::Add(own) => {
                    if let Some(value) = value(own) {
                        headers.append(name, value);
                    }
                }
            }
        }
    }

    /// The same for a request, of which endpoints that take `_` for `-` must not read a field in place of one that is set
    /// or taken out.
    pub(super) fn apply_to_request(self, headers: &mut HeaderMap) {
        let dash = |byte: u8| if byte == b'_' { b'-' } else { byte };
        let same = |one: &HeaderName, other: &HeaderName| {
            let (one, other) = (one.as_str(), other.as_str());
            one.len() == other.len() && one.bytes().map(dash).eq(other.bytes().map(dash))
        };
        let is_twin = |name: &&HeaderName| {
            self.steps.iter().any(|step| {
                !matches!(step.change, Change::Add(_)) && step.name != **name && same(&step.name, name)
            })
        };
        while let Some(twin) = headers.keys().find(is_twin).cloned() {
            headers.remove(twin);
        }
        self.apply(headers);
    }
}

impl Value {
    fn new(name: &HeaderName, template: &Template) -> Self {
        match template.as_text() {
            Some(text) => Self::Plain(usable(name, text.to_owned())),
            None => Self::Made(template.clone()),
        }
    }
}

/// The value, if there is one and a field may have it. White space around it is none of it (RFC 9110 section 5.5), and
/// HTTP/2 must not have it.
fn usable(name: &HeaderName, text: String) -> Option<HeaderValue> {
    let trimmed = text.trim_matches([' ', '\t']);
    let value = match trimmed.len() == text.len() {
        true => HeaderValue::try_from(text),
        false => HeaderValue::try_from(trimmed),
    };
    let mut value = value.ok().filter(|value| !value.is_empty())?;
    value.set_sensitive(*name == AUTHORIZATION || *name == SET_COOKIE);
    Some(value)
}

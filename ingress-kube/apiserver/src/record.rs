//! Which requests came.

use std::time::Instant;

use http::{Method, Uri};

use crate::call::Call;

/// A request as it came, and the status of its answer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Recorded {
    /// `list`, `watch`, `get`, `create`, `update`, `patch` or `delete`; `get` as well for what isn't an
    /// object.
    pub verb: &'static str,
    /// The HTTP method.
    pub method: String,
    /// The path, as it was sent.
    pub path: String,
    /// The query without its question mark, as it was sent; empty where there is none.
    pub query: String,
    /// The plural: `ingresses`; `None` for what isn't an object.
    pub resource: Option<String>,
    /// The namespace in the path.
    pub namespace: Option<String>,
    /// The name in the path.
    pub name: Option<String>,
    /// `status`, if it was about that.
    pub subresource: Option<String>,
    /// `fieldManager` of the query.
    pub field_manager: Option<String>,
    /// When the head of the request had come.
    pub time: Instant,
    /// The status of the answer; `None` as long as none is given.
    pub status: Option<u16>,
}

/// Which request of all a record is about; clearing changes no number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordId(usize);

#[derive(Debug, Default)]
pub(crate) struct Records {
    cleared: usize,
    list: Vec<Recorded>,
}

impl Recorded {
    /// A parameter of the query, decoded.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(self.query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    pub(crate) fn new(method: &Method, uri: &Uri, call: Option<&Call>) -> Self {
        Self {
            verb: call.map_or("get", |call| call.verb),
            method: method.to_string(),
            path: uri.path().to_owned(),
            query: uri.query().unwrap_or_default().to_owned(),
            resource: call.map(|call| call.kind.plural.to_owned()),
            namespace: call.and_then(|call| call.namespace.clone()),
            name: call.and_then(|call| call.name.clone()),
            subresource: call.filter(|call| call.status).map(|_| "status".to_owned()),
            field_manager: call.and_then(|call| call.option("fieldManager")).map(str::to_owned),
            time: Instant::now(),
            status: None,
        }
    }
}

impl Records {
    pub(crate) fn push(&mut self, recorded: Recorded) -> RecordId {
        self.list.push(recorded);
        RecordId(self.cleared + self.list.len() - 1)
    }

    pub(crate) fn answered(&mut self, id: RecordId, status: u16) {
        let index = id.0.checked_sub(self.cleared);
        if let Some(recorded) = index.and_then(|index| self.list.get_mut(index)) {
            recorded.status = Some(status);
        }
    }

    pub(crate) fn list(&self) -> &[Recorded] {
        &self.list
    }

    pub(crate) fn clear(&mut self) {
        self.cleared += self.list.len();
        self.list.clear();
    }
}

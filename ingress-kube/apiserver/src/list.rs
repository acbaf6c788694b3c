//! Lists, in pages or whole.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::call::Call;
use crate::failure::Failure;
use crate::form::Form;
use crate::selector::Selector;
use crate::state::{Shared, State};
use crate::store::Key;

/// How long a server waits for a version that it doesn't have yet.
const FRESH_WITHIN: Duration = Duration::from_secs(3);

type Page = Vec<(Key, Arc<Value>)>;

/// Where a page begins.
struct Start {
    /// The version of the snapshot; `None` for the present.
    version: Option<u64>,
    /// The last object of the page before.
    after: Option<Key>,
}

/// Answers a list.
pub(crate) async fn list(shared: &Shared, call: &Call, form: Form) -> Result<Value, Failure> {
    let selector = selector(call)?;
    let limit =
        call.number("limit")?.filter(|limit| *limit > 0).and_then(|limit| usize::try_from(limit).ok());
    let start = start(shared, call, limit.is_some()).await?;
    let (version, mut objects) = objects(&shared.lock(), call, &selector, start)?;

    let mut metadata = json!({"resourceVersion": version.to_string()});
    let total = objects.len();
    objects.truncate(limit.unwrap_or(total));
    if let Some((last, _)) = objects.last().filter(|_| objects.len() < total) {
        metadata["continue"] = token(version, last).into();
        if selector.is_plain() {
            metadata["remainingItemCount"] = (total - objects.len()).into();
        }
    }
    let items = objects.iter().map(|(_, object)| form.item(object)).collect();
    Ok(form.list(call.kind, metadata, items))
}

/// Which objects a list or watch is about.
pub(crate) fn selector(call: &Call) -> Result<Selector, Failure> {
    let (labels, fields) = (call.option("labelSelector"), call.option("fieldSelector"));
    Selector::new(call.kind, call.namespace.as_deref(), call.name.as_deref(), labels, fields)
}

/// Waits until the store has a version, but not for long.
pub(crate) async fn wait_until_fresh(shared: &Shared, version: u64) -> Result<(), Failure> {
    let mut changed = shared.changed.subscribe();
    let fresh = async {
        while {
            changed.borrow_and_update();
            shared.lock().store.version() < version
        } {
            if changed.changed().await.is_err() {
                break;
            }
        }
    };
    let waited = tokio::time::timeout(FRESH_WITHIN, fresh).await;
    waited.map_err(|_| Failure::too_new(version, shared.lock().store.version()))
}

async fn start(shared: &Shared, call: &Call, in_pages: bool) -> Result<Start, Failure> {
    let version = call.number("resourceVersion")?;
    let matching = call.option("resourceVersionMatch");
    let forbidden = |why: &str| Err(options_invalid(why));
    if call.flag("sendInitialEvents") == Some(true) {
        return forbidden("sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list");
    }
    if let Some(token) = call.option("continue") {
        if matching.is_some() {
            let why = "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided";
            return forbidden(why);
        }
        if version.is_some_and(|version| version > 0) {
            let message = "specifying resource version is not allowed when using continue";
            return Err(Failure::bad_request(message));
        }
        let (version, after) =
            parse_token(token).ok_or_else(|| Failure::bad_request("continue key is not valid"))?;
        return Ok(Start { version: Some(version), after: Some(after) });
    }
    let exact = match (matching, version) {
        (Some(_), None) => {
            let why = "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided";
            return forbidden(why);
        }
        (Some("Exact"), Some(0)) => {
            let why = "resourceVersionMatch: Forbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
            return forbidden(why);
        }
        (Some("Exact"), _) => true,
        (Some("NotOlderThan"), _) => false,
        (Some(other), _) => {
            let why = format!("resourceVersionMatch: Unsupported value: \"{other}\"");
            return forbidden(&why);
        }
        // A list in pages that names a version gets that version.
        (None, version) => in_pages && version.is_some_and(|version| version > 0),
    };
    wait_until_fresh(shared, version.unwrap_or(0)).await?;
    Ok(Start { version: version.filter(|_| exact), after: None })
}

fn objects(state: &State, call: &Call, selector: &Selector, start: Start) -> Result<(u64, Page), Failure> {
    let store = &state.store;
    let wanted = |(key, object): &(&Key, &Arc<Value>)| {
        start.after.as_ref().is_none_or(|after| *key > after) && selector.matches(object)
    };
    let owned = |(key, object): (&Key, &Arc<Value>)| (key.clone(), object.clone());
    let version = start.version.unwrap_or(store.version());
    if version < store.floor() {
        let message = "The provided continue parameter is too old to display a consistent list result. \
                       You can start a new list without the continue parameter.";
        return Err(match start.after {
            Some(_) => Failure::new(410, "Expired", message),
            None => Failure::too_old(version, store.floor()),
        });
    }
    let objects = if version == store.version() {
        store.objects(call.kind).filter(wanted).map(owned).collect()
    } else {
        store.snapshot(call.kind, version).iter().filter(wanted).map(owned).collect()
    };
    Ok((version, objects))
}

/// Options that contradict each other.
pub(crate) fn options_invalid(why: &str) -> Failure {
    Failure::invalid("ListOptions.meta.k8s.io", "", why)
}

/// What `continue` says: the version of the snapshot and the last object. Clients are not to look into it.
fn token(version: u64, (namespace, name): &Key) -> String {
    format!("{version}:{namespace}/{name}").bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn parse_token(token: &str) -> Option<(u64, Key)> {
    let digits = token.as_bytes();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Vec<u8> = digits.chunks(2).map(pair).collect::<Option<_>>()?;
    let text = String::from_utf8(bytes).ok()?;
    let (version, key) = text.split_once(':')?;
    let (namespace, name) = key.split_once('/')?;
    Some((version.parse().ok()?, (namespace.to_owned(), name.to_owned())))
}

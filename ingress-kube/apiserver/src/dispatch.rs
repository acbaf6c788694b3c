//! From a request to its answer.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use http::{HeaderMap, Request, Response, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::access;
use crate::answer::{Answer, Body};
use crate::call::Call;
use crate::damage::damage;
use crate::discovery;
use crate::failure::Failure;
use crate::fault::FaultAction;
use crate::form::Form;
use crate::list::list;
use crate::record::Recorded;
use crate::state::{Shared, State};
use crate::store::{Part, Write};
use crate::watch;

/// Answers one request, if it is to be answered.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let call = Call::parse(&head.method, &head.uri, &head.headers);
    let (id, fault) = {
        let mut state = shared.lock();
        let recorded = Recorded::new(&head.method, &head.uri, call.as_ref());
        let resource = call.as_ref().map(Call::resource).unwrap_or_default();
        let fault = state.faults.take(recorded.verb, &resource);
        (state.records.push(recorded), fault)
    };
    shared.recorded.send_replace(());

    let refused = fault.as_ref().and_then(FaultAction::failure);
    let mut answer = match (&call, refused, &fault) {
        (_, Some(failure), _) => Answer::failure(&failure),
        (_, _, Some(FaultAction::HangBeforeHead)) => std::future::pending().await,
        (_, _, Some(FaultAction::EndAtOnce)) => Answer::watch(stream::empty().boxed()),
        (None, ..) => discovery::answer(head.uri.path()),
        (Some(call), ..) => {
            let answer = answer(&shared, call, &head.headers, body).await;
            answer.unwrap_or_else(|failure| Answer::failure(&failure))
        }
    };
    if let Some(fault) = fault {
        let is_watch = call.is_some_and(|call| call.verb == "watch");
        answer.lines = damage(answer.lines, &fault, is_watch);
    }
    shared.lock().records.answered(id, answer.code);
    shared.recorded.send_replace(());
    Ok(answer.into_response())
}

async fn answer(
    shared: &Arc<Shared>,
    call: &Call,
    headers: &HeaderMap,
    body: Incoming,
) -> Result<Answer, Failure> {
    access::check(shared.lock().rules.as_deref(), call.verb, call)?;
    if !call.is_served() {
        let message = "the server does not allow this method on the requested resource";
        return Err(Failure::new(405, "MethodNotAllowed", message));
    }
    let form = call.form(headers)?;
    match call.verb {
        "watch" => Ok(Answer::watch(watch::open(shared, call, form).await?)),
        "list" => Ok(Answer::json(200, &list(shared, call, form).await?)),
        "get" => get(&shared.lock(), call, form),
        _ => {
            let body = body.collect().await.map_err(|error| Failure::bad_request(error.to_string()))?;
            shared.change(|state| write(state, call, headers, form, &body.to_bytes()))
        }
    }
}

fn get(state: &State, call: &Call, form: Form) -> Result<Answer, Failure> {
    let key = call.key();
    let object = state.store.get(call.kind, &key).ok_or_else(|| Failure::not_found(call.kind, &key.1))?;
    Ok(Answer::json(200, &form.object(object)))
}

fn write(
    state: &mut State,
    call: &Call,
    headers: &HeaderMap,
    form: Form,
    body: &Bytes,
) -> Result<Answer, Failure> {
    if call.option("dryRun").is_some() {
        return Err(Failure::bad_request("this test double has no dryRun"));
    }
    let part = if call.status { Part::Status } else { Part::Main };
    let write = Write { kind: call.kind, key: call.key(), part, manager: &call.manager };
    match call.verb {
        "create" => {
            let object = state.store.create(write, parse(body)?, None)?;
            Ok(Answer::json(201, &form.object(&object)))
        }
        "update" => {
            let object = state.store.update(write, parse(body)?)?;
            Ok(Answer::json(200, &form.object(&object)))
        }
        "patch" => patch(state, call, write, content_type(headers), form, parse(body)?),
        _ => delete(state, call, if body.is_empty() { json!({}) } else { parse(body)? }),
    }
}

fn patch(
    state: &mut State,
    call: &Call,
    write: Write<'_>,
    content_type: &str,
    form: Form,
    patch: Value,
) -> Result<Answer, Failure> {
    let invalid = |why| Failure::invalid("PatchOptions.meta.k8s.io", "", why);
    match content_type {
        "application/apply-patch+yaml" => {
            if call.option("fieldManager").is_none() {
                return Err(invalid("fieldManager: Required value: is required for apply patch"));
            }
            if !call.status && state.store.get(call.kind, &call.key()).is_none() {
                access::check(state.rules.as_deref(), "create", call)?;
            }
            let force = call.flag("force") == Some(true);
            let applied = state.store.server_side_apply(write, patch, force)?;
            let code = if applied.created { 201 } else { 200 };
            Ok(Answer::json(code, &form.object(&applied.object)))
        }
        // Where they differ, in lists with keys, the strategic one is not what a server makes of it.
        "application/merge-patch+json" | "application/strategic-merge-patch+json" => {
            if call.option("force").is_some() {
                return Err(invalid("force: Forbidden: may not be specified for non-apply patch"));
            }
            let object = state.store.merge_patch(write, patch)?;
            Ok(Answer::json(200, &form.object(&object)))
        }
        _ => {
            let message = "the body of the request was in an unknown format - accepted media types include: \
                           application/apply-patch+yaml, application/merge-patch+json, \
                           application/strategic-merge-patch+json";
            Err(Failure::new(415, "UnsupportedMediaType", message))
        }
    }
}

fn delete(state: &mut State, call: &Call, options: Value) -> Result<Answer, Failure> {
    let (kind, key) = (call.kind, call.key());
    let old = state.store.get(kind, &key).ok_or_else(|| Failure::not_found(kind, &key.1))?;
    for field in ["uid", "resourceVersion"] {
        let (wanted, is) = (&options["preconditions"][field], &old["metadata"][field]);
        if !wanted.is_null() && wanted != is {
            let why = format!("Precondition failed: {field} in precondition: {wanted}, in object meta: {is}");
            return Err(Failure::conflict(kind, &key.1, &why));
        }
    }
    let mut details = json!({"name": key.1, "kind": kind.plural, "uid": old["metadata"]["uid"]});
    if !kind.group.is_empty() {
        details["group"] = kind.group.into();
    }
    state.store.remove(kind, &key);
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details});
    Ok(Answer::json(200, &status))
}

fn content_type(headers: &HeaderMap) -> &str {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim()
}

fn parse(body: &Bytes) -> Result<Value, Failure> {
    serde_json::from_slice(body)
        .map_err(|error| Failure::bad_request(format!("error decoding body: {error}")))
}

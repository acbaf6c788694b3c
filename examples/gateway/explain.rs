//! `gateway explain`: where a request would go, and why.

use std::path::PathBuf;
use std::time::Duration;

use annotate_snippets::normalize_untrusted_str;
use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, Request, Uri};
use clap::ValueEnum;
use ingress_core::{Explanation, Verdict};
use serde::Serialize;
use serde_json::Value;

use crate::Failure;
use crate::args::TranslationOptions;
use crate::offline::{self, Offline};
use crate::run::chain;

const EXAMPLES: &str = "\
Examples:
  gateway explain --manifests manifests/ GET http://shop.example/cart
  gateway explain --manifests manifests/ POST '/cart?item=7' -H 'Host: shop.example' -H 'X-Env: canary'
  gateway explain --manifests manifests/ GET http://shop.example/ --format json | jq .outcome

Nothing is sent. The request is read, and looked up, as the data plane does it.";

#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExplainOptions {
    /// Directory of manifests, read with its subdirectories, or one file; `-` is the standard input. May be
    /// given several times
    #[arg(long, env = "INGRESS_MANIFESTS", value_name = "DIR", required = true)]
    manifests: Vec<PathBuf>,

    /// Method of the request
    #[arg(value_name = "METHOD")]
    method: Method,

    /// URL of the request, or its path and query with the host in a Host field
    #[arg(value_name = "URL")]
    url: Uri,

    /// A header field, such as 'X-Env: canary'. May be given several times
    #[arg(short = 'H', long = "header", value_name = "FIELD", value_parser = field)]
    fields: Vec<(HeaderName, HeaderValue)>,

    /// How the explanation is written to stdout
    #[arg(long, env = "INGRESS_EXPLAIN_FORMAT", value_enum, default_value_t = Format::Text)]
    format: Format,

    #[command(flatten)]
    translation: TranslationOptions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Hosts, rules and endpoints, and the part of each
    Text,
    /// The same as one JSON object
    Json,
}

/// What is written where the table is not asked.
#[derive(Debug, Serialize)]
struct Refusal {
    status: u16,
    reason: String,
}

/// Writes what would become of the request.
pub(crate) fn explain(options: &ExplainOptions) -> Result<(), Failure> {
    let offline = Offline::load(&options.manifests, &options.translation)?;
    let request = options.request()?;
    let explanation = ingress_tower::explain(&offline.table, &request).map(|mut explanation| {
        explanation.locate(offline.loaded.locator());
        explanation
    });
    match (explanation, options.format) {
        (Ok(explanation), Format::Json) => offline::print_json(&explanation),
        (Ok(explanation), Format::Text) => offline::print(&text(&explanation, &request)),
        (Err(error), Format::Json) => {
            let status = error.status().as_u16();
            offline::print_json(&Refusal { status, reason: chain(&error) })
        }
        (Err(error), Format::Text) => {
            let (method, url) = (&request.method, &request.uri);
            let (status, why) = (error.status().as_u16(), chain(&error));
            let text = format!("{method} {url}\n\nAnswered with {status}, and no rule is asked: {why}.\n");
            offline::print(&normalize_untrusted_str(&text))
        }
    }
}

/// The explanation, and the path as it was given, where that is another text; then the policy of the route that takes
/// the request.
fn text(explanation: &Explanation, request: &Parts) -> String {
    let text = explanation.to_string();
    let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let given = request.uri.path();
    let note = if given.is_empty() || given == &*explanation.path {
        String::new()
    } else {
        format!("  (given as {given})")
    };
    normalize_untrusted_str(&format!("{first}{note}\n{rest}{}", policy(explanation).unwrap_or_default()))
}

/// What the route says of its requests, a line for each value.
fn policy(explanation: &Explanation) -> Option<String> {
    let takes = explanation.rules.iter().find(|rule| rule.verdict == Verdict::Takes)?;
    let policy = serde_json::to_value(takes.policy.as_deref()?).ok()?;
    let mut text = "\nPolicy of the route, which may answer before any endpoint is asked:\n".to_owned();
    lines(&policy, String::new(), &mut text);
    Some(text)
}

/// Writes the values in a value, each behind the names that lead to it; what is not said is left out.
fn lines(value: &Value, name: String, text: &mut String) {
    match value {
        Value::Null => {}
        Value::Object(fields) => {
            // As serde writes a Duration.
            let part = |name: &str| fields.get(name).and_then(Value::as_u64);
            if let (Some(secs), Some(nanos)) = (part("secs"), part("nanos")) {
                let time = Duration::from_secs(secs) + Duration::from_nanos(nanos);
                *text += &format!("  {name}: {}\n", humantime::format_duration(time));
                return;
            }
            for (field, value) in fields {
                let dot = if name.is_empty() { "" } else { "." };
                lines(value, format!("{name}{dot}{field}"), text);
            }
        }
        Value::Array(items) if items.iter().any(|item| item.is_array() || item.is_object()) => {
            items.iter().for_each(|item| lines(item, name.clone(), text));
        }
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(scalar).collect();
            *text += &format!("  {name}: {}\n", items.join(", "));
        }
        value => *text += &format!("  {name}: {}\n", scalar(value)),
    }
}

/// A text as it is if it is one line.
fn scalar(value: &Value) -> String {
    match value.as_str() {
        Some(text) if !text.contains(char::is_control) => text.to_owned(),
        _ => value.to_string(),
    }
}

impl ExplainOptions {
    /// The request as an HTTP/1.1 client sends it.
    fn request(&self) -> Result<Parts, Failure> {
        let mut parts = Request::new(()).into_parts().0;
        parts.method.clone_from(&self.method);
        parts.headers.extend(self.fields.iter().cloned());
        match self.url.authority() {
            Some(authority) if !parts.headers.contains_key(HOST) => {
                let host = HeaderValue::from_str(authority.as_str());
                let host = host.map_err(|_| Failure::Usage(format!("{authority} is no host")))?;
                parts.headers.insert(HOST, host);
            }
            None if !parts.headers.contains_key(HOST) => {
                let text = "the request has no host; write http://HOST/PATH, or add -H 'Host: HOST'";
                return Err(Failure::Usage(text.into()));
            }
            _ => {}
        }
        parts.uri.clone_from(&self.url);
        Ok(parts)
    }
}

/// Reads `Name: value`.
fn field(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("a field is written 'Name: value'")?;
    let name = name.trim().parse().map_err(|_| format!("{:?} is no field name", name.trim()))?;
    let value = value.trim().parse().map_err(|_| format!("{:?} is no field value", value.trim()))?;
    Ok((name, value))
}

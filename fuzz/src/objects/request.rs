//! Requests, and rules that no Ingress can say: with templates, expressions and conditions.

use std::sync::Arc;

use arbitrary::{Result, Unstructured};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use ingress_core::{
    Conditions, ObjectRef, PathMatch, RequestHead, RequestHost, RequestPath, Rule, Source, ValueMatch,
};

use super::choose::{choose, list, option, text};
use crate::oracle::{Asked, OracleRule, Request, Type};

const RULE_HOSTS: [&str; 5] = ["", "a.x", "*.x", "x", "b.x"];
const HOSTS: [&str; 8] = ["", "x", "a.x", "b.x", "c.x", "a.a.x", "b.a.x", "10.0.0.1"];
const PATHS: [&str; 10] = ["/", "/a", "/a/", "/a/b", "/a/b/", "/b", "/ab", "/a/b/c", "/b/a", "/c"];
const ODD_PATHS: [&str; 8] =
    ["//a", "/a%2Fb", "/a;v/b", "/x/..;/a", "/a\\b", "/%61", "/a/../b", "/a/%2e%2E/b"];
const TEMPLATES: [&str; 5] = ["/{id}", "/a/{id}", "/{id}/b", "/a/{*rest}", "/{*rest}"];
const PATTERNS: [&str; 3] = ["/[ab]", "/a(/.*)?", "/(?<id>.*)"];
const METHODS: [&str; 3] = ["GET", "PUT", "POST"];
const NAMES: [&str; 2] = ["x-a", "x-b"];
const VALUES: [&str; 2] = ["", "1"];

/// A request, and whether the oracle can read it.
pub(super) fn request(data: &mut Unstructured<'_>) -> Result<(Request, bool)> {
    let pair = |data: &mut Unstructured<'_>| Ok((choose(data, &NAMES)?, choose(data, &VALUES)?));
    let headers = list(data, 2, pair)?;
    let pairs = option(data, |data| list(data, 2, pair))?;
    let query = pairs.map(|pairs| {
        let pairs: Vec<_> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("&")
    });
    let path = match data.int_in_range(0..=7u8)? {
        7 => text(data, &ODD_PATHS)?,
        _ => text(data, &PATHS)?,
    };
    let request = Request {
        host: text(data, &HOSTS)?,
        path,
        method: choose(data, &METHODS)?.into(),
        headers: headers.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
        query,
    };
    let plain = HOSTS.contains(&&*request.host) && PATHS.contains(&&*request.path);
    Ok((request, plain))
}

/// Calls `take` with the request as the table reads it, unless it is one that is answered with 400.
pub(super) fn with_head(request: &Request, take: impl FnOnce(&RequestHead<'_>, &RequestPath<'_>)) {
    let Ok(host) = RequestHost::parse(&request.host) else { return };
    let Ok(path) = RequestPath::parse(&request.path) else { return };
    let method: Method = request.method.parse().expect("a method of the list above");
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let name = name.parse::<HeaderName>().expect("a name of the list above");
        headers.append(name, HeaderValue::from_str(value).expect("a value of the list above"));
    }
    let head = RequestHead::new(&host, &path).method(&method).headers(&headers);
    take(&head.query(request.query.as_deref()), &path);
}

/// A rule of nobody's Ingress, and how the oracle reads it; `None` for an expression, which it cannot.
pub(super) fn rule(data: &mut Unstructured<'_>) -> Result<(Rule, Option<OracleRule>)> {
    let host = choose(data, &RULE_HOSTS)?;
    let kind = choose(data, &[Type::Template, Type::Exact, Type::Prefix, Type::Default])?;
    let conditions = asked(data)?;
    if choose(data, &[false, false, false, true])? {
        let path = PathMatch::regex(choose(data, &PATTERNS)?).expect("an expression of the list above");
        return Ok((core_rule(host, path, &conditions), None));
    }
    let path = match kind {
        Type::Template => choose(data, &TEMPLATES)?,
        Type::Default => "",
        _ => choose(data, &PATHS)?,
    };
    let sound = match kind {
        Type::Template => PathMatch::template(path),
        Type::Exact => PathMatch::exact(path),
        Type::Prefix => PathMatch::prefix(path),
        Type::Default => Ok(PathMatch::Default),
    };
    let rule = core_rule(host, sound.expect("a path of the lists above"), &conditions);
    Ok((rule, Some(OracleRule { host: host.into(), path: path.into(), kind, conditions })))
}

/// The `number`th rule of an object that is older than any other.
pub(super) fn source(number: usize) -> Source {
    let object = ObjectRef { kind: "Extra".into(), created: Some(i64::MIN), ..ObjectRef::default() };
    Source::new(Arc::new(object), format!("rules[{number}]"))
}

fn core_rule(host: &str, path: PathMatch, asked: &Asked) -> Rule {
    let value = |value: &Option<String>| match value {
        Some(text) => ValueMatch::Exact(text.as_str().into()),
        None => ValueMatch::Present,
    };
    let mut conditions = Conditions::default();
    for method in &asked.methods {
        conditions = conditions.method(&method.parse().expect("a method of the list above"));
    }
    for (name, wanted) in &asked.headers {
        conditions = conditions.header(&name.parse().expect("a name of the list above"), value(wanted));
    }
    for (name, wanted) in &asked.queries {
        conditions = conditions.query(name, value(wanted));
    }
    let backend = "default/extra:80".parse().expect("a Service port");
    Rule::new(host.parse().expect("a host of the list above"), path, backend).with_conditions(conditions)
}

fn asked(data: &mut Unstructured<'_>) -> Result<Asked> {
    let pair = |data: &mut Unstructured<'_>| {
        let value = choose(data, &[None, Some(VALUES[0]), Some(VALUES[1])])?;
        Ok((choose(data, &NAMES)?.to_owned(), value.map(str::to_owned)))
    };
    Ok(Asked {
        methods: list(data, 2, |data| choose(data, &METHODS))?.into_iter().map(str::to_owned).collect(),
        headers: list(data, 2, pair)?.into_iter().collect(),
        queries: list(data, 2, pair)?.into_iter().collect(),
    })
}

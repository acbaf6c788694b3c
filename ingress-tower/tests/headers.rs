//! Fields that are set, added or taken out: what an endpoint sees, and what a client sees of every answer.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "support/scripted.rs"]
#[allow(dead_code, reason = "each test uses what it needs")]
mod scripted;
mod support;

use http::{Method, Response};
use hyper::body::Incoming;
use ingress_core::{
    Affinity, AffinityCookie, FieldEdits, HttpsRedirect, PathMatch, RedirectStatus, RouteTable, Rule,
    Template,
};
use ingress_tower::IngressService;
use scripted::*;
use support::*;

/// Lines `name: value` to be set, `+name: value` to be added, and `-name` to be taken out.
fn edits(lines: &[&str]) -> FieldEdits {
    let mut edits = FieldEdits::default();
    for line in lines {
        if let Some(name) = line.strip_prefix('-') {
            edits.remove.push(name.parse().unwrap());
            continue;
        }
        let (name, value) = line.split_once(": ").unwrap();
        let value: Template = value.parse().unwrap();
        match name.strip_prefix('+') {
            Some(name) => edits.add.push((name.parse().unwrap(), value)),
            None => edits.set.push((name.parse().unwrap(), value)),
        }
    }
    edits
}

/// Answers with the fields whose names begin with `x`, in order of their lines.
fn seen(request: http::Request<Incoming>) -> Response<TestBody> {
    let line = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        format!("{name}: {}", value.to_str().unwrap())
    };
    let mut lines: Vec<_> = request.headers().iter().map(line).collect();
    lines.retain(|line| {
        line.starts_with('x') && !line.starts_with("x-forwarded") && !line.starts_with("x-re")
    });
    lines.sort_unstable();
    Response::new(full(lines.join("\n")))
}

#[tokio::test]
async fn endpoints_see_the_fields_that_a_route_sends() {
    let server = Scripted::start(seen).await;
    let policy = policy(|policy| {
        policy.headers.request = edits(&[
            "-x-debug",
            "x-user: gateway",
            "x-tenant: {tenant}",
            "x-what: {method} {scheme}://{host}{path}?{query}",
            "x-none: {tls-server-name}",
            "x-nothing: {unknown}",
            "x-space: {unknown} a {unknown}",
            "+x-more: b",
            "+x-client: {client}",
        ]);
    });
    let service = service(server.addr, [(PathMatch::template("/t/{tenant}/{*rest}").unwrap(), policy)]);
    let sent = [
        ("x-debug", "1"),
        ("x-debug", "2"),
        ("x_debug", "3"),
        ("x-user", "root"),
        ("x_user", "root"),
        ("x-none", "mine"),
        ("x-nothing", "mine"),
        ("x-more", "a"),
        ("x-own", "kept"),
        ("x-forwarded-for", "192.0.2.7"),
    ];
    let want = "x-client: 192.0.2.7\nx-more: a\nx-more: b\nx-own: kept\nx-space: a\nx-tenant: a%0D%0AX-Evil:%20b\nx-user: gateway\nx-what: GET http://shop.example/t/a%0D%0AX-Evil:%20b/c?d=%0A";
    for answer in ask_both(&service, Method::GET, "/t/a%0D%0AX-Evil:%20b/c?d=%0A", &sent).await {
        assert_eq!((answer.status().as_u16(), std::str::from_utf8(answer.body()).unwrap()), (200, want));
    }
}

#[tokio::test]
async fn what_no_field_may_hold_leaves_the_field_out() {
    let server = Scripted::start(seen).await;
    // No annotation makes such a template, but a program may.
    for text in ["a\r\nX-Evil: b", "a\nb", "\0", "{host}\r\nX-Evil: b", "{path}\u{7f}", "{unknown}", ""] {
        let service = all(
            server.addr,
            policy(|policy| {
                let value: Template = text.parse().unwrap();
                policy.headers.request.set = vec![("x-user".parse().unwrap(), value.clone())];
                policy.headers.request.add = vec![("x-added".parse().unwrap(), value.clone())];
                policy.headers.response.set = vec![("x-upstream".parse().unwrap(), value.clone())];
                policy.headers.response_cookies = vec![value];
            }),
        );
        for answer in ask_both(&service, Method::GET, "/", &[("x-user", "root")]).await {
            assert_eq!((answer.status().as_u16(), answer.body().len()), (200, 0), "{text:?}");
            assert_eq!(
                (field(&answer, "x-upstream"), field(&answer, "set-cookie")),
                ("-".into(), "-".into())
            );
        }
    }
}

#[tokio::test]
async fn every_answer_of_the_route_has_the_fields() {
    let server = Scripted::start(|request| {
        let status: u16 = request.uri().path()[1..].parse().unwrap_or(200);
        let answer = Response::builder().status(status).header("server", "apache").header("x-a", "endpoint");
        answer.body(empty()).unwrap()
    })
    .await;
    let of_answers =
        edits(&["-server", "strict-transport-security: max-age=60", "x-path: {path}", "+x-a: gateway"]);
    let with = |write: &dyn Fn(&mut ingress_core::Policy)| {
        policy(|policy| {
            policy.headers.response = of_answers.clone();
            write(policy);
        })
    };
    let deny = |policy: &mut ingress_core::Policy| policy.access.deny = Some("0.0.0.0/0".parse().unwrap());
    let close = |policy: &mut ingress_core::Policy| policy.access.closed = true;
    let https = |policy: &mut ingress_core::Policy| {
        policy.https_redirect = Some(HttpsRedirect::With(RedirectStatus::PermanentRedirect));
    };
    let nothing = |_: &mut ingress_core::Policy| {};
    for (write, addr, path, status, added) in [
        (&nothing as &dyn Fn(&mut ingress_core::Policy), server.addr, "/200", 200, "endpoint, gateway"),
        (&nothing, server.addr, "/404", 404, "endpoint, gateway"),
        (&nothing, server.addr, "/500", 500, "endpoint, gateway"),
        (&nothing, server.addr, "/304", 304, "endpoint, gateway"),
        (&nothing, refusing(), "/", 502, "gateway"),
        (&deny, server.addr, "/", 403, "gateway"),
        (&close, server.addr, "/", 503, "gateway"),
        (&https, server.addr, "/", 308, "gateway"),
    ] {
        for answer in ask_both(&all(addr, with(write)), Method::GET, path, &[]).await {
            assert_eq!(answer.status(), status, "{path}");
            let fields =
                ["strict-transport-security", "x-path", "x-a", "server"].map(|name| field(&answer, name));
            assert_eq!(fields, ["max-age=60", path, added, "-"], "{status}");
        }
    }
    let before = server.requests();
    let call = [("content-type", "application/grpc")];
    for answer in ask_both(&all(server.addr, with(&deny)), Method::POST, "/shop.Cart/Get", &call).await {
        assert_eq!((answer.status().as_u16(), field(&answer, "grpc-status")), (200, "7".into()));
        assert_eq!(field(&answer, "strict-transport-security"), "max-age=60");
    }
    assert_eq!(server.requests(), before, "an endpoint was asked");
}

#[tokio::test]
async fn so_has_the_answer_where_there_is_no_endpoint() {
    let mut rules = RouteTable::builder();
    let rule =
        Rule::new(HOST.parse().unwrap(), PathMatch::prefix("/").unwrap(), "default/shop:80".parse().unwrap());
    rules.rule(rule.with_policy(policy(|policy| {
        policy.headers.response = edits(&["strict-transport-security: max-age=60"]);
    })));
    let service = IngressService::new(ingress_core::table(rules.build().0).0);
    for answer in ask_both(&service, Method::GET, "/", &[]).await {
        let hsts = field(&answer, "strict-transport-security");
        assert_eq!((answer.status().as_u16(), &*hsts), (503, "max-age=60"));
    }
}

#[tokio::test]
async fn cookies_are_added_to_those_of_endpoints_and_of_the_gateway() {
    let server =
        Scripted::start(|_| Response::builder().header("set-cookie", "session=1").body(empty()).unwrap())
            .await;
    let service = all(
        server.addr,
        policy(|policy| {
            policy.affinity = Some(Affinity::Cookie(AffinityCookie::new("home")));
            policy.headers.response_cookies = vec!["seen={host}; Secure".parse().unwrap()];
        }),
    );
    for answer in ask_both(&service, Method::GET, "/", &[]).await {
        let cookies: Vec<_> = answer.headers().get_all("set-cookie").iter().collect();
        assert_eq!(cookies.len(), 3, "{cookies:?}");
        assert_eq!(
            (cookies[0], cookies[2]),
            (&"session=1".parse().unwrap(), &"seen=shop.example; Secure".parse().unwrap())
        );
    }
}

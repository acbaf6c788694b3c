//! Tests of the header fields that pass.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use std::net::IpAddr;

use super::*;
use crate::proxy::origin::{Origins, Peer};

fn of(client: IpAddr, host: Option<&HeaderValue>) -> Origin {
    let origins = Origins { request_ids: false, ..Origins::default() };
    origins.of(&HeaderMap::new(), Peer { address: Some(client), ..Peer::default() }, host)
}

fn prepared(version: Version, headers: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut request = Request::new(Body::from("abc"));
    *request.version_mut() = version;
    for (name, value) in headers {
        request.headers_mut().append(*name, HeaderValue::from_static(value));
    }
    let client = IpAddr::from([192, 0, 2, 7]);
    let host = Some(HeaderValue::from_static("shop.example:8080"));
    let origin = of(client, host.as_ref());
    prepare_request(&mut request, host, origin);
    assert_eq!(request.version(), Version::HTTP_11);
    request.headers().clone()
}

#[test]
fn a_client_cannot_speak_for_the_gateway() {
    let headers = prepared(
        Version::HTTP_11,
        &[
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-for", "10.0.0.2"),
            ("x_forwarded_for", "10.0.0.3"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-port", "443"),
            ("x-real-ip", "10.0.0.1"),
            ("forwarded", "for=10.0.0.1"),
            ("proxy", "http://evil.example"),
            ("x_other", "stays"),
        ],
    );
    let want = [
        ("content-length", "3"),
        ("host", "shop.example:8080"),
        ("x-forwarded-for", "192.0.2.7"),
        ("x-forwarded-host", "shop.example:8080"),
        ("x-forwarded-proto", "http"),
        ("x-real-ip", "192.0.2.7"),
        ("x_other", "stays"),
    ];
    let mut found: Vec<_> =
        headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    found.sort_unstable();
    assert_eq!(found, want);
}

#[test]
fn fields_of_the_connection_go_but_not_the_gateways_own() {
    let headers = prepared(
        Version::HTTP_11,
        &[
            ("connection", "keep-alive, X-Session , x-forwarded-for"),
            ("connection", "host, content-length, te"),
            ("keep-alive", "timeout=5"),
            ("te", "gzip"),
            ("upgrade", "h2c"),
            ("proxy-connection", "keep-alive"),
            ("proxy-authorization", "Basic eA=="),
            ("x-session", "1"),
            ("content-length", "3"),
            ("expect", "100-continue"),
            ("trailer", "x-sum"),
        ],
    );
    let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    let want = [
        "content-length",
        "host",
        "trailer",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-real-ip",
    ];
    assert_eq!(names, want);
}

#[test]
fn a_length_beside_a_coding_goes() {
    let mut response = Response::new(());
    response.headers_mut().insert("transfer-encoding", HeaderValue::from_static("chunked"));
    response.headers_mut().insert("content-length", HeaderValue::from_static("5"));
    clean_response(&mut response);
    assert!(response.headers().is_empty());
}

#[test]
fn cookie_crumbs_are_joined() {
    let crumbs = [("cookie", "a=1"), ("cookie", "b=2"), ("cookie", "c=3")];
    assert_eq!(prepared(Version::HTTP_2, &crumbs)["cookie"], "a=1; b=2; c=3");
    assert_eq!(prepared(Version::HTTP_11, &crumbs).get_all("cookie").iter().count(), 3);
}

#[test]
fn trailers_may_be_asked_for_and_nothing_else() {
    for (te, want) in
        [("trailers", true), ("gzip, Trailers", true), ("trailers;q=0.5", false), ("gzip", false)]
    {
        let headers = prepared(Version::HTTP_11, &[("te", te), ("connection", "te")]);
        assert_eq!(headers.get("te").map(HeaderValue::as_bytes), want.then_some(&b"trailers"[..]), "{te}");
    }
}

#[test]
fn the_length_is_the_bodys() {
    let table: [(Method, &[&'static str], Body, Option<&str>); 9] = [
        (Method::POST, &["3"], Body::from("abc"), Some("3")),
        (Method::POST, &["3", "3"], Body::from("abc"), Some("3")),
        (Method::POST, &["4"], Body::from("abc"), Some("3")),
        (Method::POST, &[], Body::from("abc"), Some("3")),
        (Method::GET, &["+3"], Body::from("abc"), Some("3")),
        (Method::POST, &[], Body::empty(), Some("0")),
        (Method::GET, &["5"], Body::empty(), None),
        (Method::GET, &[], Body::empty(), None),
        (Method::GET, &["5", "6"], unsized_body(), None),
    ];
    for (method, lengths, body, want) in table {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        for length in lengths {
            request.headers_mut().append(header::CONTENT_LENGTH, HeaderValue::from_static(length));
        }
        prepare_request(&mut request, None, Origin::default());
        let found: Vec<_> = request.headers().get_all(header::CONTENT_LENGTH).iter().collect();
        assert_eq!(found, want.as_slice(), "{lengths:?} of {:?}", request.body());
    }
}

fn unsized_body() -> Body {
    let mut body = Body::empty();
    body.silence();
    body
}

/// Names that must not pass in any case, spelling or company, and a few that must.
fn names() -> impl Strategy<Value = String> {
    let own = HOP_BY_HOP.iter().chain(&FORWARDING).map(|name| name.as_str().to_owned());
    let kept = ["host", "content-length", "expect", "cookie", "x-kept", "x_kept", "trailer"];
    let known = select(own.chain(kept.map(str::to_owned)).collect::<Vec<_>>());
    let twins = known.clone().prop_flat_map(|name| {
        let len = name.len();
        (Just(name), vec(any::<bool>(), len)).prop_map(|(name, flips)| {
            let turn = |(letter, flip)| if flip && letter == '-' { '_' } else { letter };
            name.chars().zip(flips).map(turn).collect()
        })
    });
    prop_oneof![known, twins, "[a-z_-]{1,12}"]
}

fn is_framing_twin(name: &HeaderName) -> bool {
    let dashed = name.as_str().replace('_', "-");
    dashed != name.as_str()
        && HOP_BY_HOP.iter().chain([&header::CONTENT_LENGTH]).any(|other| *other == *dashed)
}

proptest! {
    /// Defends against a client that speaks for the gateway or frames the gateway's message.
    #[test]
    fn no_list_of_fields_smuggles_one_through(
        fields in vec((names(), prop_oneof!["[ -~]{0,20}", names()]), 0..12),
        nominated in vec(names(), 0..4),
        version in select(vec![Version::HTTP_10, Version::HTTP_11, Version::HTTP_2]),
        chunked in any::<bool>(),
    ) {
        let mut request = Request::new(if chunked { unsized_body() } else { Body::from("abc") });
        *request.version_mut() = version;
        let connection = ("connection".to_owned(), nominated.join(" ,"));
        for (name, value) in fields.iter().chain([&connection]) {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            request.headers_mut().append(name, HeaderValue::from_str(value).unwrap());
        }
        let client = IpAddr::from([192, 0, 2, 7]);
        let host = HeaderValue::from_static("shop.example");
        let origin = of(client, Some(&host));
        prepare_request(&mut request, Some(host), origin);

        let own = [
            (header::HOST, "shop.example"),
            (X_FORWARDED_HOST, "shop.example"),
            (X_FORWARDED_FOR, "192.0.2.7"),
            (X_FORWARDED_PROTO, "http"),
            (X_REAL_IP, "192.0.2.7"),
        ];
        let headers = request.headers();
        for (name, value) in &own {
            let values: Vec<_> = headers.get_all(name).iter().collect();
            prop_assert_eq!(values, [value], "{}", name);
        }
        for name in headers.keys() {
            let dashed = name.as_str().replace('_', "-");
            let ours = own.iter().any(|(own, _)| own == name);
            prop_assert!(ours || !FORWARDING.iter().any(|other| *other == *dashed), "{}", name);
            prop_assert!(!is_framing_twin(name), "{}", name);
            prop_assert!(!HOP_BY_HOP.contains(name) || headers[name] == "trailers", "{}", name);
            prop_assert!(*name != header::EXPECT);
        }
        let lengths: Vec<_> = headers.get_all(header::CONTENT_LENGTH).iter().collect();
        prop_assert_eq!(lengths, if chunked { vec![] } else { vec!["3"] });
    }
}

use super::*;

/// Address, scheme, host and port that the endpoint is told, and the list.
fn told(peer: &str, fields: &[(&'static str, &'static str)]) -> [String; 5] {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(*name, HeaderValue::from_static(value));
    }
    let origins =
        Origins { trusted: "10.0.0.0/8, fd00::/8, 192.0.2.1".parse().unwrap(), ..Origins::default() };
    let peer = Peer { address: peer.parse().ok(), port: Some(8080), ..Peer::default() };
    let mut out = HeaderMap::new();
    origins.of(&headers, peer, Some(&HeaderValue::from_static("own.example"))).write(&mut out);
    let names = [X_REAL_IP, X_FORWARDED_PROTO, X_FORWARDED_HOST, X_FORWARDED_PORT, X_FORWARDED_FOR];
    names.map(|name| out.get(name).map_or("-", |value| value.to_str().unwrap()).into())
}

#[test]
fn who_is_believed_and_what() {
    let all = [
        ("x-forwarded-for", "198.51.100.7"),
        ("x-forwarded-proto", "HTTPS"),
        ("x-forwarded-host", "shop.example"),
        ("x-forwarded-port", "8443"),
    ];
    type Fields = [(&'static str, &'static str)];
    let table: [(&str, &Fields, [&str; 5]); 16] = [
        ("", &[], ["-", "http", "own.example", "8080", "-"]),
        ("203.0.113.9", &all, ["203.0.113.9", "http", "own.example", "8080", "203.0.113.9"]),
        ("10.1.1.1", &[], ["10.1.1.1", "http", "own.example", "8080", "10.1.1.1"]),
        ("10.1.1.1", &all, ["198.51.100.7", "https", "shop.example", "8443", "198.51.100.7, 10.1.1.1"]),
        (
            "::ffff:10.1.1.1",
            &all[..1],
            ["198.51.100.7", "http", "own.example", "8080", "198.51.100.7, 10.1.1.1"],
        ),
        ("fd00::1", &all[..2], ["198.51.100.7", "https", "own.example", "443", "198.51.100.7, fd00::1"]),
        // The client wrote the first address itself.
        (
            "10.1.1.1",
            &[("x-forwarded-for", "1.1.1.1, 198.51.100.7"), ("x-forwarded-for", "10.2.2.2, 192.0.2.1")],
            [
                "198.51.100.7",
                "http",
                "own.example",
                "8080",
                "1.1.1.1, 198.51.100.7, 10.2.2.2, 192.0.2.1, 10.1.1.1",
            ],
        ),
        // All are proxies: the first of them asks for itself.
        (
            "10.1.1.1",
            &[("x-forwarded-for", "10.3.3.3,10.2.2.2")],
            ["10.3.3.3", "http", "own.example", "8080", "10.3.3.3,10.2.2.2, 10.1.1.1"],
        ),
        // Nobody knows who stands behind an address that cannot be read.
        (
            "10.1.1.1",
            &[("x-forwarded-for", "1.1.1.1, unknown, 10.2.2.2")],
            ["10.2.2.2", "http", "own.example", "8080", "1.1.1.1, unknown, 10.2.2.2, 10.1.1.1"],
        ),
        (
            "10.1.1.1",
            &[("x-forwarded-for", "198.51.100.7:4711")],
            ["198.51.100.7", "http", "own.example", "8080", "198.51.100.7:4711, 10.1.1.1"],
        ),
        (
            "10.1.1.1",
            &[("x-forwarded-for", "[2001:db8::7]:4711")],
            ["2001:db8::7", "http", "own.example", "8080", "[2001:db8::7]:4711, 10.1.1.1"],
        ),
        (
            "10.1.1.1",
            &[("x-forwarded-for", "[2001:db8::7]")],
            ["2001:db8::7", "http", "own.example", "8080", "[2001:db8::7], 10.1.1.1"],
        ),
        (
            "10.1.1.1",
            &[("x-forwarded-proto", "ftp")],
            ["10.1.1.1", "http", "own.example", "8080", "10.1.1.1"],
        ),
        (
            "10.1.1.1",
            &[("x-forwarded-proto", "https"), ("x-forwarded-proto", "http")],
            ["10.1.1.1", "http", "own.example", "8080", "10.1.1.1"],
        ),
        ("10.1.1.1", &[("x-forwarded-host", "a b")], ["10.1.1.1", "http", "own.example", "8080", "10.1.1.1"]),
        (
            "10.1.1.1",
            &[("x-forwarded-port", "70000")],
            ["10.1.1.1", "http", "own.example", "8080", "10.1.1.1"],
        ),
    ];
    for (peer, fields, want) in table {
        assert_eq!(told(peer, fields), want, "{peer} {fields:?}");
    }
}

#[test]
fn forwarded_and_via_are_written_where_they_are_asked_for() {
    let origins = Origins {
        trusted: "10.0.0.0/8".parse().unwrap(),
        forwarded: true,
        via: Some(Via::new(&"edge:8443".parse().unwrap())),
        ..Origins::default()
    };
    let table = [
        ("203.0.113.9", false, Version::HTTP_11, "for=203.0.113.9;host=\"own.example\";proto=http", "1.1"),
        (
            "2001:db8::7",
            true,
            Version::HTTP_2,
            "for=\"[2001:db8::7]\";host=\"own.example\";proto=https",
            "2.0",
        ),
        (
            "10.1.1.1",
            false,
            Version::HTTP_10,
            "for=1.1.1.1;by=_x, for=10.1.1.1;host=\"own.example\";proto=http",
            "1.0",
        ),
        ("", false, Version::HTTP_11, "for=unknown;host=\"own.example\";proto=http", "1.1"),
    ];
    for (address, tls, version, forwarded, received) in table {
        let peer = Peer { address: address.parse().ok(), tls, port: None, version };
        let sent = HeaderMap::from_iter([(header::FORWARDED, HeaderValue::from_static("for=1.1.1.1;by=_x"))]);
        let mut out = HeaderMap::from_iter([(header::VIA, HeaderValue::from_static("1.1 before"))]);
        origins.of(&sent, peer, Some(&HeaderValue::from_static("own.example"))).write(&mut out);
        assert_eq!(out[header::FORWARDED], forwarded);
        let via: Vec<_> = out.get_all(header::VIA).iter().map(|via| via.to_str().unwrap()).collect();
        assert_eq!(via, ["1.1 before".to_owned(), format!("{received} edge:8443")]);
    }
    let silent = Origins::default().of(&HeaderMap::new(), Peer::default(), None);
    assert!(silent.forwarded.is_none() && silent.via.is_none());
}

#[test]
fn ids_are_kept_from_trusted_proxies_and_made_for_all_others() {
    let id = |peer: &str, id: &'static str| {
        let headers = HeaderMap::from_iter([(X_REQUEST_ID, HeaderValue::from_static(id))]);
        let origins = Origins { trusted: "10.0.0.0/8".parse().unwrap(), ..Origins::default() };
        let peer = Peer { address: peer.parse().ok(), ..Peer::default() };
        origins.of(&headers, peer, None).id.unwrap().to_str().unwrap().to_owned()
    };
    let long = "x".repeat(MAX_ID + 1).leak();
    assert_eq!(id("10.0.0.1", "an-id"), "an-id");
    assert_eq!(id("10.0.0.1", &long[1..]), &long[1..]);
    let mut made: Vec<_> =
        [("192.0.2.7", "an-id"), ("", "an-id"), ("10.0.0.1", ""), ("10.0.0.1", "a b"), ("10.0.0.1", long)]
            .map(|(peer, text)| id(peer, text))
            .into();
    assert!(
        made.iter().all(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())),
        "{made:?}"
    );
    made.sort();
    made.dedup();
    assert_eq!(made.len(), 5);
    let none = Origins { request_ids: false, ..Origins::default() };
    assert!(none.of(&HeaderMap::new(), Peer::default(), None).id.is_none());
}

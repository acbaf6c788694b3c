//! Signed tokens: which are accepted, what others are told, and what an endpoint sees of them.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "support/seen.rs"]
mod seen;
mod support;
#[path = "support/tokens.rs"]
mod tokens;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::Request;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use ingress_core::{JwtKeys, Policy, TokenSource};
use ingress_tower::Error;
use ring::signature::KeyPair;
use seen::Seen;
use serde_json::{Value, json};
use support::*;
use tokens::*;

#[tokio::test]
async fn tokens_that_are_accepted_and_others() {
    let server = Seen::start().await;
    let (ec, ed, stranger) = (Signer::ec(), Signer::ed(), Signer::ec());
    let keys = set(&[ec.jwk("a"), ed.jwk("b")]);
    let service = layer(&server, needed(JwtKeys::Set(keys.into())), &[]).into_service();
    let changed = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        claims
    };
    let good = ec.token("a", &claims());
    let (head, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = head.split_once('.').unwrap();
    let other = BASE64_URL_SAFE_NO_PAD.encode(changed("sub", "root".into()).to_string());
    let none = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
    // What a careless server takes for a secret: the public key as it is published, with an HMAC.
    let confused = {
        let text = format!("{}.{payload}", BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","kid":"a"}"#));
        let Signer::Ec(pair) = &ec else { unreachable!() };
        let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, pair.public_key().as_ref());
        let signature = ring::hmac::sign(&secret, text.as_bytes());
        format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    };
    let table = [
        (good.clone(), None),
        (ed.token("b", &claims()), None),
        (ec.sign(&json!({"alg": "ES256"}), &claims()), None),
        (ec.token("a", &changed("aud", json!(["x", "shop"]))), None),
        (ec.token("b", &claims()), Some("the token is not signed with a key that is known")),
        (ec.token("c", &claims()), Some("the token is not signed with a key that is known")),
        (stranger.token("a", &claims()), Some("the token is not signed with a key that is known")),
        (format!("{header}.{other}.{signature}"), Some("the token is not signed with a key that is known")),
        (format!("{header}.{payload}."), Some("the token is not signed with a key that is known")),
        (format!("{none}.{payload}."), Some("the token is not signed with a key that is known")),
        (format!("{none}.{payload}.{signature}"), Some("the token is not signed with a key that is known")),
        (confused, Some("the token is not signed with a key that is known")),
        (
            ec.sign(&json!({"alg": "EdDSA", "kid": "a"}), &claims()),
            Some("the token is not signed with a key that is known"),
        ),
        (ec.sign(&json!({"alg": "ES256", "crit": ["x"], "x": 1}), &claims()), Some("the token is malformed")),
        (format!("{good}.x"), Some("the token is malformed")),
        ("x".into(), Some("the token is malformed")),
        (ec.token("a", &changed("exp", json!(soon() - 700))), Some("the token has expired")),
        (ec.token("a", &changed("exp", Value::Null)), Some("the token is malformed")),
        (ec.token("a", &changed("nbf", json!(soon()))), Some("the token is not valid yet")),
        (
            ec.token("a", &changed("iss", "https://other.example".into())),
            Some("the token is from another issuer"),
        ),
        (ec.token("a", &changed("aud", "bank".into())), Some("the token is for another audience")),
    ];
    for (token, why) in table {
        let answer = ask(&service, &[("authorization", &format!("Bearer {token}"))]).await;
        assert_eq!(answer.status(), if why.is_none() { 200 } else { 401 }, "{why:?}");
        assert_eq!(server.take().len(), usize::from(why.is_none()));
        let challenge =
            answer.headers().get(WWW_AUTHENTICATE).map(|value| value.to_str().unwrap().to_owned());
        let want = |why| format!(r#"Bearer realm="shop", error="invalid_token", error_description="{why}""#);
        assert_eq!(challenge, why.map(want));
        let reason = answer.extensions().get::<Error>().map(Error::reason);
        assert_eq!(reason, why.map(|_| "unauthorized"));
    }
    for fields in [vec![], vec![("authorization", "Basic YTpi")], vec![("authorization", "Bearer")]] {
        let answer = ask(&service, &fields).await;
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()[WWW_AUTHENTICATE]),
            (401, &r#"Bearer realm="shop""#.parse().unwrap())
        );
    }
    let call = ask(&service, &[("content-type", "application/grpc")]).await;
    assert_eq!((call.status().as_u16(), &call.headers()["grpc-status"]), (200, &"16".parse().unwrap()));
    assert_eq!(server.take().len(), 0);
}

#[tokio::test]
async fn an_endpoint_is_told_what_the_token_says_and_clients_cannot() {
    let server = Seen::start().await;
    let signer = Signer::ec();
    let mut jwt = needed(JwtKeys::Set(set(&[signer.jwk("a")]).into()));
    jwt.source = TokenSource::Cookie("session".into());
    let service = layer(&server, jwt, &[]).into_service();
    let token = signer.token("a", &claims());
    let cookie = format!("a=b; session={token}");
    let forged =
        [("x-user", "root"), ("x_user", "root"), ("x-groups", "root"), ("x-email", "root@shop.example")];
    let fields = [&forged[..], &[("cookie", &*cookie)]].concat();
    assert_eq!(ask(&service, &fields).await.status(), 200);
    let head = server.take().remove(0).headers;
    assert_eq!(
        (&head["x-user"], &head["x-groups"]),
        (&"ada".parse().unwrap(), &r#"["a","b"]"#.parse().unwrap())
    );
    assert_eq!(head.get_all("x-user").iter().count(), 1);
    assert!(!head.contains_key("x_user") && !head.contains_key("x-email"));
    assert_eq!(head["cookie"], cookie, "the token goes on");

    let mut split = claims();
    split["sub"] = "ada\r\nx-admin: 1".into();
    let cookie = format!("session={}", signer.token("a", &split));
    assert_eq!(ask(&service, &[("cookie", &cookie)]).await.status(), 200);
    let head = server.take().remove(0).headers;
    assert!(!head.contains_key("x-user") && !head.contains_key("x-admin"));
}

#[tokio::test]
async fn no_endpoint_sees_another_token_than_the_one_that_is_checked() {
    let server = Seen::start().await;
    let signer = Signer::ec();
    let token = signer.token("a", &claims());
    let mut jwt = needed(JwtKeys::Set(set(&[signer.jwk("a")]).into()));
    jwt.source = TokenSource::Field("X-Token".parse().unwrap());
    let service = layer(&server, jwt.clone(), &[]).into_service();
    for twin in ["x_token", "X_Token"] {
        assert_eq!(ask(&service, &[(twin, &token)]).await.status(), 401);
        assert_eq!(server.take().len(), 0);
        let fields = [(twin, "forged"), ("x-token", &token), ("x-tokens", "other")];
        assert_eq!(ask(&service, &fields).await.status(), 200);
        let head = server.take().remove(0).headers;
        assert!(!head.contains_key("x_token"));
        assert_eq!(
            (&head["x-token"], &head["x-tokens"]),
            (&token.parse().unwrap(), &"other".parse().unwrap())
        );
    }

    jwt.source = TokenSource::Cookie("token".into());
    let service = layer(&server, jwt, &[]).into_service();
    let gateway = Gateway::start(Default::default(), service).await;
    for (lines, want) in [
        (vec![format!("token={token}; x=\u{fc}")], 200),
        (vec![format!("token={token}")], 200),
        (vec!["token=forged; x=\u{fc}".to_owned(), format!("token={token}")], 401),
        (vec![format!("token =forged; token={token}")], 401),
    ] {
        let fields: String = lines.iter().map(|line| format!("cookie: {line}\r\n")).collect();
        let mut client = gateway.client().await;
        client.send(format!("GET / HTTP/1.1\r\nhost: {HOST}\r\n{fields}\r\n")).await;
        assert_eq!(client.response().await.status(), want, "{lines:?}");
        assert_eq!(server.take().len(), usize::from(want == 200));
    }
}

#[tokio::test]
async fn where_a_password_is_enough_both_are_asked_for() {
    let server = Seen::start().await;
    let signer = Signer::ec();
    let users = "ada:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=".parse().unwrap();
    let mut policy = Policy::default();
    policy.authentication.jwt = Some(needed(JwtKeys::Set(set(&[signer.jwk("a")]).into())));
    policy.authentication.basic = Some(ingress_core::BasicAuth::new(users));
    policy.authentication.any = Some(true);
    let service = treated(&server, policy, &[]).into_service();
    let token = format!("Bearer {}", signer.token("a", &claims()));
    for (authorization, told, want) in
        [("Basic YWRhOnNlY3JldA==", None, None), (&*token, Some(&*token), Some("ada"))]
    {
        let fields = [("authorization", authorization), ("x-user", "root")];
        assert_eq!(ask(&service, &fields).await.status(), 200);
        let head = server.take().remove(0).headers;
        let field = |name: &str| head.get(name).map(|value| value.to_str().unwrap());
        assert_eq!((field("authorization"), field("x-user")), (told, want));
    }
    for fields in [vec![], vec![("authorization", "Basic YWRhOnB3")]] {
        let answer = ask(&service, &fields).await;
        assert_eq!(answer.status(), 401);
        let challenges: Vec<_> = answer.headers().get_all(WWW_AUTHENTICATE).iter().collect();
        assert_eq!(challenges, [r#"Bearer realm="shop""#, r#"Basic realm="Restricted", charset="UTF-8""#]);
    }
    assert_eq!(server.take().len(), 0);
}

#[tokio::test]
async fn over_http1_and_http2() {
    let server = Seen::start().await;
    let signer = Signer::ed();
    let service = layer(&server, needed(JwtKeys::Set(set(&[signer.jwk("a")]).into())), &[]).into_service();
    let gateway = Gateway::start(Default::default(), service).await;
    let token = signer.token("a", &claims());
    for (fields, want) in [(String::new(), 401), (format!("authorization: Bearer {token}\r\n"), 200)] {
        let mut client = gateway.client().await;
        client
            .send(format!("POST / HTTP/1.1\r\nhost: {HOST}\r\n{fields}content-length: 4\r\n\r\nbody"))
            .await;
        let answer = client.response().await;
        assert_eq!((answer.status(), server.take().len()), (want, usize::from(want == 200)));
        assert_eq!(answer.body == b"body", want == 200);
    }
    let mut client = http2_client(gateway.addr).await;
    for (token, want) in [(Some(&*token), 200), (None, 401), (Some("x"), 401), (Some(&*token), 200)] {
        let mut request = Request::post(format!("http://{HOST}/"));
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let answer =
            within("answer", client.send_request(request.body(full("body")).unwrap())).await.unwrap();
        assert_eq!((answer.status().as_u16(), server.take().len()), (want, usize::from(want == 200)));
    }
}

#[tokio::test]
async fn keys_that_cannot_be_used_close_the_route() {
    let server = Seen::start().await;
    let token = Signer::ec().token("a", &claims());
    for keys in ["", "{}", r#"{"keys":[]}"#, r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#] {
        let service = layer(&server, needed(JwtKeys::Set(keys.into())), &[]).into_service();
        let answer = ask(&service, &[("authorization", &format!("Bearer {token}"))]).await;
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.extensions().get::<Error>().map(Error::reason), Some("closed"));
    }
    assert_eq!(server.take().len(), 0);
}

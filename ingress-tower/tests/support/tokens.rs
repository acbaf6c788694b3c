//! Keys, tokens that they sign, and a gateway that asks for them.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test uses what it needs")]

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::{Request, Response};
use ingress_core::{BackendRef, Endpoint, Jwt, JwtKeys, PathMatch, Policy, RouteTable, Rule};
use ingress_tower::{Body, IngressLayer, IngressService};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::seen::Seen;
use super::support::HOST;

// ===== keys and tokens =====

pub enum Signer {
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl Signer {
    pub fn ec() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        Self::Ec(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap())
    }

    pub fn ed() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
    }

    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::Ec(_) => "ES256",
            Self::Ed(_) => "EdDSA",
        }
    }

    /// The public half, with a name.
    pub fn jwk(&self, id: &str) -> Value {
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Ec(pair) => {
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "kid": id, "x": encode(&point[1..33]), "y": encode(&point[33..])})
            }
            Self::Ed(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": encode(pair.public_key().as_ref())})
            }
        }
    }

    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let encode = |json: &Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
        let text = format!("{}.{}", encode(header), encode(claims));
        let signature = match self {
            Self::Ec(pair) => pair.sign(&SystemRandom::new(), text.as_bytes()).unwrap().as_ref().to_vec(),
            Self::Ed(pair) => pair.sign(text.as_bytes()).as_ref().to_vec(),
        };
        format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    pub fn token(&self, id: &str, claims: &Value) -> String {
        self.sign(&json!({"alg": self.algorithm(), "kid": id}), claims)
    }
}

pub fn set(keys: &[Value]) -> String {
    json!({"keys": keys}).to_string()
}

pub fn soon() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 600
}

pub fn claims() -> Value {
    json!({"iss": "https://issuer.example", "aud": "shop", "sub": "ada", "exp": soon(), "groups": ["a", "b"]})
}

pub fn needed(keys: JwtKeys) -> Jwt {
    let mut jwt = Jwt::new(keys);
    jwt.realm = "shop".into();
    jwt.issuer = Some("https://issuer.example".into());
    jwt.audiences = vec!["shop".into()];
    jwt.claims = vec![
        ("sub".into(), "X-User".parse().unwrap()),
        ("groups".into(), "X-Groups".parse().unwrap()),
        ("email".into(), "X-Email".parse().unwrap()),
    ];
    jwt
}

// ===== the gateway =====

pub fn layer(server: &Seen, jwt: Jwt, others: &[(&str, Vec<Endpoint>)]) -> IngressLayer {
    let mut policy = Policy::default();
    policy.authentication.jwt = Some(jwt);
    treated(server, policy, others)
}

pub fn treated(server: &Seen, policy: Policy, others: &[(&str, Vec<Endpoint>)]) -> IngressLayer {
    let mut rules = RouteTable::builder();
    let backend: BackendRef = "default/shop:80".parse().unwrap();
    let rule = Rule::new(HOST.parse().unwrap(), PathMatch::prefix("/").unwrap(), backend.clone());
    rules.rule(rule.with_policy(policy));
    rules.endpoints(backend, [Endpoint::new(server.addr)]);
    for (other, endpoints) in others {
        rules.endpoints(other.parse().unwrap(), endpoints.clone());
    }
    IngressLayer::new(ingress_core::table(rules.build().0).0)
}

pub async fn ask(service: &IngressService, fields: &[(&str, &str)]) -> Response<Body> {
    let mut request = Request::get("/").header("host", HOST);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    service.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

pub async fn status(service: &IngressService, token: &str) -> u16 {
    ask(service, &[("authorization", &format!("Bearer {token}"))]).await.status().as_u16()
}

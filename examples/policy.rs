//! A policy of this program's own: an annotation that asks clients for a key. It is a layer of tower, as any can be.
//! Run it with `cargo run --example policy`; it says what is wrong with the second Ingress, which is closed:
//!
//! ```text
//! listening on 127.0.0.1:8080
//! error[ING023]: policy.rs:5: Ingress default/typo metadata.annotations[example.com/keys]: nobody is called "patrons"; …
//! $ curl -i localhost:8080                           # HTTP/1.1 403 Forbidden
//! $ curl -i localhost:8080 -H 'x-api-key: spring'    # HTTP/1.1 200 OK
//! $ curl -i localhost:8080 -H 'host: typo.example'   # HTTP/1.1 503 Service Unavailable
//! ```
use http::{Request, Response};
use ingress_core::BackendRef;
use ingress_kube::{Config, IngressController, manifests::Loaded};
use ingress_tower::{Body, BoxError, IngressLayer, Next, PolicyRegistry, ResourceRegistry, server::Server};
use tower::{Service, layer::layer_fn, service_fn};

const KEYS: &str = "example.com/keys";
const MANIFESTS: &str = r"
{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: site, annotations: {example.com/keys: partners}},
 spec: {defaultBackend: {resource: {apiGroup: example.com, kind: Text, name: hello}}}}
---
{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: typo, annotations: {example.com/keys: patrons}},
 spec: {rules: [{host: typo.example, http: {paths: [{path: /, pathType: Prefix,
  backend: {resource: {apiGroup: example.com, kind: Text, name: hello}}}]}}]}}
";

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let policies = PolicyRegistry::new().with(KEYS, |text| {
        let key = (text == "partners").then_some("spring").ok_or(format!("nobody is called {text:?}"))?;
        Ok(layer_fn(move |mut next: Next| {
            service_fn(move |request: Request<Body>| {
                let has_key = request.headers().get("x-api-key").is_some_and(|own| own == key);
                let answer = has_key.then(|| next.call(request));
                let refused =
                    Response::builder().status(403).body(Body::from("no key\n")).unwrap_or_default();
                async move { if let Some(answer) = answer { answer.await } else { Ok(refused) } }
            })
        }))
    });
    let hello = BackendRef::resource("default", "example.com", "Text", "hello");
    let BackendRef::Resource(text) = hello.clone() else { return Ok(()) };
    let answer = |_: Request<Body>| async { Ok::<_, BoxError>(Response::new(Body::from("hello\n"))) };
    let known = policies.clone();
    let check = move |text: &str| known.check(KEYS, text).map_err(|error| error.to_string());
    let config = Config::default().resource(text).custom_annotation(KEYS, check);
    let (reader, writer) = ingress_core::table(Default::default());
    let mut manifests = Loaded::default();
    manifests.add_text("policy.rs", MANIFESTS);
    manifests.publish(&mut IngressController::new(config, writer));
    let listen = std::env::args().nth(1).unwrap_or("127.0.0.1:8080".into());
    let listener = tokio::net::TcpListener::bind(listen).await?;
    println!("listening on {}", listener.local_addr()?);
    reader.snapshot().diagnostics().iter().for_each(|diagnostic| println!("{diagnostic}"));
    let here = ResourceRegistry::new().with(hello, service_fn(answer));
    let service = IngressLayer::new(reader).resources(here).policies(policies).into_service();
    Server::new().serve(listener, service, std::future::pending()).await;
    Ok(())
}

//! `gateway demo`: a shop with echo services in this process.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use axum::Router;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::{HOST, HeaderName};
use ingress_core::{
    Choice, Draw, HostMatch, PathMatch, RequestHead, RequestHost, RequestPath, RouteTable, Turn,
};
use tower_http::set_header::SetResponseHeaderLayer;

use crate::Failure;
use crate::args::{DemoOptions, RunOptions, TranslationOptions};
use crate::cluster::ClusterOptions;
use crate::run::{self, Started};

/// The manifests, in case that there is no clone of the repository around.
const SHOP: [(&str, &str); 4] = [
    ("class.yaml", include_str!("../shop/class.yaml")),
    ("ingress.yaml", include_str!("../shop/ingress.yaml")),
    ("policies.yaml", include_str!("../shop/policies.yaml")),
    ("services.yaml", include_str!("../shop/services.yaml")),
];

/// Where the services of the manifests are.
const ECHO: [(&str, u16); 7] = [
    ("web", 19101),
    ("web", 19102),
    ("api", 19103),
    ("api", 19104),
    ("cart", 19105),
    ("tenants", 19106),
    ("cart-next", 19107),
];

/// Serves the shop until a signal says stop.
pub(crate) fn demo(options: &DemoOptions) -> Result<(), Failure> {
    let copy;
    let manifests = match &options.manifests {
        Some(chosen) => chosen.clone(),
        None if Path::new("examples/shop").is_dir() => PathBuf::from("examples/shop"),
        None => {
            copy = write_shop()
                .map_err(|error| Failure::System(format!("cannot write the demo's manifests: {error}")))?;
            copy.path().to_owned()
        }
    };
    start_echo_services()?;
    let options = RunOptions {
        manifests: Some(manifests.clone()),
        cluster: ClusterOptions::default(),
        listen: options.listen.clone(),
        translation: TranslationOptions::default(),
    };
    run::run(&options, |started| print_guide(started, &manifests))
}

fn write_shop() -> std::io::Result<tempfile::TempDir> {
    let directory = tempfile::Builder::new().prefix("gateway-demo-").tempdir()?;
    for (name, text) in SHOP {
        std::fs::write(directory.path().join(name), text)?;
    }
    Ok(directory)
}

/// Starts a thread that answers on all addresses of [`ECHO`].
fn start_echo_services() -> Result<(), Failure> {
    let mut listeners = Vec::new();
    for (service, port) in ECHO {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let bind = || {
            let listener = std::net::TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        };
        let failed = |error: std::io::Error| {
            Failure::System(format!(
                "the demo's {service} needs {address}: {error}; stop what listens there, perhaps another demo"
            ))
        };
        listeners.push((service, address, bind().map_err(failed)?));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::System(format!("cannot start the demo's services: {error}")))?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            let servers = listeners.into_iter().map(|(service, address, listener)| {
                tokio::spawn(async move {
                    let listener = tokio::net::TcpListener::from_std(listener)?;
                    axum::serve(listener, echo(service, address)).await
                })
            });
            for server in servers.collect::<Vec<_>>() {
                let _ = server.await;
            }
        });
    });
    Ok(())
}

/// A service that says who it is and what it was asked; a header tells the endpoint.
fn echo(service: &'static str, address: SocketAddr) -> Router {
    let endpoint = HeaderValue::from_str(&address.to_string()).ok();
    Router::new()
        .fallback(move |request: Request| async move {
            let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("no host");
            answer(service, request.method().as_str(), host, &request.uri().to_string())
        })
        .layer(SetResponseHeaderLayer::overriding(HeaderName::from_static("x-endpoint"), endpoint))
}

fn answer(service: &str, method: &str, host: &str, path: &str) -> String {
    format!("{service} answers {method} {host}{path}\n")
}

/// Prints a request for each route, and what comes back.
fn print_guide(started: &Started, manifests: &Path) {
    println!("\nThe shop is open. In another terminal:\n");
    started.table.with(|table| {
        for (host, path) in requests(table) {
            println!("  curl -s -H 'Host: {host}' http://{}{path}", started.http);
            println!("  # {}", expected(table, &host, &path));
        }
    });
    println!("\nAdd -i to see x-endpoint, which tells the endpoint that answered.");
    println!("The README says what to ask where a policy stands in front (policies.yaml).");
    println!("Edit {}/*.yaml: the next request follows. What is served now:\n", manifests.display());
    println!("  curl -s http://{}/config_dump\n\nStop with Ctrl-C.\n", started.admin);
}

/// A request for each route that has no policy, since that may change an answer or give its own; a longer path for each
/// prefix, and one that nothing takes.
fn requests(table: &RouteTable) -> Vec<(String, String)> {
    let mut requests = Vec::new();
    for found in table.routes().filter(|found| found.route.policy().is_none()) {
        let host = match found.route.host() {
            HostMatch::Exact(name) => name.to_string(),
            HostMatch::Wildcard(suffix) => format!("acme.{suffix}"),
            _ => "elsewhere.example".into(),
        };
        let path = match found.route.path() {
            PathMatch::Exact(path) => path.as_str().to_owned(),
            PathMatch::Prefix(path) => format!("{}/item/7", path.as_str().trim_end_matches('/')),
            _ => "/nothing/else/fits".into(),
        };
        requests.push((host, path));
    }
    requests.push(("unknown.example".into(), "/".into()));
    requests
}

/// What the demo's services, or the gateway itself, answer to such a request.
fn expected(table: &RouteTable, host: &str, path: &str) -> String {
    let services: BTreeMap<_, _> = ECHO.iter().map(|&(service, port)| (port, service)).collect();
    let found = RequestHost::parse(host).ok().zip(RequestPath::parse(path).ok());
    let found =
        found.as_ref().and_then(|(host, path)| table.lookup(&RequestHead::new(host, path)).ok().flatten());
    let Some(found) = found else { return "404 Not Found".into() };
    let endpoint = found.backend(|_| Turn::Ticket(0)).and_then(|backend| {
        let set = backend.endpoints();
        set.get(set.choose(&Choice::new(Draw::at(0), None)).ok()?)
    });
    match endpoint {
        None => "503 Service Unavailable".into(),
        Some(endpoint) => match services.get(&endpoint.address().port()) {
            Some(service) => answer(service, "GET", host, path).trim_end().to_owned(),
            None => format!("whatever {} answers", endpoint.address()),
        },
    }
}

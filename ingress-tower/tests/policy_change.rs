//! Policies that change under load: every answer is one of a table of its time, and none is lost.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod support;

use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::TokioIo;
use ingress_core::{
    Backends, BasicAuth, Canary, Coding, Cors, Endpoint, HostMatch, Mirror, PathMatch, PathRewrite, Policy,
    RateLimit, Retries, Rule, TableEditor, Timeout,
};
use ingress_tower::IngressService;
use support::external::{answering, auth, backend};
use support::*;
use tokio::net::TcpStream;
use tokio::sync::watch;

const ORIGIN: &str = "https://other.example";
/// `ada` with the password `secret`.
const ADA: &str = "Basic YWRhOnNlY3JldA==";
const USERS: &str = "ada:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";
const LIMITED: &str = "limited.example";
/// How many requests of the limited client pass, whatever changes.
const BURST: u32 = 3;
const CLIENTS: usize = 12;
/// How long policies go on changing.
const TIME: Duration = Duration::from_millis(1500);

/// Everything that lets the requests of these tests pass.
const KINDS: [fn(&mut Policy); 14] = [
    |_| {},
    |policy| {
        policy.headers.response.set.push(("X-Edit".parse().unwrap(), "1".parse().unwrap()));
        policy.headers.request.set.push(("X-Edit".parse().unwrap(), "1".parse().unwrap()));
    },
    |policy| policy.cors = Some(Cors::new(ORIGIN.parse().unwrap())),
    |policy| policy.compression.codings = Some(vec![Coding::Gzip]),
    |policy| {
        policy.client_limits.name = Some("generous".into());
        policy.client_limits.rate = "1000000/s".parse().ok().map(RateLimit::UpTo);
        policy.client_limits.concurrency = Some(1000);
    },
    |policy| policy.client_limits.bandwidth = NonZeroU64::new(1 << 30),
    |policy| policy.authentication.basic = Some(BasicAuth::new(USERS.parse().unwrap())),
    |policy| policy.authentication.external = Some(auth("/")),
    |policy| policy.rewrite.path = Some(PathRewrite::Full("/new{path}".parse().unwrap())),
    |policy| policy.mirror = Some(Mirror::to(backend("mirror"))),
    |policy| {
        policy.error_pages.statuses = vec![(404, 404)];
        policy.error_pages.backend = Some(backend("pages"));
    },
    |policy| {
        let mut canary = Canary::new("canary");
        canary.header = "x-canary".parse().ok();
        policy.canary = Some(canary);
    },
    |policy| policy.access.allow = "127.0.0.0/8".parse().ok(),
    |policy| {
        policy.retries = Some(Retries::up_to(2));
        policy.request_timeout = Some(Timeout::After(Duration::from_secs(9)));
        policy.max_body_size = Some(10);
    },
];

/// What clients see of an answer, besides its body.
#[derive(Debug, PartialEq)]
struct Seen {
    status: u16,
    server: Option<String>,
    target: Option<String>,
    edited: (bool, bool),
    cors: bool,
    coded: bool,
    counted: bool,
    page: bool,
}

impl Seen {
    fn of(answer: &Response<bytes::Bytes>) -> Self {
        let text = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        Self {
            status: answer.status().as_u16(),
            server: text("x-server"),
            target: text("x-target"),
            edited: (text("x-edited").is_some(), text("x-edit").is_some()),
            cors: text("access-control-allow-origin").is_some(),
            coded: text("content-encoding").is_some(),
            counted: text("ratelimit").is_some(),
            page: answer.body() == "page",
        }
    }

    /// What a policy makes of a request for a path.
    fn want(policy: &Policy, path: &str) -> Self {
        let is_missing = path == "/missing";
        let page = is_missing && policy.error_pages.backend.is_some();
        let edited = !policy.headers.is_default();
        Self {
            status: if is_missing { 404 } else { 200 },
            server: Some(if policy.canary.is_some() { "canary" } else { "shop" }.into()),
            target: Some(match policy.rewrite.path {
                Some(_) => format!("/new{path}"),
                None => path.into(),
            }),
            edited: (edited, edited),
            cors: policy.cors.is_some(),
            coded: policy.compression.codings.is_some() && !page,
            counted: policy.client_limits.rate.is_some(),
            page,
        }
    }
}

/// Answers what it was asked for, 404 where that is not there.
async fn server(name: &'static str) -> Asked {
    Asked::start(move |seen| {
        let is_missing = seen.target.ends_with("missing");
        let answer = Response::builder().status(if is_missing { 404 } else { 200 });
        let answer = answer.header("content-type", "text/plain").header("x-server", name);
        let answer = match seen.field("x-edit") {
            Some(_) => answer.header("x-edited", "1"),
            None => answer,
        };
        answer.header("x-target", &seen.target).body(full(name.repeat(500))).unwrap()
    })
    .await
}

/// A connection that is never made anew.
enum Client {
    One(http1::SendRequest<TestBody>),
    Two(http2::SendRequest<TestBody>),
}

impl Client {
    async fn connect(gateway: &Gateway, two: bool) -> Self {
        if two {
            return Self::Two(http2_client(gateway.addr).await);
        }
        let stream = within("connect", TcpStream::connect(gateway.addr)).await.unwrap();
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self::One(sender)
    }

    async fn ask(&mut self, host: &str, path: &str) -> Response<bytes::Bytes> {
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("origin", ORIGIN), ("accept-encoding", "gzip"), ("x-canary", "always"), ("authorization", ADA)]
        {
            headers.insert(name, value.parse().unwrap());
        }
        let mut request = Request::new(empty());
        *request.headers_mut() = headers;
        let answer = match self {
            Self::One(sender) => {
                within("connection", sender.ready()).await.unwrap();
                request.headers_mut().insert("host", host.parse().unwrap());
                *request.uri_mut() = path.parse().unwrap();
                within("answer", sender.send_request(request)).await
            }
            Self::Two(sender) => {
                within("connection", sender.ready()).await.unwrap();
                *request.uri_mut() = format!("http://{host}{path}").parse().unwrap();
                within("answer", sender.send_request(request)).await
            }
        };
        let (parts, body) = answer.unwrap().into_parts();
        assert!(!parts.headers.contains_key("connection"), "{:?}", parts.headers);
        Response::from_parts(parts, within("body", body.collect()).await.unwrap().to_bytes())
    }
}

/// What publisher and clients know of each other.
#[derive(Default)]
struct Progress {
    /// The number of the table that is being published, and of that which certainly is.
    begun: AtomicUsize,
    done: AtomicUsize,
    ended: AtomicBool,
    answers: watch::Sender<usize>,
}

/// Asks until the end; the statuses that came.
async fn ask_on(
    mut client: Client,
    host: &'static str,
    progress: Arc<Progress>,
    policies: Arc<[Policy]>,
) -> Vec<u16> {
    let mut statuses = Vec::new();
    while !progress.ended.load(SeqCst) {
        for path in ["/", "/missing"] {
            let first = progress.done.load(SeqCst);
            let answer = client.ask(host, path).await;
            let last = progress.begun.load(SeqCst);
            statuses.push(answer.status().as_u16());
            progress.answers.send_modify(|answers| *answers += 1);
            if host == LIMITED {
                continue;
            }
            let seen = Seen::of(&answer);
            let of_time = || (first..=last).map(|number| &policies[number % policies.len()]);
            let is_known = of_time().any(|policy| Seen::want(policy, path) == seen);
            assert!(is_known, "{seen:?} of {:#?}", of_time().collect::<Vec<_>>());
        }
    }
    statuses
}

/// Each kind of policy comes and goes, alone and with all others.
fn policies() -> Arc<[Policy]> {
    let mut policies = Vec::new();
    let mut all = Policy::default();
    for set in KINDS {
        let mut alone = Policy::default();
        set(&mut alone);
        set(&mut all);
        policies.extend([alone, all.clone(), Policy::default()]);
    }
    policies.into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_lost_while_policies_change() {
    let (shop, canary, mirror) = (server("shop").await, server("canary").await, server("mirror").await);
    let (auth, pages) = (answering(204, &[], "").await, answering(200, &[], "page").await);
    let mut editor = TableEditor::new();
    for (name, server) in
        [("shop", &shop), ("canary", &canary), ("mirror", &mirror), ("auth", &auth), ("pages", &pages)]
    {
        editor.set_endpoints(backend(name), vec![Endpoint::new(server.addr)]);
    }
    let policies = policies();
    let mut table = |number: usize| {
        let policy = &policies[number % policies.len()];
        let mut limited = policy.clone();
        limited.client_limits.name = Some("limited".into());
        limited.client_limits.rate = "1/h".parse().ok().map(RateLimit::UpTo);
        limited.client_limits.burst = NonZeroU32::new(BURST);
        for (host, policy) in [(HOST, policy.clone()), (LIMITED, limited)] {
            let host: HostMatch = host.parse().unwrap();
            let split = Backends::split([(backend("shop"), 1), (backend("canary"), 0)]);
            let rule = Rule::with_backends(host.clone(), PathMatch::prefix("/").unwrap(), split);
            editor.set_host(host, vec![if policy.is_empty() { rule } else { rule.with_policy(policy) }]);
        }
        editor.build().0
    };
    let (reader, mut writer) = ingress_core::table(table(0));
    let gateway = Gateway::start(Default::default(), IngressService::new(reader)).await;
    let progress = Arc::<Progress>::default();
    let mut clients = Vec::new();
    for number in 0..CLIENTS + 1 {
        let client = Client::connect(&gateway, number % 2 == 0).await;
        let host = if number < CLIENTS { HOST } else { LIMITED };
        clients.push(tokio::spawn(ask_on(client, host, progress.clone(), policies.clone())));
    }
    let (began, mut answers, mut number) = (Instant::now(), progress.answers.subscribe(), 0);
    while (began.elapsed() < TIME || number < policies.len())
        && clients.iter().all(|client| !client.is_finished())
    {
        // Each table has about two requests of each client.
        let enough = *answers.borrow_and_update() + 2 * CLIENTS;
        within("answers", answers.wait_for(|answers| *answers >= enough)).await.unwrap();
        number += 1;
        progress.begun.store(number, SeqCst);
        writer.publish(table(number));
        progress.done.store(number, SeqCst);
    }
    progress.ended.store(true, SeqCst);
    let limited = clients.pop().unwrap().await.unwrap();
    for client in clients {
        let statuses = client.await.unwrap();
        assert!(statuses.len() > number / CLIENTS, "a client was left behind");
    }
    // What was counted is not forgotten with the policy that it was counted for.
    let passed = limited.iter().take_while(|status| **status != 429).count();
    assert_eq!(passed, BURST as usize);
    assert!(limited.len() > passed && limited[passed..].iter().all(|status| *status == 429), "{limited:?}");
    assert!(shop.count() > 0 && canary.count() > 0 && auth.count() > 0 && pages.count() > 0);
    mirror.nth(0).await;
}

/// Also where a limit is taken away and comes back, or the rest of the policy is another one by then.
#[tokio::test]
async fn limits_that_come_back_have_forgotten_nothing() {
    let shop = server("shop").await;
    let table = |kind: Option<fn(&mut Policy)>| {
        let mut editor = TableEditor::new();
        let host: HostMatch = HOST.parse().unwrap();
        let rule = Rule::new(host.clone(), PathMatch::prefix("/").unwrap(), backend("shop"));
        let rule = match kind {
            Some(set) => {
                let mut policy = Policy::default();
                set(&mut policy);
                policy.client_limits.name = Some("limited".into());
                policy.client_limits.rate = "1/h".parse().ok().map(RateLimit::UpTo);
                rule.with_policy(policy)
            }
            None => rule,
        };
        editor.set_host(host, vec![rule]);
        editor.set_endpoints(backend("shop"), vec![Endpoint::new(shop.addr)]);
        editor.build().0
    };
    let (reader, mut writer) = ingress_core::table(table(Some(KINDS[0])));
    let gateway = Gateway::start(Default::default(), IngressService::new(reader)).await;
    let mut client = Client::connect(&gateway, true).await;
    assert_eq!(client.ask(HOST, "/").await.status(), 200);
    for set in KINDS {
        writer.publish(table(Some(set)));
        assert_eq!(client.ask(HOST, "/").await.status(), 429);
        writer.publish(table(None));
        assert_eq!(client.ask(HOST, "/").await.status(), 200);
    }
}

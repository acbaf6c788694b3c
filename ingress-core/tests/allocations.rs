//! Looking up a route and choosing an endpoint allocate nothing.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Duration;

use ingress_core::{
    Algorithm, Backends, Choice, Conditions, Draw, Ending, Endpoint, EndpointSet, HostMatch, Moment,
    PathMatch, Policy, RequestHead, RequestHost, RequestPath, RouteTable, Rule, TableReader, Turn,
};

fn reader() -> TableReader {
    let mut builder = RouteTable::builder();
    let mut add = |host: &str, path: PathMatch| {
        let backend: ingress_core::BackendRef = "default/web:80".parse().unwrap();
        builder.rule(Rule::new(host.parse().unwrap(), path, backend));
    };
    for i in 0..4 {
        add("small.example", PathMatch::prefix(&format!("/service-{i}")).unwrap());
        add("*.wild.example", PathMatch::exact(&format!("/service-{i}")).unwrap());
    }
    for i in 0..100 {
        add("large.example", PathMatch::prefix(&format!("/service-{i}/api")).unwrap());
        add("large.example", PathMatch::exact(&format!("/service-{i}/api/exact")).unwrap());
    }
    let long = format!("/{}", "element-of-a-long-path/".repeat(5));
    add("large.example", PathMatch::prefix(&long).unwrap());
    add("small.example", PathMatch::template("/users/{id}/{*rest}").unwrap());
    let split =
        Backends::split([("default/web:80".parse().unwrap(), 9), ("default/other:80".parse().unwrap(), 0)]);
    let conditions = Conditions::default().method(&http::Method::PUT);
    for (host, conditions) in [("split.example", Conditions::default()), ("condition.example", conditions)] {
        let path = PathMatch::prefix("/").unwrap();
        let rule = Rule::with_backends(host.parse().unwrap(), path, split.clone());
        builder.rule(rule.with_conditions(conditions));
    }
    builder.reserve("*.reserved.example".parse().unwrap());
    builder.rule(Rule::new(
        HostMatch::Any,
        PathMatch::prefix("/any").unwrap(),
        "default/web:80".parse().unwrap(),
    ));
    let endpoint = |i: u8| Endpoint::new(SocketAddr::from(([10, 0, 0, i], 80))).with_weight(u32::from(i));
    builder.endpoints("default/web:80".parse().unwrap(), (1..6).map(endpoint));
    ingress_core::table(builder.build().0).0
}

/// What is allocated by one request's way through this crate.
fn allocations(reader: &TableReader, host: &str, path: &str, want: bool) -> u64 {
    let counted = allocation_counter::measure(|| {
        let (host, path) =
            (RequestHost::parse(black_box(host)).unwrap(), RequestPath::parse(black_box(path)).unwrap());
        let found = reader.with(|table| {
            let found = table.lookup(&RequestHead::new(&host, &path)).unwrap()?;
            {
                let set = found.backend(|_| Turn::Ticket(0))?.endpoints();
                let place = set.choose(&Choice::new(Draw::at(black_box(7)), None)).ok()?;
                set.get(place).map(|endpoint| endpoint.authority().clone())
            }
        });
        assert_eq!(found.is_some(), want);
    });
    counted.count_total
}

#[test]
fn lookup_and_choice_allocate_nothing() {
    let reader = reader();
    // A thread's first load registers it with the cell.
    reader.with(|table| assert_eq!(table.host_count(), 6));
    let table = [
        ("small.example", "/service-2/a/b/c", true),
        ("small.example", "/other", false),
        ("small.example:8080", "/service-1", true),
        ("large.example", "/service-50/api/exact", true),
        ("large.example", "/service-50/api/a/b/c/d/e/f/g", true),
        ("large.example", "/service-50/other", false),
        ("a.wild.example", "/service-3", true),
        ("a.wild.example", "/service-3/x", false),
        ("large.example", &format!("/{}x", "element-of-a-long-path/".repeat(5)), true),
        ("small.example", "/users/7/a/b", true),
        ("split.example", "/a", true),
        ("condition.example", "/a", false),
        ("unknown.example", "/any", true),
        ("a.b.reserved.example", "/any", false),
        ("unknown.example", "/", false),
        ("10.0.0.1", "/", false),
        ("", "/", false),
    ];
    for (host, path, want) in table {
        assert_eq!(allocations(&reader, host, path, want), 0, "{host} {path}");
    }
}

#[test]
fn every_algorithm_chooses_without_allocating() {
    let endpoints = |step: u32| {
        let endpoint = move |i: u32| {
            Endpoint::new(SocketAddr::from(([10, 0, 0, 0], i as u16 + 1))).with_weight(i * step + 1)
        };
        (0..9).map(endpoint)
    };
    for algorithm in Algorithm::ALL {
        let mut policy = Policy::default();
        policy.load_balance = Some(algorithm);
        policy.slow_start.window = Some(Duration::from_secs(1));
        for step in [0, 3, 100_003] {
            let set = EndpointSet::new(endpoints(step));
            // The first request works out what the algorithm needs, and makes the counts.
            let request = |ticket: u64| {
                let now = Moment::START + Duration::from_millis(ticket);
                let draw = Draw::new(ticket, ticket, now).with_key(Some(ticket));
                let choice = Choice::new(black_box(draw), Some(&policy)).without(&[0]);
                let place = set.choose(&choice).unwrap();
                assert!(set.begin(place, &choice));
                set.note(
                    place,
                    Ending::Success,
                    Some(&policy),
                    (now, now + Duration::from_millis(1)),
                    ticket,
                );
                set.end(place);
            };
            (0..100).for_each(request);
            let choice = Choice::new(Draw::at(0), None);
            (0..9).for_each(|place| assert!(set.begin(place, &choice)));
            (0..9).for_each(|place| set.end(place));
            let counted = allocation_counter::measure(|| (100..200).for_each(request));
            assert_eq!(counted.count_total, 0, "{policy:?}");
        }
    }
}

//! What tables know of endpoints and keep when others follow them, and how routes share requests among backends.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use ingress_core::{
    Backend, BackendRef, Backends, Choice, Draw, Ending, Endpoint, Moment, PathMatch, RequestHead,
    RequestHost, RequestPath, RouteTable, Rule, TableEditor, Turn,
};

fn endpoint(number: u8) -> Endpoint {
    Endpoint::new(SocketAddr::from(([10, 0, 0, number], 80)))
}

fn web() -> BackendRef {
    "d/web:80".parse().unwrap()
}

fn rule(backends: impl Into<Backends>) -> Rule {
    Rule::with_backends("a.example".parse().unwrap(), PathMatch::prefix("/").unwrap(), backends.into())
}

/// What serves a request, by this turn.
fn served<R>(table: &RouteTable, turn: Turn, read: impl FnOnce(&Backend) -> R) -> R {
    let (host, path) = (RequestHost::parse("a.example").unwrap(), RequestPath::parse("/").unwrap());
    let found = table.lookup(&RequestHead::new(&host, &path)).unwrap().unwrap();
    read(found.backend(|_| turn).unwrap())
}

/// Makes a table with the endpoints of these numbers.
type Maker<'a> = dyn FnMut(&[u8]) -> RouteTable + 'a;

/// The number in flight, and whether it is ejected, of the endpoints of these numbers.
fn known(table: &RouteTable) -> Vec<(u32, bool)> {
    served(table, Turn::Ticket(0), |backend| {
        let vitals =
            (0..backend.endpoints().all().len()).map(|place| backend.endpoints().vitals(place).unwrap());
        vitals.map(|vitals| (vitals.in_flight_now(), vitals.is_ejected())).collect()
    })
}

#[test]
fn what_is_known_survives_each_change_that_keeps_the_endpoint() {
    let mut editor = TableEditor::new();
    editor.set_host("a.example".parse().unwrap(), vec![rule(web())]);
    let mut edited = |numbers: &[u8]| {
        editor.set_endpoints(web(), numbers.iter().map(|&number| endpoint(number)).collect());
        editor.build().0
    };
    let mut built = |numbers: &[u8]| {
        let mut builder = RouteTable::builder();
        builder.rule(rule(web()));
        builder.endpoints(web(), numbers.iter().map(|&number| endpoint(number)));
        builder.build().0
    };
    for make in [&mut edited as &mut Maker<'_>, &mut built] {
        let (reader, mut writer) = ingress_core::table(make(&[1, 2, 3]));
        let first = reader.snapshot();
        served(&first, Turn::Ticket(0), |backend| {
            let set = backend.endpoints();
            assert!(set.begin(0, &Choice::new(Draw::default(), None)));
            let now = Moment::after(Duration::from_secs(1000));
            (0..5).for_each(|_| _ = set.note(1, Ending::Failure, None, (now, now), 0));
            assert!(set.vitals(1).unwrap().is_ejected());
        });
        writer.publish(make(&[0, 1, 2]));
        assert_eq!(reader.with(known), [(0, false), (1, false), (0, true)], "one has come, one has gone");
        served(&first, Turn::Ticket(0), |backend| backend.endpoints().end(0));
        assert_eq!(reader.with(known)[1], (0, false), "a request that began with the table before");
        writer.publish(make(&[0, 1]));
        writer.publish(make(&[0, 1, 2]));
        assert_eq!(reader.with(known), [(0, false); 3], "who comes again is new");
    }
}

/// A table in which two backends share the requests, and which of them each of so many turns leads to.
fn split(weights: [u32; 2], turns: impl Iterator<Item = Turn>) -> Vec<bool> {
    let mut builder = RouteTable::builder();
    let [a, b] = ["d/a:80", "d/b:80"].map(|name| name.parse().unwrap());
    builder.rule(rule(Backends::split([(a, weights[0]), (b, weights[1])])));
    let table = builder.build().0;
    turns.map(|turn| served(&table, turn, |backend| backend.reference().to_string() == "d/b:80")).collect()
}

/// Of 100,000: at most four standard deviations off, which one in ten thousand exceeds.
fn is_about(count: usize, share: f64) -> bool {
    (count as f64 - 1e5 * share).abs() < 4.0 * (1e5 * share * (1.0 - share)).sqrt()
}

#[test]
fn splits_are_exact_statistical_or_sticky() {
    let of_b = |found: &[bool]| found.iter().filter(|b| **b).count();
    assert_eq!(of_b(&split([9, 1], (5..1005).map(Turn::Ticket))), 100);
    let random = of_b(&split([9, 1], (0..100_000).map(Turn::Random)));
    assert!(is_about(random, 0.1), "{random}");
    let keys = || (0..100_000).map(Turn::Key);
    let (before, after) = (split([9, 1], keys()), split([8, 2], keys()));
    assert_eq!(before, split([90, 10], keys()), "the same shares, the same places");
    assert!(is_about(of_b(&before), 0.1), "{}", of_b(&before));
    assert!(is_about(of_b(&after), 0.2), "{}", of_b(&after));
    let moves: BTreeSet<_> = before.iter().zip(&after).filter(|(before, after)| before != after).collect();
    assert_eq!(moves, BTreeSet::from([(&false, &true)]), "only to the one that has more");
}

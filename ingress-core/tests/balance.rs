//! How requests are spread: by which shares, what moves when endpoints come and go, and who is left out. Numbers and
//! moments come from a seed.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::net::SocketAddr;
use std::time::Duration;

use ingress_core::{
    Algorithm, Choice, Draw, Ending, Endpoint, EndpointChange, EndpointSet, EndpointState, Hints, Locality,
    Moment, Policy, Unchosen,
};

const SECOND: Duration = Duration::from_secs(1);

/// SplitMix64 (Steele, Lea and Flood 2014): the nth random number.
fn bits(n: u64) -> u64 {
    let mut z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn at(seconds: f64) -> Moment {
    Moment::after(Duration::from_secs_f64(1000.0 + seconds))
}

fn endpoint(number: usize) -> Endpoint {
    Endpoint::new(SocketAddr::from(([10, 0, (number / 256) as u8, number as u8], 80)))
}

fn weighted(weights: &[u32]) -> EndpointSet {
    EndpointSet::new(weights.iter().enumerate().map(|(at, &weight)| endpoint(at).with_weight(weight)))
}

fn by(algorithm: Algorithm) -> Policy {
    let mut policy = Policy::default();
    policy.load_balance = Some(algorithm);
    policy
}

/// Where so many requests go, by place: each is a ticket with random bits, and a key of its own.
fn counts(set: &EndpointSet, policy: &Policy, now: Moment, requests: u64) -> Vec<u64> {
    let mut counts = vec![0; set.all().len()];
    for ticket in 0..requests {
        let draw = Draw::new(ticket, bits(ticket), now).with_key(Some(bits(!ticket)));
        counts[set.choose(&Choice::new(draw, Some(policy))).unwrap()] += 1;
    }
    counts
}

/// The sum of the squares of what is off, each by what is due.
fn chi_square(counts: &[u64], weights: &[u32]) -> f64 {
    let (requests, total) = (counts.iter().sum::<u64>() as f64, f64::from(weights.iter().sum::<u32>()));
    let part = |(&count, &weight): (&u64, &u32)| match weight {
        0 if count == 0 => 0.0,
        _ => {
            (count as f64 - requests * f64::from(weight) / total).powi(2)
                / (requests * f64::from(weight) / total)
        }
    };
    counts.iter().zip(weights).map(part).sum()
}

/// Notes an answer that took so long.
fn note(
    set: &EndpointSet,
    place: usize,
    ending: Ending,
    policy: &Policy,
    now: Moment,
) -> Option<EndpointChange> {
    set.note(place, ending, Some(policy), (now, now + SECOND / 100), bits(7))
}

fn eject(set: &EndpointSet, place: usize, policy: &Policy, now: Moment) -> Option<Duration> {
    let changes: Vec<_> = (0..5).filter_map(|_| note(set, place, Ending::Failure, policy, now)).collect();
    changes.into_iter().find_map(|change| match change {
        EndpointChange::Ejected(time) => Some(time),
        EndpointChange::Returned => None,
    })
}

#[test]
fn without_load_all_share_by_weight() {
    let weights = [1, 2, 0, 3, 4, 10];
    let set = weighted(&weights);
    for algorithm in Algorithm::ALL {
        let counts = counts(&set, &by(algorithm.clone()), at(0.0), 200_000);
        // Four degrees of freedom: one in ten thousand exceeds this. What a table has in whole slots is off by a little more.
        let bound = if algorithm == Algorithm::Maglev { 27.0 } else { 23.5 };
        let chi = chi_square(&counts, &weights);
        assert!(chi < bound, "{algorithm}: {counts:?} has {chi}");
    }
}

#[test]
fn round_robin_is_exact_in_each_period() {
    for weights in [&[1, 1, 1][..], &[3, 1, 0, 2], &[3001, 2003, 1009]] {
        let (set, policy) = (weighted(weights), by(Algorithm::RoundRobin));
        let period = weights.iter().sum::<u32>();
        for first in [0, 1, 999_999_937] {
            let mut counts = vec![0; weights.len()];
            for ticket in first..first + u64::from(period) {
                let draw = Draw::new(ticket, bits(ticket), at(0.0));
                counts[set.choose(&Choice::new(draw, Some(&policy))).unwrap()] += 1;
            }
            assert_eq!(counts, weights, "from {first}");
        }
    }
}

/// To which address each of 100,000 keys goes.
fn homes(endpoints: impl IntoIterator<Item = Endpoint>, algorithm: &Algorithm) -> Vec<String> {
    let (set, policy) = (EndpointSet::new(endpoints), by(algorithm.clone()));
    let home = |key| {
        let draw = Draw::new(key, bits(key), at(0.0)).with_key(Some(key));
        set.get(set.choose(&Choice::new(draw, Some(&policy))).unwrap()).unwrap().address().to_string()
    };
    (0..100_000).map(home).collect()
}

/// The part of all keys that has moved to or from this address, and the part that has moved between others.
fn moved(before: &[String], after: &[String], whose: &str) -> (f64, f64) {
    let moved = before.iter().zip(after).filter(|(before, after)| before != after);
    let (own, others): (Vec<_>, Vec<_>) =
        moved.partition(|(before, after)| *before == whose || *after == whose);
    (own.len() as f64 / before.len() as f64, others.len() as f64 / before.len() as f64)
}

/// Rendezvous moves the keys that it must, and no others. The table of Maglev moves some between others as well, the more
/// the fewer slots there are for each: of all keys no more than half as many as must move.
#[test]
fn few_keys_move_when_endpoints_come_and_go() {
    for (algorithm, others_move) in [(Algorithm::Maglev, 0.5), (Algorithm::Rendezvous, 0.0)] {
        for count in [10, 50] {
            let all = || (0..count).map(endpoint);
            let whose = endpoint(3).address().to_string();
            let heavier = all().map(|one| if one == endpoint(3) { one.with_weight(2) } else { one });
            let (full, less) =
                (homes(all(), &algorithm), homes(all().filter(|one| *one != endpoint(3)), &algorithm));
            let heavy = homes(heavier, &algorithm);
            let share = 1.0 / count as f64;
            let more = 2.0 / (count as f64 + 1.0) - share;
            for (what, from, to, must) in [
                ("goes", &full, &less, share),
                ("comes", &less, &full, share),
                ("weighs more", &full, &heavy, more),
            ] {
                let (own, others) = moved(from, to, &whose);
                println!(
                    "{algorithm}, {count}: one {what}: {own:.4} of {must:.4}, between others {others:.4}"
                );
                assert!((own / must - 1.0).abs() < 0.1, "{algorithm}, {count}: one {what}: {own} of {must}");
                assert!(
                    others <= must * others_move,
                    "{algorithm}, {count}: one {what}: {others} between others"
                );
            }
        }
    }
}

#[test]
fn who_fails_is_left_out_and_tried_with_one_request() {
    for algorithm in Algorithm::ALL {
        let (set, policy) = (weighted(&[1; 4]), by(algorithm.clone()));
        let to_first = |seconds: f64, requests| counts(&set, &policy, at(seconds), requests)[0];
        for _ in 0..4 {
            assert_eq!(note(&set, 0, Ending::Failure, &policy, at(0.0)), None);
        }
        assert!(to_first(0.1, 400) > 0, "{algorithm}: four failures are not enough");
        let change = note(&set, 0, Ending::Failure, &policy, at(0.2)).unwrap();
        let EndpointChange::Ejected(time) = change else { panic!("{change:?}") };
        assert!((4 * SECOND..=6 * SECOND).contains(&time), "{time:?}");
        assert!(set.vitals(0).unwrap().is_ejected());
        assert_eq!(to_first(0.3, 400), 0, "{algorithm}");
        let over = 0.3 + time.as_secs_f64();
        assert_eq!(to_first(over, 400), 1, "{algorithm}: one request tries it");
        assert_eq!(to_first(over + 0.1, 400), 0, "{algorithm}");
        let returned = note(&set, 0, Ending::Success, &policy, at(over + 0.2));
        assert_eq!(returned, Some(EndpointChange::Returned));
        // Who failed a few seconds ago is not everybody's choice yet.
        let least = if algorithm == Algorithm::PeakEwma { 0 } else { 60 };
        assert!(to_first(over + 0.3, 400) >= least, "{algorithm}: all again");
    }
}

#[test]
fn an_error_or_a_failure_between_successes_ejects_nobody() {
    let (set, policy) = (weighted(&[1; 4]), Policy::default());
    for request in 0..100 {
        let ending = [Ending::Failure, Ending::Failure, Ending::Failure, Ending::Failure, Ending::Success]
            [request % 5];
        assert_eq!(note(&set, 0, ending, &policy, at(request as f64)), None);
        assert_eq!(note(&set, 1, Ending::Error, &policy, at(request as f64)), None);
    }
}

#[test]
fn no_more_than_the_share_is_ejected_and_nobody_is_left_without_an_answer() {
    for (max_ejected, ejected) in [(None, 2), (Some(75), 3), (Some(100), 3), (Some(0), 1), (Some(30), 1)] {
        let (set, mut policy) = (weighted(&[1; 4]), Policy::default());
        policy.outlier.max_ejected = max_ejected;
        let out = (0..4).filter(|&place| eject(&set, place, &policy, at(0.0)).is_some()).count();
        assert_eq!(out, ejected, "{max_ejected:?}");
    }
    // One of four is left: fewer than 30 percent, so that all are used; and as much as 25 percent.
    for (panic, is_used) in [(Some(30), true), (None, false), (Some(0), false)] {
        let (set, mut policy) = (weighted(&[1; 4]), Policy::default());
        (policy.outlier.max_ejected, policy.outlier.panic) = (Some(100), panic);
        assert!((0..3).all(|place| eject(&set, place, &policy, at(0.0)).is_some()));
        let counts = counts(&set, &policy, at(0.1), 4000);
        assert_eq!(counts[..3].iter().all(|&count| count > 400), is_used, "{panic:?}: {counts:?}");
        assert_eq!(counts[..3].iter().sum::<u64>() > 0, is_used, "{panic:?}: {counts:?}");
    }
    let (set, policy) = (weighted(&[1, 1]), Policy::default());
    (0..2).for_each(|place| set.vitals(place).unwrap().set_unhealthy(true));
    let counts = counts(&set, &policy, at(0.0), 100);
    assert!(counts.iter().all(|&count| count > 25), "all are unwell, and all are used: {counts:?}");
}

/// An endpoint for these zones and nodes.
fn meant(number: usize, zones: &[&str], nodes: &[&str]) -> Endpoint {
    let mut hints = Hints::default();
    hints.zones = zones.iter().map(|&zone| zone.into()).collect();
    hints.nodes = nodes.iter().map(|&node| node.into()).collect();
    endpoint(number).with_hints(std::sync::Arc::new(hints))
}

fn placed(endpoints: Vec<Endpoint>, zone: Option<&str>, node: Option<&str>) -> EndpointSet {
    let locality = Locality::new(zone.map(Into::into), node.map(Into::into));
    EndpointSet::after(&EndpointSet::new([]), endpoints, &locality)
}

/// `hints` of EndpointSlices as kube-proxy reads them: KEP-2433 for zones, KEP-3015 and KEP-4444 for nodes.
#[test]
fn hints_narrow_the_choice_where_they_can() {
    let zones = || vec![meant(0, &["a"], &[]), meant(1, &["b"], &[]), meant(2, &["a", "b"], &[])];
    let nodes = || vec![meant(0, &["a"], &["n"]), meant(1, &["a"], &["m"]), meant(2, &["b"], &["o"])];
    let with = |mut all: Vec<Endpoint>, one: Endpoint| {
        all.push(one);
        all
    };
    let unready = || endpoint(3).with_state(EndpointState::NotServing);
    let table = [
        ("own zone", zones(), Some("a"), None, &[0, 2][..]),
        ("nobody in this zone", zones(), Some("c"), None, &[0, 1, 2]),
        ("zone not known", zones(), None, Some("n"), &[0, 1, 2]),
        ("one without a hint", with(zones(), endpoint(3)), Some("a"), None, &[0, 1, 2, 3]),
        ("one without a hint that is not used", with(zones(), unready()), Some("a"), None, &[0, 2]),
        ("own node before own zone", nodes(), Some("a"), Some("n"), &[0]),
        ("nobody on this node: own zone", nodes(), Some("a"), Some("x"), &[0, 1]),
        ("nobody on this node or in this zone", nodes(), Some("x"), Some("x"), &[0, 1, 2]),
        (
            "one without a node: own zone",
            with(nodes(), meant(3, &["a"], &[])),
            Some("a"),
            Some("n"),
            &[0, 1, 3],
        ),
        ("no hints", (0..3).map(endpoint).collect(), Some("a"), Some("n"), &[0, 1, 2]),
    ];
    for (about, endpoints, zone, node, want) in table {
        let set = placed(endpoints, zone, node);
        let want: Vec<_> = want.iter().map(|&number| endpoint(number).address().clone()).collect();
        let near: Vec<_> = set.as_slice().iter().map(|endpoint| endpoint.address().clone()).collect();
        assert_eq!(near, want, "{about}");
        for algorithm in Algorithm::ALL {
            let counts = counts(&set, &by(algorithm.clone()), at(0.0), 200);
            assert!(counts[want.len()..].iter().all(|&count| count == 0), "{about}, {algorithm}: {counts:?}");
            assert!(counts[..want.len()].iter().all(|&count| count > 0), "{about}, {algorithm}: {counts:?}");
        }
    }
}

#[test]
fn other_zones_answer_where_nobody_here_can() {
    let endpoints = (0..4).map(|number| meant(number, &[if number < 2 { "a" } else { "b" }], &[])).collect();
    let (set, policy) = (placed(endpoints, Some("a"), None), Policy::default());
    assert_eq!((set.as_slice().len(), set.elsewhere().len()), (2, 2));
    (0..2).for_each(|place| set.vitals(place).unwrap().set_unhealthy(true));
    let counts = counts(&set, &policy, at(0.0), 100);
    assert_eq!((counts[0] + counts[1], counts[2] > 0, counts[3] > 0), (0, true, true), "{counts:?}");
}

/// Threads read their clocks at different times: one may choose with a moment before that of another's note.
#[test]
fn a_note_of_the_near_future_is_not_taken_for_an_old_one() {
    let (set, policy) = (weighted(&[1, 1]), by(Algorithm::PeakEwma));
    (0..2).for_each(|place| _ = set.note(place, Ending::Success, Some(&policy), (at(0.0), at(1.0)), 0));
    let micros = |seconds| set.vitals(0).unwrap().latency_micros(at(seconds)).unwrap();
    assert!((0.99e6..1.01e6).contains(&micros(1.0)), "{}", micros(1.0));
    assert!((0.99e6..1.01e6).contains(&micros(0.999)), "{}", micros(0.999));
}

#[test]
fn a_new_endpoint_gets_its_share_little_by_little() {
    for algorithm in [Algorithm::RoundRobin, Algorithm::Random, Algorithm::LeastRequest, Algorithm::PeakEwma]
    {
        let mut policy = by(algorithm.clone());
        policy.slow_start.window = Some(10 * SECOND);
        let old = weighted(&[1; 9]);
        counts(&old, &policy, at(-100.0), 1000);
        let set = EndpointSet::after(&old, (0..10).map(endpoint).collect(), &Locality::default());
        counts(&set, &policy, at(0.0), 100);
        for (seconds, part) in [(0.5, 0.1), (3.0, 0.3), (6.0, 0.6), (9.0, 0.9), (11.0, 1.0), (100.0, 1.0)] {
            let share = counts(&set, &policy, at(seconds), 100_000)[9] as f64 / 100_000.0;
            let want = part / (9.0 + part);
            assert!((share / want - 1.0).abs() < 0.1, "{algorithm} after {seconds} s: {share} of {want}");
        }
    }
}

#[test]
fn full_endpoints_get_nothing() {
    let (set, mut policy) = (weighted(&[1, 1, 0]), Policy::default());
    let choose = |policy: &Policy| {
        let choice = Choice::new(Draw::new(0, 0, at(0.0)), Some(policy));
        set.choose(&choice).map(|place| (place, set.begin(place, &choice)))
    };
    policy.limits.max_connections = Some(2);
    let mut places: Vec<_> = (0..4).map(|_| choose(&policy).unwrap().0).collect();
    places.sort_unstable();
    assert_eq!(places, [0, 0, 1, 1]);
    assert_eq!(choose(&policy), Err(Unchosen::Full));
    assert!(!set.begin(0, &Choice::new(Draw::default(), Some(&policy))), "another thread was faster");
    set.end(1);
    assert_eq!(choose(&policy), Ok((1, true)));
    policy.limits.max_connections = Some(0);
    assert_eq!(choose(&policy), Ok((0, true)), "any number");
    let tried = Choice::new(Draw::default(), Some(&policy)).without(&[0, 1]);
    assert_eq!(set.choose(&tried), Err(Unchosen::Nobody));
    assert_eq!(EndpointSet::new([]).choose(&Choice::new(Draw::default(), None)), Err(Unchosen::Nobody));
}

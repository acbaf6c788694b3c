//! Choices that are written down can be repeated.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ingress_core::{
    Algorithm, Balance, Choice, ChoiceRecord, Draw, Endpoint, EndpointSet, EndpointState, Hints, Locality,
    Members, Moment, Policy,
};
use proptest::prelude::*;

/// The longest text that a record may have.
const MAX_LEN: usize = 21;

/// An endpoint of a set, and what is known of it.
#[derive(Clone, Copy, Debug)]
struct Case {
    weight: u32,
    here: bool,
    state: EndpointState,
    unhealthy: bool,
    tried: bool,
    in_flight: u32,
}

fn case() -> impl Strategy<Value = Case> {
    use EndpointState::{NotServing, Ready, Terminating};
    let weight = prop_oneof![1 => Just(0u32), 8 => 1u32..6, 1 => any::<u32>()];
    let state = prop_oneof![8 => Just(Ready), 1 => Just(Terminating), 1 => Just(NotServing)];
    let often_not = prop::bool::weighted(0.3);
    (weight, any::<bool>(), state, often_not, prop::bool::weighted(0.2), 0u32..4).prop_map(
        |(weight, here, state, unhealthy, tried, in_flight)| Case {
            weight,
            here,
            state,
            unhealthy,
            tried,
            in_flight,
        },
    )
}

/// Always the last one.
#[derive(Debug)]
struct Last;

impl Balance for Last {
    fn pick(&self, members: Members<'_>, _: &Draw) -> Option<usize> {
        members.len().checked_sub(1)
    }
}

fn algorithm() -> impl Strategy<Value = Algorithm> {
    let own = Algorithm::custom(Last);
    prop::sample::select(Algorithm::ALL.into_iter().chain([own]).collect::<Vec<_>>())
}

fn draw() -> impl Strategy<Value = Draw> {
    (any::<u64>(), any::<u64>(), any::<Option<u64>>(), 0u64..60).prop_map(|(ticket, random, key, now)| {
        Draw::new(ticket, random, Moment::after(Duration::from_secs(now))).with_key(key)
    })
}

fn set(cases: &[Case]) -> EndpointSet {
    let zone = |here| Some(Arc::from(if here { "here" } else { "elsewhere" }));
    let endpoint = |(at, case): (usize, &Case)| {
        Endpoint::new(SocketAddr::from(([10, 0, 0, at as u8], 80)))
            .with_weight(case.weight)
            .with_state(case.state)
            .with_hints(Arc::new(Hints::new(zone(case.here).into_iter().collect(), Vec::new())))
    };
    let endpoints = cases.iter().enumerate().map(endpoint).collect();
    EndpointSet::after(&EndpointSet::new([]), endpoints, &Locality::new(zone(true), None))
}

/// The case of the endpoint at a place.
fn case_of<'c>(cases: &'c [Case], set: &EndpointSet, place: usize) -> &'c Case {
    let ingress_core::EndpointAddress::Socket(SocketAddr::V4(address)) = set.get(place).unwrap().address()
    else {
        panic!("all have addresses of IPv4")
    };
    &cases[usize::from(address.ip().octets()[3])]
}

proptest! {
    /// Whatever is known when an endpoint is chosen, a set of which nothing is known repeats the choice.
    #[test]
    fn every_choice_is_repeated(
        cases in prop::collection::vec(case(), 1..12),
        algorithm in algorithm(),
        draw in draw(),
        slowly in any::<bool>(),
        max_connections in prop::option::of(1u32..4),
    ) {
        let mut policy = Policy::default();
        policy.load_balance = Some(algorithm.clone());
        policy.limits.max_connections = max_connections;
        policy.slow_start.window = slowly.then_some(Duration::from_secs(30));
        let used = set(&cases);
        for place in 0..cases.len() {
            let case = case_of(&cases, &used, place);
            used.vitals(place).unwrap().set_unhealthy(case.unhealthy);
            let unlimited = Choice::new(draw, None);
            (0..case.in_flight).for_each(|_| assert!(used.begin(place, &unlimited)));
        }
        let tried: Vec<_> = (0..cases.len()).filter(|&place| case_of(&cases, &used, place).tried).collect();
        let choice = Choice::new(draw, Some(&policy)).without(&tried);
        if let Ok(chosen) = used.choose(&choice) {
            let record = used.record(&choice, chosen);
            let text = record.to_string();
            prop_assert!(text.len() <= MAX_LEN, "{}", text);
            prop_assert_eq!(text.parse(), Ok(record));
            prop_assert_eq!(set(&cases).repeat(&algorithm, &record), Some(chosen), "{}", text);
            prop_assert_eq!(used.repeat(&algorithm, &record), Some(chosen), "{}", text);
            prop_assert_eq!(text.starts_with('p') || !matches!(algorithm, Algorithm::Custom(_)), true);
        }
    }

    /// Any place can be written down, whether it can be drawn or not.
    #[test]
    fn every_place_is_repeated(
        cases in prop::collection::vec(case(), 1..12),
        algorithm in algorithm(),
        draw in draw(),
    ) {
        let mut policy = Policy::default();
        policy.load_balance = Some(algorithm.clone());
        let set = set(&cases);
        for place in 0..cases.len() {
            let record = set.record(&Choice::new(draw, Some(&policy)), place);
            prop_assert_eq!(set.repeat(&algorithm, &record), Some(place));
            prop_assert_eq!(set.repeat(&algorithm, &ChoiceRecord::at(place)), Some(place));
        }
        prop_assert_eq!(set.repeat(&algorithm, &ChoiceRecord::at(cases.len())), None);
    }

    /// A text is read as one record or not at all, and each record has one text.
    #[test]
    fn texts_are_read_without_guessing(text in "[trkpsw0-9a-f]{0,24}|[trkp][0-9a-f]{1,16}(s[0-9a-f])?(w[0-2])?|.*") {
        if let Ok(record) = text.parse::<ChoiceRecord>() {
            prop_assert_eq!(record.to_string(), text);
            let set = EndpointSet::new([Endpoint::new(SocketAddr::from(([10, 0, 0, 1], 80)))]);
            for algorithm in Algorithm::ALL {
                prop_assert!(set.repeat(&algorithm, &record).is_none_or(|place| place == 0));
            }
        }
    }
}

#[test]
fn a_record_has_only_what_the_algorithm_goes_by() {
    let endpoint = |host| Endpoint::new(SocketAddr::from(([10, 0, 0, host], 80)));
    let set = EndpointSet::new((1..4).map(endpoint));
    let draw = Draw::new(7, 0xabc, Moment::START);
    let record = |algorithm: &Algorithm, key| {
        let mut policy = Policy::default();
        policy.load_balance = Some(algorithm.clone());
        let choice = Choice::new(draw.with_key(key), Some(&policy));
        set.record(&choice, set.choose(&choice).unwrap()).to_string()
    };
    for (algorithm, plain, with_key) in [
        (Algorithm::RoundRobin, "t7", "t7"),
        (Algorithm::Random, "rabc", "rabc"),
        (Algorithm::LeastRequest, "rabcw0", "rabcw0"),
        (Algorithm::PeakEwma, "rabcw0", "rabcw0"),
        (Algorithm::Maglev, "rabc", "kc0ffee"),
        (Algorithm::Rendezvous, "rabc", "kc0ffee"),
        (Algorithm::custom(Last), "p2", "p2"),
    ] {
        assert_eq!(record(&algorithm, None), plain, "{algorithm}");
        assert_eq!(record(&algorithm, Some(0xc0_ffee)), with_key, "{algorithm}");
    }
}

#[test]
fn a_record_of_another_algorithm_repeats_nothing() {
    let endpoint = |host| Endpoint::new(SocketAddr::from(([10, 0, 0, host], 80)));
    let set = EndpointSet::new((1..4).map(endpoint));
    let [round_robin, random, least_request, peak_ewma, maglev, rendezvous] = Algorithm::ALL;
    for (text, takers) in [
        ("t7", vec![&round_robin]),
        ("rabc", vec![&random, &maglev, &rendezvous]),
        ("rabcs1", vec![&round_robin, &random, &maglev, &rendezvous]),
        ("rabcw1", vec![&least_request, &peak_ewma]),
        ("rabcs1w0", vec![&least_request, &peak_ewma]),
        ("kc0ffee", vec![&maglev, &rendezvous]),
        ("kc0ffees2", vec![&maglev, &rendezvous]),
        ("p3", vec![]),
    ] {
        let record: ChoiceRecord = text.parse().unwrap();
        for algorithm in &Algorithm::ALL {
            let repeated = set.repeat(algorithm, &record).is_some();
            assert_eq!(repeated, takers.contains(&algorithm), "{text} {algorithm}");
        }
    }
    let all: Vec<_> = Algorithm::ALL.iter().collect();
    assert!(all.iter().all(|algorithm| set.repeat(algorithm, &ChoiceRecord::at(2)) == Some(2)));
}

#[test]
fn what_is_no_record() {
    for text in [
        "",
        "t",
        "7",
        "t07",
        "tA",
        "t-1",
        "t+1",
        "t 1",
        "t1 ",
        "t1s1",
        "t1w0",
        "p",
        "p1s1",
        "k",
        "k1w0",
        "ks1",
        "r",
        "rs1",
        "r1s0",
        "r1s10",
        "r1s",
        "r1w",
        "r1w2",
        "r1w0s1",
        "r1s1s1",
        "r11111111111111111",
        "x1",
        "tä",
        "t1r2",
    ] {
        let error = text.parse::<ChoiceRecord>().unwrap_err();
        assert!(error.to_string().starts_with("a choice is written as in t2a"), "{text}");
    }
    assert!("9".repeat(1 << 20).parse::<ChoiceRecord>().is_err());
    assert_eq!("rffffffffffffffffsfw1".parse::<ChoiceRecord>().unwrap().to_string().len(), MAX_LEN);
}

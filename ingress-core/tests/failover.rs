//! Who answers where those that are meant for a place cannot, and when an endpoint is left out.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ingress_core::{
    Algorithm, Choice, Draw, Ending, Endpoint, EndpointChange, EndpointSet, Hints, Locality, Moment, Policy,
};

/// Endpoints 0 to `near` are meant for zone a, where we are, the others for zone b.
fn zones(near: usize, far: usize) -> EndpointSet {
    let endpoint = |at: usize| {
        let zone = if at < near { "a" } else { "b" };
        let hints = Arc::new(Hints::new(vec![zone.into()], Vec::new()));
        Endpoint::new(SocketAddr::from(([10, 0, 0, at as u8 + 1], 80))).with_hints(hints)
    };
    let endpoints = (0..near + far).map(endpoint).collect();
    EndpointSet::after(&EndpointSet::new([]), endpoints, &Locality::new(Some("a".into()), None))
}

fn by(algorithm: Algorithm) -> Policy {
    let mut policy = Policy::default();
    policy.load_balance = Some(algorithm);
    policy
}

fn shares(set: &EndpointSet, policy: &Policy, draws: u64) -> Vec<u64> {
    let mut counts = vec![0; set.all().len()];
    for number in 0..draws {
        let draw = Draw::at(number).with_key(Some(number));
        counts[set.choose(&Choice::new(draw, Some(policy))).unwrap()] += 1;
    }
    counts
}

#[test]
fn other_zones_share_evenly_where_nobody_here_is_well() {
    for algorithm in Algorithm::ALL {
        let set = zones(5, 5);
        (0..5).for_each(|place| set.vitals(place).unwrap().set_unhealthy(true));
        let counts = shares(&set, &by(algorithm.clone()), 10_000);
        assert_eq!(counts[..5], [0; 5], "{algorithm}");
        assert!(counts[5..].iter().all(|count| (1600..2400).contains(count)), "{algorithm}: {counts:?}");
    }
}

#[test]
fn a_key_meets_one_endpoint_of_another_zone() {
    for algorithm in [Algorithm::Maglev, Algorithm::Rendezvous] {
        let (set, policy) = (zones(2, 4), by(algorithm));
        (0..2).for_each(|place| set.vitals(place).unwrap().set_unhealthy(true));
        for key in 0..100 {
            let chosen = |random: u64| {
                let draw = Draw::new(random, random, Moment::START).with_key(Some(key));
                set.choose(&Choice::new(draw, Some(&policy))).unwrap()
            };
            assert!((1..50).all(|random| chosen(random) == chosen(0)), "{key}");
        }
    }
}

#[test]
fn somebody_is_asked_even_if_all_that_is_left_is_unwell() {
    let set = zones(1, 1);
    set.vitals(0).unwrap().set_unhealthy(true);
    assert_eq!(set.choose(&Choice::new(Draw::at(3), None)), Ok(1));
    assert_eq!(set.choose(&Choice::new(Draw::at(3), None).without(&[1])), Ok(0));
    assert!(set.choose(&Choice::new(Draw::at(3), None).without(&[0, 1])).is_err());
}

/// How many failures in a row it takes to eject endpoint 0, where of the others' requests every nth ends in this way.
fn streak(nth: u64, ending: Ending) -> u32 {
    let set = zones(4, 0);
    let mut now = Moment::START + Duration::from_secs(1);
    let note = |place: usize, ending: Ending, now: Moment| set.note(place, ending, None, (now, now), 7);
    for number in 0..1500 {
        now = now + Duration::from_millis(1);
        for place in 0..4 {
            assert!(set.begin(place, &Choice::new(Draw::at(0), None)));
            let ending = if nth > 0 && number % nth == 0 { ending } else { Ending::Success };
            assert_eq!(note(place, ending, now), None, "{place} at {number}");
            set.end(place);
        }
    }
    for failures in 1..500 {
        now = now + Duration::from_millis(1);
        assert!(set.begin(0, &Choice::new(Draw::at(0), None)));
        let change = note(0, Ending::Failure, now);
        set.end(0);
        if let Some(EndpointChange::Ejected(_)) = change {
            return failures;
        }
    }
    500
}

/// Errors of an application say nothing; failures of all endpoints say that one more is no reason.
#[test]
fn as_many_failures_in_a_row_as_are_no_chance() {
    assert_eq!(streak(0, Ending::Success), 5);
    assert_eq!(streak(5, Ending::Error), 5, "a fifth of all answers are 500");
    let (tenth, fifth, half) =
        (streak(10, Ending::Failure), streak(5, Ending::Failure), streak(2, Ending::Failure));
    assert!((9..=11).contains(&tenth) && (13..=15).contains(&fifth) && (30..=32).contains(&half));
}

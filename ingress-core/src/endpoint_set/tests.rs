//! What a set makes of its endpoints; how they are chosen is in `tests/balance.rs`.

use std::net::SocketAddr;

use super::*;
use crate::EndpointAddress;
use crate::balance::Draw;

fn pick(set: &EndpointSet, ticket: u64, tried: &[usize]) -> Option<usize> {
    set.choose(&Choice::new(Draw::at(ticket), None).without(tried)).ok()
}

fn set(weights: &[u32]) -> EndpointSet {
    let endpoints = weights.iter().enumerate().map(|(i, &weight)| {
        Endpoint::new(SocketAddr::from(([10, 0, 0, i as u8 + 1], 80))).with_weight(weight)
    });
    EndpointSet::new(endpoints)
}

#[test]
fn order_and_repetition_of_endpoints_do_not_matter() {
    let [a, b] = [1, 2].map(|i| Endpoint::new(SocketAddr::from(([10, 0, 0, i], 80))));
    let one = EndpointSet::new([a.clone(), b.clone()]);
    let two = EndpointSet::new([b.clone(), a.clone().with_weight(0), a.clone(), a.clone()]);
    assert_eq!(one, two);
    let three = EndpointSet::new([a.clone(), b, a.with_weight(0)]);
    assert_eq!(one, three);
}

#[test]
fn nothing_usable_is_nothing_chosen() {
    assert!(pick(&set(&[]), 0, &[]).is_none());
    assert!(pick(&set(&[0, 0]), 0, &[]).is_none());
}

#[test]
fn tried_endpoints_are_left_out_until_none_is_left() {
    let set = set(&[1000, 1, 0, 1]);
    for ticket in 0..2000 {
        let mut tried = Vec::new();
        while let Some(place) = pick(&set, ticket, &tried) {
            tried.push(place);
        }
        let mut tried: Vec<_> =
            tried.into_iter().map(|place| set.endpoints[place].address().to_string()).collect();
        tried.sort();
        assert_eq!(tried, ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.4:80"]);
    }
}

#[test]
fn terminating_endpoints_serve_where_none_is_ready() {
    use EndpointState::{NotServing, Ready, Terminating};
    let usable = |states: &[EndpointState]| -> Vec<usize> {
        let endpoint = |(i, &state): (usize, &EndpointState)| {
            Endpoint::new(SocketAddr::from(([10, 0, 0, i as u8], 80))).with_state(state)
        };
        let set = EndpointSet::new(states.iter().enumerate().map(endpoint));
        assert_eq!(set.as_slice().len() + set.unusable().len(), states.len());
        assert_eq!(pick(&set, 0, &[]).is_some(), !set.as_slice().is_empty());
        let number = |endpoint: &Endpoint| {
            let EndpointAddress::Socket(address) = endpoint.address() else { panic!("{endpoint:?}") };
            usize::from(address.ip().to_string().rsplit('.').next().unwrap().parse::<u8>().unwrap())
        };
        set.as_slice().iter().map(number).collect()
    };
    assert_eq!(usable(&[NotServing, Terminating, Ready, Ready]), [2, 3]);
    assert_eq!(usable(&[NotServing, Terminating, NotServing, Terminating]), [1, 3]);
    assert_eq!(usable(&[NotServing]), [0; 0]);
}

#[test]
fn of_one_address_the_best_state_counts() {
    let endpoint = || Endpoint::new(SocketAddr::from(([10, 0, 0, 1], 80)));
    let heavy = endpoint().with_weight(9).with_state(EndpointState::Terminating);
    let set = EndpointSet::new([heavy, endpoint()]);
    assert_eq!((set.as_slice(), set.unusable()), (&[endpoint()][..], &[][..]));
}

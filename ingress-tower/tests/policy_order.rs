//! The order of policies: of two that would end a request, the first does, and nothing behind it sees anything.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "support/ordered.rs"]
mod ordered;
mod support;

use ingress_core::{Cors, Policy, RateLimit};
use ordered::*;

const PLACES: [usize; 3] = [0, 1, 2];

/// What sets a policy, and whether in that of the route, of its backends or of the layer.
type Set = (fn(&mut Policy), usize);

fn policies(said: &[Set]) -> [Policy; 3] {
    let mut policies: [Policy; 3] = Default::default();
    said.iter().for_each(|(set, place)| set(&mut policies[*place]));
    policies
}

/// Without an end the request reaches everybody.
#[tokio::test]
async fn what_lets_a_request_pass_lets_it_reach_everybody() {
    for passing in &PASSING {
        for place in PLACES {
            if place != 0 && passing.name == "canary" {
                continue;
            }
            let world = World::new(policies(&[(passing.set, place)])).await;
            let answer = world.send().await;
            assert_eq!(answer.status(), 200, "{} in {place}", passing.name);
            let mut want = vec!["layer", "mirror", "shop"];
            match passing.name {
                "canary" => want = vec!["canary", "layer", "mirror"],
                "external yes" => want.push("yes"),
                _ => {}
            }
            assert_eq!(world.asked.take().await, want, "{} in {place}", passing.name);
        }
    }
}

#[tokio::test]
async fn each_ends_a_request_alone_wherever_it_is_said() {
    for ending in &ENDINGS {
        for place in PLACES {
            let world = World::new(policies(&[(ending.set, place)])).await;
            assert_eq!(told(&world.send().await), ending.told, "{} in {place}", ending.name);
            assert_eq!(world.asked.take().await, ending.asked, "{} in {place}", ending.name);
        }
    }
}

/// Of each two the one that stands first in POLICIES.md, wherever either is said.
#[tokio::test]
async fn of_two_the_first_answers_and_nothing_behind_it_is_asked() {
    let mut pairs = 0;
    for (number, first) in ENDINGS.iter().enumerate() {
        for second in ENDINGS[number + 1..].iter().filter(|second| second.slot != first.slot) {
            for (one, other) in PLACES.into_iter().flat_map(|one| PLACES.map(|other| (one, other))) {
                let world = World::new(policies(&[(first.set, one), (second.set, other)])).await;
                let what = format!("{} in {one}, {} in {other}", first.name, second.name);
                assert_eq!(told(&world.send().await), first.told, "{what}");
                assert_eq!(world.asked.take().await, first.asked, "{what}");
                pairs += 1;
            }
        }
    }
    assert_eq!(pairs, 152 * 9);
}

/// Whatever else is said, who is refused stays refused, and reaches no more than before.
#[tokio::test]
async fn nothing_that_is_added_lets_a_refused_request_pass() {
    let external = ENDINGS.iter().position(|ending| ending.slot == "external").unwrap();
    for (number, ending) in ENDINGS.iter().enumerate() {
        for passing in PASSING.iter().filter(|passing| passing.slot != ending.slot) {
            for (one, other) in PLACES.into_iter().flat_map(|one| PLACES.map(|other| (one, other))) {
                let world = World::new(policies(&[(ending.set, one), (passing.set, other)])).await;
                let what = format!("{} in {one}, {} in {other}", ending.name, passing.name);
                assert_eq!(told(&world.send().await), ending.told, "{what}");
                let mut want = ending.asked.to_vec();
                if passing.name == "external yes" && number > external {
                    want.push("yes");
                }
                let is_error = ending.told.starts_with(['4', '5']);
                if passing.name == "error pages" && is_error {
                    want.push("pages");
                }
                want.sort_unstable();
                assert_eq!(world.asked.take().await, want, "{what}");
            }
        }
    }
}

/// Fields that are written on answers are on those that policies give as well.
#[tokio::test]
async fn edits_and_cors_are_on_every_end() {
    let dress = |policy: &mut Policy| {
        policy.headers.response.set.push(("X-Edit".parse().unwrap(), "1".parse().unwrap()));
        policy.cors = Some(Cors::new(ORIGIN.parse().unwrap()));
    };
    for ending in &ENDINGS {
        let world = World::new(policies(&[(ending.set, 0), (dress, 0)])).await;
        let answer = world.send().await;
        assert_eq!(told(&answer), ending.told);
        assert_eq!(answer.headers()["x-edit"], "1", "{}", ending.name);
        assert_eq!(answer.headers()["access-control-allow-origin"], ORIGIN, "{}", ending.name);
    }
}

/// What scripts may do is told to all but those whom the first step refuses, and asks nobody.
#[tokio::test]
async fn preflights_are_answered_behind_access() {
    let cors: fn(&mut Policy) = |policy| policy.cors = Some(Cors::new(ORIGIN.parse().unwrap()));
    for (number, ending) in ENDINGS.iter().enumerate() {
        for (one, other) in [(0, 0), (0, 1), (1, 0), (0, 2), (2, 0)] {
            let world = World::new(policies(&[(ending.set, one), (cors, other)])).await;
            let preflight = request("OPTIONS", &[("access-control-request-method", "PUT")]);
            let answer = world.ask(preflight).await;
            // Those of the first step.
            let want = if number < 4 { ending.told } else { "200" };
            assert_eq!(told(&answer), want, "{} in {one}, {other}", ending.name);
            let origin = answer.headers().get("access-control-allow-origin");
            assert_eq!(origin.is_some(), number >= 4, "{}", ending.name);
            assert_eq!(world.asked.take().await, [""; 0], "{}", ending.name);
        }
    }
}

/// Everything at once is the first of all, and then the next, down to the endpoint.
#[tokio::test]
async fn the_whole_order_step_by_step() {
    let mut left: Vec<_> = ENDINGS.iter().filter(|ending| ending.name != "external down").collect();
    while !left.is_empty() {
        let all: Vec<_> = left.iter().map(|ending| (ending.set, 0)).collect();
        let world = World::new(policies(&all)).await;
        let first = left.remove(0);
        assert_eq!(told(&world.send().await), first.told, "{}", first.name);
        assert_eq!(world.asked.take().await, first.asked, "{}", first.name);
    }
}

/// Any number of policies, anywhere: the first that ends the request answers, or nobody does.
#[tokio::test]
async fn of_any_number_the_first_answers() {
    let external = ENDINGS.iter().position(|ending| ending.slot == "external").unwrap();
    let mut seed = 1_u64;
    let mut below = move |most: usize| {
        // Any numbers will do, as long as they are the same each time.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % most
    };
    for _ in 0..1000 {
        let few = 2 + below(8);
        let (mut slots, mut said) = (Vec::new(), Vec::new());
        let mut is_free = |slot: &'static str| {
            let is_free = !slots.contains(&slot);
            slots.push(slot);
            is_free
        };
        let mut passings = Vec::new();
        for passing in PASSING.iter().filter(|passing| passing.name != "canary") {
            if below(few) == 0 && is_free(passing.slot) {
                passings.push(passing.name);
                said.push((passing.set, below(3)));
            }
        }
        let (mut first, mut endings) = (None, Vec::new());
        for (number, ending) in ENDINGS.iter().enumerate() {
            if below(2 * few) == 0 && is_free(ending.slot) {
                first = first.or(Some((number, ending)));
                endings.push(ending.name);
                said.push((ending.set, below(3)));
            }
        }
        let world = World::new(policies(&said)).await;
        let answer = world.send().await;
        let (number, want, asked) = match first {
            Some((number, ending)) => (number, ending.told, ending.asked),
            None => (ENDINGS.len(), "200", &["layer", "mirror", "shop"][..]),
        };
        assert_eq!(told(&answer), want, "{endings:?} {passings:?}");
        let mut asked = asked.to_vec();
        if passings.contains(&"external yes") && number > external {
            asked.push("yes");
        }
        if passings.contains(&"error pages") && want.starts_with(['4', '5']) {
            asked.push("pages");
        }
        asked.sort_unstable();
        assert_eq!(world.asked.take().await, asked, "{endings:?} {passings:?}");
        let is_edited = passings.contains(&"headers");
        assert_eq!(answer.headers().contains_key("x-edit"), is_edited, "{endings:?} {passings:?}");
        let is_open = passings.contains(&"cors");
        assert_eq!(answer.headers().contains_key("access-control-allow-origin"), is_open, "{endings:?}");
    }
}

/// What is left of a rate is told on every end behind it, and on none before it.
#[tokio::test]
async fn what_is_left_of_a_rate_is_told_on_every_end_behind_it() {
    let generous: fn(&mut Policy) = |policy| {
        policy.client_limits.name = Some("shop".into());
        policy.client_limits.rate = "1000/s".parse().ok().map(RateLimit::UpTo);
    };
    let at_home: Ending = Ending {
        name: "redirect loop",
        slot: "redirect",
        told: "500 redirect_loop",
        asked: &[],
        set: |policy| policy.redirect.host = "{host}".parse().ok(),
    };
    let rate = ENDINGS.iter().position(|ending| ending.slot == "rate").unwrap();
    let all = ENDINGS.iter().chain([&at_home]).enumerate().filter(|(_, ending)| ending.slot != "rate");
    for (number, ending) in all {
        let world = World::new(policies(&[(ending.set, 0), (generous, 1)])).await;
        let answer = world.send().await;
        assert_eq!(told(&answer), ending.told, "{}", ending.name);
        for field in ["ratelimit", "ratelimit-policy"] {
            let count = answer.headers().get_all(field).iter().count();
            assert_eq!(count, usize::from(number > rate), "{} {field}", ending.name);
        }
    }
}

use std::net::SocketAddr;
use std::sync::Arc;

use ingress_core::{
    BackendRef, Choice, Draw, Endpoint, EndpointState, Hints, Locality, Moment, PathMatch, Policy,
    RouteTable, Rule,
};
use serde_json::{Value, json};

use super::*;

const BACKEND: &str = "default/web:80";

/// A table in which some endpoints are for another zone, some have other weights, one has a name and one does not serve.
fn table() -> RouteTable {
    let backend: BackendRef = BACKEND.parse().unwrap();
    let mut rules = RouteTable::builder();
    rules.locality(Locality::new(Some("a".into()), None));
    rules.rule(Rule::new("web.example".parse().unwrap(), PathMatch::prefix("/").unwrap(), backend.clone()));
    let zone = |zone: &str| Arc::new(Hints::new(vec![zone.into()], Vec::new()));
    let endpoint = |host: u8| {
        Endpoint::new(SocketAddr::from(([10, 0, 0, host], 80)))
            .with_weight(u32::from(host))
            .with_hints(zone(if host.is_multiple_of(2) { "a" } else { "b" }))
    };
    let named = Endpoint::named("web.internal".parse().unwrap(), 8080).with_hints(zone("a"));
    let gone = endpoint(9).with_state(EndpointState::NotServing);
    let six = Endpoint::new("[2001:db8::1]:80".parse().unwrap()).with_hints(zone("a"));
    rules.endpoints(backend, (1..7).map(endpoint).chain([named, gone, six]));
    rules.build().0
}

fn saved(table: &RouteTable) -> Saved {
    Saved::parse(&serde_json::to_vec_pretty(&table.dump()).unwrap()).unwrap()
}

/// A line of the access log for each of these draws.
fn lines(table: &RouteTable, algorithm: &Algorithm, draws: u64) -> Vec<Value> {
    let mut policy = Policy::default();
    policy.load_balance = Some(algorithm.clone());
    let set = table.backends().next().unwrap().endpoints();
    let line = |number: u64| {
        let draw = Draw::new(number, number.wrapping_mul(0x9e37_79b9_7f4a_7c15), Moment::START);
        // Each of these was tried before, so that all endpoints come.
        let tried: Vec<_> = (0..number as usize % 8).collect();
        let choice = Choice::new(draw.with_key((!number.is_multiple_of(3)).then_some(number)), Some(&policy))
            .without(&tried);
        let place = set.choose(&choice).unwrap();
        json!({
            "generation": table.generation(), "backend": BACKEND, "algorithm": algorithm.name(), "status": 200,
            "endpoint": set.get(place).unwrap().authority().as_str(),
            "choice": set.record(&choice, place).to_string(),
        })
    };
    (0..draws).map(line).collect()
}

fn replayed(saved: &Saved, log: &str) -> (Result<Count, String>, String) {
    let mut told = String::new();
    let count = replay_log(saved, "access.log", log.as_bytes(), &mut told);
    let count = count.map_err(|failure| match failure {
        Failure::Usage(message) | Failure::System(message) => message,
    });
    (count, told)
}

fn text(lines: &[Value]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_saved_table_is_the_table() {
    let table = table();
    let (saved, set) = (saved(&table), table.backends().next().unwrap().endpoints());
    let again = saved.endpoints(BACKEND).unwrap();
    let names = |set: &ingress_core::EndpointSet| -> [Vec<String>; 3] {
        [set.as_slice(), set.elsewhere(), set.unusable()]
            .map(|part| part.iter().map(|endpoint| endpoint.authority().to_string()).collect())
    };
    assert_eq!(names(again), names(set));
    assert_eq!(names(set).map(|part| part.len()), [5, 3, 1]);
}

#[test]
fn every_line_is_repeated() {
    let table = table();
    let saved = saved(&table);
    for algorithm in &Algorithm::ALL {
        let (count, told) = replayed(&saved, &text(&lines(&table, algorithm, 100)));
        let count = count.unwrap();
        assert_eq!((count.same, count.different), (100, 0), "{told}");
        assert_eq!(told.lines().filter(|line| line.ends_with(", as logged")).count(), 100);
        assert_eq!(count.text(0), "100 choices in generation 0: 100 as logged\n");
    }
}

#[test]
fn lines_are_told_apart() {
    let table = table();
    let saved = saved(&table);
    let mut log = lines(&table, &Algorithm::RoundRobin, 5);
    log[1]["endpoint"] = json!("10.0.0.99:80");
    log[2]["generation"] = json!(7);
    log[2]["backend"] = json!("default/unknown:80");
    log[3]["algorithm"] = json!("least-request");
    log.push(json!({ "status": 404, "reason": "no_route" }));
    let (count, told) = replayed(&saved, &format!("\n{}", text(&log)));
    assert_eq!(
        count.unwrap().text(0),
        "4 choices in generation 0: 2 as logged, 2 not; 1 of other generations; 1 without a choice\n"
    );
    let told: Vec<_> = told.lines().collect();
    assert!(told[0].starts_with("2: default/web:80 round-robin t0: "), "{told:?}");
    assert!(told[1].starts_with("3: ") && told[1].ends_with(", but 10.0.0.99:80 was logged"), "{told:?}");
    let logged = log[3]["endpoint"].as_str().unwrap();
    assert!(told[2].ends_with(&format!("no endpoint, but {logged} was logged")), "{told:?}");
}

#[test]
fn what_cannot_be_used_is_named_with_its_line() {
    let table = table();
    let saved = saved(&table);
    let good = lines(&table, &Algorithm::Random, 1).remove(0);
    let with = |field: &str, value: Value| {
        let mut line = good.clone();
        line[field] = value;
        line.to_string()
    };
    for (line, want) in [
        ("serving".to_owned(), "this is no line of the access log: "),
        ("[1]".to_owned(), "this is no line of the access log: "),
        (with("backend", json!("default/other:80")), "the table has no backend \"default/other:80\""),
        (with("algorithm", json!("fastest")), "\"fastest\" is no algorithm of the gateway"),
        (with("choice", json!("x1")), "\"x1\": a choice is written as in t2a"),
        (
            with("endpoint", json!(null)),
            "there is a choice without generation, backend, endpoint or algorithm",
        ),
    ] {
        let (count, told) = replayed(&saved, &format!("{good}\n{line}\n{good}\n"));
        let message = count.unwrap_err();
        assert!(message.starts_with(&format!("access.log:2: {want}")), "{message}");
        assert_eq!(told.lines().count(), 1, "what comes before it is told: {told}");
    }
    let mut told = String::new();
    assert!(replay_log(&saved, "access.log", &b"\xff\n"[..], &mut told).is_err());
}

#[test]
fn dumps_that_are_none() {
    let dump = serde_json::to_value(table().dump()).unwrap();
    let with = |change: fn(&mut Value)| {
        let mut dump = dump.clone();
        change(&mut dump);
        Saved::parse(dump.to_string().as_bytes()).unwrap_err()
    };
    let swap = |dump: &mut Value| dump["backends"][0]["endpoints"].as_array_mut().unwrap().swap(0, 1);
    let far = |dump: &mut Value| dump["backends"][0]["endpoints"][8]["elsewhere"] = json!(true);
    let twice = |dump: &mut Value| {
        let backends = dump["backends"].as_array_mut().unwrap();
        backends.push(backends[0].clone());
    };
    let name = |dump: &mut Value| dump["backends"][0]["endpoints"][0]["address"] = json!("web.example");
    for (error, want) in [
        (with(swap), "backend default/web:80: the endpoints are not in the order of a table"),
        (with(far), "backend default/web:80: the endpoints are not in the order of a table"),
        (with(twice), "backend default/web:80 stands there twice"),
        (with(name), "backend default/web:80: \"web.example\" is no address"),
        (with(|dump| dump["generation"] = json!("7")), "this is not what /config_dump writes: "),
        (Saved::parse(b"").unwrap_err(), "this is not what /config_dump writes: "),
    ] {
        assert!(error.starts_with(want), "{error}");
    }
}

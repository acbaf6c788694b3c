//! Readers beside a writer: what one reads is of one generation, and generations only go up.
//!
//! `cargo +nightly miri test -p ingress-core --test stress` looks for what no assertion sees.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use ingress_core::{
    BackendRef, Choice, Draw, Endpoint, EndpointAddress, HostMatch, PathMatch, PortRef, RequestHead,
    RequestHost, RequestPath, RouteTable, Rule, TableEditor, Turn,
};

/// Hosts, and as many backends: so few that each is set by itself, and so many that all are laid out anew.
const SIZES: &[u64] = if cfg!(miri) { &[3] } else { &[24, 120] };
const READERS: u64 = if cfg!(miri) { 2 } else { 3 };
const GENERATIONS: u64 = if cfg!(miri) { 5 } else { 1_000 };

fn host(number: u64) -> String {
    format!("host-{number}.example")
}

/// In each generation every host points at another backend.
fn backend(hosts: u64, host: u64, generation: u64) -> BackendRef {
    BackendRef::service("stress", format!("backend-{}", (host + generation) % hosts), PortRef::Number(80))
}

/// And every backend has another endpoint.
fn address(generation: u64) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 1 + (generation % 60_000) as u16))
}

fn change(editor: &mut TableEditor, hosts: u64, generation: u64) -> RouteTable {
    for number in 0..hosts {
        let host: HostMatch = host(number).parse().unwrap();
        let rule =
            Rule::new(host.clone(), PathMatch::prefix("/").unwrap(), backend(hosts, number, generation));
        editor.set_host(host, vec![rule]);
        let backend = backend(hosts, number, generation);
        editor.set_endpoints(backend, vec![Endpoint::new(address(generation))]);
    }
    editor.build().0
}

/// Looks one host up, and checks that all it leads to is of the table's generation.
fn check(table: &RouteTable, hosts: u64, number: u64) {
    let (generation, text) = (table.generation(), host(number));
    let (host, path) = (RequestHost::parse(&text).unwrap(), RequestPath::parse("/cart").unwrap());
    let found = table.lookup(&RequestHead::new(&host, &path)).unwrap().unwrap();
    let found = found.backend(|_| Turn::Ticket(0)).unwrap();
    assert_eq!(*found.reference(), backend(hosts, number, generation));
    let place = found.endpoints().choose(&Choice::new(Draw::at(generation), None)).unwrap();
    let endpoint = found.endpoints().get(place).unwrap();
    assert_eq!(*endpoint.address(), EndpointAddress::Socket(address(generation)));
}

#[test]
fn nobody_sees_half_a_change() {
    SIZES.iter().copied().for_each(stress);
}

fn stress(hosts: u64) {
    let mut editor = TableEditor::new();
    let (reader, mut writer) = ingress_core::table(change(&mut editor, hosts, 0));
    let first = Arc::downgrade(&reader.snapshot());
    let looked = AtomicU64::new(0);
    thread::scope(|scope| {
        for number in 0..READERS {
            let (reader, looked) = (reader.clone(), &looked);
            scope.spawn(move || {
                let (mut seen, mut turn) = (0, number);
                while seen < GENERATIONS {
                    turn += 1;
                    let generation = reader.with(|table| {
                        check(table, hosts, turn % hosts);
                        table.generation()
                    });
                    assert!(generation >= seen);
                    seen = generation;
                    looked.fetch_add(1, Ordering::Relaxed);
                    if turn % 1024 == 0 {
                        check(&reader.snapshot(), hosts, turn % hosts);
                    }
                }
            });
        }
        for generation in 1..=GENERATIONS {
            assert_eq!(writer.publish(change(&mut editor, hosts, generation)), generation);
        }
    });
    // The readers have ended; the next table lets the writer free what they held.
    writer.publish(change(&mut editor, hosts, GENERATIONS + 1));
    assert!(first.upgrade().is_none());
    println!("{} lookups beside {GENERATIONS} generations", looked.into_inner());
}

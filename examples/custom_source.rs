//! Rules from anywhere: here from lines on standard input, without a trace of Kubernetes.
//!
//! A line is `HOST PATH ADDRESS...`, and an empty line publishes all lines so far as the next table:
//!
//! ```text
//! shop.example /     127.0.0.1:9000 127.0.0.1:9001
//! shop.example /api  127.0.0.1:9002
//! ```

use std::io::BufRead;
use std::net::SocketAddr;

use ingress_core::{BackendRef, Endpoint, PathMatch, RouteTable, RouteTableBuilder, Rule, TableWriter};
use ingress_tower::IngressService;
use ingress_tower::server::Server;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listen = std::env::args().nth(1).unwrap_or("127.0.0.1:8080".into());
    let (reader, writer) = ingress_core::table(RouteTable::default());
    std::thread::spawn(move || follow_stdin(writer));

    let listener = tokio::net::TcpListener::bind(listen).await?;
    println!("listening on {}", listener.local_addr()?);
    Server::new().serve(listener, IngressService::new(reader), std::future::pending()).await;
    Ok(())
}

fn follow_stdin(mut writer: TableWriter) {
    let mut lines: Vec<String> = Vec::new();
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        if !line.trim().is_empty() {
            lines.push(line);
            continue;
        }
        let mut rules = RouteTable::builder();
        for (number, line) in lines.iter().enumerate() {
            // A faulty line costs itself; the others are served.
            if let Err(error) = add(&mut rules, number, line) {
                println!("line {}: {error}", number + 1);
            }
        }
        let (table, diagnostics) = rules.build();
        diagnostics.iter().for_each(|diagnostic| println!("{diagnostic}"));
        println!("generation {}", writer.publish(table));
    }
}

fn add(rules: &mut RouteTableBuilder, number: usize, line: &str) -> Result<(), Box<dyn std::error::Error>> {
    let mut words = line.split_whitespace();
    let host = words.next().ok_or("no host")?.parse()?;
    let path = PathMatch::prefix(words.next().ok_or("no path")?)?;
    let addresses: Vec<SocketAddr> = words.map(str::parse).collect::<Result<_, _>>()?;
    let backend: BackendRef = format!("lines/number-{number}:80").parse()?;
    rules.rule(Rule::new(host, path, backend.clone()));
    rules.endpoints(backend, addresses.into_iter().map(Endpoint::new));
    Ok(())
}

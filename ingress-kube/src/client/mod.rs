//! A Kubernetes cluster as the source of objects.
//!
//! [`Cluster::run`] lists and watches what a table is made of, gives it to an
//! [`IngressController`](crate::IngressController), and publishes one table after another. It is the same translation as that
//! of manifests, and the same table.
//!
//! ```no_run
//! use ingress_core::{RouteTable, table};
//! use ingress_kube::client::{Cluster, ClusterEvent};
//! use ingress_kube::{Config, IngressController};
//!
//! # async fn example() -> Result<(), kube::Error> {
//! let (reader, writer) = table(RouteTable::default());
//! // Give the reader to an `IngressLayer`.
//! let cluster = Cluster::new(kube::Client::try_default().await?);
//! let controller = IngressController::new(Config::default(), writer);
//! cluster.run(controller, |event: ClusterEvent<'_>| println!("{event}"), std::future::pending()).await;
//! # Ok(())
//! # }
//! ```
//!
//! | what happens | what is served |
//! |---|---|
//! | the start | nothing, until everything was listed once: a table is never half of the cluster |
//! | one change | the new table, at once; what follows within 50 ms is one table together |
//! | the API server is away, frozen, or refuses | the last table, for as long as it takes |
//! | a watch has to begin anew | the last table, until the new list is complete |
//! | an object that cannot be read, but its metadata can | everything else, and a finding |
//!
//! Of Secrets only the metadata is watched. What is in those that an Ingress or a Service names is fetched, and no other
//! Secret's content reaches this process.

mod cluster;
mod elected;
mod events;
mod feed;
mod follow;
mod guard;
mod health;
mod leader;
mod learn;
mod secrets;
mod status;
mod watched;
mod wire;

pub use cluster::{Cluster, ClusterEvent, Namespaces, Publish};
pub use health::{Health, HealthState, WatchState};
pub use leader::Election;
pub use status::Address;
pub use watched::Watched;

/// By what name Events are written.
const REPORTER: &str = "ingress-gateway";

//! A test double of kube-apiserver for the kinds that a gateway reads and writes.
//!
//! It speaks plain HTTP/1.1 on a free port of the loopback and answers as kube-apiserver 1.36 was seen to
//! answer: list, watch, server-side apply, the status subresource and Leases. Objects are
//! [`serde_json::Value`]s; a test changes them with [`ApiServer::apply`] and [`ApiServer::delete`], hurts its
//! clients with a [`Fault`], [`ApiServer::restart`], [`ApiServer::down`] or [`ApiServer::freeze`], and reads
//! in [`ApiServer::requests`] what they asked.
//!
//! What is not checked: the schema of objects (only what tests rely on is defaulted), whether a namespace
//! exists, and who asks.

mod access;
mod answer;
mod call;
mod damage;
mod discovery;
mod dispatch;
mod failure;
mod fault;
mod fields;
mod form;
mod kind;
mod list;
mod record;
mod selector;
mod server;
mod socket;
mod state;
mod store;
mod watch;

pub use access::Allowed;
pub use fault::{Fault, FaultAction, FaultId};
pub use record::Recorded;
pub use server::ApiServer;

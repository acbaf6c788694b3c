//! A table of backends whose endpoints are asked whether they are well.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test uses what it needs")]

use std::sync::Arc;
use std::time::Duration;

use ingress_core::{
    BackendRef, Endpoint, HealthCheck, PathMatch, Policy, RouteTable, Rule, TableEditor, TableReader,
    TableWriter,
};
use ingress_tower::HealthChecker;
use tokio::task::JoinHandle;

use crate::support::{HOST, within};

/// A table in which each backend has the path of its name.
pub struct Checked {
    pub reader: TableReader,
    editor: TableEditor,
    writer: TableWriter,
}

/// A policy with a check that is often repeated, and whose first failure and first success count.
pub fn policy(set: impl FnOnce(&mut HealthCheck)) -> Policy {
    let mut policy = Policy::default();
    let check = &mut policy.health_check;
    (check.interval, check.timeout) = (Some(Duration::from_millis(20)), Some(Duration::from_secs(5)));
    (check.failures, check.successes) = (Some(1), Some(1));
    set(check);
    policy
}

fn backend(name: &str) -> BackendRef {
    format!("default/{name}:80").parse().unwrap()
}

impl Checked {
    pub fn new(backends: &[&str]) -> Self {
        let mut rules = RouteTable::builder();
        for name in backends {
            let path = PathMatch::prefix(&format!("/{name}")).unwrap();
            rules.rule(Rule::new(HOST.parse().unwrap(), path, backend(name)));
        }
        let mut editor = rules.into_editor();
        let (reader, writer) = ingress_core::table(editor.build().0);
        Self { reader, editor, writer }
    }

    /// Changes the table at once.
    pub fn set(
        &mut self,
        name: &str,
        endpoints: impl IntoIterator<Item = Endpoint>,
        policy: impl Into<Option<Policy>>,
    ) {
        self.editor.set_endpoints(backend(name), endpoints.into_iter().collect());
        self.editor.set_backend_policy(backend(name), policy.into().map(Arc::new));
        self.writer.publish(self.editor.build().0);
    }

    pub fn check(&self) -> JoinHandle<()> {
        tokio::spawn(HealthChecker::new(self.reader.clone()).run())
    }

    /// The endpoints that health checks have left out, as `backend address`.
    pub fn unhealthy(&self) -> Vec<String> {
        let table = self.reader.snapshot();
        let of = |backend: &Arc<ingress_core::Backend>| {
            let BackendRef::Service(service) = backend.reference() else { unreachable!() };
            let set = backend.endpoints();
            let out = set.all().enumerate().filter(|(place, _)| set.vitals(*place).unwrap().is_unhealthy());
            out.map(|(_, endpoint)| format!("{} {}", service.name, endpoint.address())).collect::<Vec<_>>()
        };
        table.backends().flat_map(of).collect()
    }

    /// Waits until exactly these are left out.
    pub async fn until_unhealthy(&self, want: &[String]) {
        until(&format!("{want:?}"), || self.unhealthy() == want).await;
    }
}

/// Waits until something is so.
pub async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let poll = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    within(what, poll).await;
}

//! The server as a test sees it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpSocket;
use tokio::task::JoinHandle;

use crate::access::Allowed;
use crate::fault::{Fault, FaultId};
use crate::kind::Kind;
use crate::record::Recorded;
use crate::socket;
use crate::state::{Shared, State};
use crate::store::{Key, Part, Write};

/// The manager of the fields that [`ApiServer::apply`] sets.
const KUBECTL: &str = "kubectl-client-side-apply";
/// The manager of what [`ApiServer::apply_status`] sets.
const CONTROLLER: &str = "kube-controller-manager";

/// A test double of kube-apiserver on a port of 127.0.0.1. It stops when dropped.
///
/// Kinds are named as objects name them: Ingress, IngressClass, Service, EndpointSlice, Secret, ConfigMap,
/// Namespace, Lease and Event (`events.k8s.io/v1`). Another kind, or an object that a server would refuse, is a
/// mistake of the test, and panics.
#[derive(Debug)]
pub struct ApiServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Mutex<Option<JoinHandle<()>>>,
    /// Keeps the port.
    _reserved: TcpSocket,
}

// ===== the server =====

impl ApiServer {
    /// Starts an empty server on a free port.
    ///
    /// # Panics
    ///
    /// Without a tokio runtime, and when there is no port.
    pub async fn start() -> Self {
        let (reserved, address) = socket::reserve().expect("the loopback has a free port");
        let shared = Arc::new(Shared::new());
        let server = Self { address, shared, accepting: Mutex::new(None), _reserved: reserved };
        server.up().await;
        server
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Closes all connections, and nothing else.
    pub fn disconnect(&self) {
        self.shared.switch.close_all();
    }

    /// Closes all connections and forgets the past, as a server does that is started again: whoever resumes a
    /// watch gets 410, unless it has seen the last version.
    pub fn restart(&self) {
        self.compact();
        self.disconnect();
    }

    /// Refuses connections and closes those that there are. Objects stay and can be changed.
    pub async fn down(&self) {
        let accepting = self.accepting().take();
        if let Some(task) = accepting {
            task.abort();
            task.await.ok();
        }
        self.disconnect();
    }

    /// Listens again, on the same port.
    ///
    /// # Panics
    ///
    /// When somebody else listens there.
    pub async fn up(&self) {
        let mut accepting = self.accepting();
        if accepting.is_none() {
            let listener = socket::listen(self.address).expect("the port is reserved");
            *accepting = Some(tokio::spawn(socket::accept(listener, self.shared.clone())));
        }
    }

    /// Reads and writes nothing more, on no connection, as a server that got SIGSTOP: it can still be connected
    /// to.
    pub fn freeze(&self) {
        self.shared.switch.freeze(true);
    }

    /// Goes on with all that waits.
    pub fn unfreeze(&self) {
        self.shared.switch.freeze(false);
    }

    fn accepting(&self) -> std::sync::MutexGuard<'_, Option<JoinHandle<()>>> {
        self.accepting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        if let Some(task) = self.accepting().take() {
            task.abort();
        }
        self.disconnect();
    }
}

// ===== objects =====

impl ApiServer {
    /// Does what `kubectl apply` does, but for the merge: creates the object, or replaces all of it but status,
    /// uid and creation time. Returns what is stored. If nothing changes, nobody is told.
    ///
    /// An object of a kind that has namespaces and names none is in `default`. Other than with kubectl a
    /// `metadata.creationTimestamp` counts at creation, so that ages can be tested. `status`, where that is a
    /// subresource, is ignored.
    pub fn apply(&self, object: Value) -> Value {
        self.shared.change(|state| apply(state, object))
    }

    /// [Applies](Self::apply) many objects; no request is answered in between.
    pub fn apply_all(&self, objects: impl IntoIterator<Item = Value>) {
        self.shared.change(|state| {
            for object in objects {
                apply(state, object);
            }
        });
    }

    /// Writes the status of an object as its controller does; all else in it but its names is ignored. `None`
    /// if there is no such object.
    pub fn apply_status(&self, object: Value) -> Option<Value> {
        let (kind, key) = identify(&object);
        assert!(kind.status, "{} has no status", kind.name);
        let status = serde_json::json!({"metadata": {"name": key.1}, "status": object["status"]});
        let write = Write { kind, key, part: Part::Status, manager: CONTROLLER };
        self.shared.change(|state| state.store.update(write, status)).ok().map(|object| (*object).clone())
    }

    /// Deletes an object; whether there was one. The namespace of a kind that has none is ignored.
    pub fn delete(&self, kind: &str, namespace: &str, name: &str) -> bool {
        let (kind, key) = key(kind, namespace, name);
        self.shared.change(|state| state.store.remove(kind, &key)).is_some()
    }

    /// An object as it is stored.
    pub fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<Value> {
        let (kind, key) = key(kind, namespace, name);
        self.shared.lock().store.get(kind, &key).map(|object| (**object).clone())
    }

    /// All objects of a kind, by namespace and name.
    pub fn list(&self, kind: &str) -> Vec<Value> {
        let (kind, _) = key(kind, "", "");
        self.shared.lock().store.objects(kind).map(|(_, object)| (**object).clone()).collect()
    }

    /// The version of the last change, of whatever kind.
    pub fn version(&self) -> u64 {
        self.shared.lock().store.version()
    }

    /// Forgets the past: a watch or a page that is asked for from before the present version gets 410. Open
    /// watches still get all their events, unless a fault keeps them back.
    pub fn compact(&self) {
        self.shared.change(State::compact);
    }

    /// Sends a bookmark with the present version, after the events up to it, to every open watch that allows
    /// bookmarks.
    pub fn bookmark(&self) {
        self.shared.change(|state| state.store.bookmark());
    }
}

// ===== faults and requests =====

impl ApiServer {
    /// Sets a fault, after those that there are.
    pub fn fault(&self, fault: Fault) -> FaultId {
        self.shared.change(|state| state.faults.add(fault))
    }

    /// Takes one fault away.
    pub fn clear_fault(&self, id: FaultId) {
        self.shared.change(|state| state.faults.remove(id));
    }

    /// Takes all faults away.
    pub fn clear_faults(&self) {
        self.shared.change(|state| state.faults.clear());
    }

    /// Forbids everything but this from now on; open watches go on.
    pub fn allow_only(&self, rules: Vec<Allowed>) {
        self.shared.change(|state| state.rules = Some(rules));
    }

    /// Allows everything again.
    pub fn allow_all(&self) {
        self.shared.change(|state| state.rules = None);
    }

    /// All requests since the start, or since they were cleared, as they came.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.lock().records.list().to_vec()
    }

    /// Forgets the requests.
    pub fn clear_requests(&self) {
        self.shared.lock().records.clear();
    }

    /// Waits until the requests are as wanted, and returns them.
    ///
    /// A watch with a status is open: it gets every event and every bookmark from then on.
    ///
    /// # Errors
    ///
    /// The requests that came instead, when the time is over.
    pub async fn wait_for_requests(
        &self,
        limit: Duration,
        mut wanted: impl FnMut(&[Recorded]) -> bool,
    ) -> Result<Vec<Recorded>, Vec<Recorded>> {
        let mut recorded = self.shared.recorded.subscribe();
        let waiting = async {
            loop {
                recorded.borrow_and_update();
                let requests = self.requests();
                if wanted(&requests) {
                    return requests;
                }
                // The sender is part of the server, which is borrowed.
                recorded.changed().await.ok();
            }
        };
        tokio::time::timeout(limit, waiting).await.map_err(|_| self.requests())
    }
}

// ===== helpers =====

fn apply(state: &mut State, object: Value) -> Value {
    let (kind, key) = identify(&object);
    let write = Write { kind, key, part: Part::Main, manager: KUBECTL };
    match state.store.create_or_replace(write, object) {
        Ok(object) => (*object).clone(),
        Err(failure) => panic!("{}", failure.message),
    }
}

fn identify(object: &Value) -> (&'static Kind, Key) {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    assert!(!name.is_empty(), "an object without a name: {object}");
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or("default");
    key(object["kind"].as_str().unwrap_or_default(), namespace, name)
}

fn key(kind: &str, namespace: &str, name: &str) -> (&'static Kind, Key) {
    let Some(kind) = Kind::named(kind) else { panic!("there is no kind {kind:?}") };
    let namespace = if kind.namespaced { namespace } else { "" };
    (kind, (namespace.to_owned(), name.to_owned()))
}

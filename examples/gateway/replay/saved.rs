//! A table that `/config_dump` wrote, as far as endpoints are chosen by it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use ingress_core::{Endpoint, EndpointSet, EndpointState, Hints, HostName, Locality};
use serde::Deserialize;

/// The endpoints of each backend.
#[derive(Debug)]
pub(super) struct Saved {
    generation: u64,
    backends: HashMap<String, EndpointSet>,
}

#[derive(Debug, Deserialize)]
struct Dump {
    generation: u64,
    backends: Vec<BackendDump>,
}

#[derive(Debug, Deserialize)]
struct BackendDump {
    backend: String,
    endpoints: Vec<EndpointDump>,
}

#[derive(Debug, Deserialize)]
struct EndpointDump {
    address: String,
    weight: u32,
    state: StateDump,
    #[serde(default)]
    elsewhere: bool,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StateDump {
    Ready,
    Terminating,
    NotServing,
}

impl Saved {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// Why it cannot be used, in one line that names it.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let failed = |why: String| format!("--dump {}: {why}", path.display());
        let text =
            std::fs::read(path).map_err(|error| failed(format!("the file cannot be read: {error}")))?;
        Self::parse(&text).map_err(failed)
    }

    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let dump: Dump = serde_json::from_slice(text)
            .map_err(|error| format!("this is not what /config_dump writes: {error}"))?;
        let mut backends = HashMap::new();
        for BackendDump { backend, endpoints } in dump.backends {
            let set = endpoint_set(&endpoints).map_err(|error| format!("backend {backend}: {error}"))?;
            if backends.insert(backend.clone(), set).is_some() {
                return Err(format!("backend {backend} stands there twice"));
            }
        }
        Ok(Self { generation: dump.generation, backends })
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// The endpoints of a backend.
    pub(super) fn endpoints(&self, backend: &str) -> Option<&EndpointSet> {
        self.backends.get(backend)
    }
}

/// The set as it was: who was meant for another place is so again.
fn endpoint_set(dumped: &[EndpointDump]) -> Result<EndpointSet, String> {
    let [here, elsewhere] = ["here", "elsewhere"].map(Arc::<str>::from);
    let endpoint = |dump: &EndpointDump| {
        let zone = if dump.elsewhere { &elsewhere } else { &here };
        let endpoint = endpoint(&dump.address).ok_or_else(|| format!("{:?} is no address", dump.address))?;
        let hints = Arc::new(Hints::new(vec![zone.clone()], Vec::new()));
        Ok(endpoint.with_weight(dump.weight).with_state(dump.state.into()).with_hints(hints))
    };
    let endpoints = dumped.iter().map(endpoint).collect::<Result<_, String>>()?;
    let place = Locality::new(Some(here.clone()), None);
    let set = EndpointSet::after(&EndpointSet::new([]), endpoints, &place);
    // Places count from the first endpoint, so that the order must be the one of the dump.
    let is_same =
        set.all().map(|endpoint| endpoint.authority().as_str()).eq(dumped.iter().map(|dump| &*dump.address));
    let far = dumped.iter().filter(|dump| dump.elsewhere).count();
    if !is_same || set.elsewhere().len() != far {
        return Err("the endpoints are not in the order of a table".into());
    }
    Ok(set)
}

fn endpoint(address: &str) -> Option<Endpoint> {
    if let Ok(socket) = address.parse::<SocketAddr>() {
        return Some(Endpoint::new(socket));
    }
    let (name, port) = address.rsplit_once(':')?;
    Some(Endpoint::named(name.parse::<HostName>().ok()?, port.parse().ok()?))
}

impl From<StateDump> for EndpointState {
    fn from(state: StateDump) -> Self {
        match state {
            StateDump::Ready => Self::Ready,
            StateDump::Terminating => Self::Terminating,
            StateDump::NotServing => Self::NotServing,
        }
    }
}

//! Names for endpoints that clients may hold without learning an address.

use std::hash::Hasher;
use std::sync::OnceLock;

use siphasher::sip::SipHasher24;
use siphasher::sip128::SipHasher13;

use crate::{BackendRef, EndpointSet};

/// What the ids of a gateway are made with. Gateways with the same key know each other's ids; without it nobody can make
/// one, or learn an address from it.
pub type EndpointIdKey = [u8; 16];

/// The key that a secret of any length makes.
pub fn endpoint_id_key(secret: &[u8]) -> EndpointIdKey {
    SipHasher13::new().hash(secret).as_bytes()
}

/// A name for an endpoint of a backend, the same in every table that has both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EndpointId(pub u64);

/// The ids of a set, in order, each with its endpoint's place; made when one is first asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct EndpointIds(OnceLock<Made>);

#[derive(Clone, Debug)]
struct Made {
    key: EndpointIdKey,
    ids: Box<[(EndpointId, u32)]>,
}

impl EndpointId {
    /// The id of an address of a backend: its SipHash-2-4 under the key.
    pub(crate) fn of(key: &EndpointIdKey, backend: &BackendRef, authority: &str) -> Self {
        let mut hasher = SipHasher24::new_with_key(key);
        hasher.write(backend.to_string().as_bytes());
        hasher.write_u8(b' ');
        hasher.write(authority.as_bytes());
        Self(hasher.finish())
    }
}

impl EndpointIds {
    pub(crate) fn find(
        &self,
        key: &EndpointIdKey,
        backend: &BackendRef,
        set: &EndpointSet,
        id: EndpointId,
    ) -> Option<usize> {
        let made = self.0.get_or_init(|| {
            let of = |(at, authority)| (EndpointId::of(key, backend, authority), at);
            let mut ids: Vec<_> =
                (0..).zip(set.all().map(|endpoint| endpoint.authority().as_str())).map(of).collect();
            ids.sort_unstable();
            Made { key: *key, ids: ids.into() }
        });
        if made.key != *key {
            // A table that is served under two keys: rare, and as right.
            let mut all = set.all();
            return all
                .position(|endpoint| EndpointId::of(key, backend, endpoint.authority().as_str()) == id);
        }
        let found = made.ids.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(made.ids[found].1 as usize)
    }
}

//! How many connections are open: of all clients, and of each.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The connections of a server and of its clones.
#[derive(Debug, Default)]
pub(super) struct Connections {
    open: AtomicUsize,
    refused: AtomicU64,
    by_client: Mutex<HashMap<IpAddr, usize>>,
}

/// One connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    connections: Arc<Connections>,
    client: Option<IpAddr>,
}

impl Connections {
    /// A place for a connection, unless all are taken. Whose it is has to be said then.
    pub(super) fn enter(self: &Arc<Self>, max: usize) -> Option<Place> {
        let place = Place { connections: self.clone(), client: None };
        if self.open.fetch_add(1, Ordering::Relaxed) >= max {
            self.refuse();
            return None;
        }
        Some(place)
    }

    fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    fn add(&self, client: IpAddr, max: usize) -> bool {
        let mut by_client = self.by_client.lock().unwrap_or_else(PoisonError::into_inner);
        let count = by_client.entry(client).or_default();
        let room = *count < max;
        *count += usize::from(room);
        if *count == 0 {
            by_client.remove(&client);
        }
        room
    }
}

impl Place {
    /// Takes one of the client's own places, unless these are taken.
    pub(super) fn of(&mut self, client: IpAddr, max_per_client: usize) -> bool {
        let client = network(client);
        let room = self.connections.add(client, max_per_client);
        if room {
            self.client = Some(client);
        } else {
            self.connections.refuse();
        }
        room
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.open.fetch_sub(1, Ordering::Relaxed);
        let Some(client) = self.client else { return };
        let mut by_client = self.connections.by_client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut count) = by_client.entry(client) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// Whoever has one address of IPv6 has the 64 bits behind it, too.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) >> 64 << 64).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_given_back() {
        let connections = Arc::<Connections>::default();
        let enter = |client: &str| {
            connections.enter(4).and_then(|mut place| place.of(client.parse().unwrap(), 2).then_some(place))
        };
        let one = [enter("192.0.2.1"), enter("::ffff:192.0.2.1")];
        assert!(one.iter().all(Option::is_some));
        assert!(enter("192.0.2.1").is_none());
        let two = [enter("2001:db8::1"), enter("2001:db8::2")];
        assert!(two.iter().all(Option::is_some));
        assert!(enter("2001:db8::3").is_none());
        assert!(enter("192.0.2.2").is_none(), "all places are taken");
        assert_eq!((connections.open(), connections.refused()), (4, 3));
        drop(one);
        let other = [enter("192.0.2.2"), enter("192.0.2.1")];
        assert!(other.iter().all(Option::is_some));
        drop((two, other));
        assert_eq!(connections.open(), 0);
        assert!(connections.by_client.lock().unwrap().is_empty());
        assert!(!connections.enter(4).unwrap().of([192, 0, 2, 9].into(), 0));
        assert!(connections.by_client.lock().unwrap().is_empty());
    }
}

//! How many files and connections the process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The most connections that are accepted unless a flag says otherwise.
const CONNECTIONS: usize = 10_000;

/// Asks the system for as many descriptors as it gives, and returns for how many connections they suffice: each needs
/// another one for its endpoint.
pub(crate) fn connections() -> usize {
    let limit = getrlimit(Resource::Nofile);
    // Programs that use select() would fail with more than 1,024, hence the low limit that processes start with.
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let descriptors = if raised.is_ok() { limit.maximum } else { limit.current };
    descriptors.map_or(CONNECTIONS, |descriptors| room(usize::try_from(descriptors).unwrap_or(usize::MAX)))
}

fn room(descriptors: usize) -> usize {
    (descriptors / 2).clamp(1, CONNECTIONS)
}

#[cfg(test)]
mod tests {
    #[test]
    fn half_of_the_descriptors_are_for_clients() {
        for (descriptors, room) in [(0, 1), (1024, 512), (20_001, 10_000), (1_048_576, 10_000)] {
            assert_eq!(super::room(descriptors), room, "{descriptors}");
        }
    }
}

//! Who decides where a request goes: `ingress-core`, and two that know more than a gateway can.

use std::net::SocketAddr;
use std::time::Duration;

use ingress_core::{
    Algorithm, Choice, Draw, Ending, Endpoint, EndpointSet, Locality, Moment, Policy, hash_key,
};

use super::queue::Server;
use super::{Request, Time};
use crate::Random;

/// Who decides.
#[derive(Debug)]
pub enum Router {
    /// Gateways that see their own requests only.
    Core(Box<Policy>, Vec<Gateway>),
    /// The endpoint with the fewest requests in flight, of all and from all.
    FullScan(usize),
    /// The endpoint that would answer first, known by looking into it: no gateway can do that, or better.
    Oracle(usize),
}

/// What one gateway knows.
#[derive(Debug)]
pub struct Gateway {
    set: EndpointSet,
    ticket: u64,
}

impl Router {
    /// So many gateways with `ingress-core`, for all endpoints but the one that comes.
    pub fn core(policy: Policy, gateways: usize, endpoints: usize) -> Self {
        let set = EndpointSet::new((0..endpoints - 1).map(endpoint));
        set.prepare(policy.load_balance.as_ref().unwrap_or(&Algorithm::RoundRobin));
        let nothing = EndpointSet::new([]);
        let gateway = |_| {
            let endpoints = set.all().cloned().collect();
            Gateway { set: EndpointSet::after(&nothing, endpoints, &Locality::default()), ticket: 0 }
        };
        Self::Core(Box::new(policy), (0..gateways).map(gateway).collect())
    }

    pub(super) fn gateways(&self) -> usize {
        match self {
            Self::Core(_, gateways) => gateways.len(),
            Self::FullScan(_) | Self::Oracle(_) => 1,
        }
    }

    /// So many endpoints are there from now on. Their places stay.
    pub(super) fn set_servers(&mut self, count: usize) {
        match self {
            Self::Core(_, gateways) => gateways.iter_mut().for_each(|gateway| {
                let endpoints = (0..count).map(endpoint).collect();
                gateway.set = EndpointSet::after(&gateway.set, endpoints, &Locality::default());
            }),
            Self::FullScan(known) | Self::Oracle(known) => *known = count,
        }
    }

    pub(super) fn choose(
        &mut self,
        gateway: usize,
        client: usize,
        servers: &[Server],
        now: Time,
        random: &mut Random,
    ) -> Option<usize> {
        match self {
            Self::Core(policy, gateways) => {
                let Gateway { set, ticket } = &mut gateways[gateway];
                *ticket += 1;
                let key = hash_key(&client.to_be_bytes());
                let draw = Draw::new(*ticket, random.bits(), moment(now)).with_key(Some(key));
                let choice = Choice::new(draw, Some(policy));
                let place = set.choose(&choice).ok()?;
                set.begin(place, &choice).then_some(place)
            }
            Self::FullScan(known) => least(&servers[..*known], random, |server| server.open as f64),
            Self::Oracle(known) => least(&servers[..*known], random, |server| server.expected_time(now)),
        }
    }

    pub(super) fn end(&mut self, request: &Request, ending: Ending, now: Time, random: &mut Random) {
        if let Self::Core(policy, gateways) = self {
            let set = &gateways[request.gateway()].set;
            let times = (moment(request.arrived()), moment(now));
            set.note(request.server(), ending, Some(policy), times, random.bits());
            set.end(request.server());
        }
    }

    /// Everything that was begun has ended.
    pub(super) fn check_idle(&self) {
        if let Self::Core(_, gateways) = self {
            for gateway in gateways {
                let places = 0..gateway.set.all().len();
                let open =
                    places.filter_map(|place| gateway.set.vitals(place)).map(|vitals| vitals.in_flight_now());
                assert_eq!(open.sum::<u32>(), 0, "no request is forgotten");
            }
        }
    }
}

/// The place with the lowest figure, any of them where there are several.
fn least(servers: &[Server], random: &mut Random, figure: impl Fn(&Server) -> f64) -> Option<usize> {
    let from = random.below(servers.len());
    let places = (0..servers.len()).map(|step| (from + step) % servers.len());
    places.min_by(|&a, &b| figure(&servers[a]).total_cmp(&figure(&servers[b])))
}

fn endpoint(place: usize) -> Endpoint {
    Endpoint::new(SocketAddr::from(([10, 0, 0, place as u8], 80)))
}

/// Some time after the start, as in a gateway that has run for a while.
fn moment(time: Time) -> Moment {
    Moment::after(Duration::from_secs(100) + Duration::from_nanos(time))
}

//! Choosing an endpoint: what does each algorithm cost, beside what others use, and how exact are its shares?
//!
//! `cargo bench -p benches --bench pick`, and for some rows only such as `-- --only maglev` or `-- --only exact`.
//!
//! Threads have tickets, random numbers and a clock of their own, which is counted up by a few microseconds a request, and
//! share the endpoints. "With bookkeeping" is all that a request costs: it is chosen for, begun, its answer noted, and
//! ended; each thread has 16 of them open.
//!
//! The aims, for two threads: 5 ns for round robin and random, 15 ns by key, 30 ns by load with its bookkeeping. What the
//! loop alone takes is in all figures.

use std::convert::Infallible;
use std::future::Future;
use std::hint::black_box;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use benches::Random;
use benches::measure::{Contestant, Options, Table, median, medians};
use ingress_core::{Algorithm, Choice, Draw, Ending, Endpoint, EndpointSet, Moment, Policy, hash_key};
use pingora_ketama::{Bucket, Continuum};
use tower::Service;
use tower::balance::p2c::Balance;
use tower::discover::ServiceList;
use tower::load::{CompleteOnResponse, Load, PeakEwma, PendingRequests};

const COUNTS: [usize; 3] = [3, 10, 100];
const THREADS: [usize; 2] = [1, 2];
/// How many requests each thread has open.
const OPEN: usize = 16;
const STEP: Duration = Duration::from_micros(3);

/// How the weights of the endpoints are.
#[derive(Clone, Copy, Debug)]
enum Weights {
    Equal,
    /// 1 to 7, so that the order of a period is written down.
    Small,
    /// Some thousands with no divisor, so that it is not.
    Great,
}

use Weights::{Equal, Great, Small};

const WEIGHTS: [(Weights, &str); 3] =
    [(Equal, "equal"), (Small, "weights 1 to 7"), (Great, "weights of thousands")];

/// What one thread does for so many requests. What it returns keeps the compiler from leaving it out.
type Work = Box<dyn Fn(Stream, usize) -> usize + Sync>;

/// A row: its name, and the work with so many endpoints.
type Row = (String, Box<dyn Fn(usize) -> Work>);

/// The numbers of one thread's requests.
struct Stream {
    ticket: u64,
    random: u64,
    now: Moment,
}

fn main() {
    let options = Options::from_args();
    cost(&options);
    if options.wants("exact") {
        exactness(options.pick(&COUNTS[..], &COUNTS[..2]));
    }
}

fn cost(options: &Options) {
    let mut rows = own_rows();
    rows.extend(peer_rows());
    rows.retain(|(name, _)| options.wants(name));
    let (slices, picks) = options.pick((40, 20_000), (2, 500));
    let works: Vec<Work> = rows.iter().flat_map(|(_, work)| COUNTS.map(work)).collect();
    let contestant =
        |work, threads| -> Contestant<'_> { Box::new(move || run(work, threads, slices, picks)) };
    let mut contestants: Vec<_> =
        works.iter().flat_map(|work| THREADS.map(|threads| contestant(work, threads))).collect();
    let figures = medians(options.pick(9, 1), &mut contestants);
    let columns =
        COUNTS.iter().flat_map(|count| THREADS.map(|threads| format!("{count}, {threads} threads")));
    let mut table = Table::new(["algorithm".to_owned()].into_iter().chain(columns));
    for ((name, _), figures) in rows.iter().zip(figures.chunks(COUNTS.len() * THREADS.len())) {
        let figures = figures.iter().map(|figure| format!("{figure:.1}"));
        table.row([name.clone()].into_iter().chain(figures));
    }
    table.print("Nanoseconds a request, for each thread, by number of endpoints and threads.");
}

/// Nanoseconds a request. The threads meet before each slice; what counts is the median of those slices in which they
/// really ran beside each other, whatever else the machine has to do.
fn run(work: &Work, threads: usize, slices: usize, picks: usize) -> f64 {
    let (met, epoch) = (AtomicUsize::new(0), Instant::now());
    let thread = |number: usize| -> Vec<(u128, u128)> {
        let slice = |slice: usize| {
            met.fetch_add(1, Relaxed);
            while met.load(Relaxed) < threads * (slice + 1) {
                std::hint::spin_loop();
            }
            let start = epoch.elapsed().as_nanos();
            black_box(work(Stream::new(number as u64), picks));
            (start, epoch.elapsed().as_nanos())
        };
        (0..slices).map(slice).collect()
    };
    let thread = &thread;
    let times: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|number| scope.spawn(move || thread(number))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no thread fails")).collect()
    });
    let (mut beside, mut all) = (Vec::new(), Vec::new());
    for slice in 0..slices {
        let times: Vec<_> = times.iter().map(|times| times[slice]).collect();
        let longest = times.iter().map(|(start, end)| end - start).max().unwrap_or(0);
        let start = times.iter().map(|(start, _)| *start).max().unwrap_or(0);
        let end = times.iter().map(|(_, end)| *end).min().unwrap_or(0);
        let figure = longest as f64 / picks as f64;
        all.push(figure);
        if end.saturating_sub(start) * 10 >= longest * 9 {
            beside.push(figure);
        }
    }
    median(if beside.is_empty() { all } else { beside })
}

// ===== what ingress-core does =====

fn own_rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for algorithm in [Algorithm::RoundRobin, Algorithm::Random] {
        for (weights, about) in WEIGHTS {
            let name = format!("{algorithm}, {about}");
            rows.push(choosing(name, algorithm.clone(), weights, |draw| draw));
        }
    }
    let ready = |draw: Draw| draw.with_key(Some(draw.random));
    let hashed = |draw: Draw| {
        let address = (u128::from(draw.random) << 64 | u128::from(draw.ticket)).to_be_bytes();
        draw.with_key(Some(hash_key(&address)))
    };
    rows.push(choosing("maglev, ready key".into(), Algorithm::Maglev, Equal, ready));
    rows.push(choosing("maglev, 16 bytes hashed".into(), Algorithm::Maglev, Equal, hashed));
    rows.push(choosing("rendezvous, ready key".into(), Algorithm::Rendezvous, Equal, ready));
    rows.push(choosing("rendezvous, ready key, weights 1 to 7".into(), Algorithm::Rendezvous, Small, ready));
    for algorithm in [Algorithm::RoundRobin, Algorithm::LeastRequest, Algorithm::PeakEwma] {
        let name = format!("{algorithm}, with bookkeeping");
        rows.push((name, Box::new(move |count| keeping_books(set(count, Equal), policy(&algorithm)))));
    }
    rows
}

/// Choices alone.
fn choosing(
    name: String,
    algorithm: Algorithm,
    weights: Weights,
    key: impl Fn(Draw) -> Draw + Copy + Sync + 'static,
) -> Row {
    let work = move |count| -> Work {
        let (set, policy) = (set(count, weights), policy(&algorithm));
        Box::new(move |mut stream, picks| {
            (0..picks).fold(0, |sum, _| {
                let (set, policy) = black_box((&set, &policy));
                sum ^ set.choose(&Choice::new(key(stream.next()), Some(policy))).unwrap_or(0)
            })
        })
    };
    (name, Box::new(work))
}

/// All that is done for a request.
fn keeping_books(set: EndpointSet, policy: Policy) -> Work {
    Box::new(move |mut stream, picks| {
        let mut open = [None; OPEN];
        for number in 0..picks + OPEN {
            let draw = stream.next();
            let (set, policy) = black_box((&set, &policy));
            let slot = &mut open[number % OPEN];
            if let Some((place, began)) = slot.take() {
                let times = (began, draw.now);
                black_box(set.note(place, Ending::Success, Some(policy), times, draw.random));
                set.end(place);
            }
            if number < picks {
                let choice = Choice::new(draw, Some(policy));
                let place = set.choose(&choice).expect("all can be used");
                set.begin(place, &choice);
                // As if it had taken up to twice as long as others.
                *slot = Some((place, draw.now + STEP * (draw.random % 8) as u32));
            }
        }
        0
    })
}

// ===== what others do =====

fn peer_rows() -> Vec<Row> {
    let ketama = |count| -> Work {
        let ring = Continuum::new(&(0..count).map(|at| Bucket::new(address(at), 1)).collect::<Vec<_>>());
        Box::new(move |mut stream, picks| {
            (0..picks).fold(0, |sum, _| {
                let draw = stream.next();
                let key = (u128::from(draw.random) << 64 | u128::from(draw.ticket)).to_be_bytes();
                sum ^ black_box(&ring).node(&key).map_or(0, |address| usize::from(address.port()))
            })
        })
    };
    // Its balancer is not shared: each thread has one, and sees its own requests only.
    let pending = |count| -> Work {
        let service = |_| PendingRequests::new(Ready, CompleteOnResponse::default());
        Box::new(move |_, picks| balancing((0..count).map(service).collect(), picks))
    };
    let peak = |count| -> Work {
        let round_trip = Duration::from_micros(30);
        let service =
            move |_| PeakEwma::new(Ready, round_trip, 10_000_000_000.0, CompleteOnResponse::default());
        Box::new(move |_, picks| balancing((0..count).map(service).collect(), picks))
    };
    let nothing = |_| -> Work {
        Box::new(|mut stream, picks| {
            (0..picks).fold(0, |sum, _| sum ^ black_box(stream.next()).ticket as usize)
        })
    };
    let clock = |_| -> Work {
        Box::new(|_, picks| {
            (0..picks).for_each(|_| _ = black_box(Instant::now()));
            0
        })
    };
    vec![
        ("pingora-ketama, 16 bytes hashed".into(), Box::new(ketama)),
        ("tower's Balance, PendingRequests, one a thread".into(), Box::new(pending)),
        ("tower's Balance, PeakEwma with its clock, one a thread".into(), Box::new(peak)),
        ("the loop alone".into(), Box::new(nothing)),
        ("Instant::now alone".into(), Box::new(clock)),
    ]
}

/// A service that is always ready and answers at once.
#[derive(Clone, Copy, Debug)]
struct Ready;

impl Service<()> for Ready {
    type Response = ();
    type Error = Infallible;
    type Future = std::future::Ready<Result<(), Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        std::future::ready(Ok(()))
    }
}

fn balancing<S>(services: Vec<S>, picks: usize) -> usize
where
    S: Service<(), Response = (), Error = Infallible> + Load,
    S::Metric: std::fmt::Debug,
    S::Future: Unpin,
{
    let mut balance = Balance::new(ServiceList::new::<()>(services));
    let mut context = Context::from_waker(Waker::noop());
    let mut open: [Option<_>; OPEN] = std::array::from_fn(|_| None);
    for number in 0..picks + OPEN {
        let next = (number < picks).then(|| {
            assert!(matches!(balance.poll_ready(&mut context), Poll::Ready(Ok(()))));
            balance.call(())
        });
        if let Some(mut future) = std::mem::replace(&mut open[number % OPEN], next) {
            assert!(Pin::new(&mut future).poll(&mut context).is_ready());
        }
    }
    0
}

// ===== shares =====

/// How far the choices of a period are from the weights.
fn exactness(counts: &[usize]) {
    let mut table =
        Table::new(["algorithm, endpoints", "period", "most chosen too often", "most chosen too rarely"]);
    for algorithm in [Algorithm::RoundRobin, Algorithm::Random] {
        for (weights, about) in WEIGHTS {
            for count in counts.iter().copied() {
                let (set, policy) = (set(count, weights), policy(&algorithm));
                let period: u64 = set.as_slice().iter().map(|endpoint| u64::from(endpoint.weight())).sum();
                let (mut over, mut under) = (0, 0);
                for first in [0, 1, 12_345, u64::from(u32::MAX)] {
                    let off = deviation(&set, &policy, first, period);
                    (over, under) = (over.max(off.0), under.max(off.1));
                }
                if algorithm == Algorithm::RoundRobin {
                    assert_eq!((over, under), (0, 0), "{count} {weights:?}");
                }
                let name = format!("{algorithm}, {count}, {about}");
                table.row([name, period.to_string(), over.to_string(), under.to_string()]);
            }
        }
    }
    table.print("Choices of one endpoint too many or too few in a period of tickets counted up by one; the worst of four periods.");
}

fn deviation(set: &EndpointSet, policy: &Policy, first: u64, period: u64) -> (i64, i64) {
    let endpoints = set.as_slice();
    let mut counts = vec![0i64; endpoints.len()];
    let mut random = Random::new(first);
    for ticket in first..first + period {
        let draw = Draw::new(ticket, random.bits(), Moment::START);
        counts[set.choose(&Choice::new(draw, Some(policy))).expect("all have weight")] += 1;
    }
    let off = counts.iter().zip(endpoints).map(|(count, endpoint)| count - i64::from(endpoint.weight()));
    off.fold((0, 0), |(over, under), off| (over.max(off), under.max(-off)))
}

// ===== helpers =====

impl Stream {
    fn new(thread: u64) -> Self {
        Self { ticket: thread * 1000, random: thread, now: Moment::START + Duration::from_secs(1) }
    }

    /// The random numbers are those of SplitMix64 once they are mixed, which choices do.
    #[inline]
    fn next(&mut self) -> Draw {
        self.ticket += 1;
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.now = self.now + STEP;
        Draw::new(self.ticket, self.random, self.now)
    }
}

fn policy(algorithm: &Algorithm) -> Policy {
    let mut policy = Policy::default();
    policy.load_balance = Some(algorithm.clone());
    policy
}

fn set(count: usize, weights: Weights) -> EndpointSet {
    let endpoint = |number: usize| {
        let weight = match weights {
            Equal => 1,
            Small => number % 7 + 1,
            Great => 3001 + number * 7 % 1000,
        };
        Endpoint::new(address(number)).with_weight(weight as u32)
    };
    EndpointSet::new((0..count).map(endpoint))
}

fn address(number: usize) -> SocketAddr {
    let [_, a, b, c] = (number as u32).to_be_bytes();
    SocketAddr::from(([10, a, b, c], 80))
}

//! What do clients cost that are counted, and what do ten million of them leave behind?
//!
//! `cargo bench -p benches --bench rate_limit`, and for some rows only such as `-- --only "2 threads"`. Each address asks
//! once, so that each decision is about a new key; then a thousand of them ask again and again. All limiters count by the
//! same algorithm; those of `governor` keep each key that they have seen. Bytes are what was asked of the allocator and not
//! given back, by all threads together; resident is what the process has grown by.

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::num::NonZeroU32;
use std::time::Instant;

use benches::measure::{Options, Table};
use governor::clock::DefaultClock;
use governor::state::keyed::{DashMapStateStore, HashMapStateStore};
use governor::{Quota, RateLimiter as Governor};
use ingress_core::Rate;
use ingress_tower::RateLimiter;

/// So slow that no address has its burst again before the end.
const RATE: &str = "1/m";
const BURST: u32 = 5;
/// Asks in between, and must stay limited.
const BUSY: Ipv4Addr = Ipv4Addr::BROADCAST;
const HOT: u32 = 1000;

trait Limiter: Sync {
    fn new(rate: Rate, burst: NonZeroU32) -> Self;
    fn lets_in(&self, address: Ipv4Addr) -> bool;
}

impl Limiter for RateLimiter {
    fn new(rate: Rate, burst: NonZeroU32) -> Self {
        Self::new(rate, burst)
    }

    fn lets_in(&self, address: Ipv4Addr) -> bool {
        self.check(address).is_ok()
    }
}

type WithHashMap = Governor<Ipv4Addr, HashMapStateStore<Ipv4Addr>, DefaultClock>;
type WithDashMap = Governor<Ipv4Addr, DashMapStateStore<Ipv4Addr>, DefaultClock>;

macro_rules! governor {
    ($limiter:ty, $new:path) => {
        impl Limiter for $limiter {
            fn new(rate: Rate, burst: NonZeroU32) -> Self {
                let quota = Quota::with_period(rate.interval()).expect("an interval is not empty");
                $new(quota.allow_burst(burst))
            }

            fn lets_in(&self, address: Ipv4Addr) -> bool {
                self.check_key(&address).is_ok()
            }
        }
    };
}
governor!(WithHashMap, Governor::hashmap);
governor!(WithDashMap, Governor::dashmap);

/// What was measured of one limiter.
struct Measured {
    /// Nanoseconds from one decision to the next, for all threads together: about new keys, and about hot ones.
    new: f64,
    hot: f64,
    bytes: f64,
    resident: f64,
    /// How often the one that is limited was let in.
    escaped: usize,
}

fn main() {
    let options = Options::from_args();
    let addresses = options.pick(10_000_000, 600_000);
    let columns = [
        "limiter, threads",
        "new address, ns",
        "hot address, ns",
        "kept, MB",
        "resident, MB",
        "busy one let in",
    ];
    let mut table = Table::new(columns);
    for threads in [1, 2] {
        row::<RateLimiter>("ours", addresses, threads, &options, &mut table);
        row::<WithDashMap>("governor, DashMap", addresses, threads, &options, &mut table);
        row::<WithHashMap>("governor, HashMap", addresses, threads, &options, &mut table);
    }
    table.print(&format!(
        "{addresses} addresses through a limiter of {RATE} with a burst of {BURST}. Nanoseconds are wall time for each decision of all threads together."
    ));
}

fn row<L: Limiter>(name: &str, addresses: u32, threads: u32, options: &Options, table: &mut Table) {
    let name = format!("{name}, {threads} thread{}", if threads == 1 { "" } else { "s" });
    if !options.wants(&name) {
        return;
    }
    let Measured { new, hot, bytes, resident, escaped } = measure::<L>(addresses, threads);
    if name.starts_with("ours") {
        assert!(bytes < 5e6, "{bytes} bytes for {addresses} addresses");
        assert_eq!(escaped, 0, "forgotten while others passed");
    }
    table.row([
        name,
        format!("{new:.0}"),
        format!("{hot:.0}"),
        format!("{:.1}", bytes / 1e6),
        format!("{:.1}", resident / 1e6),
        escaped.to_string(),
    ]);
}

fn measure<L: Limiter>(addresses: u32, threads: u32) -> Measured {
    let rate: Rate = RATE.parse().expect("it is a rate");
    let before = resident();
    let mut limiter = None;
    let made = counted(|| limiter = Some(L::new(rate, NonZeroU32::new(BURST).expect("it is not 0"))));
    let limiter = limiter.expect("it was made");
    let (mut bytes, mut escaped) = (made, 0);
    bytes += counted(|| while limiter.lets_in(BUSY) {});
    let start = Instant::now();
    let each = addresses / threads;
    std::thread::scope(|scope| {
        let flood = |thread: u32| {
            let limiter = &limiter;
            scope.spawn(move || {
                let mut escaped = 0;
                let bytes = counted(|| {
                    for number in thread * each..(thread + 1) * each {
                        assert!(limiter.lets_in(address(number)));
                        if number % 4096 == 0 {
                            escaped += usize::from(limiter.lets_in(BUSY));
                        }
                    }
                });
                (bytes, escaped)
            })
        };
        let floods: Vec<_> = (0..threads).map(flood).collect();
        for flood in floods {
            let (more, let_in) = flood.join().expect("no address was refused");
            bytes += more;
            escaped += let_in;
        }
    });
    let new = start.elapsed().as_nanos() as f64 / f64::from(each * threads);
    let resident = resident() - before;
    let start = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let limiter = &limiter;
            scope.spawn(move || {
                for number in 0..each / 4 {
                    black_box(limiter.lets_in(address(number % HOT + thread * HOT)));
                }
            });
        }
    });
    let hot = start.elapsed().as_nanos() as f64 / f64::from(each / 4 * threads);
    Measured { new, hot, bytes, resident, escaped }
}

/// The addresses in an order that is none.
fn address(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(number.wrapping_mul(0x9e37_79b1))
}

/// The bytes that are kept of what this thread does; fewer than none where it gives back what another one asked for.
fn counted(run: impl FnOnce()) -> f64 {
    allocation_counter::measure(run).bytes_current as f64
}

fn resident() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<f64>().ok());
    pages.unwrap_or_default() * 4096.0
}

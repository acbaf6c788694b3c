//! Ways to read the current table while somebody publishes the next one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use ingress_core::{HostMatch, RouteTable, Rule, TableEditor, TableReader, TableWriter};

/// Holds the current table.
pub trait Cell: Sync {
    /// Its name in the tables.
    const NAME: &'static str;

    /// A cell that holds this table.
    fn new(table: RouteTable) -> Self;

    /// Runs `read` on the current table.
    fn read<R>(&self, read: impl FnOnce(&RouteTable) -> R) -> R;

    /// Makes this table the current one.
    fn publish(&self, table: RouteTable);
}

/// `TableReader::with`: the table is cached by thread, and looked for anew by one atomic load.
#[derive(Debug)]
pub struct Cached {
    reader: TableReader,
    writer: Mutex<TableWriter>,
}

/// `ArcSwap::load` at each request.
#[derive(Debug)]
pub struct Loaded(ArcSwap<RouteTable>);

/// A lock of the standard library, taken for reading at each request.
#[derive(Debug)]
pub struct Locked(RwLock<Arc<RouteTable>>);

/// Makes tables in which the routes of one host change at each turn.
#[derive(Debug)]
pub struct Changes {
    editor: TableEditor,
    host: HostMatch,
    rules: Vec<Rule>,
    turn: bool,
}

impl Cell for Cached {
    const NAME: &'static str = "TableReader::with";

    fn new(table: RouteTable) -> Self {
        let (reader, writer) = ingress_core::table(table);
        Self { reader, writer: Mutex::new(writer) }
    }

    #[inline]
    fn read<R>(&self, read: impl FnOnce(&RouteTable) -> R) -> R {
        self.reader.with(read)
    }

    fn publish(&self, table: RouteTable) {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).publish(table);
    }
}

impl Cell for Loaded {
    const NAME: &'static str = "ArcSwap::load";

    fn new(table: RouteTable) -> Self {
        Self(ArcSwap::from_pointee(table))
    }

    #[inline]
    fn read<R>(&self, read: impl FnOnce(&RouteTable) -> R) -> R {
        read(&self.0.load())
    }

    fn publish(&self, table: RouteTable) {
        self.0.store(Arc::new(table));
    }
}

impl Cell for Locked {
    const NAME: &'static str = "RwLock::read";

    fn new(table: RouteTable) -> Self {
        Self(RwLock::new(Arc::new(table)))
    }

    #[inline]
    fn read<R>(&self, read: impl FnOnce(&RouteTable) -> R) -> R {
        read(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn publish(&self, table: RouteTable) {
        let table = Arc::new(table);
        let old = std::mem::replace(&mut *self.0.write().unwrap_or_else(PoisonError::into_inner), table);
        drop(old);
    }
}

// ===== impl Changes =====

impl Changes {
    /// Changes of a host that has these rules.
    pub fn new(editor: TableEditor, host: HostMatch, rules: Vec<Rule>) -> Self {
        Self { editor, host, rules, turn: false }
    }

    /// The next table: with the last rule of the host, or without it.
    pub fn table(&mut self) -> RouteTable {
        self.turn = !self.turn;
        let kept = self.rules.len() - usize::from(self.turn);
        self.editor.set_host(self.host.clone(), self.rules[..kept].to_vec());
        self.editor.build().0
    }
}

// ===== helpers =====

/// Runs `read` in `threads` threads, and beside them a writer that publishes `changes` at this interval until all have
/// ended. Readers wait at the barrier until all are ready. Returns what they returned, and how many tables were
/// published.
pub fn run<C: Cell, R: Send>(
    cell: &C,
    threads: usize,
    writer: Option<(&mut Changes, Duration)>,
    read: impl Fn(&C, &Barrier) -> R + Sync,
) -> (Vec<R>, u64) {
    let (ready, done) = (Barrier::new(threads), AtomicBool::new(false));
    let (ready, done, read) = (&ready, &done, &read);
    thread::scope(|scope| {
        let publisher =
            writer.map(|(changes, interval)| scope.spawn(move || publish(cell, changes, interval, done)));
        let readers: Vec<_> = (0..threads).map(|_| scope.spawn(move || read(cell, ready))).collect();
        let results = readers.into_iter().map(|reader| reader.join().expect("no reader fails")).collect();
        done.store(true, Ordering::Relaxed);
        let published = publisher.map_or(0, |publisher| publisher.join().expect("no writer fails"));
        (results, published)
    })
}

/// Publishes at this interval; what was missed because others had the processor is caught up with.
fn publish<C: Cell>(cell: &C, changes: &mut Changes, interval: Duration, done: &AtomicBool) -> u64 {
    let start = Instant::now();
    let mut published = 0;
    while !done.load(Ordering::Relaxed) {
        cell.publish(changes.table());
        published += 1;
        thread::sleep((interval * published).saturating_sub(start.elapsed()));
    }
    u64::from(published)
}

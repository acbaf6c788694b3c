//! One cell from which every request reads, and into which one writer publishes.

use std::cell::RefCell;
use std::sync::Arc;

use arc_swap::ArcSwap;
use arc_swap::cache::Cache;

use crate::RouteTable;

type Cell = Arc<ArcSwap<RouteTable>>;

/// Reads the present table. Cheap to clone; every clone sees what the writer publishes.
#[derive(Clone, Debug)]
pub struct TableReader {
    cell: Cell,
}

/// Publishes tables. There is one for each cell, so that generations follow each other.
#[derive(Debug)]
pub struct TableWriter {
    cell: Cell,
    generation: u64,
    /// Tables that some reader may still hold. Whoever lets go of a table last frees it; that should not be a request.
    retired: Vec<Arc<RouteTable>>,
}

/// How many cells a thread remembers. A program has one, or a few.
const REMEMBERED: usize = 4;

thread_local! {
    /// The tables that this thread read last, so that reading one again costs a look whether it is still the present
    /// one, and no count that threads share.
    static TABLES: RefCell<Vec<Cache<Cell, Arc<RouteTable>>>> = const { RefCell::new(Vec::new()) };
}

/// Makes a cell that holds `table` as its first generation.
pub fn table(mut table: RouteTable) -> (TableReader, TableWriter) {
    table.set_generation(0);
    let cell = Arc::new(ArcSwap::from_pointee(table));
    (TableReader { cell: cell.clone() }, TableWriter { cell, generation: 0, retired: Vec::new() })
}

impl TableReader {
    /// Runs `read` on the present table. It waits for nobody and is not waited for.
    ///
    /// The table is borrowed for the call only, so it cannot be held over an `.await`; what is needed later
    /// is copied out, such as the shared [`Backend`](crate::Backend).
    ///
    /// A thread keeps the table that it read last until it reads the next one. Tables share what did not change
    /// between them, so that an idle thread mostly keeps the differences only; once all hosts were laid out anew, as when
    /// they have doubled, it keeps all of the old ones.
    #[inline]
    pub fn with<R>(&self, read: impl FnOnce(&RouteTable) -> R) -> R {
        let mut read = Some(read);
        let cached = TABLES.try_with(|tables| {
            // `read` may itself read a table; then the cache is in use.
            let mut tables = tables.try_borrow_mut().ok()?;
            let read = read.take()?;
            Some(read(self.cached(&mut tables)))
        });
        match (cached.ok().flatten(), read) {
            (Some(result), _) => result,
            (None, Some(read)) => read(&self.cell.load()),
            (None, None) => unreachable!("what was run has a result"),
        }
    }

    #[inline]
    fn cached<'c>(&self, tables: &'c mut Vec<Cache<Cell, Arc<RouteTable>>>) -> &'c RouteTable {
        let own = |table: &Cache<Cell, Arc<RouteTable>>| std::ptr::eq(table.arc_swap(), &*self.cell);
        let place = match tables.iter().position(own) {
            Some(place) => place,
            None => self.remember(tables),
        };
        tables[place].load()
    }

    #[cold]
    fn remember(&self, tables: &mut Vec<Cache<Cell, Arc<RouteTable>>>) -> usize {
        tables.truncate(REMEMBERED - 1);
        tables.insert(0, Cache::new(self.cell.clone()));
        0
    }

    /// The present table, kept alive for as long as the caller likes. For dumps and tests; a request uses
    /// [`TableReader::with`], which touches no count that threads share.
    pub fn snapshot(&self) -> Arc<RouteTable> {
        self.cell.load_full()
    }
}

impl TableWriter {
    /// Makes `table` the present one and returns its generation. What is known of endpoints that it shares with the table
    /// before it goes on to be known. Requests that began with an older table
    /// finish with what they took from it. Older tables that no reader holds any more are freed here, so that
    /// no request has to.
    pub fn publish(&mut self, mut table: RouteTable) -> u64 {
        self.generation += 1;
        table.set_generation(self.generation);
        table.follow(&self.cell.load());
        self.retired.push(self.cell.swap(Arc::new(table)));
        self.retired.retain(|table| Arc::strong_count(table) > 1);
        self.generation
    }

    /// A reader of this writer's cell.
    pub fn reader(&self) -> TableReader {
        TableReader { cell: self.cell.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reader_sees_the_newest_generation() {
        let (reader, mut writer) = table(RouteTable::default());
        let clone = reader.clone();
        assert_eq!(reader.with(RouteTable::generation), 0);
        let old = reader.snapshot();
        assert_eq!(writer.publish(RouteTable::default()), 1);
        assert_eq!(writer.publish(RouteTable::default()), 2);
        for reader in [reader, clone, writer.reader()] {
            assert_eq!(reader.with(RouteTable::generation), 2);
        }
        assert_eq!(old.generation(), 0);
    }

    #[test]
    fn a_thread_reads_any_number_of_cells_also_within_each_other() {
        let mut cells: Vec<_> = (0..2 * REMEMBERED).map(|_| table(RouteTable::default())).collect();
        for (number, (_, writer)) in cells.iter_mut().enumerate() {
            for _ in 0..number {
                writer.publish(RouteTable::default());
            }
        }
        for _ in 0..2 {
            for (number, (reader, _)) in cells.iter().enumerate() {
                assert_eq!(reader.with(RouteTable::generation), number as u64);
                let (last, _) = &cells[cells.len() - 1];
                let both = reader.with(|table| (table.generation(), last.with(RouteTable::generation)));
                assert_eq!(both, (number as u64, cells.len() as u64 - 1));
            }
        }
    }

    /// Another thread holds the table that it read last; the writer frees it once that thread has read a newer one.
    #[test]
    fn the_writer_frees_old_tables() {
        let (reader, mut writer) = table(RouteTable::default());
        let first = Arc::downgrade(&reader.snapshot());
        assert_eq!(reader.with(RouteTable::generation), 0);
        writer.publish(RouteTable::default());
        assert!(first.upgrade().is_some(), "this thread may still read it");
        assert_eq!(reader.with(RouteTable::generation), 1);
        assert!(first.upgrade().is_some(), "the reader did not free it");
        writer.publish(RouteTable::default());
        assert!(first.upgrade().is_none());
        assert_eq!(writer.retired.len(), 1);
    }
}

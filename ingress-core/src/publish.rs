//! One cell from which every request reads, and into which one writer publishes.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::RouteTable;

/// Reads the present table. Cheap to clone; every clone sees what the writer publishes.
#[derive(Clone, Debug)]
pub struct TableReader {
    cell: Arc<ArcSwap<RouteTable>>,
}

/// Publishes tables. There is one for each cell, so that generations follow each other.
#[derive(Debug)]
pub struct TableWriter {
    cell: Arc<ArcSwap<RouteTable>>,
    generation: u64,
}

/// Makes a cell that holds `table` as its first generation.
pub fn table(mut table: RouteTable) -> (TableReader, TableWriter) {
    table.set_generation(0);
    let cell = Arc::new(ArcSwap::from_pointee(table));
    (TableReader { cell: cell.clone() }, TableWriter { cell, generation: 0 })
}

impl TableReader {
    /// Runs `read` on the present table. It waits for nobody and is not waited for.
    ///
    /// The table is borrowed for the call only, so it cannot be held over an `.await`; what is needed later
    /// is copied out, such as the shared [`Backend`](crate::Backend).
    #[inline]
    pub fn with<R>(&self, read: impl FnOnce(&RouteTable) -> R) -> R {
        read(&self.cell.load())
    }

    /// The present table, kept alive for as long as the caller likes. For dumps and tests; a request uses
    /// [`TableReader::with`], which touches no count that threads share.
    pub fn snapshot(&self) -> Arc<RouteTable> {
        self.cell.load_full()
    }
}

impl TableWriter {
    /// Makes `table` the present one and returns its generation. Requests that began with an older table
    /// finish with what they took from it; the old table goes with its last reader.
    pub fn publish(&mut self, mut table: RouteTable) -> u64 {
        self.generation += 1;
        table.set_generation(self.generation);
        self.cell.store(Arc::new(table));
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
}

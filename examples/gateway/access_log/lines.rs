//! Lines on their way to a thread that writes them, so that no request waits for whoever reads them.

use std::convert::Infallible;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

/// How many lines wait to be written; more are lost.
const WAITING: usize = 4096;
/// As many bytes are written at once, if they are there.
const BATCH: usize = 64 * 1024;
/// The least time between two lines in the log about lost ones.
const INTERVAL: Duration = Duration::from_secs(5);
/// How long the end waits for whoever reads.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where lines are given to.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    sender: SyncSender<Vec<u8>>,
    lost: Arc<AtomicU64>,
}

/// Tells when the thread has written everything.
#[derive(Debug)]
pub(super) struct Written {
    /// Nothing ever comes, but it ends.
    done: Receiver<Infallible>,
    lost: Arc<AtomicU64>,
}

/// Writes to `out` what is given to [`Lines`], until all of their clones are gone.
pub(super) fn start(out: impl Write + Send + 'static) -> io::Result<(Lines, Written)> {
    let (sender, lines) = sync_channel(WAITING);
    let (writing, done) = channel();
    let lost = Arc::<AtomicU64>::default();
    let writer = Writer { lines, lost: lost.clone(), told: None, out };
    std::thread::Builder::new().name("access-log".into()).spawn(move || writer.run(writing))?;
    Ok((Lines { sender, lost: lost.clone() }, Written { done, lost }))
}

// ===== impl Lines =====

impl Lines {
    /// Has a line written, unless too many wait.
    pub(super) fn write(&self, line: Vec<u8>) {
        if self.sender.try_send(line).is_err() {
            self.lost.fetch_add(1, Relaxed);
        }
    }

    #[cfg(test)]
    pub(super) fn unwritten() -> (Self, Receiver<Vec<u8>>) {
        let (sender, lines) = sync_channel(1);
        (Self { sender, lost: Arc::default() }, lines)
    }
}

impl Written {
    /// Waits for the thread, but not long.
    pub(super) fn wait(self) {
        if self.done.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            let lost = self.lost.load(Relaxed);
            tracing::warn!(lost, "the end of the access log is not written, because nobody reads it");
        }
    }
}

// ===== the thread =====

struct Writer<W> {
    lines: Receiver<Vec<u8>>,
    lost: Arc<AtomicU64>,
    /// When it was last said that lines were lost.
    told: Option<Instant>,
    out: W,
}

impl<W: Write> Writer<W> {
    /// `_writing` goes when all is written.
    fn run(mut self, _writing: Sender<Infallible>) {
        let mut batch = Vec::new();
        while let Ok(first) = self.lines.recv() {
            let mut count = 1;
            batch.clear();
            batch.extend_from_slice(&first);
            while batch.len() < BATCH {
                let Ok(line) = self.lines.try_recv() else { break };
                batch.extend_from_slice(&line);
                count += 1;
            }
            if self.out.write_all(&batch).and_then(|()| self.out.flush()).is_err() {
                self.lost.fetch_add(count, Relaxed);
            }
            if self.told.is_none_or(|told| told.elapsed() >= INTERVAL) {
                self.tell();
            }
        }
        self.tell();
    }

    fn tell(&mut self) {
        let lost = self.lost.swap(0, Relaxed);
        if lost > 0 {
            self.told = Some(Instant::now());
            tracing::warn!(
                lost,
                "lines of the access log could not be written, or not as fast as requests came"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes what is written once it is told to.
    struct Slow {
        go: Receiver<()>,
        seen: Sender<Vec<u8>>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.go.recv().map_err(io::Error::other)?;
            self.seen.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nobody_waits_for_a_slow_reader_and_what_is_lost_is_counted() {
        let (go, gone) = channel();
        let (seen, written) = channel();
        let (lines, end) = start(Slow { go: gone, seen }).unwrap();
        let all = 2 * WAITING;
        // A batch is soon full, so that what else the thread takes before it has to wait is little.
        (0..all).for_each(|number| lines.write(format!("{number:01000}\n").into_bytes()));
        let lost = lines.lost.load(Relaxed) as usize;
        assert!((1..=WAITING).contains(&lost), "{lost}");
        drop(lines);
        assert_eq!(end.done.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout));
        let _ = (0..all).try_for_each(|_| go.send(()));
        let text: Vec<u8> = written.iter().flatten().collect();
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text.lines().count() + lost, all);
        let numbers: Vec<usize> = text.lines().map(|line| line.parse().unwrap()).collect();
        assert!(numbers.is_sorted() && numbers[0] == 0);
    }

    /// A reader that is gone costs the lines, and nothing else.
    #[test]
    fn a_reader_that_is_gone() {
        let (_, gone) = channel();
        let (lines, end) = start(Slow { go: gone, seen: channel().0 }).unwrap();
        let lost = lines.lost.clone();
        lines.write(b"a\n".to_vec());
        drop(lines);
        assert_eq!(end.done.recv_timeout(Duration::from_secs(10)), Err(RecvTimeoutError::Disconnected));
        assert_eq!(lost.load(Relaxed), 0, "it was told of");
    }
}

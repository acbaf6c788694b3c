//! Following a directory: a thread that waits, looks, and publishes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use super::event::{Signal, signals};
use super::files::{Files, Look};
use super::pending::{Edit, Pending};
use super::root::Root;
use super::scan::{Identity, Scan, identity, scan};
use crate::{Error, IngressController, Report, parallel};

/// How long edits are collected after the first one, and how long what takes objects away must last.
pub(super) const WINDOW: Duration = Duration::from_millis(50);
/// A file that is written to without pause is read after this time all the same.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);
/// How often it is checked that the directory is still the same; without notifications, how often all of
/// it is looked at.
const CHECK: Duration = Duration::from_secs(1);
/// How often all of it is looked at although notifications work: not all file systems notify of
/// everything, nor do links that lead out of the directory.
const RESCAN: Duration = Duration::from_secs(10);

/// Keeps a directory of manifests followed until it is dropped. Dropping waits for the thread, and so for
/// a call of `on_report` that is under way.
#[derive(Debug)]
#[must_use = "the directory is followed only until this is dropped"]
pub struct WatchHandle {
    sender: Sender<Message>,
    thread: Option<JoinHandle<()>>,
}

enum Message {
    Signals(Vec<Signal>),
    Stop,
}

/// Loads everything, publishes it, and starts the thread.
pub(super) fn start<F>(root: Root, controller: IngressController, on_report: F) -> Result<WatchHandle, Error>
where
    F: FnMut(&Report) + Send + 'static,
{
    let (sender, receiver) = channel();
    let mut follower = Follower {
        // Before the first look, so that no edit is missed between the two.
        watcher: watcher(root.absolute(), &sender),
        identity: identity(root.absolute()).ok(),
        root,
        sender: sender.clone(),
        files: Files::default(),
        controller,
        on_report,
        pending: Pending::default(),
        last_scan: Instant::now(),
        returned: None,
        empty_handed: false,
    };
    follower.load()?;
    let root = follower.root.given().to_owned();
    let run = move || follower.run(&receiver);
    let thread = thread::Builder::new().name("manifests".into()).spawn(run);
    let thread = thread.map_err(|error| Error::no_thread(&root, error))?;
    Ok(WatchHandle { sender, thread: Some(thread) })
}

/// Nothing where the operating system cannot notify, or has no watch left.
fn watcher(root: &Path, sender: &Sender<Message>) -> Option<RecommendedWatcher> {
    let (directory, sender) = (root.to_owned(), sender.clone());
    let handler = move |event| {
        let signals = signals(&directory, event);
        if !signals.is_empty() {
            // Fails only when the thread has ended, and then nobody waits for it.
            let _ = sender.send(Message::Signals(signals));
        }
    };
    let mut watcher = notify::recommended_watcher(handler).ok()?;
    watcher.watch(root, RecursiveMode::Recursive).ok()?;
    Some(watcher)
}

impl Drop for WatchHandle {
    fn drop(&mut self) {
        let _ = self.sender.send(Message::Stop);
        let Some(thread) = self.thread.take() else { return };
        // `on_report` may own the handle; then this is the thread itself.
        if thread.thread().id() != thread::current().id() {
            let _ = thread.join();
        }
    }
}

/// Everything the thread owns.
struct Follower<F> {
    root: Root,
    identity: Option<Identity>,
    watcher: Option<RecommendedWatcher>,
    sender: Sender<Message>,
    files: Files,
    controller: IngressController,
    on_report: F,
    pending: Pending,
    last_scan: Instant,
    /// When another directory was found in the place of the one that was followed.
    returned: Option<Instant>,
    /// That directory has held no manifest yet.
    empty_handed: bool,
}

impl<F: FnMut(&Report)> Follower<F> {
    /// The first load believes everything at once.
    fn load(&mut self) -> Result<(), Error> {
        let started = Instant::now();
        let scan = scan(self.root.absolute()).map_err(|error| Error::read(self.root.given(), error))?;
        self.files.set_faults(&scan, &self.root);
        let paths: Vec<_> = scan.files.keys().collect();
        for (path, look) in paths.iter().zip(parallel::map(&paths, |path| Look::at(path, &self.root))) {
            self.files.accept(path, look);
        }
        self.publish(started, true);
        Ok(())
    }

    fn run(mut self, receiver: &Receiver<Message>) {
        // The end of the window, and whether anything was published since its beginning.
        let (mut window, mut published) = (None::<Instant>, false);
        loop {
            let wait = window.map_or(CHECK, |end| end.saturating_duration_since(Instant::now()));
            match receiver.recv_timeout(wait) {
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(Message::Signals(signals)) => {
                    self.note(signals);
                    while let Ok(message) = receiver.try_recv() {
                        match message {
                            Message::Stop => return,
                            Message::Signals(signals) => self.note(signals),
                        }
                    }
                    published = published || self.look(false);
                    window.get_or_insert_with(|| Instant::now() + WINDOW);
                }
                Err(RecvTimeoutError::Timeout) if window.is_some() => {
                    published = self.look(true);
                    let more = published || !self.pending.is_empty();
                    window = more.then(|| Instant::now() + WINDOW);
                }
                Err(RecvTimeoutError::Timeout) => {
                    if self.check() {
                        published = self.look(false);
                        window = Some(Instant::now() + WINDOW);
                    }
                }
            }
        }
    }

    fn note(&mut self, signals: Vec<Signal>) {
        for signal in signals {
            match signal {
                Signal::File { path, complete } => self.pending.edit(path, complete),
                // A new directory is watched a moment after it is notified: look again later.
                Signal::Tree => self.pending.tree = Some(true),
                Signal::Root => {
                    self.pending.watch_lost = true;
                    self.pending.tree = Some(true);
                }
            }
        }
    }

    /// Called now and then: is there a reason to look although nothing was notified?
    fn check(&mut self) -> bool {
        let same = self.identity.is_some() && identity(self.root.absolute()).ok() == self.identity;
        let due = self.watcher.is_none() || self.last_scan.elapsed() >= RESCAN;
        if !same || due {
            self.pending.watch_lost |= !same;
            self.pending.tree.get_or_insert(false);
        }
        !self.pending.is_empty()
    }

    /// Looks at what is pending and publishes what follows; `settled` at the end of a window.
    fn look(&mut self, settled: bool) -> bool {
        let started = Instant::now();
        if !self.look_at_directory(settled) {
            // Without its directory no file says anything.
            self.pending.files.clear();
            return settled && self.publish(started, false);
        }
        if !settled && !self.pending.files.values().any(|edit| edit.is_due(settled)) {
            return false;
        }
        let settling = self.returned.is_some_and(|since| since.elapsed() < PATIENCE);
        let edits: Vec<_> = std::mem::take(&mut self.pending.files).into_iter().collect();
        let look = |(path, edit): &(PathBuf, Edit)| edit.is_due(settled).then(|| Look::at(path, &self.root));
        let looks = parallel::map(&edits, look);
        for ((path, mut edit), look) in edits.into_iter().zip(looks) {
            if let Some(look) = look {
                if !self.files.takes_away(&path, &look) || edit.lasts(look.stamp()) && !settling {
                    self.files.accept(&path, look);
                    continue;
                }
                self.files.doubt(&path);
            }
            self.pending.files.insert(path, edit);
        }
        self.publish(started, false)
    }

    /// Finds out which files changed, if the whole directory is to be looked at. Says whether it is there.
    fn look_at_directory(&mut self, settled: bool) -> bool {
        let now = identity(self.root.absolute());
        if now.as_ref().ok() != self.identity.as_ref() || self.pending.watch_lost {
            self.pending.tree = Some(true);
            if let Ok(identity) = now {
                self.follow_anew(identity);
            }
        }
        if self.empty_handed {
            self.pending.tree.get_or_insert(false);
        }
        let scan = match (now, self.pending.tree) {
            (Ok(_), None) => return true,
            (Ok(_), Some(_)) => scan(self.root.absolute()),
            (Err(error), _) => Err(error),
        };
        match scan {
            Ok(scan) if self.empty_handed && scan.files.is_empty() => {
                self.lose(settled, "the directory came back without any manifest".into());
                false
            }
            Ok(scan) => {
                self.take_over(&scan);
                true
            }
            Err(error) => {
                if settled {
                    self.identity = None;
                }
                self.lose(settled, format!("the directory cannot be read: {error}"));
                false
            }
        }
    }

    /// Another directory stands where the old one was. Whoever puts it there may still be filling it, so
    /// what it lacks is not taken away at once, and never as long as it holds nothing.
    fn follow_anew(&mut self, identity: Identity) {
        self.identity = Some(identity);
        self.watcher = watcher(self.root.absolute(), &self.sender);
        self.returned = Some(Instant::now());
        self.empty_handed = true;
        self.pending.watch_lost = false;
    }

    fn take_over(&mut self, scan: &Scan) {
        self.last_scan = Instant::now();
        self.empty_handed = false;
        self.files.set_faults(scan, &self.root);
        let again = self.pending.tree.take() == Some(true);
        for path in self.files.changed(scan) {
            if !self.pending.files.contains_key(&path) {
                self.pending.edit(path, again);
            }
        }
        self.pending.tree = again.then_some(false);
    }

    /// Keeps everything, and says so when it lasts.
    fn lose(&mut self, settled: bool, why: String) {
        if settled {
            self.files.set_fault(&self.root, why);
            self.pending.tree = None;
        }
    }

    /// Publishes a table if it differs from the last one.
    fn publish(&mut self, started: Instant, always: bool) -> bool {
        self.files.hand_over(&mut self.controller);
        let publish = always || self.controller.has_changes();
        if publish {
            let mut texts = HashMap::new();
            let (files, root) = (&mut self.files, &self.root);
            let mut report = self.controller.publish_located(|source| files.line(source, root, &mut texts));
            report.took = Some(started.elapsed());
            (self.on_report)(&report);
        }
        publish
    }
}

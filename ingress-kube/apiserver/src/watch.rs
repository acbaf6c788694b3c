//! Watches.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::answer::{Lines, line};
use crate::call::Call;
use crate::failure::Failure;
use crate::fault::Withheld;
use crate::form::Form;
use crate::kind::Kind;
use crate::list::{options_invalid, selector, wait_until_fresh};
use crate::selector::Selector;
use crate::state::{Shared, State};
use crate::store::Change;

/// How long a watch lasts that names no end: the least of a server, which takes up to twice that.
const LONGEST: Duration = Duration::from_secs(1800);
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);
const LAST_BOOKMARK: Duration = Duration::from_secs(2);

/// An open watch.
struct Watch {
    shared: Arc<Shared>,
    kind: &'static Kind,
    selector: Selector,
    form: Form,
    bookmarks: bool,
    /// Nothing up to this version is told.
    from: u64,
    /// What there was at the beginning and isn't told yet.
    initial: VecDeque<Arc<Value>>,
    /// Whether the end of that is still to be told.
    initial_end: bool,
    /// Where in the log of the kind.
    next: usize,
    /// Where among the bookmarks that the test asked for.
    mark: usize,
    /// Everything up to here is told.
    delivered: u64,
    done: bool,
    ends: Instant,
    next_bookmark: Option<Instant>,
}

/// What to do next.
enum Step {
    Event(&'static str, Arc<Value>),
    Deleted(Arc<Value>, u64),
    Bookmark(u64, bool),
    Expired(u64, u64),
    Wait,
}

/// Opens a watch; the answer is its lines.
pub(crate) async fn open(shared: &Arc<Shared>, call: &Call, form: Form) -> Result<Lines, Failure> {
    let selector = selector(call)?;
    let version = call.number("resourceVersion")?.unwrap_or(0);
    let bookmarks = call.flag("allowWatchBookmarks") == Some(true);
    let asked = call.flag("sendInitialEvents");
    check_options(call, asked, bookmarks)?;
    if asked == Some(true) {
        wait_until_fresh(shared, version).await?;
    }
    let with_initial = asked.unwrap_or(version == 0);
    let timeout = call.number("timeoutSeconds")?.filter(|seconds| *seconds > 0);
    let timeout = timeout.map_or(LONGEST, Duration::from_secs).min(LONGEST);
    let now = Instant::now();
    let last_bookmark = now + timeout.saturating_sub(LAST_BOOKMARK);

    let state = shared.lock();
    let store = &state.store;
    if !with_initial && version > 0 && version < store.floor() {
        let failure = Failure::too_old(version, store.floor());
        let error = line(&json!({"type": "ERROR", "object": failure.status()}));
        return Ok(stream::once(async { Ok(error) }).boxed());
    }
    let from = if with_initial || version == 0 { store.version() } else { version };
    let initial = store.objects(call.kind).filter(|(_, object)| with_initial && selector.matches(object));
    let watch = Watch {
        shared: shared.clone(),
        kind: call.kind,
        form,
        bookmarks,
        from,
        initial: initial.map(|(_, object)| object.clone()).collect(),
        initial_end: with_initial && bookmarks,
        next: store.log(call.kind).partition_point(|change| change.version <= from),
        mark: store.bookmarks().len(),
        delivered: from,
        done: false,
        ends: now + timeout,
        next_bookmark: (last_bookmark > now).then(|| last_bookmark.min(now + BOOKMARK_EVERY)),
        selector,
    };
    let lines = stream::unfold(watch, |mut watch| async { watch.line().await.map(|line| (Ok(line), watch)) });
    Ok(lines.boxed())
}

fn check_options(call: &Call, initial: Option<bool>, bookmarks: bool) -> Result<(), Failure> {
    let matching = call.option("resourceVersionMatch");
    let why = match initial {
        Some(_) if matching != Some("NotOlderThan") => {
            "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        }
        Some(true) if !bookmarks => {
            "allowWatchBookmarks: Forbidden: sendInitialEvents requires setting allowWatchBookmarks to true"
        }
        None if matching.is_some() => {
            "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        }
        _ => return Ok(()),
    };
    Err(options_invalid(why))
}

impl Watch {
    /// The next line; `None` at the end.
    async fn line(&mut self) -> Option<Bytes> {
        let shared = self.shared.clone();
        let mut changed = shared.changed.subscribe();
        loop {
            if self.done {
                return None;
            }
            changed.borrow_and_update();
            let step = self.step(&shared.lock());
            if let Some(line) = self.write(step) {
                return Some(line);
            }
            let bookmark_at = self.next_bookmark.unwrap_or(self.ends);
            tokio::select! {
                _ = changed.changed() => {}
                () = tokio::time::sleep_until(bookmark_at.min(self.ends)) => {
                    if Instant::now() >= self.ends {
                        self.done = true;
                    } else if let Some(line) = self.timed_bookmark() {
                        return Some(line);
                    }
                }
            }
        }
    }

    /// What to tell next.
    fn step(&mut self, state: &State) -> Step {
        if let Some(object) = self.initial.pop_front() {
            return Step::Event("ADDED", object);
        }
        if std::mem::take(&mut self.initial_end) {
            return Step::Bookmark(self.from, true);
        }
        let store = &state.store;
        let log = store.log(self.kind);
        loop {
            let withheld = state.faults.withheld(self.kind.plural);
            let mark = store.bookmarks().get(self.mark).copied();
            if withheld == Withheld::Nothing {
                if log.get(self.next).is_some_and(|change| change.version <= store.lost(self.kind)) {
                    return Step::Expired(self.delivered, store.floor());
                }
                let due = |change: &&Change| mark.is_none_or(|mark| change.version <= mark);
                while let Some(change) = log.get(self.next).filter(due) {
                    self.next += 1;
                    if change.version > self.from {
                        self.delivered = change.version;
                        if let Some(event) = self.event(change) {
                            return event;
                        }
                    }
                }
            }
            let held = self.next < log.len() && withheld != Withheld::Nothing;
            if !held {
                self.delivered = self.delivered.max(mark.unwrap_or(store.version()));
            }
            let Some(mark) = mark else { return Step::Wait };
            self.mark += 1;
            if self.bookmarks && withheld != Withheld::All && mark >= self.from {
                return Step::Bookmark(self.delivered, false);
            }
        }
    }

    /// What a change is to this watch: an object that begins or ceases to match comes or goes.
    fn event(&self, change: &Change) -> Option<Step> {
        let matching =
            |object: &Option<Arc<Value>>| object.clone().filter(|object| self.selector.matches(object));
        match (matching(&change.previous), matching(&change.object)) {
            (None, None) => None,
            (None, Some(object)) => Some(Step::Event("ADDED", object)),
            (Some(_), Some(object)) => Some(Step::Event("MODIFIED", object)),
            (Some(previous), None) => Some(Step::Deleted(previous, change.version)),
        }
    }

    fn write(&mut self, step: Step) -> Option<Bytes> {
        let (kind, object) = match step {
            Step::Event(kind, object) => (kind, self.form.object(&object)),
            Step::Deleted(object, version) => {
                let mut object = self.form.object(&object);
                object["metadata"]["resourceVersion"] = version.to_string().into();
                ("DELETED", object)
            }
            Step::Bookmark(version, initial_end) => {
                ("BOOKMARK", self.form.bookmark(self.kind, version, initial_end))
            }
            Step::Expired(asked, floor) => {
                self.done = true;
                ("ERROR", Failure::too_old(asked, floor).status())
            }
            Step::Wait => return None,
        };
        Some(line(&json!({"type": kind, "object": object})))
    }

    /// The bookmark of each minute, and the one before the end.
    fn timed_bookmark(&mut self) -> Option<Bytes> {
        let last = self.ends - LAST_BOOKMARK;
        let now = Instant::now();
        self.next_bookmark = (last > now).then(|| last.min(now + BOOKMARK_EVERY));
        let state = self.shared.lock();
        let silent = state.faults.withheld(self.kind.plural) == Withheld::All;
        let known = state.store.version() >= self.from;
        drop(state);
        if !self.bookmarks || silent || !known {
            return None;
        }
        self.write(Step::Bookmark(self.delivered, false))
    }
}

//! What the operating system notifies, in terms of manifests.

use std::path::{Path, PathBuf};

use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind};
use notify::{Event, EventKind};

use super::scan;

/// What an event asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// One file is to be read again. `complete` when whoever writes it is through.
    File { path: PathBuf, complete: bool },
    /// Something happened that only looking at the whole directory tells.
    Tree,
    /// The directory itself was moved or deleted: its watch is worth nothing any more.
    Root,
}

/// What an event in `root` asks for; mostly nothing, since reading a file causes events, too.
pub(super) fn signals(root: &Path, event: notify::Result<Event>) -> Vec<Signal> {
    let Ok(event) = event else { return vec![Signal::Tree] };
    if event.need_rescan() || event.paths.is_empty() && !event.kind.is_access() {
        return vec![Signal::Tree];
    }
    let mut signals: Vec<_> = event.paths.iter().filter_map(|path| signal(root, path, &event.kind)).collect();
    signals.dedup();
    signals
}

fn signal(root: &Path, path: &Path, kind: &EventKind) -> Option<Signal> {
    let complete = match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) | EventKind::Modify(ModifyKind::Name(_)) => {
            true
        }
        EventKind::Access(_) => return None,
        _ => false,
    };
    if path == root {
        let lost = matches!(kind, EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)));
        return Some(if lost { Signal::Root } else { Signal::Tree });
    }
    let inside = path.strip_prefix(root).unwrap_or(path);
    let mut names = inside.components().map(|component| component.as_os_str().as_encoded_bytes());
    // `..data` and what it leads to: the files that are links through it change all at once.
    if inside.components().any(|component| component.as_os_str().as_encoded_bytes().starts_with(b"..")) {
        return (!matches!(kind, EventKind::Access(_))).then_some(Signal::Tree);
    }
    if names.any(|name| name.starts_with(b".")) {
        return None;
    }
    let folder = matches!(kind, EventKind::Create(CreateKind::Folder));
    if scan::is_manifest(path) && !folder {
        return Some(Signal::File { path: path.into(), complete });
    }
    match kind {
        // A file that is none of ours was written.
        EventKind::Access(_) | EventKind::Modify(ModifyKind::Data(_)) => None,
        _ => Some(Signal::Tree),
    }
}

#[cfg(test)]
mod tests {
    use notify::event::{DataChange, Flag, RemoveKind, RenameMode};

    use super::*;

    #[test]
    fn only_what_may_change_a_manifest_asks_for_anything() {
        let written = EventKind::Access(AccessKind::Close(AccessMode::Write));
        let opened = EventKind::Access(AccessKind::Open(AccessMode::Any));
        let modified = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        let renamed = EventKind::Modify(ModifyKind::Name(RenameMode::To));
        let removed = EventKind::Remove(RemoveKind::Folder);
        let file = |complete| vec![Signal::File { path: "/m/sub/a.yaml".into(), complete }];
        let cases = [
            ("/m/sub/a.yaml", written, file(true)),
            ("/m/sub/a.yaml", renamed, file(true)),
            ("/m/sub/a.yaml", modified, file(false)),
            ("/m/sub/a.yaml", opened, vec![]),
            ("/m/notes.txt", written, vec![]),
            ("/m/notes.txt", modified, vec![]),
            ("/m/.a.yaml.swp", written, vec![]),
            ("/m/.git/x.yaml", renamed, vec![]),
            ("/m/..data", renamed, vec![Signal::Tree]),
            ("/m/..2024/a.yaml", modified, vec![Signal::Tree]),
            ("/m/sub", EventKind::Create(CreateKind::Folder), vec![Signal::Tree]),
            ("/m/sub", renamed, vec![Signal::Tree]),
            ("/m", removed, vec![Signal::Root]),
        ];
        for (path, kind, want) in cases {
            let event = Event::new(kind).add_path(path.into());
            assert_eq!(signals(Path::new("/m"), Ok(event)), want, "{path} {kind:?}");
        }
        let overflow = Event::new(EventKind::Other).set_flag(Flag::Rescan);
        assert_eq!(signals(Path::new("/m"), Ok(overflow)), [Signal::Tree]);
    }
}

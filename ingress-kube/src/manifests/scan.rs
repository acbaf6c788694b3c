//! The directory on disk: which files there are, and what is in one.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Larger files are refused: no API server takes an object a tenth as large.
const MAX_FILE_LEN: u64 = 32 << 20;
/// How deep directories are followed; a bound on links that lead in circles where they cannot be told.
const MAX_DEPTH: usize = 32;

/// What tells one version of a file, or one directory, from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
    id: Identity,
}

/// What tells a file from another one under the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    created: Option<SystemTime>,
    device_and_inode: (u64, u64),
}

/// What is in a directory and below.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) files: BTreeMap<PathBuf, Stamp>,
    /// Directories below that cannot be read, and why.
    pub(super) faults: Vec<(PathBuf, io::Error)>,
}

/// What a path holds.
#[derive(Debug)]
pub(super) enum Content {
    Text(Stamp, String),
    /// There is no such file any more.
    Gone,
    Unreadable(String),
}

/// Whether a name is one that manifests have.
pub(super) fn is_manifest(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let extension = path.extension().and_then(|extension| extension.to_str());
    !name.starts_with('.') && matches!(extension, Some("yaml" | "yml" | "json"))
}

/// Lists all manifests below `root`.
///
/// # Errors
///
/// When `root` itself cannot be read.
pub(super) fn scan(root: &Path) -> io::Result<Scan> {
    let mut scan = Scan::default();
    let mut above = vec![identity(root)?];
    scan_directory(root, &mut above, &mut scan)?;
    Ok(scan)
}

/// The directory that is at this path now, links followed.
pub(super) fn identity(directory: &Path) -> io::Result<Identity> {
    let metadata = fs::metadata(directory)?;
    if metadata.is_dir() { Ok(Identity::of(&metadata)) } else { Err(io::ErrorKind::NotADirectory.into()) }
}

/// `above` are the directories on the way here: a link to one of them leads in a circle.
fn scan_directory(directory: &Path, above: &mut Vec<Identity>, scan: &mut Scan) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b".")) {
            continue;
        }
        let Ok(metadata) = fs::metadata(&path) else {
            // It went away, or it is a link to nothing; reading it will tell.
            if is_manifest(&path) {
                scan.files.insert(path, Stamp::NONE);
            }
            continue;
        };
        if metadata.is_dir() {
            let identity = Identity::of(&metadata);
            if above.contains(&identity) || above.len() > MAX_DEPTH {
                continue;
            }
            above.push(identity);
            if let Err(error) = scan_directory(&path, above, scan) {
                // A directory that was deleted meanwhile is no fault.
                if error.kind() != io::ErrorKind::NotFound {
                    scan.faults.push((path, error));
                }
            }
            above.pop();
        } else if is_manifest(&path) {
            scan.files.insert(path, Stamp::of(&metadata));
        }
    }
    Ok(())
}

/// Reads what was asked for by name, even if it is no regular file: a pipe ends when its writer says so.
///
/// # Errors
///
/// When it cannot be read.
pub(super) fn read_any(path: &Path) -> io::Result<Content> {
    if fs::metadata(path)?.is_file() {
        let (stamp, bytes) = try_read(path)?;
        return Ok(content(stamp, bytes));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MAX_FILE_LEN + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_LEN { Err(too_large()) } else { Ok(content(Stamp::NONE, bytes)) }
}

fn content(stamp: Stamp, bytes: Vec<u8>) -> Content {
    match String::from_utf8(bytes) {
        Ok(text) => Content::Text(stamp, text),
        Err(_) => Content::Unreadable("the file is not UTF-8 text".into()),
    }
}

/// Reads a file. What is no regular file, such as a pipe, is not opened, since that might never end.
pub(super) fn read(path: &Path) -> Content {
    match try_read(path) {
        Ok((stamp, bytes)) => content(stamp, bytes),
        // A link to nothing is still there; a file that is gone is not.
        Err(error) if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(path).is_err() => {
            Content::Gone
        }
        Err(error) => Content::Unreadable(format!("the file cannot be read: {error}")),
    }
}

fn try_read(path: &Path) -> io::Result<(Stamp, Vec<u8>)> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    if metadata.len() > MAX_FILE_LEN {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default() + 1);
    fs::File::open(path)?.take(MAX_FILE_LEN).read_to_end(&mut bytes)?;
    Ok((Stamp::of(&metadata), bytes))
}

fn too_large() -> io::Error {
    io::Error::other(format!("it is larger than {} MiB", MAX_FILE_LEN >> 20))
}

impl Stamp {
    /// Of something that cannot be looked at.
    pub(super) const NONE: Self =
        Self { modified: None, len: 0, id: Identity { created: None, device_and_inode: (0, 0) } };

    fn of(metadata: &Metadata) -> Self {
        Self { modified: metadata.modified().ok(), len: metadata.len(), id: Identity::of(metadata) }
    }
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let device_and_inode = {
            use std::os::unix::fs::MetadataExt;
            (metadata.dev(), metadata.ino())
        };
        // Without inodes only the time of creation is left, and circles end at the depth limit.
        #[cfg(not(unix))]
        let device_and_inode = (0, 0);
        Self { created: metadata.created().ok(), device_and_inode }
    }
}

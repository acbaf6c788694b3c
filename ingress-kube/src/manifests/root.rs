//! The directory under the name that it was given and under the one that never changes its meaning.

use std::io;
use std::path::{Path, PathBuf};

/// A directory's two names. Everything is looked up and compared under the absolute one, which is also how
/// the operating system notifies; messages show paths the way the user named the directory.
#[derive(Clone, Debug)]
pub(super) struct Root {
    given: PathBuf,
    absolute: PathBuf,
}

impl Root {
    /// Made absolute by its text alone: a link that is put in its place later is followed, too.
    pub(super) fn new(given: PathBuf) -> io::Result<Self> {
        let absolute = std::path::absolute(&given)?;
        Ok(Self { given, absolute })
    }

    pub(super) fn given(&self) -> &Path {
        &self.given
    }

    pub(super) fn absolute(&self) -> &Path {
        &self.absolute
    }

    /// How messages name a path in the directory.
    pub(super) fn shown(&self, path: &Path) -> String {
        let shown = match path.strip_prefix(&self.absolute) {
            Ok(inside) if inside.as_os_str().is_empty() => self.given.clone(),
            Ok(inside) => self.given.join(inside),
            Err(_) => path.to_owned(),
        };
        shown.to_string_lossy().into_owned()
    }

    /// The path that messages name like this.
    pub(super) fn path(&self, shown: &str) -> Option<PathBuf> {
        Path::new(shown).strip_prefix(&self.given).ok().map(|inside| self.absolute.join(inside))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_shown_as_the_directory_was_named() {
        let here = std::env::current_dir().unwrap();
        for (given, inside, shown) in [
            ("m", "m/sub/a.yaml", "m/sub/a.yaml"),
            ("./m", "m/a.yaml", "./m/a.yaml"),
            ("../m/", "../m/a.yaml", "../m/a.yaml"),
            ("m", "m", "m"),
            (".", "a.yaml", "./a.yaml"),
            ("/m", "/m/a.yaml", "/m/a.yaml"),
        ] {
            let root = Root::new(given.into()).unwrap();
            assert!(root.absolute().is_absolute());
            assert_eq!(root.shown(&here.join(inside)), shown, "{given}");
            assert_eq!(root.path(shown).unwrap(), here.join(inside), "{given}");
        }
    }
}

//! The rotated files of a folder of logs, each with its index: which there are, and which go first. It knows no limits of
//! its own, and `current` only by its size.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// What was `current` once: the log file, plain or compressed or for a moment both, and its index.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Rotated {
    pub(super) number: u64,
    /// TIME of its name: text that is in the order of time.
    pub(super) time: String,
    /// Bytes of all of it.
    pub(super) size: u64,
    pub(super) paths: Vec<PathBuf>,
    /// Whether there is more than an index.
    has_log: bool,
}

/// What is in a folder of logs.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// By number, the oldest first.
    pub(super) rotated: Vec<Rotated>,
    /// Bytes of everything else.
    pub(super) others: u64,
}

impl Listing {
    /// Looks into a folder.
    pub(super) fn of(dir: &Path) -> io::Result<Self> {
        let mut found: BTreeMap<u64, Rotated> = BTreeMap::new();
        let mut others = 0;
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            // One that somebody deletes at this moment no longer counts.
            let size = entry.metadata().map_or(0, |data| data.len());
            let name = entry.file_name();
            let Some((time, number, is_log)) = name.to_str().and_then(parts_of) else {
                others += size;
                continue;
            };
            let file = found.entry(number).or_default();
            (file.number, file.time) = (number, time.to_owned());
            file.size += size;
            file.has_log |= is_log;
            file.paths.push(entry.path());
        }
        Ok(Self { rotated: found.into_values().collect(), others })
    }

    /// The newest number.
    pub(super) fn newest(&self) -> Option<u64> {
        self.rotated.last().map(|file| file.number)
    }
}

impl Rotated {
    /// Whether only its index is left.
    pub(super) fn is_orphan(&self) -> bool {
        !self.has_log
    }

    /// Whether it is not compressed, or not yet.
    pub(super) fn is_plain(&self) -> bool {
        self.paths.iter().any(|path| path.extension().is_some_and(|end| end == "log"))
    }

    /// Deletes all of it; the log first, so that an index is never taken for that of nothing.
    pub(super) fn delete(&self) -> io::Result<()> {
        let mut paths: Vec<&PathBuf> = self.paths.iter().collect();
        paths.sort_by_key(|path| path.extension().is_some_and(|end| end == "index"));
        paths.into_iter().try_for_each(|path| match fs::remove_file(path) {
            // Compressing removes the plain file, too.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        })
    }
}

/// TIME, N, and whether it is a log, of `@TIME-N.log`, `@TIME-N.log.zst` and `@TIME-N.index`.
pub(crate) fn parts_of(name: &str) -> Option<(&str, u64, bool)> {
    let rest = name.strip_prefix('@')?;
    let log = rest.strip_suffix(".zst").unwrap_or(rest).strip_suffix(".log");
    let stem = log.or_else(|| rest.strip_suffix(".index"))?;
    let (time, number) = stem.rsplit_once('-')?;
    Some((time, number.parse().ok()?, log.is_some()))
}

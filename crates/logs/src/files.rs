//! The files of one service's log folder, by name. Does not look into them.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::{LogError, content::Content};

/// The file that is written to.
const CURRENT: &str = "current";

/// How often the folder is listed again because a rotation came between.
const LISTINGS: usize = 100;

/// A file that was `current` before.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rotated {
    /// A larger one is newer.
    pub(crate) number: u64,
    /// Where it is; it may become compressed at any moment, which is another name.
    pub(crate) path: PathBuf,
}

impl Rotated {
    /// Whether it is compressed.
    pub(crate) fn is_packed(&self) -> bool {
        self.path.extension().is_some_and(|end| end == "zst")
    }

    /// Opens it; `None` when it is not there (any more).
    pub(crate) fn open(&self) -> Result<Option<Content>, LogError> {
        let plain = without_packed(&self.path);
        if let Some(file) = open(&plain)? {
            return Ok(Some(Content::Plain(file)));
        }
        let packed = packed_beside(&plain);
        let Some(file) = open(&packed)? else { return Ok(None) };
        let failed = |source| LogError::File { act: "read", path: packed, source };
        Content::packed(file).map(Some).map_err(failed)
    }
}

/// What a compressed file's name ends with.
const PACKED: &str = ".zst";

fn without_packed(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    path.with_file_name(name.strip_suffix(PACKED).unwrap_or(&name))
}

fn packed_beside(plain: &Path) -> PathBuf {
    let name = plain.file_name().unwrap_or_default().to_string_lossy().into_owned();
    plain.with_file_name(name + PACKED)
}

/// What a file is, whatever its name: device and inode.
pub(crate) type FileId = (u64, u64);

/// The identity of an open file.
pub(crate) fn file_id(metadata: &fs::Metadata) -> FileId {
    (metadata.dev(), metadata.ino())
}

/// The path of `current`.
pub(crate) fn current_path(dir: &Path) -> PathBuf {
    dir.join(CURRENT)
}

/// A folder with fewer rotated files than this is listed in one step.
const MANY: usize = 100;

/// The rotated files, oldest first; none when there is no such folder.
pub(crate) fn rotated(dir: &Path) -> Result<Vec<Rotated>, LogError> {
    let mut found = list(dir)?;
    for _ in 0..LISTINGS {
        if found.len() < MANY {
            break;
        }
        // While a large folder is listed, a file that becomes compressed may be missed under both of its names.
        let again = list(dir)?;
        let numbers = |files: &[Rotated]| files.iter().map(|file| file.number).collect::<Vec<_>>();
        if numbers(&again) == numbers(&found) {
            break;
        }
        found = again;
    }
    Ok(found)
}

fn list(dir: &Path) -> Result<Vec<Rotated>, LogError> {
    let failed = |source| LogError::File { act: "list", path: dir.to_owned(), source };
    let entries = match fs::read_dir(dir) {
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        if let Some(number) = entry.file_name().to_str().and_then(number_of) {
            found.push(Rotated { number, path: entry.path() });
        }
    }
    found.sort();
    // Between two steps of compressing, a file is there twice.
    found.dedup_by_key(|file| file.number);
    Ok(found)
}

/// Opens a file; `None` when it is not there (any more).
pub(crate) fn open(path: &Path) -> Result<Option<File>, LogError> {
    match File::open(path) {
        Err(error) if is_absent(&error) => Ok(None),
        Err(source) => Err(LogError::File { act: "open", path: path.to_owned(), source }),
        Ok(file) => Ok(Some(file)),
    }
}

/// The rotated files, and `current` as it was when exactly those were there.
pub(crate) fn snapshot(dir: &Path) -> Result<(Vec<Rotated>, Option<File>), LogError> {
    let mut before = rotated(dir)?;
    for _ in 0..LISTINGS {
        let current = open(&current_path(dir))?;
        let after = rotated(dir)?;
        if after.last() == before.last() {
            return Ok((after, current));
        }
        before = after;
    }
    // Rotated faster than a folder can be listed: the oldest of what was seen is as good a start as any.
    Ok((before, None))
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// N of `@TIME-N.log` and of `@TIME-N.log.zst`.
fn number_of(name: &str) -> Option<u64> {
    let name = name.strip_suffix(PACKED).unwrap_or(name);
    let (_, number) = name.strip_prefix('@')?.strip_suffix(".log")?.rsplit_once('-')?;
    number.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_ordered_by_number_and_not_by_time() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "@20260102T000000Z-9.log",
            "@20250102T000000Z-10.log",
            "current",
            "x-1.log",
            "@2-x.log",
            "@20250102T000000Z-10.log.zst",
            "@20250102T000000Z-10.index",
        ] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let numbers: Vec<u64> = rotated(dir.path()).unwrap().iter().map(|file| file.number).collect();
        assert_eq!(numbers, [9, 10]);
        assert!(rotated(&dir.path().join("none")).unwrap().is_empty());
        assert!(rotated(&dir.path().join("current")).unwrap().is_empty());
    }
}

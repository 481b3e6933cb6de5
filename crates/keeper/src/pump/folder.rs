//! The folder of a slot's logs: `current`, the rotated files `@TIME-N.log`, and which of them are kept. It knows nothing of
//! pipes and batches.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use mainstay_host::{private_dir, rename_new};
use mainstay_wire::LogFile;

/// How much of a slot's output is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// `current` is rotated before it exceeds this.
    pub(crate) max_size: u64,
    keep: usize,
    total: u64,
}

impl Limits {
    /// `current` may have half of the total at most, so that there is room for one rotated file, which is always kept.
    pub(crate) fn of(log: &LogFile) -> Self {
        Self {
            max_size: log.max_size.min(log.total / 2).max(1),
            keep: usize::try_from(log.keep).unwrap_or(usize::MAX).max(1),
            total: log.total,
        }
    }
}

/// The folder of a slot's logs.
#[derive(Debug)]
pub(crate) struct Folder {
    dir: PathBuf,
    current: Option<Current>,
    /// The number of the next rotated file, once it is known.
    next_number: Option<u64>,
}

#[derive(Debug)]
struct Current {
    file: File,
    device: u64,
    inode: u64,
}

impl Folder {
    /// The folder; nothing is touched yet.
    pub(crate) fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), current: None, next_number: None }
    }

    /// Its path.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Bytes of `current`, which exists afterwards: the only offset that there is. Asked by path, since others may truncate,
    /// move and delete.
    pub(crate) fn size(&mut self) -> io::Result<u64> {
        match fs::symlink_metadata(self.current_path()) {
            Ok(data) if self.is_open(&data) => return Ok(data.len()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.make_dir()?,
            Err(error) => return Err(error),
        }
        self.open_current()
    }

    fn is_open(&self, data: &fs::Metadata) -> bool {
        self.current.as_ref().is_some_and(|open| open.inode == data.ino() && open.device == data.dev())
    }

    fn make_dir(&self) -> io::Result<()> {
        private_dir(&self.dir).map_err(|error| io::Error::other(crate::report::chain(&error)))
    }

    fn open_current(&mut self) -> io::Result<u64> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(mainstay_host::NO_LINKS)
            .open(self.current_path())?;
        let data = file.metadata()?;
        if !data.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "`current` is no file"));
        }
        self.current = Some(Current { file, device: data.dev(), inode: data.ino() });
        Ok(data.len())
    }

    /// `current` as it was opened by `size`.
    pub(crate) fn file(&self) -> io::Result<&File> {
        self.current.as_ref().map(|current| &current.file).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Whether the byte before this place ends a line.
    pub(crate) fn ends_at_line_end(&self, size: u64) -> bool {
        let mut last = [0];
        let read = self.file().and_then(|file| file.read_exact_at(&mut last, size.saturating_sub(1)));
        read.is_ok() && last == *b"\n"
    }

    /// The number of the next rotated file.
    pub(crate) fn number(&mut self) -> io::Result<u64> {
        if let Some(number) = self.next_number {
            return Ok(number);
        }
        let newest = self.rotated()?.into_iter().map(|file| file.number).max();
        let number = newest.map_or(1, |newest| newest + 1);
        self.next_number = Some(number);
        Ok(number)
    }

    /// Fixes the number of the next rotated file.
    pub(crate) fn set_number(&mut self, number: u64) {
        self.next_number = Some(number);
    }

    /// Forgets what it knows, as after an error.
    pub(crate) fn forget(&mut self) {
        self.current = None;
        self.next_number = None;
    }

    /// Gives `current` its numbered name, in one step and only when that name is free. The next `size` makes a new one.
    pub(crate) fn rotate(&mut self, time: &str, number: u64) -> io::Result<()> {
        crate::fault::point();
        rename_new(&self.current_path(), &self.rotated_path(time, number))?;
        self.current = None;
        self.next_number = Some(number + 1);
        crate::fault::point();
        Ok(())
    }

    /// Bytes of the rotated file of this name, when there is one.
    pub(crate) fn rotated_size(&self, time: &str, number: u64) -> Option<u64> {
        fs::symlink_metadata(self.rotated_path(time, number)).ok().map(|data| data.len())
    }

    /// Deletes the oldest rotated files beyond what is kept; the newest always stays.
    pub(crate) fn prune(&self, limits: Limits) -> io::Result<()> {
        let mut files = self.rotated()?;
        files.sort_by_key(|file| std::cmp::Reverse(file.number));
        let mut used = limits.max_size;
        for (index, file) in files.iter().enumerate() {
            used = used.saturating_add(file.size);
            if index > 0 && (index >= limits.keep || used > limits.total) {
                fs::remove_file(&file.path)?;
            }
        }
        Ok(())
    }

    fn rotated(&self) -> io::Result<Vec<Rotated>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            if let Some(number) = entry.file_name().to_str().and_then(number_of) {
                // One that somebody deletes at this moment no longer counts.
                let size = entry.metadata().map_or(0, |data| data.len());
                files.push(Rotated { number, size, path: entry.path() });
            }
        }
        Ok(files)
    }

    fn current_path(&self) -> PathBuf {
        self.dir.join("current")
    }

    fn rotated_path(&self, time: &str, number: u64) -> PathBuf {
        self.dir.join(format!("@{time}-{number}.log"))
    }
}

struct Rotated {
    number: u64,
    size: u64,
    path: PathBuf,
}

/// N of `@TIME-N.log` and of `@TIME-N.log.zst`.
fn number_of(name: &str) -> Option<u64> {
    let stem = name.strip_prefix('@')?.trim_end_matches(".zst").strip_suffix(".log")?;
    stem.rsplit_once('-')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_and_the_newest_stays() {
        let dir = tempfile::TempDir::new().unwrap();
        let mut folder = Folder::new(dir.path().join("api"));
        for number in 1..=6 {
            assert_eq!(folder.size().unwrap(), 0);
            folder.file().unwrap().write_all_at(b"12345", 0).unwrap();
            assert_eq!(folder.number().unwrap(), number);
            folder.rotate("T", number).unwrap();
        }
        let numbers = |folder: &Folder| {
            let mut numbers: Vec<u64> = folder.rotated().unwrap().iter().map(|file| file.number).collect();
            numbers.sort_unstable();
            numbers
        };
        let limits =
            |max_size, keep, total| Limits::of(&LogFile { dir: String::new(), max_size, keep, total });
        folder.prune(limits(5, 4, 1000)).unwrap();
        assert_eq!(numbers(&folder), [3, 4, 5, 6]);
        folder.prune(limits(5, 4, 16)).unwrap();
        assert_eq!(numbers(&folder), [5, 6]);
        folder.prune(limits(1, 1, 1)).unwrap();
        assert_eq!(numbers(&folder), [6]);
        folder.forget();
        assert_eq!(folder.number().unwrap(), 7);
    }

    #[test]
    fn a_name_that_is_taken_is_never_overwritten() {
        let dir = tempfile::TempDir::new().unwrap();
        let mut folder = Folder::new(dir.path());
        folder.size().unwrap();
        fs::write(dir.path().join("@T-1.log"), "old").unwrap();
        assert!(folder.rotate("T", 1).is_err());
        assert_eq!(fs::read(dir.path().join("@T-1.log")).unwrap(), b"old");
    }

    #[test]
    fn a_file_or_folder_that_vanished_is_made_again() {
        let dir = tempfile::TempDir::new().unwrap();
        let mut folder = Folder::new(dir.path().join("api"));
        folder.size().unwrap();
        folder.file().unwrap().write_all_at(b"12345", 0).unwrap();
        assert_eq!(folder.size().unwrap(), 5);
        fs::remove_dir_all(dir.path().join("api")).unwrap();
        assert_eq!(folder.size().unwrap(), 0);
        assert_eq!(fs::metadata(dir.path().join("api")).unwrap().mode() & 0o777, 0o700);
        fs::rename(dir.path().join("api/current"), dir.path().join("moved")).unwrap();
        assert_eq!(folder.size().unwrap(), 0);
    }
}

//! The folder of a slot's logs: `current` with its index, the rotated files `@TIME-N.log`, and which of them are kept. It
//! knows nothing of pipes and batches.

use std::{
    fs::{self, File},
    io,
    os::{
        fd::AsRawFd,
        unix::fs::{FileExt, MetadataExt},
    },
    path::{Path, PathBuf},
};

use mainstay_host::{open_private, private_dir, rename_new};
use mainstay_wire::{LOG_INDEX_OF_CURRENT, LogFile, LogMark, WireWhenFull};

use super::{
    index::{Index, inode_of},
    rotated::Listing,
};

/// How much of a slot's output is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// `current` is rotated before it exceeds this.
    pub(crate) max_size: u64,
    keep: usize,
    total: u64,
    /// Whether rotated files are compressed.
    pub(crate) compress: bool,
    /// What becomes of output that `current` does not take.
    pub(crate) when_full: WireWhenFull,
    /// Bytes of the files of all slots.
    pub(crate) all_services: Option<u64>,
}

impl Limits {
    /// `current` may have half of the total at most, so that there is room for one rotated file, which is always kept.
    pub(crate) fn of(log: &LogFile) -> Self {
        Self {
            max_size: log.max_size.min(log.total / 2).max(1),
            keep: usize::try_from(log.keep).unwrap_or(usize::MAX).max(1),
            total: log.total,
            compress: log.compress,
            when_full: log.when_full,
            all_services: log.all_services,
        }
    }
}

/// The folder of a slot's logs.
#[derive(Debug)]
pub(crate) struct Folder {
    /// Where it was said to be.
    asked: PathBuf,
    /// Where it is: another path after somebody moved the project.
    dir: PathBuf,
    current: Option<Current>,
    /// The number of the next rotated file, once it is known.
    next_number: Option<u64>,
    /// What somebody else did to `current` while it was open.
    interference: Option<String>,
}

#[derive(Debug)]
struct Current {
    file: File,
    device: u64,
    inode: u64,
    /// Its size when it was last asked for or written to.
    size: u64,
    /// It was made just now: an index that is there is another file's.
    is_new: bool,
    index: IndexState,
}

#[derive(Debug)]
enum IndexState {
    Closed,
    Open(Index),
    /// It cannot be written; there will be another one with the next file.
    Failed,
}

impl Folder {
    /// The folder; nothing is touched yet.
    pub(crate) fn new(dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        Self { asked: dir.clone(), dir, current: None, next_number: None, interference: None }
    }

    /// The path that it was made with.
    pub(crate) fn asked_dir(&self) -> &Path {
        &self.asked
    }

    /// Its path.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Bytes of `current`, which exists afterwards: the only offset that there is. Asked by path, since others may truncate,
    /// move and delete.
    pub(crate) fn size(&mut self) -> io::Result<u64> {
        let is_new = match fs::symlink_metadata(self.current_path()) {
            Ok(data) if self.is_open(&data) => return Ok(self.looked_at(data.len())),
            // Another file in the place of ours was put there by somebody.
            Ok(_) => {
                self.see_interference("another file was put in its place");
                self.current.is_some()
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if let Some(size) = self.follow_move() {
                    return Ok(self.looked_at(size));
                }
                self.see_interference("it was moved or deleted");
                self.make_dir()?;
                true
            }
            Err(error) => return Err(error),
        };
        self.open_current(is_new)
    }

    /// A file that is shorter than it was, somebody has truncated; its index goes with what it was about.
    fn looked_at(&mut self, size: u64) -> u64 {
        if let Some(current) = &mut self.current {
            if size < current.size {
                let text = format!("it was truncated from {} to {size} bytes", current.size);
                self.interference = Some(text);
                if let IndexState::Open(index) = &mut current.index
                    && index.cut(size).is_err()
                {
                    current.index = IndexState::Failed;
                }
            }
            current.size = size;
        }
        size
    }

    /// `current` was written to, up to this place.
    pub(crate) fn wrote(&mut self, size: u64) {
        if let Some(current) = &mut self.current {
            current.size = size;
        }
    }

    fn see_interference(&mut self, text: &str) {
        if self.current.is_some() {
            self.interference = Some(text.to_owned());
        }
    }

    /// What somebody else did to `current` since this was last asked.
    pub(crate) fn take_interference(&mut self) -> Option<String> {
        self.interference.take()
    }

    /// Notes in the index what begins at this place. Best effort: an index is a hint.
    pub(crate) fn note(&mut self, mark: LogMark) {
        self.open_index();
        if let Some(Current { index: state @ IndexState::Open(_), .. }) = &mut self.current
            && let IndexState::Open(index) = state
            && index.note(mark).is_err()
        {
            *state = IndexState::Failed;
        }
    }

    fn open_index(&mut self) {
        let path = self.dir.join(LOG_INDEX_OF_CURRENT);
        let Some(current) = self.current.as_ref().filter(|it| matches!(it.index, IndexState::Closed)) else {
            return;
        };
        if current.is_new {
            self.put_away_index(&path);
        }
        let opened = Index::open(&path, current.inode, current.size);
        if let Some(current) = &mut self.current {
            current.index = opened.map_or(IndexState::Failed, IndexState::Open);
        }
    }

    /// An index without its log: that of the newest rotated file, when a keeper was killed between two renames.
    fn put_away_index(&self, path: &Path) {
        let Some(inode) = inode_of(path) else { return };
        let newest = Listing::of(&self.dir).ok().and_then(|mut listing| listing.rotated.pop());
        let log = newest.as_ref().and_then(|file| match file.paths.as_slice() {
            [log] if !file.is_orphan() => Some(log),
            _ => None,
        });
        let is_its_own = |log: &&PathBuf| fs::symlink_metadata(log).is_ok_and(|data| data.ino() == inode);
        let _ = match log.filter(is_its_own) {
            Some(log) => fs::rename(path, log.with_extension("index")),
            None => fs::remove_file(path),
        };
    }

    /// Lets the files go until something comes for them.
    pub(crate) fn close(&mut self) {
        self.current = None;
    }

    /// Ends a line whose rest was dropped. Best effort.
    pub(crate) fn end_line(&mut self) {
        if let Ok(size @ 1..) = self.size()
            && !self.ends_at_line_end(size)
        {
            let _ = self.file().and_then(|file| file.write_all_at(b"\n", size));
        }
    }

    fn is_open(&self, data: &fs::Metadata) -> bool {
        self.current.as_ref().is_some_and(|open| open.inode == data.ino() && open.device == data.dev())
    }

    /// When a folder further up was moved, `current` and this folder have kept their names, and the path by which the kernel
    /// knows the open file is the new one. Made again at the old place, logs would be in two places.
    fn follow_move(&mut self) -> Option<u64> {
        if self.dir.exists() {
            return None;
        }
        let open = self.current.as_ref()?;
        let path = fs::read_link(format!("/proc/self/fd/{}", open.file.as_raw_fd())).ok()?;
        let dir = path.parent().filter(|dir| dir.file_name() == self.dir.file_name())?;
        let data = fs::symlink_metadata(dir.join("current")).ok()?;
        if !self.is_open(&data) {
            return None;
        }
        self.dir = dir.to_owned();
        Some(data.len())
    }

    fn make_dir(&self) -> io::Result<()> {
        private_dir(&self.dir).map_err(|error| io::Error::other(crate::report::chain(&error)))
    }

    fn open_current(&mut self, is_new: bool) -> io::Result<u64> {
        let file = open_private(&self.current_path())?;
        let data = file.metadata()?;
        if !data.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "`current` is no file"));
        }
        let (device, inode, size) = (data.dev(), data.ino(), data.len());
        self.current = Some(Current { file, device, inode, size, is_new, index: IndexState::Closed });
        Ok(size)
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
        let newest = Listing::of(&self.dir)?.newest();
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
        // Whose index is there shows while the log still has its name.
        if self.dir.join(LOG_INDEX_OF_CURRENT).exists() {
            self.open_index();
        }
        let to = self.rotated_path(time, number);
        rename_new(&self.current_path(), &to)?;
        crate::fault::point();
        let _ = fs::rename(self.dir.join(LOG_INDEX_OF_CURRENT), to.with_extension("index"));
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
    ///
    /// With compression the one before it, which was the newest until now, is about to become small, so that its size is
    /// looked at with the next rotation. Meanwhile it has the room that is reserved for `current`, which is empty now.
    pub(crate) fn prune(&self, limits: Limits) -> io::Result<()> {
        let files = Listing::of(&self.dir)?.rotated;
        let mut used = limits.max_size;
        for (index, file) in files.iter().filter(|file| !file.is_orphan()).rev().enumerate() {
            let is_shrinking = limits.compress && index == 1 && file.is_plain();
            used = used.saturating_add(if is_shrinking { 0 } else { file.size });
            if index > 0 && (index >= limits.keep || used > limits.total) {
                file.delete()?;
            }
        }
        files.iter().filter(|file| file.is_orphan()).try_for_each(super::rotated::Rotated::delete)
    }

    fn current_path(&self) -> PathBuf {
        self.dir.join("current")
    }

    fn rotated_path(&self, time: &str, number: u64) -> PathBuf {
        self.dir.join(format!("@{time}-{number}.log"))
    }
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
            Listing::of(folder.dir()).unwrap().rotated.iter().map(|file| file.number).collect::<Vec<_>>()
        };
        let limits =
            |max_size, keep, total| Limits::of(&LogFile { max_size, keep, total, ..LogFile::default() });
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
    fn what_is_about_to_be_compressed_takes_nobodys_place() {
        let dir = tempfile::TempDir::new().unwrap();
        let folder = Folder::new(dir.path());
        let names = |of: &[u64]| -> Vec<String> {
            let names = of.iter().map(|number| format!("@T-{number}.log"));
            names
                .filter(|name| {
                    [name.clone(), format!("{name}.zst")].iter().any(|name| dir.path().join(name).exists())
                })
                .collect()
        };
        let log = LogFile { max_size: 50, keep: 4, total: 150, compress: true, ..LogFile::default() };
        // Each rotation finds those before the last two compressed.
        for number in 1..=9_u64 {
            fs::write(dir.path().join(format!("@T-{number}.log")), [b'x'; 50]).unwrap();
            fs::write(dir.path().join(format!("@T-{number}.index")), [b'x'; 3]).unwrap();
            folder.prune(Limits::of(&log)).unwrap();
            if number > 1 && dir.path().join(format!("@T-{}.log", number - 1)).exists() {
                fs::write(dir.path().join(format!("@T-{}.log.zst", number - 1)), [b'x'; 5]).unwrap();
                fs::remove_file(dir.path().join(format!("@T-{}.log", number - 1))).unwrap();
            }
        }
        assert_eq!(names(&[1, 2, 3, 4, 5, 6, 7, 8, 9]), names(&[6, 7, 8, 9]));
        assert_eq!(names(&[6, 7, 8, 9]).len(), 4);
        // Where they come faster than that, there is one more than the total has room for.
        for number in 10..=14 {
            fs::write(dir.path().join(format!("@T-{number}.log")), [b'x'; 50]).unwrap();
        }
        folder.prune(Limits::of(&log)).unwrap();
        assert_eq!(names(&[9, 10, 11, 12, 13, 14]), names(&[12, 13, 14]));
        folder.prune(Limits::of(&LogFile { compress: false, ..log })).unwrap();
        assert_eq!(names(&[9, 10, 11, 12, 13, 14]), names(&[13, 14]));
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
        assert_eq!(folder.take_interference(), None);
        fs::remove_dir_all(dir.path().join("api")).unwrap();
        assert_eq!(folder.size().unwrap(), 0);
        assert_eq!(folder.take_interference().as_deref(), Some("it was moved or deleted"));
        assert_eq!(fs::metadata(dir.path().join("api")).unwrap().mode() & 0o777, 0o700);
        fs::rename(dir.path().join("api/current"), dir.path().join("moved")).unwrap();
        assert_eq!(folder.size().unwrap(), 0);
        assert!(folder.take_interference().is_some());
        folder.rotate("T", 1).unwrap();
        assert_eq!(folder.size().unwrap(), 0);
        assert_eq!(folder.take_interference(), None, "it was us");
    }

    #[test]
    fn what_others_do_to_the_file_is_seen_once() {
        let dir = tempfile::TempDir::new().unwrap();
        let mut folder = Folder::new(dir.path());
        folder.size().unwrap();
        folder.file().unwrap().write_all_at(b"12345", 0).unwrap();
        folder.wrote(5);
        let current = dir.path().join("current");
        File::options().write(true).open(&current).unwrap().set_len(2).unwrap();
        assert_eq!(folder.size().unwrap(), 2);
        assert_eq!(folder.take_interference().as_deref(), Some("it was truncated from 5 to 2 bytes"));
        assert_eq!(folder.size().unwrap(), 2);
        assert_eq!(folder.take_interference(), None);
        fs::write(dir.path().join("other"), "").unwrap();
        fs::rename(dir.path().join("other"), &current).unwrap();
        assert_eq!(folder.size().unwrap(), 0);
        assert_eq!(folder.take_interference().as_deref(), Some("another file was put in its place"));
    }

    #[test]
    fn a_folder_that_was_moved_with_all_above_it_is_followed() {
        let dir = tempfile::TempDir::new().unwrap();
        let (old, new) = (dir.path().join("shop/logs/api"), dir.path().join("shop2/logs/api"));
        let mut folder = Folder::new(&old);
        folder.size().unwrap();
        folder.file().unwrap().write_all_at(b"12345", 0).unwrap();
        fs::rename(dir.path().join("shop"), dir.path().join("shop2")).unwrap();
        assert_eq!(folder.size().unwrap(), 5);
        assert_eq!((folder.dir(), folder.asked_dir()), (&*new, &*old));
        assert_eq!(folder.number().unwrap(), 1);
        folder.rotate("T", 1).unwrap();
        assert_eq!(folder.size().unwrap(), 0);
        assert!(new.join("current").exists() && new.join("@T-1.log").exists() && !old.exists());
        // One that only this folder was given is no such move.
        fs::rename(&new, dir.path().join("shop2/logs/old")).unwrap();
        assert_eq!(folder.size().unwrap(), 0);
        assert!(new.join("current").exists());
    }
}

//! The side index of `current`: which byte was seen when, in which run. It is a hint for those who read: nothing that is
//! written depends on it, and whatever is wrong with it is thrown away.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use mainstay_host::{Durability, open_private, write_atomic};
use mainstay_wire::{LOG_INDEX_RECORD, LogIndexHeader, LogMark, LogMarkKind};

/// A mark is not followed by another one of the same run within this time: a hundred a second are 2.4 KB.
const PAUSE_NS: u64 = 10_000_000;

/// Bytes of the header, and of a mark.
const RECORD: u64 = LOG_INDEX_RECORD as u64;

/// The longest index. One that would be longer forgets the older half of its marks: a service that starts and ends all the time
/// without a word never has its log rotated.
const INDEX_LIMIT: u64 = 16 * 1024 * 1024;

/// An open index.
#[derive(Debug)]
pub(super) struct Index {
    file: File,
    path: PathBuf,
    inode: u64,
    limit: u64,
    /// Where the next mark goes.
    end: u64,
    last: Option<LogMark>,
}

impl Index {
    /// Opens the index at this path for a log file with this inode and of this size. One of another log file is begun anew.
    pub(super) fn open(path: &Path, inode: u64, size: u64) -> io::Result<Self> {
        let file = open_private(path)?;
        let end = file.metadata()?.len();
        let path = path.to_owned();
        let mut index = Self { file, path, inode, limit: INDEX_LIMIT, end: end - end % RECORD, last: None };
        if index.header() == Some(LogIndexHeader { inode }) {
            index.drop_marks(|mark| mark.offset > size)?;
        } else {
            index.file.set_len(0)?;
            index.file.write_all_at(&LogIndexHeader { inode }.to_bytes(), 0)?;
            index.end = RECORD;
        }
        Ok(index)
    }

    fn header(&self) -> Option<LogIndexHeader> {
        let mut bytes = [0; LOG_INDEX_RECORD];
        self.file.read_exact_at(&mut bytes, 0).ok()?;
        LogIndexHeader::from_bytes(&bytes)
    }

    /// Somebody made the log file shorter: marks of what is gone go too.
    pub(super) fn cut(&mut self, size: u64) -> io::Result<()> {
        self.drop_marks(|mark| mark.offset >= size)
    }

    /// Drops marks at the end that are wrong, or none.
    fn drop_marks(&mut self, is_wrong: impl Fn(&LogMark) -> bool) -> io::Result<()> {
        let before = self.end;
        let mut bytes = [0; LOG_INDEX_RECORD];
        self.last = None;
        while self.end > RECORD {
            self.file.read_exact_at(&mut bytes, self.end - RECORD)?;
            self.last = LogMark::from_bytes(&bytes).filter(|mark| !is_wrong(mark));
            if self.last.is_some() {
                break;
            }
            self.end -= RECORD;
        }
        if self.end < before { self.file.set_len(self.end) } else { Ok(()) }
    }

    /// Appends a mark, unless the last one says as much.
    pub(super) fn note(&mut self, mark: LogMark) -> io::Result<()> {
        if self.last.is_some_and(|last| says_as_much(last, mark)) {
            return Ok(());
        }
        if self.end + RECORD > self.limit {
            self.forget_half()?;
        }
        self.file.write_all_at(&mark.to_bytes(), self.end)?;
        self.end += RECORD;
        self.last = Some(mark);
        Ok(())
    }
}

impl Index {
    /// Lines before the first mark are of unknown time. Whoever reads meanwhile reads the index as it was.
    fn forget_half(&mut self) -> io::Result<()> {
        let marks = (self.end - RECORD) / RECORD;
        let kept = usize::try_from((marks - marks / 2) * RECORD).map_err(io::Error::other)?;
        let mut bytes = LogIndexHeader { inode: self.inode }.to_bytes().to_vec();
        bytes.resize(bytes.len() + kept, 0);
        let (_, rest) = bytes.split_at_mut(LOG_INDEX_RECORD);
        self.file.read_exact_at(rest, self.end - kept as u64)?;
        write_atomic(&self.path, &bytes, Durability::Renamed).map_err(io::Error::other)?;
        self.file = open_private(&self.path)?;
        self.end = bytes.len() as u64;
        Ok(())
    }
}

fn says_as_much(last: LogMark, next: LogMark) -> bool {
    // A clock that was set back makes a new mark as well.
    next.kind == LogMarkKind::Output
        && last.kind != LogMarkKind::End
        && next.run == last.run
        && next.stream == last.stream
        && next.time_ns.checked_sub(last.time_ns).is_some_and(|passed| passed < PAUSE_NS)
}

/// Whose index lies at this path: the inode of its log file.
pub(super) fn inode_of(path: &Path) -> Option<u64> {
    let mut bytes = [0; LOG_INDEX_RECORD];
    File::open(path).ok()?.read_exact_at(&mut bytes, 0).ok()?;
    LogIndexHeader::from_bytes(&bytes).map(|header| header.inode)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(offset: u64, millis: u64, run: u64) -> LogMark {
        LogMark { offset, time_ns: millis * 1_000_000, run, kind: LogMarkKind::Output, stream: None }
    }

    fn marks(path: &Path) -> Vec<LogMark> {
        let bytes = std::fs::read(path).unwrap();
        bytes.chunks(LOG_INDEX_RECORD).skip(1).filter_map(LogMark::from_bytes).collect()
    }

    #[test]
    fn of_too_many_marks_the_older_half_is_forgotten() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("current.index");
        let mut index = Index::open(&path, 7, 0).unwrap();
        index.limit = 11 * RECORD;
        // Runs that say nothing: the log stays as it is.
        for run in 1..=13 {
            index.note(LogMark { kind: LogMarkKind::Start, ..mark(0, run * 100, run) }).unwrap();
        }
        let runs: Vec<u64> = marks(&path).iter().map(|mark| mark.run).collect();
        assert_eq!(runs, [6, 7, 8, 9, 10, 11, 12, 13]);
        drop(index);
        let index = Index::open(&path, 7, 0).unwrap();
        assert_eq!((index.end, index.last.map(|last| last.run)), (9 * RECORD, Some(13)));
        const { assert!(INDEX_LIMIT > 100_000 * RECORD) };
    }

    #[test]
    fn marks_come_at_most_every_ten_milliseconds_and_for_each_run() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("current.index");
        let mut index = Index::open(&path, 7, 0).unwrap();
        let wanted = [mark(0, 100, 1), mark(50, 110, 1), mark(60, 111, 2), mark(70, 5, 2)];
        for mark in [wanted[0], mark(10, 105, 1), wanted[1], mark(55, 111, 1), wanted[2], wanted[3]] {
            index.note(mark).unwrap();
        }
        let end = LogMark { kind: LogMarkKind::End, ..mark(80, 5, 2) };
        index.note(end).unwrap();
        index.note(mark(80, 6, 2)).unwrap();
        assert_eq!(marks(&path), [&wanted[..], &[end, mark(80, 6, 2)]].concat());
        assert_eq!(inode_of(&path), Some(7));
    }

    #[test]
    fn a_torn_or_strange_index_is_cut_or_begun_anew() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("current.index");
        let mut index = Index::open(&path, 7, 0).unwrap();
        for number in 1..=5 {
            index.note(mark(number * 100, number * 100, 1)).unwrap();
        }
        // Torn, and of a log that lost its end.
        std::fs::write(&path, [std::fs::read(&path).unwrap(), vec![1, 2, 3]].concat()).unwrap();
        let mut index = Index::open(&path, 7, 300).unwrap();
        assert_eq!(marks(&path).len(), 3);
        index.note(mark(301, 900, 1)).unwrap();
        assert_eq!(marks(&path).last(), Some(&mark(301, 900, 1)));
        index.cut(0).unwrap();
        assert!(marks(&path).is_empty());
        index.note(mark(0, 901, 1)).unwrap();
        // Of another file.
        Index::open(&path, 8, 1000).unwrap();
        assert!(marks(&path).is_empty() && inode_of(&path) == Some(8));
        std::fs::write(&path, "no index at all, and longer than a header").unwrap();
        Index::open(&path, 8, 1000).unwrap().note(mark(5, 5, 5)).unwrap();
        assert_eq!(marks(&path), [mark(5, 5, 5)]);
    }
}

//! Reading the index of a log file: when a place was written, and in which run. An index that is missing, torn or another
//! file's has no marks, and that is no error.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::Path,
};

use mainstay_wire::{LOG_INDEX_RECORD, LogIndexHeader, LogMark, LogStream, log_index_name};

use crate::files::{FileId, rotated};

/// Marks read at once.
const BLOCK: u64 = 256;

/// Bytes of a mark.
const RECORD: u64 = LOG_INDEX_RECORD as u64;

/// When a line was written, and in which run; as far as that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Nanoseconds since the Unix epoch.
    pub(crate) time_ns: Option<u64>,
    pub(crate) run: Option<u64>,
    /// By which stream it came, when that is one of two.
    pub(crate) stream: Option<LogStream>,
}

/// The marks of one log file.
#[derive(Debug)]
pub(crate) struct Marks {
    file: File,
    count: u64,
    /// Marks from `block_at` on, as bytes.
    block: Vec<u8>,
    block_at: u64,
}

impl Marks {
    /// The index of a rotated file, by the name of that.
    pub(crate) fn of_rotated(log: &Path) -> Option<Self> {
        let name = log_index_name(log.file_name()?.to_str()?)?;
        Self::open(&log.with_file_name(name)).map(|(marks, _)| marks)
    }

    /// The index of an open file that is, or was just now, `current` in this folder.
    pub(crate) fn of_current(dir: &Path, id: FileId) -> Option<Self> {
        let (_, inode) = id;
        if let Some((marks, LogIndexHeader { inode: of })) = Self::open(&dir.join(log_index_name("current")?))
            && of == inode
        {
            return Some(marks);
        }
        let files = rotated(dir).ok()?;
        let is_it = |path: &Path| fs::metadata(path).is_ok_and(|data| crate::files::file_id(&data) == id);
        let file = files.into_iter().rev().find(|file| is_it(&file.path))?;
        Self::of_rotated(&file.path)
    }

    fn open(path: &Path) -> Option<(Self, LogIndexHeader)> {
        let file = File::open(path).ok()?;
        let mut header = [0; LOG_INDEX_RECORD];
        file.read_exact_at(&mut header, 0).ok()?;
        let header = LogIndexHeader::from_bytes(&header)?;
        let mut marks = Self { file, count: 0, block: Vec::new(), block_at: 0 };
        marks.refresh();
        Some((marks, header))
    }

    /// Looks how many there are now.
    pub(crate) fn refresh(&mut self) {
        let length = self.file.metadata().map_or(0, |data| data.len());
        let count = (length / RECORD).saturating_sub(1);
        if count != self.count {
            self.count = count;
            self.block.clear();
        }
    }

    /// The record of this number, or the next one that is a mark, with its number.
    pub(crate) fn at_or_after(&mut self, number: u64) -> Option<(u64, LogMark)> {
        (number..self.count).find_map(|number| Some((number, self.get(number)?)))
    }

    /// The last one.
    pub(crate) fn last(&mut self) -> Option<LogMark> {
        self.before(self.count)
    }

    /// The last one before this record.
    pub(crate) fn before(&mut self, number: u64) -> Option<LogMark> {
        (0..number).rev().find_map(|number| self.get(number))
    }

    fn get(&mut self, number: u64) -> Option<LogMark> {
        let place = |at: u64| usize::try_from(at * RECORD).unwrap_or(usize::MAX);
        let is_here = number >= self.block_at && place(number + 1 - self.block_at) <= self.block.len();
        if !is_here {
            self.block_at = number - number % BLOCK;
            self.block.resize(place(BLOCK.min(self.count.saturating_sub(self.block_at))), 0);
            if self.file.read_exact_at(&mut self.block, (self.block_at + 1) * RECORD).is_err() {
                self.block.clear();
            }
        }
        let at = place(number - self.block_at);
        LogMark::from_bytes(self.block.get(at..at + LOG_INDEX_RECORD)?)
    }

    /// The number of the first mark that is not before; all marks that are before come first.
    pub(crate) fn first_not(&mut self, is_before: impl Fn(&LogMark) -> bool) -> u64 {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.at_or_after(middle).filter(|(number, _)| *number < high) {
                Some((number, mark)) if is_before(&mark) => low = number + 1,
                Some(_) | None => high = middle,
            }
        }
        low
    }
}

/// Walks over the marks of a file as its lines are read.
#[derive(Debug, Default)]
pub(crate) struct Cursor {
    marks: Option<Marks>,
    /// The mark that holds here.
    here: Option<LogMark>,
    /// The number of the record after it.
    next: u64,
    /// The mark after it, once it was looked for.
    after: Option<LogMark>,
}

impl Cursor {
    pub(crate) fn new(marks: Option<Marks>) -> Self {
        let mut cursor = Self { marks, ..Self::default() };
        cursor.look_ahead();
        cursor
    }

    /// Goes to this place.
    pub(crate) fn seek(&mut self, offset: u64) {
        if let Some(marks) = &mut self.marks {
            let next = marks.first_not(|mark| mark.offset <= offset);
            (self.here, self.next) = (marks.before(next), next);
            self.look_ahead();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.marks.is_none()
    }

    /// There may be more marks by now.
    pub(crate) fn refresh(&mut self) {
        if let Some(marks) = &mut self.marks {
            marks.refresh();
        }
        if self.after.is_none() {
            self.look_ahead();
        }
    }

    fn look_ahead(&mut self) {
        let found = self.marks.as_mut().and_then(|marks| marks.at_or_after(self.next));
        self.after = found.map(|(number, mark)| {
            self.next = number;
            mark
        });
    }

    /// What is known of this place; places only grow.
    pub(crate) fn at(&mut self, offset: u64) -> Stamp {
        while let Some(after) = self.after.filter(|after| after.offset <= offset) {
            self.here = Some(after);
            self.next += 1;
            self.look_ahead();
        }
        let known = self.here;
        Stamp {
            time_ns: known.map(|mark| mark.time_ns),
            run: known.map(|mark| mark.run).filter(|run| *run > 0),
            stream: known.and_then(|mark| mark.stream),
        }
    }

    /// When what is read next was written: as `at`, or not after what the next mark says.
    pub(crate) fn time_at(&mut self, offset: u64) -> Option<u64> {
        self.at(offset).time_ns.or(self.after.map(|mark| mark.time_ns))
    }

    /// The first place after this one that was written later than that.
    pub(crate) fn first_later(&mut self, offset: u64, than_ns: u64) -> Option<u64> {
        self.at(offset);
        let mut number = self.next;
        let marks = self.marks.as_mut()?;
        while let Some((at, mark)) = marks.at_or_after(number) {
            if mark.time_ns > than_ns && mark.offset > offset {
                return Some(mark.offset);
            }
            number = at + 1;
        }
        None
    }

    /// Starts over, as the file did.
    pub(crate) fn restart(&mut self) {
        (self.here, self.next) = (None, 0);
        if let Some(marks) = &mut self.marks {
            marks.refresh();
        }
        self.look_ahead();
    }
}

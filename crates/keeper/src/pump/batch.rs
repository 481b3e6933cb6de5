//! The buffer that outlives a keeper: its form, and what a new keeper does with a batch that it finds in it.
//!
//! Bytes that were read from a pipe are gone from there. From then on, until they are in a log file, they must be
//! somewhere that survives `kill -9`. So they are read straight into a file on tmpfs that is mapped here, and the header
//! before them says how far the batch came:
//!
//! - `state` 1 is stored after where the batch shall go (slot, folder, size of the log file, number for the next rotated
//!   file), and before the `read`. `count` follows the `read` at once.
//! - The bytes of an unused buffer are 0xFF, which no UTF-8 text holds: a keeper killed between the `read` and the storing
//!   of `count` left bytes up to the last one that is not 0xFF.
//! - How much of a batch was written is not noted anywhere: the size of the log file says it, together with which rotated
//!   files exist. The name of a rotated file is fixed before the batch begins: `@TIME-N.log`, where TIME is when the batch
//!   began and N is the number in the header, which only grows within a folder. So when the file of that name exists, this
//!   batch made it.
//! - `state` 0 is stored after everything was written and the bytes are 0xFF again.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    os::{fd::AsFd, unix::fs::OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use mainstay_host::{Found, NO_LINKS, SharedBuffer, utc_stamp};
use mainstay_wire::{LATER_HELP, LogMark, LogMarkKind, LogStream};

/// Bytes of one batch.
pub(crate) const BATCH_BYTES: usize = 256 * 1024;

/// The version of the form that this file tells of, also for what is set aside.
const VERSION: u64 = 1;

/// "mainst" and the version.
const MARK: u64 = 0x6d61_696e_7374_0000 | VERSION;

/// Those bits of the mark that are the version.
const VERSION_BITS: u64 = 0xffff;

/// The buffer's file in its folder.
pub(crate) const FILE: &str = "pump";

const MARK_AT: usize = 0;
const STATE_AT: usize = 8;
const COUNT_AT: usize = 16;
const SIZE_AT: usize = 24;
const NUMBER_AT: usize = 32;
const SEQUENCE_AT: usize = 40;
const LIMIT_AT: usize = 48;
const STAMP_AT: usize = 56;
const SLOT_LENGTH_AT: usize = 64;
const DIR_LENGTH_AT: usize = 72;
const RUN_AT: usize = 80;
const SEEN_AT: usize = 88;
const STREAM_AT: usize = 96;
const SLOT_AT: usize = 128;
const DIR_AT: usize = 4096;

/// The longest name of a slot, in bytes.
pub(crate) const SLOT_NAME_LIMIT: usize = 255;

/// The longest path of a folder, in bytes.
pub(crate) const DIR_LIMIT: usize = 4096;

const DATA_AT: usize = DIR_AT + DIR_LIMIT;

/// What is never part of a text.
const EMPTY: u8 = 0xFF;

/// Where a batch goes, fixed before it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    /// The slot.
    pub(crate) slot: String,
    /// The folder of its logs.
    pub(crate) dir: PathBuf,
    /// Bytes of `current` before the batch.
    pub(crate) size: u64,
    /// The number of the next rotated file.
    pub(crate) number: u64,
    /// When `current` is rotated.
    pub(crate) limit: u64,
    /// Seconds since the epoch, for the names of rotated files.
    pub(crate) stamp: u64,
    /// When it was seen, in nanoseconds since the epoch, whose it is, and which of two streams: for the index alone.
    pub(crate) seen: u64,
    pub(crate) run: u64,
    pub(crate) stream: Option<LogStream>,
}

impl Destination {
    /// The TIME in names of rotated files.
    pub(crate) fn time(&self) -> String {
        utc_stamp(Duration::from_secs(self.stamp))
    }

    /// What the index says of a part of the batch that begins at this place.
    pub(crate) fn mark(&self, offset: u64) -> LogMark {
        let Self { seen, run, stream, .. } = *self;
        LogMark { offset, time_ns: seen, run, kind: LogMarkKind::Output, stream }
    }
}

/// A batch that a dead keeper left.
#[derive(Debug)]
pub(crate) struct LeftBatch {
    pub(crate) to: Destination,
    pub(crate) sequence: u64,
    pub(crate) count: usize,
}

/// Whether nothing of a batch that was left is to be written: there is nothing, or all of it is aside.
pub fn is_settled(count: usize, sequence: u64, aside: Option<u64>) -> bool {
    count == 0 || aside == Some(sequence)
}

/// Whether a buffer in this folder, if there is one, is one that this program can read.
///
/// # Errors
/// It is not: why, in one clause.
pub(crate) fn check_buffer(dir: &Path) -> Result<(), String> {
    let mut mark = [0; 8];
    let begun = open_reading(&dir.join(FILE)).and_then(|mut file| file.read_exact(&mut mark));
    let mark = u64::from_le_bytes(mark);
    // What cannot be read is told by whoever maps it.
    if begun.is_err() || mark == MARK || mark & !VERSION_BITS != MARK & !VERSION_BITS {
        return Ok(());
    }
    let version = mark & VERSION_BITS;
    Err(format!("it is of version {version} of the log buffer, this program knows {VERSION}; {LATER_HELP}"))
}

fn open_reading(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(NO_LINKS).open(path)
}

/// The buffer.
#[derive(Debug)]
pub(crate) struct Batch {
    buffer: SharedBuffer,
    /// Whose names are in the header.
    named: Option<(String, PathBuf)>,
}

impl Batch {
    /// Maps the buffer in this folder; what is none is made anew.
    ///
    /// # Errors
    /// It is of another version, and may hold output that is nowhere else; or it cannot be mapped.
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        check_buffer(dir).map_err(io::Error::other)?;
        let (mut buffer, found) = SharedBuffer::open(&dir.join(FILE), DATA_AT + BATCH_BYTES)?;
        if found == Found::Fresh || buffer.load(MARK_AT) != MARK {
            buffer.store(MARK_AT, 0);
            buffer.fill(8, DATA_AT - 8, 0);
            buffer.fill(DATA_AT, BATCH_BYTES, EMPTY);
            buffer.store(MARK_AT, MARK);
        }
        Ok(Self { buffer, named: None })
    }

    /// Whether it is locked into memory.
    pub(crate) fn is_locked(&self) -> bool {
        self.buffer.is_locked()
    }

    /// The batch that a keeper before us did not finish.
    pub(crate) fn left(&self) -> Option<LeftBatch> {
        if self.buffer.load(STATE_AT) == 0 {
            return None;
        }
        let count = usize::try_from(self.buffer.load(COUNT_AT)).unwrap_or(0).min(BATCH_BYTES);
        Some(LeftBatch {
            to: Destination {
                slot: self.text(SLOT_AT, SLOT_LENGTH_AT, SLOT_NAME_LIMIT),
                dir: PathBuf::from(self.text(DIR_AT, DIR_LENGTH_AT, DIR_LIMIT)),
                size: self.buffer.load(SIZE_AT),
                number: self.buffer.load(NUMBER_AT),
                limit: self.buffer.load(LIMIT_AT),
                stamp: self.buffer.load(STAMP_AT),
                seen: self.buffer.load(SEEN_AT),
                run: self.buffer.load(RUN_AT),
                stream: stream_of(self.buffer.load(STREAM_AT)),
            },
            sequence: self.buffer.load(SEQUENCE_AT),
            count: if count == 0 { self.count_by_content() } else { count },
        })
    }

    fn text(&self, at: usize, length_at: usize, limit: usize) -> String {
        let length = usize::try_from(self.buffer.load(length_at)).unwrap_or(0).min(limit);
        String::from_utf8_lossy(self.buffer.bytes(at, length)).into_owned()
    }

    fn count_by_content(&self) -> usize {
        let data = self.buffer.bytes(DATA_AT, BATCH_BYTES);
        data.iter().rposition(|byte| *byte != EMPTY).map_or(0, |last| last + 1)
    }

    /// Notes where the next batch goes; returns its number.
    pub(crate) fn begin(&mut self, to: &Destination) -> u64 {
        let sequence = self.buffer.load(SEQUENCE_AT) + 1;
        self.begin_as(to, sequence);
        sequence
    }

    fn begin_as(&mut self, to: &Destination, sequence: u64) {
        self.name(to);
        self.buffer.store(SIZE_AT, to.size);
        self.buffer.store(NUMBER_AT, to.number);
        self.buffer.store(SEQUENCE_AT, sequence);
        self.buffer.store(LIMIT_AT, to.limit);
        self.buffer.store(STAMP_AT, to.stamp);
        self.buffer.store(SEEN_AT, to.seen);
        self.buffer.store(RUN_AT, to.run);
        self.buffer.store(STREAM_AT, number_of(to.stream));
        self.buffer.store(COUNT_AT, 0);
        self.buffer.store(STATE_AT, 1);
    }

    fn name(&mut self, to: &Destination) {
        if self.named.as_ref().is_some_and(|(slot, dir)| *slot == to.slot && *dir == to.dir) {
            return;
        }
        let dir = to.dir.as_os_str().as_encoded_bytes();
        self.buffer.put(SLOT_AT, to.slot.as_bytes());
        self.buffer.store(SLOT_LENGTH_AT, to.slot.len() as u64);
        self.buffer.put(DIR_AT, dir);
        self.buffer.store(DIR_LENGTH_AT, dir.len() as u64);
        self.named = Some((to.slot.clone(), to.dir.clone()));
    }

    /// Reads the batch; 0 bytes are the end of the pipe.
    pub(crate) fn read(&mut self, pipe: impl AsFd) -> io::Result<usize> {
        crate::fault::point();
        let count = self.buffer.read_from(pipe, DATA_AT, BATCH_BYTES)?;
        crate::fault::point();
        self.buffer.store(COUNT_AT, count as u64);
        Ok(count)
    }

    /// Begins a batch with bytes that were set aside under this number.
    pub(crate) fn begin_with(&mut self, to: &Destination, sequence: u64, bytes: &[u8]) {
        self.begin_as(to, sequence);
        self.buffer.put(DATA_AT, bytes);
        self.buffer.store(COUNT_AT, bytes.len() as u64);
    }

    /// Bytes of the batch.
    pub(crate) fn bytes(&self, from: usize, to: usize) -> &[u8] {
        self.buffer.bytes(DATA_AT + from, to.saturating_sub(from))
    }

    /// Writes bytes of the batch to a file.
    pub(crate) fn write(&self, file: &File, offset: u64, from: usize, length: usize) -> io::Result<usize> {
        self.buffer.write_to(file, offset, DATA_AT + from, length)
    }

    /// The batch is where it belongs: forget its first `count` bytes, which are all that it has.
    pub(crate) fn end(&mut self, count: usize) {
        self.buffer.fill(DATA_AT, count, EMPTY);
        crate::fault::point();
        self.buffer.store(STATE_AT, 0);
    }

    /// As `end`, when it is not known how much of the buffer was touched.
    pub(crate) fn end_whole(&mut self) {
        self.end(BATCH_BYTES);
    }
}

/// A stream in the header; 0 where there is one for both.
fn number_of(stream: Option<LogStream>) -> u64 {
    match stream {
        None => 0,
        Some(LogStream::Out) => 1,
        Some(LogStream::Err) => 2,
    }
}

fn stream_of(number: u64) -> Option<LogStream> {
    LogStream::ALL.into_iter().find(|stream| number_of(Some(*stream)) == number)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{super::aside::Aside, *};

    /// A buffer as version 1 left it: a batch of five bytes for `api@1`.
    fn first() -> Vec<u8> {
        let mut file = vec![0; 8192];
        let numbers = [
            (0, 0x6d61_696e_7374_0001),
            (8, 1),
            (16, 5),
            (24, 100),
            (32, 3),
            (40, 77),
            (48, 1000),
            (56, 1_795_299_531),
            (64, 5),
            (72, 9),
            (80, 12),
            (88, 13),
            (96, 2),
        ];
        for (at, number) in numbers {
            file[at..at + 8].copy_from_slice(&u64::to_le_bytes(number));
        }
        file[128..133].copy_from_slice(b"api@1");
        file[4096..4105].copy_from_slice(b"/logs/api");
        file.extend(b"line\n");
        file.resize(8192 + 256 * 1024, 0xff);
        file
    }

    #[test]
    fn the_first_version_is_read_and_written_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pump");
        fs::write(&path, first()).unwrap();
        let mut batch = Batch::open(dir.path()).unwrap();
        let left = batch.left().unwrap();
        let to = Destination {
            slot: "api@1".to_owned(),
            dir: "/logs/api".into(),
            size: 100,
            number: 3,
            limit: 1000,
            stamp: 1_795_299_531,
            seen: 13,
            run: 12,
            stream: Some(LogStream::Err),
        };
        assert_eq!((&left.to, left.sequence, left.count), (&to, 77, 5));
        assert_eq!(batch.bytes(0, 5), b"line\n");
        batch.end_whole();
        assert!(batch.left().is_none());
        batch.begin_with(&to, 77, b"line\n");
        drop(batch);
        assert!(fs::read(&path).unwrap() == first());
    }

    #[test]
    fn a_later_version_is_refused_and_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pump");
        // It may be of any length.
        let mut later = first()[..100].to_vec();
        later[0] = 2;
        fs::write(&path, &later).unwrap();
        let text = format!("it is of version 2 of the log buffer, this program knows 1; {LATER_HELP}");
        assert_eq!(Batch::open(dir.path()).unwrap_err().to_string(), text);
        assert_eq!(fs::read(&path).unwrap(), later);
        // What is no buffer at all is made one.
        fs::write(&path, "garbage and more").unwrap();
        assert!(Batch::open(dir.path()).unwrap().left().is_none());
    }

    #[test]
    fn what_is_set_aside_is_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let aside = Aside::new(dir.path());
        aside.put("api@1", 77, b"line\n").unwrap();
        assert_eq!(fs::read(dir.path().join("aside-api@1")).unwrap(), b"\x4d\0\0\0\0\0\0\0line\n");
        let waiting = aside.get("api@1").unwrap();
        assert_eq!((waiting.sequence, waiting.bytes.as_slice()), (77, b"line\n".as_slice()));
    }
}

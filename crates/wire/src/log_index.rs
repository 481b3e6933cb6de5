//! The side index of a log file: marks that say from which byte on lines were seen when, and in which run. Bytes to marks
//! and back; it opens no file, and nobody needs an index to write or to read a log.
//!
//! Beside `current` is `current.index`, beside `@TIME-N.log` (or `.log.zst`) is `@TIME-N.index`. It begins with a header that
//! names the log file by its inode, since `current` may be moved away by others; then come marks of the same size, appended
//! as batches come, so that marks are in the order of their offsets. What is torn, or was never a mark, is left out: a
//! line before the first mark is of unknown time. A mark holds until the next one.

use crate::LogStream;

/// Bytes of the header, and of each mark.
pub const LOG_INDEX_RECORD: usize = 24;

/// The name of the index of `current`.
pub const LOG_INDEX_OF_CURRENT: &str = "current.index";

/// What a header begins with: a name and a version.
const MAGIC: &[u8; 8] = b"mslogix1";

/// Bytes before the check.
const BODY: usize = LOG_INDEX_RECORD - 2;

/// Offsets and runs have 48 bits.
const LARGEST: u64 = (1 << 48) - 1;

/// The name of a log file's index; `None` for what is no log file.
pub fn log_index_name(log: &str) -> Option<String> {
    if log == "current" {
        return Some(LOG_INDEX_OF_CURRENT.to_owned());
    }
    let stem = log.strip_suffix(".zst").unwrap_or(log).strip_suffix(".log")?;
    stem.starts_with('@').then(|| format!("{stem}.index"))
}

/// The first record of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogIndexHeader {
    /// The inode of the log file, as it was when the index was begun.
    pub inode: u64,
}

impl LogIndexHeader {
    /// As in the file.
    pub fn to_bytes(self) -> [u8; LOG_INDEX_RECORD] {
        let mut bytes = [0; LOG_INDEX_RECORD];
        put(&mut bytes, 0, MAGIC);
        put(&mut bytes, 8, &self.inode.to_le_bytes());
        sealed(bytes)
    }

    /// What the bytes say; `None` when they are no header of this version.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes = checked(bytes)?;
        let (magic, rest) = bytes.split_first_chunk::<8>()?;
        let (inode, _) = rest.split_first_chunk::<8>()?;
        (magic == MAGIC).then(|| Self { inode: u64::from_le_bytes(*inode) })
    }
}

/// What begins at a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogMarkKind {
    /// Output of a run.
    Output,
    /// A run; it may write nothing.
    Start,
    /// What comes after a run.
    End,
}

/// From this byte of the log file on, until the next mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogMark {
    /// The byte.
    pub offset: u64,
    /// When the keeper saw what begins there, in nanoseconds since the Unix epoch.
    pub time_ns: u64,
    /// Whose output it is; 0 when that is not known.
    pub run: u64,
    /// What begins there.
    pub kind: LogMarkKind,
    /// Which stream it came by; `None` where both come by one.
    pub stream: Option<LogStream>,
}

impl LogMark {
    /// As in the file.
    pub fn to_bytes(self) -> [u8; LOG_INDEX_RECORD] {
        let mut bytes = [0; LOG_INDEX_RECORD];
        put(&mut bytes, 0, &self.time_ns.to_le_bytes());
        put(&mut bytes, 8, &self.offset.min(LARGEST).to_le_bytes()[..6]);
        put(&mut bytes, 14, &self.run.min(LARGEST).to_le_bytes()[..6]);
        let kind = match self.kind {
            LogMarkKind::Output => 1,
            LogMarkKind::Start => 2,
            LogMarkKind::End => 3,
        };
        let stream = match self.stream {
            None => 0,
            Some(LogStream::Out) => 1,
            Some(LogStream::Err) => 2,
        };
        put(&mut bytes, 20, &[kind, stream]);
        sealed(bytes)
    }

    /// What the bytes say; `None` when they are no mark.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes = checked(bytes)?;
        let kind = match bytes.get(20)? {
            1 => LogMarkKind::Output,
            2 => LogMarkKind::Start,
            3 => LogMarkKind::End,
            _ => return None,
        };
        let stream = match bytes.get(21)? {
            0 => None,
            1 => Some(LogStream::Out),
            2 => Some(LogStream::Err),
            _ => return None,
        };
        let number = |from: usize, to: usize| {
            let mut wide = [0; 8];
            put(&mut wide, 0, bytes.get(from..to).unwrap_or_default());
            u64::from_le_bytes(wide)
        };
        Some(Self { time_ns: number(0, 8), offset: number(8, 14), run: number(14, 20), kind, stream })
    }
}

fn put(bytes: &mut [u8], at: usize, part: &[u8]) {
    for (place, byte) in bytes.iter_mut().skip(at).zip(part) {
        *place = *byte;
    }
}

fn sealed(mut bytes: [u8; LOG_INDEX_RECORD]) -> [u8; LOG_INDEX_RECORD] {
    let check = check(bytes.get(..BODY).unwrap_or_default());
    put(&mut bytes, BODY, &check);
    bytes
}

fn checked(bytes: &[u8]) -> Option<&[u8]> {
    let (body, seal) = bytes.get(..LOG_INDEX_RECORD)?.split_at(BODY);
    (check(body) == seal).then_some(body)
}

/// FNV-1a (Fowler, Noll, Vo) with 32 bits, folded to 16. A record of zeros has another one.
fn check(body: &[u8]) -> [u8; 2] {
    let hash =
        body.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    let [a, b, c, d] = hash.to_le_bytes();
    [a ^ c, b ^ d]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_version_is_read_and_written_as_it_was() {
        let header = LogIndexHeader { inode: 0x0102 };
        let first = *b"mslogix1\x02\x01\0\0\0\0\0\0\0\0\0\0\0\0";
        assert_eq!(header.to_bytes()[..BODY], first);
        assert_eq!(LogIndexHeader::from_bytes(&header.to_bytes()), Some(header));
        let mark = LogMark {
            offset: 0x0304,
            time_ns: 0x0506,
            run: 7,
            kind: LogMarkKind::Start,
            stream: Some(LogStream::Err),
        };
        let first = *b"\x06\x05\0\0\0\0\0\0\x04\x03\0\0\0\0\x07\0\0\0\0\0\x02\x02";
        assert_eq!(mark.to_bytes()[..BODY], first);
        assert_eq!(LogMark::from_bytes(&mark.to_bytes()), Some(mark));
    }

    fn kinds() -> impl Strategy<Value = LogMarkKind> {
        prop_oneof![Just(LogMarkKind::Output), Just(LogMarkKind::Start), Just(LogMarkKind::End)]
    }

    fn streams() -> impl Strategy<Value = Option<LogStream>> {
        prop_oneof![Just(None), Just(Some(LogStream::Out)), Just(Some(LogStream::Err))]
    }

    proptest! {
        #[test]
        fn marks_and_headers_come_back(
            offset in 0..=LARGEST, time_ns: u64, run in 0..=LARGEST, kind in kinds(), stream in streams(), inode: u64,
        ) {
            let mark = LogMark { offset, time_ns, run, kind, stream };
            prop_assert_eq!(LogMark::from_bytes(&mark.to_bytes()), Some(mark));
            let header = LogIndexHeader { inode };
            prop_assert_eq!(LogIndexHeader::from_bytes(&header.to_bytes()), Some(header));
            prop_assert_eq!(LogMark::from_bytes(&header.to_bytes()[..LOG_INDEX_RECORD - 1]), None);
        }

        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Some(mark) = LogMark::from_bytes(&bytes) {
                prop_assert!(mark.offset <= LARGEST && mark.run <= LARGEST);
            }
            let _ = LogIndexHeader::from_bytes(&bytes);
        }

        #[test]
        fn one_wrong_byte_is_noticed(
            offset in 0..=LARGEST, time_ns: u64, at in 0..LOG_INDEX_RECORD, other: u8,
        ) {
            let mark = LogMark { offset, time_ns, run: 7, kind: LogMarkKind::Output, stream: None };
            let mut bytes = mark.to_bytes();
            let before = std::mem::replace(&mut bytes[at], other);
            // A fold of 16 bits misses one in 65,536: what comes through is at least another mark, and no harm.
            prop_assert!(before == other || LogMark::from_bytes(&bytes) != Some(mark));
        }
    }

    #[test]
    fn zeros_and_other_text_are_no_marks() {
        assert_eq!(LogMark::from_bytes(&[0; LOG_INDEX_RECORD]), None);
        assert_eq!(LogIndexHeader::from_bytes(&[0; LOG_INDEX_RECORD]), None);
        assert_eq!(LogMark::from_bytes(b"a line of some other file\n"), None);
    }

    #[test]
    fn each_log_file_has_its_index() {
        assert_eq!(log_index_name("current").as_deref(), Some("current.index"));
        assert_eq!(log_index_name("@20260101T000000Z-7.log").as_deref(), Some("@20260101T000000Z-7.index"));
        assert_eq!(
            log_index_name("@20260101T000000Z-7.log.zst").as_deref(),
            Some("@20260101T000000Z-7.index")
        );
        assert_eq!(log_index_name("notes.txt"), None);
        assert_eq!(log_index_name("@x.index"), None);
    }
}

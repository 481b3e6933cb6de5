//! The record of a slot on disk, as bytes: what must be known of a run after the death of the keeper that made it.
//!
//! A file has three areas. The first is written by the new process itself, between its making and its `execve`, with one
//! `pwrite`: it has a fixed form, because nothing can be allocated there. The other two hold one JSON record each, and are
//! written in turn: the one with the higher sequence number and a right checksum is the record, so a write that was cut
//! short leaves the one before. A file is sparse: an area costs what is written to it.

use serde::{Deserialize, Serialize};

use crate::{LATER_HELP, LogFile, WireExit, WireFailure, WireNotice};

/// The version of what is written here.
pub const SLOT_VERSION: u32 = 1;

/// Bytes of the area that the new process writes, at the start of the file.
pub const CHILD_BYTES: usize = 40;

/// Where the first of the two areas of the record begins.
const RECORD_START: u64 = 4096;

/// Bytes of each of the two areas.
const AREA_BYTES: usize = 64 * 1024;

/// Bytes before the JSON: mark, length, sequence, checksum.
const HEADER_BYTES: usize = 24;

/// The longest record, in bytes of JSON.
pub const SLOT_RECORD_LIMIT: usize = AREA_BYTES - HEADER_BYTES;

/// Begins each area that was written: "slot" and the version.
const MARK: u32 = 0x736c_6f00 | SLOT_VERSION;

/// How far the file reaches at most.
pub const SLOT_FILE_LIMIT: usize = 4096 + 2 * AREA_BYTES;

/// What a new process wrote about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChildPart {
    /// The run that it belongs to; without meaning when this is not the record's.
    pub run: u64,
    /// Its process id.
    pub pid: u32,
    /// When it started, in clock ticks since boot.
    pub start_time: u64,
    /// Which step failed; 0 while none did. The numbers belong to the room that spawns.
    pub failed_step: u32,
    /// Why that step failed (`errno(3)`).
    pub errno: i32,
    /// Whether the file that could not be run was the first one looked at, or a later one of the PATH.
    pub candidate: u32,
}

impl ChildPart {
    /// As bytes.
    pub fn to_bytes(self) -> [u8; CHILD_BYTES] {
        let mut bytes = [0; CHILD_BYTES];
        let mut rest = bytes.as_mut_slice();
        for part in [
            self.run.to_le_bytes().as_slice(),
            &self.start_time.to_le_bytes(),
            &self.pid.to_le_bytes(),
            &self.failed_step.to_le_bytes(),
            &self.errno.to_le_bytes(),
            &self.candidate.to_le_bytes(),
        ] {
            let (here, after) = std::mem::take(&mut rest).split_at_mut(part.len());
            here.copy_from_slice(part);
            rest = after;
        }
        bytes
    }

    /// Reads the start of a file; one too short holds nothing.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let long = |at: usize| {
            bytes
                .get(at..at + 8)
                .and_then(|part| part.try_into().ok())
                .map(u64::from_le_bytes)
                .unwrap_or_default()
        };
        let short = |at: usize| {
            bytes
                .get(at..at + 4)
                .and_then(|part| part.try_into().ok())
                .map(u32::from_le_bytes)
                .unwrap_or_default()
        };
        Self {
            run: long(0),
            start_time: long(8),
            pid: short(16),
            failed_step: short(20),
            errno: short(24).cast_signed(),
            candidate: short(28),
        }
    }
}

/// What the keeper wrote about a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotRecord {
    /// The slot.
    pub slot: String,
    /// Its latest run.
    pub run: u64,
    /// The boot in which it was made.
    pub boot_id: String,
    /// The pid namespace in which it was made.
    pub pid_namespace: u64,
    /// How far it came.
    pub phase: RecordPhase,
    /// Whether the daemon took in its end.
    pub acknowledged: bool,
    /// Where its output goes.
    pub log: LogFile,
    /// What the daemon wants to be told.
    pub memo: String,
    /// The variables (`NAME=value`) that tell this run from any other: what it left behind has them in its environment.
    pub marks: Vec<String>,
    /// The path of its notify socket, when it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<String>,
    /// Whether it has a pipe on which a newline says that it is ready.
    #[serde(default, skip_serializing_if = "is_false")]
    pub ready_pipe: bool,
    /// What it said of itself and is still so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub said: Vec<WireNotice>,
    /// Its main process, when that is another than the one that was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub main: Option<ProcessId>,
}

/// A process, and no other that gets its number later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProcessId {
    /// Its process id.
    pub pid: u32,
    /// When it started, in clock ticks since boot.
    pub start_time: u64,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// How far a run came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "kebab-case")]
pub enum RecordPhase {
    /// It is being made, or runs: [`ChildPart`] says which.
    Made {
        /// The program, for the words of a failure.
        program: String,
        /// Its working directory.
        dir: String,
        /// Its PATH.
        path: Option<String>,
        /// Its user, when it is another than the keeper's.
        user: Option<u32>,
    },
    /// It could not be made.
    NotStarted {
        /// Why.
        failure: WireFailure,
    },
    /// It ended, and its output is written.
    Ended {
        /// How.
        exit: WireExit,
    },
}

/// One area, ready to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotWrite {
    /// Where in the file.
    pub offset: u64,
    /// What.
    pub bytes: Vec<u8>,
}

/// A record that is too long to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the record of a slot would be {0} bytes long, more than the limit of {SLOT_RECORD_LIMIT}")]
pub struct SlotTooLong(pub usize);

/// The version of the areas of a file that nobody of this version reads; `None` when there is no such area.
fn strange_version(file: &[u8]) -> Option<u32> {
    let start = usize::try_from(RECORD_START).ok()?;
    let marks = [start, start + AREA_BYTES].into_iter().filter_map(|at| file.get(at..)?.first_chunk::<4>());
    let marks = marks.map(|mark| u32::from_le_bytes(*mark));
    marks.filter(|mark| *mark != MARK && mark & !0xff == MARK & !0xff).map(|mark| mark & 0xff).next()
}

impl SlotRecord {
    /// Whether a program of this version finds everything in this file that was ever recorded there.
    ///
    /// # Errors
    /// It does not: why, in one clause.
    pub fn check(file: &[u8]) -> Result<(), String> {
        match strange_version(file) {
            Some(version) => Err(format!(
                "it is of version {version} of the slots, this program knows {SLOT_VERSION}; {LATER_HELP}"
            )),
            None => Ok(()),
        }
    }

    /// The bytes that make this the record of the file. `sequence` is one more than that of the record before.
    ///
    /// # Errors
    /// [`SlotTooLong`]: a memo, a path or a mark of absurd length.
    pub fn encode(&self, sequence: u64) -> Result<SlotWrite, SlotTooLong> {
        let body = serde_json::to_vec(self).unwrap_or_default();
        let length = u32::try_from(body.len())
            .ok()
            .filter(|_| body.len() <= SLOT_RECORD_LIMIT)
            .ok_or(SlotTooLong(body.len()))?;
        let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len());
        bytes.extend_from_slice(&MARK.to_le_bytes());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&sequence.to_le_bytes());
        bytes.extend_from_slice(&checksum(sequence, &body).to_le_bytes());
        bytes.extend_from_slice(&body);
        Ok(SlotWrite { offset: RECORD_START + (sequence % 2) * AREA_BYTES as u64, bytes })
    }

    /// The record of a file with its sequence number, out of the file's bytes; `None` when neither area holds one.
    pub fn decode(file: &[u8]) -> Option<(Self, u64)> {
        let start = usize::try_from(RECORD_START).ok()?;
        let areas = [start, start + AREA_BYTES].into_iter().filter_map(|at| decode_area(file.get(at..)?));
        areas.max_by_key(|(_, sequence)| *sequence)
    }
}

fn decode_area(bytes: &[u8]) -> Option<(SlotRecord, u64)> {
    let (mark, rest) = bytes.split_first_chunk::<4>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (sequence, rest) = rest.split_first_chunk::<8>()?;
    let (sum, rest) = rest.split_first_chunk::<8>()?;
    let sequence = u64::from_le_bytes(*sequence);
    let body = rest.get(..u32::from_le_bytes(*length) as usize)?;
    let whole = u32::from_le_bytes(*mark) == MARK && checksum(sequence, body) == u64::from_le_bytes(*sum);
    let record = serde_json::from_slice(body).ok().filter(|_| whole)?;
    Some((record, sequence))
}

/// FNV-1a in 64 bits: it is against writes that were cut short, not against malice.
fn checksum(sequence: u64, body: &[u8]) -> u64 {
    let bytes = sequence.to_le_bytes();
    bytes
        .iter()
        .chain(body)
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(run: u64) -> SlotRecord {
        SlotRecord {
            slot: "api@1".to_owned(),
            run,
            boot_id: "b".to_owned(),
            pid_namespace: 4_026_531_836,
            phase: RecordPhase::Ended { exit: WireExit::Code(3) },
            acknowledged: false,
            log: LogFile {
                dir: "/logs/api".to_owned(),
                max_size: 10,
                keep: 3,
                total: 40,
                ..LogFile::default()
            },
            memo: "memo".to_owned(),
            marks: vec!["MAINSTAY_RUN_ID=x".to_owned()],
            notify: Some("/run/notify/api@1".to_owned()),
            ready_pipe: true,
            said: vec![WireNotice::Ready, WireNotice::Status("\u{fc}".to_owned())],
            main: Some(ProcessId { pid: 7, start_time: 8 }),
        }
    }

    fn write(file: &mut Vec<u8>, write: &SlotWrite, only: usize) {
        let at = usize::try_from(write.offset).unwrap();
        let part = &write.bytes[..only.min(write.bytes.len())];
        if file.len() < at + part.len() {
            file.resize(at + part.len(), 0);
        }
        file[at..at + part.len()].copy_from_slice(part);
    }

    /// As version 1 was written, in the area of odd sequence numbers; it must be read for as long as there is a version 2.
    const FIRST: &str = r#"{"slot":"api@1","run":7,"boot_id":"b","pid_namespace":4026531836,"phase":{"phase":"ended","exit":{"code":3}},"acknowledged":false,"log":{"dir":"/logs/api","max_size":10,"keep":3,"total":40,"compress":false,"when_full":"wait","all_services":null,"split":false},"memo":"memo","marks":["MAINSTAY_RUN_ID=x"],"notify":"/run/notify/api@1","ready_pipe":true,"said":["ready",{"status":"ü"}],"main":{"pid":7,"start_time":8}}"#;

    /// Mark, length, sequence, checksum.
    const FIRST_HEADER: [u8; 24] =
        [1, b'o', b'l', b's', 160, 1, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 162, 199, 38, 204, 17, 112, 204, 80];

    #[test]
    fn the_first_version_is_read_and_written_as_it_was() {
        let area = [FIRST_HEADER.as_slice(), FIRST.as_bytes()].concat();
        let file = [vec![0; 4096 + 65536], area.clone()].concat();
        assert_eq!(SlotRecord::decode(&file), Some((record(7), 5)));
        assert_eq!(record(7).encode(5), Ok(SlotWrite { offset: 4096 + 65536, bytes: area }));
        let made = r#"{"phase":"made","program":"p","dir":"/","path":"/bin","user":7}"#;
        let failed = r#"{"phase":"not-started","failure":{"code":"c","text":"t"}}"#;
        for text in [made, failed] {
            let phase: RecordPhase = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&phase).unwrap(), text);
        }
    }

    #[test]
    fn a_later_version_is_refused_and_not_taken_for_nothing() {
        let mut file = Vec::new();
        for sequence in [1, 2] {
            write(&mut file, &record(7).encode(sequence).unwrap(), usize::MAX);
        }
        assert_eq!(SlotRecord::check(&file), Ok(()));
        // In either of the two areas.
        for at in [4096, 4096 + 65536] {
            let mut later = file.clone();
            later[at] = 2;
            let text = format!("it is of version 2 of the slots, this program knows 1; {LATER_HELP}");
            assert_eq!(SlotRecord::check(&later), Err(text));
        }
    }

    #[test]
    fn the_child_part_is_as_it_was() {
        let part = ChildPart { run: 7, pid: 4242, start_time: 99, failed_step: 3, errno: -2, candidate: 1 };
        let mut first = [0; 40];
        for (at, byte) in [(0, 7), (8, 99), (16, 0x92), (17, 0x10), (20, 3), (24, 0xfe), (28, 1)] {
            first[at] = byte;
        }
        first[25..28].fill(0xff);
        assert_eq!(part.to_bytes(), first);
    }

    #[test]
    fn the_child_part_reads_back() {
        let part = ChildPart { run: 7, pid: 4242, start_time: 99, failed_step: 3, errno: -2, candidate: 1 };
        assert_eq!(ChildPart::from_bytes(&part.to_bytes()), part);
        assert_eq!(ChildPart::from_bytes(&[]), ChildPart::default());
    }

    #[test]
    fn a_write_that_was_cut_short_leaves_the_record_before() {
        let mut file = Vec::new();
        assert_eq!(SlotRecord::decode(&file), None);
        write(&mut file, &record(1).encode(1).unwrap(), usize::MAX);
        assert_eq!(SlotRecord::decode(&file), Some((record(1), 1)));
        write(&mut file, &record(2).encode(2).unwrap(), usize::MAX);
        let third = record(3).encode(3).unwrap();
        for cut in 0..third.bytes.len() {
            let mut torn = file.clone();
            write(&mut torn, &third, cut);
            // A cut that only leaves out bytes that were there already is none.
            let whole = torn[usize::try_from(third.offset).unwrap()..].starts_with(&third.bytes);
            let expected = if whole { (record(3), 3) } else { (record(2), 2) };
            assert_eq!(SlotRecord::decode(&torn), Some(expected), "cut at {cut}");
        }
        write(&mut file, &third, usize::MAX);
        assert_eq!(SlotRecord::decode(&file), Some((record(3), 3)));
        assert!(file.len() <= SLOT_FILE_LIMIT);
    }

    #[test]
    fn a_record_of_a_run_that_does_not_report_is_no_longer_for_it() {
        let quiet = SlotRecord { notify: None, ready_pipe: false, said: Vec::new(), main: None, ..record(1) };
        let text = serde_json::to_string(&quiet).unwrap();
        assert!(["notify", "ready_pipe", "said", "main"].iter().all(|name| !text.contains(name)), "{text}");
        assert_eq!(serde_json::from_str::<SlotRecord>(&text).unwrap(), quiet);
    }

    #[test]
    fn a_record_beyond_its_area_is_refused() {
        let mut long = record(1);
        long.memo = "m".repeat(AREA_BYTES);
        assert!(long.encode(1).is_err());
    }
}

//! What a new process needs, in the form that system calls take: prepared before the clone, read after it.

use std::{
    ffi::{CString, c_char},
    fs::OpenOptions,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
    ptr,
    sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering},
};

use rustix::process::{Gid, Uid};

use super::{CHILD_RECORD_BYTES, ChildFacts, DEFAULT_PATH, Limit, Output, SpawnRequest, path_of};

/// Descriptors that are to be moved have at least this number, and one above all targets: then no target is in their way.
const SOURCE_FLOOR: RawFd = 16;

/// Everything between the clone and the `execve`.
pub(super) struct Plan<'a> {
    /// Ranges of descriptors to close: all but the sources of `moves` and the record.
    pub(super) gaps: Vec<(u32, u32)>,
    /// From, to.
    pub(super) moves: Vec<(RawFd, RawFd)>,
    pub(super) dir: CString,
    pub(super) limits: &'a [Limit],
    pub(super) oom_score: Option<&'a [u8]>,
    pub(super) identity: Option<PlannedIdentity>,
    pub(super) candidates: Vec<CString>,
    pub(super) words: Pointers,
    pub(super) env: Pointers,
    pub(super) record: Option<PlannedRecord>,
    run: u64,
    /// Written by the child, read by the parent after it.
    pub(super) pid: AtomicU32,
    pub(super) start_time: AtomicU64,
    pub(super) failed_step: AtomicU32,
    pub(super) errno: AtomicI32,
    pub(super) candidate: AtomicU32,
    _sources: Vec<OwnedFd>,
}

pub(super) struct PlannedIdentity {
    pub(super) uid: Uid,
    pub(super) gid: Gid,
    pub(super) groups: Vec<Gid>,
}

pub(super) struct PlannedRecord {
    pub(super) file: RawFd,
    pub(super) encode: fn(ChildFacts) -> [u8; CHILD_RECORD_BYTES],
}

/// Strings, and the list of pointers to them that ends with a null.
pub(super) struct Pointers {
    _strings: Vec<CString>,
    pointers: Vec<*const c_char>,
}

impl Pointers {
    fn new(texts: &[String]) -> io::Result<Self> {
        let strings = texts.iter().map(|text| c_string(text)).collect::<io::Result<Vec<_>>>()?;
        let pointers = strings.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect();
        Ok(Self { _strings: strings, pointers })
    }

    pub(super) fn as_ptr(&self) -> *const *const c_char {
        self.pointers.as_ptr()
    }
}

fn c_string(text: &str) -> io::Result<CString> {
    CString::new(text).map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "it holds a NUL byte"))
}

impl<'a> Plan<'a> {
    pub(super) fn new(request: &'a SpawnRequest<'a>) -> io::Result<Self> {
        let mut sources = Vec::new();
        let moves = moves_of(request, &mut sources)?;
        let record = match &request.record {
            Some(record) => {
                let file = movable(record.file, floor_of(request), &mut sources)?;
                Some(PlannedRecord { file, encode: record.encode })
            }
            None => None,
        };
        let kept = moves.iter().map(|(from, _)| *from).chain(record.as_ref().map(|record| record.file));
        Ok(Self {
            gaps: gaps_between(kept.collect()),
            moves,
            dir: c_string(request.dir)?,
            limits: &request.limits.originals,
            oom_score: request.limits.oom_score.as_deref(),
            identity: request.identity.as_ref().map(|identity| PlannedIdentity {
                uid: Uid::from_raw(identity.uid),
                gid: Gid::from_raw(identity.gid),
                groups: identity.groups.iter().map(|group| Gid::from_raw(*group)).collect(),
            }),
            candidates: candidates_of(request)?,
            words: Pointers::new(request.words)?,
            env: Pointers::new(request.env)?,
            run: request.record.as_ref().map_or(0, |record| record.run),
            record,
            pid: AtomicU32::new(0),
            start_time: AtomicU64::new(0),
            failed_step: AtomicU32::new(0),
            errno: AtomicI32::new(0),
            candidate: AtomicU32::new(0),
            _sources: sources,
        })
    }

    /// What the child said of itself.
    pub(super) fn facts(&self) -> ChildFacts {
        ChildFacts {
            run: self.run,
            pid: self.pid.load(Ordering::Relaxed),
            start_time: self.start_time.load(Ordering::Relaxed),
            failed_step: self.failed_step.load(Ordering::Relaxed),
            errno: self.errno.load(Ordering::Relaxed),
            candidate: self.candidate.load(Ordering::Relaxed),
        }
    }
}

fn moves_of(request: &SpawnRequest<'_>, sources: &mut Vec<OwnedFd>) -> io::Result<Vec<(RawFd, RawFd)>> {
    let floor = floor_of(request);
    let nothing = OwnedFd::from(OpenOptions::new().read(true).write(true).open("/dev/null")?);
    let empty = movable(nothing.as_fd(), floor, sources)?;
    let (out, errors) = match request.output {
        Output::Both(output) => {
            let output = movable(output, floor, sources)?;
            (output, output)
        }
        Output::Apart { out, errors } => (movable(out, floor, sources)?, movable(errors, floor, sources)?),
        Output::OwnErrors => (empty, movable(io::stderr().as_fd(), floor, sources)?),
    };
    sources.push(nothing);
    let mut moves = vec![(empty, 0), (out, 1), (errors, 2)];
    for (source, target) in request.pass {
        moves.push((movable(*source, floor, sources)?, *target));
    }
    Ok(moves)
}

/// Above all numbers that descriptors get in the new process.
fn floor_of(request: &SpawnRequest<'_>) -> RawFd {
    let targets = request.pass.iter().map(|(_, target)| target.saturating_add(1));
    targets.max().unwrap_or(0).max(SOURCE_FLOOR)
}

/// The descriptor's number, or that of a duplicate that is out of the targets' way.
fn movable(descriptor: BorrowedFd<'_>, floor: RawFd, sources: &mut Vec<OwnedFd>) -> io::Result<RawFd> {
    if descriptor.as_raw_fd() >= floor {
        return Ok(descriptor.as_raw_fd());
    }
    let duplicate = rustix::io::fcntl_dupfd_cloexec(descriptor, floor)?;
    let number = duplicate.as_raw_fd();
    sources.push(duplicate);
    Ok(number)
}

/// The ranges between these numbers, as `close_range(2)` takes them.
fn gaps_between(kept: Vec<RawFd>) -> Vec<(u32, u32)> {
    let mut kept: Vec<u32> = kept.into_iter().filter_map(|number| u32::try_from(number).ok()).collect();
    kept.sort_unstable();
    kept.dedup();
    let mut gaps = Vec::with_capacity(kept.len() + 1);
    let mut next = 0;
    for number in kept {
        if number > next {
            gaps.push((next, number - 1));
        }
        next = number + 1;
    }
    gaps.push((next, u32::MAX));
    gaps
}

/// Where the program's file may be, in order.
fn candidates_of(request: &SpawnRequest<'_>) -> io::Result<Vec<CString>> {
    let program = request.words.first().map_or("", String::as_str);
    if program.contains('/') || program.is_empty() {
        return Ok(vec![c_string(program)?]);
    }
    let path = path_of(request.env).unwrap_or(DEFAULT_PATH);
    let in_folder = |folder: &str| match folder {
        // An empty entry is the working directory (`environ(7)`).
        "" => c_string(&format!("./{program}")),
        folder => c_string(&format!("{folder}/{program}")),
    };
    path.split(':').map(in_folder).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_but_the_kept_is_closed() {
        assert_eq!(gaps_between(vec![17, 20, 18, 20]), [(0, 16), (19, 19), (21, u32::MAX)]);
        assert_eq!(gaps_between(vec![0]), [(1, u32::MAX)]);
        assert_eq!(gaps_between(vec![]), [(0, u32::MAX)]);
    }
}

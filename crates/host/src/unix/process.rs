//! What `/proc` says of one process (`proc_pid_stat(5)`).

use std::{fs::File, io::Read, path::Path, time::Duration};

/// Longer than any line of `/proc/PID/stat`: some 50 numbers, and a name of 64 bytes at most.
const LINE_LIMIT: usize = 2048;

/// What a process uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Resident memory.
    pub resident_bytes: u64,
    /// Processor time of all its threads, user and system.
    pub cpu_nanos: u64,
    /// When it started, in clock ticks since boot (field 22): with the pid, its identity.
    pub start_time: u64,
}

/// What this process uses; `None` when it is gone or a zombie.
pub fn process_usage(pid: u32) -> Option<Usage> {
    let row = read_stat(pid).filter(|row| !row.is_zombie())?;
    let tick = 1_000_000_000 / rustix::param::clock_ticks_per_second().max(1);
    let page = u64::try_from(rustix::param::page_size()).unwrap_or(4096);
    Some(Usage {
        resident_bytes: row.resident_pages.saturating_mul(page),
        cpu_nanos: row.cpu_ticks.saturating_mul(tick),
        start_time: row.start_time,
    })
}

/// When this process started, in clock ticks since boot; `None` when there is none. A zombie has one.
pub fn start_time(pid: u32) -> Option<u64> {
    read_stat(pid).map(|row| row.start_time)
}

/// How long ago this process started, to a clock tick; `None` when there is none.
pub fn process_age(pid: u32) -> Option<Duration> {
    // Field 22 counts from boot, and goes on while the machine sleeps.
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let now = Duration::new(u64::try_from(now.tv_sec).ok()?, u32::try_from(now.tv_nsec).ok()?);
    let tick = 1_000_000_000 / rustix::param::clock_ticks_per_second().max(1);
    Some(now.saturating_sub(Duration::from_nanos(start_time(pid)?.saturating_mul(tick))))
}

/// One line of `/proc/PID/stat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessRow {
    /// Its id.
    pub pid: u32,
    /// Its parent.
    pub parent: u32,
    /// Its process group.
    pub group: u32,
    /// Its session.
    pub session: u32,
    /// When it started, in clock ticks since boot.
    pub start_time: u64,
    state: u8,
    cpu_ticks: u64,
    resident_pages: u64,
}

impl ProcessRow {
    /// Whether it ended, and only its status is left.
    pub fn is_zombie(&self) -> bool {
        matches!(self.state, b'Z' | b'X')
    }
}

/// What `/proc` says of this process now.
pub fn read_stat(pid: u32) -> Option<ProcessRow> {
    read_row(Path::new(&format!("/proc/{pid}/stat")))
}

/// One row, in one read: such a file gives all that it has at once.
pub(crate) fn read_row(path: &Path) -> Option<ProcessRow> {
    let mut line = [0; LINE_LIMIT];
    let count = File::open(path).ok()?.read(&mut line).ok()?;
    parse_stat(line.get(..count)?)
}

/// Reads a line of `/proc/PID/stat`; the name in it may hold anything, brackets and line ends included.
pub(crate) fn parse_stat(line: &[u8]) -> Option<ProcessRow> {
    let name_start = line.iter().position(|byte| *byte == b'(')?;
    let name_end = line.iter().rposition(|byte| *byte == b')')?;
    let pid = number(line.get(..name_start)?)?;
    let rest = line.get(name_end + 1..)?;
    // Field 3 (the state) is the first of `rest`.
    let mut fields = rest.split(|byte| matches!(byte, b' ' | b'\n')).filter(|field| !field.is_empty());
    let state = *fields.next()?.first()?;
    let mut next = || fields.next();
    let parent = number(next()?)?;
    let group = number(next()?)?;
    let session = number(next()?)?;
    let mut skip = |count: usize| (0..count).try_for_each(|_| fields.next().map(|_| ()));
    skip(7)?;
    let user: u64 = number(fields.next()?)?;
    let system: u64 = number(fields.next()?)?;
    let mut skip = |count: usize| (0..count).try_for_each(|_| fields.next().map(|_| ()));
    skip(6)?;
    let start_time = number(fields.next()?)?;
    let _virtual_size = fields.next()?;
    let resident_pages = number(fields.next()?)?;
    Some(ProcessRow {
        pid,
        parent,
        group,
        session,
        start_time,
        state,
        cpu_ticks: user.saturating_add(system),
        resident_pages,
    })
}

fn number<T: std::str::FromStr>(bytes: &[u8]) -> Option<T> {
    std::str::from_utf8(bytes).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_blanks_does_not_shift_the_fields() {
        let line = b"42 (a) R 1 (b\n) S 7 42 41 0 -1 4194560 1 2 3 4 50 25 0 0 20 0 1 0 9876 1000 33 0\n";
        let row = parse_stat(line).unwrap();
        assert_eq!((row.pid, row.parent, row.group, row.session), (42, 7, 42, 41));
        assert_eq!((row.start_time, row.cpu_ticks, row.resident_pages), (9876, 75, 33));
        assert!(!row.is_zombie());
    }

    #[test]
    fn this_process_is_found() {
        let usage = process_usage(std::process::id()).unwrap();
        assert!(usage.resident_bytes > 0);
        assert_eq!(start_time(std::process::id()), Some(usage.start_time));
        assert_eq!(process_usage(u32::MAX), None);
        assert!(process_age(std::process::id()).unwrap() < process_age(1).unwrap());
        assert_eq!(process_age(u32::MAX), None);
    }
}

//! Limits of this process, and how likely the system is to kill it when memory runs out: changed for ourselves, and put back
//! for those that we start. And how much room is left below the limit on descriptors.

use std::{fs, io};

use rustix::{
    fs::{CWD, Mode, OFlags},
    io::Errno,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

/// How likely this process is to be killed when memory runs out (`proc_pid_oom_score_adj(5)`): -1000 to 1000.
pub(crate) const OWN_OOM_SCORE: &std::ffi::CStr = c"/proc/self/oom_score_adj";

/// What whoever holds all others is given: it goes after everything that is not protected likewise.
const PROTECTED: i32 = -900;

/// As they were when this process began.
#[derive(Clone, Debug)]
pub struct Limits {
    pub(crate) originals: Vec<(Resource, Rlimit)>,
    /// What stood in the file, when that was changed.
    pub(crate) oom_score: Option<Box<[u8]>>,
}

impl Limits {
    /// Raises the limits on descriptors (one process holds those of all services) and on the size of files (a write beyond
    /// it kills) as far as they go, has memory taken from others first where that is permitted, and remembers what was.
    pub fn raise() -> Self {
        let originals = [Resource::Nofile, Resource::Fsize].map(|resource| (resource, getrlimit(resource)));
        for (resource, limit) in &originals {
            let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
            // One that cannot be raised stays as it is.
            let _ = setrlimit(*resource, raised);
        }
        Self { originals: originals.into(), oom_score: protect() }
    }

    /// Puts them back for this process itself, whose next program shall find them as they were.
    pub(crate) fn restore(&self) {
        for (resource, limit) in &self.originals {
            let _ = setrlimit(*resource, *limit);
        }
        if let Some(score) = &self.oom_score {
            let _ = set_oom_score(score);
        }
    }

    /// Leaves everything as it is.
    pub fn unchanged() -> Self {
        Self { originals: Vec::new(), oom_score: None }
    }
}

/// What stood there before; nothing where it was better already, or may not be changed.
fn protect() -> Option<Box<[u8]>> {
    let before = fs::read_to_string("/proc/self/oom_score_adj").ok()?;
    let before = before.trim();
    if before.parse::<i32>().ok()? <= PROTECTED {
        return None;
    }
    set_oom_score(PROTECTED.to_string().as_bytes()).ok()?;
    Some(before.as_bytes().into())
}

/// System calls only: the new process calls it as well.
pub(crate) fn set_oom_score(score: &[u8]) -> Result<(), Errno> {
    let file = rustix::fs::openat(CWD, OWN_OOM_SCORE, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(&file, score).map(drop)
}

/// Whether the machine, or our limit, had no room: for processes, memory, descriptors, or on the disk. It says nothing of what
/// was asked.
pub fn is_no_room(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::EMFILE
                | libc::ENFILE
                | libc::ENOMEM
                | libc::EAGAIN
                | libc::ENOBUFS
                | libc::ENOSPC
                | libc::EDQUOT
        )
    )
}

/// How many more descriptors this process may have at least: those between the lowest free one and the limit. 0 when there
/// is no room for one.
pub fn room_for_files() -> u64 {
    use std::os::fd::AsRawFd;
    // Not a duplicate: that would not tell when the whole machine has no more.
    let Ok(lowest) = rustix::fs::open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) else { return 0 };
    below_limit(lowest.as_raw_fd())
}

/// How many descriptors this process may have with a higher number than this.
pub fn below_limit(number: std::os::fd::RawFd) -> u64 {
    limit_on_files().saturating_sub(u64::try_from(number).unwrap_or(0) + 1)
}

/// How many descriptors this process may have.
pub fn limit_on_files() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn room_is_what_the_limit_leaves() {
        let file = fs::File::open("/").unwrap();
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        assert!(room_for_files() > 0 && room_for_files() < limit);
        assert_eq!(below_limit(file.as_raw_fd()), limit - u64::try_from(file.as_raw_fd()).unwrap() - 1);
        assert!(is_no_room(&io::Error::from_raw_os_error(libc::EMFILE)));
        assert!(!is_no_room(&io::Error::from_raw_os_error(libc::ENOENT)));
    }
}

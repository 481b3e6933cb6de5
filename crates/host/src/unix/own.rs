//! What this process got from its parent, and how it appears to others.

use std::{
    io,
    os::fd::{FromRawFd, OwnedFd, RawFd},
    path::Path,
};

use rustix::fs::{FileType, Mode, OFlags};

/// `TMPFS_MAGIC` and `RAMFS_MAGIC` of `linux/magic.h`.
const MEMORY_FILE_SYSTEMS: [u64; 2] = [0x0102_1994, 0x8584_58f6];

/// Takes over a socket that the parent left open under this number, and keeps it from our own children. To be called once
/// for a number, before anything else is opened.
///
/// # Errors
/// There is none, or it is no socket.
pub fn inherited_socket(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: the number is only looked at.
    let borrowed = unsafe { std::os::fd::BorrowedFd::borrow_raw(number) };
    let kind = FileType::from_raw_mode(rustix::fs::fstat(borrowed)?.st_mode);
    if kind != FileType::Socket {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no socket"));
    }
    rustix::io::fcntl_setfd(borrowed, rustix::io::FdFlags::CLOEXEC)?;
    // SAFETY: the parent opened it for us, and the caller takes it only once.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Takes over a descriptor of any kind that this very process had before it replaced its program, and keeps it from our own
/// children again. To be called once for a number, before anything else is opened.
///
/// # Errors
/// There is none (`fcntl(2)`).
pub fn kept_descriptor(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: the number is only looked at.
    let borrowed = unsafe { std::os::fd::BorrowedFd::borrow_raw(number) };
    rustix::io::fcntl_setfd(borrowed, rustix::io::FdFlags::CLOEXEC)?;
    // SAFETY: this process kept it open for this, and the caller takes it only once.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Makes the other side of a standard output that is a pipe see its end; what is written there later goes nowhere.
///
/// # Errors
/// There is no `/dev/null`.
pub fn end_stdout() -> io::Result<()> {
    let nothing = rustix::fs::open("/dev/null", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    Ok(rustix::stdio::dup2_stdout(nothing)?)
}

/// Files that this process makes from now on are ours alone.
pub fn keep_files_private() {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

/// Lets everybody else go first (`setpriority(2)`): for work that nobody waits for.
pub fn lower_priority() {
    // Refused or not, the work is done.
    let _ = rustix::process::setpriority_process(None, 19);
}

/// Whether what is written there stays in memory.
pub fn is_in_memory(path: &Path) -> bool {
    let kind = rustix::fs::statfs(path).ok().and_then(|system| u64::try_from(system.f_type).ok());
    kind.is_some_and(|kind| MEMORY_FILE_SYSTEMS.contains(&kind))
}

/// Ends this process as `kill -9` does: nothing is tidied up. For tests of exactly that.
pub fn die_at_once() -> ! {
    // SAFETY: these calls touch no memory.
    unsafe {
        libc::kill(libc::getpid(), libc::SIGKILL);
        libc::_exit(137)
    }
}

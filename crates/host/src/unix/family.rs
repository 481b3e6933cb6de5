//! Children, and processes watched through a descriptor (`pidfd_open(2)`), which never means another process.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    time::Duration,
};

use mainstay_model::{Exit, Signal};
use rustix::process::{Pid, PidfdFlags};

use super::process::read_stat;

/// Sends to the process group of the descriptor's process (Linux 6.9).
const PIDFD_SIGNAL_PROCESS_GROUP: libc::c_uint = 1 << 2;

/// A process by its descriptor: identity checked, whatever happens to its number.
#[derive(Debug)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// When it started, in clock ticks since boot.
    pub start_time: u64,
    descriptor: OwnedFd,
}

impl Process {
    /// Opens a process that still exists, be it as a zombie; `None` when it is gone, or when another has its number.
    pub fn open(pid: u32, start_time: u64) -> Option<Self> {
        let number = Pid::from_raw(i32::try_from(pid).ok()?)?;
        let descriptor = rustix::process::pidfd_open(number, PidfdFlags::empty()).ok()?;
        // Read after the opening: had the number changed hands before it, the start time would be another.
        let same = read_stat(pid).is_some_and(|row| row.start_time == start_time);
        same.then_some(Self { pid, start_time, descriptor })
    }

    /// The process of a descriptor that was opened as this one's.
    pub fn from_parts(pid: u32, start_time: u64, descriptor: OwnedFd) -> Self {
        Self { pid, start_time, descriptor }
    }

    /// Sends it a signal; nothing when it is gone.
    pub fn signal(&self, signal: Signal) {
        self.send(signal, 0);
    }

    /// Sends a signal to its process group, also when it is a zombie.
    pub fn signal_group(&self, signal: Signal) {
        if self.send(signal, PIDFD_SIGNAL_PROCESS_GROUP) {
            return;
        }
        // An older kernel. The group has the leader's number, which nobody else gets while the leader exists.
        let exists = read_stat(self.pid).is_some_and(|row| row.start_time == self.start_time);
        if let Some(pid) = i32::try_from(self.pid).ok().filter(|_| exists) {
            // SAFETY: sending a signal touches no memory of ours.
            unsafe { libc::kill(-pid, signal.number()) };
        }
    }

    /// Whether the kernel knew what was asked; that there was nobody left is an answer too.
    fn send(&self, signal: Signal, flags: libc::c_uint) -> bool {
        let none = std::ptr::null::<libc::siginfo_t>();
        let descriptor = self.descriptor.as_raw_fd();
        // SAFETY: the descriptor is open, and no information is passed along.
        let code =
            unsafe { libc::syscall(libc::SYS_pidfd_send_signal, descriptor, signal.number(), none, flags) };
        code == 0 || io::Error::last_os_error().raw_os_error() != Some(libc::EINVAL)
    }

    /// How it ended, when it is a child of ours that did; it stays a zombie.
    ///
    /// # Errors
    /// It is no child of ours.
    pub fn peek(&self) -> io::Result<Option<Exit>> {
        let id = libc::id_t::try_from(self.descriptor.as_raw_fd()).map_err(io::Error::other)?;
        Ok(wait_for(libc::P_PIDFD, id, libc::WEXITED | libc::WNOHANG | libc::WNOWAIT)?
            .map(|child| child.exit))
    }

    /// Lets the zombie of a child go.
    pub fn reap(&self) {
        if let Ok(id) = libc::id_t::try_from(self.descriptor.as_raw_fd()) {
            let _ = wait_for(libc::P_PIDFD, id, libc::WEXITED | libc::WNOHANG);
        }
    }

    /// Whether it ended, and only its status is left.
    pub fn is_zombie(&self) -> bool {
        read_stat(self.pid).is_some_and(|row| row.start_time == self.start_time && row.is_zombie())
    }

    /// Waits until it ended; whether it did in time.
    pub fn wait_gone(&self, patience: Duration) -> bool {
        let mut polled = [rustix::event::PollFd::new(&self.descriptor, rustix::event::PollFlags::IN)];
        let Ok(patience) = rustix::event::Timespec::try_from(patience) else { return false };
        matches!(rustix::event::poll(&mut polled, Some(&patience)), Ok(1..))
    }

    /// Waits until a child of ours ended, and lets its zombie go.
    pub fn wait_and_reap(&self) {
        let mut polled = [rustix::event::PollFd::new(&self.descriptor, rustix::event::PollFlags::IN)];
        while let Err(rustix::io::Errno::INTR) = rustix::event::poll(&mut polled, None) {}
        self.reap();
    }

    /// What the kernel kept of the end of a process that somebody else reaped (`PIDFD_GET_INFO`, Linux 6.15).
    pub fn kept_exit(&self) -> KeptExit {
        let mut info = PidfdInfo { mask: PIDFD_INFO_EXIT, ..PidfdInfo::default() };
        // SAFETY: the structure is as long as the request says, and any bytes are a value of it.
        let code = unsafe { libc::ioctl(self.descriptor.as_raw_fd(), PIDFD_GET_INFO, &raw mut info) };
        match code {
            0 if info.mask & PIDFD_INFO_EXIT != 0 => KeptExit::Known(exit_of_status(info.exit_code)),
            0 => KeptExit::NotYet,
            _ => KeptExit::Lost,
        }
    }
}

impl AsFd for Process {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// What the kernel says of the end of a process that is no child of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptExit {
    /// This.
    Known(Exit),
    /// Nothing before its parent has reaped it; then the descriptor reports "gone".
    NotYet,
    /// Nothing, ever.
    Lost,
}

const PIDFD_INFO_EXIT: u64 = 1 << 3;

/// `_IOWR(0xFF, 11, struct pidfd_info)` with the structure's first length, 64 bytes, which all kernels take.
const PIDFD_GET_INFO: libc::c_ulong = 0xc040_ff0b;

/// `struct pidfd_info` of `linux/pidfd.h`, in its first length.
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroup: u64,
    numbers: [u32; 11],
    exit_code: i32,
}

/// As `wait(2)` gives it.
fn exit_of_status(status: i32) -> Exit {
    if libc::WIFEXITED(status) {
        return Exit::Code(libc::WEXITSTATUS(status));
    }
    Signal::from_number(libc::WTERMSIG(status)).map_or(Exit::Unknown, Exit::Signal)
}

/// A child that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadChild {
    /// Its id.
    pub pid: u32,
    /// How it ended.
    pub exit: Exit,
}

/// Any child that ended; it stays a zombie, so that it can be noted before it is let go.
pub fn next_dead_child() -> Option<DeadChild> {
    wait_for(libc::P_ALL, 0, libc::WEXITED | libc::WNOHANG | libc::WNOWAIT).ok().flatten()
}

/// Lets the zombie of this child go.
pub fn reap_child(pid: u32) {
    let _ = wait_for(libc::P_PID, pid, libc::WEXITED | libc::WNOHANG);
}

fn wait_for(kind: libc::idtype_t, id: libc::id_t, options: libc::c_int) -> io::Result<Option<DeadChild>> {
    // SAFETY: it is plain numbers.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: `info` is live and of the right type.
        if unsafe { libc::waitid(kind, id, &raw mut info, options) } == 0 {
            break;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    // SAFETY: `waitid` fills in these fields; when no child had ended they are zero, as they were.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    let Some(pid) = u32::try_from(pid).ok().filter(|pid| *pid != 0) else { return Ok(None) };
    let exit = match info.si_code {
        libc::CLD_EXITED => Exit::Code(status),
        _ => Signal::from_number(status).map_or(Exit::Unknown, Exit::Signal),
    };
    Ok(Some(DeadChild { pid, exit }))
}

/// Takes in processes whose parents have ended, from now on (`PR_SET_CHILD_SUBREAPER`).
///
/// # Errors
/// `prctl(2)`.
pub fn adopt_orphans() -> io::Result<()> {
    Ok(rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?)
}

/// The parent of this process.
pub fn parent_pid() -> u32 {
    rustix::process::getppid().and_then(|pid| u32::try_from(pid.as_raw_nonzero().get()).ok()).unwrap_or(0)
}

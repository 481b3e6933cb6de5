//! What the new process does before it becomes the program: system calls, in this order, and nothing else. It shares the
//! parent's memory; it does not allocate, lock, or panic.

use std::{
    ffi::{CStr, c_int, c_void},
    os::fd::BorrowedFd,
    ptr,
    sync::atomic::Ordering,
};

use rustix::{
    fs::{CWD, Mode, OFlags},
    io::Errno,
};

use super::{super::limits::set_oom_score, FailedStep, OWN_STAT, plan::Plan};

/// The exit code of a process that did not become its program; nobody sees it but its parent.
const NOT_STARTED: c_int = 127;

/// The highest descriptor that is closed one by one, where the kernel cannot close a range (before Linux 5.9).
const OLD_KERNEL_DESCRIPTORS: u32 = 65_536;

/// The highest signal of Linux.
const HIGHEST_SIGNAL: c_int = 64;

/// Bytes of a set of signals in the kernel.
const SIGNAL_SET_BYTES: usize = 8;

/// The umask of each service.
const UMASK: u32 = 0o022;

pub(super) extern "C" fn main(argument: *mut c_void) -> c_int {
    // SAFETY: the parent hands over a plan, and stands still for as long as we use it.
    let plan = unsafe { &*argument.cast::<Plan<'_>>() };
    let (step, errno) = become_program(plan);
    plan.errno.store(errno.raw_os_error(), Ordering::Relaxed);
    plan.failed_step.store(step as u32, Ordering::Relaxed);
    write_record(plan);
    // SAFETY: it ends this process without running anything of the parent's.
    unsafe { libc::_exit(NOT_STARTED) }
}

/// Comes back only when a step failed.
fn become_program(plan: &Plan<'_>) -> (FailedStep, Errno) {
    close_others(plan);
    if let Err(errno) = rustix::process::setsid() {
        return (FailedStep::Session, errno);
    }
    if let Err(errno) = note_identity(plan) {
        return (FailedStep::Identity, errno);
    }
    for (from, to) in &plan.moves {
        // SAFETY: both numbers are ours to use; none of the parent's values owns one in this process.
        if unsafe { libc::dup2(*from, *to) } < 0 {
            return (FailedStep::Descriptors, last_errno());
        }
    }
    default_signals();
    for (resource, limit) in plan.limits {
        // Lowering a limit cannot fail, and a raised one that stays raised does no harm.
        let _ = rustix::process::setrlimit(*resource, *limit);
    }
    if let Some(score) = plan.oom_score {
        // As for limits. What memory is shared with the parent during this does not share its score (`vfork(2)`).
        let _ = set_oom_score(score);
    }
    rustix::process::umask(Mode::from_raw_mode(UMASK));
    if let Err(errno) = rustix::process::chdir(plan.dir.as_c_str()) {
        return (FailedStep::Directory, errno);
    }
    if let Err(errno) = take_identity(plan) {
        return (FailedStep::User, errno);
    }
    unblock_signals();
    (FailedStep::Program, execute(plan))
}

/// First of all: an inherited descriptor may be another slot's lock.
fn close_others(plan: &Plan<'_>) {
    for (first, last) in &plan.gaps {
        // SAFETY: closing descriptors of this process; the parent has its own table.
        if unsafe { libc::syscall(libc::SYS_close_range, *first, *last, 0) } == 0 {
            continue;
        }
        for number in *first..=(*last).min(OLD_KERNEL_DESCRIPTORS) {
            // SAFETY: as above.
            unsafe { libc::close(number.cast_signed()) };
        }
    }
}

/// The fence: from here on a keeper that finds the record knows which process it is about. One that cannot say so does not
/// become the program: nobody would find it again.
fn note_identity(plan: &Plan<'_>) -> Result<(), Errno> {
    let pid = rustix::process::getpid().as_raw_nonzero().get();
    plan.pid.store(pid.cast_unsigned(), Ordering::Relaxed);
    plan.start_time.store(own_start_time()?, Ordering::Relaxed);
    write_record(plan);
    Ok(())
}

fn write_record(plan: &Plan<'_>) {
    let Some(record) = &plan.record else { return };
    let bytes = (record.encode)(plan.facts());
    // SAFETY: the parent's value keeps this descriptor open for as long as we run.
    let file = unsafe { BorrowedFd::borrow_raw(record.file) };
    // Forty bytes within one page are written whole or not at all; without them the run counts as never begun.
    let _ = rustix::io::pwrite(file, &bytes, 0);
}

/// Field 22 of `/proc/self/stat`; counted from the last bracket, since the name before it may hold anything.
fn own_start_time() -> Result<u64, Errno> {
    let file = rustix::fs::openat(CWD, OWN_STAT, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut bytes = [0_u8; 1024];
    let count = rustix::io::read(&file, &mut bytes)?;
    start_time_in(bytes.get(..count).unwrap_or_default()).ok_or(Errno::IO)
}

fn start_time_in(line: &[u8]) -> Option<u64> {
    let after = line.iter().rposition(|byte| *byte == b')')? + 1;
    let field = line.get(after..)?.split(|byte| *byte == b' ').filter(|field| !field.is_empty()).nth(19)?;
    field.iter().try_fold(0_u64, |value, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// Ignored signals would stay ignored through `execve`. By the bare system call: libc keeps two signals from being set, and
/// somebody further up may have ignored just these.
fn default_signals() {
    // `struct sigaction` of the kernel: SIG_DFL, no flags, an empty set, is all zeros on every machine.
    let default = [0_u64; 8];
    for signal in 1..=HIGHEST_SIGNAL {
        // SAFETY: the child has its own table of handlers, and the structure is shorter than what is handed over; those
        // signals that cannot be set refuse.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                default.as_ptr(),
                ptr::null::<u64>(),
                SIGNAL_SET_BYTES,
            );
        }
    }
}

fn unblock_signals() {
    // SAFETY: an empty set is all zeros, and the old one is not asked for.
    unsafe {
        let empty: libc::sigset_t = std::mem::zeroed();
        libc::sigprocmask(libc::SIG_SETMASK, &raw const empty, ptr::null_mut());
    }
}

/// By the bare system calls: libc's functions of these names would do it for all threads of the parent as well.
fn take_identity(plan: &Plan<'_>) -> Result<(), Errno> {
    let Some(identity) = &plan.identity else { return Ok(()) };
    rustix::thread::set_thread_groups(&identity.groups)?;
    rustix::thread::set_thread_res_gid(identity.gid, identity.gid, identity.gid)?;
    rustix::thread::set_thread_res_uid(identity.uid, identity.uid, identity.uid)
}

/// As `execvp(3)`, but a file of no known format is not handed to a shell.
fn execute(plan: &Plan<'_>) -> Errno {
    let mut worst = Errno::NOENT;
    for (index, candidate) in (0_u32..).zip(&plan.candidates) {
        let errno = execute_file(candidate, plan);
        match errno {
            Errno::NOENT | Errno::NOTDIR | Errno::NODEV | Errno::STALE | Errno::TIMEDOUT => {}
            Errno::ACCESS if worst == Errno::ACCESS => {}
            errno => {
                plan.candidate.store(index, Ordering::Relaxed);
                worst = errno;
                if errno != Errno::ACCESS {
                    break;
                }
            }
        }
    }
    worst
}

fn execute_file(path: &CStr, plan: &Plan<'_>) -> Errno {
    // SAFETY: the path and all strings end with a NUL, and both lists with a null.
    unsafe { libc::execve(path.as_ptr(), plan.words.as_ptr(), plan.env.as_ptr()) };
    last_errno()
}

/// The variable is the waiting parent thread's.
fn last_errno() -> Errno {
    Errno::from_raw_os_error(std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))
}

//! Making a process: `clone` with CLONE_VM and CLONE_VFORK, so that it costs the same from a small parent and from a large
//! one, and the parent learns at once whether the program was executed.
//!
//! Everything that the new process needs is prepared before the clone ([`plan`]); between the clone and the `execve` it
//! only makes system calls ([`child`]): it shares our memory, and another thread may hold the allocator's lock. It writes
//! its own id and start time into a file that the caller chose (the fence: see the keeper), and which step failed when one
//! did. What a failure means in words is [`explain`]'s.

mod child;
mod explain;
mod plan;

use std::{
    ffi::c_void,
    io,
    os::fd::{BorrowedFd, FromRawFd, OwnedFd},
    path::Path,
    ptr::{self, NonNull},
    sync::atomic::Ordering,
};

use mainstay_model::SpawnFailure;
use rustix::{
    mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap},
    process::{Resource, Rlimit},
};

pub use explain::{Attempt, FailedStep};
use plan::Plan;

use super::{Limits, Process};

/// Bytes of the new process's stack; it has a guard page of its own beyond that.
const STACK_BYTES: usize = 64 * 1024;

/// Bytes of the guard below the stack.
const GUARD_BYTES: usize = 4096;

/// Bytes that a new process writes about itself.
pub const CHILD_RECORD_BYTES: usize = 40;

/// A process to make. Everything is resolved.
#[derive(Debug)]
pub struct SpawnRequest<'a> {
    /// Program and arguments; never empty. One without a slash is looked for in the PATH of `env`.
    pub words: &'a [String],
    /// The whole environment, `NAME=value`.
    pub env: &'a [String],
    /// The working directory.
    pub dir: &'a str,
    /// The user and groups to take on.
    pub identity: Option<Identity<'a>>,
    /// What becomes its standard output and standard error. Its standard input is empty.
    pub output: Output<'a>,
    /// Further descriptors, and the numbers that they shall have there.
    pub pass: &'a [(BorrowedFd<'a>, i32)],
    /// Where it writes who it is.
    pub record: Option<ChildRecord<'a>>,
    /// Limits to put back.
    pub limits: &'a Limits,
}

/// Numbers of a user.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// The user.
    pub uid: u32,
    /// The primary group.
    pub gid: u32,
    /// The supplementary groups.
    pub groups: &'a [u32],
}

/// Where the output of a new process goes.
#[derive(Clone, Copy, Debug)]
pub enum Output<'a> {
    /// Both streams to this.
    Both(BorrowedFd<'a>),
    /// Each to its own.
    Apart {
        /// Standard output.
        out: BorrowedFd<'a>,
        /// Standard error.
        errors: BorrowedFd<'a>,
    },
    /// Standard output to nowhere, standard error to where our own goes.
    OwnErrors,
}

/// Where a new process writes who it is, before it becomes the program.
#[derive(Clone, Copy, Debug)]
pub struct ChildRecord<'a> {
    /// The file; the new process has it open until its `execve`, and with it a lock on it.
    pub file: BorrowedFd<'a>,
    /// A number of the caller's, to be written with the rest.
    pub run: u64,
    /// The form of what is written. It is called in the new process: it must not allocate.
    pub encode: fn(ChildFacts) -> [u8; CHILD_RECORD_BYTES],
}

/// What a new process knows about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChildFacts {
    /// The caller's number.
    pub run: u64,
    /// Its process id.
    pub pid: u32,
    /// When it started, in clock ticks since boot.
    pub start_time: u64,
    /// The step that failed (see [`FailedStep`]); 0 while none did.
    pub failed_step: u32,
    /// Why (`errno(3)`).
    pub errno: i32,
    /// Which of the candidates for the program's file is meant.
    pub candidate: u32,
}

/// Makes a process and waits until its program is executed, or could not be. A program on a file system that hangs makes
/// this call hang.
///
/// # Errors
/// The failed step, in words.
pub fn spawn(request: &SpawnRequest<'_>) -> Result<Process, SpawnFailure> {
    let attempt = Attempt::of(request);
    let plan = Plan::new(request).map_err(|error| attempt.no_preparation(&error))?;
    let stack = Stack::new().map_err(|error| attempt.no_process(&error))?;
    let process = clone_child(&plan, &stack).map_err(|error| attempt.no_process(&error))?;
    let facts = plan.facts();
    if facts.failed_step == 0 {
        return Ok(process);
    }
    process.wait_and_reap();
    Err(attempt.failure(facts.failed_step, facts.errno, facts.candidate))
}

fn clone_child(plan: &Plan<'_>, stack: &Stack) -> io::Result<Process> {
    let signals = BlockedSignals::all();
    let mut descriptor: libc::c_int = -1;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    let argument = ptr::from_ref(plan).cast_mut().cast::<c_void>();
    // SAFETY: the child runs on a stack of its own, while this thread stands still until its `execve` or `_exit`
    // (CLONE_VFORK), so `plan` and `stack` outlive its use of them; it makes only system calls; and as all signals are
    // blocked no handler of ours can run in it.
    let pid = unsafe { libc::clone(child::main, stack.top(), flags, argument, &raw mut descriptor) };
    let error = io::Error::last_os_error();
    drop(signals);
    if pid < 0 {
        return Err(error);
    }
    // SAFETY: CLONE_PIDFD made this descriptor, close-on-exec, and nobody else has it.
    let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
    let start_time = plan.start_time.load(Ordering::Relaxed);
    Ok(Process::from_parts(u32::try_from(pid).unwrap_or(0), start_time, descriptor))
}

/// Memory for the new process's stack, with a guard below it.
struct Stack {
    start: NonNull<c_void>,
}

impl Stack {
    fn new() -> io::Result<Self> {
        let length = STACK_BYTES + GUARD_BYTES;
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        let flags = MapFlags::PRIVATE | MapFlags::STACK;
        // SAFETY: a new mapping at a place of the kernel's choice touches no memory that is in use.
        let start = unsafe { mmap_anonymous(ptr::null_mut(), length, protection, flags)? };
        let stack = Self { start: NonNull::new(start).ok_or(io::ErrorKind::OutOfMemory)? };
        // SAFETY: this is the lowest page of the mapping just made.
        unsafe { mprotect(start, GUARD_BYTES, MprotectFlags::empty())? };
        Ok(stack)
    }

    /// The end of the memory: stacks grow downwards on all machines that we run on.
    fn top(&self) -> *mut c_void {
        // SAFETY: one past the end of the mapping.
        unsafe { self.start.as_ptr().byte_add(STACK_BYTES + GUARD_BYTES) }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and the child that used it is gone or has become another program.
        let _ = unsafe { munmap(self.start.as_ptr(), STACK_BYTES + GUARD_BYTES) };
    }
}

/// All signals blocked for this thread, until it is dropped.
struct BlockedSignals(libc::sigset_t);

impl BlockedSignals {
    fn all() -> Self {
        // SAFETY: sets are plain numbers; `sigfillset` initialises the one, and the call writes the other.
        unsafe {
            let mut all: libc::sigset_t = std::mem::zeroed();
            let mut before: libc::sigset_t = std::mem::zeroed();
            libc::sigfillset(&raw mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
            Self(before)
        }
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        // SAFETY: the set is what the same call gave us.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, ptr::null_mut()) };
    }
}

/// What a limit is in the plan.
type Limit = (Resource, Rlimit);

/// Where `/proc` tells a process about itself.
const OWN_STAT: &std::ffi::CStr = c"/proc/self/stat";

/// Where programs without a slash are looked for when the environment has no PATH (`confstr(_CS_PATH)`).
pub(crate) const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// The value of PATH in an environment.
fn path_of(env: &[String]) -> Option<&str> {
    env.iter().find_map(|pair| pair.strip_prefix("PATH="))
}

/// A candidate as a person reads it, relative ones counted from the working directory.
fn absolute(dir: &str, program: &str) -> std::path::PathBuf {
    Path::new(dir).join(program)
}

//! Threads that make processes: an `execve` from a file system that hangs must hold up its own slot only. They live no
//! longer than there is work.

use std::{
    collections::{BTreeMap, VecDeque},
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::Builder,
    time::Duration,
};

use mainstay_host::{
    ChildRecord, Identity, Limits, Lock, Output, Process, SpawnRequest, Waker, is_no_room, monotonic_nanos,
    open_private, spawn,
};
use mainstay_model::{SpawnFailure, SpawnFailureKind};
use mainstay_wire::{Program, SlotWrite};

use super::{
    begin::kind_of,
    store::{apply, encode_child},
};

/// Threads that work at the same time, not counting those that hang.
const THREADS: usize = 4;

/// All threads at most; when this many hang, further spawns wait.
const THREADS_LIMIT: usize = 256;

/// A spawn that takes longer than this hangs.
pub(super) const HANGS_AFTER: Duration = Duration::from_millis(200);

/// Bytes of such a thread's stack; the new process has one of its own.
const STACK_BYTES: usize = 64 * 1024;

/// The number of the supervising thread among those that make processes.
const SUPERVISING: u64 = u64::MAX;

/// A process to make.
#[derive(Debug)]
pub(super) struct Job {
    /// Whose.
    pub(super) slot: usize,
    pub(super) run: u64,
    /// The record's file, and what is to be in it before the process is made.
    pub(super) path: PathBuf,
    pub(super) intent: SlotWrite,
    /// What is held while it runs by hand.
    pub(super) by_hand: PathBuf,
    pub(super) program: Box<Program>,
    pub(super) output: OwnedFd,
    /// Standard error, when it is kept apart.
    pub(super) errors: Option<OwnedFd>,
    pub(super) pass: Vec<(OwnedFd, i32)>,
}

/// What a thread has to tell.
#[derive(Debug)]
pub(super) enum Done {
    /// A process was made, or could not be.
    Spawned { slot: usize, run: u64, result: Result<Process, SpawnFailure> },
    /// The process of a dead keeper that had a slot's lock has let it go.
    LockFree { slot: usize },
}

#[derive(Debug)]
struct Shared {
    work: Mutex<Work>,
    done: Mutex<Vec<Done>>,
    waker: Arc<Waker>,
    limits: Limits,
}

#[derive(Debug, Default)]
struct Work {
    queue: VecDeque<Job>,
    /// When each thread began its present spawn.
    threads: BTreeMap<u64, u64>,
    /// Threads that have not taken their first one yet.
    starting: usize,
    next: u64,
}

impl Work {
    fn needs_thread(&self) -> bool {
        let hangs = u64::try_from(HANGS_AFTER.as_nanos()).unwrap_or(u64::MAX);
        let now = monotonic_nanos();
        let working = self.threads.values().filter(|since| now.saturating_sub(**since) < hangs).count();
        !self.queue.is_empty()
            && working < THREADS.min(working + self.queue.len())
            && self.threads.len() < THREADS_LIMIT
    }
}

#[derive(Debug)]
pub(super) struct Spawner {
    shared: Arc<Shared>,
}

impl Spawner {
    /// `limits` are put back in each new process.
    pub(super) fn new(waker: Arc<Waker>, limits: Limits) -> Self {
        let shared = Shared { work: Mutex::default(), done: Mutex::default(), waker, limits };
        Self { shared: Arc::new(shared) }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    pub(super) fn submit(&self, job: Job) {
        self.shared.work().queue.push_back(job);
        self.widen();
    }

    /// Adds threads when there is work that nobody does. Whether some work still waits.
    pub(super) fn widen(&self) -> bool {
        let mut work = self.shared.work();
        while work.needs_thread() {
            let id = work.next;
            work.next += 1;
            work.threads.insert(id, monotonic_nanos());
            work.starting += 1;
            let shared = Arc::clone(&self.shared);
            let started = Builder::new()
                .name("spawn".to_owned())
                .stack_size(STACK_BYTES)
                .spawn(move || shared.work_off(id));
            if started.is_err() {
                work.threads.remove(&id);
                work.starting -= 1;
                drop(work);
                self.do_it_here();
                return false;
            }
        }
        !work.queue.is_empty()
    }

    /// There is no room for a thread: better a supervising thread that may hang than a spawn that is forgotten.
    fn do_it_here(&self) {
        self.shared.work_off(SUPERVISING);
    }

    pub(super) fn done(&self) -> Vec<Done> {
        std::mem::take(&mut self.shared.done.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits, in a thread of its own, until the lock of this slot's file is free; `false`: there is no room for one.
    pub(super) fn watch_lock(&self, slot: usize, path: PathBuf) -> bool {
        let shared = Arc::clone(&self.shared);
        let wait = move || {
            // The lock goes with the file at once: who has the keeper's lock is alone with the slots.
            while open_private(&path).and_then(|file| file.lock()).is_err_and(|error| is_no_room(&error)) {
                std::thread::sleep(HANGS_AFTER);
            }
            shared.tell(Done::LockFree { slot });
        };
        Builder::new().name("lock".to_owned()).stack_size(STACK_BYTES).spawn(wait).is_ok()
    }
}

impl Shared {
    fn work(&self) -> std::sync::MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, done: Done) {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).push(done);
        self.waker.wake();
    }

    fn work_off(&self, id: u64) {
        let mut is_first = id != SUPERVISING;
        loop {
            let mut work = self.work();
            work.starting -= usize::from(std::mem::take(&mut is_first));
            let Some(job) = work.queue.pop_front() else {
                work.threads.remove(&id);
                return;
            };
            work.threads.insert(id, monotonic_nanos());
            drop(work);
            let result = self.carry_out(&job);
            self.tell(Done::Spawned { slot: job.slot, run: job.run, result });
        }
    }

    /// The fence: lock, intent, clone; the new process notes who it is, and its `execve` lets the lock go.
    fn carry_out(&self, job: &Job) -> Result<Process, SpawnFailure> {
        refuse_second(&job.by_hand)?;
        let cannot_write = |error: std::io::Error| SpawnFailure {
            kind: kind_of(&error),
            text: format!("`{}` cannot be written: {error}", job.path.display()),
        };
        let file = open_private(&job.path).map_err(cannot_write)?;
        file.lock().map_err(cannot_write)?;
        crate::fault::point();
        apply(&file, &job.intent).map_err(cannot_write)?;
        crate::fault::point();
        let program = &job.program;
        let pass: Vec<_> =
            job.pass.iter().map(|(descriptor, number)| (descriptor.as_fd(), *number)).collect();
        let spawned = spawn(&SpawnRequest {
            words: &program.words,
            env: &program.env,
            dir: &program.dir,
            identity: program.identity.as_ref().map(|identity| Identity {
                uid: identity.uid,
                gid: identity.gid,
                groups: &identity.groups,
            }),
            output: match &job.errors {
                None => Output::Both(job.output.as_fd()),
                Some(errors) => Output::Apart { out: job.output.as_fd(), errors: errors.as_fd() },
            },
            pass: &pass,
            record: Some(ChildRecord { file: file.as_fd(), run: job.run, encode: encode_child }),
            limits: &self.limits,
        });
        crate::fault::point();
        spawned
    }
}

/// One that runs by hand is not started beside it. Whoever runs it has the lock before asking whether we run it, and we are
/// known to start it before we look: of two at once at least one sees the other.
fn refuse_second(by_hand: &Path) -> Result<(), SpawnFailure> {
    match Lock::holder(by_hand) {
        Ok(Some(holder)) => Err(SpawnFailure {
            kind: SpawnFailureKind::Other,
            text: format!("it runs by hand{}", holder.in_brackets()),
        }),
        // A lock that cannot be looked at is not held: it takes the same rights to hold it.
        Ok(None) | Err(_) => Ok(()),
    }
}

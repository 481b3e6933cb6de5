//! Has rotated files compressed, by a child of low priority: off the pump's way, and without its memory. One at a time; when
//! there is nothing to compress there is neither a child nor a thread.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{Builder, JoinHandle},
};

use mainstay_host::{Process, start_time};
use mainstay_model::Signal;

use crate::report::say;

/// Bytes of the thread's stack.
const STACK_BYTES: usize = 128 * 1024;

/// Takes requests, and sees to it that they are carried out.
#[derive(Debug)]
pub(crate) struct Compressor {
    exe: PathBuf,
    desk: Arc<Mutex<Desk>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Desk {
    /// Folders, and the number below which their rotated files are to be compressed.
    wanted: BTreeMap<PathBuf, u64>,
    /// The thread is at work and will look at `wanted` once more.
    is_at_work: bool,
    /// The child, by pid and start time.
    child: Option<(u32, u64)>,
    is_ending: bool,
    /// It was said that no child can be made.
    has_complained: bool,
}

impl Compressor {
    /// `exe` is this program.
    pub(crate) fn new(exe: &Path) -> Self {
        Self { exe: exe.to_owned(), desk: Arc::default(), thread: None }
    }

    /// Have the rotated files of this folder with smaller numbers compressed. None of them may be one that a batch under way
    /// depends on.
    pub(super) fn request(&mut self, dir: &Path, below: u64) {
        let mut desk = lock(&self.desk);
        desk.wanted.insert(dir.to_owned(), below);
        if desk.is_at_work || desk.is_ending {
            return;
        }
        let (exe, own) = (self.exe.clone(), Arc::clone(&self.desk));
        let thread = Builder::new().name("compressor".to_owned()).stack_size(STACK_BYTES);
        match thread.spawn(move || work(&exe, &own)) {
            Ok(thread) => {
                desk.is_at_work = true;
                self.thread = Some(thread);
            }
            // The next rotation asks again.
            Err(error) => say(format_args!("rotated logs cannot be compressed: {error}")),
        }
    }

    /// Ends what is under way: it can be killed at any moment.
    pub(super) fn stop(&mut self) {
        let mut desk = lock(&self.desk);
        desk.is_ending = true;
        desk.wanted.clear();
        if let Some(child) = desk.child.and_then(|(pid, start)| Process::open(pid, start)) {
            child.signal(Signal::KILL);
        }
        drop(desk);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

fn work(exe: &Path, shared: &Mutex<Desk>) {
    loop {
        let mut desk = lock(shared);
        let Some((dir, below)) = desk.wanted.pop_first() else {
            desk.is_at_work = false;
            return;
        };
        let mut command = Command::new(exe);
        command.args(["daemon", "compress", "--below", &below.to_string(), "--dir"]).arg(&dir);
        match command.stdin(Stdio::null()).stdout(Stdio::null()).spawn() {
            Ok(mut child) => {
                desk.child = start_time(child.id()).map(|start| (child.id(), start));
                drop(desk);
                // How it ended, it says itself; what it did not do is done after the next rotation.
                let _ = child.wait();
                lock(shared).child = None;
            }
            Err(error) => {
                let is_first = !std::mem::replace(&mut desk.has_complained, true);
                drop(desk);
                if is_first {
                    say(format_args!("rotated logs cannot be compressed: `{}`: {error}", exe.display()));
                }
            }
        }
    }
}

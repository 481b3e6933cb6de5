//! Where things are, as given on the command line, and the command lines of the processes that are started with the same.

use std::{
    collections::hash_map::DefaultHasher,
    ffi::OsStr,
    hash::Hasher,
    io,
    path::{Path, PathBuf},
};

use mainstay_host::{effective_uid, is_in_memory};

/// Where things are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// This program; it is started again as keeper and as daemon.
    pub exe: PathBuf,
    /// Where the daemon keeps its state.
    pub state_dir: PathBuf,
    /// Where sockets, FIFOs and slots are.
    pub run_dir: PathBuf,
    /// Where logs are.
    pub logs_dir: PathBuf,
}

/// The anchor's lock. It has one of this name in the run-time folder, which makes it the only one there, and one where the
/// state is: that one is still there when the run-time folder was cleaned away, and moves with the state.
pub const ANCHOR_LOCK: &str = "anchor.lock";

/// The keeper's, in the same two folders.
pub const KEEPER_LOCK: &str = "keeper.lock";

/// What whoever runs a service by hand holds, for as long as it runs: the keeper does not start it meanwhile.
pub fn by_hand_lock(state_dir: &Path, slot: &str) -> PathBuf {
    state_dir.join("by-hand").join(format!("{slot}.lock"))
}

/// Where the buffer of the pump may be when the run-time folder is on a disk.
const MEMORY_FOLDER: &str = "/dev/shm";

impl Options {
    /// The words of a command line that starts this program as `role` (`keeper`, `run`).
    pub(crate) fn words(&self, exe: &Path, role: &str) -> Vec<String> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        vec![
            text(exe),
            "daemon".to_owned(),
            role.to_owned(),
            "--state-dir".to_owned(),
            text(&self.state_dir),
            "--run-dir".to_owned(),
            text(&self.run_dir),
            "--logs-dir".to_owned(),
            text(&self.logs_dir),
        ]
    }

    pub(crate) fn keeper_lock(&self) -> PathBuf {
        self.run_dir.join(KEEPER_LOCK)
    }

    pub(crate) fn state_keeper_lock(&self) -> PathBuf {
        self.state_dir.join(KEEPER_LOCK)
    }

    pub(crate) fn by_hand_lock(&self, slot: &str) -> PathBuf {
        by_hand_lock(&self.state_dir, slot)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.run_dir.join("sock")
    }

    pub(crate) fn fifo_dir(&self) -> PathBuf {
        self.run_dir.join("fifo")
    }

    pub(crate) fn fifo(&self, slot: &str) -> PathBuf {
        self.fifo_dir().join(slot)
    }

    pub(crate) fn slots_dir(&self) -> PathBuf {
        self.run_dir.join("slots")
    }

    pub(crate) fn slot(&self, slot: &str) -> PathBuf {
        self.slots_dir().join(slot)
    }

    /// Where the buffer of the pump is: in memory, and in a folder of ours.
    pub(crate) fn memory_dir(&self) -> PathBuf {
        if is_in_memory(&self.run_dir) || !is_in_memory(Path::new(MEMORY_FOLDER)) {
            return self.run_dir.join("memory");
        }
        // Its keys are fixed, so the name is the same for each keeper of this program.
        let mut hasher = DefaultHasher::new();
        hasher.write(self.run_dir.as_os_str().as_encoded_bytes());
        Path::new(MEMORY_FOLDER).join(format!("mainstay-{}-{:016x}", effective_uid(), hasher.finish()))
    }
}

/// Our own environment, as those that we start get it. One that is no UTF-8 is left out.
pub(crate) fn own_environment() -> Vec<String> {
    let text = |part: &OsStr| part.to_str().map(str::to_owned);
    std::env::vars_os()
        .filter_map(|(name, value)| Some(format!("{}={}", text(&name)?, text(&value)?)))
        .collect()
}

/// Removes everything in the run-time folder, the lock that keeps others out of it last.
pub(crate) fn empty_run_dir(options: &Options, lock: &Path) -> io::Result<()> {
    let memory = options.memory_dir();
    if memory.exists() {
        std::fs::remove_dir_all(memory)?;
    }
    for entry in std::fs::read_dir(&options.run_dir)? {
        let path = entry?.path();
        if path == lock {
            continue;
        }
        if std::fs::symlink_metadata(&path)?.is_dir() {
            std::fs::remove_dir_all(&path)?;
        } else {
            std::fs::remove_file(&path)?;
        }
    }
    std::fs::remove_file(lock)
}

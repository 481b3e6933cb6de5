//! Where things are, as given on the command line, and the command lines of the processes that are started with the same.

use std::{
    collections::hash_map::DefaultHasher,
    ffi::OsStr,
    hash::Hasher,
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use mainstay_host::{
    OWN_PROGRAM, SOCKET_PATH_LIMIT, effective_uid, is_in_memory, is_own_program, shared_calls_dirs,
};
use mainstay_wire::TROUBLE_FILE;

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

/// Where notify sockets may be that services of other users must reach: nobody else gets into the run-time folder.
const SHARED_FOLDERS: [&str; 3] = ["/run", MEMORY_FOLDER, "/tmp"];

impl Options {
    /// The file of this very program: whoever is started understands whoever starts it, also when another one was put in its
    /// place meanwhile, or nothing.
    pub(crate) fn program(&self) -> &Path {
        if is_own_program(&self.exe) { &self.exe } else { Path::new(OWN_PROGRAM) }
    }

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

    pub(crate) fn trouble(&self) -> PathBuf {
        self.run_dir.join(TROUBLE_FILE)
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
        let key = hash(self.run_dir.as_os_str().as_encoded_bytes());
        Path::new(MEMORY_FOLDER).join(format!("mainstay-{}-{key:016x}", effective_uid()))
    }

    /// Where notify sockets of services of our own user are.
    pub(crate) fn notify_dir(&self) -> PathBuf {
        self.run_dir.join("notify")
    }

    /// Where those of services of other users may be.
    pub(crate) fn shared_notify_dirs(&self) -> impl Iterator<Item = PathBuf> + use<> {
        let key = hash(self.run_dir.as_os_str().as_encoded_bytes());
        SHARED_FOLDERS.into_iter().map(move |dir| Path::new(dir).join(format!("mainstay-notify-{key:016x}")))
    }
}

/// The notify socket of a slot in one of these folders; by a number when the slot's name is too long for a socket.
pub(crate) fn notify_socket(dir: &Path, slot: &str) -> PathBuf {
    let path = dir.join(slot);
    if path.as_os_str().len() <= SOCKET_PATH_LIMIT {
        return path;
    }
    dir.join(format!(".{:016x}", hash(slot.as_bytes())))
}

/// Its keys are fixed: the same for each keeper of this program.
fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
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
    let shared = options.shared_notify_dirs().chain(shared_calls_dirs(&options.run_dir));
    for dir in shared.chain([options.memory_dir()]) {
        // Somebody else's of that name was never used, and is left to them.
        if is_own(&dir) {
            std::fs::remove_dir_all(dir)?;
        }
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

/// Whether there is something of ours, by whatever name.
fn is_own(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|data| data.uid() == effective_uid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_has_the_name_of_its_slot_as_far_as_that_fits() {
        let dir = PathBuf::from(format!("/run/{}", "d".repeat(75)));
        assert_eq!(notify_socket(&dir, "api@2+before_start"), dir.join("api@2+before_start"));
        let long = notify_socket(&dir, &"s".repeat(64));
        assert!(long.as_os_str().len() <= SOCKET_PATH_LIMIT, "{}", long.display());
        assert_ne!(long, notify_socket(&dir, &"t".repeat(64)));
    }
}

//! A file whose lock says that its holder lives, and whose content says who that is.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use mainstay_host::{Process, start_time};

/// How often a lock is tried whose file is replaced under our hands.
const TRIES: usize = 8;

/// A held lock; dropping it lets it go.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
    path: PathBuf,
}

/// The answer to asking for a lock.
#[derive(Debug)]
pub(crate) enum Asked {
    Held(Lock),
    /// Somebody else has it: this process, when it said so.
    Busy(Option<Process>),
}

impl Lock {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the lock when it is free.
    pub(crate) fn ask(path: &Path) -> io::Result<Asked> {
        for _ in 0..TRIES {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .custom_flags(mainstay_host::NO_LINKS)
                .open(path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(Asked::Busy(holder(&mut file))),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // A holder that ended may have removed the file between our two steps: then this lock keeps nobody out.
            let same =
                fs::metadata(path).is_ok_and(|data| file.metadata().is_ok_and(|own| own.ino() == data.ino()));
            if same {
                sign(&mut file)?;
                return Ok(Asked::Held(Self { _file: file, path: path.to_owned() }));
            }
        }
        Err(io::Error::other("its file changes all the time"))
    }

    /// Whether nobody has the lock, after waiting for its holder to end, but not for ever.
    pub(crate) fn is_free(path: &Path, patience: Duration) -> io::Result<Result<(), Option<Process>>> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Ok(())),
            Err(error) => return Err(error),
        };
        let holder = match file.try_lock_shared() {
            Ok(()) => return Ok(Ok(())),
            Err(TryLockError::WouldBlock) => holder(&mut file),
            Err(TryLockError::Error(error)) => return Err(error),
        };
        match holder {
            Some(process) if process.wait_gone(patience) => Ok(Ok(())),
            holder => Ok(Err(holder)),
        }
    }

    /// Takes the lock, waiting for its holder to end, but not for ever.
    pub(crate) fn ask_patiently(path: &Path, patience: Duration) -> io::Result<Asked> {
        match Self::ask(path)? {
            Asked::Busy(Some(process)) if process.wait_gone(patience) => Self::ask(path),
            asked => Ok(asked),
        }
    }
}

fn sign(file: &mut File) -> io::Result<()> {
    let pid = std::process::id();
    file.set_len(0)?;
    file.write_all(format!("{pid} {}\n", start_time(pid).unwrap_or(0)).as_bytes())
}

fn holder(file: &mut File) -> Option<Process> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    let (pid, start) = text.trim().split_once(' ')?;
    Process::open(pid.parse().ok()?, start.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holds_it_and_the_other_learns_who() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("lock");
        let Asked::Held(lock) = Lock::ask(&path).unwrap() else { panic!("it is free") };
        let Asked::Busy(Some(holder)) = Lock::ask(&path).unwrap() else { panic!("it is held") };
        assert_eq!(holder.pid, std::process::id());
        drop(lock);
        assert!(matches!(Lock::ask(&path).unwrap(), Asked::Held(_)));
    }
}

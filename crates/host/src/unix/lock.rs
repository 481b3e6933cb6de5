//! A file whose lock says that its holder lives, and whose content says who that is. What is guarded by it is not known here.
//!
//! The lock is on the file and not on its name (`flock(2)`): it moves with the folder that the file is in, and a copy of the
//! file is free. The content is `PID START PATH`: the process, and where the file was when it was locked.

use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::{
            ffi::OsStrExt,
            fs::{MetadataExt, OpenOptionsExt},
        },
    },
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use super::{family::Process, process::start_time};

/// How often a lock is tried that nobody has signed, or whose file is replaced under our hands.
const TRIES: usize = 20;

/// The time between two such tries: somebody looks at it, or has just taken it.
const AGAIN: Duration = Duration::from_millis(5);

/// The longest content that is read: two numbers and a path.
const SIGNATURE_LIMIT: u64 = 8192;

/// A held lock; dropping it lets it go. No program that we start inherits it.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

/// The answer to asking for a lock.
#[derive(Debug)]
pub enum Asked {
    /// It is ours.
    Held(Lock),
    /// Somebody else has it.
    Busy(Holder),
}

/// Who has a lock, as far as that can be known.
#[derive(Debug, Default)]
pub struct Holder {
    /// The process that signed; none when it is gone, or is in a pid namespace that we do not see.
    pub process: Option<Process>,
    /// Where the lock's file was when it was locked.
    pub path: Option<PathBuf>,
}

impl Holder {
    /// ` (pid 12)`, or nothing: what follows the word for who it is.
    pub fn in_brackets(&self) -> String {
        self.process.as_ref().map(|process| format!(" (pid {})", process.pid)).unwrap_or_default()
    }
}

impl Lock {
    /// Where its file was when it was locked.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether its file is still where it was when it was locked.
    pub fn is_in_place(&self) -> bool {
        is_at(&self.file, &self.path)
    }

    /// One that this very process held before it replaced its program.
    pub fn kept(file: OwnedFd, path: PathBuf) -> Self {
        Self { file: file.into(), path }
    }

    /// Takes the lock when it is free; makes its file, with mode 0600, when there is none.
    ///
    /// # Errors
    /// `open(2)` and `flock(2)`.
    pub fn ask(path: &Path) -> io::Result<Asked> {
        let mut busy = None;
        for _ in 0..TRIES {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            let mut file = options.mode(0o600).custom_flags(FLAGS).open(path)?;
            match file.try_lock() {
                // A holder that ended may have removed the file between our two steps: then this lock keeps nobody out.
                Ok(()) if is_at(&file, path) => {
                    // On a full disk nobody learns who it is; it is kept out all the same.
                    let _ = sign(&mut file, path);
                    return Ok(Asked::Held(Self { file, path: path.to_owned() }));
                }
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => match signature(&mut file) {
                    holder @ Holder { process: Some(_), .. } => return Ok(Asked::Busy(holder)),
                    holder => {
                        busy = Some(holder);
                        thread::sleep(AGAIN);
                    }
                },
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        busy.map(Asked::Busy).ok_or_else(|| io::Error::other("its file changes all the time"))
    }

    /// Takes the lock, waiting for its holder to end, but not for ever.
    ///
    /// # Errors
    /// As [`Lock::ask`].
    pub fn ask_patiently(path: &Path, patience: Duration) -> io::Result<Asked> {
        match Self::ask(path)? {
            Asked::Busy(Holder { process: Some(process), .. }) if process.wait_gone(patience) => {
                Self::ask(path)
            }
            asked => Ok(asked),
        }
    }

    /// Who has the lock, without taking it; `None` when it is free, as one without a file is.
    ///
    /// # Errors
    /// `open(2)` but for a file that is not there, and `flock(2)`.
    pub fn holder(path: &Path) -> io::Result<Option<Holder>> {
        let mut file = match OpenOptions::new().read(true).custom_flags(FLAGS).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut held = Holder::default();
        for _ in 0..TRIES {
            // Shared with others who look; whoever asks for it meanwhile asks again.
            match file.try_lock_shared() {
                Ok(()) => return Ok(None),
                Err(TryLockError::WouldBlock) => held = signature(&mut file),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            if held.process.is_some() {
                break;
            }
            thread::sleep(AGAIN);
        }
        Ok(Some(held))
    }

    /// Waits for its holder to end, but not for ever; who has it after that.
    ///
    /// # Errors
    /// As [`Lock::holder`].
    pub fn holder_after(path: &Path, patience: Duration) -> io::Result<Option<Holder>> {
        match Self::holder(path)? {
            Some(Holder { process: Some(process), .. }) if process.wait_gone(patience) => Self::holder(path),
            holder => Ok(holder),
        }
    }

    /// Lets it go, and its file with it. A file that stays harms nobody.
    pub fn remove(self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl AsFd for Lock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Neither a link nor a FIFO that was put in its place shall lead or hold us elsewhere.
const FLAGS: i32 = libc::O_NOFOLLOW | libc::O_NONBLOCK;

fn is_at(file: &File, path: &Path) -> bool {
    let own = file.metadata();
    fs::metadata(path)
        .is_ok_and(|there| own.is_ok_and(|own| (own.dev(), own.ino()) == (there.dev(), there.ino())))
}

fn sign(file: &mut File, path: &Path) -> io::Result<()> {
    let pid = std::process::id();
    let mut text = format!("{pid} {} ", start_time(pid).unwrap_or(0)).into_bytes();
    text.extend_from_slice(path.as_os_str().as_bytes());
    text.push(b'\n');
    file.set_len(0)?;
    file.write_all(&text)
}

fn signature(file: &mut File) -> Holder {
    let mut text = Vec::new();
    if file.rewind().and_then(|()| file.take(SIGNATURE_LIMIT).read_to_end(&mut text)).is_err() {
        return Holder::default();
    }
    let text = text.strip_suffix(b"\n").unwrap_or(&text);
    let mut parts = text.splitn(3, |byte| *byte == b' ');
    let mut number = || std::str::from_utf8(parts.next()?).ok()?.parse::<u64>().ok();
    let process = number().zip(number()).and_then(|(pid, start)| Process::open(pid.try_into().ok()?, start));
    let path = parts.next().filter(|path| !path.is_empty()).map(|path| OsStr::from_bytes(path).into());
    Holder { process, path }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holds_it_and_the_other_learns_who_and_from_where() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("lock with blanks");
        assert!(Lock::holder(&path).unwrap().is_none());
        let Asked::Held(lock) = Lock::ask(&path).unwrap() else { panic!("it is free") };
        let Asked::Busy(holder) = Lock::ask(&path).unwrap() else { panic!("it is held") };
        assert_eq!(holder.process.as_ref().map(|process| process.pid), Some(std::process::id()));
        assert_eq!(holder.in_brackets(), format!(" (pid {})", std::process::id()));
        assert_eq!(holder.path.as_ref(), Some(&path));
        drop(lock);
        assert!(Lock::holder(&path).unwrap().is_none());
        assert!(matches!(Lock::ask(&path).unwrap(), Asked::Held(_)));
    }

    #[test]
    fn it_moves_with_its_folder_and_a_copy_is_free() {
        let dir = tempfile::TempDir::new().unwrap();
        let (old, new) = (dir.path().join("old"), dir.path().join("new"));
        fs::create_dir(&old).unwrap();
        let Asked::Held(lock) = Lock::ask(&old.join("lock")).unwrap() else { panic!("it is free") };
        fs::rename(&old, &new).unwrap();
        let holder = Lock::holder(&new.join("lock")).unwrap().unwrap();
        assert_eq!(holder.path, Some(old.join("lock")));
        assert!(Lock::holder(&old.join("lock")).unwrap().is_none());
        fs::create_dir(&old).unwrap();
        fs::copy(new.join("lock"), old.join("lock")).unwrap();
        assert!(Lock::holder(&old.join("lock")).unwrap().is_none());
        drop(lock);
        assert!(Lock::holder(&new.join("lock")).unwrap().is_none());
    }

    #[test]
    fn whoever_only_looks_keeps_nobody_out() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("lock");
        fs::write(&path, "garbage").unwrap();
        let looking = File::open(&path).unwrap();
        looking.lock_shared().unwrap();
        assert!(Lock::holder(&path).unwrap().is_none());
        let later = thread::spawn({
            let path = path.clone();
            move || matches!(Lock::ask(&path).unwrap(), Asked::Held(_))
        });
        drop(looking);
        assert!(later.join().unwrap());
    }

    #[test]
    fn a_link_is_not_followed_and_a_removed_lock_leaves_nothing() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("lock");
        std::os::unix::fs::symlink(dir.path().join("elsewhere"), &path).unwrap();
        assert!(Lock::ask(&path).is_err() && !dir.path().join("elsewhere").exists());
        let Asked::Held(lock) = Lock::ask(&dir.path().join("other")).unwrap() else { panic!("it is free") };
        lock.remove();
        assert!(!dir.path().join("other").exists());
    }
}

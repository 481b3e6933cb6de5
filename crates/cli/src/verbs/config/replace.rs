//! A file of a person, replaced as a whole: a reader sees the old one or the new one, and its mode and owner stay. What is
//! in it is not known here.

use std::{
    fs::{self, File, Metadata, Permissions, TryLockError},
    io::{self, Write},
    os::unix::fs::{MetadataExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use tempfile::NamedTempFile;

use crate::{exit::Exit, failure::Failure};

/// How long another one who changes the file is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long between two looks.
const AGAIN: Duration = Duration::from_millis(20);

/// The mode of a new file; the umask takes from it.
const NEW_MODE: u32 = 0o666;

/// A file that is about to be replaced. Two who change the same file do so one after the other.
pub(super) struct Held {
    /// Where it is, links followed.
    path: PathBuf,
    /// What is there; `None` when nothing is.
    old: Option<Old>,
}

struct Old {
    bytes: Vec<u8>,
    data: Metadata,
    /// Locked as long as it is open.
    _lock: File,
}

impl Held {
    /// The file at `path`, or the place for it.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let wrong = |error| failed("read", path, &error);
        let until = Instant::now() + PATIENCE;
        loop {
            let path = match fs::canonicalize(path) {
                Ok(path) => path,
                Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => {
                    return Ok(Self { path: path.to_owned(), old: None });
                }
                Err(error) => return Err(wrong(error)),
            };
            let file = File::open(&path).map_err(wrong)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) if Instant::now() < until => {
                    thread::sleep(AGAIN);
                    continue;
                }
                Err(TryLockError::WouldBlock) => {
                    let text = format!("{} is locked by another program", path.display());
                    return Err(Failure::new(Exit::Failed, text).with_help("nothing was written; try again"));
                }
                // Some file systems know no locks: then it is compared before it is replaced, which leaves a moment.
                Err(TryLockError::Error(_)) => {}
            }
            let data = file.metadata().map_err(wrong)?;
            // Whoever had the lock may have put another file here.
            let is_it =
                fs::metadata(&path).is_ok_and(|now| (now.dev(), now.ino()) == (data.dev(), data.ino()));
            if is_it {
                let bytes = fs::read(&path).map_err(wrong)?;
                return Ok(Self { path, old: Some(Old { bytes, data, _lock: file }) });
            }
        }
    }

    /// What is in it; nothing when it is not there.
    pub(super) fn bytes(&self) -> &[u8] {
        self.old.as_ref().map(|old| old.bytes.as_slice()).unwrap_or_default()
    }

    /// Puts these in its place, unless somebody else changed it meanwhile.
    pub(super) fn replace(self, bytes: &[u8]) -> Result<(), Failure> {
        let Some(old) = &self.old else { return create(&self.path, bytes) };
        let wrong = |error| failed("write", &self.path, &error);
        let temporary = written_beside(&self.path, bytes, old.data.mode() & 0o7777).map_err(wrong)?;
        keep_owner(temporary.as_file(), &old.data, &self.path)?;
        let mode = Permissions::from_mode(old.data.mode() & 0o7777);
        temporary.as_file().set_permissions(mode).map_err(wrong)?;
        temporary.as_file().sync_all().map_err(wrong)?;
        if fs::read(&self.path).ok().as_deref() != Some(old.bytes.as_slice()) {
            return Err(changed(&self.path));
        }
        temporary.persist(&self.path).map_err(|error| wrong(error.error))?;
        sync_folder(&self.path).map_err(wrong)
    }
}

/// Writes a file that is not there yet.
pub(super) fn create(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let wrong = |error| failed("write", path, &error);
    let temporary = written_beside(path, bytes, NEW_MODE).map_err(wrong)?;
    temporary.as_file().sync_all().map_err(wrong)?;
    match temporary.persist_noclobber(path) {
        Ok(_) => sync_folder(path).map_err(wrong),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            let text = format!("{} is there already", path.display());
            Err(Failure::new(Exit::Failed, text).with_help("it was not changed"))
        }
        Err(error) => Err(wrong(error.error)),
    }
}

fn written_beside(path: &Path, bytes: &[u8], mode: u32) -> io::Result<NamedTempFile> {
    let folder = folder_of(path);
    // No `.toml` at its end: nobody takes it for an addition.
    let mut temporary = tempfile::Builder::new()
        .prefix(".mainstay-")
        .suffix(".new")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder)?;
    temporary.write_all(bytes)?;
    Ok(temporary)
}

fn keep_owner(file: &File, old: &Metadata, path: &Path) -> Result<(), Failure> {
    let wrong = |error| failed("write", path, &error);
    let new = file.metadata().map_err(wrong)?;
    let changed = |old: u32, new: u32| (old != new).then_some(old);
    let (user, group) = (changed(old.uid(), new.uid()), changed(old.gid(), new.gid()));
    if user.is_none() && group.is_none() {
        return Ok(());
    }
    fchown(file, user, group).map_err(|error| {
        let text = format!("{} belongs to another user, which it could not keep: {error}", path.display());
        Failure::new(Exit::NotPermitted, text)
            .with_help("nothing was written; do it as its owner, or by hand")
    })
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn changed(path: &Path) -> Failure {
    let text = format!("{} was changed by somebody else meanwhile", path.display());
    Failure::new(Exit::Failed, text).with_help("nothing was written; look at it, and try again")
}

fn failed(act: &str, path: &Path, error: &io::Error) -> Failure {
    let exit = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Exit::NotPermitted,
        _ => Exit::Failed,
    };
    Failure::new(exit, format!("cannot {act} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_else_changed_meanwhile_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.toml");
        fs::write(&path, "one").unwrap();
        let held = Held::open(&path).unwrap();
        assert_eq!(held.bytes(), b"one");
        fs::write(&path, "two").unwrap();
        let failure = held.replace(b"three").unwrap_err();
        assert_eq!(failure.exit, Exit::Failed);
        assert!(failure.text.ends_with("a.toml was changed by somebody else meanwhile"), "{}", failure.text);
        assert_eq!(fs::read(&path).unwrap(), b"two");

        let held = Held::open(&dir.path().join("new.toml")).unwrap();
        fs::write(dir.path().join("new.toml"), "theirs").unwrap();
        assert!(held.replace(b"ours").unwrap_err().text.ends_with("is there already"));
        // Nothing is left beside them.
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_link_stays_a_link_and_the_mode_stays() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("real")).unwrap();
        let (real, link) = (dir.path().join("real/a.toml"), dir.path().join("a.toml"));
        fs::write(&real, "one").unwrap();
        fs::set_permissions(&real, Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("real/a.toml", &link).unwrap();
        Held::open(&link).unwrap().replace(b"two").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&real).unwrap(), b"two");
        assert_eq!(fs::metadata(&real).unwrap().mode() & 0o7777, 0o640);
        std::os::unix::fs::symlink("nowhere", dir.path().join("b.toml")).unwrap();
        assert!(Held::open(&dir.path().join("b.toml")).is_err());
    }

    #[test]
    fn two_at_once_come_one_after_the_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.toml");
        fs::write(&path, "").unwrap();
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let held = Held::open(&path).unwrap();
                    let longer = [held.bytes(), b"x"].concat();
                    held.replace(&longer).unwrap();
                });
            }
        });
        assert_eq!(fs::read(&path).unwrap(), b"xxxxxxxx");
    }
}

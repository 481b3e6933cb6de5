//! Folders that are ours alone, and files that are replaced as a whole. What is in them is not known here.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::{
        fd::{AsFd, AsRawFd},
        unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{HostError, effective_uid};

/// The mode of folders that are ours alone.
const PRIVATE_MODE: u32 = 0o700;

/// The mode of folders of ours of which others may use what they know the name of.
const PASSABLE_MODE: u32 = 0o711;

/// Makes sure that `path` is a real folder of ours with mode 0700; missing folders above it are created the same way.
///
/// # Errors
/// It is a link, no folder, somebody else's, or cannot be created.
pub fn private_dir(path: &Path) -> Result<(), HostError> {
    own_dir(path, PRIVATE_MODE)
}

/// As [`private_dir`], with mode 0711 for the folder itself: others may use what they know the name of, and have a right to.
///
/// # Errors
/// See [`private_dir`].
pub fn passable_dir(path: &Path) -> Result<(), HostError> {
    own_dir(path, PASSABLE_MODE)
}

/// As [`private_dir`], where others may write: the folder above it must be no link, and nobody else's but root's. Whoever owns
/// that could put another folder in the place of this one.
///
/// # Errors
/// See [`private_dir`], of either folder.
pub fn sheltered_dir(path: &Path) -> Result<(), HostError> {
    let Some(above) = path.parent() else { return private_dir(path) };
    match fs::symlink_metadata(above) {
        Ok(data) => nobody_elses(above, &data)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => own_dir(above, PRIVATE_MODE)?,
        Err(error) => return Err(HostError::path("examine", above, error)),
    }
    own_dir(path, PRIVATE_MODE)
}

/// A real folder, and ours or root's.
fn nobody_elses(path: &Path, data: &fs::Metadata) -> Result<(), HostError> {
    if data.uid() == 0 && data.is_dir() { Ok(()) } else { ours(path, data) }
}

/// A real folder of ours.
fn ours(path: &Path, data: &fs::Metadata) -> Result<(), HostError> {
    let user = effective_uid();
    // Whose it is comes first: who put something in our way is what matters.
    if data.uid() != user {
        return Err(HostError::ForeignOwner { path: path.to_owned(), owner: data.uid(), user });
    }
    if data.is_symlink() {
        return Err(HostError::Link { path: path.to_owned() });
    }
    if !data.is_dir() {
        return Err(HostError::NotFolder { path: path.to_owned() });
    }
    Ok(())
}

/// Opens the file for reading and writing, and makes it with mode 0600 when there is none. It follows no symbolic link.
///
/// # Errors
/// `open(2)`.
pub fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.mode(0o600).custom_flags(NO_LINKS).open(path)
}

/// What a file holds. Nothing else that bears its name, such as a FIFO, is waited for.
///
/// # Errors
/// `open(2)` and `read(2)`; it is no regular file.
pub fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let data = file.metadata()?;
    if data.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !data.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(data.len()).unwrap_or(0));
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn own_dir(path: &Path, mode: u32) -> Result<(), HostError> {
    DirBuilder::new()
        .recursive(true)
        .mode(PRIVATE_MODE)
        .create(path)
        .or_else(|error| if error.kind() == io::ErrorKind::AlreadyExists { Ok(()) } else { Err(error) })
        .map_err(|error| HostError::path("create", path, error))?;
    let data = fs::symlink_metadata(path).map_err(|error| HostError::path("examine", path, error))?;
    ours(path, &data)?;
    if data.mode() & 0o7777 != mode {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
            .map_err(|error| HostError::path("change the mode of", path, error))?;
    }
    Ok(())
}

/// What a written file survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The death of any process.
    Renamed,
    /// A power cut as well.
    Synced,
}

/// Replaces the file as a whole, with mode 0600: a reader sees the old content or the new, never a part.
///
/// # Errors
/// A system call that failed; the old content is then still there.
pub fn write_atomic(path: &Path, bytes: &[u8], durability: Durability) -> Result<(), HostError> {
    let temporary = temporary_beside(path);
    let written = fill(&temporary, bytes, durability)
        .map_err(|error| HostError::path("write", &temporary, error))
        .and_then(|()| fs::rename(&temporary, path).map_err(|error| HostError::path("replace", path, error)));
    if written.is_err() {
        // Best effort: the first error is what matters.
        let _ = fs::remove_file(&temporary);
        return written;
    }
    if durability == Durability::Synced {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|error| HostError::path("write", folder, error))?;
    }
    Ok(())
}

/// Removes what processes that were killed over a [`write_atomic`] to this path left beside it. Nobody may be writing there.
///
/// # Errors
/// The folder cannot be read, or one of them cannot be removed.
pub fn remove_unfinished(path: &Path) -> io::Result<()> {
    let Some(folder) = path.parent() else { return Ok(()) };
    let mut start = OsString::from(".");
    start.push(path.file_name().unwrap_or_default());
    start.push(".");
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(start.as_encoded_bytes()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn temporary_beside(path: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
    path.with_file_name(name)
}

fn fill(path: &Path, bytes: &[u8], durability: Durability) -> io::Result<()> {
    // A leftover of a dead process with our pid is of no use to anybody.
    let _ = fs::remove_file(path);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)?;
    file.write_all(bytes)?;
    match durability {
        Durability::Renamed => Ok(()),
        Durability::Synced => file.sync_all(),
    }
}

/// Opens no symbolic link, as a flag for `OpenOptionsExt::custom_flags`.
pub const NO_LINKS: i32 = libc::O_NOFOLLOW;

/// Drops the older half of a file that is only ever appended to (O_APPEND), at a line's end, when it is longer than this.
/// What somebody else appends in just this moment may be lost. What is no regular file is left alone.
///
/// # Errors
/// `read(2)`, `write(2)` and `ftruncate(2)`.
pub fn halve_file(appended: impl AsFd, limit: u64) -> io::Result<()> {
    let file = File::from(appended.as_fd().try_clone_to_owned()?);
    let data = file.metadata()?;
    if !data.is_file() || data.len() <= limit {
        return Ok(());
    }
    // It may be open for writing only.
    let reading = File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    let mut kept = vec![0; usize::try_from(limit / 2).map_err(io::Error::other)?];
    reading.read_exact_at(&mut kept, data.len() - limit / 2)?;
    let line = kept.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    file.set_len(0)?;
    (&file).write_all(kept.get(line..).unwrap_or_default())
}

/// Renames a file, unless the new name is taken (`renameat2(2)`, RENAME_NOREPLACE).
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`], and `renameat2(2)`.
pub fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::{
        fs::{CWD, RenameFlags, renameat_with},
        io::Errno,
    };
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        // The file system does not know the flag; nobody but us makes such names.
        Err(Errno::INVAL | Errno::NOSYS) => match fs::symlink_metadata(to) {
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(_) => fs::rename(from, to),
        },
        Err(error) => Err(error.into()),
    }
}

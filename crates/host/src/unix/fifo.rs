//! Named pipes (`fifo(7)`, `pipe(7)`): the way of a service's output, which outlives the process that reads it.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::fs::{FileTypeExt, OpenOptionsExt},
    },
    path::Path,
};

use rustix::{
    fs::{CWD, FileType, Mode},
    process::{Gid, Uid},
};

/// Makes a named pipe with mode 0600 when there is none, and opens it for reading and writing, so that it never blocks in
/// being opened and never ends. Anything else at that path is replaced.
///
/// # Errors
/// The file system has no named pipes, is full, or may not be written.
pub fn open_fifo(path: &Path) -> io::Result<OwnedFd> {
    match fs::symlink_metadata(path) {
        Ok(data) if data.file_type().is_fifo() => {}
        Ok(_) => {
            fs::remove_file(path)?;
            make_fifo(path)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => make_fifo(path)?,
        Err(error) => return Err(error),
    }
    let file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOFOLLOW).open(path)?;
    Ok(file.into())
}

fn make_fifo(path: &Path) -> io::Result<()> {
    Ok(rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?)
}

/// Gives an open file to a user; for a pipe: so that the user's programs can open `/dev/stdout` anew.
///
/// # Errors
/// `fchown(2)`.
pub fn give_to(file: impl AsFd, uid: u32, gid: u32) -> io::Result<()> {
    Ok(rustix::fs::fchown(file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?)
}

/// Opens the same pipe once more, for reading without blocking: a flag on the description that a service shares would
/// reach the service.
///
/// # Errors
/// `/proc` is missing, or no room for a descriptor.
pub fn reopen_for_reading(pipe: impl AsFd) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(format!("/proc/self/fd/{}", pipe.as_fd().as_raw_fd()))
}

/// The same pipe, opened for both: it has a writer for as long as this is open.
///
/// # Errors
/// `open(2)` of `/proc/self/fd/N`.
pub fn reopen_whole(pipe: impl AsFd) -> io::Result<OwnedFd> {
    let path = format!("/proc/self/fd/{}", pipe.as_fd().as_raw_fd());
    Ok(OpenOptions::new().read(true).write(true).open(path)?.into())
}

/// How many bytes a pipe holds at most.
pub fn pipe_capacity(pipe: impl AsFd) -> usize {
    rustix::pipe::fcntl_getpipe_size(pipe).unwrap_or(0)
}

/// Makes a pipe larger, and returns how large it is afterwards: an ordinary user may have reached the limit.
pub fn grow_pipe(pipe: impl AsFd, capacity: usize) -> usize {
    match rustix::pipe::fcntl_setpipe_size(&pipe, capacity) {
        Ok(capacity) => capacity,
        Err(_) => pipe_capacity(pipe),
    }
}

/// How many bytes wait in a pipe.
pub fn bytes_waiting(pipe: impl AsFd) -> usize {
    rustix::io::ioctl_fionread(pipe).ok().and_then(|count| usize::try_from(count).ok()).unwrap_or(0)
}

//! Where the sockets are on which running services are called: made so that their owner alone reaches them, and found again.
//! What is said there is not known here.
//!
//! A service of our own user has its socket in a folder of the project. The folders above that are closed to everybody else,
//! so one of another user gets a folder of its own in a place that all can pass, and that folder belongs to that user.

use std::{
    fs, io,
    os::{
        fd::OwnedFd,
        unix::{
            fs::{FileTypeExt, PermissionsExt, lchown},
            net::UnixListener,
        },
    },
    path::{Path, PathBuf},
    process,
};

use rustix::{
    fs::Mode,
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with},
};

use super::words::SOCKET_PATH_LIMIT;
use crate::{HostError, effective_uid, passable_dir, private_dir};

/// Below the run folder of a project, and below that of a user.
const FOLDER: &str = "calls";

/// Places that all users can pass, the best first.
const SHARED_FOLDERS: [&str; 2] = ["/run", "/tmp"];

/// The socket of a service in its folder, when that is its alone.
const SOCKET: &str = "sock";

/// Connections that may wait to be taken.
const BACKLOG: i32 = 128;

/// Where a user's services that run by hand have their sockets.
pub fn by_hand_calls_dir(runtime_dir: Option<&Path>, temporary_dir: &Path) -> PathBuf {
    match runtime_dir.filter(|dir| dir.is_absolute()) {
        Some(dir) => dir.join("mainstay").join(FOLDER),
        None => temporary_dir.join(format!("mainstay-{}", effective_uid())).join(FOLDER),
    }
}

/// Makes that folder, and the one above it, ours alone.
///
/// # Errors
/// See [`private_dir`].
pub fn make_by_hand_calls_dir(dir: &Path) -> Result<(), HostError> {
    dir.parent().map_or(Ok(()), private_dir)?;
    private_dir(dir)
}

/// Makes the place for the socket of a slot whose process is about to be made as this user, and gives the socket's path.
///
/// # Errors
/// Folders cannot be made.
pub fn make_calls_place(run_dir: &Path, slot: &str, user: Option<u32>) -> Result<PathBuf, HostError> {
    let Some(user) = user.filter(|user| *user != effective_uid()) else {
        let dir = run_dir.join(FOLDER);
        private_dir(&dir)?;
        return Ok(own_socket(run_dir, slot));
    };
    // It may have run as us before.
    let _ = fs::remove_file(own_socket(run_dir, slot));
    let mut last = None;
    for shared in shared_calls_dirs(run_dir) {
        match place_of_other(&shared, slot, user) {
            Ok(path) => return Ok(path),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| HostError::NotFolder { path: run_dir.to_owned() }))
}

fn place_of_other(shared: &Path, slot: &str, user: u32) -> Result<PathBuf, HostError> {
    passable_dir(shared)?;
    let dir = shared.join(slot);
    match fs::remove_dir_all(&dir) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(HostError::path("empty", &dir, error)),
    }
    private_dir(&dir)?;
    lchown(&dir, Some(user), None).map_err(|error| HostError::path("change the owner of", &dir, error))?;
    Ok(dir.join(SOCKET))
}

/// The socket of a slot, when there is one.
pub fn find_calls_socket(run_dir: &Path, slot: &str) -> Option<PathBuf> {
    let own = own_socket(run_dir, slot);
    let shared = shared_calls_dirs(run_dir).map(|dir| dir.join(slot).join(SOCKET));
    let is_socket =
        |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|data| data.file_type().is_socket());
    std::iter::once(own).chain(shared).find(is_socket)
}

/// Where services of other users than the project's have theirs.
pub fn shared_calls_dirs(run_dir: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let name = format!("mainstay-calls-{:016x}", hash(run_dir.as_os_str().as_encoded_bytes()));
    SHARED_FOLDERS.into_iter().map(move |dir| Path::new(dir).join(&name))
}

/// By a number when the slot's name is too long for a socket.
fn own_socket(run_dir: &Path, slot: &str) -> PathBuf {
    let path = run_dir.join(FOLDER).join(slot);
    if path.as_os_str().len() <= SOCKET_PATH_LIMIT {
        return path;
    }
    run_dir.join(FOLDER).join(format!(".{:016x}", hash(slot.as_bytes())))
}

/// The same on every day and machine (FNV-1a).
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Listens at this path, for us alone, or for a group as well: whoever finds a socket there can connect to it. One that is
/// there is replaced: whoever asks knows that nobody listens on it.
///
/// # Errors
/// Something else is at that path, it is too long, may not be written, or cannot be given to the group.
pub fn listen_privately(path: &Path, group: Option<u32>) -> io::Result<UnixListener> {
    match fs::symlink_metadata(path) {
        Ok(data) if data.file_type().is_socket() => {}
        Ok(_) => return Err(io::ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    SocketAddrUnix::new(path)?;
    // Under another name until it listens.
    let unfinished = path.with_file_name(format!("~{}", process::id()));
    let listener = listen_at(&unfinished, group);
    let listener = listener.and_then(|listener| fs::rename(&unfinished, path).map(|()| listener));
    if listener.is_err() {
        // It may not have come so far.
        let _ = fs::remove_file(&unfinished);
    }
    listener
}

fn listen_at(path: &Path, group: Option<u32>) -> io::Result<UnixListener> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket: OwnedFd = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    // Linux makes the file with the mode of the socket: at no moment may anybody else connect.
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    if let Some(group) = group {
        lchown(path, None, Some(group))?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
    }
    listen(&socket, BACKLOG)?;
    Ok(UnixListener::from(socket))
}

#[cfg(test)]
mod tests {
    use std::os::unix::{fs::MetadataExt, net::UnixStream};

    use super::*;

    #[test]
    fn a_socket_is_for_its_owner_alone_and_one_that_was_left_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = make_calls_place(dir.path(), "api@2", None).unwrap();
        assert_eq!(find_calls_socket(dir.path(), "api@2"), None);
        for _ in 0..2 {
            let listener = listen_privately(&path, None).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
            assert!(UnixStream::connect(&path).is_ok());
            drop(listener);
        }
        assert_eq!(find_calls_socket(dir.path(), "api@2"), Some(path));
        fs::write(dir.path().join("file"), "").unwrap();
        assert!(listen_privately(&dir.path().join("file"), None).is_err());
    }

    #[test]
    fn a_long_name_becomes_a_number() {
        let dir = PathBuf::from(format!("/run/{}", "d".repeat(75)));
        let socket = own_socket(&dir, &"s".repeat(64));
        assert!(socket.as_os_str().len() <= SOCKET_PATH_LIMIT, "{}", socket.display());
        assert_eq!(own_socket(&dir, "api"), dir.join("calls/api"));
    }

    #[test]
    fn another_user_gets_a_folder_of_its_own() {
        if effective_uid() != 0 {
            let reason = "only root may give folders away";
            assert!(std::env::var_os("CI").is_none(), "skipped in CI: {reason}");
            return eprintln!("skipped: {reason}");
        }
        let dir = tempfile::tempdir().unwrap();
        let path = make_calls_place(dir.path(), "api", Some(65534)).unwrap();
        let folder = fs::metadata(path.parent().unwrap()).unwrap();
        assert_eq!((folder.uid(), folder.mode() & 0o777), (65534, 0o700));
        let _listener = listen_privately(&path, None).unwrap();
        assert_eq!(find_calls_socket(dir.path(), "api"), Some(path));
        shared_calls_dirs(dir.path()).for_each(|dir| drop(fs::remove_dir_all(dir)));
    }
}

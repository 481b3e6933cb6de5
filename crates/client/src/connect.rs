//! Making the connection, with a bound on how long a full queue of a stuck daemon may hold it up.

use std::{
    fs::OpenOptions,
    io::{self, Read},
    os::unix::{fs::OpenOptionsExt, net::UnixStream},
    path::Path,
    time::Duration,
};

use mainstay_wire::{TROUBLE_FILE, TROUBLE_LIMIT};

use rustix::{
    fs::OFlags,
    io::Errno,
    net::{
        AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with,
        sockopt::{Timeout, set_socket_timeout},
    },
};

use crate::ClientError;

/// Neither a link nor a FIFO in the place of the file shall lead or hold us elsewhere.
const PLAIN_FILE: i32 = (OFlags::NOFOLLOW.bits() | OFlags::NONBLOCK.bits()).cast_signed();

/// Connects to the socket at `path`.
pub(crate) fn connect(path: &Path, timeout: Option<Duration>) -> Result<UnixStream, ClientError> {
    let stream = try_connect(path, timeout).map_err(|errno| explain(errno, path, timeout))?;
    // The keeper holds the socket open meanwhile: a connection would wait for a daemon that may never come.
    match trouble(path) {
        Some(text) => Err(ClientError::InTrouble { text }),
        None => Ok(stream),
    }
}

/// Why no daemon comes up there, when the keeper says so.
fn trouble(socket: &Path) -> Option<String> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(PLAIN_FILE);
    let file = options.open(socket.with_file_name(TROUBLE_FILE)).ok()?;
    let mut text = String::new();
    file.take(TROUBLE_LIMIT).read_to_string(&mut text).ok()?;
    Some(text.trim().to_owned())
}

pub(crate) fn try_connect(path: &Path, timeout: Option<Duration>) -> Result<UnixStream, Errno> {
    let address = SocketAddrUnix::new(path)?;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    // unix(7): a connect waits for room in the listener's queue, and the send time-out bounds that wait.
    set_socket_timeout(&socket, Timeout::Send, timeout)?;
    loop {
        match rustix::net::connect(&socket, &address) {
            Err(Errno::INTR) => {}
            result => break result?,
        }
    }
    Ok(UnixStream::from(socket))
}

fn explain(errno: Errno, path: &Path, timeout: Option<Duration>) -> ClientError {
    let socket = path.to_owned();
    match (errno, timeout) {
        (Errno::NOENT | Errno::NOTDIR, _) => ClientError::NoDaemon { socket },
        (Errno::CONNREFUSED, _) => ClientError::DeadSocket { socket },
        (Errno::ACCESS | Errno::PERM, _) => ClientError::NotPermitted { socket },
        (Errno::AGAIN, Some(after)) => ClientError::TimedOut { after },
        _ => ClientError::Broken { act: "connect to", socket, source: io::Error::from(errno) },
    }
}

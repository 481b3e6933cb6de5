//! Ways by which another process says something of itself: a datagram socket whose senders are known (`unix(7)`,
//! SO_PASSCRED), and a pipe. Both are looked at before anything is taken from them, so that what was looked at can be written
//! down first. What is said is not known here.

use std::{
    ffi::OsStr,
    fs, io,
    mem::MaybeUninit,
    os::{
        fd::{AsFd, OwnedFd},
        unix::{
            ffi::OsStrExt,
            fs::{FileTypeExt, PermissionsExt},
            net::SocketAddr,
        },
    },
    path::Path,
};

use rustix::{
    io::{Errno, IoSliceMut},
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketAddrUnix, SocketFlags,
        SocketType, bind, recv, recvmsg, socket_with, sockopt::set_socket_passcred,
    },
    pipe::{PipeFlags, SpliceFlags, pipe_with, tee},
};

/// The longest path of a socket, in bytes (`unix(7)`).
pub const SOCKET_PATH_LIMIT: usize = 107;

/// Only the owner may say something.
const SOCKET_MODE: u32 = 0o600;

/// Makes a datagram socket at this path, to which we and this user may send. A socket that is there is replaced: what was said to
/// it is not said to this one.
///
/// # Errors
/// Something else is at that path, it is too long, or may not be written.
pub fn bind_datagrams(path: &Path, user: Option<u32>) -> io::Result<OwnedFd> {
    match fs::symlink_metadata(path) {
        Ok(data) if data.file_type().is_socket() => fs::remove_file(path)?,
        Ok(_) => return Err(io::ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
    // Before it can be found: the kernel notes who sends when something is sent, not when it is read.
    set_socket_passcred(&socket, true)?;
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    fs::set_permissions(path, fs::Permissions::from_mode(SOCKET_MODE))?;
    if user.is_some() {
        std::os::unix::fs::lchown(path, user, None)?;
    }
    Ok(socket)
}

/// Where `$NOTIFY_SOCKET` leads (`sd_notify(3)`): a path, or behind an `@` a name that is in no file system, which only Linux
/// knows.
///
/// # Errors
/// It is too long, or holds a NUL byte.
pub fn notify_address(text: &OsStr) -> io::Result<SocketAddr> {
    match text.as_bytes().strip_prefix(b"@") {
        #[cfg(target_os = "linux")]
        Some(name) => <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name),
        #[cfg(not(target_os = "linux"))]
        Some(_) => Err(io::ErrorKind::Unsupported.into()),
        None => SocketAddr::from_pathname(text),
    }
}

/// A datagram that was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Its bytes, also when not all of them fit.
    pub length: usize,
    /// Who sent it; `None` when the kernel does not say.
    pub user: Option<u32>,
}

/// Looks at the next datagram, which stays where it is; `None` when there is none. Descriptors that came along are not taken
/// in.
///
/// # Errors
/// `recvmsg(2)`.
pub fn peek_datagram(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<Option<Datagram>> {
    // Room for the sender and for no descriptor.
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::PEEK | RecvFlags::TRUNC | RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let length = loop {
        match recvmsg(&socket, &mut [IoSliceMut::new(buffer)], &mut ancillary, flags) {
            Ok(received) => break received.bytes,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    };
    let user = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmCredentials(sender) => Some(sender.uid.as_raw()),
        _ => None,
    });
    Ok(Some(Datagram { length, user }))
}

/// Drops the next datagram. The kernel closes the descriptors that came along: none of them was ever ours.
pub fn drop_datagram(socket: impl AsFd) {
    while recv(&socket, &mut [0; 1], RecvFlags::DONTWAIT) == Err(Errno::INTR) {}
}

/// The two ends of a pipe, first the one for reading, which does not block.
///
/// # Errors
/// No room for descriptors.
pub fn word_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (reading, writing) = pipe_with(PipeFlags::CLOEXEC)?;
    rustix::fs::fcntl_setfl(&reading, rustix::fs::OFlags::NONBLOCK)?;
    Ok((reading, writing))
}

/// Looks at what is in a pipe, which stays there (`tee(2)`): how many bytes of the buffer it fills; 0: nothing will ever come.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] when there is nothing yet; `tee(2)`, and no room for descriptors.
pub fn peek_pipe(pipe: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    let (copied, to) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    let length = loop {
        match tee(&pipe, &to, buffer.len(), SpliceFlags::NONBLOCK) {
            Ok(length) => break length,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    };
    let room = buffer.get_mut(..length).ok_or(io::ErrorKind::InvalidData)?;
    if length == 0 { Ok(0) } else { Ok(rustix::io::read(&copied, room)?) }
}

/// Takes bytes from a pipe, as many as are there and fit; 0: nothing will ever come.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] when there is nothing yet; `read(2)`.
pub fn take_bytes(pipe: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match rustix::io::read(&pipe, &mut *buffer) {
            Err(Errno::INTR) => {}
            read => return Ok(read?),
        }
    }
}

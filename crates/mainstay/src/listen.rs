//! Sockets that somebody opened for this process before it began (`sd_listen_fds(3)`).

use std::{
    env, io,
    net::{TcpListener, UdpSocket},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd, RawFd},
        unix::net::{UnixDatagram, UnixListener},
    },
    sync::Arc,
};

/// The first descriptor that is handed on (`SD_LISTEN_FDS_START`).
const FIRST: RawFd = 3;

/// Most descriptors that are taken over.
const LIMIT: RawFd = 1_024;

/// A socket that was opened for this process. It stays open as long as the process lives: a service that is made anew finds
/// it again.
///
/// ```
/// # use mainstay::prelude::*;
/// async fn door(ctx: &Context) -> Result<Option<std::net::TcpListener>> {
///     match ctx.listeners().iter().find(|listener| listener.name() == "door") {
///         Some(listener) => Ok(Some(listener.tcp()?)),
///         None => Ok(None),
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Listener {
    name: String,
    socket: OwnedFd,
}

impl Listener {
    /// Its name (`FileDescriptorName=`); `unknown` when it was given none.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// As one of TCP, for [`tokio::net::TcpListener::from_std`]: it does not block.
    ///
    /// # Errors
    /// There is no room for another descriptor.
    pub fn tcp(&self) -> io::Result<TcpListener> {
        let listener = TcpListener::from(self.socket.try_clone()?);
        listener.set_nonblocking(true)?;
        Ok(listener)
    }

    /// As one of UDP. It does not block.
    ///
    /// # Errors
    /// There is no room for another descriptor.
    pub fn udp(&self) -> io::Result<UdpSocket> {
        let socket = UdpSocket::from(self.socket.try_clone()?);
        socket.set_nonblocking(true)?;
        Ok(socket)
    }

    /// As one in the file system. It does not block.
    ///
    /// # Errors
    /// There is no room for another descriptor.
    pub fn unix(&self) -> io::Result<UnixListener> {
        let listener = UnixListener::from(self.socket.try_clone()?);
        listener.set_nonblocking(true)?;
        Ok(listener)
    }

    /// As one of datagrams in the file system. It does not block.
    ///
    /// # Errors
    /// There is no room for another descriptor.
    pub fn unix_datagram(&self) -> io::Result<UnixDatagram> {
        let socket = UnixDatagram::from(self.socket.try_clone()?);
        socket.set_nonblocking(true)?;
        Ok(socket)
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Those that the environment names, when they are meant for this process. To be called once, before anything else is opened:
/// it takes over descriptors, and keeps them from our own children.
pub(crate) fn from_environment() -> Arc<[Listener]> {
    let variable = |name: &str| env::var(name).ok();
    let numbers = handed(&variable, std::process::id(), crate::init::is_below());
    let names = variable("LISTEN_FDNAMES").unwrap_or_default();
    let names = names.split(':').chain(std::iter::repeat(""));
    let listener = |(number, name): (RawFd, &str)| {
        let socket = mainstay_host::inherited_socket(number).ok()?;
        let name = if name.is_empty() { "unknown" } else { name };
        Some(Listener { name: name.to_owned(), socket })
    };
    numbers.zip(names).filter_map(listener).collect()
}

/// The descriptors that are meant for us.
fn handed(
    variable: &dyn Fn(&str) -> Option<String>,
    own: u32,
    is_below_init: bool,
) -> std::ops::Range<RawFd> {
    let number = |name: &str| variable(name).and_then(|text| text.parse::<u32>().ok());
    let is_ours = number("LISTEN_PID").is_some_and(|pid| pid == own || (is_below_init && pid == 1));
    let count = number("LISTEN_FDS").and_then(|count| RawFd::try_from(count).ok()).unwrap_or(0);
    if is_ours { FIRST..FIRST + count.min(LIMIT) } else { FIRST..FIRST }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_ours_only_when_they_are_meant_for_us() {
        for (pid, count, is_below_init, expected) in [
            (Some("7"), Some("2"), false, 3..5),
            (Some("8"), Some("2"), false, 3..3),
            (None, Some("2"), false, 3..3),
            (Some("7"), None, false, 3..3),
            (Some("7"), Some("-1"), false, 3..3),
            (Some("7"), Some("4000000000"), false, 3..3),
            (Some("7"), Some("100000"), false, 3..3 + LIMIT),
            (Some("1"), Some("1"), false, 3..3),
            (Some("1"), Some("1"), true, 3..4),
        ] {
            let variable = |name: &str| match name {
                "LISTEN_PID" => pid.map(str::to_owned),
                "LISTEN_FDS" => count.map(str::to_owned),
                _ => None,
            };
            assert_eq!(handed(&variable, 7, is_below_init), expected, "{pid:?} {count:?}");
        }
    }
}

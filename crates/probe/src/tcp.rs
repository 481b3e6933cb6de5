//! Asks by connecting.

use std::{
    io,
    time::{Duration, Instant},
};

use tokio::{net::TcpStream, time::timeout};

use crate::No;

/// Whether a connection to `address` (`host:port`) succeeds within `limit`. All addresses of the host are tried.
///
/// # Errors
/// The answer in a word or two: `refused`, `timed out after 2 s`, `cannot resolve the host name`.
pub async fn tcp(address: &str, limit: Duration) -> Result<(), No> {
    let since = Instant::now();
    match timeout(limit, TcpStream::connect(address)).await {
        Ok(Ok(_connection)) => Ok(()),
        Ok(Err(error)) => Err(refused(&error)),
        Err(_) => Err(No::late(since, limit)),
    }
}

/// What went wrong with a connection, in a word or two.
pub(crate) fn refused(error: &io::Error) -> No {
    let text = match error.kind() {
        io::ErrorKind::ConnectionRefused => "refused".to_owned(),
        io::ErrorKind::ConnectionReset => "reset".to_owned(),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "unreachable".to_owned(),
        // What getaddrinfo(3) says has no number of the system.
        _ if error.raw_os_error().is_none() => "host name not found".to_owned(),
        _ => format!("failed ({error})"),
    };
    No::of(error, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn it_tells_open_from_refused_from_unknown() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let limit = Duration::from_secs(5);
        assert_eq!(tcp(&address, limit).await, Ok(()));
        drop(listener);
        assert_eq!(tcp(&address, limit).await, Err("refused".into()));
        assert_eq!(tcp("no-such-host.invalid:1", limit).await, Err("host name not found".into()));
    }
}

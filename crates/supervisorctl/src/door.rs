//! The door: one connection in HTTP/1 after the other. Bounds what a client may send, and notices when it goes.

use std::{
    io,
    os::fd::AsFd as _,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use mainstay_daemon::{Arrival, Door, Handle, Serving};
use mainstay_wire::ConfigView;
use tokio::{io::Interest, net::UnixStream};

use crate::{act::TakenAlong, call::Caller, http, tail::Tails};

/// How long a client may take for the head of a request; also how long one may be connected without asking.
const HEAD_TIME: Duration = Duration::from_secs(10);

/// The largest head of a request, in bytes.
const HEAD_LIMIT: usize = 16 * 1024;

/// What is read and not yet used, in bytes.
const BUFFER_LIMIT: usize = 64 * 1024;

/// Whether the files on disk are others than those that run. May block.
pub type Unread = Box<dyn Fn(&ConfigView) -> bool + Send + Sync>;

/// The door for `supervisorctl`.
#[derive(Debug)]
pub struct Supervisorctl {
    shared: Arc<Shared>,
}

/// What all connections share.
pub(crate) struct Shared {
    logs_dir: PathBuf,
    unread: Unread,
    taken_along: Mutex<TakenAlong>,
    pub(crate) tails: Tails,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("logs_dir", &self.logs_dir).finish_non_exhaustive()
    }
}

impl Shared {
    /// The folder of the daemon's own log.
    pub(crate) fn daemon_log(&self) -> PathBuf {
        self.logs_dir.join("@daemon")
    }

    pub(crate) fn is_unread(&self, running: &ConfigView) -> bool {
        (self.unread)(running)
    }

    pub(crate) fn taken_along<T>(&self, use_it: impl FnOnce(&mut TakenAlong) -> T) -> T {
        use_it(&mut self.taken_along.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Supervisorctl {
    /// For a daemon whose logs are below `logs_dir`.
    pub fn new(logs_dir: PathBuf, unread: Unread) -> Self {
        let (taken_along, tails) = (Mutex::default(), Tails::default());
        Self { shared: Arc::new(Shared { logs_dir, unread, taken_along, tails }) }
    }
}

impl Door for Supervisorctl {
    fn serve(&self, arrival: Arrival, handle: Handle) -> Serving {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            // What goes wrong on a connection is its client's, who is told or gone.
            if let Err(error) = serve(arrival, handle, shared).await {
                tracing::debug!("a connection in HTTP ended: {error}");
            }
        })
    }
}

async fn serve(arrival: Arrival, handle: Handle, shared: Arc<Shared>) -> io::Result<()> {
    let Arrival { reader, writer, peer } = arrival;
    let gone = gone(writer.as_ref())?;
    let caller = Arc::new(Caller { handle, peer, shared });
    let service = service_fn(|request| {
        let caller = Arc::clone(&caller);
        async move { http::answer(&caller, request).await }
    });
    let connection = bounds().serve_connection(TokioIo::new(tokio::io::join(reader, writer)), service);
    tokio::select! {
        result = connection => result.map_err(io::Error::other),
        () = gone => Ok(()),
    }
}

/// What a connection may take of time and memory.
fn bounds() -> http1::Builder {
    let mut bounds = http1::Builder::new();
    bounds
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_header_size(HEAD_LIMIT)
        .max_buf_size(BUFFER_LIMIT)
        // Who has only closed its writing end (`nc -N` does) still wants its answer.
        .half_close(true);
    bounds
}

/// Returns when the client is gone altogether. Nothing else would tell: with half a line left over from a request nobody reads,
/// and a quiet log is never written to.
fn gone(stream: &UnixStream) -> io::Result<impl Future<Output = ()> + Send + use<>> {
    let copy = UnixStream::from_std(stream.as_fd().try_clone_to_owned()?.into())?;
    Ok(async move {
        // A Unix socket's writing end closes when the other side is no more (`unix(7)`, EPIPE). Reading is not looked at: once
        // the other side has closed its writing end, that would be ready for ever.
        while copy.ready(Interest::WRITABLE).await.is_ok_and(|ready| !ready.is_write_closed()) {
            // Asks to be told of the next change only.
            let _ = copy.try_io(Interest::WRITABLE, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
        }
    })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http_body_util::Full;
    use hyper::{Response, body::Bytes};
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        time::Instant,
    };

    use super::*;

    /// What comes back for these bytes, from one who answers everything, and after how long the connection ends.
    async fn said(bytes: &str) -> (String, Duration) {
        let (mut client, server) = tokio::io::duplex(BUFFER_LIMIT);
        let answer =
            service_fn(|_| async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("here"))) });
        let connection = bounds().serve_connection(TokioIo::new(server), answer);
        let begun = Instant::now();
        client.write_all(bytes.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let (read, _) = tokio::join!(client.read_to_end(&mut answer), connection);
        read.unwrap();
        (String::from_utf8(answer).unwrap(), begun.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_more_is_let_go_when_the_time_for_a_head_is_over() {
        for begun in ["", "P", "GET / HTTP/1.1\r\nA: "] {
            let (answer, after) = said(begun).await;
            assert!(!answer.contains("here"), "{begun:?}: {answer}");
            assert!(after >= HEAD_TIME && after < HEAD_TIME * 2, "{begun:?}: {after:?}");
        }
        // One that was answered, and asks nothing more.
        let (answer, after) = said("GET / HTTP/1.1\r\n\r\n").await;
        assert!(answer.ends_with("here"), "{answer}");
        assert!(after >= HEAD_TIME && after < HEAD_TIME * 2, "{after:?}");
    }
}

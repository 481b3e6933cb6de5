//! `tail -f`: a log's end, and what is written to it from now on. What ends it is that the reader goes.

use std::{
    io,
    ops::ControlFlow,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    thread,
};

use hyper::body::Bytes;
use mainstay_logs::{Follow, From, Handle, LogError, LogStream, Wanted};
use mainstay_wire::errors_of;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::bytes;

/// How many logs are followed at one time: each costs threads and a watch of the system's, of which a user has few.
const TAIL_LIMIT: usize = 16;

/// How many lines wait for a slow reader; then the reading of the log waits.
const LINES_WAITING: usize = 64;

/// How much of the log's end is shown first, in bytes, as supervisor does; begun lines are left out.
const FIRST_BYTES: u64 = 1024;

/// Room for those who follow logs.
#[derive(Debug)]
pub(crate) struct Tails(Arc<Semaphore>);

impl Default for Tails {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(TAIL_LIMIT)))
    }
}

/// Why a log is not followed.
#[derive(Debug)]
pub(crate) enum NoTail {
    /// Too many are.
    NoRoom,
    /// There is none.
    NoFile,
    Log(LogError),
    Thread(io::Error),
}

/// The lines of one log. Its end is never reached.
#[derive(Debug)]
pub(crate) struct Tail {
    lines: mpsc::Receiver<Bytes>,
    follow: Handle,
    _room: OwnedSemaphorePermit,
}

impl Tails {
    /// Follows this stream of the log in `dir`.
    ///
    /// # Errors
    /// There is no room, or no log, or it cannot be read.
    pub(crate) fn open(&self, dir: &Path, stream: LogStream) -> Result<Tail, NoTail> {
        let room = Arc::clone(&self.0).try_acquire_owned().map_err(|_| NoTail::NoRoom)?;
        let (Some(root), Some(name)) = (dir.parent(), dir.file_name()) else { return Err(NoTail::NoFile) };
        let name = name.to_string_lossy().into_owned();
        let folder = match stream {
            LogStream::Out => name.clone(),
            LogStream::Err => errors_of(&name),
        };
        let path = root.join(folder).join("current");
        let lines = bytes::lines_in_last(&path, FIRST_BYTES).map_err(|_| NoTail::NoFile)?;
        let wanted = Wanted { stream: Some(stream), ..From::Last(lines).into() };
        let follow = Follow::new(root, &[name], wanted).map_err(NoTail::Log)?;
        let handle = follow.handle();
        let (sender, lines) = mpsc::channel(LINES_WAITING);
        let run = move || run(follow, &sender);
        // Not one of the runtime's threads: the end of the daemon waits for those.
        thread::Builder::new().name("logtail".to_owned()).spawn(run).map_err(NoTail::Thread)?;
        Ok(Tail { lines, follow: handle, _room: room })
    }
}

fn run(follow: Follow, sender: &mpsc::Sender<Bytes>) {
    let result = follow.run(&mut |line| {
        let bytes: Bytes = [line.text, b"\n"].concat().into();
        match sender.blocking_send(bytes) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    });
    if let Err(error) = result {
        tracing::warn!("a log is no longer followed: {error}");
    }
}

impl Tail {
    /// The next line; `None` when the log cannot be read any more.
    pub(crate) fn poll_line(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        Pin::new(&mut self.lines).get_mut().poll_recv(context)
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.lines.close();
        self.follow.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_logs_are_followed_and_one_that_is_left_makes_room() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("web");
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(dir.join("current"), "line\n").unwrap();
        let tails = Tails::default();
        let mut open: Vec<Tail> =
            (0..TAIL_LIMIT).map(|_| tails.open(&dir, LogStream::Out).unwrap()).collect();
        assert!(matches!(tails.open(&dir, LogStream::Out), Err(NoTail::NoRoom)));
        open.pop();
        assert!(tails.open(&dir, LogStream::Out).is_ok());
    }
}

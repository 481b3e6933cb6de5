//! What a command wrote while it was asked: all of it is read, and its end is kept. It judges nothing.

use std::{
    future::Future,
    io::{self, PipeWriter},
    os::fd::OwnedFd,
};

use mainstay_model::{cut, one_line};
use tokio::{io::AsyncReadExt, net::unix::pipe::Receiver};

/// So many bytes of the end are kept.
const KEPT: usize = 2048;

/// So much of what is left in the pipe is read after the end; a helper may go on writing.
const LEFT: usize = 64 * 1024;

/// How much of a line is told.
const COLUMNS: usize = 120;

/// The reading end, and what came out of it last.
pub(super) struct Output {
    pipe: Receiver,
    kept: Vec<u8>,
}

impl Output {
    /// And the writing end.
    pub(super) fn new() -> io::Result<(Self, PipeWriter)> {
        let (reader, writer) = io::pipe()?;
        let pipe = Receiver::from_owned_fd(OwnedFd::from(reader))?;
        Ok((Self { pipe, kept: Vec::new() }, writer))
    }

    /// Reads until this is over, so that a command which writes much is not held up.
    pub(super) async fn read_beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        let mut buffer = [0; 4096];
        let mut is_open = true;
        let result = loop {
            tokio::select! {
                result = &mut work => break result,
                count = self.pipe.read(&mut buffer), if is_open => match count {
                    Ok(count @ 1..) => keep(&mut self.kept, &buffer[..count]),
                    Ok(0) | Err(_) => is_open = false,
                },
            }
        };
        self.read_what_is_left();
        result
    }

    fn read_what_is_left(&mut self) {
        let mut buffer = [0; 4096];
        for _ in 0..LEFT / buffer.len() {
            match self.pipe.try_read(&mut buffer) {
                Ok(count @ 1..) => keep(&mut self.kept, &buffer[..count]),
                Ok(0) | Err(_) => return,
            }
        }
    }

    /// The last line that is not empty, without what may move a terminal's cursor.
    pub(super) fn last_line(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.kept);
        let line = text.lines().rev().map(one_line).find(|line| !line.is_empty())?;
        Some(cut(&line, COLUMNS))
    }
}

fn keep(kept: &mut Vec<u8>, more: &[u8]) {
    kept.extend_from_slice(more);
    kept.drain(..kept.len().saturating_sub(KEPT));
}

//! Lines out of a byte stream, none longer than the protocol allows. Knows nothing of what is in them.

use std::io::{self, Read};

use mainstay_wire::LINE_LIMIT;

/// Bytes asked for at once.
const CHUNK: usize = 64 * 1024;

/// What a stream held next.
pub(crate) enum Line {
    /// A line without its end.
    Whole(Vec<u8>),
    /// More bytes than a line may have.
    TooLong,
    /// The stream ended, at a line's end or within one.
    End,
}

/// Bytes that were read and not yet given out.
#[derive(Default)]
pub(crate) struct Lines {
    bytes: Vec<u8>,
    /// How many of `bytes` are known to hold no line end.
    searched: usize,
}

impl Lines {
    /// The next line; `read` is asked for more as long as it takes.
    pub(crate) fn next_line(
        &mut self,
        read: &mut dyn FnMut(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<Line> {
        loop {
            if let Some(line) = self.take_line() {
                return Ok(line);
            }
            let kept = self.bytes.len();
            self.bytes.resize(kept + CHUNK, 0);
            let result = read(&mut self.bytes[kept..]);
            self.bytes.truncate(kept + result.as_ref().copied().unwrap_or(0));
            if result? == 0 {
                return Ok(Line::End);
            }
        }
    }

    fn take_line(&mut self) -> Option<Line> {
        let Some(end) = self.bytes[self.searched..].iter().position(|byte| *byte == b'\n') else {
            self.searched = self.bytes.len();
            return (self.searched > LINE_LIMIT).then_some(Line::TooLong);
        };
        let end = self.searched + end;
        self.searched = 0;
        if end > LINE_LIMIT {
            return Some(Line::TooLong);
        }
        let rest = self.bytes.split_off(end + 1);
        let mut line = std::mem::replace(&mut self.bytes, rest);
        line.pop();
        Some(Line::Whole(line))
    }
}

/// Reads once, and again after an interruption by a signal.
pub(crate) fn read_once(mut source: impl Read, into: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(into) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

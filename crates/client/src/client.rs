//! One connection: a request out, its reply in; or a stream of events. Time-outs cover the whole of a request.

use std::{
    io::{self, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use mainstay_wire::{Answer, LINE_LIMIT, Reply, Request};

use crate::{
    ClientError,
    connect::connect,
    lines::{Line, Lines, read_once},
};

/// A time-out of nothing is none to the system; here it is this.
const SHORTEST: Duration = Duration::from_millis(1);

/// A connection to the daemon's local socket.
pub struct Client {
    stream: UnixStream,
    socket: PathBuf,
    lines: Lines,
    timeout: Option<Duration>,
}

impl Client {
    /// Connects to the socket at this path; waits as long as it takes.
    ///
    /// # Errors
    /// See [`ClientError`]; [`ClientError::is_no_daemon`] when nobody is there.
    pub fn connect(socket: &Path) -> Result<Self, ClientError> {
        Self::connect_within(socket, None)
    }

    /// The same, and neither connecting nor any single request may take longer than `timeout`.
    ///
    /// # Errors
    /// As [`Client::connect`], and [`ClientError::TimedOut`].
    pub fn connect_within(socket: &Path, timeout: Option<Duration>) -> Result<Self, ClientError> {
        let timeout = timeout.map(|span| span.max(SHORTEST));
        let stream = connect(socket, timeout)?;
        Ok(Self { stream, socket: socket.to_owned(), lines: Lines::default(), timeout })
    }

    /// From now on no single request may take longer than `timeout`.
    pub fn set_timeout(&mut self, timeout: Option<Duration>) {
        self.timeout = timeout.map(|span| span.max(SHORTEST));
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// The daemon's own error as [`ClientError::Refused`], or that none came.
    pub fn request(&mut self, request: &Request) -> Result<Answer, ClientError> {
        let deadline = self.timeout.map(|span| Instant::now() + span);
        match self.send(request, deadline) {
            // One that is refused is told why before it has asked, and finds the connection closed.
            Ok(()) | Err(ClientError::Closed) => self.answer(deadline),
            Err(error) => Err(error),
        }
    }

    /// Asks for every change from now on. The first answer is how everything stands; time-outs end with it.
    ///
    /// # Errors
    /// As [`Client::request`].
    pub fn follow(mut self) -> Result<Events, ClientError> {
        let first = self.request(&Request::Follow)?;
        Ok(Events { client: self, first: Some(first) })
    }

    /// Waits until the daemon has closed the connection.
    ///
    /// # Errors
    /// [`ClientError::TimedOut`].
    pub fn wait_closed(mut self) -> Result<(), ClientError> {
        let deadline = self.timeout.map(|span| Instant::now() + span);
        loop {
            match self.line(deadline) {
                Ok(_) => {}
                Err(error @ ClientError::TimedOut { .. }) => return Err(error),
                Err(_) => return Ok(()),
            }
        }
    }

    fn send(&mut self, request: &Request, deadline: Option<Instant>) -> Result<(), ClientError> {
        let mut line =
            serde_json::to_vec(request).map_err(|error| ClientError::Protocol(error.to_string()))?;
        if line.len() > LINE_LIMIT {
            return Err(ClientError::RequestTooLong { length: line.len() });
        }
        line.push(b'\n');
        self.write_all(&line, deadline)
    }

    fn write_all(&mut self, mut bytes: &[u8], deadline: Option<Instant>) -> Result<(), ClientError> {
        while !bytes.is_empty() {
            let left = self.left(deadline)?;
            self.stream.set_write_timeout(left).map_err(|error| self.broken("write to", error))?;
            match self.stream.write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.broken("write to", error)),
            }
        }
        Ok(())
    }

    fn answer(&mut self, deadline: Option<Instant>) -> Result<Answer, ClientError> {
        let line = self.line(deadline)?;
        let reply: Reply =
            serde_json::from_slice(&line).map_err(|error| ClientError::Protocol(error.to_string()))?;
        Ok(reply.into_result()?)
    }

    fn line(&mut self, deadline: Option<Instant>) -> Result<Vec<u8>, ClientError> {
        let mut lines = std::mem::take(&mut self.lines);
        let result = lines.next_line(&mut |into| self.read(into, deadline));
        self.lines = lines;
        match result.map_err(|error| self.broken("read from", error))? {
            Line::Whole(line) => Ok(line),
            Line::TooLong => Err(ClientError::Protocol(format!("a line has more than {LINE_LIMIT} bytes"))),
            Line::End => Err(ClientError::Closed),
        }
    }

    fn read(&self, into: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        let left = self.left(deadline).map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?;
        self.stream.set_read_timeout(left)?;
        read_once(&self.stream, into)
    }

    /// What is left until the deadline.
    fn left(&self, deadline: Option<Instant>) -> Result<Option<Duration>, ClientError> {
        let Some(deadline) = deadline else { return Ok(None) };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(self.timed_out()) } else { Ok(Some(left)) }
    }

    fn timed_out(&self) -> ClientError {
        ClientError::TimedOut { after: self.timeout.unwrap_or_default() }
    }

    fn broken(&self, act: &'static str, source: io::Error) -> ClientError {
        match source.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => self.timed_out(),
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => ClientError::Closed,
            _ => ClientError::Broken { act, socket: self.socket.clone(), source },
        }
    }
}

/// The daemon's changes as they come. Ends when the daemon closes the connection.
pub struct Events {
    client: Client,
    first: Option<Answer>,
}

impl Iterator for Events {
    type Item = Result<Answer, ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(first) = self.first.take() {
            return Some(Ok(first));
        }
        match self.client.answer(None) {
            Err(ClientError::Closed) => None,
            answer => Some(answer),
        }
    }
}

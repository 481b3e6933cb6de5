//! Calling a running service: a connection to its own socket, requests out, answers and events in.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    os::unix::{fs::MetadataExt, net::UnixStream},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use mainstay_wire::{CALL_LINE_LIMIT, CallAnswer, CallError, CallEvent, CallLine, CallRefusal, CallRequest};
use rustix::{io::Errno, net::sockopt::socket_peercred};
use serde_json::Value;

use crate::{
    connect::try_connect,
    lines::{Line, Lines, read_once},
};

/// A time-out of nothing is none to the system; here it is this.
const SHORTEST: Duration = Duration::from_millis(1);

/// Why a service could not be called, or did not do it.
#[derive(Debug, thiserror::Error)]
pub enum CallFailure {
    /// Nobody listens at this path.
    #[error("nobody listens at {}", socket.display())]
    NobodyThere {
        /// The path.
        socket: PathBuf,
    },
    /// The system does not let this user reach the socket.
    #[error("not permitted to connect to {}", socket.display())]
    NotPermitted {
        /// The path.
        socket: PathBuf,
    },
    /// Somebody listens there who is not whose folder it is.
    #[error("{} belongs to user {owner}, and user {listener} listens there: nothing was said", socket.display())]
    Foreign {
        /// The path.
        socket: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who listens.
        listener: u32,
    },
    /// Any other failure of a system call.
    #[error("cannot {act} {}", socket.display())]
    Broken {
        /// `connect to`, `write to`, `read from`.
        act: &'static str,
        /// The path.
        socket: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The request is longer than a line may be.
    #[error("the request has {length} bytes, and a service takes at most {CALL_LINE_LIMIT}")]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// What came back is no answer.
    #[error("the answer makes no sense: {0}")]
    Protocol(String),
    /// The connection ended before the answer.
    #[error("the service closed the connection before it answered: it has ended, or made room for others")]
    Closed,
    /// The answer did not come in time.
    #[error("no answer within {} ms", after.as_millis())]
    TimedOut {
        /// How long it was waited for.
        after: Duration,
    },
    /// The service's own error.
    #[error(transparent)]
    Refused(#[from] CallError),
}

/// A connection to a service.
pub struct CallClient {
    stream: UnixStream,
    socket: PathBuf,
    lines: Lines,
    timeout: Option<Duration>,
    next: u64,
}

impl CallClient {
    /// Connects to the socket at this path; neither that nor any single call may take longer than `timeout`.
    ///
    /// # Errors
    /// See [`CallFailure`].
    pub fn connect_within(socket: &Path, timeout: Option<Duration>) -> Result<Self, CallFailure> {
        let timeout = timeout.map(|span| span.max(SHORTEST));
        let stream = try_connect(socket, timeout).map_err(|errno| explain(errno, socket, timeout))?;
        check_listener(&stream, socket)?;
        Ok(Self { stream, socket: socket.to_owned(), lines: Lines::default(), timeout, next: 1 })
    }

    /// Calls a method, and waits for what it returns.
    ///
    /// # Errors
    /// The service's own error as [`CallFailure::Refused`], or that no answer came.
    pub fn call(&mut self, method: &str, args: BTreeMap<String, Value>) -> Result<Value, CallFailure> {
        let deadline = self.timeout.map(|span| Instant::now() + span);
        let id = Value::from(self.next);
        self.next += 1;
        match self.send(&CallRequest { id: id.clone(), method: method.to_owned(), args }, deadline) {
            // One that is refused is told why before it has asked, and finds the connection closed.
            Ok(()) | Err(CallFailure::Closed) => {}
            Err(error) => return Err(error),
        }
        loop {
            match self.line(deadline)? {
                CallLine::Answer(CallAnswer { id: of, ok }) if of == id => return Ok(ok),
                CallLine::Refusal(CallRefusal { id: of, error }) if of == id || of.is_null() => {
                    return Err(error.into());
                }
                CallLine::Answer(_) | CallLine::Refusal(_) | CallLine::Event(_) => {}
            }
        }
    }

    /// Asks for its events; time-outs end with that.
    ///
    /// # Errors
    /// As [`CallClient::call`].
    pub fn subscribe(mut self) -> Result<CallEvents, CallFailure> {
        self.call("subscribe", BTreeMap::new())?;
        Ok(CallEvents(self))
    }

    fn send(&mut self, request: &CallRequest, deadline: Option<Instant>) -> Result<(), CallFailure> {
        let mut line =
            serde_json::to_vec(request).map_err(|error| CallFailure::Protocol(error.to_string()))?;
        if line.len() > CALL_LINE_LIMIT {
            return Err(CallFailure::TooLong { length: line.len() });
        }
        line.push(b'\n');
        let mut rest = &line[..];
        while !rest.is_empty() {
            let left = self.left(deadline)?;
            self.stream.set_write_timeout(left).map_err(|error| self.broken("write to", error))?;
            match self.stream.write(rest) {
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.broken("write to", error)),
            }
        }
        Ok(())
    }

    fn line(&mut self, deadline: Option<Instant>) -> Result<CallLine, CallFailure> {
        let mut lines = std::mem::take(&mut self.lines);
        let result = lines.next_line(&mut |into| self.read(into, deadline));
        self.lines = lines;
        match result.map_err(|error| self.broken("read from", error))? {
            Line::Whole(line) => {
                serde_json::from_slice(&line).map_err(|error| CallFailure::Protocol(error.to_string()))
            }
            Line::TooLong => Err(CallFailure::Protocol("a line without an end".to_owned())),
            Line::End => Err(CallFailure::Closed),
        }
    }

    fn read(&self, into: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        let left = self.left(deadline).map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?;
        self.stream.set_read_timeout(left)?;
        read_once(&self.stream, into)
    }

    /// What is left until the deadline.
    fn left(&self, deadline: Option<Instant>) -> Result<Option<Duration>, CallFailure> {
        let Some(deadline) = deadline else { return Ok(None) };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(self.timed_out()) } else { Ok(Some(left)) }
    }

    fn timed_out(&self) -> CallFailure {
        CallFailure::TimedOut { after: self.timeout.unwrap_or_default() }
    }

    fn broken(&self, act: &'static str, source: io::Error) -> CallFailure {
        match source.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => self.timed_out(),
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => CallFailure::Closed,
            _ => CallFailure::Broken { act, socket: self.socket.clone(), source },
        }
    }
}

/// A service's events as they come. Ends when the service does.
pub struct CallEvents(CallClient);

impl Iterator for CallEvents {
    type Item = Result<CallEvent, CallFailure>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            return match self.0.line(None) {
                Ok(CallLine::Event(event)) => Some(Ok(event)),
                Ok(CallLine::Refusal(refusal)) => Some(Err(refusal.error.into())),
                Ok(CallLine::Answer(_)) => continue,
                Err(CallFailure::Closed) => None,
                Err(error) => Some(Err(error)),
            };
        }
    }
}

/// A service could put the way to somebody else's socket where its own is to be, and have us speak there in our name.
fn check_listener(stream: &UnixStream, socket: &Path) -> Result<(), CallFailure> {
    let broken =
        |source: io::Error| CallFailure::Broken { act: "examine", socket: socket.to_owned(), source };
    let listener = socket_peercred(stream).map_err(|errno| broken(errno.into()))?.uid.as_raw();
    let folder = socket.parent().unwrap_or(Path::new("/"));
    let owner = folder.metadata().map_err(broken)?.uid();
    match listener == owner {
        true => Ok(()),
        false => Err(CallFailure::Foreign { socket: socket.to_owned(), owner, listener }),
    }
}

fn explain(errno: Errno, path: &Path, timeout: Option<Duration>) -> CallFailure {
    let socket = path.to_owned();
    match (errno, timeout) {
        (Errno::NOENT | Errno::NOTDIR | Errno::CONNREFUSED, _) => CallFailure::NobodyThere { socket },
        (Errno::ACCESS | Errno::PERM, _) => CallFailure::NotPermitted { socket },
        (Errno::AGAIN, Some(after)) => CallFailure::TimedOut { after },
        _ => CallFailure::Broken { act: "connect to", socket, source: io::Error::from(errno) },
    }
}

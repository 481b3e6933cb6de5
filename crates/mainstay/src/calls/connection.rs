//! One connection: lines in, lines out, events between them. It knows no method.
//!
//! Requests are read while earlier ones are under way, up to a bound; then nothing more is read until one is answered. Whoever
//! does not read what is written here is let go of after a time, and a subscriber who reads too slowly is told so.

use std::{io, rc::Rc, sync::Arc, time::Duration};

use mainstay_wire::{CALL_LINE_LIMIT, CallAnswer, CallError, CallErrorCode, CallRefusal, CallRequest};
use serde_json::Value;
use tokio::{
    net::UnixStream,
    sync::{AcquireError, OwnedSemaphorePermit, Semaphore, broadcast, mpsc},
};

use super::{
    CONNECTIONS_LIMIT, REQUESTS_LIMIT,
    desk::{Desk, Done},
    rights::Caller,
    seats::{Busy, Seat},
    tap::EventLine,
};
use crate::controller::Order;

/// How long a line may take to be read by the other side.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);

/// Bytes read at once.
const CHUNK: usize = 4096;

/// What is to be written.
enum Out {
    /// An answer, and what is to be done once it is written.
    Line(Vec<u8>, Option<Order>),
    /// The answer after which events follow.
    Subscribed(Vec<u8>),
}

/// What comes next.
enum Line {
    Whole(Vec<u8>),
    TooLong,
    End,
}

/// To its end.
pub(super) async fn serve(stream: UnixStream, desk: Rc<Desk>, seat: Seat) {
    let Ok(credentials) = stream.peer_cred() else { return };
    let caller = desk.owners.caller(credentials).await;
    let (lines, queue) = mpsc::channel(REQUESTS_LIMIT);
    let reader = Reader { stream: &stream, desk: &desk, seat: &seat, caller, lines };
    tokio::join!(reader.read_all(), write_all(&stream, queue, &desk));
}

/// One half of a connection.
struct Reader<'a> {
    stream: &'a UnixStream,
    desk: &'a Rc<Desk>,
    seat: &'a Seat,
    caller: Caller,
    lines: mpsc::Sender<Out>,
}

impl Reader<'_> {
    async fn read_all(self) {
        let mut bytes = Lines::default();
        let under_way = Arc::new(Semaphore::new(REQUESTS_LIMIT));
        let mut subscribed: Option<Busy> = None;
        loop {
            let next = async {
                let permit = Arc::clone(&under_way).acquire_owned().await;
                (permit, bytes.next(self.stream).await)
            };
            let (permit, line) = tokio::select! {
                next = next => next,
                () = self.seat.asked_to_leave() => return,
                () = self.desk.closing() => return,
                () = self.lines.closed() => return,
            };
            let text = match line {
                Line::Whole(text) => text,
                Line::TooLong => {
                    let text = format!("a line has at most {CALL_LINE_LIMIT} bytes");
                    return self.refuse(Value::Null, CallErrorCode::BadRequest, text).await;
                }
                Line::End => return,
            };
            if text.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            match serde_json::from_slice::<CallRequest>(&text) {
                Err(error) => {
                    self.refuse(
                        Value::Null,
                        CallErrorCode::BadRequest,
                        format!("this is no request: {error}"),
                    )
                    .await;
                }
                Ok(request) if request.method == "subscribe" => {
                    subscribed.get_or_insert_with(|| self.seat.busy());
                    let line = line_of(request.id, Ok(Value::Bool(true)));
                    // Nobody reads any more.
                    let _ = self.lines.send(Out::Subscribed(line)).await;
                }
                Ok(request) => self.begin(request, permit),
            }
        }
    }

    /// Answers beside what else is asked.
    fn begin(&self, request: CallRequest, permit: Result<OwnedSemaphorePermit, AcquireError>) {
        let (desk, caller, lines) = (Rc::clone(self.desk), self.caller, self.lines.clone());
        let busy = self.seat.busy();
        tokio::task::spawn_local(async move {
            let id = request.id.clone();
            let Done { outcome, then } = desk.answer(request, caller).await;
            if let Err(unsent) = lines.send(Out::Line(line_of(id, outcome), then)).await
                && let Out::Line(_, Some(order)) = unsent.0
            {
                desk.order(order).await;
            }
            drop((busy, permit));
        });
    }

    async fn refuse(&self, id: Value, code: CallErrorCode, text: String) {
        let line = line_of(id, Err(CallError::new(code, text)));
        // Nobody reads any more.
        let _ = self.lines.send(Out::Line(line, None)).await;
    }
}

/// The other half.
async fn write_all(stream: &UnixStream, mut queue: mpsc::Receiver<Out>, desk: &Desk) {
    let mut events: Option<broadcast::Receiver<EventLine>> = None;
    loop {
        let written = tokio::select! {
            biased;
            out = queue.recv() => match out {
                None => return write_rest(stream, events).await,
                Some(Out::Line(line, then)) => {
                    let written = write(stream, &line).await;
                    if let Some(order) = then {
                        desk.order(order).await;
                    }
                    written
                }
                Some(Out::Subscribed(line)) => {
                    events.get_or_insert_with(|| desk.tap.subscribe());
                    write(stream, &line).await
                }
            },
            event = next_event(&mut events) => match event {
                Ok(line) => write(stream, &with_end(line.as_bytes().to_vec())).await,
                Err(missed) => {
                    events = None;
                    write(stream, &too_slow(missed)).await
                }
            },
        };
        if written.is_err() {
            return;
        }
    }
}

/// What had happened before the end is still told.
async fn write_rest(stream: &UnixStream, events: Option<broadcast::Receiver<EventLine>>) {
    let Some(mut events) = events else { return };
    while let Ok(line) = events.try_recv() {
        if write(stream, &with_end(line.as_bytes().to_vec())).await.is_err() {
            return;
        }
    }
}

/// The next one, or how many were missed.
async fn next_event(events: &mut Option<broadcast::Receiver<EventLine>>) -> Result<EventLine, u64> {
    let Some(receiver) = events else { return std::future::pending().await };
    match receiver.recv().await {
        Ok(line) => Ok(line),
        Err(broadcast::error::RecvError::Lagged(missed)) => Err(missed),
        Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
    }
}

async fn write(stream: &UnixStream, bytes: &[u8]) -> io::Result<()> {
    let all = async {
        let mut rest = bytes;
        while !rest.is_empty() {
            stream.writable().await?;
            match stream.try_write(rest) {
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    };
    tokio::time::timeout(WRITE_PATIENCE, all).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// What was read and is no whole line yet.
#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    /// So many are known to hold no end of a line.
    searched: usize,
}

impl Lines {
    async fn next(&mut self, stream: &UnixStream) -> Line {
        let mut chunk = [0; CHUNK];
        loop {
            let rest = self.bytes.get(self.searched..).unwrap_or_default();
            if let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
                let after = self.bytes.split_off(self.searched + at + 1);
                self.searched = 0;
                return Line::Whole(std::mem::replace(&mut self.bytes, after));
            }
            self.searched = self.bytes.len();
            if self.searched > CALL_LINE_LIMIT {
                return Line::TooLong;
            }
            if stream.readable().await.is_err() {
                return Line::End;
            }
            match stream.try_read(&mut chunk) {
                // The last line may lack its end.
                Ok(0) if self.bytes.is_empty() => return Line::End,
                Ok(0) => {
                    self.searched = 0;
                    return Line::Whole(std::mem::take(&mut self.bytes));
                }
                Ok(count) => self.bytes.extend_from_slice(chunk.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Line::End,
            }
        }
    }
}

/// What somebody reads for whom there is no seat.
pub(super) fn too_many() -> Vec<u8> {
    let text = format!("{CONNECTIONS_LIMIT} others are connected and busy");
    line_of(Value::Null, Err(CallError::new(CallErrorCode::Busy, text)))
}

fn too_slow(missed: u64) -> Vec<u8> {
    let text = format!("{missed} events more happened than were read: the subscription is over");
    line_of(Value::Null, Err(CallError::new(CallErrorCode::TooSlow, text)))
}

fn line_of(id: Value, outcome: Result<Value, CallError>) -> Vec<u8> {
    let written = match outcome {
        Ok(ok) => serde_json::to_vec(&CallAnswer { id: id.clone(), ok }),
        Err(error) => serde_json::to_vec(&CallRefusal { id: id.clone(), error }),
    };
    let failed = |text: String| {
        let error = CallError::new(CallErrorCode::Failed, text);
        serde_json::to_vec(&CallRefusal { id, error }).unwrap_or_default()
    };
    with_end(match written {
        Ok(line) if line.len() > CALL_LINE_LIMIT => {
            failed(format!("the answer has {} bytes, and a line at most {CALL_LINE_LIMIT}", line.len()))
        }
        Ok(line) => line,
        Err(error) => failed(format!("the answer cannot be written: {error}")),
    })
}

fn with_end(mut line: Vec<u8>) -> Vec<u8> {
    line.push(b'\n');
    line
}

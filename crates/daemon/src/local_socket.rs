//! The local socket: lines in, lines out, for peers that may. It understands no request.

use std::{
    io::{ErrorKind, Write as _},
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
    time::Duration,
};

use mainstay_wire::{ErrorCode, LINE_LIMIT, Reply, Request, WireError};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Interest},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
};

use crate::{
    connections::{Connection, Connections},
    handle::{Arrival, Doors, Handle},
    wake::{Peer, Wake},
};

/// The pause after a connection could not be taken.
const AGAIN: Duration = Duration::from_millis(100);

/// Descriptors that connections leave to health checks, the history and state: each asks for a few at a time.
const OWN_ROOM: u64 = 24;

/// The answer when there are as many connections as there may be.
const ALL_BUSY: &str =
    "too many are connected: each connection that there may be follows, or waits for an answer";

/// Held by every request that is being answered, so that the end of the daemon can wait for the last answers.
pub(crate) type Busy = mpsc::Sender<()>;

/// The listening socket that the keeper handed over.
pub(crate) fn listener(descriptor: OwnedFd) -> std::io::Result<UnixListener> {
    let listener = std::os::unix::net::UnixListener::from(descriptor);
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

/// Takes connections, as many at a time as there are seats, until the loop is gone.
pub(crate) async fn accept_all(
    listener: UnixListener,
    mut connections: Connections,
    doors: Doors,
    wakes: mpsc::Sender<Wake>,
    busy: Busy,
) {
    let mut is_failing = false;
    loop {
        let accepted = listener.accept().await;
        let was_failing = std::mem::replace(&mut is_failing, accepted.is_err());
        match accepted {
            // What is left is for looking after services.
            Ok((stream, _)) if mainstay_host::below_limit(stream.as_raw_fd()) < OWN_ROOM => {
                refuse(
                    stream,
                    "too many files are open: the limit on them is too low for so many connections",
                );
            }
            Ok((stream, _)) => match connections.seat().await {
                Some(connection) => {
                    let handle = Handle::new(wakes.clone(), busy.downgrade());
                    tokio::spawn(serve(stream, handle, doors.clone(), connection));
                }
                None => refuse(stream, ALL_BUSY),
            },
            Err(error) => {
                // Out of descriptors, most likely: wait for one to come back instead of turning in place.
                if !was_failing {
                    tracing::warn!("no connection to the local socket can be taken for now: {error}");
                }
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

/// Says why, and closes. Waits for nobody: a new connection has room for a line.
fn refuse(stream: UnixStream, why: &str) {
    let error = WireError::new(ErrorCode::Busy, why)
        .with_help("end one of them (an `up` in another terminal, say), then try again");
    tracing::warn!("a connection to the local socket was refused: {error}");
    // One that is gone already needs no reason.
    let _ = line(&Err(error).into()).and_then(|line| stream.into_std()?.write_all(&line));
}

/// Request after request, until the peer has no more, or is to make room for another.
async fn serve(stream: UnixStream, handle: Handle, doors: Doors, mut connection: Connection) {
    let Ok(credentials) = stream.peer_cred() else { return };
    let peer = Peer { uid: credentials.uid(), pid: credentials.pid() };
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    if peer.uid != 0 && peer.uid != mainstay_host::effective_uid() {
        let error = WireError::new(
            ErrorCode::NotPermitted,
            "only the user that runs this project, and root, may ask",
        );
        let _ = write(&mut writer, &Err(error).into()).await;
        return;
    }
    let first = tokio::select! {
        biased;
        first = first_byte(&mut reader) => first,
        () = connection.asked_to_leave() => None,
    };
    let Some(first) = first else { return };
    if let Some(door) = doors.of(first) {
        connection.is_busy();
        return door.serve(Arrival { reader, writer, peer }, handle).await;
    }
    loop {
        // What has come is read before anybody leaves.
        let line = tokio::select! {
            biased;
            line = next_line(&mut reader, &mut writer) => line,
            () = connection.asked_to_leave() => None,
        };
        let Some(line) = line else { return };
        connection.is_busy();
        let answered = handle.answering();
        if answer(&line, peer, &mut reader, &mut writer, &handle).await.is_err() {
            return;
        }
        drop(answered);
        connection.is_idle();
    }
}

/// The first byte of all, which stays there; `None` at the end.
async fn first_byte(reader: &mut BufReader<OwnedReadHalf>) -> Option<u8> {
    reader.fill_buf().await.ok()?.first().copied()
}

/// The next line; `None` at the end, or after one that is too long to be a request.
async fn next_line(reader: &mut BufReader<OwnedReadHalf>, writer: &mut OwnedWriteHalf) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    let limit = u64::try_from(LINE_LIMIT).unwrap_or(u64::MAX);
    let count = reader.take(limit).read_until(b'\n', &mut line).await.ok()?;
    if count == 0 {
        return None;
    }
    if line.last() != Some(&b'\n') && line.len() >= LINE_LIMIT {
        let error =
            WireError::new(ErrorCode::BadRequest, format!("a request has at most {LINE_LIMIT} bytes"));
        let _ = write(writer, &Err(error).into()).await;
        return None;
    }
    Some(line)
}

/// An error means that the connection is of no further use.
async fn answer(
    line: &[u8],
    peer: Peer,
    reader: &mut BufReader<OwnedReadHalf>,
    writer: &mut OwnedWriteHalf,
    handle: &Handle,
) -> Result<(), ()> {
    let request = match serde_json::from_slice(line) {
        Ok(request) => request,
        Err(error) => {
            let error = WireError::new(ErrorCode::BadRequest, format!("this is no request: {error}"));
            return write(writer, &Err(error).into()).await;
        }
    };
    if matches!(request, Request::Follow) {
        return stream_answers(reader, writer, handle).await;
    }
    tokio::select! {
        reply = handle.ask(request, peer) => write(writer, &reply.ok_or(())?).await,
        () = gone(reader) => Err(()),
    }
}

async fn stream_answers(
    reader: &mut BufReader<OwnedReadHalf>,
    writer: &mut OwnedWriteHalf,
    handle: &Handle,
) -> Result<(), ()> {
    let mut receiver = handle.follow().await;
    loop {
        tokio::select! {
            reply = receiver.recv() => match reply {
                Some(reply) => write(writer, &reply).await?,
                None => return Err(()),
            },
            () = gone(reader) => return Err(()),
        }
    }
}

/// Returns when the client is gone. One that has only closed its writing end (`socat` does) still wants its answer, and one
/// that has sent more waits its turn.
async fn gone(reader: &mut BufReader<OwnedReadHalf>) {
    match reader.fill_buf().await {
        Ok([]) => hung_up(reader.get_ref().as_ref()).await,
        Ok(_) => std::future::pending().await,
        Err(_) => {}
    }
}

/// Returns when the client has closed its reading end too.
async fn hung_up(stream: &UnixStream) {
    // Watched apart: what is taken for done here must not hold up an answer that is to be written.
    let copy = stream.as_fd().try_clone_to_owned().map(std::os::unix::net::UnixStream::from);
    let Ok(watch) = copy.and_then(UnixStream::from_std) else { return std::future::pending().await };
    while let Ok(ready) = watch.ready(Interest::WRITABLE).await {
        if ready.is_write_closed() {
            return;
        }
        // That it can be written to is no news; the next news is waited for.
        let _ = watch.try_io(Interest::WRITABLE, || Err::<(), _>(ErrorKind::WouldBlock.into()));
    }
}

async fn write(writer: &mut OwnedWriteHalf, reply: &Reply) -> Result<(), ()> {
    writer.write_all(&line(reply).map_err(drop)?).await.map_err(drop)
}

fn line(reply: &Reply) -> std::io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    Ok(line)
}

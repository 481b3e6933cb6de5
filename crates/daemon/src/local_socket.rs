//! The local socket: lines in, lines out, for peers that may. It understands no request.

use std::{os::fd::OwnedFd, sync::Arc};

use mainstay_wire::{ErrorCode, LINE_LIMIT, Reply, Request, WireError};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Interest},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
};

use crate::{
    followers::FOLLOWER_LIMIT,
    wake::{Asked, Peer, Wake},
};

/// Connections at one time; further ones wait in the socket's backlog.
const CONNECTION_LIMIT: usize = 256;

/// Held by every request that is being answered, so that the end of the daemon can wait for the last answers.
pub(crate) type Busy = mpsc::Sender<()>;

/// The listening socket that the keeper handed over.
pub(crate) fn listener(descriptor: OwnedFd) -> std::io::Result<UnixListener> {
    let listener = std::os::unix::net::UnixListener::from(descriptor);
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

/// Takes connections until the loop is gone.
pub(crate) async fn accept_all(listener: UnixListener, wakes: mpsc::Sender<Wake>, busy: Busy) {
    let room = Arc::new(Semaphore::new(CONNECTION_LIMIT));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(serve(stream, wakes.clone(), busy.downgrade(), permit));
            }
            Err(error) => {
                // Out of descriptors, most likely: wait for one to come back instead of turning in place.
                tracing::warn!("a connection to the local socket was not taken: {error}");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(
    stream: UnixStream,
    wakes: mpsc::Sender<Wake>,
    busy: mpsc::WeakSender<()>,
    permit: OwnedSemaphorePermit,
) {
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
    while let Some(line) = next_line(&mut reader, &mut writer).await {
        let answered = busy.upgrade();
        if answer(&line, peer, &mut reader, &mut writer, &wakes).await.is_err() {
            break;
        }
        drop(answered);
    }
    drop(permit);
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
    wakes: &mpsc::Sender<Wake>,
) -> Result<(), ()> {
    let request = match serde_json::from_slice(line) {
        Ok(request) => request,
        Err(error) => {
            let error = WireError::new(ErrorCode::BadRequest, format!("this is no request: {error}"));
            return write(writer, &Err(error).into()).await;
        }
    };
    if matches!(request, Request::Follow) {
        return stream_answers(reader, writer, wakes).await;
    }
    let (sender, receiver) = oneshot::channel();
    wakes.send(Wake::Asked(Asked { request, peer, reply: sender })).await.map_err(drop)?;
    tokio::select! {
        reply = receiver => write(writer, &reply.map_err(drop)?).await,
        () = gone(reader) => Err(()),
    }
}

async fn stream_answers(
    reader: &mut BufReader<OwnedReadHalf>,
    writer: &mut OwnedWriteHalf,
    wakes: &mpsc::Sender<Wake>,
) -> Result<(), ()> {
    let (sender, mut receiver) = mpsc::channel(FOLLOWER_LIMIT);
    wakes.send(Wake::Followed(sender)).await.map_err(drop)?;
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
        Ok([]) => {
            let ready = reader.get_ref().ready(Interest::READABLE).await;
            if !ready.is_ok_and(|ready| ready.is_write_closed()) {
                std::future::pending().await
            }
        }
        Ok(_) => std::future::pending().await,
        Err(_) => {}
    }
}

async fn write(writer: &mut OwnedWriteHalf, reply: &Reply) -> Result<(), ()> {
    let mut line = serde_json::to_vec(reply).map_err(drop)?;
    line.push(b'\n');
    writer.write_all(&line).await.map_err(drop)
}

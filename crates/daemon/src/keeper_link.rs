//! The line to the keeper: frames in, frames out.

use std::{
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use mainstay_wire::{Frames, FromKeeper, ToKeeper, frame};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
};

use crate::wake::Wake;

/// Bytes that wait for a keeper that does not read. Beyond that nothing is begun for clients; decisions wait for its answers
/// anyway, and come to a few messages for each service.
pub(crate) const BEHIND: usize = 8 * 1024 * 1024;

/// Sends to the keeper, in order, without waiting.
#[derive(Clone, Debug)]
pub(crate) struct ToKeeperSender {
    messages: mpsc::UnboundedSender<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
}

impl ToKeeperSender {
    /// Sends this; to a keeper that is gone, nothing (the reader tells).
    pub(crate) fn send(&self, message: &ToKeeper) {
        match frame(message) {
            Ok(bytes) => {
                self.waiting.fetch_add(bytes.len(), Ordering::Relaxed);
                drop(self.messages.send(bytes));
            }
            Err(error) => tracing::error!("a message for the keeper was dropped: {error}"),
        }
    }

    /// Whether the keeper does not keep up.
    pub(crate) fn is_behind(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > BEHIND
    }
}

/// The receiving end.
#[derive(Debug)]
pub(crate) struct FromKeeperReader {
    stream: OwnedReadHalf,
    frames: Frames,
}

/// Both ends, and the task that writes. The task ends when every sender is gone and everything is written.
pub(crate) fn connect(
    descriptor: OwnedFd,
) -> std::io::Result<(ToKeeperSender, FromKeeperReader, tokio::task::JoinHandle<()>)> {
    let stream = std::os::unix::net::UnixStream::from(descriptor);
    stream.set_nonblocking(true)?;
    let (reader, writer) = UnixStream::from_std(stream)?.into_split();
    let (sender, receiver) = mpsc::unbounded_channel();
    let waiting = Arc::<AtomicUsize>::default();
    let writing = tokio::spawn(write_all(writer, receiver, Arc::clone(&waiting)));
    let sender = ToKeeperSender { messages: sender, waiting };
    Ok((sender, FromKeeperReader { stream: reader, frames: Frames::default() }, writing))
}

async fn write_all(
    mut stream: OwnedWriteHalf,
    mut messages: mpsc::UnboundedReceiver<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
) {
    while let Some(mut bytes) = messages.recv().await {
        // One write for all that is there: a keeper woken once does more in one turn.
        while let Ok(more) = messages.try_recv() {
            bytes.extend_from_slice(&more);
        }
        if stream.write_all(&bytes).await.is_err() {
            return;
        }
        waiting.fetch_sub(bytes.len(), Ordering::Relaxed);
    }
}

impl FromKeeperReader {
    /// The next message.
    ///
    /// # Errors
    /// In words: the keeper is gone, or talks nonsense.
    pub(crate) async fn next(&mut self) -> Result<FromKeeper, String> {
        loop {
            if let Some(message) = self.frames.next_message().map_err(|error| error.to_string())? {
                return Ok(message);
            }
            let mut buffer = [0; 64 * 1024];
            match self.stream.read(&mut buffer).await {
                Ok(0) => return Err("the keeper closed the line".to_owned()),
                Ok(count) => self.frames.push(&buffer[..count]),
                Err(error) => return Err(format!("the line to the keeper broke ({error})")),
            }
        }
    }

    /// Hands everything to the loop until the line ends.
    pub(crate) async fn pass_on(mut self, wakes: mpsc::Sender<Wake>) {
        loop {
            let wake = match self.next().await {
                Ok(message) => Wake::Keeper(message),
                Err(text) => Wake::KeeperGone(text),
            };
            let over = matches!(wake, Wake::KeeperGone(_));
            if wakes.send(wake).await.is_err() || over {
                return;
            }
        }
    }
}

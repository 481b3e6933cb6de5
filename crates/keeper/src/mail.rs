//! Messages between anchor and keeper: JSON in datagrams, in order, and never waiting for the other to read.

use std::{
    collections::VecDeque,
    io,
    marker::PhantomData,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use mainstay_host::{Interest, PACKET_LIMIT, Patience, Poller, receive_packet, send_packet};
use serde::{Serialize, de::DeserializeOwned};

use crate::report::say;

/// Messages that wait for a slow reader; beyond that the oldest are dropped, and counted. Each slot has a few at most.
const WAITING_LIMIT: usize = 65_536;

/// What came.
#[derive(Debug)]
pub(crate) enum Mail<T> {
    /// A message, perhaps with a descriptor.
    Message(T, Option<OwnedFd>),
    /// Nothing more for now.
    Nothing,
    /// The other side is gone.
    Gone,
}

/// One end of the connection: it sends `Out` and takes in `In`.
#[derive(Debug)]
pub(crate) struct MailBox<Out, In> {
    socket: OwnedFd,
    waiting: VecDeque<(Vec<u8>, Option<OwnedFd>)>,
    limit: usize,
    dropped: u64,
    buffer: Vec<u8>,
    kinds: PhantomData<(Out, In)>,
}

impl<Out: Serialize, In: DeserializeOwned> MailBox<Out, In> {
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self {
            socket,
            waiting: VecDeque::new(),
            limit: WAITING_LIMIT,
            dropped: 0,
            buffer: Vec::new(),
            kinds: PhantomData,
        }
    }

    /// Sends a message as soon as those before it are sent. The descriptor is duplicated only when it has to wait.
    pub(crate) fn send(&mut self, message: &Out, descriptor: Option<BorrowedFd<'_>>) {
        let bytes = match serde_json::to_vec(message) {
            Ok(bytes) if bytes.len() <= PACKET_LIMIT => bytes,
            Ok(bytes) => {
                return say(format_args!("a message of {} bytes is too long to be sent", bytes.len()));
            }
            Err(error) => return say(format_args!("a message cannot be written: {error}")),
        };
        if self.waiting.is_empty() {
            match send_packet(&self.socket, &bytes, descriptor) {
                Ok(()) => return,
                Err(error) if !can_wait(&error) => return,
                Err(_) => {}
            }
        }
        let descriptor = descriptor.and_then(|descriptor| descriptor.try_clone_to_owned().ok());
        self.waiting.push_back((bytes, descriptor));
        if self.waiting.len() > self.limit {
            self.waiting.pop_front();
            self.dropped += 1;
            say(format_args!("{} messages to a process that does not read were dropped", self.dropped));
        }
    }

    /// Sends what waits, as far as the other side takes it.
    pub(crate) fn flush(&mut self) {
        while let Some((bytes, descriptor)) = self.waiting.front() {
            match send_packet(&self.socket, bytes, descriptor.as_ref().map(AsFd::as_fd)) {
                Err(error) if can_wait(&error) => return,
                // Sent, or nobody is left to read it.
                Ok(()) | Err(_) => self.waiting.pop_front(),
            };
        }
        // Nothing waits any more; the room for what did is given back.
        self.waiting = VecDeque::new();
    }

    /// Whether everything was sent.
    pub(crate) fn is_flushed(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Adapts what is waited for to whether something waits to be sent.
    pub(crate) fn watch(&self, poller: &Poller, token: u64) {
        let interest = if self.waiting.is_empty() { Interest::Read } else { Interest::ReadWrite };
        let _ = poller.change(&self.socket, token, interest);
    }

    /// Takes in the next message that makes sense.
    pub(crate) fn receive(&mut self, patience: Patience) -> Mail<In> {
        // Only for as long as it takes: an idle process should not keep the largest message's room.
        self.buffer.resize(PACKET_LIMIT, 0);
        let mail = self.next(patience);
        self.buffer = Vec::new();
        mail
    }

    fn next(&mut self, patience: Patience) -> Mail<In> {
        loop {
            let packet = match receive_packet(&self.socket, &mut self.buffer, patience) {
                Ok(packet) if packet.length == 0 => return Mail::Gone,
                Ok(packet) => packet,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Mail::Nothing,
                // It died with something unread. That is said once, and before what it said itself, which still counts.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => continue,
                Err(_) => return Mail::Gone,
            };
            if packet.cut {
                say("a message lost its descriptor: too many files are open");
            }
            match serde_json::from_slice(self.buffer.get(..packet.length).unwrap_or_default()) {
                Ok(message) => return Mail::Message(message, packet.descriptor),
                Err(error) => say(format_args!("a message makes no sense: {error}")),
            }
        }
    }
}

/// Full, or too many descriptors are on the way.
fn can_wait(error: &io::Error) -> bool {
    const TOO_MANY_REFERENCES: i32 = 109;
    matches!(error.kind(), io::ErrorKind::WouldBlock)
        || error.raw_os_error() == Some(TOO_MANY_REFERENCES)
        || matches!(error.kind(), io::ErrorKind::OutOfMemory)
}

impl<Out, In> AsFd for MailBox<Out, In> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_before_a_death_counts_though_something_was_left_unread() {
        let (ours, theirs) = mainstay_host::packet_pair().unwrap();
        let mut left = MailBox::<u32, u32>::new(ours);
        let mut right = MailBox::<u32, u32>::new(theirs);
        right.send(&1, None);
        left.send(&7, None);
        right.send(&2, None);
        drop(right);
        for expected in [1, 2] {
            let mail = left.receive(Patience::Never);
            assert!(matches!(mail, Mail::Message(number, None) if number == expected), "{mail:?}");
        }
        assert!(matches!(left.receive(Patience::Never), Mail::Gone));
    }

    #[test]
    fn for_one_that_does_not_read_the_latest_wait() {
        let (ours, theirs) = mainstay_host::packet_pair().unwrap();
        let mut left = MailBox::<usize, usize>::new(ours);
        let mut right = MailBox::<usize, usize>::new(theirs);
        assert_eq!(left.limit, WAITING_LIMIT);
        left.limit = 50;
        let mut sent = 0;
        while left.dropped < 3 {
            left.send(&sent, None);
            sent += 1;
        }
        assert_eq!(left.waiting.len(), 50);
        let mut heard = Vec::new();
        loop {
            match right.receive(Patience::Never) {
                Mail::Message(number, _) => heard.push(number),
                Mail::Nothing if left.is_flushed() => break,
                Mail::Nothing | Mail::Gone => left.flush(),
            }
        }
        assert_eq!((heard.len(), heard.last()), (sent - 3, Some(&(sent - 1))));
        assert!(heard.is_sorted());
    }
}

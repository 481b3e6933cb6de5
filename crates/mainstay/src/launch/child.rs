//! A process of its own: made, listened to, and let go when it has ended. Why it is made is not known here.

use std::{
    collections::BTreeMap,
    io,
    os::fd::{AsFd as _, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use mainstay_host::{Identity, Limits, Output, Process, SpawnRequest, User};
use mainstay_model::{Exit, Signal, SpawnFailure, SpawnFailureKind};
use tokio::{io::unix::AsyncFd, net::UnixDatagram};

use super::heard::{Mailbox, notices};

/// The longest datagram that is read.
const DATAGRAM_LIMIT: usize = 4_096;

/// What is to be made.
#[derive(Debug)]
pub(crate) struct Making {
    pub(crate) words: Vec<String>,
    /// `NAME=value`.
    pub(crate) env: Vec<String>,
    pub(crate) dir: String,
    pub(crate) user: Option<User>,
}

/// A process of ours, in a group of its own.
#[derive(Clone, Debug)]
pub(crate) struct Child(Arc<Process>);

/// Those that have not ended: when this process has to end at once, so have they.
static LIVE: Mutex<BTreeMap<u32, Arc<Process>>> = Mutex::new(BTreeMap::new());

fn live() -> MutexGuard<'static, BTreeMap<u32, Arc<Process>>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Kills whatever lives.
pub(crate) fn kill_all() {
    live().values().for_each(|process| process.signal_group(Signal::KILL));
}

impl Child {
    pub(crate) fn make(making: &Making) -> Result<Self, SpawnFailure> {
        let (out, errors) = (io::stdout(), io::stderr());
        let identity = making.user.as_ref().filter(|_| mainstay_host::effective_uid() == 0);
        let request = SpawnRequest {
            words: &making.words,
            env: &making.env,
            dir: &making.dir,
            identity: identity.map(|user| Identity { uid: user.uid, gid: user.gid, groups: &user.groups }),
            output: Output::Apart { out: out.as_fd(), errors: errors.as_fd() },
            pass: &[],
            record: None,
            limits: &Limits::unchanged(),
        };
        let process = Arc::new(mainstay_host::spawn(&request)?);
        live().insert(process.pid, Arc::clone(&process));
        Ok(Self(process))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.pid
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.0.signal(signal);
    }

    pub(crate) fn signal_group(&self, signal: Signal) {
        self.0.signal_group(signal);
    }

    /// Until it has ended. What is left of its group is killed, and nothing of it stays.
    pub(crate) async fn ended(&self) -> Exit {
        let watched = self.0.as_fd().try_clone_to_owned().and_then(watch);
        match watched {
            Ok(watched) => drop(watched.readable().await),
            // No room for another descriptor: then it is looked for, as seldom as that is bearable.
            Err(_) => {
                while matches!(self.0.peek(), Ok(None)) {
                    tokio::time::sleep(SELDOM).await;
                }
            }
        }
        let exit = self.0.peek().ok().flatten().unwrap_or(Exit::Unknown);
        self.0.signal_group(Signal::KILL);
        // No longer known by its number once that is free.
        live().remove(&self.0.pid);
        self.0.reap();
        exit
    }

    /// Until it has ended, or this time is over: then it is killed.
    pub(crate) async fn ended_within(&self, limit: Duration) -> Result<Exit, Exit> {
        let mut ended = std::pin::pin!(self.ended());
        match tokio::time::timeout(limit, &mut ended).await {
            Ok(exit) => Ok(exit),
            Err(_) => {
                self.0.signal_group(Signal::KILL);
                Err(ended.await)
            }
        }
    }

    /// The same, while what it says by `$NOTIFY_SOCKET` is put into a mailbox; all that it said before it ended is in there.
    pub(crate) async fn ended_speaking(&self, socket: UnixDatagram, mailbox: &Arc<Mailbox>) -> Exit {
        let mut ended = std::pin::pin!(self.ended());
        let mut bytes = vec![0; DATAGRAM_LIMIT];
        let put = |datagram: &[u8]| notices(datagram).into_iter().for_each(|notice| mailbox.put(notice));
        loop {
            tokio::select! {
                biased;
                Ok(count) = socket.recv(&mut bytes) => put(bytes.get(..count).unwrap_or_default()),
                exit = &mut ended => {
                    while let Ok(count) = socket.try_recv(&mut bytes) {
                        put(bytes.get(..count).unwrap_or_default());
                    }
                    return exit;
                }
            }
        }
    }
}

/// An owned descriptor is the same one until it is dropped, which is all that is asked of one here.
#[expect(
    deprecated,
    reason = "what is safe for descriptors of any kind came to be unsafe; an `OwnedFd` cannot change"
)]
fn watch(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(descriptor)
}

/// See [`Child::ended`].
const SELDOM: Duration = Duration::from_millis(100);

/// A socket for what a process says.
pub(crate) fn ear(socket: OwnedFd) -> io::Result<UnixDatagram> {
    UnixDatagram::from_std(std::os::unix::net::UnixDatagram::from(socket))
}

/// Something around it could not be prepared.
pub(crate) fn unprepared(what: &str, error: &dyn std::fmt::Display) -> SpawnFailure {
    SpawnFailure { kind: SpawnFailureKind::Other, text: format!("{what}: {error}") }
}

/// As a result of something that is good when it ends with 0.
pub(crate) fn verdict(exit: Exit) -> Result<(), String> {
    match exit {
        Exit::Code(0) => Ok(()),
        Exit::Code(code) => Err(format!("exited with {code}")),
        Exit::Signal(signal) => Err(format!("was ended by {signal}")),
        Exit::Unknown => Err("ended, and nobody saw how".to_owned()),
    }
}

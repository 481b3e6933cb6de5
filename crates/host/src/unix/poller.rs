//! Waiting for descriptors (`epoll(7)`), waking a waiting thread, and signals as something to read. What an event means is
//! known to the caller: it gets back the number that it gave.

use std::{
    io,
    mem::MaybeUninit,
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
    time::Duration,
};

use rustix::{
    event::{
        EventfdFlags, Timespec,
        epoll::{self, CreateFlags, Event, EventData, EventFlags},
        eventfd,
    },
    io::Errno,
};

/// Events taken in at one time.
const BATCH: usize = 64;

/// What to wait for on a descriptor. That the other side is gone is always reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Something to read.
    Read,
    /// Something to read, or room to write.
    ReadWrite,
    /// Only that the other side is gone.
    Gone,
}

impl Interest {
    fn flags(self) -> EventFlags {
        match self {
            Self::Read => EventFlags::IN,
            Self::ReadWrite => EventFlags::IN | EventFlags::OUT,
            Self::Gone => EventFlags::empty(),
        }
    }
}

/// One descriptor that has something for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The number that was given with the descriptor.
    pub token: u64,
    /// There is something to read.
    pub readable: bool,
    /// There is room to write.
    pub writable: bool,
    /// The other side is gone, or the descriptor is broken.
    pub gone: bool,
}

/// Waits for many descriptors at once.
#[derive(Debug)]
pub struct Poller {
    epoll: OwnedFd,
}

impl Poller {
    /// One that waits for nothing yet.
    ///
    /// # Errors
    /// No room for a descriptor.
    pub fn new() -> io::Result<Self> {
        Ok(Self { epoll: epoll::create(CreateFlags::CLOEXEC)? })
    }

    /// Waits for this descriptor too.
    ///
    /// # Errors
    /// `epoll_ctl(2)`.
    pub fn add(&self, source: impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, source, EventData::new_u64(token), interest.flags())?)
    }

    /// Waits for something else on a descriptor.
    ///
    /// # Errors
    /// `epoll_ctl(2)`.
    pub fn change(&self, source: impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, source, EventData::new_u64(token), interest.flags())?)
    }

    /// Waits for this descriptor no longer; to be called before it is closed, since a duplicate elsewhere keeps the
    /// registration alive.
    pub fn remove(&self, source: impl AsFd) {
        // The only errors are that it was not registered.
        let _ = epoll::delete(&self.epoll, source);
    }

    /// Waits; without `patience` for as long as it takes. An empty answer: time is up, or a signal came.
    ///
    /// # Errors
    /// `epoll_wait(2)`.
    pub fn wait(&self, patience: Option<Duration>) -> io::Result<Vec<Ready>> {
        let patience = patience.map(round_up).transpose()?;
        let mut events = [MaybeUninit::<Event>::uninit(); BATCH];
        match epoll::wait(&self.epoll, events.as_mut_slice(), patience.as_ref()) {
            Ok((events, _)) => Ok(events.iter().map(ready_of).collect()),
            Err(Errno::INTR) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Never wakes before its time, as one that rounds down to milliseconds would.
fn round_up(patience: Duration) -> io::Result<Timespec> {
    let milliseconds = patience.as_nanos().div_ceil(1_000_000).min(i32::MAX as u128);
    let milliseconds = u64::try_from(milliseconds).map_err(io::Error::other)?;
    Timespec::try_from(Duration::from_millis(milliseconds)).map_err(io::Error::other)
}

fn ready_of(event: &Event) -> Ready {
    let (flags, data) = (event.flags, event.data);
    Ready {
        token: data.u64(),
        readable: flags.contains(EventFlags::IN),
        writable: flags.contains(EventFlags::OUT),
        gone: flags.intersects(EventFlags::HUP | EventFlags::ERR),
    }
}

/// Wakes a thread that waits in a [`Poller`].
#[derive(Debug)]
pub struct Waker(OwnedFd);

impl Waker {
    /// A new one.
    ///
    /// # Errors
    /// No room for a descriptor.
    pub fn new() -> io::Result<Self> {
        Ok(Self(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    /// Makes the descriptor readable.
    pub fn wake(&self) {
        // It can only fail when it is readable already.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    /// Makes it unreadable again.
    pub fn clear(&self) {
        let _ = rustix::io::read(&self.0, &mut [0; 8]);
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Signals that are read instead of being delivered (`signalfd(2)`).
#[derive(Debug)]
pub struct SignalReader(OwnedFd);

impl SignalReader {
    /// Blocks these signals for this thread, and for those that it makes later.
    ///
    /// # Errors
    /// No room for a descriptor.
    pub fn new(signals: &[i32]) -> io::Result<Self> {
        let set = signal_set(signals);
        // SAFETY: `set` is an initialised set, and the old one is not asked for.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
        // SAFETY: as above.
        let descriptor =
            unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call made this descriptor, and nobody else has it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(descriptor) }))
    }

    /// The next signal that came, when one did.
    pub fn next_signal(&self) -> Option<i32> {
        // SAFETY: it is plain numbers.
        let mut info: libc::signalfd_siginfo = unsafe { std::mem::zeroed() };
        let size = size_of::<libc::signalfd_siginfo>();
        // SAFETY: `info` has room for `size` bytes, and any bytes are a value of it.
        let count = unsafe { libc::read(self.0.as_raw_fd(), (&raw mut info).cast(), size) };
        (usize::try_from(count) == Ok(size)).then(|| i32::try_from(info.ssi_signo).unwrap_or(0))
    }
}

impl AsFd for SignalReader {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn signal_set(signals: &[i32]) -> libc::sigset_t {
    // SAFETY: a set is plain numbers, and `sigemptyset` initialises it; the calls only write to it.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in signals {
            libc::sigaddset(&raw mut set, *signal);
        }
        set
    }
}

/// Ignores these signals from now on.
pub fn ignore_signals(signals: &[i32]) {
    for signal in signals {
        // SAFETY: ignoring a signal runs no code of ours.
        unsafe { libc::signal(*signal, libc::SIG_IGN) };
    }
}

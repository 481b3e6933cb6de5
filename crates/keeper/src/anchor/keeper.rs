//! The seat of the keeper: who sits in it, when the next one may, and what is said to it.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    path::Path,
    time::Duration,
};

use mainstay_host::{
    Interest, Limits, Output, Patience, Poller, Process, SpawnRequest, monotonic_nanos, packet_pair, spawn,
    start_time,
};
use mainstay_model::{Signal, SpawnFailure};
use mainstay_wire::{ANCHOR_FD, FromAnchor, KeptKeeper, ToAnchor};

use super::KEEPER;
use crate::{
    mail::{Mail, MailBox},
    options::{Options, own_environment},
    report::say,
};

/// A keeper that lived shorter than this died at once; the next one has to wait.
const AT_ONCE: Duration = Duration::from_millis(100);

/// The first such wait; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(10);

/// The longest such wait: it never gives up.
const LAST_WAIT: Duration = Duration::from_secs(3);

pub(super) struct Seat {
    options: Options,
    limits: Limits,
    occupant: Option<Occupant>,
    wait: Duration,
    due: u64,
}

struct Occupant {
    pid: u32,
    since: u64,
    mail: Option<MailBox<FromAnchor, ToAnchor>>,
}

impl Seat {
    pub(super) fn new(options: Options, limits: Limits) -> Self {
        Self { options, limits, occupant: None, wait: Duration::ZERO, due: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.occupant.is_none()
    }

    pub(super) fn is(&self, pid: u32) -> bool {
        self.occupant.as_ref().is_some_and(|keeper| keeper.pid == pid)
    }

    /// Whether it is time for a new keeper.
    pub(super) fn is_due(&self) -> bool {
        self.is_empty() && self.due <= monotonic_nanos()
    }

    /// When that will be.
    pub(super) fn wake_at(&self) -> Option<u64> {
        self.is_empty().then_some(self.due)
    }

    /// Starts a keeper; whether one sits there now.
    pub(super) fn start(&mut self, poller: &Poller) -> bool {
        match self.try_start(poller) {
            Ok(keeper) => self.occupant = Some(keeper),
            Err(text) => {
                say(format_args!("cannot start the keeper: {text}"));
                self.postpone();
            }
        }
        !self.is_empty()
    }

    fn try_start(&self, poller: &Poller) -> Result<Occupant, String> {
        let text = |error: io::Error| error.to_string();
        let (ours, theirs) = packet_pair().map_err(text)?;
        // First: a keeper that nobody listens to must not be.
        poller.add(&ours, KEEPER, Interest::Read).map_err(text)?;
        let pid = self.spawn(self.options.program(), theirs.as_fd()).map_err(|failure| {
            poller.remove(&ours);
            failure.text
        })?;
        Ok(Occupant { pid, since: monotonic_nanos(), mail: Some(MailBox::new(ours)) })
    }

    fn spawn(&self, exe: &Path, theirs: BorrowedFd<'_>) -> Result<u32, SpawnFailure> {
        let process = spawn(&SpawnRequest {
            words: &self.options.words(exe, "keeper"),
            env: &own_environment(),
            dir: "/",
            identity: None,
            output: Output::OwnErrors,
            pass: &[(theirs, ANCHOR_FD)],
            record: None,
            limits: &self.limits,
        })?;
        Ok(process.pid)
    }

    /// Puts the keeper back that the program before us had.
    pub(super) fn take_over(&mut self, pid: u32, socket: OwnedFd, poller: &Poller) -> io::Result<()> {
        poller.add(&socket, KEEPER, Interest::Read)?;
        self.occupant = Some(Occupant { pid, since: monotonic_nanos(), mail: Some(MailBox::new(socket)) });
        Ok(())
    }

    /// The keeper, for the program after us; none when nobody hears it any more.
    pub(super) fn kept(&self) -> Option<KeptKeeper> {
        let keeper = self.occupant.as_ref()?;
        Some(KeptKeeper { pid: keeper.pid, descriptor: keeper.mail.as_ref()?.as_fd().as_raw_fd() })
    }

    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.occupant.as_ref()?.mail.as_ref()?.as_fd())
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Its end is heard of as any other.
    pub(super) fn kill(&self) {
        let Some(keeper) = &self.occupant else { return };
        let started = start_time(keeper.pid).unwrap_or(0);
        if let Some(process) = Process::open(keeper.pid, started) {
            process.signal(Signal::KILL);
        }
    }

    fn postpone(&mut self) {
        self.due = monotonic_nanos() + u64::try_from(self.wait.as_nanos()).unwrap_or(0);
        let longest = if crate::fault::are_wanted() { FIRST_WAIT } else { LAST_WAIT };
        self.wait = (self.wait * 2).clamp(FIRST_WAIT, longest);
    }

    /// The keeper ended.
    pub(super) fn empty(&mut self, poller: &Poller) {
        self.stop_listening(poller);
        let Some(keeper) = self.occupant.take() else { return };
        let lived = Duration::from_nanos(monotonic_nanos().saturating_sub(keeper.since));
        if lived >= AT_ONCE {
            self.wait = Duration::ZERO;
        }
        self.postpone();
    }

    pub(super) fn tell(&mut self, message: &FromAnchor, descriptor: Option<BorrowedFd<'_>>) {
        if let Some(mail) = self.mail() {
            mail.send(message, descriptor);
        }
    }

    pub(super) fn receive(&mut self, patience: Patience) -> Mail<ToAnchor> {
        self.mail().map_or(Mail::Nothing, |mail| mail.receive(patience))
    }

    pub(super) fn flush(&mut self, poller: &Poller) {
        if let Some(mail) = self.mail() {
            mail.flush();
            mail.watch(poller, KEEPER);
        }
    }

    /// Its end of the connection is closed, which its end follows.
    pub(super) fn stop_listening(&mut self, poller: &Poller) {
        if let Some(mail) = self.occupant.as_mut().and_then(|keeper| keeper.mail.take()) {
            poller.remove(&mail);
        }
    }

    fn mail(&mut self) -> Option<&mut MailBox<FromAnchor, ToAnchor>> {
        self.occupant.as_mut()?.mail.as_mut()
    }
}

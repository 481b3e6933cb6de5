//! The keeper and a new program: it executes it in its own place. What the new one has to know is where it would be after a
//! death as well: in the slots' records, in the pump's buffer and with the anchor; but the runs stay its children.

use std::{os::fd::AsFd, path::Path, time::Duration};

use mainstay_host::{OWN_PROGRAM, replace_program};
use mainstay_wire::{DAEMON_SLOT, ToAnchor, UpgradeOutcome, UpgradeView};

use super::{Supervisor, alone::Cause, slots::Slot, timers::Timer};
use crate::{options::own_environment, report::say};

/// How long the daemon may take to end, and processes that are being made to be made.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the anchor may take to read what it was sent.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A program that waits to take our place.
#[derive(Debug)]
pub(super) struct Successor {
    program: String,
    is_overdue: bool,
}

impl Supervisor {
    /// The daemon, which is about to end, asks for it.
    pub(super) fn upgrade(&mut self, program: String) {
        let is_on_trial = |upgrade: &UpgradeView| upgrade.outcome == UpgradeOutcome::Trying;
        if self.leaving || self.upgraded.as_ref().is_some_and(is_on_trial) {
            return say(format_args!("`{program}` has to wait: another program is on trial, or all is over"));
        }
        self.successor = Some(Successor { program, is_overdue: false });
        self.timers.set(Timer::KillDaemon, PATIENCE);
        self.timers.set(Timer::Upgrade, PATIENCE);
    }

    /// Everybody had time enough; who is being made by a thread that dies with us is found by the next keeper.
    pub(super) fn upgrade_is_overdue(&mut self) {
        if let Some(successor) = &mut self.successor {
            successor.is_overdue = true;
        }
    }

    /// Whether a new program waits for us, so that no daemon of ours is needed any more.
    pub(super) fn has_successor(&self) -> bool {
        self.successor.is_some()
    }

    pub(super) fn become_successor(&mut self) {
        let Some(program) = self.successor_in_time() else { return };
        // Had it died in this moment, what it held would go with our descriptors.
        self.anchor_event();
        if self.anchor.is_none() {
            // There is nobody who could take it back. The anchor that we become is asked once more.
            let why = self.become_anchor(Cause::Upgrade);
            return self.cannot_become_anchor(program, &why);
        }
        if let Err(why) = self.try_to_become(&program) {
            say(format_args!("the keeper cannot become `{program}`: {why}"));
            self.tell_anchor(&ToAnchor::NotUpgraded { why: format!("the keeper cannot become it: {why}") });
            self.say_all();
            self.begin_again();
        }
    }

    fn cannot_become_anchor(&mut self, program: String, why: &str) {
        let why = format!("the keeper has no anchor, and cannot become one: {why}");
        say(&why);
        let number = self.next_upgrade();
        self.upgraded = Some(UpgradeView { number, program, outcome: UpgradeOutcome::TakenBack { why } });
        self.has_news = true;
        self.start_daemon();
    }

    /// The number of the next upgrade.
    pub(super) fn next_upgrade(&self) -> u64 {
        self.upgraded.as_ref().map_or(0, |upgrade| upgrade.number) + 1
    }

    /// The program, once nothing is under way any more that would be cut short.
    fn successor_in_time(&mut self) -> Option<String> {
        let is_overdue = self.successor.as_ref()?.is_overdue;
        let daemon = self.slots.find(DAEMON_SLOT).and_then(|index| self.slots.get(index));
        let is_busy = self.is_making() || daemon.is_some_and(Slot::is_active);
        if is_busy && !is_overdue {
            return None;
        }
        self.timers.clear(Timer::Upgrade);
        self.successor.take().map(|successor| successor.program)
    }

    fn try_to_become(&mut self, program: &str) -> Result<(), String> {
        self.tell_anchor(&ToAnchor::Upgrade { program: program.to_owned() });
        if !self.say_all() {
            return Err("the anchor does not listen".to_owned());
        }
        self.pump.rest();
        Err(self.replace(Path::new(program)))
    }

    /// After the pump's end there is no way back but through the beginning. As the program that we are.
    fn begin_again(&mut self) {
        self.pump.rest();
        let why = self.replace(Path::new(OWN_PROGRAM));
        // The anchor starts another one.
        say(format_args!("the keeper cannot go on: {why}"));
        std::process::exit(1);
    }

    fn replace(&self, program: &Path) -> String {
        let mut words = self.options.words(program, "keeper");
        words.push("--again".to_owned());
        let anchor = self.anchor.as_ref().map(AsFd::as_fd);
        let keep: Vec<_> = anchor.into_iter().collect();
        replace_program(program, &words, &own_environment(), &keep, self.spawner.limits()).to_string()
    }

    /// Sends the anchor everything that waits; whether it took it.
    pub(super) fn say_all(&mut self) -> bool {
        let Some(anchor) = &mut self.anchor else { return false };
        anchor.flush();
        anchor.watch(&self.poller, super::Token::Anchor.number());
        while !anchor.is_flushed() {
            if !self.poller.wait(Some(LAST_WORDS)).is_ok_and(|ready| !ready.is_empty()) {
                return false;
            }
            anchor.flush();
        }
        true
    }
}

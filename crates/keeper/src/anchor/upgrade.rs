//! The anchor and a new program: it watches the new keeper and daemon, has the new program look at what it would get, and
//! takes its own place last. Until then the old program is a kill away. What is enough, [`Trial`] says.

use std::{
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use mainstay_host::{Output, SpawnRequest, monotonic_nanos, spawn};
use mainstay_wire::{ANCHOR_FD, ANCHOR_STATE_VERSION, AnchorState, FromAnchor, UpgradeOutcome, WireExit};

use super::{
    Anchor,
    kept::{become_anchor, kept, kept_lock, state_file},
    orphans::Orphan,
    trial::{Next, Trial},
};
use crate::{options::own_environment, report::say};

impl Anchor {
    /// The keeper is about to become this program.
    pub(super) fn begin_trial(&mut self, program: String) {
        if self.trial.is_some() {
            return say(format_args!("`{program}` has to wait: another program is on trial"));
        }
        let number = self.upgraded.as_ref().map_or(0, |upgrade| upgrade.number) + 1;
        say(format_args!("upgrade {number}: the keeper becomes `{program}`"));
        self.trial = Some(Trial::new(number, program, monotonic_nanos()));
    }

    pub(super) fn on_trial_time(&mut self) {
        if let Some(trial) = &self.trial {
            let next = trial.on_time(monotonic_nanos());
            self.follow(next);
        }
    }

    pub(super) fn trial_is_up(&mut self) {
        if let Some(trial) = &mut self.trial {
            trial.is_up(monotonic_nanos());
        }
    }

    /// Something went wrong with the new program; nothing when there is none.
    pub(super) fn trial_failed(&mut self, why: String) {
        if self.trial.is_some() {
            self.take_back(why);
        }
    }

    /// One of our children ended; whether it was the one that looked.
    pub(super) fn is_checker(&mut self, pid: u32, exit: WireExit) -> bool {
        let is_it = self.trial.as_ref().and_then(Trial::checker) == Some(pid);
        if is_it {
            self.follow(Trial::checked(exit));
        }
        is_it
    }

    pub(super) fn follow(&mut self, next: Next) {
        match next {
            Next::Nothing => {}
            Next::Check => match self.check() {
                Ok(pid) => {
                    if let Some(trial) = &mut self.trial {
                        trial.is_checking(pid, monotonic_nanos());
                    }
                }
                Err(why) => self.take_back(why),
            },
            Next::Replace => {
                let why = self.replace();
                self.take_back(why);
            }
            Next::TakeBack(why) => self.take_back(why),
        }
    }

    /// Has the new program look at what it would get.
    fn check(&self) -> Result<u32, String> {
        let Some(trial) = &self.trial else { return Err("there is none".to_owned()) };
        let state = self.state_file()?;
        let mut words = self.options.words(Path::new(&trial.view().program), "check-state");
        words.extend(["--anchor-state".to_owned(), ANCHOR_FD.to_string()]);
        let process = spawn(&SpawnRequest {
            words: &words,
            env: &own_environment(),
            dir: "/",
            identity: None,
            output: Output::OwnErrors,
            pass: &[(state.as_fd(), ANCHOR_FD)],
            record: None,
            limits: self.seat.limits(),
        });
        process.map(|process| process.pid).map_err(|failure| failure.text)
    }

    /// Everything that we know and hold, as bytes that outlive us.
    fn state_file(&self) -> Result<OwnedFd, String> {
        state_file(&AnchorState {
            version: ANCHOR_STATE_VERSION,
            locks: self.locks.iter().map(kept_lock).collect(),
            keeper_locks: Vec::new(),
            keeper: self.seat.kept(),
            held: self.held.iter().map(kept).collect(),
            orphans: self.orphans.iter().map(Orphan::kept).collect(),
            fosters: self.fosters.clone(),
            answered: self.answered,
            terminating: self.terminating,
            upgrade: self.trial.as_ref().map(Trial::view).or(self.upgraded.as_ref()).cloned(),
        })
    }

    /// Becomes the new program. Returns only when that cannot be: why.
    fn replace(&mut self) -> String {
        let Some(trial) = &self.trial else { return "there is none".to_owned() };
        let state = match self.state_file() {
            Ok(state) => state,
            Err(why) => return why,
        };
        let program = Path::new(&trial.view().program);
        let mut keep: Vec<_> = self.locks.iter().map(AsFd::as_fd).collect();
        keep.extend(self.held.values().map(AsFd::as_fd));
        keep.extend(self.seat.descriptor());
        let error = become_anchor(&self.options, program, &state, keep, self.seat.limits());
        format!("the anchor cannot become it: {error}")
    }

    /// The program that we are takes the new one's place.
    fn take_back(&mut self, why: String) {
        let Some(trial) = self.trial.take() else { return };
        say(format_args!("the upgrade is taken back: {why}"));
        self.upgraded = Some(trial.ended(UpgradeOutcome::TakenBack { why }));
        self.has_news = true;
        self.seat.kill();
    }

    /// Nothing happened: the keeper is what it was.
    pub(super) fn not_upgraded(&mut self, why: String) {
        let Some(trial) = self.trial.take() else { return };
        self.upgraded = Some(trial.ended(UpgradeOutcome::TakenBack { why }));
        self.tell_upgrade();
    }

    pub(super) fn tell_upgrade(&mut self) {
        if let Some(upgrade) = self.trial.as_ref().map(Trial::view).or(self.upgraded.as_ref()) {
            self.seat.tell(&FromAnchor::Upgraded { upgrade: upgrade.clone() }, None);
        }
    }
}

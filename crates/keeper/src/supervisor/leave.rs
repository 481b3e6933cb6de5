//! What the anchor has to say, and how a keeper comes to its end.

use std::time::Duration;

use mainstay_model::Signal;
use mainstay_wire::{FromAnchor, FromKeeper, Scope, ToAnchor, UpgradeView};

use super::{Supervisor, timers::Timer};
use crate::{mail::Mail, report::say};

/// How long services may take to end when there is no daemon that could stop them in order.
const LAST_PATIENCE: Duration = Duration::from_secs(10);

impl Supervisor {
    pub(super) fn tell_anchor(&mut self, message: &ToAnchor) {
        if let Some(anchor) = &mut self.anchor {
            anchor.send(message, None);
        }
    }

    /// The anchor said something, or is gone.
    pub(super) fn anchor_event(&mut self) {
        loop {
            let Some(anchor) = &mut self.anchor else { return };
            match anchor.receive(mainstay_host::Patience::Never) {
                Mail::Message(FromAnchor::Orphan { pid, start_time, exit }, _) => {
                    self.orphan(pid, start_time, exit);
                }
                Mail::Message(FromAnchor::Terminate, _) => self.terminate(),
                Mail::Message(FromAnchor::Upgraded { upgrade }, _) => self.upgraded(upgrade),
                Mail::Message(
                    FromAnchor::Held { .. } | FromAnchor::Foster { .. } | FromAnchor::Complete,
                    _,
                ) => {}
                Mail::Nothing => return,
                Mail::Gone => return self.go_on_alone(),
            }
        }
    }

    /// The anchor says what became of a new program.
    fn upgraded(&mut self, upgrade: UpgradeView) {
        if self.upgraded.as_ref() != Some(&upgrade) {
            self.upgraded = Some(upgrade);
            self.has_news = true;
            self.tell_news();
        }
    }

    /// Tells the daemon what became of an upgrade, unless one was told.
    pub(super) fn tell_news(&mut self) {
        if self.daemon.is_listening() && std::mem::take(&mut self.has_news) {
            let upgrade = self.upgraded.clone();
            upgrade.into_iter().for_each(|upgrade| self.daemon.send(&FromKeeper::Upgraded { upgrade }));
        }
    }

    /// Somebody asked for the end.
    pub(super) fn terminate(&mut self) {
        if std::mem::replace(&mut self.terminating, true) {
            return;
        }
        if self.daemon.is_listening() {
            self.daemon.send(&FromKeeper::Terminate);
        } else if self.timers.is_set(Timer::StartDaemon) {
            // It was just told that it must not be started, or died again and again: it will not stop anything.
            self.end_without_daemon();
        }
    }

    /// Stops all services at once: no order is known here.
    pub(super) fn end_without_daemon(&mut self) {
        say("there is no daemon that could stop the services in order: they are stopped all at once");
        self.signal_all(Signal::TERM, Scope::Group);
        self.timers.set(Timer::LastKill, LAST_PATIENCE);
        self.leave();
    }

    pub(super) fn last_kill(&mut self) {
        self.signal_all(Signal::KILL, Scope::Everything);
    }

    fn signal_all(&mut self, signal: Signal, scope: Scope) {
        let active: Vec<usize> =
            self.slots.services().filter(|(_, slot)| slot.is_active()).map(|(index, _)| index).collect();
        for index in active {
            self.signal(index, signal.number(), scope);
        }
    }

    /// From now on nothing is started; when nothing runs any more, the keeper ends.
    pub(super) fn leave(&mut self) {
        self.leaving = true;
        self.timers.clear(Timer::StartDaemon);
    }

    /// Whether that is so.
    pub(super) fn is_done(&self) -> bool {
        self.leaving && self.held_back.is_empty() && !self.slots.iter().any(|(_, slot)| slot.is_active())
    }
}

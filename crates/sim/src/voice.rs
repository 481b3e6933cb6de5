//! What modelled processes answer when they are asked, and say when they are not.

use mainstay_decide::{Check, Event, Notice, QuestionId};
use mainstay_model::{Moment, ReadyCheck, RunId, ServiceId, Spec};

use crate::{
    keeper::{Happening, Keeper},
    process::{Weather, Word},
    slot::{Slot, SlotState},
};

/// An asking of a check.
pub(crate) struct Question<'a> {
    pub(crate) run: RunId,
    pub(crate) check: Check,
    pub(crate) number: QuestionId,
    pub(crate) spec: &'a Spec,
}

impl Keeper {
    /// A check of a run is asked.
    pub(crate) fn ask(&mut self, now: Moment, id: &ServiceId, question: &Question<'_>) {
        let storm = self.weather == Weather::Storm;
        let Some(slot) = self.slots.get(id) else { return };
        let process = &slot.process;
        let (yes, most) = match question.check {
            Check::Ready => {
                let timeout = question.spec.ready.as_ref().map(|policy| policy.probe_timeout);
                (process.ready_at <= now && !(process.moody && self.dice.chance(50)), timeout)
            }
            Check::Health => {
                let timeout = question.spec.health.as_ref().map(|policy| policy.timeout);
                let (from, until) = process.well;
                (from <= now && now < until && !(process.moody && self.dice.chance(25)), timeout)
            }
        };
        let most = most.unwrap_or_default();
        let late = storm && self.dice.chance(5) || slot.frozen;
        let (answer, delay) = match late {
            true => (Err("timed out".to_owned()), most),
            false => {
                let most = if storm && self.dice.chance(20) { most } else { most / 400 };
                let most = u64::try_from(most.as_millis()).unwrap_or(0);
                (if yes { Ok(()) } else { Err("refused".to_owned()) }, self.dice.up_to_ms(most))
            }
        };
        let event = Event::Answered { run: question.run, question: question.number, answer };
        self.happen(now + delay, Happening::Heard(id.clone(), event.clone()));
        if storm && self.dice.chance(10) {
            let again = now + delay + self.dice.up_to_ms(5_000);
            self.happen(again, Happening::Heard(id.clone(), event));
        }
    }

    /// A process that was made begins to say what it has to say.
    pub(crate) fn begin_to_speak(&mut self, now: Moment, id: &ServiceId, run: RunId) {
        let Some(slot) = self.slots.get(id) else { return };
        let says_ready = |check: &ReadyCheck| matches!(check, ReadyCheck::Notify | ReadyCheck::Fd(_));
        let says_ready = slot.spec.ready.as_ref().is_some_and(|policy| says_ready(&policy.check));
        let ready_at = Some(slot.process.ready_at).filter(|at| says_ready && *at != Moment::NEVER);
        let words = slot.process.words.clone();
        let pings = slot.spec.watchdog.is_some();
        let mut says = |at, word| self.happen(at, Happening::Says(id.clone(), run, word));
        if let Some(at) = ready_at {
            says(at.max(now), Word::Once(Notice::Ready));
        }
        if pings {
            says(now, Word::Ping);
        }
        for (after, notice) in words {
            says(now + after, Word::Once(notice));
        }
    }

    /// A process says something, if it is still there.
    pub(crate) fn says(&mut self, now: Moment, id: &ServiceId, run: RunId, word: Word) {
        let there = |slot: &&mut Slot| slot.run == run && matches!(slot.state, SlotState::Running(_));
        let Some(slot) = self.slots.get_mut(id).filter(there) else { return };
        if slot.frozen {
            return slot.held_back.push(word);
        }
        let notice = match word {
            Word::Once(notice) => notice,
            Word::Ping => {
                let limit = slot.process.limit.filter(|limit| !limit.is_zero());
                let silent = slot.process.silent_from <= now;
                let part = u32::try_from(20 + self.dice.below(70)).unwrap_or(50);
                let Some(limit) = limit.filter(|_| !silent) else { return };
                self.happen(now + limit * part / 100, Happening::Says(id.clone(), run, Word::Ping));
                Notice::Alive
            }
        };
        if let Some(slot) = self.slots.get_mut(id) {
            slot.keep(&notice);
        }
        self.tell(now, id, Event::Notified { run, notice });
    }

    /// A process is asked by a signal to read its configuration again; some say so.
    pub(crate) fn reload(&mut self, now: Moment, id: &ServiceId, run: RunId) {
        let Some(slot) = self.slots.get(id).filter(|slot| slot.run == run && slot.is_live()) else { return };
        if !slot.spec.reports().notify || self.dice.chance(30) {
            return;
        }
        let after = self.dice.up_to_ms(3_000);
        let mut says = |at, notice| self.happen(at, Happening::Says(id.clone(), run, Word::Once(notice)));
        says(now, Notice::Reloading);
        says(now + after, Notice::Ready);
    }
}

impl Slot {
    /// Keeps of it what a later daemon is to hear again.
    fn keep(&mut self, notice: &Notice) {
        match notice {
            Notice::Ready => self.said_ready = true,
            Notice::Stopping => self.said_stopping = true,
            Notice::Said(text) => self.said = Some(text.clone()),
            Notice::MainPid(pid) => self.state = SlotState::Running(*pid),
            Notice::Watchdog(limit) => self.process.limit = Some(*limit),
            Notice::Reloading | Notice::Feels(_) | Notice::Extend(_) | Notice::Alive | Notice::Trigger => {}
        }
    }
}

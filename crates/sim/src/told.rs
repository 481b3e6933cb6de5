//! What the daemon is told, written into the books.

use mainstay_decide::{Event, Notice, QuestionId};
use mainstay_model::{Health, HookName, Moment, ReadyCheck, RunId, SpawnFailureKind};

use crate::{
    book::Record,
    policy::{self, Next},
    run::{Doing, Run},
};

impl Record {
    /// Takes in what is told. Whether it was news.
    pub(crate) fn told(&mut self, now: Moment, event: &Event) -> bool {
        match event {
            Event::Spawned { run, pid } => self.made(now, *run, *pid),
            Event::Answered { run, question, answer } => self.answered(now, *run, *question, answer.is_ok()),
            Event::NotSpawned { run, failure } => {
                self.starves = failure.kind == SpawnFailureKind::NoResources;
                self.ended(now, *run, None)
            }
            Event::Exited { run, exit } => self.ended(now, *run, Some(*exit)),
            Event::Notified { run, notice } => self.notified(now, *run, notice),
            Event::HookEnded { run, hook, result } => self.hook_ended(now, *run, *hook, result.is_ok()),
            _ => false,
        }
    }

    /// Its process is there.
    fn made(&mut self, now: Moment, run: RunId, pid: u32) -> bool {
        let news = |live: &&mut Run| live.run == run && live.spawned && !live.made && live.over.is_none();
        let Some(live) = self.live.as_mut().filter(news) else { return false };
        (live.made, live.pid) = (true, Some(pid));
        if live.ending.is_none() {
            live.ask(now, &self.spec);
        }
        true
    }

    /// One of its checks was answered.
    fn answered(&mut self, now: Moment, run: RunId, question: QuestionId, yes: bool) -> bool {
        let asked = |live: &&mut Run| {
            live.run == run && live.is_up() && !live.paused && live.question == Some(question)
        };
        let Some(live) = self.live.as_mut().filter(asked) else { return false };
        live.question = None;
        if live.runs() {
            live.health_answered(now, &self.spec, yes);
        } else if yes {
            live.succeed(now, &self.spec);
        } else {
            live.refused_at = Some(now);
        }
        true
    }

    /// Whether another question than this one is waiting for its answer.
    pub(crate) fn is_asked_otherwise(&self, run: RunId, question: QuestionId) -> bool {
        let live = self.live.as_ref().filter(|live| live.run == run);
        live.and_then(|live| live.question).is_some_and(|asked| asked != question)
    }

    /// It said something by itself.
    fn notified(&mut self, now: Moment, run: RunId, notice: &Notice) -> bool {
        let Some(live) = self.live.as_mut().filter(|live| live.run == run) else { return false };
        match notice {
            Notice::Ready if live.starts() => {
                let waits = |check: &ReadyCheck| matches!(check, ReadyCheck::Notify | ReadyCheck::Fd(_));
                if self.spec.ready.as_ref().is_some_and(|policy| waits(&policy.check)) {
                    live.succeed(now, &self.spec);
                }
            }
            Notice::Ready if live.runs() && live.vitals.doing == Doing::Reloading => live.does(Doing::Work),
            Notice::Ready => return false,
            Notice::Reloading => live.does(Doing::Reloading),
            Notice::Stopping => live.does(Doing::Ending),
            Notice::Feels(health) => self.feels = Some(*health).filter(|health| *health != Health::Unknown),
            Notice::Said(text) => self.said = Some(text.clone()).filter(|text| !text.is_empty()),
            Notice::Extend(span) => live.extend(now + *span),
            Notice::MainPid(pid) if live.made && live.over.is_none() => live.pid = Some(*pid),
            Notice::MainPid(_) => return false,
            Notice::Alive if live.runs() => {
                if live.vitals.silent_at.is_some() {
                    live.hear(now);
                }
            }
            Notice::Trigger if live.runs() => {
                live.fail(now, &self.spec);
                live.abort = true;
            }
            Notice::Alive | Notice::Trigger => return false,
            Notice::Watchdog(limit) => {
                live.limit = Some(*limit);
                if live.runs() {
                    live.hear(now);
                }
            }
        }
        true
    }

    /// One of its hooks ended.
    fn hook_ended(&mut self, now: Moment, run: RunId, hook: HookName, well: bool) -> bool {
        let Some(live) = self.live.as_mut().filter(|live| live.run == run) else { return false };
        if hook == HookName::Reload && std::mem::take(&mut live.unloading) {
            return true;
        }
        if live.beside.take_if(|beside| beside.hook == hook).is_none() {
            return false;
        }
        match hook {
            HookName::BeforeStart if live.ending.is_some() || well && !self.wanted => {
                self.live = None;
                self.next = Next::Fresh;
            }
            HookName::BeforeStart if well => live.due.spawn = true,
            HookName::BeforeStart => {
                let failed = policy::after_failure(&self.spec, live.attempt, now);
                let unclear = live.unclear;
                self.live = None;
                self.next = match (self.wanted, unclear) {
                    (false, _) => Next::Fresh,
                    (true, true) => Next::Any,
                    (true, false) => failed,
                };
            }
            HookName::AfterStart => {
                live.announced = true;
                match well {
                    true => live.run_on(now, &self.spec),
                    false => live.failing = true,
                }
            }
            // Now it must be asked to end, or it is waited for.
            HookName::BeforeStop | HookName::Reload => {
                if hook == HookName::Reload {
                    live.vitals.doing = Doing::Work;
                }
            }
            HookName::AfterStop => {
                let exit = live.over;
                self.finish(now, exit);
            }
        }
        true
    }
}

impl Run {
    fn does(&mut self, doing: Doing) {
        if self.runs() && !self.waits_for(HookName::Reload) {
            self.vitals.doing = doing;
        }
    }

    /// What is under way may take until then.
    fn extend(&mut self, until: Moment) {
        if self.starts() {
            self.extended = Some(self.extended.map_or(until, |extended| extended.max(until)));
        }
        if let Some(ending) = self.ending.as_mut().filter(|ending| !ending.killed && self.over.is_none()) {
            ending.kill_at = ending.kill_at.map(|at| at.max(until));
        }
    }
}

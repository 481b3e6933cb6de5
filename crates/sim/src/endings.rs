//! Looks at how runs are ended, and at their hooks: for a cause, in order, once, and in time.

use mainstay_model::{HookName, Moment, RunId, ServiceId, Signal, Spec};

use crate::{
    Invariant,
    book::{Book, Record},
    breach::{Checked, breach, hold},
    commands::Beginning,
    run::{Beside, Ending, Run},
};

/// Why a run may be asked to end.
pub(crate) struct Asked {
    wanted: bool,
    overdue: bool,
    lost: bool,
    dependents: Vec<String>,
}

impl Book {
    /// What there is that may be the cause of an end.
    pub(crate) fn why_ended(&mut self, now: Moment, id: &ServiceId) -> Asked {
        let uncaused = |record: &Record, live: &Run| record.wanted && !live.again && !live.failing;
        let uncaused = self.records.get(id).is_some_and(|record| {
            record.live.as_ref().is_some_and(|live| uncaused(record, live)) && !self.lost_a_need(record)
        });
        if uncaused {
            self.advance(&id.name);
        }
        let record = self.records.get(id);
        let live = record.and_then(|record| Some((record, record.live.as_ref()?)));
        Asked {
            wanted: record.is_some_and(|record| record.wanted),
            overdue: live
                .is_some_and(|(record, live)| live.deadline(&record.spec).is_some_and(|at| at <= now)),
            lost: record.is_some_and(|record| self.lost_a_need(record)),
            dependents: self.live_dependents(id).map(ToString::to_string).collect(),
        }
    }

    /// Whether something whose loss restarts it is not as it must be.
    fn lost_a_need(&self, record: &Record) -> bool {
        let holds = |on: &ServiceId, until| self.records.get(on).is_some_and(|on| on.meets(until));
        record.needs.iter().any(|need| need.restart && !holds(&need.on, need.until))
    }

    /// The first word that asks a run to end; `process`: to its process, and not to a hook.
    pub(crate) fn end_first(&mut self, now: Moment, id: &ServiceId, process: bool, asked: &Asked) -> Checked {
        let Some(record) = self.records.get_mut(id) else { return Ok(()) };
        let Some(live) = &mut record.live else { return Ok(()) };
        let held = !asked.wanted && !live.kill_requested && !asked.overdue && !live.failing;
        hold(!held || asked.dependents.is_empty(), Invariant::DependentsFirst, || {
            format!("{id} is stopped while {} live", asked.dependents.join(", "))
        })?;
        if asked.wanted && !live.again {
            hold(asked.overdue || asked.lost || live.failing, Invariant::EndedForCause, || {
                format!("{id} is wanted, and asked to end")
            })?;
            live.failing |= asked.overdue;
            live.again = !live.failing;
            live.unclear |= live.failing && asked.lost;
        }
        let prepares = record.spec.hooks.before_stop.is_some() && live.running_at.is_some() && live.made;
        hold(!(prepares && process) || live.kill_requested, Invariant::HooksInPlace, || {
            format!("{id} is asked to end without its before_stop")
        })?;
        // What ran beside it was killed with it.
        live.beside.take_if(|beside| beside.kill_at.is_none_or(|at| at <= now));
        live.ending = Some(Ending { preparing: false, kill_at: None, killed: false });
        live.question = None;
        Ok(())
    }

    /// A hook begins.
    pub(crate) fn run_hook(
        &mut self,
        now: Moment,
        id: &ServiceId,
        hook: HookName,
        beginning: &Beginning<'_>,
    ) -> Checked {
        if hook == HookName::BeforeStart {
            self.begin(now, id, beginning)?;
        }
        if hook == HookName::BeforeStop {
            self.live_run(id, beginning.run)?;
            let asked = self.why_ended(now, id);
            self.end_first(now, id, false, &asked)?;
        }
        let Some(record) = self.records.get_mut(id) else { return Ok(()) };
        let Some(live) = record.live.as_mut().filter(|live| live.run == beginning.run) else {
            return Err(breach(Invariant::HooksInPlace, format!("{id}: {hook} for a run that is not live")));
        };
        hold(*beginning.spec == record.spec, Invariant::LatestDescription, || {
            format!("{id}: an old {hook}")
        })?;
        hold(live.beside.is_none(), Invariant::OneOfEachHook, || {
            format!("{id}: {hook} beside {:?}", live.beside)
        })?;
        let due = live.due.hook.take_if(|due| *due == hook).is_some();
        let in_place = match hook {
            HookName::BeforeStart => !live.spawned,
            HookName::AfterStart => due && live.is_up() && !live.announced,
            HookName::BeforeStop => live.made && !live.paused && live.running_at.is_some(),
            HookName::AfterStop => due && live.over.is_some(),
            HookName::Reload => due && live.runs(),
        };
        hold(in_place, Invariant::HooksInPlace, || format!("{id}: {hook} out of place, in {live:?}"))?;
        let Some(policy) = record.spec.hook(hook) else {
            return Err(breach(Invariant::HooksInPlace, format!("{id} has no {hook}")));
        };
        live.beside = Some(Beside { hook, kill_at: Some(now + policy.timeout) });
        if let Some(ending) = live.ending.as_mut().filter(|_| hook == HookName::BeforeStop) {
            ending.preparing = true;
        }
        Ok(())
    }

    /// A hook is killed: for its time, or because what it stands beside is over.
    pub(crate) fn kill_hook(&mut self, now: Moment, id: &ServiceId, hook: HookName, run: RunId) -> Checked {
        let unknown =
            || breach(Invariant::HooksFinished, format!("{id}: {hook} of run {run} is killed and not there"));
        let ticks = self.ticks;
        let lost = self.records.get(id).is_some_and(|record| self.lost_a_need(record));
        let record = self.records.get_mut(id).ok_or_else(unknown)?;
        if record.leftover.take_if(|left| *left == (hook, run)).is_some() {
            return Ok(());
        }
        let live = record.live.as_mut().filter(|live| live.run == run && live.waits_for(hook));
        let live = live.ok_or_else(unknown)?;
        let due = ticks && live.beside.is_some_and(|beside| beside.kill_at.is_some_and(|at| at <= now));
        // Which of both it is for, nobody can tell.
        live.unclear |= lost && due;
        match hook {
            HookName::BeforeStart if live.ending.is_none() && !due => {
                let asked = self.why_ended(now, id);
                self.end_first(now, id, false, &asked)?;
                let live = self.live_run(id, run)?;
                live.beside = Some(Beside { hook, kill_at: None });
                Ok(())
            }
            HookName::BeforeStart | HookName::AfterStop => {
                hold(due || live.kill_requested, Invariant::HooksFinished, || {
                    format!("{id}: {hook} is killed before its time")
                })?;
                live.beside = Some(Beside { hook, kill_at: None });
                Ok(())
            }
            HookName::BeforeStop => {
                hold(due || live.kill_requested, Invariant::HooksFinished, || {
                    format!("{id}: {hook} is killed before its time")
                })?;
                live.beside = None;
                Ok(())
            }
            HookName::AfterStart | HookName::Reload if due => {
                live.beside = Some(Beside { hook, kill_at: None });
                Ok(())
            }
            HookName::AfterStart | HookName::Reload => {
                live.beside = None;
                live.due.change = true;
                live.unloading = hook == HookName::Reload;
                Ok(())
            }
        }
    }
}

impl Run {
    /// By what it is asked to end.
    fn signal_of(&self, spec: &Spec) -> Signal {
        if self.abort { Signal::ABRT } else { spec.stop.signal }
    }

    pub(crate) fn check_signal(&self, id: &ServiceId, signal: Option<Signal>, spec: &Spec) -> Checked {
        let expected = self.signal_of(spec);
        let otherwise = self.again || self.unclear;
        let right = |signal| signal == expected || otherwise && signal == spec.stop.signal;
        hold(signal.is_none_or(right), Invariant::EndedForCause, || {
            format!("{id} is sent {signal:?}, expected {expected}")
        })
    }

    /// Its process is asked to end, for the first time.
    pub(crate) fn asked_to_end(&mut self, now: Moment, id: &ServiceId, gently: bool, spec: &Spec) -> Checked {
        let kills = |signal| spec.stop.timeout.is_zero() || signal == Signal::KILL;
        let (no_time, may_have_none) = (kills(self.signal_of(spec)), kills(spec.stop.signal));
        hold(
            gently || no_time || may_have_none && self.again || self.kill_requested,
            Invariant::EndedForCause,
            || format!("{id} is killed without being asked first"),
        )?;
        hold(!gently || !no_time, Invariant::KilledInTime, || {
            format!("{id} has no time, and is not killed")
        })?;
        let kill_at = gently.then(|| now + spec.stop.timeout);
        self.ending = Some(Ending { preparing: false, kill_at, killed: !gently });
        Ok(())
    }

    /// And once more.
    pub(crate) fn asked_once_more(&mut self, now: Moment, id: &ServiceId, gently: bool) -> Checked {
        let Some(ending) = self.ending else { return Ok(()) };
        hold(!gently, Invariant::EndedForCause, || format!("{id} is signalled twice"))?;
        let due = ending.kill_at.is_some_and(|at| at <= now);
        hold(due && !ending.killed || self.kill_requested, Invariant::EndedForCause, || {
            format!("{id} is killed before its time")
        })?;
        self.ending = Some(Ending { preparing: false, kill_at: None, killed: true });
        Ok(())
    }
}

//! Looks at each command of the daemon against the books, in the order in which they are given, and writes it in.

use mainstay_decide::{Check, QuestionId};
use mainstay_model::{Moment, RunId, ServiceId, Signal, Spec};

use crate::{
    Invariant,
    book::{Book, Record},
    breach::{Checked, breach, hold},
    hands::{Act, Command},
    policy::{Next, ROUNDING},
    run::Run,
};

/// A run that begins.
pub(crate) struct Beginning<'a> {
    pub(crate) run: RunId,
    pub(crate) attempt: u32,
    pub(crate) spec: &'a Spec,
}

impl Book {
    /// Whether this command may be given now. `attempt` is what the daemon counts.
    pub(crate) fn command(&mut self, now: Moment, command: &Command, attempt: u32) -> Checked {
        let id = &command.id;
        match &command.act {
            Act::Spawn { run, attempt, spec, .. } => {
                self.spawn(now, id, &Beginning { run: *run, attempt: *attempt, spec })
            }
            Act::Signal { run, signal } => self.end(now, id, *run, Some(*signal)),
            Act::SignalMain { run, signal } => self.live_run(id, *run)?.signal_main(id, *signal),
            Act::Kill { run } => self.end(now, id, *run, None),
            Act::Pause { run } => self.live_run(id, *run)?.pause(id),
            Act::Resume { run } => self.resume(now, id, *run),
            Act::Ask { run, check, question, .. } => self.ask(now, id, *run, *check, *question),
            Act::RunHook { run, hook, spec } => {
                let beginning = Beginning { run: *run, attempt, spec };
                self.run_hook(now, id, *hook, &beginning)
            }
            Act::KillHook { run, hook } => self.kill_hook(now, id, *hook, *run),
            Act::Acknowledge { .. } | Act::Remember { .. } | Act::AcknowledgeHook { .. } => Ok(()),
            Act::Forget => self.forget(id),
        }
    }

    /// The live run of this number; a word to any other is a word to nobody.
    pub(crate) fn live_run(&mut self, id: &ServiceId, run: RunId) -> Result<&mut Run, crate::Breach> {
        let live = self.records.get_mut(id).and_then(|record| record.live.as_mut());
        live.filter(|live| live.run == run && live.over.is_none()).ok_or_else(|| {
            breach(Invariant::KnownRuns, format!("{id}: run {run} is not live, and told something"))
        })
    }

    fn spawn(&mut self, now: Moment, id: &ServiceId, beginning: &Beginning<'_>) -> Checked {
        let waits = |record: &Record| record.live.as_ref().is_some_and(|live| live.due.spawn);
        if !self.records.get(id).is_some_and(waits) {
            self.begin(now, id, beginning)?;
        }
        let Some(record) = self.records.get_mut(id) else { return Ok(()) };
        let Some(live) = record.live.as_mut().filter(|live| live.run == beginning.run) else {
            return Err(breach(Invariant::RunNumbersGrow, format!("{id} is spawned as another run")));
        };
        hold(*beginning.spec == record.spec, Invariant::LatestDescription, || {
            format!("{id} is made of an old one")
        })?;
        hold(live.attempt == beginning.attempt, Invariant::AttemptsInBounds, || {
            format!("{id}: attempt {}, expected {}", beginning.attempt, live.attempt)
        })?;
        let hooked = live.due.spawn || record.spec.hooks.before_start.is_none();
        hold(hooked, Invariant::HooksInPlace, || format!("{id} is made without its before_start"))?;
        live.due.spawn = false;
        live.spawned = true;
        live.limit = record.spec.watchdog;
        record.last_run = beginning.run;
        Ok(())
    }

    /// A new run begins, by its hook or by its process.
    pub(crate) fn begin(&mut self, now: Moment, id: &ServiceId, beginning: &Beginning<'_>) -> Checked {
        let Beginning { run, attempt, .. } = *beginning;
        if let Some(record) = self.records.get(id)
            && (record.next.allows_many() || record.check_next(now, id, attempt).is_err())
        {
            self.advance(&id.name);
        }
        let Some(record) = self.records.get(id).filter(|record| record.described) else {
            return Err(breach(Invariant::RemovedForgotten, format!("{id} begins and is not described")));
        };
        hold(record.wanted, Invariant::StopIsFinal, || format!("{id} begins and is not wanted"))?;
        let live = record.live.as_ref().map(|live| live.run);
        hold(live.is_none(), Invariant::OneLiveRun, || format!("{id} begins beside run {live:?}"))?;
        let highest = self.used_runs.get(id).copied().unwrap_or_default().max(record.last_run);
        hold(run > highest, Invariant::RunNumbersGrow, || format!("{id}: run {run} after {highest}"))?;
        if let Some(need) = self.unmet(record) {
            let text = format!("{id} begins before {} has reached {:?}", need.on, need.until);
            return Err(breach(Invariant::DependenciesFirst, text));
        }
        record.check_next(now, id, attempt)?;
        self.used_runs.insert(id.clone(), run);
        let calm = self.calm;
        if let Some(record) = self.records.get_mut(id) {
            record.begin(now, run, attempt, calm);
        }
        Ok(())
    }

    fn resume(&mut self, now: Moment, id: &ServiceId, run: RunId) -> Checked {
        let live = self.live_run(id, run)?;
        if std::mem::take(&mut live.due.thaw) {
            return Ok(());
        }
        hold(live.paused, Invariant::PausesKept, || format!("{id} is let go, and was not frozen"))?;
        live.paused = false;
        let asked = std::mem::take(&mut live.due.resume);
        // Else it is let go so that it can end.
        live.due.change = !asked;
        let Some(record) = self.records.get_mut(id).filter(|_| asked) else { return Ok(()) };
        if let Some(live) = &mut record.live {
            live.run_on(now, &record.spec);
        }
        Ok(())
    }

    fn ask(
        &mut self,
        now: Moment,
        id: &ServiceId,
        run: RunId,
        check: Check,
        question: QuestionId,
    ) -> Checked {
        self.live_run(id, run)?;
        let Some(record) = self.records.get_mut(id) else { return Ok(()) };
        let Some(live) = &mut record.live else { return Ok(()) };
        hold(!live.paused, Invariant::PausesKept, || format!("{id} is frozen, and asked"))?;
        let expected = match check {
            Check::Ready => live.is_asking(&record.spec),
            Check::Health => live.runs() && record.spec.health.is_some(),
        };
        hold(expected, Invariant::KnownRuns, || format!("{id}: run {run} is asked {check:?}"))?;
        hold(live.question.is_none(), Invariant::ChecksAsked, || {
            format!("{id}: run {run} is asked again before it has answered")
        })?;
        hold(question > live.latest_question, Invariant::ChecksAsked, || {
            format!("{id}: question {} comes after question {}", question.0, live.latest_question.0)
        })?;
        match check {
            Check::Ready => hold(live.refused_at.is_none_or(|at| at < now), Invariant::ChecksAsked, || {
                format!("{id}: run {run} is asked again in the moment in which it said no")
            })?,
            Check::Health => {
                let early = live.vitals.next.is_none_or(|(from, _)| now < from);
                hold(!early, Invariant::HealthCounted, || format!("{id} is asked for its health too early"))?;
                live.vitals.next = None;
            }
        }
        live.question = Some(question);
        live.latest_question = question;
        Ok(())
    }

    /// A signal, or a kill (`None`).
    fn end(&mut self, now: Moment, id: &ServiceId, run: RunId, signal: Option<Signal>) -> Checked {
        let live = self.live_run(id, run)?;
        hold(live.spawned, Invariant::KnownRuns, || format!("{id}: run {run} is signalled and not made"))?;
        hold(!live.paused || signal.is_none(), Invariant::PausesKept, || {
            format!("{id} is frozen, and asked to end")
        })?;
        let (first, preparing) = match live.ending {
            None => (true, false),
            Some(ending) => (false, ending.preparing),
        };
        if first {
            let asked = self.why_ended(now, id);
            self.end_first(now, id, true, &asked)?;
        }
        let Some(record) = self.records.get_mut(id) else { return Ok(()) };
        let Some(live) = &mut record.live else { return Ok(()) };
        let hook_over = live.beside.is_none() || live.kill_requested;
        hold(hook_over, Invariant::HooksInPlace, || format!("{id} is asked to end beside its before_stop"))?;
        live.check_signal(id, signal, &record.spec)?;
        if first || preparing {
            live.asked_to_end(now, id, signal.is_some(), &record.spec)
        } else {
            live.asked_once_more(now, id, signal.is_some())
        }
    }

    fn forget(&mut self, id: &ServiceId) -> Checked {
        let stays = |record: &Record| record.described || record.live.is_some();
        let stays = self.records.get(id).is_some_and(stays);
        hold(!stays, Invariant::RemovedForgotten, || format!("{id} is forgotten and still there"))?;
        self.records.remove(id);
        self.cut(id);
        Ok(())
    }
}

impl Run {
    fn signal_main(&mut self, id: &ServiceId, signal: Signal) -> Checked {
        let due = self.due.reload.take();
        hold(due == Some(signal) && self.runs(), Invariant::RequestsCarriedOut, || {
            format!("{id} is sent {signal}, and was to be sent {due:?}")
        })
    }

    fn pause(&mut self, id: &ServiceId) -> Checked {
        hold(std::mem::take(&mut self.due.pause), Invariant::PausesKept, || {
            format!("{id} is frozen, and nobody asked")
        })?;
        self.paused = true;
        self.question = None;
        Ok(())
    }
}

impl Record {
    /// Whether a run that begins now, as this restart in a row, is what its policy and the requests say.
    fn check_next(&self, now: Moment, id: &ServiceId, attempt: u32) -> Checked {
        let count = |is: bool| {
            let text = || format!("{id}: attempt {attempt}, expected {:?}", self.next);
            hold(is, Invariant::AttemptsInBounds, text)
        };
        match self.next {
            Next::Any => Ok(()),
            Next::Fresh => count(attempt == 0),
            Next::Barred | Next::Ended => {
                Err(breach(Invariant::PolicyKept, format!("{id} begins and nobody asked")))
            }
            Next::Restart { at, attempt: expected, or_fresh } => {
                count(attempt == expected || or_fresh && attempt == 0)?;
                hold(or_fresh || now + ROUNDING >= at, Invariant::BackoffInBounds, || {
                    format!("{id} is restarted {:?} too early", at.since(now))
                })
            }
        }
    }
}

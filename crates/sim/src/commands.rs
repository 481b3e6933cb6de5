//! Looks at each command of the daemon against the books, in the order in which they are given, and writes it in.

use mainstay_decide::QuestionId;
use mainstay_model::{Moment, RunId, ServiceId, Signal, Spec};

use crate::{
    Invariant,
    book::{Book, Ending, Record, Run},
    breach::{Checked, breach, hold},
    hands::{Act, Command},
    policy::{Next, ROUNDING},
};

impl Book {
    /// Whether this command may be given now.
    pub(crate) fn command(&mut self, now: Moment, command: &Command) -> Checked {
        let id = &command.id;
        match &command.act {
            Act::Spawn { run, attempt, spec, .. } => self.spawn(now, id, *run, *attempt, spec),
            Act::Signal { run, signal } => self.end(now, id, *run, Some(*signal)),
            Act::Kill { run } => self.end(now, id, *run, None),
            Act::Ask { run, question, .. } => self.ask(now, id, *run, *question),
            Act::Acknowledge { .. } => Ok(()),
            Act::Forget => self.forget(id),
        }
    }

    fn spawn(&mut self, now: Moment, id: &ServiceId, run: RunId, attempt: u32, spec: &Spec) -> Checked {
        let Some(record) = self.records.get(id).filter(|record| record.described) else {
            return Err(breach(Invariant::RemovedForgotten, format!("{id} is spawned and not described")));
        };
        hold(record.wanted, Invariant::StopIsFinal, || format!("{id} is spawned and not wanted"))?;
        let live = record.live.as_ref().map(|live| live.run);
        hold(live.is_none(), Invariant::OneLiveRun, || format!("{id} is spawned beside run {live:?}"))?;
        hold(*spec == record.spec, Invariant::LatestDescription, || format!("{id} is made of an old one"))?;
        let highest = self.used_runs.get(id).copied().unwrap_or_default().max(record.last_run);
        hold(run > highest, Invariant::RunNumbersGrow, || format!("{id}: run {run} after {highest}"))?;
        if let Some(need) = self.unmet(record) {
            let text = format!("{id} is spawned before {} has reached {:?}", need.on, need.until);
            return Err(breach(Invariant::DependenciesFirst, text));
        }
        record.check_next(now, id, attempt)?;
        self.used_runs.insert(id.clone(), run);
        let calm = self.calm;
        if let Some(record) = self.records.get_mut(id) {
            record.spawned(now, run, attempt, calm);
        }
        Ok(())
    }

    /// A signal, or a kill (`None`).
    fn end(&mut self, now: Moment, id: &ServiceId, run: RunId, signal: Option<Signal>) -> Checked {
        let dependents: Vec<String> = self.live_dependents(id).map(ToString::to_string).collect();
        let lost = self.records.get(id).is_some_and(|record| self.lost_a_need(record));
        let Some(record) = self.records.get_mut(id) else {
            return Err(breach(Invariant::KnownRuns, format!("{id} is signalled and does not exist")));
        };
        let Some(live) = record.live.as_mut().filter(|live| live.run == run) else {
            return Err(breach(Invariant::KnownRuns, format!("{id}: run {run} is signalled and not live")));
        };
        let expected = record.spec.stop.signal;
        hold(signal.is_none_or(|signal| signal == expected), Invariant::EndedForCause, || {
            format!("{id} is sent {signal:?} and its description says {expected}")
        })?;
        match live.ending {
            None => {
                let overdue = live.deadline(&record.spec).is_some_and(|at| at <= now);
                let asked = Asked { wanted: record.wanted, overdue, lost, dependents };
                live.end_first(id, now, signal.is_some(), &asked, &record.spec)
            }
            Some(ending) => live.end_more(id, now, signal.is_some(), ending),
        }
    }

    /// Whether something whose loss restarts it is not as it must be.
    fn lost_a_need(&self, record: &Record) -> bool {
        let holds = |on: &ServiceId, until| self.records.get(on).is_some_and(|on| on.meets(until));
        record.needs.iter().any(|need| need.restart && !holds(&need.on, need.until))
    }

    fn ask(&mut self, now: Moment, id: &ServiceId, run: RunId, question: QuestionId) -> Checked {
        let record = self.records.get_mut(id);
        let asking = |record: &&mut Record| {
            record.live.as_ref().is_some_and(|live| live.run == run && live.is_asking(&record.spec))
        };
        let Some(record) = record.filter(asking) else {
            return Err(breach(
                Invariant::KnownRuns,
                format!("{id}: run {run} is asked and not being asked"),
            ));
        };
        let Some(live) = &mut record.live else { return Ok(()) };
        hold(live.question.is_none(), Invariant::ChecksAsked, || {
            format!("{id}: run {run} is asked again before it has answered")
        })?;
        hold(live.refused_at.is_none_or(|at| at < now), Invariant::ChecksAsked, || {
            format!("{id}: run {run} is asked again in the moment in which it said no")
        })?;
        hold(question > live.latest_question, Invariant::ChecksAsked, || {
            format!("{id}: question {} comes after question {}", question.0, live.latest_question.0)
        })?;
        live.question = Some(question);
        live.latest_question = question;
        Ok(())
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

/// Why a run may be asked to end.
struct Asked {
    wanted: bool,
    overdue: bool,
    lost: bool,
    dependents: Vec<String>,
}

impl Run {
    /// The first word that asks it to end.
    fn end_first(
        &mut self,
        id: &ServiceId,
        now: Moment,
        gently: bool,
        asked: &Asked,
        spec: &Spec,
    ) -> Checked {
        let held = !asked.wanted && !self.kill_requested && !asked.overdue;
        hold(!held || asked.dependents.is_empty(), Invariant::DependentsFirst, || {
            format!("{id} is stopped while {} live", asked.dependents.join(", "))
        })?;
        if asked.wanted && !self.again {
            hold(asked.overdue || asked.lost, Invariant::EndedForCause, || {
                format!("{id} is wanted, and asked to end")
            })?;
            self.timed_out = asked.overdue;
            self.again = !asked.overdue;
        }
        let no_time = spec.stop.timeout.is_zero() || spec.stop.signal == Signal::KILL;
        hold(gently || no_time || self.kill_requested, Invariant::EndedForCause, || {
            format!("{id} is killed without being asked first")
        })?;
        hold(!gently || !no_time, Invariant::KilledInTime, || {
            format!("{id} has no time, and is not killed")
        })?;
        self.ending = Some(Ending { kill_at: gently.then(|| now + spec.stop.timeout), killed: !gently });
        self.question = None;
        Ok(())
    }

    /// One more.
    fn end_more(&mut self, id: &ServiceId, now: Moment, gently: bool, ending: Ending) -> Checked {
        hold(!gently, Invariant::EndedForCause, || format!("{id} is signalled twice"))?;
        let due = ending.kill_at.is_some_and(|at| at <= now);
        hold(due && !ending.killed || self.kill_requested, Invariant::EndedForCause, || {
            format!("{id} is killed before its time")
        })?;
        self.ending = Some(Ending { kill_at: None, killed: true });
        Ok(())
    }
}

impl Record {
    /// Whether a spawn now, as this restart in a row, is what its policy and the requests say.
    fn check_next(&self, now: Moment, id: &ServiceId, attempt: u32) -> Checked {
        let count = |is: bool| {
            let text = || format!("{id}: attempt {attempt}, expected {:?}", self.next);
            hold(is, Invariant::AttemptsInBounds, text)
        };
        match self.next {
            Next::Any => Ok(()),
            Next::Fresh => count(attempt == 0),
            Next::Barred => Err(breach(Invariant::PolicyKept, format!("{id} is spawned and nobody asked"))),
            Next::Restart { at, attempt: expected, or_fresh } => {
                count(attempt == expected || or_fresh && attempt == 0)?;
                hold(or_fresh || now + ROUNDING >= at, Invariant::BackoffInBounds, || {
                    format!("{id} is restarted {:?} too early", at.since(now))
                })
            }
        }
    }
}

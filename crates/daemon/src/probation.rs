//! A generation on probation: what was well before it is watched until its time is over, and when something of that is not well
//! any more, the generation before comes back. It decides nothing: `decide` judges.
//!
//! It is part of what is on disk, so that a daemon that comes later goes on with it. Whoever waits for what becomes of it is
//! answered from the list of generations, where that is kept.

use std::{collections::BTreeSet, time::Duration};

use jiff::{SignedDuration, Timestamp};
use mainstay_decide::{Change, Probation, Project, Verdict};
use mainstay_model::{Moment, Reason, ServiceId, Spec, span_text};
use mainstay_wire::{Answer, AppliedProbation, ErrorCode, ProbationVerdict, ProbationView, WireError};

use crate::{
    brain::Brain,
    clock,
    generations::{Generations, Judged},
    request,
    state::Recorded,
};

/// How long a daemon that comes after one that died waits beyond the end of a probation for what it has to ask again before
/// it knows.
const ASKING_AGAIN: Duration = Duration::from_secs(10);

/// A generation that is being watched.
#[derive(Debug)]
pub(crate) struct Watched {
    /// The generation to go back to.
    previous: u64,
    /// Which.
    generation: u64,
    /// Until when, for people and for a daemon that comes later.
    until: Timestamp,
    span: Duration,
    probation: Probation,
    /// Until then what is not well at the end may still be asked.
    patience: Moment,
    /// What broke it, and how.
    heard: Option<(ServiceId, String)>,
    /// Whether something has changed since it was last judged.
    stirred: bool,
}

impl Watched {
    /// One that begins now, before `specs` are applied.
    pub(crate) fn begin(
        project: &Project,
        previous: u64,
        generation: u64,
        span: Duration,
        specs: &[Spec],
    ) -> Self {
        let until = clock::now() + span;
        let described: BTreeSet<ServiceId> = specs.iter().map(|spec| spec.id.clone()).collect();
        Self {
            previous,
            generation,
            until: Timestamp::now().checked_add(span).unwrap_or(Timestamp::MAX),
            span,
            probation: Probation::begin(project, until, &described),
            patience: until,
            heard: None,
            stirred: true,
        }
    }

    /// One that an earlier daemon began. A wall clock that was set back does not make it longer.
    pub(crate) fn recall(recorded: &Recorded) -> Option<Self> {
        let AppliedProbation { previous, until, span_ms, well } = recorded.probation.as_ref()?;
        let (now, wall) = (clock::now(), Timestamp::now());
        let span = Duration::from_millis(*span_ms);
        let until: Timestamp = until.parse().unwrap_or(wall);
        let left = until.duration_since(wall).max(SignedDuration::ZERO).unsigned_abs().min(span);
        let well = well.iter().filter_map(|id| id.parse().ok()).collect();
        Some(Self {
            previous: *previous,
            generation: recorded.generation,
            until,
            span,
            probation: Probation::recall(now + left, well),
            patience: now + left.max(ASKING_AGAIN),
            heard: None,
            stirred: true,
        })
    }

    /// For whoever comes later.
    pub(crate) fn to_record(&self) -> AppliedProbation {
        AppliedProbation {
            previous: self.previous,
            until: self.until.to_string(),
            span_ms: u64::try_from(self.span.as_millis()).unwrap_or(u64::MAX),
            well: self.probation.well().iter().map(ToString::to_string).collect(),
        }
    }

    /// For a client.
    pub(crate) fn view(&self) -> ProbationView {
        ProbationView { generation: self.generation, until: format!("{:.3}", self.until) }
    }

    /// A service has changed.
    pub(crate) fn hear(&mut self, change: &Change) {
        self.stirred = true;
        if let Verdict::Broken { by } = self.probation.heard(change) {
            let ended = change.exit.map(Reason::Exited);
            let cause = ended.unwrap_or_else(|| root(&change.reason).clone());
            let sentence = format!("{by} failed: {}", cause.sentence(clock::now()));
            self.heard.get_or_insert((by, sentence));
        }
    }

    /// When it is to be judged, if nothing happens sooner.
    fn wake_at(&self, now: Moment) -> Moment {
        match (&self.heard, self.stirred) {
            (Some(_), _) | (None, true) => now,
            (None, false) if now < self.probation.until => self.probation.until,
            (None, false) => self.patience,
        }
    }

    /// How it stands; in words, what broke it.
    fn judge(&mut self, project: &Project, now: Moment) -> Judgement {
        if let Some((_, sentence)) = &self.heard {
            return Judgement::Broken(sentence.clone());
        }
        if !std::mem::take(&mut self.stirred) && now < self.wake_at(now) {
            return Judgement::Open;
        }
        let is_kept = self.probation.judge(project, now) == Verdict::Kept;
        let late = Probation::recall(self.patience, self.probation.well().clone());
        match late.judge(project, now) {
            Verdict::Broken { by } => {
                let status = project.status(&by);
                let how = status.map(|status| format!("{}: {}", status.phase, status.reason.sentence(now)));
                Judgement::Broken(format!("{by} is not well any more: {}", how.unwrap_or_default()))
            }
            Verdict::Open | Verdict::Kept if is_kept => Judgement::Kept,
            Verdict::Open | Verdict::Kept => Judgement::Open,
        }
    }
}

enum Judgement {
    Open,
    Kept,
    Broken(String),
}

/// What a reason that tells of a next attempt is about: there is none if it is taken back.
fn root(reason: &Reason) -> &Reason {
    match reason {
        Reason::Backoff { cause, .. } | Reason::GaveUp { cause, .. } => root(cause),
        other => other,
    }
}

/// When the loop is to be woken for a probation.
pub(crate) fn wake_at(brain: &Brain) -> Option<Moment> {
    brain.watched.as_ref().map(|watched| watched.wake_at(clock::now()))
}

/// Judges what is on probation, and does what follows.
pub(crate) fn attend(brain: &mut Brain, now: Moment) {
    let Some(watched) = &mut brain.watched else { return };
    if brain.going_down {
        return replace(brain, None, "everything was stopped");
    }
    match watched.judge(brain.runner.project(), now) {
        Judgement::Open => {}
        Judgement::Kept => {
            let text = format!("kept: what was well is so after {}", span_text(watched.span));
            close(brain, ProbationVerdict::Kept, "probation-kept", text);
            forget(brain);
        }
        Judgement::Broken(sentence) => {
            let previous = watched.previous;
            take_back(brain, previous, &sentence);
        }
    }
}

fn take_back(brain: &mut Brain, previous: u64, sentence: &str) {
    let text = format!("taken back: {sentence}");
    close(brain, ProbationVerdict::TakenBack, "taken-back", text.clone());
    if let Err(error) = request::take_back(brain, previous, text) {
        let text = format!("generation {previous} cannot be gone back to: {error}");
        tell(brain, "taken-back", &text);
        forget(brain);
    }
    brain.tell_services();
}

/// Another one, or none, is on probation from now on: what was on it until now has no verdict.
pub(crate) fn replace(brain: &mut Brain, watched: Option<Watched>, why: &str) {
    if brain.watched.is_some() {
        close(brain, ProbationVerdict::Ended, "probation-ended", format!("ended before its time: {why}"));
        brain.recorded.probation = watched.as_ref().map(Watched::to_record);
    }
    brain.watched = watched;
}

/// Ends it, and says so.
fn close(brain: &mut Brain, verdict: ProbationVerdict, code: &'static str, text: String) {
    let Some(watched) = brain.watched.take() else { return };
    let number = watched.generation;
    tell(brain, code, &format!("the probation of generation {number} is over: {text}"));
    brain.generations.judged(number, Judged { verdict, text });
}

/// What is on disk says no more of it. If that cannot be written, a later daemon judges once more.
fn forget(brain: &mut Brain) {
    let recorded = Recorded { probation: None, ..brain.recorded.clone() };
    if let Err(error) = brain.record(recorded) {
        tracing::error!("{error}");
        brain.recorded.probation = None;
    }
    brain.tell_services();
}

/// Says it to everybody.
fn tell(brain: &mut Brain, code: &'static str, text: &str) {
    tracing::info!("{text}");
    brain.history.note(code, text.to_owned(), None);
    let (time, code) = (clock::wall(clock::now()), code.to_owned());
    brain.followers.tell(&Answer::Note { time, code, text: text.to_owned() });
}

/// Answers those whose wait is over.
pub(crate) fn answer_verdicts(brain: &mut Brain, now: Moment) {
    let open = brain.watched.as_ref().map(|watched| watched.generation);
    let current = brain.recorded.generation;
    for waiter in brain.verdicts.take_over(now, |generation| open != Some(generation)) {
        let generation = waiter.number;
        let result = if open == Some(generation) {
            let (verdict, text) = (ProbationVerdict::Open, "it lasts".to_owned());
            Ok(Answer::Verdict { verdict, text, generation: current })
        } else {
            judged(&brain.generations, generation, current)
        };
        // A client that left in this moment needs no answer.
        let _ = waiter.reply.send(result.into());
    }
}

fn judged(generations: &Generations, number: u64, current: u64) -> Result<Answer, WireError> {
    let known = generations
        .get(number)
        .ok_or_else(|| WireError::new(ErrorCode::Failed, format!("there is no generation {number}")))?;
    let (verdict, text) = match &known.verdict {
        Some(Judged { verdict, text }) => (*verdict, text.clone()),
        None => (ProbationVerdict::Ended, "it is not being watched".to_owned()),
    };
    Ok(Answer::Verdict { verdict, text, generation: current })
}

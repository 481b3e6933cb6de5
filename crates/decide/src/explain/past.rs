//! What happened before, as far as it explains what is: failures in a row, who asked for what, and which apply came before.

use std::time::Duration;

use mainstay_model::{Exit, PhaseName, RunId, ServiceId};

use super::{Link, Situation, words};
use crate::select::glob_matches;

/// What happened to a service. Each list has the newest last, and may begin anywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// Its changes.
    pub changes: Vec<PastChange>,
    /// The applies that changed it.
    pub applies: Vec<PastApply>,
}

/// A change of a service. Times are counted from the Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastChange {
    /// When.
    pub at: Duration,
    /// What it then did.
    pub to: PhaseName,
    /// Its run.
    pub run: RunId,
    /// Whether it was wanted up.
    pub wanted: bool,
    /// Whether something failed by it.
    pub failed: bool,
    /// How the run ended that ended by it.
    pub exit: Option<Exit>,
    /// The code of the reason.
    pub code: String,
    /// Its sentence.
    pub text: String,
}

/// Something that somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastAct {
    /// When, from the Unix epoch.
    pub at: Duration,
    /// In words: `stop api web`, `down`.
    pub text: String,
    /// Who.
    pub by: Option<Asker>,
}

/// Who asked for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    /// The user's number.
    pub uid: u32,
    /// The user's name, when it is known.
    pub name: Option<String>,
    /// The process.
    pub pid: Option<i32>,
}

/// An apply that changed a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastApply {
    /// When, from the Unix epoch.
    pub at: Duration,
    /// The generation that it made.
    pub generation: u64,
    /// The one before it.
    pub before: Option<u64>,
    /// Who.
    pub by: Option<Asker>,
    /// The settings of the service that it changed: `command`; none when it added the service.
    pub settings: Vec<String>,
}

/// How a request is about a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Concern {
    /// It, or all, was named.
    Itself,
    /// What it needs was named.
    Through(ServiceId),
    /// Everything.
    Project,
}

impl PastAct {
    /// `stop` of `stop api web`.
    pub(super) fn verb(&self) -> &str {
        self.text.split_whitespace().next().unwrap_or_default()
    }

    /// Who, in words.
    pub(super) fn by(&self) -> Option<String> {
        self.by.as_ref().map(Asker::text)
    }

    /// As a link of a chain.
    pub(super) fn link(&self) -> Link {
        let by = self.by().unwrap_or_else(|| "somebody".to_owned());
        let text = format!("{by} asked for `{}`", self.text);
        Link { service: None, phase: None, code: None, text, at: Some(self.at) }
    }

    /// Whether it is about a service that needs these.
    fn concern(&self, id: &ServiceId, needs: &[ServiceId]) -> Option<Concern> {
        if self.verb() == "down" {
            return Some(Concern::Project);
        }
        let means = |pattern: &str, id: &ServiceId| {
            pattern == "all"
                || glob_matches(pattern, id.name.as_str())
                || glob_matches(pattern, &id.to_string())
        };
        let patterns: Vec<&str> = self.text.split_whitespace().skip(1).collect();
        let named = |id: &&ServiceId| patterns.iter().any(|pattern| means(pattern, id));
        if named(&id) {
            return Some(Concern::Itself);
        }
        needs.iter().find(named).cloned().map(Concern::Through)
    }
}

/// The latest request of one of these verbs for this service, until then.
pub(super) fn request<'a>(
    acts: &'a [PastAct],
    verbs: &[&str],
    situation: &Situation,
    until: Duration,
) -> Option<(&'a PastAct, Concern)> {
    let before = acts.iter().rev().filter(|act| act.at <= until && verbs.contains(&act.verb()));
    before.filter_map(|act| Some((act, act.concern(&situation.status.id, &situation.needs)?))).next()
}

impl Past {
    /// When this run began.
    pub(super) fn start_of(&self, run: RunId) -> Option<Duration> {
        start_of(&self.changes, run)
    }

    /// The latest failure, whatever came after it.
    pub(super) fn last_failure(&self) -> Option<&PastChange> {
        self.changes.iter().rev().find(|change| change.failed)
    }

    /// The file whose change ended the run before this one, and when it did.
    pub(super) fn file_before(&self, run: RunId) -> Option<(&PastChange, &str)> {
        let ended = |change: &&PastChange| change.to == PhaseName::Stopping && change.run.0 + 1 == run.0;
        let file = |change| changed_file(change).map(|file| (change, file));
        self.changes.iter().rev().filter(ended).find_map(file)
    }

    /// The apply that may have caused this row of failures: the latest one that changed the service before them, when no
    /// run has been well since.
    pub(super) fn blamed(&self, streak: &Streak<'_>, reset_after: Duration) -> Option<&PastApply> {
        let apply = self.applies.iter().rev().find(|apply| apply.at <= streak.first)?;
        let begun = match streak.first_start {
            Some(start) if start >= apply.at => {
                let was_made = |change: &&PastChange| {
                    change.to == PhaseName::Starting && change.at >= apply.at && change.run < streak.first_run
                };
                if self.changes.iter().any(|change| was_made(&change)) {
                    return None;
                }
                start
            }
            Some(_) | None => apply.at,
        };
        (streak.first.saturating_sub(begun) < reset_after).then_some(apply)
    }
}

/// Failures in a row, with no run between them that was well.
#[derive(Clone, Debug)]
pub(super) struct Streak<'a> {
    /// How many.
    pub(super) failures: u64,
    /// Whether there were more, which are not known any more.
    pub(super) is_cut: bool,
    /// When the first one was.
    pub(super) first: Duration,
    /// Which run that was.
    first_run: RunId,
    /// When that began.
    first_start: Option<Duration>,
    /// The last one.
    pub(super) last: &'a PastChange,
    /// Whether all runs ended in the same way.
    pub(super) are_alike: bool,
}

impl<'a> Streak<'a> {
    /// The row that ends with the latest failure, unless something came after it that ends a row.
    pub(super) fn of(changes: &'a [PastChange], reset_after: Duration) -> Option<Self> {
        let mut streak: Option<Self> = None;
        let mut is_whole = false;
        for (at, change) in changes.iter().enumerate().rev() {
            if change.to == PhaseName::Completed || !change.wanted {
                is_whole = true;
                break;
            }
            if !change.failed {
                continue;
            }
            let run = failed_run(change);
            let start = start_of(&changes[..at], run);
            let one = streak.get_or_insert(Self {
                failures: 0,
                is_cut: false,
                first: change.at,
                first_run: run,
                first_start: start,
                last: change,
                are_alike: true,
            });
            one.failures += 1;
            one.are_alike &= how(one.last) == how(change);
            (one.first, one.first_run, one.first_start) = (change.at, run, start);
            // That run was well, and only its end was not.
            if start.is_some_and(|start| change.at.saturating_sub(start) >= reset_after) {
                is_whole = true;
                break;
            }
        }
        let first_known = changes.first().map_or(PhaseName::Stopped, |change| change.to);
        // What begins with a start begins with the first one.
        let is_whole = is_whole || first_known == PhaseName::Starting;
        streak.map(|streak| Self { is_cut: !is_whole, ..streak })
    }
}

/// With a delay of nothing, the change by which a run fails is the start of the next.
fn failed_run(change: &PastChange) -> RunId {
    match change.to {
        PhaseName::Starting => RunId(change.run.0.saturating_sub(1)),
        _ => change.run,
    }
}

fn start_of(changes: &[PastChange], run: RunId) -> Option<Duration> {
    let starts = |change: &&PastChange| change.run == run && change.to == PhaseName::Starting;
    changes.iter().find(starts).map(|change| change.at)
}

/// How a run ended; with what was wrong, where it did not end by itself.
fn how(change: &PastChange) -> (Option<Exit>, &str) {
    let cause = cause_in(&change.text);
    match change.exit {
        // Its exit is that of the stop that followed.
        Some(exit) if !cause.starts_with("exited") && !cause.starts_with("ended by") => {
            (Some(exit), first_word(cause))
        }
        exit => (exit, ""),
    }
}

/// Answers differ from one time to the next (`refused for 3 s`); what was wrong does not.
fn first_word(text: &str) -> &str {
    text.split(':').next().unwrap_or_default()
}

/// What was wrong, from the sentence of a backoff or of one that gave up.
pub(super) fn cause_in(text: &str) -> &str {
    let text = match text.strip_prefix("gave up after ") {
        Some(rest) => rest.split_once(": ").map_or(rest, |(_, cause)| cause),
        None => text,
    };
    let end = text.find("; restart ").or_else(|| text.find("; it is not restarted")).unwrap_or(text.len());
    &text[..end]
}

/// The file, from the sentence of a stop that its change caused: `src/main.rs changed; sent TERM, kill follows in 10 s`.
fn changed_file(change: &PastChange) -> Option<&str> {
    change.text.split_once("; sent ")?.0.strip_suffix(" changed")
}

impl PastApply {
    /// `generation 41 changed db.command`.
    pub(super) fn clause(&self, id: &ServiceId) -> String {
        let names: Vec<String> =
            self.settings.iter().map(|setting| format!("{}.{setting}", id.name)).collect();
        match names.is_empty() {
            true => format!("generation {} added {}", self.generation, id.name),
            false => format!("generation {} changed {}", self.generation, words::list_few(&names, 3)),
        }
    }

    /// As a link of a chain.
    pub(super) fn link(&self, id: &ServiceId) -> Link {
        let by = self.by.as_ref().map(|by| format!(", applied by {}", by.text()));
        let text = format!("{}{}", self.clause(id), by.unwrap_or_default());
        Link { service: None, phase: None, code: None, text, at: Some(self.at) }
    }
}

//! What is said of one service: a predicate that reads well behind its name and behind "which", and the links of the chain.

use std::time::Duration;

use mainstay_model::{Condition, Exit, HookName, Kind, Moment, Reason, span_text};

use super::{
    Link, Reading, Situation,
    past::{Past, cause_in},
};

/// One service, what happened to it, and when that is read.
#[derive(Clone, Copy)]
pub(super) struct Told<'a> {
    pub(super) it: &'a Situation,
    pub(super) past: &'a Past,
    pub(super) reading: &'a Reading<'a>,
}

impl Told<'_> {
    /// What it is or does, and why, without its name.
    pub(super) fn predicate(&self) -> String {
        let since = self.since();
        match &self.reason() {
            Reason::NeverStarted => "is stopped because nobody has started it".to_owned(),
            Reason::StopRequested => format!("was {}", self.requested("stopped", "at", &["stop", "down"])),
            Reason::KillRequested => format!("was {}", self.requested("killed", "at", &["kill", "down"])),
            Reason::ResetRequested => self.reset(),
            Reason::Dependency { on, until, .. } => format!("is waiting for {on} to {}", until.infinitive()),
            Reason::Spawning { .. } => match self.earlier_failures() {
                Some(failures) => format!("is being started again after {failures}"),
                None => "is being started".to_owned(),
            },
            Reason::NotReady { check, answer, .. } => self.not_ready(check, answer.as_deref()),
            Reason::Running | Reason::Ready { .. } => self.running(),
            Reason::Failing { check, answer, failures: 0, .. } => {
                format!("has been running since {since} and is not well yet: {check} {answer}")
            }
            Reason::Failing { check, answer, failures, limit } => format!(
                "has been running since {since}, but {check} {answer} ({failures} of {limit} failures in a row)"
            ),
            Reason::Reloading => {
                format!("has been running since {since} and is reading its configuration again")
            }
            Reason::EndingItself => "says that it is about to end".to_owned(),
            Reason::Paused => format!("was {}", self.requested("paused", "at", &["pause"])),
            Reason::Hook { hook: hook @ (HookName::BeforeStop | HookName::AfterStop) } => {
                self.hook_of_stop(*hook)
            }
            Reason::Hook { hook } => format!("{} waits for its {hook} hook to end", self.starting()),
            Reason::Needed { by } => self.needed(by),
            Reason::Stopping { cause, .. } => self.stopping(cause),
            Reason::Killing { cause } => format!("{} and was sent KILL", self.stopping(cause)),
            Reason::Ended { exit, policy } => format!(
                "ended with {exit} at {since} and is not started again because its restart policy is {}",
                policy.as_str()
            ),
            Reason::Completed { exit } => self.completed(*exit),
            Reason::Backoff { cause, .. } => self.failed(cause, ""),
            Reason::GaveUp { cause, attempts } => self.given_up(cause, *attempts),
            Reason::UnknownOutcome { .. } => format!(
                "ended at {since} while nobody could see how, and is not run again by itself because that could do \
                 its work twice"
            ),
            Reason::Changed => format!("was stopped at {since} because {}", self.because(&Reason::Changed)),
            Reason::Removed => "is being removed because it is no longer in the files".to_owned(),
            other => format!("is {}: {}", self.it.status.phase, other.sentence(self.reading.now)),
        }
    }

    /// What comes next by itself, to stand behind the sentence. In a sentence about several services it is named.
    pub(super) fn ending(&self, of_several: bool) -> Option<String> {
        let id = &self.it.status.id;
        let subject = if of_several { id.to_string() } else { "it".to_owned() };
        let left = self.it.deadline.map(|deadline| self.left(deadline));
        match (self.reason(), left) {
            (Reason::Backoff { until, .. }, _) => Some(format!("next try in {}", self.left(until))),
            (Reason::NotReady { check, .. }, Some(left)) if is_time(&check) => {
                Some(format!("{subject} is ready in {left}"))
            }
            (Reason::NotReady { .. }, Some(left)) => Some(format!("{subject} has {left} left for that")),
            (Reason::Hook { .. }, Some(left)) => Some(format!("the hook has {left} left")),
            (Reason::Stopping { .. }, Some(left)) => {
                Some(format!("what is left of {subject} is killed in {left}"))
            }
            (Reason::Failing { failures: failures @ 1.., limit, .. }, _) => {
                let more = limit.saturating_sub(failures);
                Some(match more {
                    1 => "one more failure restarts it".to_owned(),
                    more => format!("{more} more failures restart it"),
                })
            }
            (Reason::Running | Reason::Ready { .. }, _) if !of_several => self.restarted(),
            (Reason::Paused, _) if of_several => {
                Some(format!("nothing but `mainstay resume {id}` lets {id} go on"))
            }
            (
                Reason::NeverStarted
                | Reason::StopRequested
                | Reason::KillRequested
                | Reason::ResetRequested
                | Reason::GaveUp { .. }
                | Reason::UnknownOutcome { .. }
                | Reason::Ended { .. }
                | Reason::Completed { .. },
                _,
            ) if of_several => Some(format!("nothing starts {id} by itself")),
            _ => None,
        }
    }

    /// How it is, and what of the past explains that.
    pub(super) fn links(&self) -> Vec<Link> {
        let status = &self.it.status;
        let own = Link {
            service: Some(status.id.clone()),
            phase: Some(status.phase),
            code: Some(status.reason.code().to_owned()),
            text: self.reason().sentence(self.reading.now),
            at: Some(self.wall(status.since)),
        };
        let mut links = vec![own];
        links.extend(self.failures_link());
        links.extend(self.request_link());
        links.extend(self.log_link());
        links
    }

    /// The reason, also that of an earlier daemon, as far as its code tells what it was.
    pub(super) fn reason(&self) -> Reason {
        let status = &self.it.status;
        let Reason::Recalled { code, text } = &status.reason else { return status.reason.clone() };
        let exit = status.exit.unwrap_or(Exit::Unknown);
        let cause = || {
            let words = cause_in(text);
            let exited = Reason::Exited(exit);
            Box::new(match exited.sentence(self.reading.now) == words {
                true => exited,
                false => Reason::Recalled { code: String::new(), text: words.to_owned() },
            })
        };
        match code.as_str() {
            "never-started" => Reason::NeverStarted,
            "stop-requested" => Reason::StopRequested,
            "kill-requested" => Reason::KillRequested,
            "reset-requested" => Reason::ResetRequested,
            "running" | "ready" => Reason::Running,
            "paused" => Reason::Paused,
            "changed" => Reason::Changed,
            "removed" => Reason::Removed,
            "completed" => Reason::Completed { exit },
            "ended" => Reason::Ended { exit, policy: self.it.policy },
            "outcome-unknown" => Reason::UnknownOutcome { kind: Kind::Oneshot },
            "gave-up" => Reason::GaveUp { cause: cause(), attempts: self.it.attempt },
            "backoff" => Reason::Backoff {
                cause: cause(),
                until: self.it.deadline.or(status.next).unwrap_or(self.reading.now),
                attempt: self.it.attempt,
                attempts: self.it.attempts,
            },
            _ => status.reason.clone(),
        }
    }

    /// What it has not reached, although it runs.
    pub(super) fn unmet(&self) -> Option<&'static str> {
        let status = &self.it.status;
        match self.it.awaited? {
            Condition::Healthy => Some("has not been found healthy yet"),
            Condition::Completed => Some("has not completed yet"),
            Condition::Ready if !status.ready && status.kind == Kind::Oneshot => {
                Some("has not completed yet")
            }
            Condition::Ready | Condition::Started => None,
        }
    }

    /// When its phase began, as the reader's clock showed it.
    pub(super) fn since(&self) -> String {
        self.clock(self.wall(self.it.status.since))
    }

    pub(super) fn clock(&self, time: Duration) -> String {
        (self.reading.clock)(time)
    }

    /// A moment, from the Unix epoch.
    pub(super) fn wall(&self, moment: Moment) -> Duration {
        let Reading { now, wall, .. } = self.reading;
        (*wall + moment.since(*now)).saturating_sub(now.since(moment))
    }

    /// How long it is until then; the begun second counts.
    pub(super) fn left(&self, until: Moment) -> String {
        let left = until.since(self.reading.now);
        let begun = u64::from(left.subsec_nanos() > 0);
        match left.as_secs() + begun {
            0 => "a moment".to_owned(),
            seconds => span_text(Duration::from_secs(seconds)),
        }
    }
}

/// Whether this check is only time (`2 s after its start`).
pub(super) fn is_time(check: &str) -> bool {
    check.ends_with(" after its start")
}

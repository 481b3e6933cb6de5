//! What is said of a service that does not run any more or is about to end, and who asked for that.

use mainstay_model::{Exit, HookName, PhaseName, Reason, ServiceId, span_text};

use super::{
    Link,
    failing::RESTARTS,
    past::{Concern, PastAct, request},
    predicate::Told,
    words,
};

/// How many of those that need it are named.
const NEEDED_BY: usize = 4;

impl Told<'_> {
    /// `stopped by root (pid 42) at 10:02`, `stopped at 10:02 because root (pid 42) stopped db, which it needs`.
    pub(super) fn requested(&self, done: &str, at: &str, verbs: &[&str]) -> String {
        let since = format!("{at} {}", self.since());
        let Some((act, concern)) = self.request(verbs) else {
            return format!("{done} on request {since}");
        };
        let by = act.by();
        match (by, concern) {
            (Some(by), Concern::Itself) => format!("{done} by {by} {since}"),
            (Some(by), Concern::Through(on)) => {
                format!("{done} {since} because {by} {done} {on}, which it needs")
            }
            (Some(by), Concern::Project) => {
                format!("{done} {since} because {by} brought the project down")
            }
            (None, _) => format!("{done} on request {since}"),
        }
    }

    /// The latest one before its phase began.
    fn request(&self, verbs: &[&str]) -> Option<(&PastAct, Concern)> {
        request(self.reading.acts, verbs, self.it, self.wall(self.it.status.since))
    }

    pub(super) fn reset(&self) -> String {
        let since = self.since();
        let by = self.request(&["resetfailed", "reset-failed"]).and_then(|(act, _)| act.by());
        match by {
            Some(by) => format!("is stopped because {by} took its failure back at {since}"),
            None => format!("is stopped because its failure was taken back at {since}"),
        }
    }

    pub(super) fn needed(&self, by: &[ServiceId]) -> String {
        let names: Vec<String> = by.iter().map(ToString::to_string).collect();
        let (names, need, have) = match names.len() {
            1 => (words::list(&names), "needs", "has"),
            _ => (words::list_few(&names, NEEDED_BY), "need", "have"),
        };
        // It runs since long before somebody asked for its end.
        let asked = request(self.reading.acts, &["stop", "down"], self.it, self.reading.wall);
        let asked = match asked.and_then(|(act, _)| Some((act.by()?, self.clock(act.at)))) {
            Some((by, at)) => format!("was asked to stop by {by} at {at}"),
            None => "was asked to stop".to_owned(),
        };
        match names.is_empty() {
            true => format!("{asked} and goes on until nothing needs it any more"),
            false => format!("{asked} and goes on until {names}, which {need} it, {have} ended"),
        }
    }

    pub(super) fn stopping(&self, cause: &Reason) -> String {
        let again = self.it.stop.as_ref().is_some_and(|(_, again)| *again);
        match cause {
            Reason::StopRequested => {
                format!("is being {}", self.requested("stopped", "since", &["stop", "down"]))
            }
            Reason::KillRequested => {
                format!("is being {}", self.requested("killed", "since", &["kill", "down"]))
            }
            Reason::Removed => "is being removed because it is no longer in the files".to_owned(),
            other if again => format!("is being restarted because {}", self.because(other)),
            other => format!("is being ended because {}", self.because(other)),
        }
    }

    pub(super) fn hook_of_stop(&self, hook: HookName) -> String {
        let cause = self.it.stop.as_ref().map(|(cause, _)| cause);
        match (hook, cause) {
            (HookName::BeforeStop, Some(cause)) => {
                format!("{} and waits for its {hook} hook to end", self.stopping(cause))
            }
            (_, Some(cause @ Reason::Exited(_))) => {
                format!("{} and waits for its {hook} hook to end", cause.sentence(self.reading.now))
            }
            _ => format!("has ended and waits for its {hook} hook to end"),
        }
    }

    pub(super) fn completed(&self, exit: Exit) -> String {
        let status = &self.it.status;
        let begun = self.past.start_of(status.run);
        let took = begun.map(|begun| self.wall(status.since).saturating_sub(begun));
        let took = took.map(|took| format!(" after {}", span_text(took))).unwrap_or_default();
        format!("completed with {exit} at {}{took}", self.since())
    }

    /// Who asked for what is so.
    pub(super) fn request_link(&self) -> Option<Link> {
        let verbs: &[&str] = match (self.reason(), self.it.status.phase) {
            (Reason::StopRequested, _) => &["stop", "down"],
            (Reason::KillRequested, _) => &["kill", "down"],
            (Reason::Paused, _) => &["pause"],
            (Reason::ResetRequested, _) => &["resetfailed", "reset-failed"],
            (_, PhaseName::Stopping) => match self.it.stop.as_ref().map(|(cause, _)| cause) {
                Some(Reason::StopRequested) => &["stop", "down"],
                Some(Reason::KillRequested) => &["kill", "down"],
                Some(Reason::RestartRequested) => RESTARTS,
                _ => return None,
            },
            (Reason::Needed { .. }, _) => {
                let asked = request(self.reading.acts, &["stop", "down"], self.it, self.reading.wall);
                return asked.map(|(act, _)| act.link());
            }
            _ => return None,
        };
        self.request(verbs).map(|(act, _)| act.link())
    }
}

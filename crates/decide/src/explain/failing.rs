//! What is said of failures: how many in a row, since when, how, and after which change.

use mainstay_model::{Exit, PhaseName, Reason, RestartWhen, span_text};

use super::{
    Link,
    past::{Concern, PastChange, Streak, cause_in, request},
    predicate::Told,
    words::times,
};

/// How it failed: in two words behind the count, or in a clause at the end.
enum How {
    /// `with exit 1`.
    With(String),
    /// `it was not ready within 30 s`.
    Because(String),
    /// Its process was never made.
    NotMade(String),
}

impl Told<'_> {
    pub(super) fn streak(&self) -> Option<Streak<'_>> {
        Streak::of(&self.past.changes, self.it.reset_after)
    }

    /// `failed 3 times with exit 1 since 10:02 after generation 41 changed db.command`, and what follows before the particulars.
    pub(super) fn failed(&self, cause: &Reason, then: &str) -> String {
        let streak = self.streak();

        let is_over = !then.is_empty();
        // Of one that was given up, the last failure was followed by no restart.
        let known = (u64::from(self.it.attempt) + u64::from(is_over)).max(1);
        let count = streak.as_ref().map_or(known, |streak| streak.failures);
        let when = streak.as_ref().map(|streak| self.period(streak, is_over)).unwrap_or_default();
        let after = self.after(streak.as_ref());
        let many = match &streak {
            Some(streak) if streak.is_cut => format!(" more than {}", times(count)),
            _ if count > 1 => format!(" {}", times(count)),
            _ => String::new(),
        };
        let are_alike = streak.is_none_or(|streak| streak.are_alike);
        match self.how(cause) {
            How::With(how) if are_alike => format!("failed{many} {how}{when}{after}{then}"),
            How::With(how) => format!("failed{many}{when}{after}{then}, the last time {how}"),
            How::Because(why) if are_alike => format!("failed{many}{when}{after}{then}: {why}"),
            How::Because(why) => format!("failed{many}{when}{after}{then}, the last time because {why}"),
            How::NotMade(why) if are_alike => format!("could not be started{many}{when}{after}{then}: {why}"),
            How::NotMade(why) => format!("failed{many}{when}{after}{then}, the last time because {why}"),
        }
    }

    pub(super) fn given_up(&self, cause: &Reason, attempts: u32) -> String {
        let then = match (attempts, self.it.policy) {
            (0, RestartWhen::Never) => " and is not restarted because its restart policy is never".to_owned(),
            (0, _) => " and is allowed no restart".to_owned(),
            (1, _) => " and was given up after one restart".to_owned(),
            (attempts, _) => format!(" and was given up after {attempts} restarts"),
        };
        self.failed(cause, &then)
    }

    /// ` at 10:02`, ` since 10:02`, ` between 10:02 and 10:09`.
    fn period(&self, streak: &Streak<'_>, is_over: bool) -> String {
        let (first, last) = (self.clock(streak.first), self.clock(streak.last.at));
        match streak.failures {
            _ if streak.is_cut => format!(" until {last}"),
            1 => format!(" at {first}"),
            _ if !is_over => format!(" since {first}"),
            _ if first == last => format!(" at {first}"),
            _ => format!(" between {first} and {last}"),
        }
    }

    /// ` after generation 41 changed db.command`.
    fn after(&self, streak: Option<&Streak<'_>>) -> String {
        let blamed = streak.and_then(|streak| self.past.blamed(streak, self.it.reset_after));
        // Everything was new in the first one.
        let blamed = blamed.filter(|apply| apply.before.is_some());
        blamed.map(|apply| format!(" after {}", apply.clause(&self.it.status.id))).unwrap_or_default()
    }

    /// `3 failures with exit 1 since 10:02`: those that this start follows.
    pub(super) fn earlier_failures(&self) -> Option<String> {
        let streak = self.streak().filter(|_| self.it.attempt > 0)?;
        let how = match self.how(&cause_of(streak.last)) {
            How::With(how) if streak.are_alike => format!(" {how}"),
            _ => String::new(),
        };
        let period = self.period(&streak, false);
        Some(match streak.failures {
            1 if !streak.is_cut => format!("a failure{how}{period}"),
            count if streak.is_cut => format!("more than {count} failures{how}{period}"),
            count => format!("{count} failures{how}{period}"),
        })
    }

    fn how(&self, cause: &Reason) -> How {
        match cause {
            Reason::Exited(exit @ (Exit::Code(_) | Exit::Signal(_))) => How::With(format!("with {exit}")),
            Reason::Exited(Exit::Unknown) => How::Because("it ended while nobody could see how".to_owned()),
            Reason::NotSpawned(failure) => How::NotMade(failure.text.clone()),
            Reason::Recalled { text, .. } => match text.strip_prefix("cannot start: ") {
                Some(why) => How::NotMade(why.to_owned()),
                None => How::Because(self.because(cause)),
            },
            other => How::Because(self.because(other)),
        }
    }

    /// A cause as a clause: `it was not ready within 30 s (tcp 127.0.0.1:5432 refused)`.
    pub(super) fn because(&self, cause: &Reason) -> String {
        let id = &self.it.status.id;
        match cause {
            Reason::ReadyTimeout { check, answer, after } => {
                let answer = match answer {
                    Some(answer) => format!("{check} {answer}"),
                    None => format!("it was waited for {check}"),
                };
                format!("it was not ready within {} ({answer})", span_text(*after))
            }
            Reason::Exited(Exit::Code(code)) => format!("it exited with {code}"),
            Reason::Exited(Exit::Signal(signal)) => format!("it was ended by signal {signal}"),
            Reason::DependencyLost { on } => format!("{on}, which it needs, went away"),
            Reason::Changed => match self.past.applies.last() {
                Some(apply) => apply.clause(id),
                None => "its description changed".to_owned(),
            },
            Reason::RestartRequested => {
                match request(self.reading.acts, RESTARTS, self.it, self.wall(self.it.status.since)) {
                    Some((act, Concern::Itself | Concern::Through(_) | Concern::Project)) => {
                        let by = act.by().unwrap_or_else(|| "somebody".to_owned());
                        format!("{by} asked for a restart at {}", self.clock(act.at))
                    }
                    None => "somebody asked for a restart".to_owned(),
                }
            }
            Reason::Recalled { text, .. } => match text.split_once(": ") {
                Some(("not ready in time", answer)) => format!("it was not ready in time ({answer})"),
                Some(("cannot start", why)) => format!("it could not be started ({why})"),
                _ => text.clone(),
            },
            other => other.sentence(self.reading.now),
        }
    }

    /// The row of failures, and the apply before it.
    pub(super) fn failures_link(&self) -> Vec<Link> {
        let status = &self.it.status;
        let link = |text: String, at| Link { service: None, phase: None, code: None, text, at: Some(at) };
        let is_up = matches!(status.phase, PhaseName::Running | PhaseName::Paused | PhaseName::Completed);
        let Some(streak) = self.streak().filter(|_| !is_up && status.wanted) else {
            let last = self.past.last_failure().filter(|_| is_up && status.restarts > 0);
            return last
                .map(|last| link(format!("failed before: {}", cause_in(&last.text)), last.at))
                .into_iter()
                .collect();
        };
        let last = self.clock(streak.last.at);
        let mut links = Vec::new();
        match streak.failures {
            1 if status.phase == PhaseName::Starting => {
                links.push(link(format!("failed before: {}", cause_in(&streak.last.text)), streak.last.at));
            }
            0 | 1 => {}
            failures => {
                let more = if streak.is_cut { "more than " } else { "" };
                let text = format!("{more}{failures} failures in a row, the last one at {last}");
                links.push(link(text, streak.first));
            }
        }
        let blamed = self.past.blamed(&streak, self.it.reset_after);
        links.extend(blamed.filter(|apply| apply.before.is_some()).map(|apply| apply.link(&status.id)));
        links
    }
}

/// Words of requests for a restart.
pub(super) const RESTARTS: &[&str] = &["restart", "rollingrestart", "rolling-restart"];

/// What was wrong, as far as it is kept.
pub(super) fn cause_of(change: &PastChange) -> Reason {
    let text = cause_in(&change.text);
    match change.exit {
        Some(exit) if text.starts_with("exited") || text.starts_with("ended by") => Reason::Exited(exit),
        // With a delay of nothing, the reason is already that of the next start.
        Some(exit) if change.to == PhaseName::Starting => Reason::Exited(exit),
        _ => Reason::Recalled { code: String::new(), text: text.to_owned() },
    }
}

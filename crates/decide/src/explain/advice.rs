//! What happens next by itself, and what a person can do about it.

use mainstay_model::{Attempts, Condition, Exit, HookName, Reason, ServiceId, SpawnFailureKind, is_command};

use super::{
    Try,
    predicate::{Told, is_time},
};

/// What happens next by itself, in a clause.
pub(super) fn next(first: &Told<'_>, root: &Told<'_>) -> String {
    let id = &first.it.status.id;
    let waits = match &first.it.status.reason {
        Reason::Dependency { on, until, .. } if first.it.status.id != root.it.status.id => {
            Some(format!("{id} starts once {on} {}", reached(*until)))
        }
        _ => None,
    };
    match (root.comes(), waits) {
        (Some(comes), Some(waits)) => format!("{comes}; {waits}"),
        (Some(comes), None) => comes,
        (None, Some(waits)) => format!("nothing happens by itself; {waits}"),
        (None, None) if matches!(root.reason(), Reason::Running | Reason::Ready { .. }) => {
            "nothing is about to change".to_owned()
        }
        (None, None) => "nothing happens by itself".to_owned(),
    }
}

/// Whether this check is asked again and again; others come by themselves.
fn is_probe(check: &str) -> bool {
    is_command(check) || ["tcp ", "http "].iter().any(|way| check.starts_with(way))
}

fn reached(until: Condition) -> &'static str {
    match until {
        Condition::Started => "has started",
        Condition::Ready => "is ready",
        Condition::Healthy => "is healthy",
        Condition::Completed => "has completed",
    }
}

impl Told<'_> {
    /// What becomes of it by itself.
    fn comes(&self) -> Option<String> {
        let id = &self.it.status.id;
        let left = self.it.deadline.map(|deadline| self.left(deadline));
        let left = left.as_deref();
        Some(match (&self.reason(), left) {
            (Reason::Backoff { until, attempt, attempts, .. }, _) => {
                let of = match attempts {
                    Attempts::UpTo(most) => format!(" of {most}"),
                    Attempts::Unlimited => String::new(),
                };
                format!("{id} is started again in {} (restart {attempt}{of})", self.left(*until))
            }
            (Reason::Spawning { .. }, _) => format!("the process of {id} is being made"),
            (Reason::NotReady { check, .. }, Some(left)) if is_time(check) => {
                format!("{id} is ready in {left}")
            }
            (Reason::NotReady { check, .. }, Some(left)) => {
                let so = if is_probe(check) { "succeeds" } else { "is there" };
                format!("{id} is ready once {check} {so}; if not in {left}, its start has failed")
            }
            (Reason::Hook { hook: HookName::BeforeStart | HookName::AfterStart }, Some(left)) => {
                format!("{id} goes on when its hook has ended; if not in {left}, its start has failed")
            }
            (Reason::Hook { .. }, Some(left)) => format!("the hook is killed in {left}"),
            (Reason::Failing { .. }, _) => match self.it.status.next {
                Some(next) => format!("{id} is asked again in {}", self.left(next)),
                None => format!("{id} is being asked again"),
            },
            (Reason::Stopping { .. }, Some(left)) => format!("what is left of {id} is killed in {left}"),
            (Reason::Killing { .. }, _) => format!("{id} is over once the system has ended all of it"),
            (Reason::Needed { .. }, _) => format!("{id} is stopped when nothing needs it any more"),
            (Reason::Running | Reason::Ready { .. } | Reason::Reloading, _) => self.goes_on()?,
            _ => return None,
        })
    }

    fn goes_on(&self) -> Option<String> {
        let id = &self.it.status.id;
        match (&self.it.behind, self.unmet()) {
            (Some(behind), _) => Some(format!("{id} is restarted when {behind} is ready")),
            (None, Some(_)) if self.it.awaited == Some(Condition::Healthy) => {
                let next = self.it.status.next.map(|next| format!(" in {}", self.left(next)));
                Some(format!("{id} is asked again{}", next.unwrap_or_default()))
            }
            (None, Some(_)) => Some(format!("{id} goes on until it ends by itself")),
            (None, None) => None,
        }
    }
}

/// What a person can do, the likeliest first.
pub(super) fn tries(first: &Told<'_>, root: &Told<'_>) -> Vec<Try> {
    let id = &root.it.status.id;
    let one =
        |command: String, what: &str| Try { command: format!("mainstay {command}"), what: what.to_owned() };
    let logs = || one(format!("logs {id} -n 50"), "shows what it wrote last");
    let start = |what: &str| one(format!("start {id}"), what);
    let mut tries = match &root.reason() {
        Reason::NeverStarted | Reason::StopRequested | Reason::KillRequested | Reason::ResetRequested => {
            vec![start("starts it")]
        }
        Reason::Ended { .. } => vec![logs(), start("starts it again")],
        Reason::Backoff { cause, .. } => of_failure(root, cause, start("does not wait for the next try")),
        Reason::GaveUp { cause, .. } => of_failure(root, cause, start("tries again")),
        Reason::UnknownOutcome { .. } => vec![logs(), start("runs it once more")],
        Reason::NotReady { check, .. } if is_time(check) => Vec::new(),
        Reason::NotReady { .. } | Reason::Failing { .. } => vec![logs()],
        Reason::Hook { .. } => vec![logs()],
        Reason::Paused => vec![one(format!("resume {id}"), "lets it go on")],
        Reason::Stopping { .. } | Reason::Killing { .. } => {
            vec![one(format!("kill {id}"), "does not wait for it to end by itself")]
        }
        Reason::Needed { by } => by
            .first()
            .map(|by| one(format!("explain {by}"), "says why that one goes on"))
            .into_iter()
            .collect(),
        Reason::Running | Reason::Ready { .. } if root.unmet().is_some() => vec![logs()],
        _ => Vec::new(),
    };
    tries.extend(take_back(root));
    if first.it.log.is_some() || root.it.log.is_some() {
        tries.push(Try { command: "df -h".to_owned(), what: "shows which disk is full".to_owned() });
    }
    tries
}

/// What is wrong with a program that was not made is in the files; what is wrong with one that ran is in its log.
fn of_failure(root: &Told<'_>, cause: &Reason, again: Try) -> Vec<Try> {
    let id = &root.it.status.id;
    let said = |setting: &str| Try {
        command: format!("mainstay config explain service.{}.{setting}", id.name),
        what: "shows where that is said".to_owned(),
    };
    let logs = logs_of(id);
    match cause {
        Reason::NotSpawned(failure) => match failure.kind {
            SpawnFailureKind::NoProgram
            | SpawnFailureKind::NotPermitted
            | SpawnFailureKind::NotExecutable => {
                vec![said("command"), again]
            }
            SpawnFailureKind::NoDirectory => vec![said("working_dir"), again],
            SpawnFailureKind::NoUser => vec![said("user"), again],
            SpawnFailureKind::NoResources | SpawnFailureKind::Interrupted | SpawnFailureKind::Other => {
                vec![logs, again]
            }
        },
        Reason::ReadyTimeout { .. } => vec![logs, said("ready"), again],
        Reason::Unhealthy { .. } => vec![logs, said("health"), again],
        Reason::Exited(Exit::Code(_) | Exit::Signal(_) | Exit::Unknown) => vec![logs, again],
        _ => vec![logs, again],
    }
}

fn logs_of(id: &ServiceId) -> Try {
    Try { command: format!("mainstay logs {id} -n 50"), what: "shows what it wrote last".to_owned() }
}

/// The way back to the generation before the one that may have caused it.
fn take_back(root: &Told<'_>) -> Option<Try> {
    let streak = root.streak()?;
    let fails = matches!(root.reason(), Reason::Backoff { .. } | Reason::GaveUp { .. });
    let blamed = root.past.blamed(&streak, root.it.reset_after).filter(|_| fails)?;
    let before = blamed.before?;
    Some(Try {
        command: format!("mainstay rollback {before}"),
        what: format!("goes back to what ran before generation {}", blamed.generation),
    })
}

//! The sentences of reasons: what a person reads.

use std::time::Duration;

use crate::{Attempts, Condition, Exit, Moment, Reason, ServiceId, is_command};

impl Reason {
    /// One sentence without a full stop, as true at `now`.
    pub fn sentence(&self, now: Moment) -> String {
        match self {
            Self::NeverStarted => "nobody has started it".to_owned(),
            Self::StopRequested => "stopped on request".to_owned(),
            Self::KillRequested => "killed on request".to_owned(),
            Self::Dependency { on, until, because } => dependency(on, *until, because.as_deref(), now),
            Self::DependencyLost { on } => format!("{on}, which it depends on, went away"),
            Self::Spawning { attempt: 0 } => "its process is being made".to_owned(),
            Self::Spawning { attempt } => format!("its process is being made (restart {attempt})"),
            Self::NotSpawned(failure) => format!("cannot start: {}", failure.text),
            Self::NotReady { check, answer: Some(answer), since } if is_command(check) => {
                asked(check, Some(answer), now.since(*since))
            }
            Self::NotReady { check, answer, since } => {
                format!("waiting for {}", asked(check, answer.as_deref(), now.since(*since)))
            }
            Self::ReadyTimeout { check, answer, after } => {
                let answer = answer.as_deref().unwrap_or("gave no answer");
                format!("not ready in time: {}", asked(check, Some(answer), *after))
            }
            Self::Running => "its process runs".to_owned(),
            Self::Ready { check } => format!("ready: {check}"),
            Self::Needed { by } => format!("will stop after {}", list(by)),
            Self::Stopping { cause, signal, kill_at } => format!(
                "{}; sent {signal}, kill follows in {}",
                cause.sentence(now),
                left_text(kill_at.since(now))
            ),
            Self::Killing { cause } => format!("{}; sent KILL", cause.sentence(now)),
            Self::Exited(exit) => exited(*exit),
            Self::Ended { exit, policy } => {
                format!("ended with {exit}, and its restart policy is {}", policy.as_str())
            }
            Self::Completed { exit } => format!("completed with {exit}"),
            Self::Backoff { cause, until, attempt, attempts } => {
                backoff(cause, until.since(now), *attempt, *attempts, now)
            }
            Self::GaveUp { cause, attempts: 0 } => format!("{}; it is not restarted", cause.sentence(now)),
            Self::GaveUp { cause, attempts: 1 } => {
                format!("gave up after 1 restart: {}", cause.sentence(now))
            }
            Self::GaveUp { cause, attempts } => {
                format!("gave up after {attempts} restarts: {}", cause.sentence(now))
            }
            Self::UnknownOutcome { kind } => {
                format!("nobody saw how this {kind} ended, and running it again could do its work twice")
            }
            Self::Besides { reason, aside } => format!("{}; {aside}", reason.sentence(now)),
            Self::RestartRequested => "restarted on request".to_owned(),
            Self::Changed => "its description changed".to_owned(),
            Self::Removed => "it is no longer in the files".to_owned(),
            Self::Recalled { text, .. } => text.clone(),
            care => care.sentence_of_care(),
        }
    }

    /// The same of what belongs to looking after it.
    fn sentence_of_care(&self) -> String {
        match self {
            Self::Failing { check, answer, failures: 0, .. } => {
                format!("{check} {answer}; it has not been well yet")
            }
            Self::Failing { check, answer, failures, limit } => {
                format!("{check} {answer} ({failures} of {limit} failures in a row)")
            }
            Self::Unhealthy { check, answer, failures } => {
                format!("its health check failed {}: {check} {answer}", times(*failures))
            }
            Self::Silent { after } => format!("its watchdog heard nothing for {}", span_text(*after)),
            Self::WatchdogTriggered => "it triggered its watchdog itself".to_owned(),
            Self::Reloading => "it reads its configuration again".to_owned(),
            Self::EndingItself => "it says that it is ending".to_owned(),
            Self::Paused => "paused on request".to_owned(),
            Self::Hook { hook } => format!("its {hook} hook runs"),
            Self::HookFailed { hook, text } => format!("its {hook} hook {text}"),
            Self::FileChanged { path } => format!("{path} changed"),
            Self::ResetRequested => "its failure was reset on request".to_owned(),
            _ => self.code().replace('-', " "),
        }
    }
}

fn dependency(on: &ServiceId, until: Condition, because: Option<&Reason>, now: Moment) -> String {
    let head = format!("waiting for {on} to {}", until.infinitive());
    match because {
        None => head,
        Some(Reason::NotReady { check, answer, since }) => {
            format!("{head}: {}", asked(check, answer.as_deref(), now.since(*since)))
        }
        Some(because @ Reason::Dependency { .. }) => format!("{head}, which is {}", because.sentence(now)),
        Some(because) => format!("{head}: {}", because.sentence(now)),
    }
}

fn asked(check: &str, answer: Option<&str>, span: Duration) -> String {
    match answer {
        None => check.to_owned(),
        Some(answer) if is_command(check) => {
            format!("its check has failed for {}: {check} {answer}", span_text(span))
        }
        Some(answer) => format!("{check} {answer} for {}", span_text(span)),
    }
}

fn times(count: u32) -> String {
    match count {
        1 => "once".to_owned(),
        2 => "twice in a row".to_owned(),
        count => format!("{count} times in a row"),
    }
}

fn exited(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("exited with {code}"),
        Exit::Signal(signal) => format!("ended by signal {signal}"),
        Exit::Unknown => "it is gone, and nobody saw how it ended".to_owned(),
    }
}

fn backoff(cause: &Reason, left: Duration, attempt: u32, attempts: Attempts, now: Moment) -> String {
    let of = match attempts {
        Attempts::UpTo(most) => format!(" of {most}"),
        Attempts::Unlimited => String::new(),
    };
    let (cause, left) = (cause.sentence(now), left_text(left));
    match attempt {
        // It was never made, for no fault of its own.
        0 => format!("{cause}; it is tried again in {left}"),
        _ => format!("{cause}; restart {attempt}{of} in {left}"),
    }
}

/// At most three by name.
fn list(ids: &[ServiceId]) -> String {
    let shown: Vec<String> = ids.iter().take(3).map(ToString::to_string).collect();
    match ids.len().saturating_sub(3) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// What is left of a span: the begun second counts, below a second the begun hundredth of it, so that a countdown starts
/// with what was promised.
fn left_text(left: Duration) -> String {
    let hundredths = u64::from(left.subsec_nanos().div_ceil(10_000_000));
    match (left.as_secs(), hundredths) {
        (0, hundredths) => span_text(Duration::from_millis(hundredths * 10)),
        (seconds, 0) => span_text(Duration::from_secs(seconds)),
        (seconds, _) => span_text(Duration::from_secs(seconds + 1)),
    }
}

/// A span as people read it: `120 ms`, `3 s`, `2 min 5 s`, `1 h 3 min`, `4 d 2 h`.
pub fn span_text(span: Duration) -> String {
    let seconds = span.as_secs();
    let pair = |big: u64, big_unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{big} {big_unit}"),
        small => format!("{big} {big_unit} {small} {small_unit}"),
    };
    match seconds {
        0 => format!("{} ms", span.as_millis()),
        1..60 => format!("{seconds} s"),
        60..3_600 => pair(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => pair(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => pair(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Signal, SpawnFailure, SpawnFailureKind};

    fn id(text: &str) -> ServiceId {
        text.parse().unwrap()
    }

    fn at(seconds: u64) -> Moment {
        Moment::ZERO + Duration::from_secs(seconds)
    }

    /// A row per sentence: what a person reads.
    #[test]
    fn sentences_read_aloud() {
        let refused = Reason::NotReady {
            check: "tcp 127.0.0.1:5432".to_owned(),
            answer: Some("refused".to_owned()),
            since: at(7),
        };
        let waiting = Reason::Dependency {
            on: id("db"),
            until: Condition::Ready,
            because: Some(Box::new(refused.clone())),
        };
        let crash = Box::new(Reason::Exited(Exit::Code(1)));
        let rows = [
            (refused, "waiting for tcp 127.0.0.1:5432 refused for 3 s"),
            (waiting.clone(), "waiting for db to be ready: tcp 127.0.0.1:5432 refused for 3 s"),
            (
                Reason::Dependency {
                    on: id("migrate"),
                    until: Condition::Completed,
                    because: Some(Box::new(waiting)),
                },
                "waiting for migrate to complete, which is waiting for db to be ready: tcp 127.0.0.1:5432 refused for 3 s",
            ),
            (
                Reason::Backoff {
                    cause: crash.clone(),
                    until: at(22),
                    attempt: 3,
                    attempts: Attempts::UpTo(10),
                },
                "exited with 1; restart 3 of 10 in 12 s",
            ),
            (Reason::GaveUp { cause: crash, attempts: 10 }, "gave up after 10 restarts: exited with 1"),
            (
                Reason::NotSpawned(SpawnFailure {
                    kind: SpawnFailureKind::NoProgram,
                    text: "`./api` does not exist".to_owned(),
                }),
                "cannot start: `./api` does not exist",
            ),
            (
                Reason::Stopping {
                    cause: Box::new(Reason::StopRequested),
                    signal: Signal::TERM,
                    kill_at: at(18),
                },
                "stopped on request; sent TERM, kill follows in 8 s",
            ),
            (
                Reason::Needed { by: vec![id("a"), id("b"), id("c"), id("d@2")] },
                "will stop after a, b, c and 1 more",
            ),
        ];
        for (reason, sentence) in rows {
            assert_eq!(reason.sentence(at(10)), sentence);
        }
    }

    #[test]
    fn a_check_that_has_not_answered_is_not_said_to_have() {
        let check = || "2 s after its start".to_owned();
        let waiting = Reason::NotReady { check: check(), answer: None, since: at(9) };
        assert_eq!(waiting.sentence(at(10)), "waiting for 2 s after its start");
        let check = "tcp db:5432".to_owned();
        let late = Reason::ReadyTimeout { check, answer: None, after: Duration::from_secs(30) };
        assert_eq!(late.sentence(at(10)), "not ready in time: tcp db:5432 gave no answer for 30 s");
    }

    #[test]
    fn a_command_that_asks_is_told_in_its_words_and_reads_well() {
        let words =
            ["sh", "-c", "printf 'a long script' &&\n\u{1b}[31m exit 5 # and more of it"].map(str::to_owned);
        let probe = crate::Probe::Exec(crate::Command::new(words).unwrap());
        assert_eq!(probe.to_string(), "`sh -c printf 'a long script' && exit 5 …`");
        let (check, answer) = ("`test -f x`".to_owned(), Some("exited with 1".to_owned()));
        let starting = Reason::NotReady { check: check.clone(), answer: answer.clone(), since: at(7) };
        assert_eq!(starting.sentence(at(10)), "its check has failed for 3 s: `test -f x` exited with 1");
        let because = Some(Box::new(starting));
        let waiting = Reason::Dependency { on: id("db"), until: Condition::Ready, because };
        let text = "waiting for db to be ready: its check has failed for 3 s: `test -f x` exited with 1";
        assert_eq!(waiting.sentence(at(10)), text);
        let late = Reason::ReadyTimeout { check, answer, after: Duration::from_secs(1) };
        let text = "not ready in time: its check has failed for 1 s: `test -f x` exited with 1";
        assert_eq!(late.sentence(at(10)), text);
    }

    #[test]
    fn a_countdown_starts_with_what_was_promised() {
        let rows = [
            (0, "0 ms"),
            (49_900_000, "50 ms"),
            (300_000_000, "300 ms"),
            (999_000_001, "1 s"),
            (1_000_000_000, "1 s"),
            (1_000_000_001, "2 s"),
        ];
        for (nanos, text) in rows {
            assert_eq!(left_text(Duration::from_nanos(nanos)), text);
        }
    }

    #[test]
    fn spans_read_as_people_say_them() {
        let rows = [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_000, "1 s"),
            (61_000, "1 min 1 s"),
            (3_600_000, "1 h"),
            (90_000_000, "1 d 1 h"),
        ];
        for (milliseconds, text) in rows {
            assert_eq!(span_text(Duration::from_millis(milliseconds)), text);
        }
    }
}

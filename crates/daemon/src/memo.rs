//! Between what `decide` remembers and the memo that travels with the keeper.

use std::path::PathBuf;

use mainstay_decide::Memory;
use mainstay_model::{MadeOf, Moment, PhaseName, Reason, Reports, Spec};
use mainstay_wire::{MEMO_VERSION, Memo, MemoEnd};

/// What the keeper is to hold for a daemon that comes after this one; `made_from` is of the latest run, `ends` of those before.
pub(crate) fn to_memo(memory: &Memory, made_from: u64, ends: Vec<MemoEnd>, now: Moment) -> Memo {
    Memo {
        version: MEMO_VERSION,
        phase: memory.phase.as_str().to_owned(),
        code: memory.reason.code().to_owned(),
        text: memory.reason.sentence(now),
        attempts: memory.attempts,
        restarts: memory.restarts,
        exit: memory.exit.map(Into::into),
        until_nanos: memory.until.map(Moment::as_nanos),
        since_nanos: memory.since.as_nanos(),
        made_from,
        ends,
    }
}

/// A hash (FNV-1a) of what makes one process different from another: a daemon that comes later, with another description,
/// learns from it that the process is still of the old one ([`Spec::needs_restart_for`]). Never 0.
pub(crate) fn made_from(spec: &Spec) -> u64 {
    // Every field by name: one more cannot be forgotten here.
    let MadeOf { kind, command, working_dir, user, env, reports, split, uses, config } = spec.made_of();
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut take = |text: &str| {
        // The end of each text counts, so that `ab`, `c` is not `a`, `bc`.
        for byte in text.bytes().chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    };
    take(kind.as_str());
    command.words().for_each(&mut take);
    take("");
    // As paths are compared: `/srv/./shop/` is `/srv/shop`.
    take(&working_dir.components().collect::<PathBuf>().to_string_lossy());
    take(user.unwrap_or_default());
    for (name, value) in env {
        take(name);
        take(value);
    }
    if reports != Reports::default() {
        let Reports { notify, fd, watchdog } = reports;
        take(&format!("{notify} {fd:?} {}", watchdog.unwrap_or_default().as_millis()));
    }
    if split {
        take("split");
    }
    if let Some(service) = uses {
        take("use");
        take(service);
    }
    for (name, value) in config.into_iter().flatten() {
        take("config");
        take(name);
        take(value);
    }
    hash.max(1)
}

/// What an earlier daemon remembered; `None` when that makes no sense.
pub(crate) fn from_memo(text: &str) -> Option<Memory> {
    let memo = Memo::from_text(text);
    Some(Memory {
        phase: PhaseName::from_word(&memo.phase)?,
        reason: Reason::Recalled { code: memo.code, text: memo.text },
        since: Moment::from_nanos(memo.since_nanos),
        attempts: memo.attempts,
        restarts: memo.restarts,
        exit: memo.exit.map(Into::into),
        until: memo.until_nanos.map(Moment::from_nanos),
    })
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

    use mainstay_model::{
        Bytes, Command, Condition, Dependency, Exit, HealthPolicy, Hook, Hooks, Kind, LogLimits, Probe,
        ReadyCheck, ReadyPolicy, Reload, RestartPolicy, RestartWhen, Signal, StopPolicy,
    };

    use super::*;

    fn base() -> Spec {
        let command = Command::new(["./api".to_owned(), "a".to_owned()]).unwrap();
        Spec {
            env: BTreeMap::from([("A".to_owned(), "1".to_owned())]),
            stop: StopPolicy { signal: Signal::TERM, timeout: Duration::from_secs(5) },
            log: LogLimits {
                max_size: Bytes(1),
                keep: NonZeroU32::MIN,
                total: Bytes(1),
                ..LogLimits::default()
            },
            ..Spec::new("api".parse().unwrap(), Kind::Permanent, command, "/srv".into())
        }
    }

    /// Each field of a description, changed by itself. Its names are all here: one more does not compile.
    fn changed() -> Vec<(&'static str, Spec)> {
        let Spec {
            id,
            kind: _,
            command: _,
            working_dir: _,
            user: _,
            env: _,
            inherited: _,
            depends_on: _,
            restart,
            ready: _,
            health: _,
            watchdog: _,
            reload: _,
            hooks: _,
            watch: _,
            rolling: _,
            stop,
            log,
            rerun_unknown,
            uses: _,
            config: _,
            runner: _,
        } = base();
        let second = Some(NonZeroU32::MIN);
        let on = "db".parse().unwrap();
        let variable = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let words = |words: &[&str]| Command::new(words.iter().map(|word| (*word).to_owned())).unwrap();
        vec![
            ("id", Spec { id: mainstay_model::ServiceId { instance: second, ..id }, ..base() }),
            ("kind", Spec { kind: Kind::Oneshot, ..base() }),
            ("command", Spec { command: words(&["./api", "b"]), ..base() }),
            ("command, cut otherwise", Spec { command: words(&["./ap", "ia"]), ..base() }),
            ("command, a word less", Spec { command: words(&["./api"]), ..base() }),
            ("working_dir", Spec { working_dir: "/srv/api".into(), ..base() }),
            ("working_dir, the same", Spec { working_dir: "/srv/./".into(), ..base() }),
            ("user", Spec { user: Some("shop".to_owned()), ..base() }),
            ("env, a name", Spec { env: variable("B", "1"), ..base() }),
            ("env, a value", Spec { env: variable("A", "2"), ..base() }),
            ("env, none", Spec { env: BTreeMap::new(), ..base() }),
            ("inherited", Spec { inherited: variable("PATH", "/bin"), ..base() }),
            (
                "depends_on",
                Spec {
                    depends_on: vec![Dependency { on, until: Condition::Ready, restart: true }],
                    ..base()
                },
            ),
            ("restart", Spec { restart: RestartPolicy { when: RestartWhen::Always, ..restart }, ..base() }),
            ("stop", Spec { stop: StopPolicy { signal: Signal::KILL, ..stop }, ..base() }),
            ("log", Spec { log: LogLimits { total: Bytes(2), ..log }, ..base() }),
            ("log, split", Spec { log: LogLimits { split: true, ..log }, ..base() }),
            ("rerun_unknown", Spec { rerun_unknown: !rerun_unknown, ..base() }),
            ("use", Spec { uses: Some("greeter".to_owned()), ..base() }),
            ("config", Spec { config: variable("level", "3"), ..base() }),
            ("runner", Spec { runner: mainstay_model::Runner::Task, ..base() }),
        ]
    }

    /// The same for what belongs to looking after it.
    fn changed_care() -> Vec<(&'static str, Spec)> {
        let ready = |check| {
            let (timeout, interval, probe_timeout) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
            Some(ReadyPolicy { check, timeout, interval, probe_timeout })
        };
        let health = HealthPolicy {
            probe: Probe::Tcp("db:1".to_owned()),
            interval: Duration::ZERO,
            timeout: Duration::ZERO,
            failures: 1,
            start_period: Duration::ZERO,
        };
        let hook = Hook { command: base().command, timeout: Duration::ZERO };
        vec![
            ("ready", Spec { ready: ready(ReadyCheck::After(Duration::ZERO)), ..base() }),
            ("ready, by its word", Spec { ready: ready(ReadyCheck::Notify), ..base() }),
            ("ready, by a descriptor", Spec { ready: ready(ReadyCheck::Fd(3)), ..base() }),
            ("health", Spec { health: Some(health), ..base() }),
            ("watchdog", Spec { watchdog: Some(Duration::from_secs(1)), ..base() }),
            ("reload", Spec { reload: Some(Reload::Command(hook.clone())), ..base() }),
            ("hooks", Spec { hooks: Hooks { before_start: Some(hook), ..Hooks::default() }, ..base() }),
            ("watch", Spec { watch: vec!["src/**".to_owned()], ..base() }),
            ("rolling", Spec { rolling: !base().rolling, ..base() }),
        ]
    }

    #[test]
    fn what_takes_a_restart_is_seen_in_the_memo_as_well_and_nothing_else_is() {
        for (field, changed) in changed().into_iter().chain(changed_care()) {
            let restarts = base().needs_restart_for(&changed);
            assert_eq!(made_from(&base()) != made_from(&changed), restarts, "{field}");
        }
        let takes_one = |field: &str| {
            changed()
                .iter()
                .chain(&changed_care())
                .any(|(name, spec)| *name == field && base().needs_restart_for(spec))
        };
        assert!(
            [
                "kind",
                "command",
                "working_dir",
                "user",
                "watchdog",
                "ready, by its word",
                "log, split",
                "use",
                "config"
            ]
            .map(takes_one)
            .iter()
            .all(|is| *is)
        );
        assert!(
            ["inherited", "restart", "stop", "log", "health", "hooks", "reload", "runner"]
                .map(takes_one)
                .iter()
                .all(|is| !is)
        );
    }

    #[test]
    fn a_memo_brings_back_what_counts() {
        let memory = Memory {
            phase: PhaseName::Waiting,
            reason: Reason::Exited(Exit::Code(3)),
            since: Moment::from_nanos(5),
            attempts: 2,
            restarts: 7,
            exit: Some(Exit::Code(3)),
            until: Some(Moment::from_nanos(9)),
        };
        let back = from_memo(&to_memo(&memory, 7, Vec::new(), Moment::ZERO).to_text()).unwrap();
        let reason = Reason::Recalled { code: "exited".to_owned(), text: "exited with 3".to_owned() };
        assert_eq!(back, Memory { reason, ..memory });
        assert_eq!(from_memo("garbage"), None);
    }
}

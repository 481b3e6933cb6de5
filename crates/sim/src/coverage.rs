//! What a storm has seen, so that it cannot go blind.

use std::{collections::BTreeMap, fmt};

/// How often each thing was seen.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    counts: BTreeMap<(&'static str, String), u64>,
    /// Calls of the daemon.
    pub events: u64,
}

/// Everything that a storm must see.
pub const EXPECTED: &[(&str, &[&str])] = &[
    ("phase", PHASES),
    ("act", ACTS),
    ("event", EVENTS),
    ("request", REQUESTS),
    ("death", DEATHS),
    ("recall", RECALLS),
    ("reason", REASONS),
    ("next", &["fresh", "restart", "restart or fresh", "any"]),
];

const PHASES: &[&str] = &[
    "stopped",
    "waiting for a dependency",
    "waiting for a backoff",
    "before_start",
    "spawning",
    "asking",
    "pausing",
    "after_start",
    "running",
    "well",
    "failing",
    "reloading",
    "reload hook",
    "ending itself",
    "paused",
    "paused, held",
    "held",
    "before_stop",
    "unmade",
    "stopping",
    "stopping, then again",
    "stopping, then failed",
    "killed",
    "after_stop",
    "after_stop, then again",
    "after_stop, then failed",
    "after_stop of its own end",
    "completed",
    "failed",
];

const ACTS: &[&str] = &[
    "spawn",
    "signal",
    "signal main",
    "kill",
    "pause",
    "resume",
    "ask",
    "ask health",
    "before_start",
    "after_start",
    "before_stop",
    "after_stop",
    "reload",
    "kill hook",
    "acknowledge",
    "forget",
    "remember",
];

const EVENTS: &[&str] = &[
    "spawned",
    "not spawned",
    "exited",
    "answered yes",
    "answered no",
    "tick",
    "says ready",
    "says reloading",
    "says stopping",
    "says words",
    "says: longer",
    "says: main process",
    "says: alive",
    "says: trigger",
    "says: watchdog",
    "before_start ended well",
    "before_start failed",
    "after_start ended well",
    "after_start failed",
    "before_stop ended well",
    "before_stop failed",
    "after_stop ended well",
    "after_stop failed",
    "reload ended well",
    "reload failed",
    "stale spawned",
    "stale not spawned",
    "stale exited",
    "stale answered",
    "stale word",
    "stale hook ended",
    "answered, to an earlier question",
    "of a removed service",
];

const REQUESTS: &[&str] = &[
    "apply",
    "bad apply",
    "want",
    "start",
    "stop",
    "restart",
    "kill",
    "roll",
    "pause",
    "resume",
    "reload",
    "reset",
];

const DEATHS: &[&str] = &[
    "quiet",
    "with commands lost",
    "with strays",
    "with outdated runs",
    "with restarts to come",
    "beside before_start",
    "beside after_start",
    "beside before_stop",
    "beside after_stop",
    "beside reload",
];

const RECALLS: &[&str] = &[
    "Spawning starting Up",
    "Spawning starting Down",
    "Running starting Up",
    "Running starting Down",
    "Running running Up",
    "Running paused Up",
    "Ending starting Up",
    "Ending starting Down",
    "Over none Up",
    "Over none Down",
    "Over stopped Up",
    "Over stopped Down",
    "Over starting Up",
    "Over waiting Up",
    "Over waiting Down",
    "Over stopping Up",
    "Over stopping Down",
    "Over completed Up",
    "Over completed Down",
    "Over failed Up",
    "Over failed Down",
];

const REASONS: &[&str] = &[
    "never-started",
    "stop-requested",
    "kill-requested",
    "reset-requested",
    "changed",
    "ended",
    "waiting-for-dependency",
    "backoff",
    "hook-running",
    "spawning",
    "not-ready",
    "running",
    "ready",
    "failing-health-check",
    "reloading",
    "ending-itself",
    "paused",
    "needed-by-others",
    "stopping",
    "killing",
    "completed",
    "gave-up",
    "outcome-unknown",
];

impl Coverage {
    /// This was seen.
    pub(crate) fn see(&mut self, kind: &'static str, what: &str) {
        match self.counts.get_mut(&(kind, what.to_owned())) {
            Some(count) => *count += 1,
            None => {
                self.counts.insert((kind, what.to_owned()), 1);
            }
        }
    }

    /// Adds what another storm has seen.
    pub fn add(&mut self, other: &Self) {
        self.events += other.events;
        for (key, count) in &other.counts {
            *self.counts.entry(key.clone()).or_default() += count;
        }
    }

    /// What was expected, and seen less than `least` times.
    pub fn missing(&self, least: u64) -> Vec<String> {
        let mut missing = Vec::new();
        for (kind, all) in EXPECTED {
            for what in *all {
                let count = self.counts.get(&(*kind, (*what).to_owned())).copied().unwrap_or(0);
                if count < least {
                    missing.push(format!("{kind} `{what}`: {count} times"));
                }
            }
        }
        missing
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last = "";
        for ((kind, what), count) in &self.counts {
            if *kind != last {
                write!(f, "{}{kind}:", if last.is_empty() { "" } else { "\n" })?;
                last = kind;
            }
            write!(f, " {what} {count};")?;
        }
        Ok(())
    }
}

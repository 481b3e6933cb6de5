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
    (
        "phase",
        &[
            "stopped",
            "waiting for a dependency",
            "waiting for a backoff",
            "spawning",
            "asking",
            "pausing",
            "running",
            "held",
            "stopping",
            "stopping, then again",
            "stopping, then failed",
            "killed",
            "completed",
            "failed",
        ],
    ),
    ("act", &["spawn", "signal", "kill", "ask", "acknowledge", "forget", "remember"]),
    (
        "event",
        &[
            "spawned",
            "not spawned",
            "exited",
            "answered yes",
            "answered no",
            "tick",
            "stale spawned",
            "stale not spawned",
            "stale exited",
            "stale answered",
            "answered, to an earlier question",
            "of a removed service",
        ],
    ),
    ("request", &["apply", "bad apply", "want", "start", "stop", "restart", "kill"]),
    ("death", &["quiet", "with commands lost", "with strays", "with outdated runs"]),
    (
        "recall",
        &[
            "Spawning starting Up",
            "Spawning starting Down",
            "Running starting Up",
            "Running starting Down",
            "Ending starting Up",
            "Ending starting Down",
            "Over none Up",
            "Over none Down",
            "Over stopped Up",
            "Over stopped Down",
            "Over waiting Up",
            "Over waiting Down",
            "Over completed Up",
            "Over completed Down",
            "Over failed Up",
            "Over failed Down",
        ],
    ),
    (
        "reason",
        &[
            "never-started",
            "stop-requested",
            "kill-requested",
            "changed",
            "ended",
            "waiting-for-dependency",
            "backoff",
            "spawning",
            "not-ready",
            "running",
            "ready",
            "needed-by-others",
            "stopping",
            "killing",
            "completed",
            "gave-up",
            "outcome-unknown",
        ],
    ),
    ("next", &["fresh", "restart", "restart or fresh", "any"]),
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

//! How a service says that it feels: a tree of monitors, from the service's library to the daemon and on to who looks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The most monitors of one report, the root included.
pub const MONITORS_LIMIT: usize = 256;

/// How deep a report may be.
pub const MONITOR_DEPTH: usize = 8;

/// The most metrics of one monitor.
pub const METRICS_LIMIT: usize = 64;

/// The longest name, in characters.
pub const MONITOR_NAME_LIMIT: usize = 64;

/// The longest message, in characters.
pub const MONITOR_MESSAGE_LIMIT: usize = 256;

/// A monitor: a part of a service, and what is below it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MonitorView {
    /// Of the part; of the root, the service's.
    pub name: String,
    /// The sum of its own status and those below: `unknown`, `startup`, `ok`, `idle`, `busy`, `degraded`, `warning`, `error`,
    /// `shutdown` or `failed`.
    pub status: String,
    /// Its own status, when it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_status: Option<String>,
    /// What goes with its own status; empty for nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The parts below.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<MonitorView>,
    /// Numbers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
}

impl MonitorView {
    /// What keeps it from being taken; a sentence for whoever sent it.
    ///
    /// # Errors
    /// It is beyond a limit of this file.
    pub fn check(&self) -> Result<(), String> {
        let count = self.check_below(1)?;
        match count > MONITORS_LIMIT {
            true => Err(format!("{count} monitors are more than {MONITORS_LIMIT}, the most of one report")),
            false => Ok(()),
        }
    }

    fn check_below(&self, depth: usize) -> Result<usize, String> {
        if depth > MONITOR_DEPTH {
            return Err(format!("monitors are deeper than {MONITOR_DEPTH}"));
        }
        if self.name.chars().count() > MONITOR_NAME_LIMIT {
            return Err(format!("a monitor's name is longer than {MONITOR_NAME_LIMIT} characters"));
        }
        if self.message.chars().count() > MONITOR_MESSAGE_LIMIT {
            return Err(format!(
                "the message of `{}` is longer than {MONITOR_MESSAGE_LIMIT} characters",
                self.name
            ));
        }
        if self.metrics.len() > METRICS_LIMIT {
            return Err(format!("`{}` has more than {METRICS_LIMIT} metrics", self.name));
        }
        let below = self.children.iter().map(|child| child.check_below(depth + 1));
        below.sum::<Result<usize, String>>().map(|below| below + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> MonitorView {
        MonitorView { name: name.to_owned(), status: "ok".to_owned(), ..MonitorView::default() }
    }

    #[test]
    fn what_is_too_much_is_refused_in_words() {
        assert_eq!(named("api").check(), Ok(()));
        let many = MonitorView { children: vec![named("part"); MONITORS_LIMIT], ..named("api") };
        assert_eq!(many.check().unwrap_err(), "257 monitors are more than 256, the most of one report");
        let deep = (0..MONITOR_DEPTH)
            .fold(named("leaf"), |inner, _| MonitorView { children: vec![inner], ..named("x") });
        assert_eq!(deep.check().unwrap_err(), "monitors are deeper than 8");
        let long = MonitorView { message: "x".repeat(300), ..named("db") };
        assert_eq!(long.check().unwrap_err(), "the message of `db` is longer than 256 characters");
        let loud = MonitorView { metrics: (0..65).map(|n| (n.to_string(), 0.0)).collect(), ..named("db") };
        assert!(loud.check().is_err());
        assert!(named(&"n".repeat(65)).check().is_err());
    }

    #[test]
    fn what_is_not_there_is_not_written() {
        let text = serde_json::to_string(&named("api")).unwrap();
        assert_eq!(text, r#"{"name":"api","status":"ok"}"#);
        assert_eq!(serde_json::from_str::<MonitorView>(&text).unwrap(), named("api"));
    }
}

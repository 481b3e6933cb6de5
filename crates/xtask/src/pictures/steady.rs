//! What differs from run to run, replaced by samples: process numbers, memory, times. Knows names of fields, and no view.

use std::{collections::BTreeMap, sync::LazyLock};

use jiff::{SignedDuration, Timestamp};
use regex::{Captures, Regex};
use serde_json::{Map, Value};

/// How long ago everything was: some time after noon, and not yet six minutes past it, however long the run takes.
const AGO: SignedDuration = SignedDuration::from_secs(2 * 3600 + 5 * 60 + 30);

/// How soon everything will be.
const AHEAD: SignedDuration = SignedDuration::from_millis(23_500);

/// The first process; those that come later have later numbers.
const FIRST_PID: u64 = 4211;

/// Shares of a core in percent, of the first processes; those of others are at rest.
const SHARES: [f64; 7] = [0.4, 0.0, 2.1, 1.8, 0.2, 12.5, 0.0];

/// Bytes of memory.
const SIZES: [u64; 7] = [48_900_000, 3_300_000, 21_500_000, 22_000_000, 9_100_000, 130_400_000, AT_REST];

/// Of one that only waits.
const AT_REST: u64 = 1_900_000;

/// Spans of time, processes and counts in sentences.
static SPOKEN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let span = r"\d+(?:\.\d+)? (?:ms|s|min|h)(?: \d+ (?:s|min))?\b";
    Regex::new(&format!(r"\b(?:(for|in|has) ({span})|(pid) (\d+)|\d+ of \d+ (failures))")).ok()
});

/// What is left of an hour that has just begun.
const LONG: &str = "59 min";

/// Remembers which process has which number.
#[derive(Debug, Default)]
pub(super) struct Steady {
    pids: BTreeMap<u64, u64>,
}

impl Steady {
    /// A line of JSON with samples in it; anything else as it is.
    pub(super) fn line(&mut self, line: &str, now: Timestamp) -> String {
        let Ok(mut value) = serde_json::from_str::<Value>(line) else { return line.to_owned() };
        // The numbers of our own processes are for asking the system about them.
        if value["answer"] == "pong" {
            return line.to_owned();
        }
        self.value(&mut value, now);
        value.to_string()
    }

    fn value(&mut self, value: &mut Value, now: Timestamp) {
        match value {
            Value::Object(fields) => self.object(fields, now),
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item, now)),
            Value::String(text) => *text = self.text(text, now),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn object(&mut self, fields: &mut Map<String, Value>, now: Timestamp) {
        if let Some(real) = fields.get("pid").and_then(Value::as_u64) {
            let pid = self.pid(real);
            let at = usize::try_from(pid - FIRST_PID).unwrap_or_default();
            for (key, sample) in [
                ("pid", Value::from(pid)),
                ("memory_bytes", Value::from(SIZES.get(at).copied().unwrap_or(AT_REST))),
                ("cpu_percent", Value::from(SHARES.get(at).copied().unwrap_or(0.0))),
            ] {
                if let Some(value) = fields.get_mut(key) {
                    *value = sample;
                }
            }
        }
        fields.values_mut().for_each(|value| self.value(value, now));
    }

    fn text(&mut self, text: &str, now: Timestamp) -> String {
        if let Ok(moment) = text.parse::<Timestamp>() {
            let sample = if moment > now { now + AHEAD } else { now - AGO };
            return sample.to_string();
        }
        let Some(spoken) = SPOKEN.as_ref() else { return text.to_owned() };
        let group = |found: &Captures<'_>, at| found.get(at).map_or("", |it| it.as_str()).to_owned();
        let sample = |found: &Captures<'_>| match (group(found, 1).as_str(), group(found, 2).as_str()) {
            (word, span) if span.starts_with(LONG) => format!("{word} {LONG}"),
            ("for", _) => "for 12 s".to_owned(),
            (word @ ("in" | "has"), _) => format!("{word} 24 s"),
            _ if found.get(3).is_some() => {
                format!("pid {}", group(found, 4).parse().map_or(FIRST_PID, |real| self.pid(real)))
            }
            _ => "2 of 3 failures".to_owned(),
        };
        spoken.replace_all(text, sample).into_owned()
    }

    fn pid(&mut self, real: u64) -> u64 {
        let next = FIRST_PID + self.pids.len() as u64;
        *self.pids.entry(real).or_insert(next)
    }
}

//! What is said of a service that runs or is about to.

use super::{
    Link,
    failing::cause_of,
    past::PastChange,
    predicate::{Told, is_time},
    words::{bytes, times},
};

impl Told<'_> {
    pub(super) fn not_ready(&self, check: &str, answer: Option<&str>) -> String {
        let head = self.starting();
        match answer {
            Some(answer) => format!("{head} is not ready: {check} {answer}"),
            None if is_time(check) => format!("{head} counts as ready {check}"),
            None => format!("{head} waits for {check}"),
        }
    }

    /// `has been starting since 10:05, after 3 failures with exit 1 since 10:02, and`
    pub(super) fn starting(&self) -> String {
        match self.earlier_failures() {
            Some(failures) => format!("has been starting since {}, after {failures}, and", self.since()),
            None => format!("has been starting since {} and", self.since()),
        }
    }

    pub(super) fn running(&self) -> String {
        let since = self.since();
        let trouble = self.log_trouble().map(|text| format!(", but {text}")).unwrap_or_default();
        match (&self.it.behind, self.unmet()) {
            (Some(behind), _) => {
                format!(
                    "has been running since {since} and is restarted as soon as {behind} is ready again{trouble}"
                )
            }
            (None, Some(unmet)) => format!("has been running since {since} and {unmet}{trouble}"),
            (None, None) => format!("has been running since {since}{trouble}"),
        }
    }

    /// How often it was restarted, and why the last time.
    pub(super) fn restarted(&self) -> Option<String> {
        if let Some((change, file)) = self.past.file_before(self.it.status.run) {
            return Some(format!("it was restarted at {} because {file} changed", self.clock(change.at)));
        }
        let restarts = self.it.status.restarts;
        let last = self.past.last_failure();
        match (restarts, last) {
            (0, None) => None,
            (0, Some(last)) => Some(format!("it last failed at {}, {}", self.clock(last.at), self.why(last))),
            (_, None) => Some(format!("it was restarted {}", times(restarts))),
            (1, Some(last)) => {
                Some(format!("it was restarted once, at {}, {}", self.clock(last.at), self.why(last)))
            }
            (_, Some(last)) => Some(format!(
                "it was restarted {}, the last time at {}, {}",
                times(restarts),
                self.clock(last.at),
                self.why(last)
            )),
        }
    }

    /// `because it exited with 1`
    fn why(&self, failure: &PastChange) -> String {
        format!("because {}", self.because(&cause_of(failure)))
    }

    /// `its log has not been writable since 10:05 (No space left on device), and its output is dropped (4.0 KiB so far)`.
    fn log_trouble(&self) -> Option<String> {
        let trouble = self.it.log.as_ref()?;
        let output = match (trouble.dropped, self.it.dropped_bytes) {
            (true, 0) => "and its output is dropped".to_owned(),
            (true, dropped) => format!("and its output is dropped ({} so far)", bytes(dropped)),
            (false, _) => "and it will wait once its pipe is full".to_owned(),
        };
        let since = self.clock(trouble.since);
        Some(format!("its log has not been writable since {since} ({}), {output}", trouble.text))
    }

    pub(super) fn log_link(&self) -> Option<Link> {
        let at = self.it.log.as_ref().map(|trouble| trouble.since);
        let text = self.log_trouble().or_else(|| self.dropped())?;
        Some(Link { service: None, phase: None, code: None, text, at })
    }

    /// What is missing in a log that is written again.
    fn dropped(&self) -> Option<String> {
        let dropped = self.it.dropped_bytes;
        (dropped > 0)
            .then(|| format!("{} of its output were dropped while its log took nothing", bytes(dropped)))
    }
}

//! The line that tells what came of an act, or what went wrong. It goes by itself after a while.

use jiff::{SignedDuration, Timestamp};
use mainstay_wire::{Settled, SettledState};

use crate::{acts::ActRow, clean, text};

/// How long what went well is told.
const NOTE_STAYS: SignedDuration = SignedDuration::from_secs(6);

/// How long what went wrong is told.
const ERROR_STAYS: SignedDuration = SignedDuration::from_secs(30);

/// How many names a message lists.
const NAMES: usize = 4;

/// How it is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Note,
    Error,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) tone: Tone,
    pub(crate) text: String,
    until: Timestamp,
}

impl Message {
    pub(crate) fn note(text: impl Into<String>, now: Timestamp) -> Self {
        Self { tone: Tone::Note, text: text.into(), until: later(now, NOTE_STAYS) }
    }

    pub(crate) fn error(text: &str, now: Timestamp) -> Self {
        Self { tone: Tone::Error, text: clean::text(text), until: later(now, ERROR_STAYS) }
    }

    /// Whether it was told long enough.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        now >= self.until
    }

    /// How an act came out.
    pub(crate) fn of_act(act: &ActRow, outcome: &Result<Vec<Settled>, String>, now: Timestamp) -> Self {
        let services = match outcome {
            Err(text) => return Self::error(&format!("cannot {}: {text}", act.word), now),
            Ok(services) => services,
        };
        let ids = |wanted: &dyn Fn(&Settled) -> bool| -> Vec<&str> {
            services.iter().filter(|service| wanted(service)).map(|service| service.id.as_str()).collect()
        };
        let failed: Vec<&Settled> =
            services.iter().filter(|service| service.state == SettledState::Failed).collect();
        match failed.as_slice() {
            [] => {
                let named = ids(&|service| service.named);
                let others = ids(&|service| !service.named);
                let mut said = format!("{} {}", act.done, text::names(named.into_iter(), NAMES));
                if !others.is_empty() {
                    said.push_str(&format!(", also {}", text::names(others.into_iter(), NAMES)));
                }
                Self::note(clean::text(&said), now)
            }
            [one] => {
                Self::error(&format!("{}: {} is {}: {}", act.word, one.id, one.phase, one.reason.text), now)
            }
            several => {
                let names = text::names(several.iter().map(|service| service.id.as_str()), NAMES);
                Self::error(
                    &format!(
                        "{}: {} of {} did not get there: {names}",
                        act.word,
                        several.len(),
                        services.len()
                    ),
                    now,
                )
            }
        }
    }
}

fn later(now: Timestamp, span: SignedDuration) -> Timestamp {
    now.checked_add(span).unwrap_or(Timestamp::MAX)
}

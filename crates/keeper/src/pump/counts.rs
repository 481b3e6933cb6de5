//! What became of a slot's output: how much was written, how much was dropped, why its log takes nothing, and what others
//! did to it. Counted since
//! this keeper began.

use std::{collections::BTreeMap, time::Duration};

use mainstay_wire::{LogCounts, LogTrouble};

/// Counts to be told, by slot.
pub(crate) type News = BTreeMap<String, LogCounts>;

/// The counts of one slot.
#[derive(Debug, Default)]
pub(super) struct Counts(LogCounts);

impl Counts {
    pub(super) fn written(&mut self, bytes: usize) {
        self.0.written_bytes = self.0.written_bytes.saturating_add(bytes as u64);
    }

    pub(super) fn dropped(&mut self, bytes: usize) {
        self.0.dropped_bytes = self.0.dropped_bytes.saturating_add(bytes as u64);
    }

    /// The log takes nothing; says whether that is new.
    pub(super) fn begin_trouble(&mut self, text: String, wall: Duration) -> bool {
        match &mut self.0.trouble {
            Some(trouble) => {
                trouble.text = text;
                false
            }
            None => {
                let since_ms = u64::try_from(wall.as_millis()).unwrap_or(u64::MAX);
                self.0.trouble = Some(LogTrouble { since_ms, text });
                true
            }
        }
    }

    /// It takes something again; says whether that is new.
    pub(super) fn end_trouble(&mut self) -> bool {
        self.0.trouble.take().is_some()
    }

    /// Somebody else changed the file that is written to.
    pub(super) fn interfered(&mut self, text: String, wall: Duration) {
        let since_ms = u64::try_from(wall.as_millis()).unwrap_or(u64::MAX);
        self.0.interferences = self.0.interferences.saturating_add(1);
        self.0.interference = Some(LogTrouble { since_ms, text });
    }

    pub(super) fn get(&self) -> &LogCounts {
        &self.0
    }
}

//! What became of services' output, as the keeper tells it, and those who wait to be told. It reads no log.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use mainstay_decide::LogTrouble;
use mainstay_model::{ServiceId, WhenFull};
use mainstay_wire::{LogCounts, LogView, Reply, errors_of};
use tokio::sync::oneshot;

/// Counts by slot, and who asked.
#[derive(Debug, Default)]
pub(crate) struct Logs {
    counts: BTreeMap<String, LogCounts>,
    /// Who waits for fresh ones, and for those of which services.
    asking: Vec<(Vec<ServiceId>, oneshot::Sender<Reply>)>,
}

impl Logs {
    /// The keeper told these.
    pub(crate) fn take(&mut self, counts: BTreeMap<String, LogCounts>) {
        for (slot, counts) in counts {
            let old = self.counts.insert(slot.clone(), counts.clone());
            let old = old.and_then(|old| old.trouble);
            match (&old, &counts.trouble) {
                (None, Some(trouble)) => {
                    tracing::warn!("the log of {slot} cannot be written: {}", trouble.text);
                }
                (Some(_), None) => tracing::info!("the log of {slot} is written again"),
                (None, None) | (Some(_), Some(_)) => {}
            }
        }
    }

    /// Those of a service's output, and of its errors when they are kept apart.
    fn of(&self, id: &ServiceId) -> impl Iterator<Item = &LogCounts> {
        let slot = id.to_string();
        [self.counts.get(&slot), self.counts.get(&errors_of(&slot))].into_iter().flatten()
    }

    /// As clients see it.
    pub(crate) fn view(&self, id: &ServiceId) -> LogView {
        LogView {
            written_bytes: self.of(id).map(|counts| counts.written_bytes).sum(),
            dropped_bytes: self.of(id).map(|counts| counts.dropped_bytes).sum(),
            trouble: self.of(id).find_map(|counts| counts.trouble.as_ref()).map(|trouble| {
                let since =
                    i64::try_from(trouble.since_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
                let since = since.map(|since| format!(" since {since:.3}")).unwrap_or_default();
                format!("cannot be written{since}: {}", trouble.text)
            }),
        }
    }

    /// Why its log takes nothing now.
    pub(crate) fn trouble(&self, id: &ServiceId, when_full: WhenFull) -> Option<LogTrouble> {
        let trouble = self.of(id).find_map(|counts| counts.trouble.as_ref())?;
        Some(LogTrouble {
            since: Duration::from_millis(trouble.since_ms),
            text: trouble.text.clone(),
            dropped: when_full == WhenFull::Drop,
        })
    }

    /// This client waits for fresh counts of these; says whether it is the first, so that somebody has to ask.
    pub(crate) fn ask(&mut self, ids: Vec<ServiceId>, reply: oneshot::Sender<Reply>) -> bool {
        self.asking.push((ids, reply));
        self.asking.len() == 1
    }

    /// Those who waited.
    pub(crate) fn take_asking(&mut self) -> Vec<(Vec<ServiceId>, oneshot::Sender<Reply>)> {
        std::mem::take(&mut self.asking)
    }

    /// There is no such service any more.
    pub(crate) fn forget(&mut self, id: &ServiceId) {
        let slot = id.to_string();
        self.counts.remove(&errors_of(&slot));
        self.counts.remove(&slot);
    }
}

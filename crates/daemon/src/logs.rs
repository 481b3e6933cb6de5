//! What became of services' output, as the keeper tells it, and those who wait to be told. It reads no log.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use mainstay_decide::LogTrouble;
use mainstay_model::{ServiceId, WhenFull};
use mainstay_wire::{LogCounts, LogTrouble as WireLogTrouble, LogView, Reply, errors_of};
use tokio::sync::oneshot;

use crate::slot::BESIDE;

/// Counts by slot, and who asked.
#[derive(Debug, Default)]
pub(crate) struct Logs {
    counts: BTreeMap<String, LogCounts>,
    /// Who waits for fresh ones, and for those of which services.
    asking: Vec<(Vec<ServiceId>, oneshot::Sender<Reply>)>,
    /// When the interference was that was told last, by slot; milliseconds since the Unix epoch.
    told: BTreeMap<String, u64>,
}

/// Others that truncate a log all the time are told of not more often than this; all are counted.
const TELL_AGAIN: Duration = Duration::from_secs(3600);

impl Logs {
    /// The keeper told these; gives what the history is to know.
    pub(crate) fn take(&mut self, counts: BTreeMap<String, LogCounts>) -> Vec<String> {
        let mut notes = Vec::new();
        for (slot, counts) in counts {
            if let Some(latest) = counts.interference.as_ref().filter(|latest| self.is_news(&slot, latest)) {
                let text = format!("the log of {slot} was changed by somebody else: {}", latest.text);
                tracing::warn!("{text}");
                notes.push(text);
                self.told.insert(slot.clone(), latest.since_ms);
            }
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
        notes
    }

    fn is_news(&self, slot: &str, latest: &WireLogTrouble) -> bool {
        let since = |told: &u64| Duration::from_millis(latest.since_ms.saturating_sub(*told));
        self.told.get(slot).is_none_or(|told| since(told) >= TELL_AGAIN)
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
            trouble: self
                .of(id)
                .find_map(|counts| counts.trouble.as_ref())
                .map(|trouble| format!("cannot be written{}: {}", time(" since", trouble), trouble.text)),
            interference: self.interference(id),
        }
    }

    fn interference(&self, id: &ServiceId) -> Option<String> {
        let count: u64 = self.of(id).map(|counts| counts.interferences).sum();
        let latest = self.of(id).filter_map(|counts| counts.interference.as_ref());
        let latest = latest.max_by_key(|latest| latest.since_ms)?;
        let often = match count {
            1 => String::new(),
            count => format!(" {count} times, the last time"),
        };
        Some(format!("was changed by somebody else{often}{}: {}", time(" at", latest), latest.text))
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
        let is_first = self.asking.is_empty();
        // While the keeper does not answer, those that have gone make room.
        self.asking.retain(|(_, reply)| !reply.is_closed());
        self.asking.push((ids, reply));
        is_first
    }

    /// Those who waited.
    pub(crate) fn take_asking(&mut self) -> Vec<(Vec<ServiceId>, oneshot::Sender<Reply>)> {
        std::mem::take(&mut self.asking)
    }

    /// There is no such service any more: neither its streams nor those of its hooks.
    pub(crate) fn forget(&mut self, id: &ServiceId) {
        let (slot, beside) = (id.to_string(), format!("{id}{BESIDE}"));
        let is_its_own = |other: &String| *other == slot || other.starts_with(&beside);
        self.counts.retain(|slot, _| !is_its_own(slot));
        self.told.retain(|slot, _| !is_its_own(slot));
    }
}

/// ` since 2026-01-02T03:04:05.678Z`
fn time(word: &str, trouble: &WireLogTrouble) -> String {
    let time = i64::try_from(trouble.since_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    time.map(|time| format!("{word} {time:.3}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_stays_of_what_is_forgotten() {
        let mut logs = Logs::default();
        let interference = Some(WireLogTrouble { since_ms: 1, text: "it was moved".to_owned() });
        let counts = LogCounts { interference, ..LogCounts::default() };
        let slots = ["api", "api+stderr", "api+before_start", "api+reload+stderr", "api@1", "apix"];
        logs.take(slots.map(|slot| (slot.to_owned(), counts.clone())).into());
        logs.forget(&"api".parse().unwrap());
        let left = ["api@1", "apix"];
        assert!(logs.counts.keys().eq(left.iter()) && logs.told.keys().eq(left.iter()), "{logs:?}");
    }

    #[test]
    fn those_that_have_gone_wait_no_more() {
        let mut logs = Logs::default();
        let (here, _stays) = oneshot::channel();
        assert!(logs.ask(Vec::new(), here));
        for _ in 0..1000 {
            let (gone, _) = oneshot::channel();
            assert!(!logs.ask(Vec::new(), gone), "it is asked already");
        }
        assert_eq!(logs.asking.len(), 2);
    }

    #[test]
    fn what_others_do_to_a_log_is_counted_and_told_once_an_hour() {
        let mut logs = Logs::default();
        let api: ServiceId = "api".parse().unwrap();
        let mut take = |interferences, since_ms| {
            let interference = Some(WireLogTrouble { since_ms, text: "it was moved or deleted".to_owned() });
            let counts = LogCounts { interferences, interference, ..LogCounts::default() };
            logs.take([("api".to_owned(), counts)].into())
        };
        assert_eq!(take(1, 1000), ["the log of api was changed by somebody else: it was moved or deleted"]);
        assert!(take(1, 1000).is_empty() && take(9, 60_000).is_empty());
        assert_eq!(take(10, 3_700_000).len(), 1);
        assert_eq!(
            logs.view(&api).interference.unwrap(),
            "was changed by somebody else 10 times, the last time at 1970-01-01T01:01:40.000Z: it was moved or deleted"
        );
        assert_eq!(Logs::default().view(&api), LogView::default());
    }
}

//! What becomes of tasks and processes, on its way to the loop. Of what one run says of itself only the latest waits, so that a
//! run that talks without end fills nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mainstay_decide::{Event, Notice};
use mainstay_model::{Health, RunId, ServiceId};
use tokio::sync::mpsc::UnboundedSender;

use crate::{
    controller::Outlet,
    monitor::{Messenger, Report},
};

/// The longest sentence that is kept of what a service says of itself, in bytes.
const SENTENCE_LIMIT: usize = 512;

/// Something that happened.
#[derive(Debug)]
pub(crate) enum Heard {
    /// To this service.
    Event(ServiceId, Event),
    /// There is something in here.
    News(Arc<Mailbox>),
}

/// Where it is told.
pub(crate) type Ear = UnboundedSender<Heard>;

/// What one run says of itself.
#[derive(Debug)]
pub(crate) struct Mailbox {
    pub(crate) id: ServiceId,
    pub(crate) run: RunId,
    ear: Ear,
    news: Mutex<News>,
}

#[derive(Debug, Default)]
struct News {
    /// It was ready before what is the latest.
    was_ready: bool,
    latest: Option<Notice>,
    said: Option<String>,
    feels: Option<Health>,
    alive: bool,
    /// A sign of life, and whatever else is no state.
    others: Option<Notice>,
    is_queued: bool,
}

impl Mailbox {
    pub(crate) fn new(id: ServiceId, run: RunId, ear: Ear) -> Arc<Self> {
        Arc::new(Self { id, run, ear, news: Mutex::default() })
    }

    /// Puts something in.
    pub(crate) fn put(self: &Arc<Self>, notice: Notice) {
        let mut news = self.locked();
        match notice {
            state @ (Notice::Ready | Notice::Reloading | Notice::Stopping) => {
                news.was_ready |= news.latest == Some(Notice::Ready);
                news.latest = Some(state);
            }
            Notice::Said(words) => news.said = Some(cut(words)),
            Notice::Feels(health) => news.feels = Some(health),
            Notice::Alive => news.alive = true,
            other @ (Notice::Extend(_) | Notice::MainPid(_) | Notice::Trigger | Notice::Watchdog(_)) => {
                news.others = Some(other);
            }
        }
        if !std::mem::replace(&mut news.is_queued, true) {
            // When nobody hears any more, all is over.
            let _ = self.ear.send(Heard::News(Arc::clone(self)));
        }
    }

    /// Takes everything out, in an order in which it makes sense.
    pub(crate) fn take(&self) -> impl Iterator<Item = Notice> {
        let news = std::mem::take(&mut *self.locked());
        let was_ready = (news.was_ready && news.latest != Some(Notice::Ready)).then_some(Notice::Ready);
        let alive = news.alive.then_some(Notice::Alive);
        let states = news.others.into_iter().chain(was_ready).chain(news.latest);
        let feels = news.feels.map(Notice::Feels);
        states.chain(news.said.map(Notice::Said)).chain(feels).chain(alive)
    }

    fn locked(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cut(mut words: String) -> String {
    let end = (0..=SENTENCE_LIMIT.min(words.len())).rev().find(|end| words.is_char_boundary(*end));
    words.truncate(end.unwrap_or(0));
    words
}

/// A task says so by its context.
#[derive(Debug)]
pub(crate) struct Voice(pub(crate) Arc<Mailbox>);

impl Messenger for Voice {
    fn publish(&mut self, report: &Report) {
        if let Some(health) = Health::from_word(&report.monitor.status) {
            self.0.put(Notice::Feels(health));
        }
    }
}

impl Outlet for Voice {
    fn ready(&self, words: &str) {
        self.0.put(Notice::Ready);
        self.status(words);
    }

    fn reloading(&self) {
        self.0.put(Notice::Reloading);
    }

    fn stopping(&self, words: &str) {
        self.0.put(Notice::Stopping);
        self.status(words);
    }

    fn status(&self, words: &str) {
        self.0.put(Notice::Said(words.to_owned()));
    }
}

/// What a process says in one datagram (`sd_notify(3)`).
pub(crate) fn notices(datagram: &[u8]) -> Vec<Notice> {
    let text = String::from_utf8_lossy(datagram);
    let span = |value: &str| value.parse().ok().map(std::time::Duration::from_micros);
    let notice = |line: &str| match line.split_once('=')? {
        ("READY", "1") => Some(Notice::Ready),
        ("RELOADING", "1") => Some(Notice::Reloading),
        ("STOPPING", "1") => Some(Notice::Stopping),
        ("STATUS", words) => Some(Notice::Said(words.to_owned())),
        ("WATCHDOG", "1") => Some(Notice::Alive),
        ("WATCHDOG", "trigger") => Some(Notice::Trigger),
        ("WATCHDOG_USEC", value) => span(value).map(Notice::Watchdog),
        ("EXTEND_TIMEOUT_USEC", value) => span(value).map(Notice::Extend),
        _ => None,
    };
    text.lines().filter_map(notice).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mailbox() -> (Arc<Mailbox>, tokio::sync::mpsc::UnboundedReceiver<Heard>) {
        let (ear, heard) = tokio::sync::mpsc::unbounded_channel();
        (Mailbox::new("api".parse().unwrap(), RunId(1), ear), heard)
    }

    #[test]
    fn of_what_a_run_says_the_latest_waits_and_no_state_is_lost() {
        let (mailbox, mut heard) = mailbox();
        for _ in 0..1_000 {
            mailbox.put(Notice::Ready);
            mailbox.put(Notice::Said("one".to_owned()));
            mailbox.put(Notice::Reloading);
            mailbox.put(Notice::Said("ä".repeat(SENTENCE_LIMIT)));
        }
        assert!(heard.try_recv().is_ok() && heard.try_recv().is_err());
        let taken: Vec<Notice> = mailbox.take().collect();
        assert_eq!(taken[..2], [Notice::Ready, Notice::Reloading]);
        assert!(matches!(&taken[2..], [Notice::Said(words)] if words.len() == SENTENCE_LIMIT));
        assert_eq!(mailbox.take().count(), 0);
        mailbox.put(Notice::Ready);
        assert!(heard.try_recv().is_ok());
        assert_eq!(mailbox.take().collect::<Vec<_>>(), [Notice::Ready]);
    }

    #[test]
    fn a_datagram_is_read_line_by_line() {
        let said = notices(b"READY=1\nSTATUS=a=b\nMONOTONIC_USEC=5\nREADY=0\nWATCHDOG_USEC=2000\nX\n\xff");
        let span = std::time::Duration::from_millis(2);
        assert_eq!(said, [Notice::Ready, Notice::Said("a=b".to_owned()), Notice::Watchdog(span)]);
    }
}

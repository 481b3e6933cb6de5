//! What a supervisor is told of a service is overheard here, so that callers can be told as well: its status, its counts, its
//! configuration, its events.

use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use mainstay_wire::CallEvent;
use serde_json::{Value, json};
use tokio::sync::broadcast;

use super::{EVENT_LIMIT, EVENTS_LIMIT};
use crate::{
    Explained,
    controller::{Note, Outlet},
};

/// An event as a line, without its end.
pub(super) type EventLine = Arc<str>;

/// An outlet that remembers what goes through it.
pub(super) struct Tap {
    next: Arc<dyn Outlet>,
    told: Mutex<Told>,
    pub(super) counts: Counts,
    /// There once somebody has subscribed.
    events: OnceLock<broadcast::Sender<EventLine>>,
}

/// What was told last.
#[derive(Clone, Debug)]
pub(super) struct Told {
    /// One of the words of a status.
    pub(super) status: &'static str,
    pub(super) text: String,
    pub(super) is_ready: bool,
    pub(super) settings: Vec<Explained>,
}

/// What has happened since the process began.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) restarts: Count,
    pub(super) ticks: Count,
    pub(super) failed_ticks: Count,
    pub(super) calls: Count,
    pub(super) failed_calls: Count,
}

/// How often something has happened.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Tap {
    pub(super) fn new(next: Arc<dyn Outlet>) -> Self {
        let told =
            Told { status: "startup", text: "starting".to_owned(), is_ready: false, settings: Vec::new() };
        Self { next, told: Mutex::new(told), counts: Counts::default(), events: OnceLock::new() }
    }

    pub(super) fn told(&self) -> Told {
        self.locked().clone()
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<EventLine> {
        self.events.get_or_init(|| broadcast::Sender::new(EVENTS_LIMIT)).subscribe()
    }

    /// Changes what was told; who listens learns of another status or text.
    fn tell(&self, change: impl FnOnce(&mut Told)) {
        let mut told = self.locked();
        let before = (told.status, told.text.clone());
        change(&mut told);
        if before != (told.status, told.text.clone()) {
            let data = json!({ "status": told.status, "text": told.text });
            drop(told);
            self.event("status", &|| Ok(data.clone()));
        }
    }

    fn locked(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outlet for Tap {
    fn ready(&self, words: &str) {
        self.next.ready(words);
        self.tell(|told| {
            told.is_ready = true;
            told.text = words.to_owned();
            // A tick that failed has not become another one by a reload.
            if told.status != "error" {
                told.status = "ok";
            }
        });
    }

    fn reloading(&self) {
        self.next.reloading();
    }

    fn stopping(&self, words: &str) {
        self.next.stopping(words);
        self.tell(|told| {
            told.status = "shutdown";
            told.is_ready = false;
            told.text = words.to_owned();
        });
    }

    fn status(&self, words: &str) {
        self.next.status(words);
        self.tell(|told| told.text = words.to_owned());
    }

    fn note(&self, note: Note<'_>) {
        self.next.note(note);
        match note {
            Note::Configured(settings) => self.locked().settings = settings.to_vec(),
            Note::Ticked { well } => {
                self.counts.ticks.add();
                if !well {
                    self.counts.failed_ticks.add();
                }
                self.tell(|told| told.status = if well { "ok" } else { "error" });
            }
            Note::Anew => {
                self.counts.restarts.add();
                self.tell(|told| {
                    told.status = "startup";
                    told.text = "starting".to_owned();
                    told.is_ready = false;
                });
            }
        }
    }

    fn event(&self, name: &str, data: &dyn Fn() -> serde_json::Result<Value>) {
        self.next.event(name, data);
        let Some(events) = self.events.get().filter(|events| events.receiver_count() > 0) else { return };
        let line = data()
            .and_then(|data| serde_json::to_string(&CallEvent { event: name.to_owned(), data }))
            .map_err(|error| error.to_string());
        match line {
            Ok(line) if line.len() > EVENT_LIMIT => {
                tracing::warn!(
                    "the event `{name}` has {} bytes, and at most {EVENT_LIMIT} are sent",
                    line.len()
                );
            }
            // The last subscriber may have gone in this moment.
            Ok(line) => drop(events.send(line.into())),
            Err(error) => tracing::warn!("the event `{name}` cannot be written as JSON: {error}"),
        }
    }
}

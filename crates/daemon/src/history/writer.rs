//! The thread that owns the database: it gathers rows, writes them together, and answers questions in between.

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use mainstay_wire::{Reply, WireError};
use tokio::sync::oneshot;

use super::{
    aside::set_aside,
    error::HistoryError,
    explain::Matter,
    nanos,
    question::Asked,
    row::{Note, Row},
    store::{Bounds, Store},
};

/// So many rows are written without waiting for more.
const BATCH_LIMIT: usize = 512;

/// How many rows wait for a database that cannot be written to; then the oldest are lost, and counted.
const PENDING_LIMIT: usize = 4096;

/// What the loop hands over.
#[derive(Debug)]
pub(super) enum Message {
    /// Something happened.
    Row(Box<Row>),
    /// So many rows had no room.
    Missed(u64),
    /// Somebody asks.
    Ask(Box<Asked>),
    /// Somebody asks why.
    Explain(Box<Matter>, oneshot::Sender<Reply>),
}

/// How long things wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// The first row of a batch, for others.
    pub(super) batch: Duration,
    /// After a failure, until it is tried again.
    pub(super) retry: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { batch: Duration::from_secs(1), retry: Duration::from_secs(30) }
    }
}

/// The thread's own state.
#[derive(Debug)]
pub(super) struct Writer {
    path: PathBuf,
    bounds: Bounds,
    pace: Pace,
    place: Place,
    pending: VecDeque<Row>,
    /// When what waits is written, if something does.
    due: Option<Instant>,
    /// Rows that are not kept, since the last one that was.
    lost: u64,
    /// What keeps rows from being written; it was said.
    trouble: Option<String>,
}

/// The database.
#[derive(Debug)]
enum Place {
    /// Not opened yet.
    Closed,
    /// It can be written to.
    Open(Box<Store>),
    /// It is of a later version: nothing is kept, and the file is left alone.
    Off,
}

impl Writer {
    pub(super) fn new(path: PathBuf, bounds: Bounds, pace: Pace) -> Self {
        Self {
            path,
            bounds,
            pace,
            place: Place::Closed,
            pending: VecDeque::new(),
            due: None,
            lost: 0,
            trouble: None,
        }
    }

    /// Works until nobody is left who could hand anything over.
    pub(super) fn run(mut self, messages: &Receiver<Message>) {
        loop {
            let message = match self.due {
                None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(due) => messages.recv_timeout(due.saturating_duration_since(Instant::now())),
            };
            match message {
                Ok(Message::Row(row)) => self.add(*row),
                Ok(Message::Missed(rows)) => self.lost += rows,
                Ok(Message::Ask(asked)) => self.answer(*asked),
                Ok(Message::Explain(matter, reply)) => self.explain(&matter, reply),
                Err(RecvTimeoutError::Timeout) => self.write(),
                Err(RecvTimeoutError::Disconnected) => return self.write(),
            }
        }
    }

    fn add(&mut self, row: Row) {
        if matches!(self.place, Place::Off) {
            return;
        }
        if self.pending.len() >= PENDING_LIMIT {
            self.pending.pop_front();
            self.lost += 1;
        }
        self.pending.push_back(row);
        self.due.get_or_insert_with(|| Instant::now() + self.pace.batch);
        if self.pending.len() >= BATCH_LIMIT && self.trouble.is_none() {
            self.write();
        }
    }

    /// Writes what waits. After a failure it goes on waiting, and is tried again later.
    fn write(&mut self) {
        self.due = None;
        if self.pending.is_empty() && self.lost == 0 {
            return;
        }
        let written = match self.append() {
            Err(error) if error.is_broken() => self.begin_anew(&error).and_then(|()| self.append()),
            other => other,
        };
        match written {
            Ok(()) => {
                self.pending.clear();
                self.lost = 0;
                if self.trouble.take().is_some() {
                    tracing::info!("history is kept again");
                }
            }
            Err(error @ HistoryError::Later { .. }) => {
                tracing::error!("no history is kept: {error}");
                self.place = Place::Off;
                self.pending = VecDeque::new();
            }
            Err(error) => {
                let text = error.to_string();
                if self.trouble.is_none() {
                    tracing::error!("history cannot be kept at the moment, services go on: {text}");
                }
                self.trouble = Some(text);
                // The next try opens it again: somebody may have put another one there.
                self.place = Place::Closed;
                self.due = Some(Instant::now() + self.pace.retry);
            }
        }
    }

    fn append(&mut self) -> Result<(), HistoryError> {
        let loss = (self.lost > 0).then(|| Row::Note(self.loss()));
        let rows: Vec<&Row> = loss.iter().chain(&self.pending).collect();
        let bounds = self.bounds;
        let store = open(&mut self.place, &self.path)?;
        store.append(rows.into_iter(), &bounds)
    }

    /// What is written in the place of rows that are lost.
    fn loss(&self) -> Note {
        let why = self.trouble.as_deref().unwrap_or("they came faster than they could be written");
        Note {
            time: nanos(Timestamp::now()),
            code: "history-lost",
            text: format!("{} events were not kept: {why}", self.lost),
            generation: None,
            peer: None,
        }
    }

    /// The file is no database any more: it is kept under another name, and a new one begun.
    fn begin_anew(&mut self, error: &HistoryError) -> Result<(), HistoryError> {
        self.place = Place::Closed;
        let aside = set_aside(&self.path);
        let aside = aside.map_err(|source| HistoryError::File {
            act: "move aside the broken",
            path: self.path.clone(),
            source,
        })?;
        tracing::error!("{error}; it was moved to `{}`, and a new history begins", aside.display());
        Ok(())
    }

    fn answer(&mut self, asked: Asked) {
        self.write();
        let Asked { question, known, reply } = asked;
        let answer = open(&mut self.place, &self.path)
            .and_then(|store| store.answer(&question, &known, nanos(Timestamp::now())));
        if let Err(error) = &answer
            && error.is_broken()
            && let Err(error) = self.begin_anew(error)
        {
            tracing::error!("{error}");
        }
        // A client that left in this moment needs no answer.
        let _ = reply.send(answer.map_err(WireError::from).into());
        if let Place::Open(store) = &self.place {
            store.rest();
        }
    }

    /// Without a database, with what is known without it.
    fn explain(&mut self, matter: &Matter, reply: oneshot::Sender<Reply>) {
        self.write();
        let store = open(&mut self.place, &self.path).ok();
        let answer = matter.answer(store.as_deref().map(Store::connection), self.path.parent());
        // A client that left in this moment needs no answer.
        let _ = reply.send(Ok(answer).into());
        if let Place::Open(store) = &self.place {
            store.rest();
        }
    }
}

fn open<'a>(place: &'a mut Place, path: &std::path::Path) -> Result<&'a mut Store, HistoryError> {
    if !matches!(place, Place::Open(_)) {
        *place = Place::Open(Box::new(Store::open(path)?));
    }
    match place {
        Place::Open(store) => Ok(store),
        Place::Closed | Place::Off => Err(HistoryError::File {
            act: "open",
            path: path.to_owned(),
            source: std::io::ErrorKind::NotFound.into(),
        }),
    }
}

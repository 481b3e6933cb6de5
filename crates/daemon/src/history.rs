//! What happened, kept in `history.db`: every transition with its reason, and who asked for what. It decides nothing.
//!
//! One thread owns the database. The loop hands rows over and never waits: a full channel is a counted loss, and so is a
//! full disk. Rows wait at most [`Pace::batch`] for others before they are written together, so that after a power cut that
//! much may be missing; while nothing waits, nothing wakes. Questions go the same way as rows, and see all before them.

mod aside;
mod error;
mod explain;
mod page;
mod question;
mod report;
mod row;
mod schema;
mod store;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    path::{Path, PathBuf},
    sync::mpsc::{SyncSender, TrySendError, sync_channel},
    thread,
    time::Duration,
};

use jiff::Timestamp;
use mainstay_decide::Change;
use mainstay_model::{Exit, Kind, PhaseName, Reason, RunId, ServiceId, Spec};
use mainstay_wire::{Answer, ErrorCode, MemoEnd, Reply, Request, WireError};
use tokio::sync::oneshot;

use self::{
    error::HistoryError,
    question::{Asked, Question},
    row::{Changed, Note, Row},
    store::{Bounds, Store},
    writer::{Message, Pace, Writer},
};
pub(crate) use self::{explain::Matter, report::STARTED};
use crate::{clock, wake::Peer};

/// How many rows and questions wait for the thread.
const CHANNEL_LIMIT: usize = 4096;

/// A wall clock that is set back by no more than this leaves the order of events as it was.
const SMALL_STEP: Duration = Duration::from_secs(60);

/// The way to the thread that keeps what happened. Dropped, everything that waits is still written.
#[derive(Debug, Default)]
pub(crate) struct History {
    sender: Option<SyncSender<Message>>,
    /// Ends when the thread has written everything and is gone.
    written: Option<oneshot::Receiver<()>>,
    /// What runs, for the rows that follow; `None`: nothing that has a number.
    pub(crate) generation: Option<u64>,
    /// Rows that had no room in the channel.
    missed: u64,
    /// The latest time of a row, in nanoseconds since the Unix epoch.
    latest: i64,
}

impl History {
    /// Begins to keep what happens, in this folder.
    pub(crate) fn begin(state_dir: &Path) -> Self {
        Self::begin_at(path(state_dir), Bounds::default(), Pace::default())
    }

    fn begin_at(path: PathBuf, bounds: Bounds, pace: Pace) -> Self {
        let (sender, receiver) = sync_channel(CHANNEL_LIMIT);
        let (done, written) = oneshot::channel::<()>();
        let work = move || {
            Writer::new(path, bounds, pace).run(&receiver);
            drop(done);
        };
        match thread::Builder::new().name("history".to_owned()).spawn(work) {
            Ok(_) => Self { sender: Some(sender), written: Some(written), ..Self::default() },
            Err(error) => {
                tracing::error!("no history is kept: its thread cannot be started: {error}");
                Self::default()
            }
        }
    }

    /// A service changed. Of one that is no more, the kind is not known.
    pub(crate) fn changed(&mut self, change: &Change, kind: Option<Kind>) {
        let row = Changed {
            time: self.stamp(),
            id: change.id.clone(),
            kind,
            from: change.from,
            to: change.to,
            run: change.run,
            ready: change.ready,
            wanted: change.wanted,
            failed: change.failed,
            attempt: change.attempt,
            exit: change.exit,
            code: change.reason.code().to_owned(),
            text: change.reason.sentence(clock::now()),
            generation: self.generation,
            recalled: false,
        };
        self.send(Row::Changed(row));
    }

    /// A service is like this, as a daemon finds it that has just begun: kept if the latest change is another, because what
    /// the daemon before it saw last may be lost.
    pub(crate) fn found(&mut self, service: &mainstay_decide::Service) {
        let row = Changed {
            time: self.stamp(),
            id: service.spec().id.clone(),
            kind: Some(service.spec().kind),
            from: service.phase().name(),
            to: service.phase().name(),
            run: service.run(),
            ready: service.is_ready(),
            wanted: service.goal() == mainstay_decide::Goal::Up,
            failed: false,
            attempt: service.attempts(),
            exit: None,
            code: service.reason().code().to_owned(),
            text: service.reason().sentence(clock::now()),
            generation: self.generation,
            recalled: true,
        };
        self.send(Row::Changed(row));
    }

    /// A run ended while an earlier daemon was there: kept if its end is not, which that one may have had no time for.
    pub(crate) fn ended_before(&mut self, id: &ServiceId, spec: Option<&Spec>, end: &MemoEnd) {
        let Some(to) = PhaseName::from_word(&end.phase) else { return };
        let exit: Exit = end.exit.into();
        let goes_on = matches!(to, PhaseName::Waiting | PhaseName::Starting);
        let success = |code| spec.is_some_and(|spec| spec.restart.success_exit_codes.contains(&code));
        let is_well = matches!(exit, Exit::Code(code) if success(code));
        let reason = Reason::Exited(exit);
        let row = Changed {
            time: end.at,
            id: id.clone(),
            kind: spec.map(|spec| spec.kind),
            from: PhaseName::Running,
            to,
            // Without a pause, the same change begins the next run, whose number it has.
            run: RunId(end.run + u64::from(to == PhaseName::Starting)),
            ready: false,
            wanted: goes_on,
            failed: to == PhaseName::Failed || (goes_on && !is_well),
            attempt: end.attempts,
            exit: Some(exit),
            code: reason.code().to_owned(),
            text: reason.sentence(clock::now()),
            generation: self.generation,
            recalled: true,
        };
        self.send(Row::Changed(row));
    }

    /// Something happened to the project.
    pub(crate) fn note(&mut self, code: &'static str, text: String, peer: Option<Peer>) {
        let time = self.stamp();
        let generation = self.generation;
        self.send(Row::Note(Note { time, code, text, generation, peer }));
    }

    /// Answers `history` and `report`, in its own time. `known` are the services of the project.
    pub(crate) fn ask(&self, request: &Request, known: Vec<ServiceId>, reply: oneshot::Sender<Reply>) {
        let refuse = |reply: oneshot::Sender<Reply>, error: WireError| drop(reply.send(Err(error).into()));
        let question = match Question::of(request) {
            Ok(question) => question,
            Err(error) => return refuse(reply, error),
        };
        let message = Message::Ask(Box::new(Asked { question, known, reply }));
        let unsent = match &self.sender {
            None => Some(message),
            Some(sender) => sender.try_send(message).err().map(|error| match error {
                TrySendError::Full(message) | TrySendError::Disconnected(message) => message,
            }),
        };
        if let Some(Message::Ask(asked)) = unsent {
            let error = WireError::new(ErrorCode::Failed, "the history cannot answer at the moment");
            refuse(asked.reply, error.with_help("`mainstay logs @daemon` may say why; else ask again"));
        }
    }

    /// Answers `explain`, in its own time; where no history can be asked, with what is known without it.
    pub(crate) fn explain(&self, matter: Matter, reply: oneshot::Sender<Reply>) {
        let message = Message::Explain(Box::new(matter), reply);
        let unsent = match &self.sender {
            None => Some(message),
            Some(sender) => sender.try_send(message).err().map(|error| match error {
                TrySendError::Full(message) | TrySendError::Disconnected(message) => message,
            }),
        };
        if let Some(Message::Explain(matter, reply)) = unsent {
            // A client that left in this moment needs no answer.
            let _ = reply.send(Ok(matter.answer(None, None)).into());
        }
    }

    /// Lets the thread write what waits and end; returns when it has.
    pub(crate) async fn finish(&mut self) {
        if let Some(sender) = self.sender.take().filter(|_| self.missed > 0) {
            // Where there is no room for this either, the row of the loss is lost as well.
            let _ = sender.try_send(Message::Missed(self.missed));
        }
        if let Some(written) = self.written.take() {
            // It ends with an error, because nothing is ever sent.
            let _ = written.await;
        }
    }

    /// Nanoseconds of the wall clock. Events are ordered by it: a small step back makes no knot in them, and a large one is
    /// believed.
    fn stamp(&mut self) -> i64 {
        let now = nanos(Timestamp::now());
        let back = u64::try_from(self.latest.saturating_sub(now)).unwrap_or(0);
        if Duration::from_nanos(back) > SMALL_STEP || now > self.latest {
            self.latest = now;
        }
        self.latest
    }

    fn send(&mut self, row: Row) {
        let Some(sender) = &self.sender else { return };
        if self.missed > 0 && sender.try_send(Message::Missed(self.missed)).is_ok() {
            self.missed = 0;
        }
        if self.missed > 0 || sender.try_send(Message::Row(Box::new(row))).is_err() {
            self.missed += 1;
        }
    }
}

/// Answers `history` and `report` from the files alone, for when no daemon runs. `None`: nothing was ever kept. `known` are
/// the services of the project.
///
/// # Errors
/// What the request asks for is not there, or the files cannot be read.
pub fn read_history(
    state_dir: &Path,
    request: &Request,
    known: &[ServiceId],
) -> Result<Option<Answer>, WireError> {
    let path = path(state_dir);
    let question = Question::of(request)?;
    match path.try_exists() {
        Ok(false) => return Ok(None),
        Ok(true) => {}
        Err(source) => return Err(HistoryError::File { act: "look for", path, source }.into()),
    }
    let Some(store) = Store::open_reading(&path)? else { return Ok(None) };
    // Nobody saw what came after the last event.
    let until = store.latest()?.unwrap_or_else(|| nanos(Timestamp::now()));
    Ok(Some(store.answer(&question, known, until)?))
}

fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("history.db")
}

/// Nanoseconds since the Unix epoch; what lies beyond three hundred years is the end of that.
fn nanos(time: Timestamp) -> i64 {
    i64::try_from(time.as_nanosecond()).unwrap_or(i64::MAX)
}

/// RFC 3339 in UTC with milliseconds.
fn text(nanos: i64) -> String {
    let time = Timestamp::from_nanosecond(i128::from(nanos)).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{time:.3}")
}

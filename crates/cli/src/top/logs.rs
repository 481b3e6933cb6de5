//! Following the logs that the view shows. Lines wait in a bounded store until the next frame fetches them.

use std::{
    collections::HashMap,
    ops::ControlFlow,
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use mainstay_logs::{Follow, From, Handle, LogError};
use mainstay_top::{Input, LogSource, WrittenLine};

use super::wake::{Bell, Wake};

/// How many lines of each log are shown before what comes: of one, and of each of several.
const LINES: (u64, u64) = (2_000, 200);

/// The longest line that is handed on, in bytes; more than a screen shows.
const LINE_LIMIT: usize = 16 * 1024;

/// How many bytes wait for a frame; whoever reads more waits too.
const WAITING: usize = 4 * 1024 * 1024;

/// What a line costs beside its bytes.
const PER_LINE: usize = 64;

/// Lines that wait for a frame.
#[derive(Debug, Default)]
struct Store {
    state: Mutex<State>,
    room: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Whose lines these are; others are not wanted any more.
    number: u64,
    lines: Vec<WrittenLine>,
    bytes: usize,
}

/// Whoever follows logs.
pub(super) struct Logs {
    store: Arc<Store>,
    running: Arc<Mutex<HashMap<u64, Handle>>>,
    bell: Bell,
}

impl Logs {
    pub(super) fn new(bell: Bell) -> Self {
        Self { store: Arc::default(), running: Arc::default(), bell }
    }

    /// Follows these in place of those before.
    pub(super) fn follow(&self, number: u64, sources: Vec<LogSource>) {
        *self.store.lock() = State { number, ..State::default() };
        self.store.room.notify_all();
        for (_, handle) in lock(&self.running).drain() {
            handle.finish();
        }
        if sources.is_empty() {
            return;
        }
        let (store, running) = (Arc::clone(&self.store), Arc::clone(&self.running));
        self.bell.spawn(move |bell| {
            if let Err(error) = run(number, &sources, &store, &running, bell) {
                let help = error.help().map(|help| format!("; {help}")).unwrap_or_default();
                let _ = bell.tell(Input::Unreadable { follow: number, text: format!("{error}{help}") });
            }
            lock(&running).remove(&number);
        });
    }

    /// What was written since it was last asked for.
    pub(super) fn fetch(&self) -> Input {
        let mut state = self.store.lock();
        state.bytes = 0;
        let lines = std::mem::take(&mut state.lines);
        self.store.room.notify_all();
        Input::Written { follow: state.number, lines }
    }
}

fn run(
    number: u64,
    sources: &[LogSource],
    store: &Store,
    running: &Mutex<HashMap<u64, Handle>>,
    bell: &Bell,
) -> Result<(), LogError> {
    let names: Vec<String> = sources.iter().filter_map(|source| name(&source.dir)).collect();
    let Some(root) = sources.first().and_then(|source| Path::new(&source.dir).parent()) else {
        return Ok(());
    };
    let lines = if names.len() == 1 { LINES.0 } else { LINES.1 };
    let follow = Follow::new(root, &names, From::Last(lines))?;
    lock(running).insert(number, follow.handle());
    if store.lock().number != number {
        return Ok(());
    }
    follow.run(&mut |line| {
        let text = &line.text[..line.text.len().min(LINE_LIMIT)];
        store.put(number, WrittenLine { service: line.service.to_owned(), text: text.to_vec() }, bell)
    })
}

/// A log's folder is called as its service.
fn name(dir: &str) -> Option<String> {
    Path::new(dir).file_name()?.to_str().map(str::to_owned)
}

impl Store {
    fn put(&self, number: u64, line: WrittenLine, bell: &Bell) -> ControlFlow<()> {
        let mut state = self.lock();
        while state.number == number && state.bytes >= WAITING {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.number != number {
            return ControlFlow::Break(());
        }
        let is_first = state.lines.is_empty();
        state.bytes += line.text.len() + PER_LINE;
        state.lines.push(line);
        // The one who fetches must not wait for what is waited for here.
        drop(state);
        if is_first && bell.ring(Wake::Written).is_err() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

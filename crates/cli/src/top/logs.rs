//! Following the logs that the view shows. Lines wait until the next frame fetches them; of a flood only the last are kept,
//! as the view keeps no more either.

use std::{
    collections::{HashMap, VecDeque},
    ops::ControlFlow,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use mainstay_logs::{Follow, From, Handle, LogError};
use mainstay_top::{Input, LINES_KEPT, LogSource, WrittenLine};

use super::wake::{Bell, Wake};

/// How many lines of each log are shown before what comes: of one, and of each of several.
const LINES: (u64, u64) = (2_000, 200);

/// The longest line that is handed on, in bytes; more than a screen shows.
const LINE_LIMIT: usize = 16 * 1024;

/// How many bytes wait for a frame.
const WAITING: usize = 4 * 1024 * 1024;

/// Lines that wait for a frame.
#[derive(Debug, Default)]
struct Waiting {
    /// Whose lines these are; others are not wanted any more.
    number: u64,
    lines: VecDeque<WrittenLine>,
    bytes: usize,
}

/// Whoever follows logs.
pub(super) struct Logs {
    waiting: Arc<Mutex<Waiting>>,
    running: Arc<Mutex<HashMap<u64, Handle>>>,
    bell: Bell,
}

impl Logs {
    pub(super) fn new(bell: Bell) -> Self {
        Self { waiting: Arc::default(), running: Arc::default(), bell }
    }

    /// Follows these in place of those before.
    pub(super) fn follow(&self, number: u64, sources: Vec<LogSource>) {
        *lock(&self.waiting) = Waiting { number, ..Waiting::default() };
        for (_, handle) in lock(&self.running).drain() {
            handle.finish();
        }
        if sources.is_empty() {
            return;
        }
        let (waiting, running) = (Arc::clone(&self.waiting), Arc::clone(&self.running));
        self.bell.spawn(move |bell| {
            if let Err(error) = run(number, &sources, &waiting, &running, bell) {
                let help = error.help().map(|help| format!("; {help}")).unwrap_or_default();
                let _ = bell.tell(Input::Unreadable { follow: number, text: format!("{error}{help}") });
            }
            lock(&running).remove(&number);
        });
    }

    /// What was written since it was last asked for.
    pub(super) fn fetch(&self) -> Input {
        let mut waiting = lock(&self.waiting);
        waiting.bytes = 0;
        let lines = std::mem::take(&mut waiting.lines).into();
        Input::Written { follow: waiting.number, lines }
    }
}

fn run(
    number: u64,
    sources: &[LogSource],
    waiting: &Mutex<Waiting>,
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
    if lock(waiting).number != number {
        return Ok(());
    }
    follow.run(&mut |line| {
        let text = &line.text[..line.text.len().min(LINE_LIMIT)];
        let line = WrittenLine { service: line.service.to_owned(), text: text.to_vec() };
        let put = lock(waiting).put(number, line);
        match put {
            Put::First if bell.ring(Wake::Written).is_err() => ControlFlow::Break(()),
            Put::First | Put::Further => ControlFlow::Continue(()),
            Put::Unwanted => ControlFlow::Break(()),
        }
    })
}

/// A log's folder is called as its service.
fn name(dir: &str) -> Option<String> {
    Path::new(dir).file_name()?.to_str().map(str::to_owned)
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Put {
    /// It waits, and nobody was told of any yet.
    First,
    /// It waits with others.
    Further,
    /// Somebody wants others now.
    Unwanted,
}

impl Waiting {
    fn put(&mut self, number: u64, line: WrittenLine) -> Put {
        if self.number != number {
            return Put::Unwanted;
        }
        let put = if self.lines.is_empty() { Put::First } else { Put::Further };
        self.bytes += line.text.len();
        self.lines.push_back(line);
        while self.lines.len() > LINES_KEPT || self.bytes > WAITING {
            let Some(forgotten) = self.lines.pop_front() else { break };
            self.bytes -= forgotten.text.len();
        }
        put
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_flood_the_last_lines_are_kept() {
        let line = |text: Vec<u8>| WrittenLine { service: "api".to_owned(), text };
        let mut waiting = Waiting { number: 2, ..Waiting::default() };
        assert_eq!(waiting.put(1, line(Vec::new())), Put::Unwanted);
        assert_eq!(waiting.put(2, line(b"0".to_vec())), Put::First);
        for number in 1..LINES_KEPT + 10 {
            assert_eq!(waiting.put(2, line(number.to_string().into_bytes())), Put::Further);
        }
        assert_eq!((waiting.lines.len(), waiting.lines[0].text.as_slice()), (LINES_KEPT, b"10".as_slice()));
        for _ in 0..10_000 {
            waiting.put(2, line(vec![b'x'; LINE_LIMIT]));
        }
        assert!(waiting.bytes <= WAITING && waiting.bytes == waiting.lines.len() * LINE_LIMIT);
    }
}

//! What the watching thread is told. A set of paths is kept until it asks, so that a flood of changes costs no memory.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Instant, SystemTime},
};

use notify::{EventKind, event::ModifyKind};

use super::Wanted;

/// The most paths that are kept; beyond that, anything may have changed.
const PATH_LIMIT: usize = 10_000;

/// What happened since it was last asked for.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Other files are to be watched, from this time on.
    pub(super) wanted: Option<(Wanted, SystemTime)>,
    /// These changed, came or went.
    pub(super) paths: BTreeSet<PathBuf>,
    /// Of these something changed that is said of them, which is not what is in them.
    pub(super) attributes: BTreeSet<PathBuf>,
    /// Those of the changed ones that came.
    pub(super) made: BTreeSet<PathBuf>,
    /// Anything may have.
    pub(super) all: bool,
    /// Nobody wants to know any more.
    pub(super) finish: bool,
}

impl News {
    fn is_none(&self) -> bool {
        self.wanted.is_none()
            && self.paths.is_empty()
            && self.attributes.is_empty()
            && !self.all
            && !self.finish
    }

    /// The system tells this.
    pub(super) fn take_in(&mut self, event: notify::Result<notify::Event>) {
        let Ok(event) = event else {
            self.all = true;
            return;
        };
        // Our own looking at folders is an event as well.
        if matches!(event.kind, EventKind::Access(_)) {
            return;
        }
        self.all |= event.need_rescan();
        if matches!(event.kind, EventKind::Create(_) | EventKind::Modify(ModifyKind::Name(_))) {
            self.made.extend(event.paths.iter().cloned());
        }
        match event.kind {
            EventKind::Modify(ModifyKind::Metadata(_)) => self.attributes.extend(event.paths),
            _ => self.paths.extend(event.paths),
        }
        if self.paths.len() + self.attributes.len() > PATH_LIMIT {
            self.paths.clear();
            self.attributes.clear();
            self.made.clear();
            self.all = true;
        }
    }
}

/// News, and the wish to be woken by them.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    news: Mutex<News>,
    bell: Condvar,
}

impl Inbox {
    /// Puts news down. Never waits for whoever reads them.
    pub(super) fn tell(&self, put: impl FnOnce(&mut News)) {
        let mut news = self.lock();
        put(&mut news);
        if !news.is_none() {
            self.bell.notify_one();
        }
    }

    /// Waits for news, until then at the latest, and takes them.
    pub(super) fn wait(&self, until: Option<Instant>) -> News {
        let mut news = self.lock();
        while news.is_none() {
            news = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                None => self.bell.wait(news).unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => break,
                Some(left) => self.bell.wait_timeout(news, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
        std::mem::take(&mut news)
    }

    fn lock(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use notify::event::CreateKind;

    use super::*;

    #[test]
    fn of_too_many_changes_it_is_only_known_that_there_were_some() {
        let mut news = News::default();
        for number in 0..=PATH_LIMIT {
            assert!(!news.all);
            let event = notify::Event::new(EventKind::Create(CreateKind::File));
            news.take_in(Ok(event.add_path(PathBuf::from(number.to_string()))));
        }
        assert!(news.all && news.paths.is_empty() && news.made.is_empty() && news.attributes.is_empty());
    }
}

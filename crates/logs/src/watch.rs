//! Being told by the system which log folders changed. Reads no log.
//!
//! What is kept until somebody asks is a set of names, so a flood of changes costs no memory.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use crate::{LogError, expect::Order};

/// What happened since it was last asked for.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Folders in which logs changed.
    pub(crate) changed: BTreeSet<String>,
    /// Folders that came or went themselves.
    pub(crate) moved: BTreeSet<String>,
    /// Anything may have changed.
    pub(crate) all: bool,
    /// Services to be followed as well.
    pub(crate) added: Vec<String>,
    /// Lines that are waited for, or no longer.
    pub(crate) orders: Vec<Order>,
    /// Read what there is, and end.
    pub(crate) finish: bool,
}

impl News {
    fn is_none(&self) -> bool {
        self.changed.is_empty()
            && self.moved.is_empty()
            && self.added.is_empty()
            && self.orders.is_empty()
            && !self.all
            && !self.finish
    }

    fn take_in(&mut self, root: &Path, event: &Event) {
        self.all |= event.need_rescan();
        for path in &event.paths {
            let Ok(below) = path.strip_prefix(root) else {
                // Somewhere above: the folder of all logs may have come into being.
                self.all = true;
                continue;
            };
            let mut parts = below.iter();
            match (parts.next().and_then(|name| name.to_str()), parts.next()) {
                (Some(folder), Some(_)) => _ = self.changed.insert(folder.to_owned()),
                (Some(folder), None) => _ = self.moved.insert(folder.to_owned()),
                (None, _) => self.all = true,
            }
        }
    }
}

/// News, and the wish to be woken by them.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    news: Mutex<News>,
    bell: Condvar,
}

impl Desk {
    /// Puts news down.
    pub(crate) fn tell(&self, put: impl FnOnce(&mut News)) {
        let mut news = self.lock();
        put(&mut news);
        if !news.is_none() {
            self.bell.notify_one();
        }
    }

    /// Waits for news and takes them.
    pub(crate) fn wait(&self) -> News {
        let mut news = self.lock();
        while news.is_none() {
            news = self.bell.wait(news).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::take(&mut news)
    }

    fn lock(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Watches the folder of all logs, and those of single services.
#[derive(Debug)]
pub(crate) struct Watch {
    root: PathBuf,
    watcher: RecommendedWatcher,
}

impl Watch {
    /// Watches nothing yet.
    pub(crate) fn new(root: &Path, desk: Arc<Desk>) -> Result<Self, LogError> {
        let watched_root = root.to_owned();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            desk.tell(|news| match event {
                // Our own opening of a file is an event as well.
                Ok(event) if matches!(event.kind, EventKind::Access(_)) => {}
                Ok(event) => news.take_in(&watched_root, &event),
                Err(_) => news.all = true,
            });
        })
        .map_err(|source| LogError::Watch { path: root.to_owned(), source })?;
        Ok(Self { root: root.to_owned(), watcher })
    }

    /// Watches the folder of all logs, or the nearest one above it that exists.
    pub(crate) fn watch_root(&mut self) -> Result<(), LogError> {
        loop {
            let Some(nearest) = self.root.ancestors().find(|path| path.is_dir()).map(Path::to_owned) else {
                return Ok(());
            };
            self.watch(&nearest)?;
            // One further down may have been made before that took hold.
            if nearest == self.root || !below(&nearest, &self.root).is_dir() {
                return Ok(());
            }
        }
    }

    /// Watches one folder of a service; nothing when there is none yet.
    pub(crate) fn watch_folder(&mut self, folder: &str) -> Result<(), LogError> {
        self.watch(&self.root.join(folder))
    }

    /// Watches one folder no more.
    pub(crate) fn leave_folder(&mut self, folder: &str) {
        // One that is gone is watched no more in any case.
        let _ = self.watcher.unwatch(&self.root.join(folder));
    }

    fn watch(&mut self, path: &Path) -> Result<(), LogError> {
        match self.watcher.watch(path, RecursiveMode::NonRecursive) {
            Err(error) if is_absent(&error) => Ok(()),
            result => result.map_err(|source| LogError::Watch { path: path.to_owned(), source }),
        }
    }
}

fn is_absent(error: &notify::Error) -> bool {
    match &error.kind {
        notify::ErrorKind::PathNotFound => true,
        notify::ErrorKind::Io(error) => error.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

/// The folder one step from `above` towards `target`.
fn below(above: &Path, target: &Path) -> PathBuf {
    let next = target.strip_prefix(above).ok().and_then(|rest| rest.iter().next());
    next.map_or_else(|| above.to_owned(), |name| above.join(name))
}

//! What is written to the logs of some services from now on, as it is written. Sleeps until the system tells of a change.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    From, Line, LogError, Sink, Tell, Wanted,
    last::Extent,
    marks::Stamp,
    merge::{Reading, merge},
    parts::{Part, begin_service, folders_of},
    source::{CHUNK, Source},
    watch::{Desk, News, Watch},
};

/// Some services' logs, at a place from which on they are wanted.
#[derive(Debug)]
pub struct Follow {
    root: PathBuf,
    /// What is wanted of services that are added later.
    later: Wanted,
    /// By folder.
    sources: BTreeMap<String, Source>,
    watch: Watch,
    desk: Arc<Desk>,
}

/// Changes a [`Follow`] that runs in another thread.
#[derive(Clone, Debug)]
pub struct Handle {
    desk: Arc<Desk>,
}

impl Handle {
    /// Follows this service too, from its end on; nothing when it is followed already.
    pub fn add(&self, service: &str) {
        self.desk.tell(|news| news.added.push(service.to_owned()));
    }

    /// Reads what there is, lines without an end included, and ends.
    pub fn finish(&self) {
        self.desk.tell(|news| news.finish = true);
    }
}

impl Follow {
    /// Fixes the place from which on the logs of these services, in folders under `root`, are wanted. Neither they nor
    /// `root` need exist yet.
    ///
    /// # Errors
    /// A file cannot be read, or a folder cannot be watched.
    pub fn new(root: &Path, services: &[String], wanted: impl Into<Wanted>) -> Result<Self, LogError> {
        let wanted = wanted.into();
        let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
        let desk = Arc::new(Desk::default());
        let mut watch = Watch::new(&root, Arc::clone(&desk))?;
        watch.watch_root()?;
        let later = Wanted { from: From::End, ..wanted.clone() };
        let mut follow = Self { root, later, sources: BTreeMap::new(), watch, desk };
        for service in services {
            follow.add(service, &wanted)?;
        }
        // Whatever is there already is read without waiting for a change.
        follow.desk.tell(|news| news.all = true);
        Ok(follow)
    }

    /// What changes this while it runs.
    pub fn handle(&self) -> Handle {
        Handle { desk: Arc::clone(&self.desk) }
    }

    /// Gives out lines until [`Handle::finish`], or until `sink` wants no more.
    ///
    /// # Errors
    /// A file cannot be read, or a folder cannot be watched.
    pub fn run(self, sink: &mut Sink<'_>) -> Result<(), LogError> {
        self.run_telling(sink, &mut |_| {})
    }

    /// The same, and tells of damaged files; otherwise what is missing of them is left out without a word.
    ///
    /// # Errors
    /// A file cannot be read, or a folder cannot be watched.
    pub fn run_telling(mut self, sink: &mut Sink<'_>, tell: &mut Tell<'_>) -> Result<(), LogError> {
        let mut buffer = vec![0; CHUNK];
        loop {
            let news = self.desk.wait();
            let finish = news.finish;
            let concerned = self.concerned(news)?;
            if self.read(&concerned, &mut buffer, finish, sink, tell)?.is_break() || finish {
                return Ok(());
            }
        }
    }

    /// Which folders are to be read.
    fn concerned(&mut self, news: News) -> Result<BTreeSet<String>, LogError> {
        if news.all {
            self.watch.watch_root()?;
        }
        for service in news.added {
            self.add(&service, &self.later.clone())?;
        }
        let everything = news.all || news.finish;
        let concerned: BTreeSet<String> = if everything {
            self.sources.keys().cloned().collect()
        } else {
            let named = news.changed.union(&news.moved).filter(|folder| self.sources.contains_key(*folder));
            named.cloned().collect()
        };
        for folder in &concerned {
            if news.all || news.moved.contains(folder) {
                // Before it is read: what is written in between is then either seen or told.
                self.watch.watch_folder(folder)?;
            }
        }
        Ok(concerned)
    }

    fn add(&mut self, service: &str, wanted: &Wanted) -> Result<(), LogError> {
        let folders = folders_of(service, wanted.stream);
        if folders.iter().any(|folder| self.sources.contains_key(folder)) {
            return Ok(());
        }
        folders.iter().try_for_each(|folder| self.watch.watch_folder(folder))?;
        let parts = begin_service(&self.root, service, wanted, Extent::Onward)?;
        self.sources.extend(parts.into_iter().map(|Part { folder, source }| (folder, source)));
        Ok(())
    }

    fn read(
        &mut self,
        concerned: &BTreeSet<String>,
        buffer: &mut [u8],
        finish: bool,
        sink: &mut Sink<'_>,
        tell: &mut Tell<'_>,
    ) -> Result<ControlFlow<()>, LogError> {
        let mut readings = Vec::new();
        for (folder, source) in self.sources.iter_mut().filter(|(folder, _)| concerned.contains(*folder)) {
            readings.push(Reading::new(folder.as_str(), source)?);
        }
        let mut give = |folder: &&str, stamp: Stamp, text: &[u8]| sink(Line::new(folder, stamp, text));
        merge(readings, buffer, finish, &mut give, tell)
    }
}

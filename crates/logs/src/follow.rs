//! What is written to the logs of some services from now on, as it is written. Sleeps until the system tells of a change.

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    From, Line, LogError, Sink, Wanted,
    last::{Extent, begin},
    marks::Stamp,
    source::{CHUNK, Source, Step},
    watch::{Desk, News, Watch},
};

/// Some services' logs, at a place from which on they are wanted.
#[derive(Debug)]
pub struct Follow {
    root: PathBuf,
    /// What is wanted of services that are added later.
    later: Wanted,
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
    pub fn run(mut self, sink: &mut Sink<'_>) -> Result<(), LogError> {
        let mut buffer = vec![0; CHUNK];
        loop {
            let news = self.desk.wait();
            let finish = news.finish;
            for service in self.concerned(news)? {
                if self.read(&service, &mut buffer, finish, sink)?.is_break() {
                    return Ok(());
                }
            }
            if finish {
                return Ok(());
            }
        }
    }

    /// Which services are to be read.
    fn concerned(&mut self, news: News) -> Result<Vec<String>, LogError> {
        if news.all {
            self.watch.watch_root()?;
        }
        for service in news.added {
            self.add(&service, &self.later.clone())?;
        }
        let everything = news.all || news.finish;
        let concerned: Vec<String> = if everything {
            self.sources.keys().cloned().collect()
        } else {
            let named = news.changed.union(&news.moved).filter(|service| self.sources.contains_key(*service));
            named.cloned().collect()
        };
        for service in &concerned {
            if news.all || news.moved.contains(service) {
                // Before it is read: what is written in between is then either seen or told.
                self.watch.watch_service(service)?;
            }
        }
        Ok(concerned)
    }

    fn add(&mut self, service: &str, wanted: &Wanted) -> Result<(), LogError> {
        if self.sources.contains_key(service) {
            return Ok(());
        }
        self.watch.watch_service(service)?;
        let source = begin(&self.root.join(service), wanted, Extent::Onward)?;
        self.sources.insert(service.to_owned(), source);
        Ok(())
    }

    fn read(
        &mut self,
        service: &str,
        buffer: &mut [u8],
        finish: bool,
        sink: &mut Sink<'_>,
    ) -> Result<ControlFlow<()>, LogError> {
        let Some(source) = self.sources.get_mut(service) else { return Ok(ControlFlow::Continue(())) };
        let mut give = |stamp: Stamp, text: &[u8]| sink(Line::new(service, stamp, text));
        if source.read_on(buffer, &mut give)? == Step::Enough {
            return Ok(ControlFlow::Break(()));
        }
        Ok(if finish { source.finish(&mut give) } else { ControlFlow::Continue(()) })
    }
}

//! Files that services watch: the loop's end of the thread that is told of their changes. It restarts nothing.

mod globs;
mod inbox;
mod watcher;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::SystemTime};

use mainstay_model::{ServiceName, Spec};
use tokio::sync::mpsc;

use self::{inbox::Inbox, watcher::Watcher};
use crate::wake::Wake;

/// What is watched, and for whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Wanted {
    /// From where globs count.
    dir: PathBuf,
    globs: BTreeMap<ServiceName, Vec<String>>,
}

/// The way to the thread; there is none as long as nothing is watched.
#[derive(Debug)]
pub(crate) struct Files {
    wakes: mpsc::Sender<Wake>,
    inbox: Option<Arc<Inbox>>,
    wanted: Wanted,
    trouble: BTreeMap<ServiceName, String>,
}

impl Files {
    /// Nothing is watched yet.
    pub(crate) fn new(wakes: mpsc::Sender<Wake>) -> Self {
        Self { wakes, inbox: None, wanted: Wanted::default(), trouble: BTreeMap::new() }
    }

    /// From now on the files that these descriptions name are watched, in this folder.
    pub(crate) fn watch(&mut self, dir: &str, specs: &[Spec]) {
        let watching = specs.iter().filter(|spec| !spec.watch.is_empty());
        let globs = watching.map(|spec| (spec.id.name.clone(), spec.watch.clone())).collect();
        let wanted = Wanted { dir: dir.into(), globs };
        if wanted == self.wanted || (wanted.globs.is_empty() && self.inbox.is_none()) {
            return;
        }
        self.wanted = wanted.clone();
        let inbox = match &self.inbox {
            Some(inbox) => Arc::clone(inbox),
            None => self.start_thread(),
        };
        inbox.tell(|news| news.wanted = Some((wanted, SystemTime::now())));
        self.inbox = Some(inbox);
    }

    fn start_thread(&self) -> Arc<Inbox> {
        let inbox = Arc::new(Inbox::default());
        let watcher = Watcher::new(Arc::clone(&inbox), self.wakes.clone());
        if let Err(error) = std::thread::Builder::new().name("files".to_owned()).spawn(move || watcher.run())
        {
            tracing::error!("no files are watched: {error}");
        }
        inbox
    }

    /// Why not every change of its files is seen.
    pub(crate) fn trouble(&self, name: &ServiceName) -> Option<String> {
        self.trouble.get(name).cloned()
    }

    /// The thread told which are in trouble now; those that were not are given.
    pub(crate) fn take_trouble(
        &mut self,
        trouble: BTreeMap<ServiceName, String>,
    ) -> Vec<(ServiceName, String)> {
        let fresh = trouble.iter().filter(|(name, text)| self.trouble.get(*name) != Some(text));
        let fresh = fresh.map(|(name, text)| (name.clone(), text.clone())).collect();
        self.trouble = trouble;
        fresh
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        self.inbox.iter().for_each(|inbox| inbox.tell(|news| news.finish = true));
    }
}

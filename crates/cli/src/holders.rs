//! Who holds a project, by the locks in its state folder, whether or not its socket can be reached. Connects to nobody.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use mainstay_host::{Holder, Lock, Process};
use mainstay_keeper::{ANCHOR_LOCK, KEEPER_LOCK};
use mainstay_model::Signal;

use crate::{
    exit::Exit,
    failure::Failure,
    places::{Places, project_of},
};

/// The processes that hold a project: at least one of the two is there.
#[derive(Debug)]
pub(crate) struct Holders {
    anchor: Option<Holder>,
    keeper: Option<Holder>,
}

impl Holders {
    /// Those who have the locks in this folder; `None` when they are free. A lock that we may not look at is another user's,
    /// with whose project we have nothing to do.
    pub(crate) fn of(dir: &Path) -> Option<Self> {
        let holder = |name| Lock::holder(&dir.join(name)).ok().flatten();
        let (anchor, keeper) = (holder(ANCHOR_LOCK), holder(KEEPER_LOCK));
        (anchor.is_some() || keeper.is_some()).then_some(Self { anchor, keeper })
    }

    /// `anchor (pid 12) and keeper (pid 13)`.
    pub(crate) fn who(&self) -> String {
        self.roles().map(|(role, holder)| named(role, holder)).collect::<Vec<_>>().join(" and ")
    }

    /// Asks for the end of everything: the anchor, or a keeper that has lost its anchor. They have the daemon stop all services
    /// in order. Who was asked; `None` when nobody can be seen from here.
    pub(crate) fn terminate(&self) -> Option<String> {
        let (role, holder) = self.roles().find(|(_, holder)| holder.process.is_some())?;
        holder.process.as_ref()?.signal(Signal::TERM);
        Some(named(role, holder))
    }

    fn roles(&self) -> impl Iterator<Item = (&'static str, &Holder)> {
        let anchor = self.anchor.as_ref().map(|holder| ("anchor", holder));
        anchor.into_iter().chain(self.keeper.as_ref().map(|holder| ("keeper", holder)))
    }

    /// Those that can be seen from here.
    pub(crate) fn into_processes(self) -> impl Iterator<Item = Process> {
        // The keeper ends before the anchor does.
        [self.keeper, self.anchor].into_iter().flatten().filter_map(|holder| holder.process)
    }

    /// The folder of the project when it was started, which may have been moved since.
    pub(crate) fn started_in(&self) -> Option<&Path> {
        let lock = self.roles().find_map(|(_, holder)| holder.path.as_deref());
        lock?.parent().map(project_of)
    }

    /// It runs, and nobody answers.
    pub(crate) fn unreachable(&self, places: &Places, exit: Exit) -> Failure {
        let text = format!(
            "this project runs and cannot be reached: {}; its services go on under {}",
            why_unreachable(places),
            self.who()
        );
        Failure::new(exit, text)
            .with_help("`mainstay down` stops everything in order; after that `mainstay up` starts it again")
    }

    /// It runs, as it was started at another place.
    pub(crate) fn elsewhere(&self, places: &Places) -> Failure {
        let old =
            self.started_in().map_or_else(|| "another place".to_owned(), |dir| dir.display().to_string());
        let text = format!("this project runs as it was started in {old}: {}", self.who());
        Failure::new(Exit::Failed, text).with_help(format!(
            "`mainstay down` stops it in order; after that `mainstay up` starts it in {}",
            project_of(&places.state_dir).display()
        ))
    }
}

fn named(role: &str, holder: &Holder) -> String {
    format!("{role}{}", holder.in_brackets())
}

/// Why nobody answers at the socket of a project that runs.
pub(crate) fn why_unreachable(places: &Places) -> String {
    // Where it was started, and not where it would be started now.
    let run_dir: PathBuf = fs::read_link(places.pointer()).unwrap_or_else(|_| places.run_dir.clone());
    if run_dir.is_dir() {
        format!("nobody listens at {}", run_dir.join("sock").display())
    } else {
        format!("its run folder {} is gone", run_dir.display())
    }
}

/// Waits until the locks in this folder are free; who has them when they are not in time.
pub(crate) fn after(dir: &Path, patience: Duration) -> Option<Holders> {
    let end = Instant::now() + patience;
    let processes = Holders::of(dir)?.into_processes();
    for process in processes {
        process.wait_gone(end.saturating_duration_since(Instant::now()));
    }
    Holders::of(dir)
}

//! Who holds a project, by the locks in its state folder, whether or not its socket can be reached. Connects to nobody.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use mainstay_host::{Holder, Lock, Process};
use mainstay_keeper::{ANCHOR_LOCK, KEEPER_LOCK};
use mainstay_model::{Signal, span_text};

use crate::{
    exit::Exit,
    failure::Failure,
    places::{Places, project_of},
};

/// How often it is said that the end takes its time.
const STILL: Duration = Duration::from_secs(30);

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

    /// Nobody answers, so everything is ended by a signal, and it is waited for: anchor and keeper have the daemon stop all
    /// services in order for it, as they have for a request; where no daemon comes up they stop all at once. `say` hears who was asked, and now and then who is still there.
    ///
    /// # Errors
    /// Nobody can be seen from here, or those who can have not ended in time.
    pub(crate) fn end(
        &self,
        places: &Places,
        trouble: Option<&str>,
        patience: Option<Duration>,
        mut say: impl FnMut(&str),
    ) -> Result<(), Failure> {
        let Some(asked) = self.terminate() else {
            let failure = self.unreachable(places, Exit::Failed);
            return Err(failure.with_help("they are in another pid namespace (a container): end them there"));
        };
        say(&match trouble {
            None => format!(
                "the daemon cannot be reached: {}; TERM was sent to {asked}, which has everything stopped in order",
                why_unreachable(places),
            ),
            Some(trouble) => format!(
                "{trouble}; TERM was sent to {asked}, which has everything stopped at once: nobody knows an order"
            ),
        });
        self.wait_gone(patience, say)
    }

    /// The anchor, or a keeper that has lost its anchor. Who was asked; `None` when nobody can be seen from here.
    fn terminate(&self) -> Option<String> {
        let (role, holder) = self.roles().find(|(_, holder)| holder.process.is_some())?;
        holder.process.as_ref()?.signal(Signal::TERM);
        Some(named(role, holder))
    }

    /// Waits until those that can be seen from here have ended. `still` hears now and then who has not.
    ///
    /// # Errors
    /// They have not ended in time.
    pub(crate) fn wait_gone(
        &self,
        patience: Option<Duration>,
        still: impl FnMut(&str),
    ) -> Result<(), Failure> {
        self.wait_telling(patience, STILL, still)
    }

    fn wait_telling(
        &self,
        patience: Option<Duration>,
        every: Duration,
        mut still: impl FnMut(&str),
    ) -> Result<(), Failure> {
        let begin = Instant::now();
        while let Some(process) = self.present().next().and_then(|(_, holder)| holder.process.as_ref()) {
            let left = patience.map_or(Duration::MAX, |patience| patience.saturating_sub(begin.elapsed()));
            if left.is_zero() {
                return Err(self.late(patience.unwrap_or_default()));
            }
            if !process.wait_gone(left.min(every))
                && left > every
                && let Some(who) = self.not_ended()
            {
                still(&format!("not everything is stopped yet: {who}"));
            }
        }
        Ok(())
    }

    fn late(&self, patience: Duration) -> Failure {
        let who = self.not_ended().unwrap_or_else(|| "they ended too late".to_owned());
        let text = format!("timed out: after {}, {who}", span_text(patience));
        Failure::new(Exit::TimedOut, text)
            .with_help("that goes on: `mainstay down` waits for it, for as long as `--timeout` says")
    }

    /// `anchor (pid 12) and keeper (pid 13) have not ended`.
    fn not_ended(&self) -> Option<String> {
        let left: Vec<String> = self.present().map(|(role, holder)| named(role, holder)).collect();
        let have = if left.len() == 1 { "has" } else { "have" };
        (!left.is_empty()).then(|| format!("{} {have} not ended", left.join(" and ")))
    }

    /// Those that can be seen from here and have not ended.
    fn present(&self) -> impl Iterator<Item = (&'static str, &Holder)> {
        let is_there = |process: &Process| !process.wait_gone(Duration::ZERO);
        self.roles().filter(move |(_, holder)| holder.process.as_ref().is_some_and(is_there))
    }

    fn roles(&self) -> impl Iterator<Item = (&'static str, &Holder)> {
        let anchor = self.anchor.as_ref().map(|holder| ("anchor", holder));
        anchor.into_iter().chain(self.keeper.as_ref().map(|holder| ("keeper", holder)))
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
    // Whoever has not ended has its lock.
    let _ = Holders::of(dir)?.wait_gone(Some(patience), |_| {});
    Holders::of(dir)
}

#[cfg(test)]
mod tests {
    use mainstay_host::Asked;

    use super::*;

    #[test]
    fn who_does_not_end_is_named_now_and_then_and_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let held = |name| Lock::ask(&folder.path().join(name)).unwrap();
        let keeper = held(KEEPER_LOCK);
        let anchor = held(ANCHOR_LOCK);
        assert!(matches!((&keeper, &anchor), (Asked::Held(_), Asked::Held(_))));
        let pid = std::process::id();
        let both = format!("anchor (pid {pid}) and keeper (pid {pid}) have not ended");
        let (patience, every) = (Duration::from_millis(60), Duration::from_millis(10));

        let mut said = Vec::new();
        let holders = Holders::of(folder.path()).unwrap();
        let late =
            holders.wait_telling(Some(patience), every, |text| said.push(text.to_owned())).unwrap_err();
        assert_eq!((late.exit, late.text), (Exit::TimedOut, format!("timed out: after 60 ms, {both}")));
        assert!(late.help.unwrap().contains("`mainstay down` waits for it"));
        assert!(said.len() > 1, "{said:?}");
        assert!(
            said.iter().all(|text| *text == format!("not everything is stopped yet: {both}")),
            "{said:?}"
        );

        drop(anchor);
        let left = Holders::of(folder.path()).unwrap();
        let late = left.wait_gone(Some(Duration::ZERO), |_| {}).unwrap_err();
        assert_eq!(late.text, format!("timed out: after 0 ms, keeper (pid {pid}) has not ended"));
    }
}

//! Compares what Mainstay says of ends and runs with how the writers ended. Knows no logs.
//!
//! There are two witnesses. Each run is told how the one before it ended (`MAINSTAY_PREVIOUS_EXIT`): that is what the daemon
//! decided by. And there is the history, which is kept for people.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{
    driver::Window,
    family::Role,
    truth::{Run, Runs},
    verdict::{Place, Tally},
};

/// What an end that nobody saw is called.
const UNKNOWN: &str = "an unknown exit status";

/// How long before the death of anchor and keeper an end may lie that neither has recorded, and how long after the return of a
/// keeper one that it did not see. Nanoseconds, on a usual machine.
const SLACK: u64 = 200_000_000;

/// Whether the kernel tells how a process ended that is nobody's child whom we know (`PIDFD_GET_INFO`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kernel {
    /// From 6.15 on.
    #[default]
    Tells,
    /// Before it.
    IsSilent,
}

impl Kernel {
    /// By what it says of its version.
    pub(super) fn of(release: &str) -> Self {
        let mut numbers = release.split(['.', '-']).map(|part| part.parse::<u32>().unwrap_or(0));
        let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if version >= (6, 15) { Self::Tells } else { Self::IsSilent }
    }
}

/// When which of the three was dead.
#[derive(Clone, Debug, Default)]
pub(super) struct Times {
    windows: Vec<Window>,
    /// When neither anchor nor keeper was there.
    together: Vec<(u64, u64)>,
    kernel: Kernel,
    slack: u64,
}

impl Times {
    pub(super) fn new(
        windows: Vec<Window>,
        together: Vec<(u64, u64)>,
        kernel: Kernel,
        slowness: u32,
    ) -> Self {
        Self { windows, together, kernel, slack: SLACK * u64::from(slowness) }
    }

    /// Whether one of these was dead then.
    fn any(&self, roles: &[Role], at: u64) -> bool {
        self.windows.iter().any(|it| roles.contains(&it.role) && (it.from..it.until).contains(&at))
    }

    /// Whether both who could have kept an end were dead then.
    pub(super) fn is_apart(&self, at: u64) -> bool {
        let near =
            |(from, until): &(u64, u64)| (from.saturating_sub(self.slack)..until + self.slack).contains(&at);
        self.together.iter().any(near)
    }

    /// Whether nobody may know how this run ended. A kernel that tells nothing leaves it to parents: a service whose keeper died is
    /// the anchor's child, and nobody's when that is dead.
    fn may_be_unknown(&self, run: &Run, end: u64) -> bool {
        let of = |role| self.windows.iter().filter(move |it| it.role == role && it.from <= end + self.slack);
        let lost = |keeper: &Window| of(Role::Anchor).any(|anchor| anchor.until > keeper.from);
        let is_nobodys = || of(Role::Keeper).filter(|keeper| keeper.until >= run.begin.at).any(lost);
        self.is_apart(end) || (self.kernel == Kernel::IsSilent && is_nobodys())
    }

    /// How often both were dead.
    pub(super) fn deaths_together(&self) -> usize {
        self.together.len()
    }
}

/// What is found about ends.
#[derive(Debug, Default)]
pub(super) struct Exits {
    /// Runs that there were.
    pub(super) runs: u64,
    /// Ends that somebody has to know of.
    pub(super) ends: u64,
    /// Of these, while keeper or daemon was dead.
    pub(super) in_windows: u64,
    /// Of these, while the keeper was.
    pub(super) without_keeper: u64,
    /// Of these, while the anchor alone was.
    pub(super) without_anchor: u64,
    /// Of these, while anchor and keeper were.
    pub(super) together: u64,
    /// Runs that were begun although the one before had not ended.
    pub(super) causeless: Tally,
    /// Runs beside another run of the same service.
    pub(super) twins: Tally,
    /// Runs that found something of the run before.
    pub(super) leftovers: Tally,
    /// Ends of which the next run was told something else.
    pub(super) wrong: Tally,
    /// Ends of which the next run was told that nobody saw them.
    pub(super) unknown: Tally,
    /// The same, while anchor and keeper were dead.
    pub(super) unknown_apart: u64,
    /// Ends that the history does not have.
    pub(super) missed: Tally,
    /// Ends that it has otherwise.
    pub(super) misremembered: Tally,
    /// Ends in it that never were.
    pub(super) invented: Tally,
}

impl Exits {
    /// Judges the runs of one service by what each says of the one before.
    pub(super) fn judge(&mut self, service: &str, runs: &Runs, times: &Times) {
        let mut before: Option<(u64, &Run)> = None;
        for (number, run) in runs {
            self.runs += 1;
            let place = |text: String| Place::new(service, format!("run {number}: {text}"));
            if run.begin.is_second {
                self.twins.add(|| place(format!("began at {} beside another", run.begin.at)));
            }
            if run.begin.has_leftover {
                self.leftovers.add(|| place("something of the run before was there".to_owned()));
            }
            if let Some((earlier, previous)) = before {
                self.follow(service, earlier, previous, run, times);
            }
            before = Some((*number, run));
        }
    }

    /// One run came after another.
    fn follow(&mut self, service: &str, number: u64, run: &Run, next: &Run, times: &Times) {
        let Some(end) = &run.end else {
            let text = || format!("run {number} did not end by itself, and another began");
            return self.causeless.add(|| Place::new(service, text()));
        };
        self.ends += 1;
        self.in_windows += u64::from(times.any(&[Role::Keeper, Role::Daemon], end.at));
        self.without_keeper += u64::from(times.any(&[Role::Keeper], end.at));
        let without = times.any(&[Role::Anchor], end.at) && !times.any(&[Role::Keeper, Role::Daemon], end.at);
        self.without_anchor += u64::from(without);
        let apart = times.may_be_unknown(run, end.at);
        self.together += u64::from(times.is_apart(end.at));
        let told = &next.begin.previous;
        let begun = run.begin.at;
        let text = || {
            format!("run {number}, begun at {begun}, ended at {} by {}, told as `{told}`", end.at, end.how)
        };
        if *told == end.how {
        } else if told != UNKNOWN {
            self.wrong.add(|| Place::new(service, text()));
        } else if apart {
            self.unknown_apart += 1;
        } else {
            self.unknown.add(|| Place::new(service, text()));
        }
    }

    /// Judges the history.
    pub(super) fn remember(
        &mut self,
        all: &BTreeMap<String, Runs>,
        events: &Value,
        times: &Times,
    ) -> Result<()> {
        let told = ends(events)?;
        for (service, runs) in all {
            let last = runs.keys().next_back().copied();
            for (number, run) in runs {
                let Some(end) = &run.end else { continue };
                let place = |text| Place::new(service, format!("run {number}, {}: {text}", run.begin.id));
                match told.get(&(service.clone(), run.begin.id)) {
                    Some(told) if told.iter().all(|told| *told == end.how) => {}
                    Some(told)
                        if told.iter().all(|told| told == UNKNOWN) && times.may_be_unknown(run, end.at) => {}
                    Some(told) => self.misremembered.add(|| place(format!("{} is {told:?}", end.how))),
                    None if Some(*number) == last => {}
                    None => self.missed.add(|| place(format!("ended at {} by {}", end.at, end.how))),
                }
            }
        }
        for ((service, id), _) in told {
            let runs = all.get(&service).into_iter().flat_map(BTreeMap::values);
            if !runs.into_iter().any(|run| run.begin.id == id) {
                self.invented.add(|| Place::new(&service, format!("run {id} never was")));
            }
        }
        Ok(())
    }
}

/// Which run ended how, by the history.
fn ends(history: &Value) -> Result<BTreeMap<(String, u64), Vec<String>>> {
    let events = history["events"].as_array().context("the history has no events")?;
    let mut ends: BTreeMap<(String, u64), Vec<String>> = BTreeMap::new();
    for event in events {
        let (exit, run) = (&event["exit"], event["run"].as_u64());
        let (Some(service), Some(run), true) = (event["service"].as_str(), run, exit.is_object()) else {
            continue;
        };
        // Without a pause, the change that ends a run begins the next, whose number it has.
        let run = if event["to"] == "starting" { run.saturating_sub(1) } else { run };
        let how = match (exit["code"].as_i64(), exit["signal"].as_str()) {
            (Some(code), _) => format!("exit {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => UNKNOWN.to_owned(),
        };
        ends.entry((service.to_owned(), run)).or_default().push(how);
    }
    Ok(ends)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::truth::{Begin, End};
    use super::*;

    fn run(id: u64, previous: &str, end: Option<(u64, &str)>) -> Run {
        Run {
            begin: Begin { at: id, id, is_second: false, has_leftover: false, previous: previous.to_owned() },
            end: end.map(|(at, how)| End { at, how: how.to_owned() }),
            lines: BTreeMap::new(),
        }
    }

    fn judge(runs: &[Run], times: &Times) -> Exits {
        let runs = (1..).zip(runs.iter().cloned()).collect();
        let mut exits = Exits::default();
        exits.judge("api", &runs, times);
        exits
    }

    const SECOND: u64 = 1_000_000_000;

    fn window(role: Role, from: u64, until: u64) -> Window {
        Window { role, from: from * SECOND, until: until * SECOND }
    }

    #[test]
    fn an_unknown_end_counts_unless_anchor_and_keeper_were_dead() {
        let ends = [run(1, "", Some((20 * SECOND, "exit 3"))), run(2, UNKNOWN, None)];
        let times = |windows, kernel| Times::new(windows, Vec::new(), kernel, 1);
        let alone = vec![window(Role::Keeper, 19, 21), window(Role::Anchor, 22, 30)];
        let alone = times(alone, Kernel::Tells);
        let exits = judge(&ends, &alone);
        assert_eq!((exits.unknown.count(), exits.unknown_apart, exits.in_windows), (1, 0, 1));
        let both = vec![window(Role::Anchor, 10, 22), window(Role::Keeper, 19, 23)];
        let both = Times::new(both, vec![(19 * SECOND, 23 * SECOND)], Kernel::Tells, 1);
        assert_eq!(both.deaths_together(), 1);
        let exits = judge(&ends, &both);
        assert_eq!((exits.unknown.count(), exits.unknown_apart, exits.together), (0, 1, 1));
        // Its keeper died, and then the anchor, whose child it had become.
        let one_by_one = || vec![window(Role::Keeper, 2, 3), window(Role::Anchor, 5, 9)];
        assert_eq!(judge(&ends, &times(one_by_one(), Kernel::Tells)).unknown.count(), 1);
        assert_eq!(judge(&ends, &times(one_by_one(), Kernel::IsSilent)).unknown_apart, 1);
        // A run that began after all that is the keeper's own.
        let later = [run(4 * SECOND, "", Some((20 * SECOND, "exit 3"))), run(2, UNKNOWN, None)];
        assert_eq!(judge(&later, &times(one_by_one(), Kernel::IsSilent)).unknown.count(), 1);
    }

    #[test]
    fn a_kernel_is_known_by_its_version() {
        assert_eq!(Kernel::of("6.18.44-fc-v669"), Kernel::Tells);
        assert_eq!(Kernel::of("7.0"), Kernel::Tells);
        assert_eq!(Kernel::of("6.1.0-56-cloud-amd64"), Kernel::IsSilent);
    }

    #[test]
    fn a_run_without_a_cause_and_a_wrong_end_are_found() {
        let never = Times::default();
        let causeless = judge(&[run(1, "", None), run(2, "signal KILL", None)], &never);
        assert_eq!((causeless.causeless.count(), causeless.ends), (1, 0));
        let wrong = judge(&[run(1, "", Some((5, "exit 3"))), run(2, "exit 4", None)], &never);
        assert_eq!((wrong.wrong.count(), wrong.ends), (1, 1));
        let well = judge(&[run(1, "", Some((5, "exit 3"))), run(2, "exit 3", None)], &never);
        assert_eq!((well.wrong.count(), well.unknown.count(), well.ends, well.in_windows), (0, 0, 1, 0));
    }

    #[test]
    fn what_the_history_lacks_or_has_too_much_is_found() {
        let runs: Runs = (1..)
            .zip([
                run(1, "", Some((5, "exit 3"))),
                run(4, "exit 3", Some((6, "signal HUP"))),
                run(5, "", None),
            ])
            .collect();
        let all = BTreeMap::from([("api".to_owned(), runs)]);
        let event = |run: u64, code: Value, signal: Value| json!({ "service": "api", "run": run, "exit": { "code": code, "signal": signal } });
        let remember = |events: Value| {
            let mut exits = Exits::default();
            exits.remember(&all, &json!({ "events": events }), &Times::default()).unwrap();
            (exits.missed.count(), exits.misremembered.count(), exits.invented.count())
        };
        let (first, second) = (event(1, json!(3), Value::Null), event(4, Value::Null, json!("HUP")));
        assert_eq!(remember(json!([first, second])), (0, 0, 0));
        assert_eq!(remember(json!([first])), (1, 0, 0));
        assert_eq!(remember(json!([first, event(4, json!(1), Value::Null)])), (0, 1, 0));
        assert_eq!(remember(json!([first, second, event(3, json!(1), Value::Null)])), (0, 0, 1));
    }
}

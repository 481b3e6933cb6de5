//! Storms: services write numbered lines and end, while keepers are killed at random moments, or at chosen points. In the
//! end every line is there once, every end was told with the right status, and nothing ever ran twice.

use std::{
    cell::Cell,
    collections::BTreeMap,
    fs,
    process::Command,
    time::{Duration, Instant},
};

use mainstay_host::{KeptExit, Process, read_stat};
use mainstay_model::Signal;
use mainstay_wire::{
    FromKeeper, LogFile, LogMark, LogStream, SlotPhase, SlotState, ToKeeper, UpgradeOutcome, WireExit,
    errors_of, owner_of_errors,
};

use crate::{
    Test,
    world::{Daemon, Polled, World, content},
};

pub(crate) const TESTS: &[Test] = &[
    ("keepers_killed_at_random_lose_and_double_nothing", random_kills),
    ("keepers_killed_at_every_point_lose_and_double_nothing", kills_at_points),
    ("keepers_killed_in_the_middle_of_recovery_lose_and_double_nothing", kills_everywhere),
    ("anchors_killed_again_and_again_lose_and_double_nothing", anchors),
    ("upgrades_and_deaths_lose_and_double_nothing", upgrades),
];

/// Lines of one run.
const LINES: u64 = 400;

/// How long a storm may go on until there was enough of it.
const LONGEST: Duration = Duration::from_secs(60);

/// Services.
const SERVICES: u64 = 12;

/// The one whose streams are kept apart.
const APART: &str = "s0";

/// The folders of a slot's logs.
fn folders(slot: &str) -> impl Iterator<Item = String> {
    let errors = (slot == APART).then(|| errors_of(slot));
    std::iter::once(slot.to_owned()).chain(errors)
}

/// Asserts that the log of a slot has the lines of this run, each once and in order.
pub(crate) fn assert_whole(world: &World, slot: &str, run: u64, count: u64) {
    assert_whole_in(world, slot, slot, run, count);
}

/// The same for one folder of its logs.
pub(crate) fn assert_whole_in(world: &World, folder: &str, slot: &str, run: u64, count: u64) {
    let prefix = format!("{slot}/{run} ");
    let text = world.log(folder);
    let numbers: Vec<u64> = text
        .lines()
        .filter_map(|line| line.strip_prefix(&prefix))
        .map(|rest| {
            let (number, tail) = rest.split_once(' ').unwrap();
            let number: u64 = number.parse().unwrap();
            assert_eq!(tail.len() as u64, number % 60, "a torn line");
            number
        })
        .collect();
    assert_eq!(numbers, (1..=count).collect::<Vec<_>>(), "of {slot}, run {run}, in {folder}");
}

/// A daemon that runs each service again and again, and keeps count.
struct Ledger<'a> {
    world: &'a World,
    /// The latest run of each slot, and whether it is wanted to be over.
    runs: BTreeMap<String, u64>,
    ended: BTreeMap<(String, u64), WireExit>,
    never_ran: Vec<(String, u64)>,
    daemons: u64,
    upgrades: BTreeMap<u64, UpgradeOutcome>,
    is_over: bool,
    /// Ends of runs that outlive an anchor are not known here.
    may_be_unknown: bool,
}

impl<'a> Ledger<'a> {
    fn new(world: &'a World) -> Self {
        let runs = (0..SERVICES).map(|number| (format!("s{number}"), 0)).collect();
        Self {
            world,
            runs,
            ended: BTreeMap::new(),
            never_ran: Vec::new(),
            daemons: 0,
            upgrades: BTreeMap::new(),
            is_over: false,
            may_be_unknown: false,
        }
    }

    fn code(run: u64) -> u8 {
        u8::try_from(run % 200).unwrap()
    }

    fn next_run(&mut self, daemon: &mut Daemon, slot: &str) {
        if self.is_over {
            return;
        }
        let run = self.runs[slot] + 1;
        let log = self.world.log_file(slot, 6000, 100_000, 1_000_000_000);
        let log = LogFile { compress: true, split: slot == APART, ..log };
        if daemon.try_say(&self.world.lines(slot, run, LINES, 100, Self::code(run), log)) {
            self.runs.insert(slot.to_owned(), run);
        }
    }

    fn end(&mut self, daemon: &mut Daemon, slot: &str, run: u64, exit: WireExit) {
        let before = self.ended.insert((slot.to_owned(), run), exit);
        assert!(before.is_none_or(|before| before == exit), "{slot} {run}: {before:?}, then {exit:?}");
        daemon.try_say(&ToKeeper::Acknowledge { slot: slot.to_owned(), run, memo: String::new() });
        self.next_run(daemon, slot);
    }

    fn failed(&mut self, daemon: &mut Daemon, slot: &str, run: u64, text: &str) {
        assert_eq!(text, "the keeper was killed before the program ran");
        self.never_ran.push((slot.to_owned(), run));
        daemon.try_say(&ToKeeper::Acknowledge { slot: slot.to_owned(), run, memo: String::new() });
        self.next_run(daemon, slot);
    }

    /// A new daemon asks what is true.
    fn take_snapshot(&mut self, daemon: &mut Daemon, slots: &[SlotState]) {
        self.daemons += 1;
        daemon.try_say(&ToKeeper::Up);
        for slot in self.runs.keys().cloned().collect::<Vec<_>>() {
            let Some(state) = slots.iter().find(|state| state.slot == slot) else {
                self.runs.insert(slot.clone(), 0);
                self.next_run(daemon, &slot);
                continue;
            };
            // A spawn that the keeper did not take in any more was none.
            self.runs.insert(slot.clone(), state.run);
            match &state.phase {
                SlotPhase::Spawning | SlotPhase::Running { .. } => {}
                SlotPhase::NotStarted { failure } => self.failed(daemon, &slot, state.run, &failure.text),
                SlotPhase::Exited { exit } => self.end(daemon, &slot, state.run, *exit),
                SlotPhase::Over => self.next_run(daemon, &slot),
            }
        }
    }

    fn take(&mut self, daemon: &mut Daemon, event: FromKeeper) {
        match event {
            FromKeeper::Exited { slot, run, exit } => self.end(daemon, &slot, run, exit),
            FromKeeper::NotStarted { slot, run, failure } => self.failed(daemon, &slot, run, &failure.text),
            FromKeeper::Started { .. }
            | FromKeeper::Notified { .. }
            | FromKeeper::Logs { .. }
            | FromKeeper::Slots { .. }
            | FromKeeper::Snapshot { .. }
            | FromKeeper::Terminate
            | FromKeeper::AnchorGone => {}
            FromKeeper::Upgraded { upgrade } => {
                self.upgrades.insert(upgrade.number, upgrade.outcome);
            }
        }
    }

    /// Lives through the time, with `disturb` now and then, and on until that was enough; then until everything has ended. A
    /// machine that is busy with other things takes longer to be disturbed as often.
    fn live(
        &mut self,
        span: Duration,
        mut disturb: impl FnMut(&World, &mut Option<Daemon>),
        enough: impl Fn(&World) -> bool,
    ) {
        let end = Instant::now() + span;
        let last = end + LONGEST;
        let patience = last + Duration::from_secs(20);
        let mut daemon: Option<Daemon> = None;
        while !(self.is_over && self.is_quiet()) {
            assert!(Instant::now() < patience, "no calm: {:?}", self.runs);
            let now = Instant::now();
            self.is_over = self.is_over || now >= last || (now >= end && enough(self.world));
            if !self.is_over {
                disturb(self.world, &mut daemon);
            }
            if let Some((mut new, slots)) = self.world.try_daemon() {
                self.take_snapshot(&mut new, &slots);
                daemon = Some(new);
            }
            let Some(current) = &mut daemon else {
                std::thread::sleep(Duration::from_micros(200));
                continue;
            };
            match current.poll() {
                Polled::Event(event) => {
                    let mut current = daemon.take().unwrap();
                    self.take(&mut current, event);
                    daemon = Some(current);
                }
                Polled::Nothing => std::thread::sleep(Duration::from_micros(200)),
                Polled::Gone => daemon = None,
            }
        }
    }

    fn is_quiet(&self) -> bool {
        self.runs.iter().all(|(slot, run)| {
            *run == 0
                || self.ended.contains_key(&(slot.clone(), *run))
                || self.never_ran.contains(&(slot.clone(), *run))
        })
    }

    /// An index may miss something, and is never wrong.
    fn check_indexes(&self) {
        let (mut known, mut unknown) = (0, 0);
        for folder in self.runs.keys().flat_map(|slot| folders(slot)) {
            let current = self.world.logs_dir().join(&folder).join("current");
            for file in self.world.rotated(&folder).into_iter().chain([current]) {
                let marks = self.world.marks(&file);
                let stream = match (owner_of_errors(&folder), folder.as_str()) {
                    (Some(_), _) => Some(LogStream::Err),
                    (None, APART) => Some(LogStream::Out),
                    (None, _) => None,
                };
                assert!(marks.iter().all(|mark| mark.stream == stream), "{}: {marks:?}", file.display());
                assert!(marks.is_sorted_by_key(|mark| mark.offset), "{}: {marks:?}", file.display());
                for (said, marked) in runs_of_lines(&content(&file), &marks) {
                    match marked {
                        Some(run) => {
                            assert_eq!(said, run, "{}", file.display());
                            known += 1;
                        }
                        None => unknown += 1,
                    }
                }
            }
        }
        println!("{known} lines by the index, {unknown} unknown to it");
        assert!(unknown * 20 < known, "{unknown} of {known}");
    }

    fn check(&self) {
        for ((slot, run), exit) in &self.ended {
            let expected = WireExit::Code(i32::from(Self::code(*run)));
            let is_unknown = self.may_be_unknown && *exit == WireExit::Unknown;
            assert!(is_unknown || *exit == expected, "{slot}, run {run}: {exit:?}");
            folders(slot).for_each(|folder| assert_whole_in(self.world, &folder, slot, *run, LINES));
        }
        for (slot, run) in &self.never_ran {
            folders(slot).for_each(|folder| assert_whole_in(self.world, &folder, slot, *run, 0));
        }
        // Whatever is in a log belongs to one of these runs.
        for slot in self.runs.keys() {
            let runs = self.ended.keys().filter(|(other, _)| other == slot).count() as u64;
            for folder in folders(slot) {
                assert_eq!(self.world.log(&folder).lines().count() as u64, runs * LINES, "of {folder}");
            }
        }
        self.check_indexes();
        println!("{} runs, {} daemons, {} never ran", self.ended.len(), self.daemons, self.never_ran.len());
    }
}

/// Whose a line is, by its own words and by the mark before it.
fn runs_of_lines<'a>(text: &'a [u8], marks: &'a [LogMark]) -> impl Iterator<Item = (u64, Option<u64>)> + 'a {
    let mut offset = 0;
    text.split_inclusive(|byte| *byte == b'\n').map(move |line| {
        let start = offset;
        offset += line.len() as u64;
        let word = std::str::from_utf8(line).unwrap().split(['/', ' ']).nth(1).unwrap();
        let mark = marks.iter().rev().find(|mark| mark.offset <= start);
        (word.parse().unwrap(), mark.map(|mark| mark.run))
    })
}

fn random_kills() {
    let world = World::new();
    let mut ledger = Ledger::new(&world);
    let mut next = Instant::now();
    let mut random = 1_u64;
    let kills = Cell::new(0);
    let disturb = |world: &World, _: &mut Option<Daemon>| {
        if Instant::now() < next {
            return;
        }
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        next = Instant::now() + Duration::from_millis(20 + (random >> 33) % 180);
        if let Some(keeper) = world.holder("keeper.lock") {
            keeper.signal(Signal::KILL);
            kills.set(kills.get() + 1);
        }
    };
    ledger.live(Duration::from_secs(6), disturb, |_| kills.get() > 15);
    println!("{} kills", kills.get());
    assert!(kills.get() > 15);
    ledger.check();
}

/// Whether the kernel tells whoever has its descriptor how a process ended that is nobody's child whom we know.
fn kernel_tells() -> bool {
    let mut child = Command::new("true").spawn().unwrap();
    let start = read_stat(child.id()).unwrap().start_time;
    let process = Process::open(child.id(), start).unwrap();
    child.wait().unwrap();
    matches!(process.kept_exit(), KeptExit::Known(_))
}

/// One anchor after the other, and a keeper now and then, but never both within a moment.
fn anchors() {
    let world = World::new();
    let mut ledger = Ledger::new(&world);
    // Before Linux 6.15 an end is its parent's to know.
    ledger.may_be_unknown = !kernel_tells();
    let (mut next, mut random, mut had) = (Instant::now(), 1_u64, false);
    let (anchors, keepers) = (Cell::new(0), Cell::new(0));
    let disturb = |world: &World, daemon: &mut Option<Daemon>| {
        let had_one = std::mem::replace(&mut had, daemon.is_some());
        let now = Instant::now();
        if !had_one && daemon.is_some() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            next = now + Duration::from_millis((random >> 33) % 120);
        }
        if daemon.is_none() || now < next {
            return;
        }
        next = now + LONGEST;
        let (lock, kills) =
            if random >> 33 & 3 == 0 { ("keeper.lock", &keepers) } else { ("anchor.lock", &anchors) };
        if let Some(process) = world.holder(lock) {
            process.signal(Signal::KILL);
            kills.set(kills.get() + 1);
        }
    };
    ledger.live(Duration::from_secs(5), disturb, |_| anchors.get() > 7 && keepers.get() > 1);
    println!("{} anchors, {} keepers", anchors.get(), keepers.get());
    assert!(anchors.get() > 7 && keepers.get() > 1);
    ledger.check();
}

/// Programs take each other's place, and one in three times the keeper is killed in it, or soon after.
fn upgrades() {
    let world = World::new();
    let exe = std::env::current_exe().unwrap();
    let programs = ["even", "odd"].map(|name| {
        let copy = world.path(name);
        fs::copy(&exe, &copy).unwrap();
        copy.to_str().unwrap().to_owned()
    });
    let mut ledger = Ledger::new(&world);
    let (mut next, mut kill_at) = (Instant::now() + Duration::from_millis(300), None::<Instant>);
    let begun = Cell::new(0_usize);
    let disturb = |world: &World, daemon: &mut Option<Daemon>| {
        let now = Instant::now();
        if kill_at.is_some_and(|at| at <= now) {
            kill_at = None;
            if let Some(keeper) = world.holder("keeper.lock") {
                keeper.signal(Signal::KILL);
            }
        }
        if now < next || daemon.is_none() {
            return;
        }
        let Some(mut leaving) = daemon.take() else { return };
        let number = begun.get();
        let program = programs[number % 2].clone();
        if leaving.try_say(&ToKeeper::Upgrade { program }) {
            begun.set(number + 1);
            next = now + Duration::from_millis(1200);
            let delay = Duration::from_millis((number as u64).wrapping_mul(7919) % 60);
            kill_at = (number % 3 == 1).then_some(now + delay);
        }
    };
    let done = |world: &World| world.anchor_log().matches(": the anchor is `").count();
    let taken_back = |world: &World| world.anchor_log().matches("is taken back").count();
    ledger.live(Duration::from_secs(4), disturb, |world| done(world) > 1 && taken_back(world) > 0);
    ledger.check();
    let (done, taken_back) = (done(&world), taken_back(&world));
    println!("{} begun, {done} done, {taken_back} taken back", begun.get());
    assert!(done > 1 && taken_back > 0, "{:?}\n{}", ledger.upgrades, world.anchor_log());
    let known = ledger.upgrades.values().filter(|outcome| **outcome == UpgradeOutcome::Done).count();
    assert!(known > 0, "{:?}", ledger.upgrades);
}

fn storm_of_faults(rarity: u32, span: Duration) {
    let world = World::with_faults(rarity);
    let mut ledger = Ledger::new(&world);
    let deaths = |world: &World| world.anchor_log().matches("the keeper ended (signal KILL)").count();
    ledger.live(span, |_, _| (), |world| deaths(world) > 5);
    let deaths = deaths(&world);
    println!("{deaths} deaths");
    assert!(deaths > 5);
    ledger.check();
    assert!(fs::metadata(world.run_dir()).is_ok());
}

fn kills_at_points() {
    storm_of_faults(500, Duration::from_secs(6));
}

fn kills_everywhere() {
    storm_of_faults(250, Duration::from_secs(6));
}

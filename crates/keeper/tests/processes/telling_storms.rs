//! Storms over services that tell how they are, while keepers are killed: whoever hears of an end by an event has heard before
//! it, once, that the run was ready, and the last word that it said; and a run that named another process ends as that does.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use mainstay_model::Signal;
use mainstay_wire::{FromKeeper, SlotPhase, SlotState, ToKeeper, WireExit, WireNotice};

use crate::{
    Test,
    service::WORDS,
    world::{Daemon, Polled, World},
};

pub(crate) const TESTS: &[Test] = &[
    ("words_survive_keepers_killed_at_every_point", at_points),
    ("words_survive_keepers_killed_at_random", at_random),
];

const SERVICES: usize = 9;

/// What one daemon heard of a run.
#[derive(Debug, Default)]
struct Heard {
    run: u64,
    ready: u32,
    status: Option<String>,
}

impl Heard {
    fn take(&mut self, notices: &[WireNotice]) {
        for notice in notices {
            match notice {
                WireNotice::Ready => self.ready += 1,
                WireNotice::Status(text) => self.status = Some(text.clone()),
                _ => {}
            }
        }
    }
}

#[derive(Default)]
struct Tally {
    runs: BTreeMap<String, u64>,
    heard: BTreeMap<String, Heard>,
    ends: u64,
    ends_seen: u64,
    never_ran: u64,
    daemons: u64,
}

fn slot(number: usize) -> String {
    format!("{}{number}", ["tells", "tells-fd", "hands-over"][number % 3])
}

fn code(run: u64) -> i32 {
    i32::try_from(run % 100 + 1).unwrap()
}

impl Tally {
    fn next_run(&mut self, world: &World, daemon: &mut Daemon, slot: &str) {
        let run = self.runs.get(slot).copied().unwrap_or(0) + 1;
        let exe = std::env::current_exe().unwrap();
        let role = slot.trim_end_matches(|c: char| c.is_ascii_digit());
        let words = [exe.to_str().unwrap(), "service", role, &code(run).to_string()];
        let fd = (role == "tells-fd").then_some(9);
        if daemon.try_say(&world.spawn_telling(slot, run, &words, true, fd)) {
            self.runs.insert(slot.to_owned(), run);
        }
        self.heard.insert(slot.to_owned(), Heard { run, ..Heard::default() });
    }

    fn over(&mut self, daemon: &mut Daemon, slot: &str, run: u64) {
        daemon.try_say(&ToKeeper::Acknowledge { slot: slot.to_owned(), run, memo: String::new() });
    }

    fn ended(&mut self, world: &World, slot: &str, run: u64, exit: WireExit) {
        assert_eq!(exit, WireExit::Code(code(run)), "{slot}, run {run}: {}", world.log(slot));
        self.ends += 1;
    }

    fn snapshot(&mut self, world: &World, daemon: &mut Daemon, slots: &[SlotState], is_over: bool) -> usize {
        self.daemons += 1;
        let mut active = 0;
        for number in 0..SERVICES {
            let name = slot(number);
            let Some(state) = slots.iter().find(|state| state.slot == name) else {
                self.runs.insert(name.clone(), 0);
                if !is_over {
                    self.next_run(world, daemon, &name);
                    active += 1;
                }
                continue;
            };
            self.runs.insert(name.clone(), state.run);
            match &state.phase {
                SlotPhase::Spawning | SlotPhase::Running { .. } => {
                    let mut heard = Heard { run: state.run, ..Heard::default() };
                    heard.take(&state.notices);
                    self.heard.insert(name.clone(), heard);
                    active += 1;
                    continue;
                }
                SlotPhase::NotStarted { .. } => self.never_ran += 1,
                SlotPhase::Exited { exit } => self.ended(world, &name, state.run, *exit),
                SlotPhase::Over => {}
            }
            self.over(daemon, &name, state.run);
            if !is_over {
                self.next_run(world, daemon, &name);
                active += 1;
            }
        }
        active
    }

    /// Whether a run is over.
    fn event(&mut self, world: &World, event: FromKeeper) -> Option<(String, u64)> {
        match event {
            FromKeeper::Notified { slot, run, notices } => {
                let heard = self.heard.get_mut(&slot).unwrap();
                assert_eq!(heard.run, run);
                heard.take(&notices);
                None
            }
            FromKeeper::Exited { slot, run, exit } => {
                let heard = self.heard.get(&slot).filter(|heard| heard.run == run).unwrap();
                assert_eq!(heard.ready, 1, "{slot}, run {run}: {heard:?}");
                assert_eq!(heard.status, Some(WORDS.to_string()), "{slot}, run {run}");
                self.ended(world, &slot, run, exit);
                self.ends_seen += 1;
                Some((slot, run))
            }
            FromKeeper::NotStarted { slot, run, failure } => {
                assert_eq!(failure.text, "the keeper was killed before the program ran");
                self.never_ran += 1;
                Some((slot, run))
            }
            _ => None,
        }
    }
}

fn storm(world: &World, span: Duration, mut disturb: impl FnMut()) {
    let mut tally = Tally::default();
    let end = Instant::now() + span;
    let mut daemon: Option<Daemon> = None;
    let mut active = 1;
    while active > 0 {
        assert!(Instant::now() < end + Duration::from_secs(20), "no calm");
        let is_over = Instant::now() >= end;
        if !is_over {
            disturb();
        }
        if let Some((mut new, slots)) = world.try_daemon() {
            active = tally.snapshot(world, &mut new, &slots, is_over);
            daemon = Some(new);
        }
        let polled = daemon.as_mut().map_or(Polled::Nothing, Daemon::poll);
        match polled {
            Polled::Event(event) => {
                if let (Some((slot, run)), Some(daemon)) = (tally.event(world, event), &mut daemon) {
                    tally.over(daemon, &slot, run);
                    if is_over {
                        active -= 1;
                    } else {
                        tally.next_run(world, daemon, &slot);
                    }
                }
            }
            Polled::Nothing => std::thread::sleep(Duration::from_micros(200)),
            Polled::Gone => daemon = None,
        }
    }
    println!(
        "{} ends, {} of them seen, {} daemons, {} never ran",
        tally.ends, tally.ends_seen, tally.daemons, tally.never_ran
    );
    assert!(tally.daemons > 3 && tally.ends > 20);
}

fn at_points() {
    let world = World::with_faults(200);
    storm(&world, Duration::from_secs(6), || ());
    let deaths = world.anchor_log().matches("the keeper ended (signal KILL)").count();
    println!("{deaths} deaths");
    assert!(deaths > 5);
}

fn at_random() {
    let world = World::new();
    let mut next = Instant::now();
    let mut random = 1_u64;
    storm(&world, Duration::from_secs(6), || {
        if Instant::now() < next {
            return;
        }
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        next = Instant::now() + Duration::from_millis(50 + (random >> 33) % 400);
        if let Some(keeper) = world.holder("keeper.lock") {
            keeper.signal(Signal::KILL);
        }
    });
}

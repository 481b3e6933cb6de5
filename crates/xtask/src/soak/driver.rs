//! Kills what is Mainstay's own, from a seed, and has services end in the middle of it. Judges nothing.
//!
//! A blow falls on one of the three processes, on two or on all. Half of them are sudden: killed, and right after that some
//! services are told to end. In the other half the victims are stopped first, so that the ends surely fall into a time in which
//! nobody is there to see them, and then killed. Two victims are hit at once or with a small pause in between, in which the
//! first may be in the middle of its recovery.
//!
//! A keeper whose anchor died becomes one in its own process, and has another keeper and daemon. When both are gone,
//! `mainstay up -d` is run, as a service manager would.
//!
//! Now and then `mainstay daemon upgrade` is run beside all that. In every other one nobody is hit, so that it comes about; blows
//! fall into the rest: then it is taken back, or fails.

use std::{
    collections::{BTreeMap, HashSet},
    fs::File,
    io::Write as _,
    process::Child,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use mainstay_host::{Process, monotonic_nanos};
use mainstay_model::Signal;

use super::{
    dice::Dice,
    family::{Family, Identity, Role, Three},
    world::{FIRST, World},
    writer,
};

/// Milliseconds between two blows, on a usual machine.
const PAUSE: (u64, u64) = (150, 800);

/// Milliseconds between two upgrades.
const UPGRADES: (u64, u64) = (2000, 6000);

/// Milliseconds between two victims of one blow.
const GAP: (u64, u64) = (0, 12);

/// How long those who were told to end may take, while somebody is stopped.
const ENDING: Duration = Duration::from_millis(60);

/// Services that are told to end at each blow.
const TOLD: (u64, u64) = (1, 4);

/// How often it is told how it goes.
const NEWS: Duration = Duration::from_secs(15);

/// How long it is waited for a daemon on a slow machine.
const RETURNING: Duration = Duration::from_secs(6);

/// How long the three may take to be there again.
const RECOVERY: Duration = Duration::from_secs(40);

/// How long after its keeper, or the anchor in whose place that goes, a daemon may end: by itself, or by the next keeper.
/// Nanoseconds.
const FOLLOWING: u64 = 5_000_000_000;

/// A time in which one of the three was not there. Nanoseconds of the monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) role: Role,
    pub(super) from: u64,
    pub(super) until: u64,
}

/// On whom a blow falls, and how often as compared with others.
const BLOWS: [(&[Role], u64); 7] = [
    (&[Role::Daemon], 8),
    (&[Role::Keeper], 14),
    (&[Role::Anchor], 4),
    (&[Role::Daemon, Role::Keeper], 7),
    (&[Role::Anchor, Role::Daemon], 2),
    (&[Role::Anchor, Role::Keeper], 1),
    (&[Role::Anchor, Role::Keeper, Role::Daemon], 1),
];

/// What was done.
#[derive(Debug, Default)]
pub(super) struct Deeds {
    pub(super) windows: Vec<Window>,
    /// From the death of the keeper until new ones have taken over, when the anchor was dead meanwhile. What the anchor noted since
    /// the keeper's death is gone with it.
    pub(super) together: Vec<(u64, u64)>,
    /// Blows by their victims.
    pub(super) blows: BTreeMap<String, u64>,
    /// Processes that were killed.
    pub(super) kills: u64,
    /// Times that `up -d` was run again.
    pub(super) ups: u64,
    /// Upgrades that were asked for, and those that came about.
    pub(super) upgrades: (u64, u64),
    /// Processes of the three that ended by themselves, and when.
    pub(super) own_deaths: Vec<String>,
    /// The longest time without a blow.
    pub(super) longest_pause: Duration,
}

/// Who does it.
pub(super) struct Driver<'a> {
    world: &'a mut World,
    dice: Dice,
    family: Family,
    /// Those that live, as far as is known.
    three: Three,
    /// Those that live no more because of us.
    killed: HashSet<Identity>,
    /// When the latest keeper or anchor was killed.
    above_killed: Option<u64>,
    /// Since when there is none.
    gone: BTreeMap<Role, u64>,
    /// Since when neither anchor nor keeper has taken over.
    orphaned: Option<u64>,
    /// An `up` under way.
    up: Option<Child>,
    /// An upgrade under way.
    upgrade: Option<Child>,
    /// Nobody is hit in it: it shall come about. Services end all the same.
    is_spared: bool,
    /// When the latest one ended: the three may end by themselves in it.
    upgraded: Option<u64>,
    diary: File,
    begun: u64,
    deeds: Deeds,
}

impl<'a> Driver<'a> {
    pub(super) fn new(world: &'a mut World, seed: u64) -> Result<Self> {
        let diary = world.diary();
        let diary = File::create(&diary).with_context(|| format!("cannot create `{}`", diary.display()))?;
        Ok(Self {
            world,
            dice: Dice::new(seed, "driver"),
            family: Family::default(),
            three: Three::new(),
            killed: HashSet::new(),
            above_killed: None,
            gone: BTreeMap::new(),
            orphaned: None,
            up: None,
            upgrade: None,
            is_spared: false,
            upgraded: None,
            diary,
            begun: monotonic_nanos(),
            deeds: Deeds::default(),
        })
    }

    /// Strikes until the time is over, and brings everything back.
    pub(super) fn drive(mut self, span: Duration) -> Result<Deeds> {
        self.note(&format!("it is {} of the monotonic clock", self.begun))?;
        let driven = self.strike_for(span).and_then(|()| self.recover());
        for mut child in [self.up.take(), self.upgrade.take()].into_iter().flatten() {
            // It may have ended in this moment.
            let _ = child.kill();
            while self.world.end(&mut child)?.is_none() {
                self.world.turn()?;
            }
        }
        self.deeds.together.extend(self.orphaned.map(|from| (from, monotonic_nanos())));
        driven.map(|()| self.deeds)
    }

    fn strike_for(&mut self, span: Duration) -> Result<()> {
        let end = Instant::now() + span;
        let (mut next, mut news, mut last) = (Instant::now(), Instant::now() + NEWS, Instant::now());
        let mut next_upgrade = Instant::now();
        while Instant::now() < end {
            self.look()?;
            self.see_to_up()?;
            let now = Instant::now();
            if now >= next && self.is_worth_a_blow(next) && self.strike()? {
                self.deeds.longest_pause = self.deeds.longest_pause.max(last.elapsed());
                last = Instant::now();
                next = last + self.world.patience(Duration::from_millis(self.dice.between(PAUSE.0, PAUSE.1)));
            }
            if now >= next_upgrade && self.upgrade.is_none() {
                self.begin_upgrade()?;
                let pause = Duration::from_millis(self.dice.between(UPGRADES.0, UPGRADES.1));
                next_upgrade = now + self.world.patience(pause);
            }
            if now >= news {
                news = now + NEWS;
                let left = end.saturating_duration_since(now).as_secs();
                println!("{} blows, {} kills, {} s left", self.blows(), self.deeds.kills, left);
            }
            self.world.turn()?;
        }
        Ok(())
    }

    /// A slow machine would otherwise come to nothing but keepers.
    fn is_worth_a_blow(&self, since: Instant) -> bool {
        !self.world.is_slow() || self.three.contains_key(&Role::Daemon) || since.elapsed() > RETURNING
    }

    fn blows(&self) -> u64 {
        self.deeds.blows.values().sum()
    }

    /// Waits until all three are there.
    fn recover(&mut self) -> Result<()> {
        let deadline = Instant::now() + self.world.patience(RECOVERY);
        let is_there = |driver: &Self, role| driver.three.contains_key(&role);
        let is_idle = |driver: &Self| driver.up.is_none() && driver.upgrade.is_none();
        while !(Role::ALL.iter().all(|role| is_there(self, *role)) && is_idle(self)) {
            if Instant::now() > deadline {
                bail!("not everything came back: there are {:?}", self.three);
            }
            self.look()?;
            self.see_to_up()?;
            self.world.turn()?;
        }
        Ok(())
    }

    /// Sees who lives; notes who came and who went.
    fn look(&mut self) -> Result<()> {
        let seen = self.family.look();
        let now = monotonic_nanos();
        for role in Role::ALL {
            let living = |identity: &Identity| !self.killed.contains(identity);
            let before = self.three.get(&role).copied().filter(living);
            let mut after = seen.get(&role).copied().filter(living);
            if let Some(identity) = before.filter(|_| before != after) {
                let lives = identity.open().is_some_and(|process| !process.is_zombie());
                if seen.iter().any(|(other, it)| *other != role && *it == identity) {
                    self.gone.entry(role).or_insert(now);
                    self.note(&format!("the {} {} is another by now", role.word(), identity.pid))?;
                } else if lives && after.is_none() {
                    // Looking may miss somebody.
                    after = before;
                } else if !lives {
                    self.went(role, identity, now)?;
                }
            }
            if let (Some(_), Some(from)) = (after, self.gone.get(&role).copied()) {
                self.gone.remove(&role);
                self.deeds.windows.push(Window { role, from, until: now });
                self.note(&format!("the {} is back", role.word()))?;
            }
            match after {
                Some(identity) => drop(self.three.insert(role, identity)),
                None => drop(self.three.remove(&role)),
            }
        }
        self.see_who_took_over(now);
        Ok(())
    }

    /// A keeper starts its daemon when it has looked at every slot.
    fn see_who_took_over(&mut self, now: u64) {
        let start = |role: Role| self.three.get(&role).map(|identity| identity.start);
        let (anchor, daemon) = (start(Role::Anchor), start(Role::Daemon));
        if let (Some(anchor), Some(daemon), Some(from)) = (anchor, daemon, self.orphaned)
            && daemon >= anchor
        {
            self.orphaned = None;
            self.deeds.together.push((from, now));
        }
        self.see_who_is_orphaned();
    }

    /// One that nobody killed has ended. A daemon follows its keeper, and that an anchor.
    fn went(&mut self, role: Role, identity: Identity, now: u64) -> Result<()> {
        let followed = |from: &u64| now.saturating_sub(*from) < FOLLOWING;
        let follows = role == Role::Daemon && self.above_killed.as_ref().is_some_and(followed);
        let text = format!("{} {}", role.word(), identity.pid);
        let upgraded = self.upgrade.is_some() || self.upgraded.as_ref().is_some_and(followed);
        if upgraded && role != Role::Anchor {
            self.note(&format!("{text} ended in an upgrade"))?;
        } else if follows || self.gone.contains_key(&Role::Keeper) && role == Role::Daemon {
            self.note(&format!("{text} followed its keeper"))?;
        } else {
            self.note(&format!("{text} ended by itself"))?;
            self.deeds.own_deaths.push(text);
        }
        self.gone.entry(role).or_insert(now);
        Ok(())
    }

    fn begin_upgrade(&mut self) -> Result<()> {
        self.note("upgrade")?;
        self.upgrade = Some(self.world.upgrade(self.deeds.upgrades.0)?);
        self.is_spared = self.deeds.upgrades.0.is_multiple_of(2);
        self.deeds.upgrades.0 += 1;
        Ok(())
    }

    fn see_to_upgrade(&mut self) -> Result<()> {
        let Some(upgrade) = &mut self.upgrade else { return Ok(()) };
        if let Some(status) = self.world.end(upgrade)? {
            (self.upgrade, self.upgraded) = (None, Some(monotonic_nanos()));
            self.deeds.upgrades.1 += u64::from(status.success());
            self.note(&format!("the upgrade ended: {status}"))?;
        }
        Ok(())
    }

    /// Runs `up -d` when nobody is there who would bring the rest back.
    fn see_to_up(&mut self) -> Result<()> {
        self.see_to_upgrade()?;
        if let Some(up) = &mut self.up {
            if let Some(status) = self.world.end(up)? {
                self.up = None;
                self.note(&format!("up ended: {status}"))?;
            }
            return Ok(());
        }
        let is_orphaned = self.gone.contains_key(&Role::Anchor) && self.gone.contains_key(&Role::Keeper);
        if is_orphaned {
            self.note("up -d")?;
            self.deeds.ups += 1;
            self.up = Some(self.world.start(&["up", "-d", "--timeout", "20s"])?);
        }
        Ok(())
    }

    /// One blow, when there is somebody to hit.
    fn strike(&mut self) -> Result<bool> {
        if self.upgrade.is_some() && self.is_spared {
            self.have_some_end();
            return Ok(true);
        }
        let is_there = |role: &Role| self.three.contains_key(role);
        // An anchor that is hit before it has made the others would only be made again and again.
        let is_whole = Role::ALL.iter().all(is_there);
        let possible =
            |roles: &[Role]| is_whole || (!roles.contains(&Role::Anchor) && roles.iter().all(is_there));
        let blows: Vec<_> = BLOWS.iter().filter(|(roles, _)| possible(roles)).collect();
        let all: u64 = blows.iter().map(|(_, weight)| weight).sum();
        if all == 0 {
            return Ok(false);
        }
        let mut left = self.dice.between(0, all - 1);
        let chosen = blows.into_iter().find(|(_, weight)| {
            let is_it = left < *weight;
            left = left.saturating_sub(*weight);
            is_it
        });
        let Some((roles, _)) = chosen else { return Ok(false) };
        let victims: Vec<(Role, Identity, Process)> = roles
            .iter()
            .filter_map(|role| {
                let identity = *self.three.get(role)?;
                Some((*role, identity, identity.open()?))
            })
            .collect();
        if victims.len() < roles.len() {
            return Ok(false);
        }
        let names: Vec<&str> = roles.iter().map(|role| role.word()).collect();
        *self.deeds.blows.entry(names.join(" + ")).or_default() += 1;
        self.carry_out(&victims)?;
        Ok(true)
    }

    fn carry_out(&mut self, victims: &[(Role, Identity, Process)]) -> Result<()> {
        let is_sudden = self.dice.between(0, 1) == 0;
        if !is_sudden {
            let from = monotonic_nanos();
            victims.iter().for_each(|(_, _, process)| process.signal(Signal::STOP));
            for (role, ..) in victims {
                self.gone.entry(*role).or_insert(from);
            }
            self.have_some_end();
            thread::sleep(ENDING);
        }
        let gap = Duration::from_millis(self.dice.between(GAP.0, GAP.1));
        let pairs_at_once = self.dice.between(0, 1) == 0;
        for (at, (role, identity, process)) in victims.iter().enumerate() {
            if at > 0 && !pairs_at_once {
                thread::sleep(gap);
            }
            self.gone.entry(*role).or_insert(monotonic_nanos());
            process.signal(Signal::KILL);
            self.killed.insert(*identity);
            if *role != Role::Daemon {
                self.above_killed = Some(monotonic_nanos());
            }
            self.three.remove(role);
            self.deeds.kills += 1;
            if at == 0 && is_sudden {
                self.have_some_end();
            }
            let manner = if is_sudden { "" } else { ", stopped before" };
            self.note(&format!("killed the {} {}{manner}", role.word(), identity.pid))?;
        }
        // An `up` under way may have a new anchor there before anybody looks again.
        self.see_who_is_orphaned();
        Ok(())
    }

    /// Neither anchor nor keeper is there: from the keeper's death on.
    fn see_who_is_orphaned(&mut self) {
        if let (true, Some(from)) = (self.gone.contains_key(&Role::Anchor), self.gone.get(&Role::Keeper)) {
            self.orphaned.get_or_insert(*from);
        }
    }

    fn have_some_end(&mut self) {
        let ids: Vec<&str> = self.world.ids().iter().map(String::as_str).filter(|id| *id != FIRST).collect();
        for _ in 0..self.dice.between(TOLD.0, TOLD.1) {
            self.world.tell(self.dice.one_of(&ids), writer::END);
        }
    }

    fn note(&mut self, text: &str) -> Result<()> {
        let at = Duration::from_nanos(monotonic_nanos().saturating_sub(self.begun));
        writeln!(self.diary, "{:9.3} {text}", at.as_secs_f64()).context("cannot write the diary")
    }
}

//! Random descriptions of projects without circles, and random changes to them. Knows nothing of what runs.

use std::{collections::BTreeSet, num::NonZeroU32, path::PathBuf, time::Duration};

use mainstay_model::{
    Attempts, Command, Condition, Dependency, HealthPolicy, Hook, Hooks, Kind, Probe, ReadyCheck,
    ReadyPolicy, Reload, RestartPolicy, RestartWhen, ServiceId, ServiceName, Signal, Spec, StopPolicy,
};

use crate::dice::Dice;

/// The most services of a project; instances come on top.
const SERVICES: usize = 12;
/// The names that there are: few, so that a removed one comes back.
const NAMES: usize = 16;

/// A project as somebody could write it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Blueprint {
    sketches: Vec<Sketch>,
}

/// A service of it. A service depends only on those of a lower rank: so there is no circle.
#[derive(Clone, Debug)]
struct Sketch {
    name: ServiceName,
    rank: u64,
    instances: u32,
    spec: Spec,
}

impl Blueprint {
    /// A project of one to twelve services.
    pub(crate) fn random(dice: &mut Dice) -> Self {
        let mut blueprint = Self::default();
        for _ in 0..=dice.below(SERVICES) {
            blueprint.add(dice);
        }
        blueprint
    }

    /// Every instance, in any order.
    pub(crate) fn specs(&self, dice: &mut Dice) -> Vec<Spec> {
        let mut specs: Vec<Spec> = self.sketches.iter().flat_map(Sketch::specs).collect();
        dice.shuffle(&mut specs);
        specs
    }

    /// The same, with one to three changes.
    pub(crate) fn change(&mut self, dice: &mut Dice) {
        for _ in 0..=dice.below(3) {
            match dice.below(12) {
                0 | 1 if self.sketches.len() < SERVICES => self.add(dice),
                2 | 3 => self.remove(dice),
                4 => self.flip_kind(dice),
                5..=7 => self.rewire(dice),
                _ => self.rewrite(dice),
            }
        }
    }

    fn add(&mut self, dice: &mut Dice) {
        let used: BTreeSet<&ServiceName> = self.sketches.iter().map(|sketch| &sketch.name).collect();
        let number = dice.below(NAMES);
        let free = (0..NAMES).map(|step| name((number + step) % NAMES)).find(|name| !used.contains(name));
        let Some(name) = free else { return };
        let spec = random_spec(&name, dice);
        let instances = if dice.chance(20) { dice.pick([2, 3]) } else { 1 };
        self.sketches.push(Sketch { name, rank: dice.roll(), instances, spec });
        let added = self.sketches.len() - 1;
        for _ in 0..dice.below(4) {
            self.connect(added, dice);
        }
    }

    fn remove(&mut self, dice: &mut Dice) {
        if self.sketches.is_empty() {
            return;
        }
        let gone = self.sketches.swap_remove(dice.below(self.sketches.len())).name;
        for sketch in &mut self.sketches {
            sketch.spec.depends_on.retain(|dependency| dependency.on != gone);
        }
    }

    fn flip_kind(&mut self, dice: &mut Dice) {
        let chosen = dice.below(self.sketches.len());
        let Some(sketch) = self.sketches.get_mut(chosen) else { return };
        sketch.spec.kind = match sketch.spec.kind {
            Kind::Permanent => Kind::Oneshot,
            Kind::Oneshot => Kind::Permanent,
        };
        let (name, kind) = (sketch.name.clone(), sketch.spec.kind);
        if kind == Kind::Oneshot {
            return;
        }
        // Only a oneshot completes.
        for dependency in self.sketches.iter_mut().flat_map(|sketch| &mut sketch.spec.depends_on) {
            if dependency.on == name && dependency.until == Condition::Completed {
                dependency.until = Condition::Ready;
            }
        }
    }

    fn rewire(&mut self, dice: &mut Dice) {
        let chosen = dice.below(self.sketches.len());
        let Some(sketch) = self.sketches.get_mut(chosen) else { return };
        if dice.chance(50) && !sketch.spec.depends_on.is_empty() {
            let cut = dice.below(sketch.spec.depends_on.len());
            sketch.spec.depends_on.remove(cut);
        } else {
            self.connect(chosen, dice);
        }
    }

    /// Changes what a service is made of, keeping what it needs.
    fn rewrite(&mut self, dice: &mut Dice) {
        let chosen = dice.below(self.sketches.len());
        let Some(sketch) = self.sketches.get_mut(chosen) else { return };
        let other = random_spec(&sketch.name, dice);
        match dice.below(12) {
            0 | 1 => sketch.spec.command = other.command,
            2 => sketch.spec.restart = other.restart,
            3 | 4 => sketch.spec.ready = other.ready,
            5 => sketch.spec.stop = other.stop,
            6 => sketch.instances = dice.pick([1, 1, 2, 3]),
            7 => sketch.spec.health = other.health,
            8 => sketch.spec.watchdog = other.watchdog,
            9 => sketch.spec.hooks = other.hooks,
            10 => (sketch.spec.reload, sketch.spec.rolling) = (other.reload, other.rolling),
            _ => sketch.spec.rerun_unknown = other.rerun_unknown,
        }
    }

    /// Lets this service depend on another one.
    fn connect(&mut self, from: usize, dice: &mut Dice) {
        let on = &self.sketches[dice.below(self.sketches.len())];
        let sketch = &self.sketches[from];
        let there = sketch.spec.depends_on.iter().any(|dependency| dependency.on == on.name);
        if on.rank >= sketch.rank || there {
            return;
        }
        let until = match on.spec.kind {
            Kind::Permanent => {
                dice.pick([Condition::Started, Condition::Ready, Condition::Ready, Condition::Healthy])
            }
            Kind::Oneshot => dice.pick([
                Condition::Started,
                Condition::Ready,
                Condition::Healthy,
                Condition::Completed,
                Condition::Completed,
            ]),
        };
        let dependency = Dependency { on: on.name.clone(), until, restart: dice.chance(30) };
        self.sketches[from].spec.depends_on.push(dependency);
    }
}

impl Sketch {
    fn specs(&self) -> Vec<Spec> {
        let id = |instance| ServiceId { name: self.name.clone(), instance };
        let spec = |instance| Spec { id: id(instance), ..self.spec.clone() };
        match self.instances {
            1 => vec![spec(None)],
            many => (1..=many).map(|number| spec(NonZeroU32::new(number))).collect(),
        }
    }
}

/// A description for what is still there and described nowhere any more.
pub(crate) fn placeholder(id: &ServiceId) -> Spec {
    let spec = Spec::new(id.clone(), Kind::Permanent, command(0), PathBuf::from("/"));
    Spec { restart: RestartPolicy::with(RestartWhen::Never), ..spec }
}

fn random_spec(name: &ServiceName, dice: &mut Dice) -> Spec {
    let ms = Duration::from_millis;
    let kind = if dice.chance(35) { Kind::Oneshot } else { Kind::Permanent };
    Spec {
        kind,
        command: command(dice.below(5)),
        restart: random_restart(kind, dice),
        ready: dice.chance(55).then(|| random_ready(dice)),
        stop: StopPolicy {
            signal: dice.pick([Signal::TERM, Signal::TERM, Signal::TERM, Signal::INT, Signal::KILL]),
            timeout: ms(dice.pick([0, 100, 5_000, 5_000, 10_000, 60_000])),
        },
        rerun_unknown: dice.chance(30),
        health: dice.chance(35).then(|| random_health(dice)),
        watchdog: dice.chance(20).then(|| ms(dice.pick([500, 2_000, 30_000]))),
        hooks: if dice.chance(50) { random_hooks(dice) } else { Hooks::default() },
        reload: dice.chance(40).then(|| random_reload(dice)),
        rolling: dice.chance(50),
        ..placeholder(&ServiceId::single(name.clone()))
    }
}

fn random_restart(kind: Kind, dice: &mut Dice) -> RestartPolicy {
    let ms = Duration::from_millis;
    let usual = match kind {
        Kind::Permanent => RestartWhen::OnFailure,
        Kind::Oneshot => RestartWhen::Never,
    };
    RestartPolicy {
        when: dice.pick([usual, usual, RestartWhen::Never, RestartWhen::OnFailure, RestartWhen::Always]),
        delay: ms(dice.pick([0, 10, 1_000, 1_000, 5_000])),
        factor_milli: dice.pick([1_000, 1_500, 2_000, 2_000, 3_000]),
        max_delay: ms(dice.pick([100, 1_000, 60_000, 60_000])),
        attempts: dice.pick([
            Attempts::UpTo(0),
            Attempts::UpTo(1),
            Attempts::UpTo(2),
            Attempts::UpTo(3),
            Attempts::UpTo(10),
            Attempts::Unlimited,
        ]),
        reset_after: ms(dice.pick([0, 1_000, 60_000, 600_000])),
        success_exit_codes: if dice.chance(25) { [0, 3].into() } else { [0].into() },
    }
}

fn random_ready(dice: &mut Dice) -> ReadyPolicy {
    let ms = Duration::from_millis;
    let check = match dice.below(9) {
        0 | 1 => ReadyCheck::After(ms(dice.pick([0, 50, 2_000, 30_000]))),
        2 => ReadyCheck::Probe(Probe::Exec(command(dice.below(3)))),
        3 | 4 => ReadyCheck::Notify,
        5 => ReadyCheck::Fd(3),
        6 => ReadyCheck::Log("ready".to_owned()),
        _ => ReadyCheck::Probe(tcp(dice)),
    };
    ReadyPolicy {
        check,
        timeout: ms(dice.pick([100, 1_000, 30_000, 30_000])),
        interval: ms(dice.pick([5, 50, 1_000])),
        probe_timeout: ms(2_000),
    }
}

fn tcp(dice: &mut Dice) -> Probe {
    Probe::Tcp(format!("127.0.0.1:{}", 5000 + dice.below(3)))
}

fn random_health(dice: &mut Dice) -> HealthPolicy {
    let ms = Duration::from_millis;
    HealthPolicy {
        probe: tcp(dice),
        interval: ms(dice.pick([200, 1_000, 10_000, 30_000])),
        timeout: ms(2_000),
        failures: dice.pick([1, 2, 3]),
        start_period: ms(dice.pick([0, 0, 1_000, 30_000])),
    }
}

fn random_hook(dice: &mut Dice) -> Hook {
    let timeout = Duration::from_millis(dice.pick([20, 1_000, 10_000, 60_000]));
    Hook { command: command(dice.below(5)), timeout }
}

fn random_hooks(dice: &mut Dice) -> Hooks {
    let mut some = || dice.chance(45).then(|| random_hook(dice));
    Hooks { before_start: some(), after_start: some(), before_stop: some(), after_stop: some() }
}

fn random_reload(dice: &mut Dice) -> Reload {
    if dice.chance(50) { Reload::Signal(Signal::HUP) } else { Reload::Command(random_hook(dice)) }
}

#[expect(clippy::expect_used, reason = "two fixed words are a command")]
fn command(number: usize) -> Command {
    Command::new(["./serve".to_owned(), number.to_string()]).expect("words without NUL")
}

#[expect(clippy::expect_used, reason = "a letter and digits are a name")]
fn name(number: usize) -> ServiceName {
    format!("s{number}").parse().expect("a name")
}

#[cfg(test)]
mod tests {
    use mainstay_decide::Graph;

    use super::*;

    #[test]
    fn however_often_a_project_is_changed_it_can_be_ordered() {
        let mut dice = Dice::new(3);
        for _ in 0..50 {
            let mut blueprint = Blueprint::random(&mut dice);
            for _ in 0..50 {
                assert!(Graph::new(&blueprint.specs(&mut dice)).is_ok());
                blueprint.change(&mut dice);
            }
        }
    }
}

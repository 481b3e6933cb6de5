//! `cargo xtask soak`: a real project under the real program, whose processes are killed at least once a second. In the end
//! everything that services wrote and how they ended is compared with what Mainstay kept of it.
//!
//! Who knows what is true is not Mainstay: each writer notes down itself what it wrote and how it will end. All that is started
//! is below this process and stays there, so that nothing else is hit, and nothing is left.

mod dice;
mod driver;
mod exits;
mod family;
mod line;
mod lines;
mod truth;
mod verdict;
mod vm;
mod world;
mod writer;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use self::{
    driver::{Deeds, Driver},
    exits::{Exits, Kernel, Times},
    lines::Lines,
    truth::Runs,
    verdict::{Place, Tally, Verdict},
    world::{FIRST, Scale, World},
};
use crate::{repo, run_visibly, test::Outcome};
pub(crate) use writer::run as write;

/// Lines a second.
const RATE: u64 = 10_000;

/// Lines a second where every instruction is emulated, and how much longer all may take there.
const SLOW_RATE: u64 = 1_000;
const SLOWNESS: u32 = 4;

/// What can be said.
const OPTIONS: &str = "--minutes, --seconds, --seed, --rate, --slowness, --program, --kernel";

/// How long all may take to come up, or to be calm.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is asked for.
#[derive(Debug)]
struct Order {
    scale: Scale,
    program: Option<PathBuf>,
    /// In a machine of its own, with this kernel.
    kernel: Option<String>,
}

/// Two minutes of it, on the kernel that is here.
pub(crate) fn step() -> Result<Outcome> {
    run(&[]).map(|()| Outcome::Passed)
}

/// Two minutes of it on a kernel that knows less.
pub(crate) fn old_kernel_step() -> Result<Outcome> {
    vm::run(vm::KERNEL, &program(None, Build::Release)?, &slowly(usual()))
}

/// Does as the arguments say.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let order = order(arguments)?;
    let build = if order.kernel.is_some() { Build::Release } else { Build::Development };
    let program = program(order.program, build)?;
    let Some(kernel) = order.kernel else { return soak(&program, &order.scale) };
    match vm::run(&kernel, &program, &order.scale)? {
        Outcome::Passed => Ok(()),
        Outcome::Skipped(reason) => bail!("it cannot be run here: {reason}"),
    }
}

/// What the machine of its own runs as its first process.
pub(crate) fn guest(arguments: &[String]) -> Result<()> {
    vm::guest(|| {
        let order = order(arguments)?;
        soak(&order.program.context("there is no program")?, &order.scale)
    })
}

/// How the program is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Build {
    /// Its assertions are on.
    Development,
    /// Where everything is slow, the other one would do hardly anything but come up.
    Release,
}

/// The program that is soaked: one that is there, or a build of it.
fn program(chosen: Option<PathBuf>, build: Build) -> Result<PathBuf> {
    if let Some(program) = chosen {
        return program.canonicalize().with_context(|| format!("there is no `{}`", program.display()));
    }
    let (profile, folder) = match build {
        Build::Development => ("dev", "debug"),
        Build::Release => ("release", "release"),
    };
    let mut cargo = repo::cargo();
    cargo.args(["build", "--quiet", "--locked", "--package", "mainstay-cli", "--profile", profile]);
    run_visibly(&mut cargo)?;
    Ok(repo::target_dir().join(folder).join("mainstay"))
}

fn usual() -> Scale {
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_secs());
    Scale { seed, rate: RATE, span: Duration::from_secs(120), slowness: 1 }
}

/// As much as a machine can do whose every instruction is emulated.
fn slowly(scale: Scale) -> Scale {
    Scale { rate: SLOW_RATE, slowness: SLOWNESS, ..scale }
}

fn order(arguments: &[String]) -> Result<Order> {
    let is_old = arguments.iter().any(|argument| argument == "--kernel");
    let scale = if is_old { slowly(usual()) } else { usual() };
    let mut order = Order { scale, program: None, kernel: None };
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let value = words.next().with_context(|| format!("`{word}` lacks its value"))?;
        let number = || value.parse::<u64>().with_context(|| format!("`{word}` takes a number"));
        match word.as_str() {
            "--minutes" => order.scale.span = Duration::from_secs(number()? * 60),
            "--seconds" => order.scale.span = Duration::from_secs(number()?),
            "--seed" => order.scale.seed = number()?,
            "--rate" => order.scale.rate = number()?,
            "--slowness" => order.scale.slowness = u32::try_from(number()?).unwrap_or(u32::MAX).clamp(1, 100),
            "--program" => order.program = Some(value.into()),
            "--kernel" => order.kernel = Some(value.clone()),
            other => bail!("`{other}` is none of {OPTIONS}"),
        }
    }
    Ok(order)
}

/// Soaks the program, and compares.
fn soak(program: &Path, scale: &Scale) -> Result<()> {
    println!("seed {}; {} lines a second for {} s", scale.seed, scale.rate, scale.span.as_secs());
    let mut world = World::new(program, scale)?;
    let judged = live(&mut world, scale);
    // Whatever happened, nothing stays behind.
    let swept = world.sweep();
    let verdict = match judged.and_then(|verdict| swept.map(|()| verdict)) {
        Ok(verdict) => verdict,
        Err(error) if world.was_stopped() => return Err(error),
        Err(error) => {
            println!("everything is kept in {}", world.keep().display());
            return Err(error.context(format!("seed {}", scale.seed)));
        }
    };
    print!("{verdict}");
    if !verdict.is_good() {
        let place = world.keep();
        bail!(
            "it is not as promised (above), with seed {}; everything is kept in {}",
            scale.seed,
            place.display()
        );
    }
    Ok(())
}

/// From the first `up` to the verdict.
fn live(world: &mut World, scale: &Scale) -> Result<Verdict> {
    let patience = world.patience(PATIENCE);
    let came_up = world.run(&["up", "-d"], patience)?;
    if !came_up.status.success() {
        bail!("it did not come up: {}\n{}{}", came_up.status, came_up.out, came_up.err);
    }
    let begun = Instant::now();
    let driven = Driver::new(world, scale.seed)?.drive(scale.span);
    let calm = driven.and_then(|deeds| {
        world.calm()?;
        Ok((deeds, calm_list(world)?))
    });
    let seconds = begun.elapsed().as_secs();
    let down = world.bring_down()?;
    let (deeds, list) = calm?;
    if !down.status.success() {
        bail!("it did not go down: {}\n{}{}", down.status, down.out, down.err);
    }
    judge(world, deeds, &list, seconds, scale.slowness)
}

/// How everything stands once nobody ends any more.
fn calm_list(world: &mut World) -> Result<Value> {
    let deadline = Instant::now() + world.patience(PATIENCE);
    loop {
        let list = world.ask(&["list", "--json"])?.unwrap_or_default();
        let mut services = list["services"].as_array().into_iter().flatten().peekable();
        let is_calm = |service: &Value| service["phase"] == "running" || service["phase"] == "completed";
        if services.peek().is_some() && services.all(is_calm) {
            return Ok(list);
        }
        if Instant::now() > deadline {
            bail!("it did not become calm: {list:#}");
        }
    }
}

fn judge(world: &mut World, deeds: Deeds, list: &Value, seconds: u64, slowness: u32) -> Result<Verdict> {
    let truth: BTreeMap<String, Runs> = world
        .ids()
        .iter()
        .map(|id| Ok((id.clone(), truth::read(&world.truth(id))?)))
        .collect::<Result<_>>()?;
    let system = rustix::system::uname();
    let kernel = Kernel::of(&system.release().to_string_lossy());
    let times = Times::new(deeds.windows.clone(), deeds.together.clone(), kernel, slowness);
    let (mut lines, mut exits, mut other) = (Lines::default(), Exits::default(), Tally::default());
    for (id, runs) in &truth {
        exits.judge(id, runs, &times);
        let is_apart = |run: u64| {
            let end = runs.get(&run).and_then(|run| run.end.as_ref());
            end.is_some_and(|end| times.is_apart(end.at))
        };
        lines.judge(&world.logs(), id, runs, &is_apart)?;
    }
    let once = truth.get(FIRST).map_or(0, BTreeMap::len);
    if once != 1 {
        other.add(|| Place::new(FIRST, format!("is to run once, and ran {once} times")));
    }
    deeds.own_deaths.iter().for_each(|text| other.add(|| Place::new("ended by itself", text.clone())));
    let history =
        world.ask(&["history", "--json", "-n", "100000000"])?.context("the history cannot be read")?;
    exits.remember(&truth, &history, &times)?;
    let written = truth.values().flat_map(BTreeMap::values).flat_map(|run| run.lines.values()).sum();
    let restarts: i64 =
        list["services"].as_array().into_iter().flatten().filter_map(|it| it["restarts"].as_i64()).sum();
    let runs: i64 = truth.values().map(|runs| i64::try_from(runs.len()).unwrap_or(0) - 1).sum();
    Ok(Verdict { lines, exits, deeds, times, written, seconds, cut_off: restarts - runs, other })
}

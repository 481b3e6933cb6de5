//! `cargo xtask test`: one command that sets a machine up and passes everything that CI asks for.
//!
//! All steps run, whatever fails; the summary at the end says how each went. Where `CI` is set, a step that was skipped
//! has failed: CI has everything that the tests need.

mod clients;
mod setup;
mod steps;
mod tools;

use std::{
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use steps::STEPS;

/// How a step went, unless it failed.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Well.
    Passed,
    /// It could not run here, for this reason.
    Skipped(String),
}

/// One named part of the whole.
struct Step {
    name: &'static str,
    what: &'static str,
    run: fn() -> Result<Outcome>,
}

/// A line of the summary.
struct Line {
    name: &'static str,
    result: Result<Outcome>,
    took: Duration,
}

/// Runs the steps that were asked for.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    if arguments.iter().any(|argument| argument == "--list") {
        STEPS.iter().for_each(|step| println!("{:12}{}", step.name, step.what));
        return Ok(());
    }
    let chosen = choose(arguments)?;
    let lines: Vec<Line> = chosen.into_iter().map(run_step).collect();
    summary(&lines)
}

/// `--only STEP` and `--skip STEP`, each as often as one likes.
fn choose(arguments: &[String]) -> Result<Vec<&'static Step>> {
    let (mut only, mut skip) = (Vec::new(), Vec::new());
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let list = match word.as_str() {
            "--only" => &mut only,
            "--skip" => &mut skip,
            other => bail!("`{other}` is neither `--only STEP` nor `--skip STEP` nor `--list`"),
        };
        let name = words.next().map(String::as_str).unwrap_or_default();
        if !STEPS.iter().any(|step| step.name == name) {
            let names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
            bail!("there is no step `{name}`; there are {}", names.join(", "));
        }
        list.push(name);
    }
    let is_chosen =
        |step: &&Step| (only.is_empty() || only.contains(&step.name)) && !skip.contains(&step.name);
    Ok(STEPS.iter().filter(is_chosen).collect())
}

fn run_step(step: &'static Step) -> Line {
    println!("\n==> {}: {}", step.name, step.what);
    let start = Instant::now();
    let result = (step.run)().and_then(|outcome| match outcome {
        Outcome::Skipped(reason) if is_ci() => bail!("was skipped, which CI does not allow: {reason}"),
        Outcome::Passed | Outcome::Skipped(_) => Ok(outcome),
    });
    if let Err(error) = &result {
        println!("{}: {error:#}", step.name);
    }
    Line { name: step.name, result, took: start.elapsed() }
}

fn summary(lines: &[Line]) -> Result<()> {
    println!("\n==> summary");
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for Line { name, result, took } in lines {
        let word = match result {
            Ok(Outcome::Passed) => {
                passed += 1;
                "passed".to_owned()
            }
            Ok(Outcome::Skipped(reason)) => {
                skipped += 1;
                format!("skipped: {reason}")
            }
            Err(_) => {
                failed += 1;
                "FAILED".to_owned()
            }
        };
        println!("{name:12}{:>8.1} s   {word}", took.as_secs_f64());
    }
    let all: Duration = lines.iter().map(|line| line.took).sum();
    println!("{:12}{:>8.1} s", "together", all.as_secs_f64());
    println!("steps: {passed} passed, {failed} failed, {skipped} skipped");
    if failed > 0 {
        bail!("{failed} step(s) failed; `cargo xtask test --only STEP` runs one again");
    }
    Ok(())
}

/// Whether we run where nothing may be missing.
fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

/// Runs a command for a step that has no other way to fail.
fn passes(command: &mut Command) -> Result<Outcome> {
    crate::run_visibly(command).map(|()| Outcome::Passed)
}

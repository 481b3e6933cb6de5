//! `cargo xtask`: what developers and CI run. No product crate may depend on it, and nothing here ships.
#![expect(clippy::print_stdout, reason = "a developer's tool talks on standard output")]

mod docs;
mod examples;
mod fuzz;
mod pictures;
mod repo;
mod services;
mod soak;
mod test;
mod tidy;
mod windows;

use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};

const USAGE: &str = "\
cargo xtask VERB

  test [--only STEP]… [--skip STEP]…   sets up this machine and runs everything that CI runs
  test --list                          the steps
  tidy                                 rooms, floors, lints, bans, unsafe, sizes, links: rules that no compiler knows
  docs [--check]                       writes docs/reference/ (or says which page is stale)
  pictures [--only PROJECT] [--program FILE]
                                       draws docs/pictures/: what the program shows of sample projects
  windows                              type-checks floors 0 and 1 for Windows
  storm ARGS…                          long simulation runs: ARGS go to `mainstay-sim`; with `--machine`, of modelled anchors,
                                       keepers, kernels and disks
  fuzz [--seconds N] [--target NAME]…  feeds bytes of all sorts to everything that reads what others wrote
  soak [--minutes N] [--seed S] [--rate LINES] [--program FILE] [--kernel 6.1]
                                       services write and crash while Mainstay's own processes are killed: nothing may be lost
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let (verb, rest) = arguments.split_first().context(USAGE)?;
    match verb.as_str() {
        "test" => test::run(rest),
        "tidy" => tidy::run(),
        "docs" => docs::run(rest.iter().any(|argument| argument == "--check")),
        "pictures" => pictures::run(rest),
        "windows" => windows::check().and_then(|outcome| match outcome {
            test::Outcome::Passed => Ok(()),
            test::Outcome::Skipped(reason) => bail!("nothing was checked: {reason}"),
        }),
        "storm" => storm(rest),
        "fuzz" => fuzz::run(rest),
        "soak" => soak::run(rest),
        "soak-writer" => soak::write(rest),
        "soak-guest" => soak::guest(rest),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(())
        }
        other => bail!("no verb `{other}`\n{USAGE}"),
    }
}

/// Long simulation runs are worth an optimised build; the tests' short ones are not.
fn storm(arguments: &[String]) -> Result<()> {
    let mut cargo = repo::cargo();
    cargo.args(["run", "--locked", "--release", "--package", "mainstay-sim", "--"]).args(arguments);
    run_visibly(&mut cargo)
}

/// Runs a command with this terminal, after saying what it is.
fn run_visibly(command: &mut Command) -> Result<()> {
    println!("$ {}", line(command));
    let status = command.status().with_context(|| format!("cannot run `{}`", line(command)))?;
    if !status.success() {
        bail!("`{}` ended with {status}", line(command));
    }
    Ok(())
}

/// What a command prints; an error holds what it said on standard error.
fn read_output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot run `{}`", line(command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` ended with {}\n{}", line(command), output.status, said.trim_end());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{}` did not print UTF-8", line(command)))
}

/// A command as one would type it.
fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

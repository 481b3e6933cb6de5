//! `cargo xtask fuzz`: builds the targets of `fuzz/` and runs each for a while. No sanitizer and no other toolchain: nothing
//! that is fuzzed has `unsafe`, so that a panic or a failed assertion is what is looked for; libFuzzer's way of counting what
//! was reached works with the pinned compiler.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
    thread,
};

use anyhow::{Context as _, Result, bail};

use crate::{read_output, repo, run_visibly, test::Outcome};

/// Each target, and where examples of what it reads are besides its own seeds.
const TARGETS: [(&str, &[&str]); 6] = [
    ("keeper_protocol", &[]),
    ("local_socket", &[]),
    (
        "configuration",
        &["crates/config/tests/valid", "crates/config/tests/invalid", "crates/config/tests/edit"],
    ),
    ("notify", &[]),
    ("state_files", &[]),
    ("log_index", &[]),
];

/// How long each runs when nobody says otherwise, and in CI.
const SECONDS: u64 = 60;

/// The longest input.
const LONGEST: &str = "-max_len=4096";

/// What counts which parts of the program were reached (`SanitizerCoverage` of LLVM), as libFuzzer expects it.
const COVERAGE: [&str; 6] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
];

/// `[--seconds N] [--target NAME]…`
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (mut seconds, mut chosen) = (SECONDS, Vec::new());
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let value = words.next().with_context(|| format!("`{word}` needs a value"))?;
        match word.as_str() {
            "--seconds" => seconds = value.parse().with_context(|| format!("`{value}` is no number"))?,
            "--target" => chosen.push(target(value)?),
            other => bail!("`{other}` is neither `--seconds N` nor `--target NAME`"),
        }
    }
    if chosen.is_empty() {
        chosen = TARGETS.to_vec();
    }
    let folder = build()?;
    run_all(&folder, &chosen, seconds)
}

/// As a step of the tests.
pub(crate) fn step() -> Result<Outcome> {
    run(&[]).map(|()| Outcome::Passed)
}

fn target(name: &str) -> Result<(&'static str, &'static [&'static str])> {
    let names = || TARGETS.map(|(name, _)| name).join(", ");
    let found = TARGETS.iter().find(|(known, _)| *known == name);
    found.copied().with_context(|| format!("there is no target `{name}`; there are {}", names()))
}

/// The folder of the programs.
fn build() -> Result<PathBuf> {
    let version = read_output(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    let manifest = repo::root().join("fuzz/Cargo.toml");
    let folder = repo::target_dir().join("fuzz");
    run_visibly(repo::cargo().args(["fmt", "--check", "--manifest-path"]).arg(&manifest))?;
    let mut cargo = repo::cargo();
    // Named, so that what only builds is not counted as well.
    cargo.args(["build", "--locked", "--release", "--target", host, "--manifest-path"]).arg(&manifest);
    cargo.arg("--target-dir").arg(&folder).env("RUSTFLAGS", COVERAGE.join(" ") + " --cfg fuzzing");
    run_visibly(&mut cargo)?;
    Ok(folder.join(host).join("release"))
}

/// Runs them, as many at once as there are processors.
fn run_all(folder: &Path, targets: &[(&'static str, &'static [&'static str])], seconds: u64) -> Result<()> {
    let waiting = Mutex::new(targets.iter());
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().map_or(None, |mut waiting| waiting.next());
                    let Some((name, examples)) = next else { return };
                    if let Err(error) = run_one(folder, name, examples, seconds)
                        && let Ok(mut failed) = failed.lock()
                    {
                        failed.push(format!("{name}: {error:#}"));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_default();
    if failed.is_empty() { Ok(()) } else { bail!("{}", failed.join("\n")) }
}

fn run_one(folder: &Path, name: &str, examples: &[&str], seconds: u64) -> Result<()> {
    let corpus = repo::target_dir().join("fuzz/corpus").join(name);
    let found = repo::target_dir().join("fuzz/found");
    fs::create_dir_all(&corpus).with_context(|| format!("cannot make `{}`", corpus.display()))?;
    fs::create_dir_all(&found).with_context(|| format!("cannot make `{}`", found.display()))?;
    let seeds = repo::root().join("fuzz/seeds").join(name);
    let mut program = Command::new(folder.join(name));
    program.arg(&corpus).args(seeds.is_dir().then_some(&seeds));
    program.args(examples.iter().map(|folder| repo::root().join(folder)));
    program.args([LONGEST, "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"]);
    program.arg(format!("-max_total_time={seconds}"));
    program.arg(format!("-artifact_prefix={}/{name}-", found.display()));
    let output = program.stdin(Stdio::null()).output().with_context(|| format!("cannot run {name}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        let tail: Vec<&str> = said.lines().rev().take(40).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        bail!("ended with {}\n{}", output.status, tail.join("\n"));
    }
    let stat = |key: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(&format!("stat::{key}:")));
        line.map_or_else(|| "?".to_owned(), |value| value.trim().to_owned())
    };
    println!(
        "{name}: {} inputs in {seconds} s, {} new ones reached something",
        stat("number_of_executed_units"),
        stat("new_units_added")
    );
    Ok(())
}

//! Anchor and keeper as real processes, killed at will. The program starts itself in all roles; which one, the command line
//! says.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may panic and print, in the functions around it as well"
)]

mod deaths;
mod ends;
mod logs;
mod mains;
mod notices;
mod places;
mod runs;
mod service;
mod stand_in;
mod storms;
mod telling_storms;
mod troubles;
mod upgrades;
mod world;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process::ExitCode,
};

use mainstay_keeper::{Options, anchor_main, check_state, compress_main, keeper_main};

/// A test by its name.
type Test = (&'static str, fn());

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["daemon", "anchor", rest @ ..] => anchor_main(options(rest), number(rest, "--take-over")),
        ["daemon", "keeper", rest @ ..] => keeper_main(options(rest), rest.contains(&"--again")),
        ["daemon", "check-state", rest @ ..] => {
            match check_state(&options(rest), number(rest, "--anchor-state")) {
                Ok(_) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            }
        }
        ["daemon", "run", rest @ ..] => stand_in::run(&options(rest)),
        ["daemon", "compress", "--below", below, "--dir", dir] => {
            compress_main(Path::new(dir), below.parse().unwrap())
        }
        ["service", rest @ ..] => service::run(rest),
        _ => run_tests(&words),
    }
}

fn options(words: &[&str]) -> Options {
    let value = |name: &str| {
        let at = words.iter().position(|word| *word == name).unwrap();
        PathBuf::from(words[at + 1])
    };
    Options {
        exe: std::env::current_exe().unwrap(),
        state_dir: value("--state-dir"),
        run_dir: value("--run-dir"),
        logs_dir: value("--logs-dir"),
    }
}

fn number(words: &[&str], name: &str) -> Option<i32> {
    let at = words.iter().position(|word| *word == name)?;
    words[at + 1].parse().ok()
}

fn all() -> Vec<Test> {
    [
        runs::TESTS,
        ends::TESTS,
        deaths::TESTS,
        logs::TESTS,
        notices::TESTS,
        mains::TESTS,
        places::TESTS,
        troubles::TESTS,
        upgrades::TESTS,
        storms::TESTS,
        telling_storms::TESTS,
    ]
    .concat()
}

/// As much of the standard test program's command line as cargo and nextest use.
fn run_tests(words: &[&str]) -> ExitCode {
    let has = |word: &str| words.contains(&word);
    if has("--list") {
        if !has("--ignored") {
            all().iter().for_each(|(name, _)| println!("{name}: test"));
        }
        return ExitCode::SUCCESS;
    }
    let filters: Vec<&&str> = words.iter().filter(|word| !word.starts_with("--")).collect();
    let is_wanted = |name: &str| {
        filters.is_empty()
            || filters
                .iter()
                .any(|filter| if has("--exact") { name == **filter } else { name.contains(**filter) })
    };
    let mut failed = 0;
    for (name, test) in all().into_iter().filter(|(name, _)| is_wanted(name)) {
        let passed = catch_unwind(AssertUnwindSafe(test)).is_ok();
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        failed += u32::from(!passed);
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(101) }
}

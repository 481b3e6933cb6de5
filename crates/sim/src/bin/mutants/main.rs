//! `mutants`: plants each fault of the [list] into a copy of the core, and lets the storms find it. A survivor is a hole
//! in the net, and an exit code of 1. With words, only those whose names contain one of them.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a developer's program talks to its terminal")]

mod care;
mod lane;
mod list;
mod machine;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Mutex, mpsc},
    thread,
};

use lane::{Lane, Verdict};
use list::Mutant;

/// Builds beside each other.
const LANES: usize = 2;

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let dir = root.join("target/mutants");
    let words: Vec<String> = std::env::args().skip(1).collect();
    let meant = |mutant: &&Mutant| words.is_empty() || words.iter().any(|word| mutant.name.contains(word));
    let chosen: Vec<&Mutant> = list::all().filter(meant).collect();
    match run(&root, &dir, &chosen) {
        Ok(survivors) if survivors.is_empty() => {
            println!("{} mutants, each caught", chosen.len());
            ExitCode::SUCCESS
        }
        Ok(survivors) => {
            println!("{} of {} mutants survived: {}", survivors.len(), chosen.len(), survivors.join(", "));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Tries all of them, and returns the names of those that survived.
fn run(root: &Path, dir: &Path, chosen: &[&'static Mutant]) -> Result<Vec<&'static str>, String> {
    let left = Mutex::new(chosen.to_vec());
    let (verdicts, arrived) = mpsc::channel();
    let mut survivors = Vec::new();
    println!("{:<28} {:<22} {:>6} {:>6}  what it breaks", "mutant", "caught by", "seed", "event");
    thread::scope(|scope| {
        for number in 0..LANES.min(chosen.len()) {
            let (left, verdicts) = (&left, verdicts.clone());
            let dir: PathBuf = dir.join(format!("lane-{number}"));
            scope.spawn(move || {
                let lane = Lane::new(root, &dir);
                if let Err(error) = lane.as_ref().map_err(Clone::clone).and_then(Lane::try_healthy) {
                    // Nobody listens any more when another lane has failed.
                    let _ = verdicts.send(Err(error));
                    return;
                }
                let next = || left.lock().ok().and_then(|mut left| left.pop());
                while let (Ok(lane), Some(mutant)) = (&lane, next()) {
                    if verdicts.send(lane.try_mutant(mutant).map(|verdict| (mutant, verdict))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(verdicts);
        for verdict in arrived {
            let (mutant, verdict) = verdict?;
            show(mutant, &verdict);
            if matches!(verdict, Verdict::Survived) {
                survivors.push(mutant.name);
            }
        }
        Ok(survivors)
    })
}

fn show(mutant: &Mutant, verdict: &Verdict) {
    match verdict {
        Verdict::Caught { invariant, seed, event } => {
            println!("{:<28} {invariant:<22} {seed:>6} {event:>6}  {}", mutant.name, mutant.breaks);
        }
        Verdict::Survived => println!("{:<28} {:<36}  {}", mutant.name, "SURVIVED", mutant.breaks),
    }
}

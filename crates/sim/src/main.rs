//! `mainstay-sim`: runs storms of any seeds, for as long as one likes, and prints the first failure so that it can be replayed.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a developer's program talks to its terminal")]

use std::{ops::Range, process::ExitCode, time::Instant};

use mainstay_sim::{Log, replay, storms};

const USAGE: &str = "usage: mainstay-sim [--seeds A..B] [--events N] [--brief]
       mainstay-sim --seed S [--events N] [--trace]";

/// What was asked for.
struct Asked {
    seeds: Range<u64>,
    events: u64,
    /// Only the last lines of a failure.
    brief: bool,
    trace: bool,
}

fn main() -> ExitCode {
    let Some(asked) = read(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    // A panic is a failure like any other, and printed once.
    std::panic::set_hook(Box::new(|_| {}));
    let begun = Instant::now();
    let seeds = asked.seeds.end - asked.seeds.start;
    let ran = match seeds {
        1 if asked.trace => replay(asked.seeds.start, asked.events, Log::Kept),
        _ => storms(asked.seeds, asked.events),
    };
    match ran {
        Ok(coverage) => {
            let seconds = begun.elapsed().as_secs_f64();
            println!("{coverage}");
            println!("{seeds} storms, {} events in {seconds:.1} s: every invariant held", coverage.events);
            ExitCode::SUCCESS
        }
        Err(mut failure) => {
            if asked.brief {
                failure.log.clear();
            }
            println!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn read(mut arguments: impl Iterator<Item = String>) -> Option<Asked> {
    let mut asked = Asked { seeds: 0..2_000, events: 400, brief: false, trace: false };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--seeds" => {
                let value = arguments.next()?;
                let (from, to) = value.split_once("..")?;
                asked.seeds = from.parse().ok()?..to.parse().ok()?;
            }
            "--seed" => {
                let seed = arguments.next()?.parse().ok()?;
                asked.seeds = seed..seed + 1;
            }
            "--events" => asked.events = arguments.next()?.parse().ok()?,
            "--brief" => asked.brief = true,
            "--trace" => asked.trace = true,
            _ => return None,
        }
    }
    (asked.seeds.start < asked.seeds.end).then_some(asked)
}

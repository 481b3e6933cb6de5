//! `mainstay-sim`: runs storms of any seeds, for as long as one likes, and prints the first failure so that it can be replayed.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a developer's program talks to its terminal")]

use std::{ops::Range, process::ExitCode, time::Instant};

use mainstay_sim::{Fault, Log, replay, replay_machine, storms, storms_on_machines};

const USAGE: &str = "usage: mainstay-sim [--seeds A..B] [--events N] [--brief]
       mainstay-sim --seed S [--events N] [--trace]
       mainstay-sim --machine …: with modelled anchors, keepers, kernels and disks; events are moves
       mainstay-sim --machine --fault NAME …: with a planted fault";

/// What was asked for.
struct Asked {
    seeds: Range<u64>,
    events: u64,
    /// Only the last lines of a failure.
    brief: bool,
    trace: bool,
    machine: bool,
    fault: Option<Fault>,
}

fn main() -> ExitCode {
    let Some(asked) = read(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    // A panic is a failure like any other, and printed once.
    std::panic::set_hook(Box::new(|_| {}));
    if asked.machine {
        return on_machines(asked);
    }
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

fn on_machines(asked: Asked) -> ExitCode {
    let begun = Instant::now();
    let seeds = asked.seeds.end - asked.seeds.start;
    let ran = match seeds {
        1 if asked.trace => replay_machine(asked.seeds.start, asked.events, asked.fault, Log::Kept),
        _ => storms_on_machines(asked.seeds, asked.events, asked.fault),
    };
    match ran {
        Ok(sights) => {
            let seconds = begun.elapsed().as_secs_f64();
            println!("{sights}");
            let (moves, rate) = (sights.moves, rate(sights.moves, seconds));
            println!(
                "{seeds} storms on machines, {moves} moves in {seconds:.1} s ({rate} a second): every invariant held"
            );
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

fn rate(moves: u64, seconds: f64) -> String {
    format!("{:.0}", moves as f64 / seconds)
}

fn read(mut arguments: impl Iterator<Item = String>) -> Option<Asked> {
    let mut asked =
        Asked { seeds: 0..2_000, events: 400, brief: false, trace: false, machine: false, fault: None };
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
            "--machine" => asked.machine = true,
            "--fault" => {
                let name = arguments.next()?;
                asked.fault = Some(*Fault::ALL.iter().find(|fault| format!("{fault:?}") == name)?);
            }
            _ => return None,
        }
    }
    (asked.seeds.start < asked.seeds.end).then_some(asked)
}

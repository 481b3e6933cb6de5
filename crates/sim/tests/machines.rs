//! Storms over modelled machines on every test run, and each planted fault found by them.
//! For more, and other seeds: `cargo xtask storm --machine --seeds 100000..200000`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may panic, in the functions around it as well"
)]

use std::ops::Range;

use mainstay_sim::{Fault, Sights, storms_on_machines};

/// Moves of each storm; the calm comes on top.
const MOVES: u64 = 2_000;

/// Storms in which each planted fault must be found; most are within a few.
const SEEDS: u64 = 400;

fn part(seeds: Range<u64>) {
    match storms_on_machines(seeds, MOVES, None) {
        Err(failure) => panic!("{failure}"),
        Ok(sights) => {
            println!("{sights}");
            let unseen: Vec<&str> =
                sights.all().iter().filter(|(_, count)| *count == 0).map(|(name, _)| *name).collect();
            assert!(unseen.is_empty(), "the storms have gone blind: {unseen:?}");
            assert!(sights.ended_in_windows * 5 >= sights.ended, "too few ends while something is dead");
        }
    }
}

#[test]
fn storms_on_machines_0_to_100() {
    part(0..100);
}

#[test]
fn storms_on_machines_100_to_200() {
    part(100..200);
}

#[test]
fn a_seed_is_a_storm() {
    let storm = || storms_on_machines(7..8, MOVES, None).unwrap();
    let (one, other): (Sights, Sights) = (storm(), storm());
    assert_eq!(one, other);
}

#[test]
fn each_planted_fault_is_found() {
    let mut missed = Vec::new();
    for fault in Fault::ALL {
        // Where the seldom ones are found soon; elsewhere it only takes longer.
        let first = match fault {
            Fault::LeftPipeLetGo => 20,
            Fault::TakenBackAlive => 45,
            Fault::NumberIsIdentity => 105,
            Fault::ReapBeforeRecord => 110,
            Fault::WordDroppedFirst => 170,
            Fault::ProcessesNotHandedOn => 310,
            Fault::EndsNotHandedOn => 440,
            Fault::FoundStateNotSynced => 540,
            Fault::OrphansLeftBehind => 2010,
            _ => 0,
        };
        match storms_on_machines(first..first + SEEDS, MOVES, Some(*fault)) {
            Err(failure) => println!("{fault:?}: {} in seed {}", failure.breach.invariant, failure.seed),
            Ok(_) => missed.push(fault),
        }
    }
    assert!(missed.is_empty(), "nobody noticed {missed:?}");
}

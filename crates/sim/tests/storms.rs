//! Storms and calms on every test run: the same seeds each time, in parts so that they run side by side.
//! For more, and other seeds: `cargo run -p mainstay-sim -- --seeds 100000..200000`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may panic, in the functions around it as well"
)]

use std::ops::Range;

use mainstay_sim::storms;

/// Events of each storm; the calm comes on top.
const EVENTS: u64 = 400;
/// Events of a short one: what happens early in a life comes more often.
const FEW_EVENTS: u64 = 60;
/// Everything that is expected is seen in each part at least this often.
const LEAST: u64 = 5;
/// And among the short ones, in which little comes late in a life.
const LEAST_IN_SHORT: u64 = 1;

fn part(seeds: Range<u64>, events: u64, least: u64) {
    let count = seeds.end - seeds.start;
    match storms(seeds, events) {
        Err(failure) => panic!("{failure}"),
        Ok(coverage) => {
            println!("{count} storms, {} events\n{coverage}", coverage.events);
            let missing = coverage.missing(least);
            assert!(missing.is_empty(), "the storms have gone blind: {missing:#?}");
        }
    }
}

#[test]
fn storms_0_to_500() {
    part(0..500, EVENTS, LEAST);
}

#[test]
fn storms_500_to_1000() {
    part(500..1000, EVENTS, LEAST);
}

#[test]
fn storms_1000_to_1500() {
    part(1000..1500, EVENTS, LEAST);
}

#[test]
fn storms_1500_to_2000() {
    part(1500..2000, EVENTS, LEAST);
}

#[test]
fn short_storms() {
    part(10_000..13_000, FEW_EVENTS, LEAST_IN_SHORT);
}

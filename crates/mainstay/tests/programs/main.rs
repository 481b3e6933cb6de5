//! Programs that are made of services, run as processes. This executable is the program as well: with `PROGRAM_UNDER_TEST` in
//! its environment it does what `mainstay::main!()` does, without it it runs the tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

mod as_first;
mod by_hand;
mod called;
mod caller;
mod calls;
mod handed;
mod launch;
mod monitors;
mod run;
mod services;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    if std::env::var_os(caller::CALLER).is_some() {
        return caller::call_as_another();
    }
    if std::env::var_os(run::PROGRAM).is_some() {
        let program = mainstay::Program { name: "tested", version: "1.2.3" };
        return mainstay::run_program(program, mainstay::Registry::discover(), std::env::args_os());
    }
    let tests =
        [by_hand::TESTS, launch::TESTS, handed::TESTS, as_first::TESTS, monitors::TESTS, calls::TESTS]
            .into_iter()
            .flatten();
    let trial = |(name, test): &(&'static str, fn())| {
        let test = *test;
        Trial::test(*name, move || {
            test();
            Ok(())
        })
    };
    let trials = tests.map(trial).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

//! As the first process of a container, which here is a namespace of its own.

use std::{io::Write as _, process::Command};

use rustix::process::{Pid, Signal, kill_process};

use super::run::{Program, in_namespace};

/// Each with its name.
pub(crate) const TESTS: &[(&str, fn())] = &[
    ("the_first_process_lets_orphans_go", orphans),
    ("the_first_process_hands_signals_on", signals),
    ("the_first_process_ends_as_its_program_does", codes),
    ("a_launcher_may_be_the_first_process", launcher),
];

/// `None`, and said so, where no namespace can be made.
fn first(words: &[&str]) -> Option<Program> {
    let probe = Command::new("unshare").args(["--pid", "--fork", "--mount-proc", "true"]).output();
    if !probe.is_ok_and(|output| output.status.success()) {
        let reason = "this user may not make a namespace of processes";
        assert!(std::env::var_os("CI").is_none(), "{reason}");
        let _ = writeln!(std::io::stderr(), "skipped: {reason}");
        return None;
    }
    Some(in_namespace(words))
}

/// Sends it to the first process of the namespace, the child of `unshare`.
fn signal_first(unshare: u32, signal: Signal) {
    let children = std::fs::read_to_string(format!("/proc/{unshare}/task/{unshare}/children")).unwrap();
    let first: i32 = children.split_whitespace().next().unwrap().parse().unwrap();
    kill_process(Pid::from_raw(first).unwrap(), signal).unwrap();
}

fn orphans() {
    let Some(program) = first(&["-", "orphans"]) else { return };
    program
        .env("PATH", "/usr/bin:/bin")
        .ended()
        .is(0, &["its own child ended with Some(7)", "nobody is left"]);
}

fn signals() {
    let Some(program) = first(&["-", "greeter"]) else { return };
    let mut greeter = program.begin();
    greeter.until("hello");
    signal_first(greeter.pid(), Signal::HUP);
    greeter.until("it is made anew");
    greeter.until("hello");
    signal_first(greeter.pid(), Signal::TERM);
    greeter.ended().is(0, &["ended"]);
}

fn codes() {
    let Some(program) = first(&["-", "panics"]) else { return };
    program.ended().is(1, &["out of cheese"]);
    let Some(program) = first(&["nowhere.toml", "greeter"]) else { return };
    program.ended().is(6, &[]);
}

fn launcher() {
    let file = "[service.lamp]\nuse = \"lamp\"\nrunner = \"task\"\n[service.leaves]\ncommand = [\"sh\", \"-c\", \"sleep 60 & echo left >&2; wait\"]\nworking_dir = \"/\"\n";
    let Some(program) = first(&["launch", "one.toml"]) else { return };
    let mut running = program.file("one.toml", file).env("PATH", "/usr/bin:/bin").begin();
    running.until_all(&["lit with", "left"]);
    signal_first(running.pid(), Signal::TERM);
    running.ended().is(0, &["out", "leaves stopped"]);
}

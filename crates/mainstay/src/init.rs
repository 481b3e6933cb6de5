//! As the first process of a container: everything that nobody else waits for falls to us, and signals come to us alone. So the
//! program is run once more, as our child, and this process hands signals on, lets the dead go, and ends as that one ends.
//! What a service starts by itself is its own child there, and nobody takes its end away.

use std::{
    env, io,
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode},
};

use mainstay_host::Process as Child;
use mainstay_model::{Exit, Signal};
use signal_hook::{
    consts::signal::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH},
    iterator::Signals,
};

/// Tells the child that it is one.
const MARK: &str = "MAINSTAY_BELOW_INIT";

/// This program, while there is a `/proc`.
const OWN_PROGRAM: &str = "/proc/self/exe";

/// What a shell adds to the number of a signal that ended a program.
const BY_SIGNAL: i32 = 128;

/// Whether this process was made by [`run_below`].
pub(crate) fn is_below() -> bool {
    env::var_os(MARK).is_some()
}

/// When this is the first process: runs the program below it, to its end. `None`: it is to be run here.
pub(crate) fn run_below() -> Option<ExitCode> {
    if std::process::id() != 1 {
        return None;
    }
    // Where it cannot be run again, it runs here: a first process that lets nobody go is better than none.
    watch().ok().map(|exit| ExitCode::from(code_of(exit)))
}

fn code_of(exit: Exit) -> u8 {
    let code = match exit {
        Exit::Code(code) => code,
        Exit::Signal(signal) => BY_SIGNAL + signal.number(),
        Exit::Unknown => 1,
    };
    u8::try_from(code).unwrap_or(u8::MAX)
}

fn watch() -> io::Result<Exit> {
    let handed = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH];
    // Before the child is there: none of its signals is lost.
    let mut signals = Signals::new(handed.iter().chain(&[SIGCHLD]))?;
    let mut words = env::args_os();
    let mut command = Command::new(OWN_PROGRAM);
    command.arg0(words.next().unwrap_or_default()).args(words).env(MARK, "1");
    let pid = command.spawn()?.id();
    let start_time = mainstay_host::start_time(pid).unwrap_or_default();
    let child = Child::open(pid, start_time);
    for number in signals.forever() {
        if number != SIGCHLD {
            let signal = Signal::from_number(number);
            if let (Some(child), Some(signal)) = (&child, signal) {
                child.signal(signal);
            }
            continue;
        }
        while let Some(dead) = mainstay_host::next_dead_child() {
            mainstay_host::reap_child(dead.pid);
            if dead.pid == pid {
                return Ok(dead.exit);
            }
        }
    }
    Ok(Exit::Unknown)
}

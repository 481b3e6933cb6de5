//! One program in the foreground, with the terminal of this one. Knows nothing of services.

use std::{
    io,
    os::unix::process::ExitStatusExt,
    process::{Command, ExitStatus},
    thread,
};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM},
    iterator::Signals,
};

/// What a shell says of a program that it may not run.
const CANNOT_EXECUTE: u8 = 126;

/// What a shell says of a program that it does not find.
const NOT_FOUND: u8 = 127;

/// Runs it to its end, and gives its exit code; 128 + n when signal n ended it.
///
/// Ctrl-C reaches it by itself, as it is in the group that the terminal sends it to; we only outlive it. What is sent to us
/// alone, as by `kill`, is passed on.
pub(crate) fn run(command: &mut Command) -> io::Result<u8> {
    // Handlers, and not "ignore": an exec would hand the latter on.
    let mut signals = Signals::new([SIGINT, SIGQUIT, SIGTERM, SIGHUP])?;
    let handle = signals.handle();
    let mut child = command.spawn()?;
    let process = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
    let forwarding = thread::spawn(move || {
        for signal in signals.forever() {
            let signal = match signal {
                SIGTERM => Signal::TERM,
                SIGHUP => Signal::HUP,
                _ => continue,
            };
            // It may have ended meanwhile.
            let _ = pidfd_send_signal(&process, signal);
        }
    });
    let status = child.wait();
    handle.close();
    let _ = forwarding.join();
    Ok(code(status?))
}

/// The exit code that stands for a program that could not be started.
pub(crate) fn code_of(error: &io::Error) -> u8 {
    if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { CANNOT_EXECUTE }
}

fn code(status: ExitStatus) -> u8 {
    let number = match (status.code(), status.signal()) {
        (Some(code), _) => code & 0xff,
        (None, Some(signal)) => 128 + (signal & 0x7f),
        (None, None) => 1,
    };
    u8::try_from(number).unwrap_or(u8::MAX)
}

//! Signals as values: a thread waits for them and passes them on.

use std::thread;

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::{exit::Exit, failure::Failure};

/// What a terminal or a person wants of a program that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Ctrl-C, or a request to end.
    Stop,
    /// The terminal is gone.
    HangUp,
}

/// From now on these signals no longer end the program; each is handed to `take`.
pub(crate) fn listen(take: impl Fn(Wish) + Send + 'static) -> Result<(), Failure> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])
        .map_err(|error| Failure::new(Exit::Failed, format!("cannot wait for signals: {error}")))?;
    thread::spawn(move || {
        for signal in signals.forever() {
            take(if signal == SIGHUP { Wish::HangUp } else { Wish::Stop });
        }
    });
    Ok(())
}

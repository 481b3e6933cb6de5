//! Log lines go to standard error: coloured with times on a terminal, plain elsewhere, where whoever reads them knows the time.

use std::io::IsTerminal as _;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::{self, time};

/// The variable that says how much is logged: `error`, `warn`, `info`, `debug`, `trace` or `off`.
pub(crate) const LEVEL_VARIABLE: &str = "MAINSTAY_LOG";

/// From now on there is a log. A program that has set one up already keeps its own.
pub(crate) fn begin() {
    let level = std::env::var(LEVEL_VARIABLE).ok().and_then(|word| word.parse::<LevelFilter>().ok());
    let log = fmt::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(level.unwrap_or(LevelFilter::INFO))
        .with_target(false);
    let is_terminal = std::io::stderr().is_terminal();
    // It fails when the program has one.
    let _ = match is_terminal {
        true => tracing::subscriber::set_global_default(log.with_timer(time::uptime()).finish()),
        false => tracing::subscriber::set_global_default(log.with_ansi(false).without_time().finish()),
    };
}

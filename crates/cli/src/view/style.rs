//! Which colour means what.

use anstyle::{AnsiColor, Style};

/// The colour of a phase, by its word; those of later versions have none.
pub(crate) fn phase(word: &str) -> Style {
    match word {
        "running" | "completed" => AnsiColor::Green.on_default(),
        "starting" | "waiting" | "stopping" | "paused" => AnsiColor::Yellow.on_default(),
        "failed" => AnsiColor::Red.on_default().bold(),
        "stopped" => Style::new().dimmed(),
        _ => Style::new(),
    }
}

/// The colour of what would be done with a service, by its word.
pub(crate) fn plan(word: &str) -> Style {
    match word {
        "add" | "describe" | "start" => AnsiColor::Green.on_default(),
        "restart" | "change" => AnsiColor::Yellow.on_default(),
        "remove" => AnsiColor::Red.on_default(),
        _ => Style::new(),
    }
}

/// The colour of a status that says more than a phase, by its word.
pub(crate) fn status(word: &str) -> Style {
    match word {
        "warning" | "degraded" => AnsiColor::Yellow.on_default(),
        "error" => AnsiColor::Red.on_default().bold(),
        _ => Style::new(),
    }
}

/// The colour of a service, by its name: the same in every terminal and at all times.
pub(crate) fn service(name: &str) -> Style {
    const COLOURS: [AnsiColor; 10] = [
        AnsiColor::Cyan,
        AnsiColor::Yellow,
        AnsiColor::Green,
        AnsiColor::Magenta,
        AnsiColor::Blue,
        AnsiColor::BrightCyan,
        AnsiColor::BrightYellow,
        AnsiColor::BrightGreen,
        AnsiColor::BrightMagenta,
        AnsiColor::BrightBlue,
    ];
    let sum = name.bytes().fold(5381_usize, |sum, byte| sum.wrapping_mul(33) ^ usize::from(byte));
    COLOURS[sum % COLOURS.len()].on_default()
}

/// A heading or a label.
pub(crate) fn label() -> Style {
    Style::new().bold()
}

/// What is said beside the matter.
pub(crate) fn aside() -> Style {
    Style::new().dimmed()
}

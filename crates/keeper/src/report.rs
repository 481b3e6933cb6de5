//! What anchor and keeper have to say for themselves: a line on standard error each. Nobody may be there to read it.

use std::{
    error::Error,
    fmt::{self, Display, Write as _},
    io::Write as _,
};

/// Writes one line, as a whole.
pub(crate) fn say(text: impl Display) {
    let line = format!("mainstay: {text}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// An error with all its causes, in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _: fmt::Result = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

//! What anchor and keeper have to say for themselves: a line on standard error each. Nobody may be there to read it.

use mainstay_host::halve_file;
use std::{
    error::Error,
    fmt::{self, Display, Write as _},
    io::Write as _,
};

/// Bytes of the log of anchor and keeper. When it is longer, its older half goes.
const LOG_LIMIT: u64 = 1024 * 1024;

/// Writes one line, as a whole.
pub(crate) fn say(text: impl Display) {
    let line = format!("mainstay: {text}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
    let _ = halve_file(std::io::stderr(), LOG_LIMIT);
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

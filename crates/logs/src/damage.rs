//! What of a log file cannot be read although it is there, in words. Does not read it.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use crate::content::Spoilt;

/// A compressed log file that is not whole: what can be read of it was given out, and reading went on with the next file.
#[derive(Debug)]
pub struct Damage {
    /// Which file.
    pub path: PathBuf,
    /// Bytes of log that can be read.
    pub readable: u64,
    /// Bytes of log that were in it, when it still tells.
    pub whole: Option<u64>,
    /// What is wrong with the rest.
    pub cause: io::Error,
}

/// Is told of files that are not whole.
pub type Tell<'a> = dyn FnMut(&Damage) + 'a;

impl Damage {
    pub(crate) fn new(path: &Path, spoilt: Spoilt) -> Self {
        let Spoilt { readable, whole, cause } = spoilt;
        Self { path: path.to_owned(), readable, whole, cause }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, readable, whole, cause } = self;
        write!(f, "{} is damaged ({cause}): ", path.display())?;
        match whole {
            Some(whole) if whole == readable => f.write_str("its lines may not be those that were written"),
            Some(whole) => {
                write!(f, "{} of its {whole} bytes of log are missing here", whole.saturating_sub(*readable))
            }
            None => write!(f, "what came after the first {readable} bytes of log is missing here"),
        }
    }
}

//! What is in the logs of some services now.
//!
//! Files do not say when a line was written, only when they were written to last. So whole files are put in that order:
//! the lines of one service are always in theirs, and those of several come together as closely as their files do.

use std::{fs, io, ops::ControlFlow, path::Path, time::SystemTime};

use crate::{
    From, LogError,
    last::{Extent, begin},
    source::{CHUNK, Source, Step},
};

/// One line of a service's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Whose (`api@2`).
    pub service: &'a str,
    /// What, as it was written, without its end.
    pub text: &'a [u8],
}

/// Takes lines in, until it wants no more.
pub type Sink<'a> = dyn FnMut(Line<'_>) -> ControlFlow<()> + 'a;

/// The names of all log folders under `root`, sorted; none when there is no such folder.
///
/// # Errors
/// The folder cannot be listed.
pub fn folders(root: &Path) -> Result<Vec<String>, LogError> {
    let failed = |source| LogError::File { act: "list", path: root.to_owned(), source };
    let entries = match fs::read_dir(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            names.extend(entry.file_name().into_string());
        }
    }
    names.sort();
    Ok(names)
}

/// Reads what is in the logs of these services now. One that has no log yet has no lines.
///
/// # Errors
/// A file cannot be read.
pub fn read(root: &Path, services: &[String], from: From, sink: &mut Sink<'_>) -> Result<(), LogError> {
    let mut buffer = vec![0; CHUNK];
    let mut left = Vec::new();
    for service in services {
        let mut source = begin(&root.join(service), from, Extent::Now)?;
        let modified = source.modified()?;
        left.push(Reading { service, source, modified });
    }
    while let Some(at) = oldest(&left) {
        let Reading { service, source, modified } = &mut left[at];
        let mut give = |text: &[u8]| sink(Line { service, text });
        match source.read_file(&mut buffer, &mut give)? {
            Step::NextFile => *modified = source.modified()?,
            Step::Enough => return Ok(()),
            Step::End => {
                if source.finish(&mut give).is_break() {
                    return Ok(());
                }
                left.swap_remove(at);
            }
        }
    }
    Ok(())
}

struct Reading<'a> {
    service: &'a str,
    source: Source,
    modified: Option<SystemTime>,
}

/// The one whose file was left alone the longest; of those that are alike, the first by name.
fn oldest(left: &[Reading<'_>]) -> Option<usize> {
    left.iter().enumerate().min_by_key(|(_, reading)| (reading.modified, reading.service)).map(|(at, _)| at)
}

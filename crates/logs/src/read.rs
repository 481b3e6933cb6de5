//! What is in the logs of some services now.
//!
//! Lines of several services come in the order in which they were written, as far as indexes tell: a line is as old as the
//! mark before it. What has no index is as old as its file.

use std::{fs, io, ops::ControlFlow, path::Path, time::SystemTime};

use crate::{
    LogError, Wanted,
    last::{Extent, begin},
    marks::Stamp,
    source::{CHUNK, Source, Step},
    wanted::time,
};

/// One line of a service's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Whose (`api@2`).
    pub service: &'a str,
    /// What, as it was written, without its end.
    pub text: &'a [u8],
    /// When Mainstay saw it; not more exact than a hundredth of a second. `None` when nobody noted it.
    pub time: Option<SystemTime>,
    /// The run that wrote it.
    pub run: Option<u64>,
}

impl<'a> Line<'a> {
    pub(crate) fn new(service: &'a str, stamp: Stamp, text: &'a [u8]) -> Self {
        Self { service, text, time: stamp.time_ns.map(time), run: stamp.run }
    }
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
pub fn read(
    root: &Path,
    services: &[String],
    wanted: impl Into<Wanted>,
    sink: &mut Sink<'_>,
) -> Result<(), LogError> {
    let wanted = wanted.into();
    let mut buffer = vec![0; CHUNK];
    let mut left = Vec::new();
    for service in services {
        let mut source = begin(&root.join(service), &wanted, Extent::Now)?;
        let time = source.next_time()?;
        left.push(Reading { service, source, time });
    }
    while let Some(at) = oldest(&left) {
        let others = left.iter().enumerate().filter(|(other, _)| *other != at);
        // Lines without a time come first: they hold nobody up.
        let until = others.map(|(_, reading)| reading.time.unwrap_or(0)).min().unwrap_or(u64::MAX);
        let Reading { service, source, time } = &mut left[at];
        let mut give = |stamp: Stamp, text: &[u8]| sink(Line::new(service, stamp, text));
        match source.read_file(until, &mut buffer, &mut give)? {
            Step::Later | Step::NextFile => *time = source.next_time()?,
            Step::Enough => return Ok(()),
            Step::End => {
                if source.finish(&mut give).is_break() && !source.is_over() {
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
    /// When what comes next was written.
    time: Option<u64>,
}

/// The one whose next line is the oldest; of those that are alike, the first by name.
fn oldest(left: &[Reading<'_>]) -> Option<usize> {
    left.iter().enumerate().min_by_key(|(_, reading)| (reading.time, reading.service)).map(|(at, _)| at)
}

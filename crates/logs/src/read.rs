//! What is in the logs of some services now.

use std::{fs, io, ops::ControlFlow, path::Path, time::SystemTime};

use mainstay_wire::{LogStream, owner_of_errors};

use crate::{
    LogError, Tell, Wanted,
    last::Extent,
    marks::Stamp,
    merge::{Reading, merge},
    parts::{Part, begin_service},
    source::CHUNK,
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
    /// By which stream it came; `None` when both came by one, or nobody noted it.
    pub stream: Option<LogStream>,
}

impl<'a> Line<'a> {
    /// A line of the log in this folder.
    pub(crate) fn new(folder: &'a str, stamp: Stamp, text: &'a [u8]) -> Self {
        let (service, stream) = match owner_of_errors(folder) {
            Some(service) => (service, Some(LogStream::Err)),
            None => (folder, stamp.stream),
        };
        Self { service, text, time: stamp.time_ns.map(time), run: stamp.run, stream }
    }
}

/// Takes lines in, until it wants no more.
pub type Sink<'a> = dyn FnMut(Line<'_>) -> ControlFlow<()> + 'a;

/// The names of all whose logs are under `root`, sorted; none when there is no such folder.
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
            names.extend(entry.file_name().into_string().ok().filter(|name| owner_of_errors(name).is_none()));
        }
    }
    names.sort();
    Ok(names)
}

/// Reads what is in the logs of these services now, the lines of all in the order in which they were written. One that has no
/// log yet has no lines, and what is missing of a damaged file is left out.
///
/// # Errors
/// A file cannot be read.
pub fn read(
    root: &Path,
    services: &[String],
    wanted: impl Into<Wanted>,
    sink: &mut Sink<'_>,
) -> Result<(), LogError> {
    read_telling(root, services, wanted, sink, &mut |_| {})
}

/// The same, and tells of damaged files.
///
/// # Errors
/// A file cannot be read.
pub fn read_telling(
    root: &Path,
    services: &[String],
    wanted: impl Into<Wanted>,
    sink: &mut Sink<'_>,
    tell: &mut Tell<'_>,
) -> Result<(), LogError> {
    let wanted = wanted.into();
    let mut parts = Vec::new();
    for service in services {
        parts.extend(begin_service(root, service, &wanted, Extent::Now)?);
    }
    let mut readings = Vec::new();
    for Part { folder, source } in &mut parts {
        readings.push(Reading::new(folder.as_str(), source)?);
    }
    let mut give = |folder: &&str, stamp: Stamp, text: &[u8]| sink(Line::new(folder, stamp, text));
    merge(readings, &mut vec![0; CHUNK], true, &mut give, tell).map(|_| ())
}

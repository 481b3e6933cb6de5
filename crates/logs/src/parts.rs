//! The parts of a service's log: one folder, and a second one for its errors where they are kept apart. Knows no lines.
//!
//! Whether there is a second one is seen in the files alone, since logs are read without anybody who knows the settings. One
//! that is not there has no lines, like any log.

use std::path::Path;

use mainstay_wire::{LogStream, errors_of};

use crate::{
    From, LogError, Run, Wanted,
    find::run_number,
    last::{Extent, begin},
    merge::{Reading, merge},
    source::{CHUNK, Source},
};

/// A folder, and how far it was read.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) folder: String,
    pub(crate) source: Source,
}

/// The folders of this service's log in which there may be something of this stream, or of both.
pub(crate) fn folders_of(service: &str, stream: Option<LogStream>) -> Vec<String> {
    let folder = |stream| match stream {
        LogStream::Out => service.to_owned(),
        LogStream::Err => errors_of(service),
    };
    LogStream::ALL.into_iter().filter(|one| stream.is_none_or(|stream| stream == *one)).map(folder).collect()
}

/// The wanted part of this service's log.
pub(crate) fn begin_service(
    root: &Path,
    service: &str,
    wanted: &Wanted,
    extent: Extent,
) -> Result<Vec<Part>, LogError> {
    let folders = folders_of(service, wanted.stream);
    // Which run was the latest is told by what every run has.
    let run = match wanted.run {
        Some(Run::Back(_)) if root.join(errors_of(service)).is_dir() => {
            run_number(&root.join(service), wanted)?.map(Run::Number)
        }
        run => run,
    };
    let wanted = Wanted { run, ..wanted.clone() };
    let is_shared = folders.iter().all(|folder| root.join(folder).is_dir()) && folders.len() > 1;
    let beginnings = match wanted.from {
        From::Last(lines) if is_shared => shares(root, &folders, &wanted, lines)?,
        from => vec![from; folders.len()],
    };
    let begin = |(folder, from): (String, From)| {
        let source = begin(&root.join(&folder), &Wanted { from, ..wanted.clone() }, extent)?;
        Ok(Part { folder, source })
    };
    folders.into_iter().zip(beginnings).map(begin).collect()
}

/// How many of the last lines of all these folders together are in each.
fn shares(root: &Path, folders: &[String], wanted: &Wanted, lines: u64) -> Result<Vec<From>, LogError> {
    let mut sources = Vec::new();
    for folder in folders {
        sources.push(begin(&root.join(folder), wanted, Extent::Now)?);
    }
    let mut order: Vec<u8> = Vec::new();
    let mut readings = Vec::new();
    for (place, source) in (0_u8..).zip(&mut sources) {
        readings.push(Reading::new(place, source)?);
    }
    let mut give = |place: &u8, _, _: &[u8]| {
        order.push(*place);
        std::ops::ControlFlow::Continue(())
    };
    // Nothing is told of damage: what is wanted is read once more.
    let _all = merge(readings, &mut vec![0; CHUNK], true, &mut give, &mut |_| {})?;
    let first = order.len().saturating_sub(usize::try_from(lines).unwrap_or(usize::MAX));
    let last = order.get(first..).unwrap_or_default();
    let share = |place: u8| From::Last(last.iter().filter(|one| **one == place).count() as u64);
    Ok((0_u8..).take(folders.len()).map(share).collect())
}

//! Where in a service's log to begin: at the start, at the end, or so that a number of lines is left. Reads backward, in chunks.

use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

use crate::{
    LogError,
    files::{current_path, open, snapshot},
    source::{CHUNK, Source},
};

/// Where to begin in the log of each service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// At the oldest line kept.
    Start,
    /// At what is written from now on.
    End,
    /// At the last this many lines.
    Last(u64),
}

/// How much of a log is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// What there is now.
    Now,
    /// What there is, and what comes.
    Onward,
}

/// The log in `dir` from there on.
pub(crate) fn begin(dir: &Path, from: From, extent: Extent) -> Result<Source, LogError> {
    let (rotated, current) = snapshot(dir)?;
    let limit = match extent {
        Extent::Now => current.as_ref().map(clone_of(dir)).transpose()?,
        Extent::Onward => None,
    };
    let newest = rotated.last().map_or(0, |file| file.number);
    let mut wanted = match from {
        From::Start => return Source::after(dir, 0).up_to(limit.as_ref()),
        From::End => 0,
        From::Last(lines) => lines,
    };
    if let Some(file) = current {
        match last_lines(&file, wanted).map_err(|source| failed(&current_path(dir), source))? {
            Place::At(offset) => {
                return Source::within(dir, file, None, newest, offset)?.up_to(limit.as_ref());
            }
            Place::Before { lines } => wanted -= lines,
        }
    }
    for file in rotated.into_iter().rev() {
        let Some(opened) = open(&file.path)? else { continue };
        match last_lines(&opened, wanted).map_err(|source| failed(&file.path, source))? {
            Place::At(offset) => {
                return Source::within(dir, opened, Some(file.number), file.number, offset)?
                    .up_to(limit.as_ref());
            }
            Place::Before { lines } => wanted -= lines,
        }
    }
    Source::after(dir, 0).up_to(limit.as_ref())
}

fn clone_of(dir: &Path) -> impl Fn(&File) -> Result<File, LogError> {
    move |file| file.try_clone().map_err(|source| failed(&current_path(dir), source))
}

/// Where the last lines of a file begin.
enum Place {
    /// At this offset.
    At(u64),
    /// In an earlier file: this one has only so many lines.
    Before { lines: u64 },
}

fn last_lines(file: &File, wanted: u64) -> io::Result<Place> {
    let length = file.metadata()?.len();
    if wanted == 0 {
        return Ok(Place::At(length));
    }
    let mut buffer = vec![0; CHUNK];
    let mut lines = 0;
    let mut end = length;
    while end > 0 {
        let start = end.saturating_sub(CHUNK as u64);
        let chunk = &mut buffer[..usize::try_from(end - start).unwrap_or(CHUNK)];
        file.read_exact_at(chunk, start)?;
        for (at, _) in chunk.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
            let after = start + at as u64 + 1;
            // The end of the file's last line begins no other.
            if after == length {
                continue;
            }
            lines += 1;
            if lines == wanted {
                return Ok(Place::At(after));
            }
        }
        end = start;
    }
    let lines = if length == 0 { 0 } else { lines + 1 };
    Ok(if lines == wanted { Place::At(0) } else { Place::Before { lines } })
}

fn failed(path: &Path, source: io::Error) -> LogError {
    LogError::File { act: "read", path: path.to_owned(), source }
}

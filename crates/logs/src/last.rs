//! Where in a service's log to begin: at the start, at the end, or so that a number of lines is left. Reads backward, in chunks.

use std::{fs::File, io, ops::ControlFlow, os::unix::fs::FileExt, path::Path};

use crate::{
    LogError,
    content::Content,
    files::{current_path, open, snapshot},
    find::{find, run_number},
    source::{CHUNK, Opened, Source, failed},
    wanted::{Filter, Wanted},
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

/// The wanted part of the log in `dir`.
pub(crate) fn begin(dir: &Path, wanted: &Wanted, extent: Extent) -> Result<Source, LogError> {
    if !wanted.is_filtered() {
        return begin_at(dir, wanted.from, extent);
    }
    let mut filter = Filter::new(wanted, run_number(dir, wanted)?);
    if wanted.from == From::End {
        return Ok(begin_at(dir, From::End, extent)?.only(filter));
    }
    let current = limit(dir, extent)?;
    if let From::Last(lines) = wanted.from {
        filter.skip =
            count(find(dir, &filter)?.up_to(current.as_ref())?.only(filter.clone()))?.saturating_sub(lines);
    }
    Ok(find(dir, &filter)?.up_to(current.as_ref())?.only(filter))
}

/// How many lines there are.
fn count(mut source: Source) -> Result<u64, LogError> {
    let mut lines = 0;
    let mut give = |_, _: &[u8]| {
        lines += 1;
        ControlFlow::Continue(())
    };
    source.read_on(&mut vec![0; CHUNK], &mut give)?;
    if source.finish(&mut give).is_break() {
        debug_assert!(false, "counting has an end");
    }
    Ok(lines)
}

/// The file up to whose present end is read.
fn limit(dir: &Path, extent: Extent) -> Result<Option<File>, LogError> {
    match extent {
        Extent::Now => open(&current_path(dir)),
        Extent::Onward => Ok(None),
    }
}

/// The log in `dir` from there on, every line of it.
fn begin_at(dir: &Path, from: From, extent: Extent) -> Result<Source, LogError> {
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
    let current = current.map(|file| Opened {
        content: Content::Plain(file),
        path: current_path(dir),
        number: None,
        floor: newest,
    });
    let before = rotated.iter().rev().filter_map(|file| {
        let opened = |content| Opened {
            content,
            path: file.path.clone(),
            number: Some(file.number),
            floor: file.number,
        };
        file.open().map(|content| content.map(opened)).transpose()
    });
    for opened in current.map(Ok).into_iter().chain(before) {
        let mut opened = opened?;
        match last_lines(&mut opened.content, wanted)
            .map_err(|source| failed("read", &opened.path, source))?
        {
            Place::At(offset) => return Source::within(dir, opened, offset)?.up_to(limit.as_ref()),
            Place::Before { lines } => wanted -= lines,
        }
    }
    Source::after(dir, 0).up_to(limit.as_ref())
}

fn clone_of(dir: &Path) -> impl Fn(&File) -> Result<File, LogError> {
    move |file| file.try_clone().map_err(|source| failed("read", &current_path(dir), source))
}

/// Where the last lines of a file begin.
enum Place {
    /// At this offset.
    At(u64),
    /// In an earlier file: this one has only so many lines.
    Before { lines: u64 },
}

fn last_lines(content: &mut Content, wanted: u64) -> io::Result<Place> {
    match content {
        Content::Plain(file) => last_lines_backward(file, wanted),
        Content::Packed(_) => last_lines_forward(content, wanted),
    }
}

/// A compressed file is read once for how many lines it has, and once more for where the first wanted one is.
fn last_lines_forward(content: &mut Content, wanted: u64) -> io::Result<Place> {
    let (lines, length) = line_start(content, u64::MAX)?;
    if wanted == 0 {
        return Ok(Place::At(length));
    }
    match lines.checked_sub(wanted) {
        None => Ok(Place::Before { lines }),
        Some(before) => Ok(Place::At(line_start(content, before)?.1)),
    }
}

/// How many lines there are, and the length; or the place after so many lines.
fn line_start(content: &mut Content, after: u64) -> io::Result<(u64, u64)> {
    let mut buffer = vec![0; CHUNK];
    let (mut lines, mut offset, mut is_ended) = (0, 0, true);
    while lines < after {
        let read = content.read_at(&mut buffer, offset)?;
        if read == 0 {
            return Ok((lines + u64::from(!is_ended), offset));
        }
        for (at, _) in buffer[..read].iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
            lines += 1;
            if lines == after {
                return Ok((lines, offset + at as u64 + 1));
            }
        }
        is_ended = buffer[read - 1] == b'\n';
        offset += read as u64;
    }
    Ok((lines, offset))
}

fn last_lines_backward(file: &File, wanted: u64) -> io::Result<Place> {
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

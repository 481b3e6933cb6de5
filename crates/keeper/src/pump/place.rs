//! Bringing a batch to where it belongs: into the log file, cut at line ends, rotated; or aside, when that fails.

use std::io;

use super::{
    batch::{Batch, Destination, LeftBatch},
    cut::{Step, next_step},
    folder::Folder,
};

/// Bytes that could not be written.
#[derive(Debug)]
pub(crate) struct NotPlaced {
    /// Where in the batch they begin.
    pub(crate) from: usize,
    pub(crate) error: io::Error,
}

/// Whether files were rotated on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rotation {
    None,
    Some,
}

/// Writes the bytes `from..count` of the batch behind what the log file has. `number` is that of the next rotated file.
pub(crate) fn place(
    batch: &Batch,
    folder: &mut Folder,
    to: &Destination,
    mut from: usize,
    count: usize,
    mut number: u64,
) -> Result<Rotation, NotPlaced> {
    let mut rotation = Rotation::None;
    while from < count {
        let step =
            one_step(batch, folder, to, from, count, number).map_err(|error| NotPlaced { from, error })?;
        from += step.written;
        if step.rotated {
            rotation = Rotation::Some;
            number += 1;
        }
    }
    Ok(rotation)
}

struct Done {
    written: usize,
    rotated: bool,
}

fn one_step(
    batch: &Batch,
    folder: &mut Folder,
    to: &Destination,
    from: usize,
    count: usize,
    number: u64,
) -> io::Result<Done> {
    let size = folder.size()?;
    let rest = batch.bytes(from, count);
    let step = next_step(rest, size, to.limit, || folder.ends_at_line_end(size));
    crate::fault::point();
    let (length, rotates) = match step {
        Step::Write(length) => (length, false),
        Step::WriteAndRotate(length) => (length, true),
        Step::Rotate => (0, true),
    };
    if length > 0 {
        // Before the bytes: a mark of nothing is mended by the next one.
        folder.note(to.mark(size));
    }
    let written = if length > 0 { batch.write(folder.file()?, size, from, length)? } else { 0 };
    if written == 0 && length > 0 {
        return Err(io::ErrorKind::WriteZero.into());
    }
    folder.wrote(size + written as u64);
    crate::fault::point();
    // A write that was cut short is followed by the rest, and the cut comes after that.
    let rotated = rotates && written == length;
    if rotated {
        folder.rotate(&to.time(), number)?;
    }
    Ok(Done { written, rotated })
}

/// How far a keeper before us came with a batch: where its rest begins, and the number of the next rotated file. Only
/// sizes of files are looked at, so that this can be killed and done again.
pub(crate) fn progress(left: &LeftBatch, folder: &mut Folder) -> io::Result<(usize, u64)> {
    let to = &left.to;
    let time = to.time();
    let rotated = written_to_rotated(to.size, to.number, |number| folder.rotated_size(&time, number));
    let done = written(rotated, folder.size()?, left.count);
    folder.set_number(rotated.number);
    Ok((done, rotated.number))
}

/// What of a batch is in files that were rotated since it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// Bytes of the batch in them.
    pub done: u64,
    /// Bytes of `current` that are of before the batch.
    pub size_before: u64,
    /// The number of the next rotated file.
    pub number: u64,
}

/// Looks for rotated files from this number on: `size` is that of `current` before the batch.
pub fn written_to_rotated(size: u64, number: u64, mut size_of: impl FnMut(u64) -> Option<u64>) -> Rotated {
    let mut rotated = Rotated { done: 0, size_before: size, number };
    while let Some(size) = size_of(rotated.number) {
        rotated.done += size.saturating_sub(rotated.size_before);
        rotated.size_before = 0;
        rotated.number += 1;
    }
    rotated
}

/// How many of the `count` bytes of a batch are written, with `current` of this size.
pub fn written(rotated: Rotated, current: u64, count: usize) -> usize {
    // A size below what it was: somebody truncated the file, and the batch goes behind what is left.
    let done = rotated.done + current.saturating_sub(rotated.size_before);
    usize::try_from(done).unwrap_or(usize::MAX).min(count)
}

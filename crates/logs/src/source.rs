//! One service's log, read forward from file to file. Does not know when there is more to read.

use std::{
    fs::{self, File},
    io,
    ops::ControlFlow,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::{
    LogError,
    cutter::Cutter,
    files::{FileId, current_path, file_id, open, rotated},
};

/// Bytes read at once.
pub(crate) const CHUNK: usize = 64 * 1024;

/// What one step of reading came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A file was read to its end; another one follows.
    NextFile,
    /// All that there is was read.
    End,
    /// Whoever takes the lines wants no more.
    Enough,
}

/// How far one service's log was read.
#[derive(Debug)]
pub(crate) struct Source {
    dir: PathBuf,
    open: Option<Open>,
    /// Every rotated file up to this number was read or is not wanted.
    floor: u64,
    /// The file that may still grow is read up to this length only.
    limit: Option<(FileId, u64)>,
    cutter: Cutter,
}

#[derive(Debug)]
struct Open {
    file: File,
    path: PathBuf,
    id: FileId,
    /// Its number, when it is known to be a rotated one: nothing is written to it any more.
    number: Option<u64>,
    offset: u64,
}

impl Source {
    /// Everything after the rotated file of this number.
    pub(crate) fn after(dir: &Path, floor: u64) -> Self {
        Self { dir: dir.to_owned(), open: None, floor, limit: None, cutter: Cutter::default() }
    }

    /// From this place in an open file: a rotated one with a number, or `current`, before which all up to `floor` is
    /// done with.
    pub(crate) fn within(
        dir: &Path,
        file: File,
        number: Option<u64>,
        floor: u64,
        offset: u64,
    ) -> Result<Self, LogError> {
        let open = Open::new(file, current_path(dir), number, offset)?;
        Ok(Self { open: Some(open), ..Self::after(dir, floor) })
    }

    /// What is written to `current` from now on is not wanted.
    pub(crate) fn up_to(mut self, current: Option<&File>) -> Result<Self, LogError> {
        let Some(current) = current else { return Ok(self) };
        let metadata =
            current.metadata().map_err(|source| failed("read", &current_path(&self.dir), source))?;
        self.limit = Some((file_id(&metadata), metadata.len()));
        Ok(self)
    }

    /// When the file at hand was last written to.
    pub(crate) fn modified(&mut self) -> Result<Option<SystemTime>, LogError> {
        if self.open.is_none() {
            self.open_next()?;
        }
        let Some(open) = &self.open else { return Ok(None) };
        Ok(open.file.metadata().and_then(|metadata| metadata.modified()).ok())
    }

    /// Reads all that there is.
    pub(crate) fn read_on(
        &mut self,
        buffer: &mut [u8],
        give: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<Step, LogError> {
        loop {
            match self.read_file(buffer, give)? {
                Step::NextFile => {}
                step => return Ok(step),
            }
        }
    }

    /// Reads the file at hand to its end.
    pub(crate) fn read_file(
        &mut self,
        buffer: &mut [u8],
        give: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<Step, LogError> {
        if self.open.is_none() && !self.open_next()? {
            return Ok(Step::End);
        }
        if self.read_to_end(buffer, give)?.is_break() {
            return Ok(Step::Enough);
        }
        if self.is_limit_reached() {
            return Ok(Step::End);
        }
        while !self.is_replaced()? {
            if !self.was_truncated()? {
                return Ok(Step::End);
            }
            if self.read_to_end(buffer, give)?.is_break() {
                return Ok(Step::Enough);
            }
        }
        // Something may have been written between the last reading and the rotation; now nothing comes any more.
        if self.read_to_end(buffer, give)?.is_break() || self.cutter.finish(give).is_break() {
            return Ok(Step::Enough);
        }
        self.close()?;
        Ok(Step::NextFile)
    }

    /// Gives out a line that has begun as if it had ended.
    pub(crate) fn finish(&mut self, give: &mut dyn FnMut(&[u8]) -> ControlFlow<()>) -> ControlFlow<()> {
        self.cutter.finish(give)
    }

    fn read_to_end(
        &mut self,
        buffer: &mut [u8],
        give: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, LogError> {
        let Some(open) = &mut self.open else { return Ok(ControlFlow::Continue(())) };
        let end = self.limit.filter(|(id, _)| *id == open.id).map_or(u64::MAX, |(_, length)| length);
        loop {
            let wanted = usize::try_from(end.saturating_sub(open.offset)).unwrap_or(usize::MAX);
            let wanted = wanted.min(buffer.len());
            let read = match open.file.read_at(&mut buffer[..wanted], open.offset) {
                Ok(0) => return Ok(ControlFlow::Continue(())),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(failed("read", &open.path, error)),
            };
            open.offset += read as u64;
            if self.cutter.push(&buffer[..read], give).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }

    fn is_limit_reached(&self) -> bool {
        self.open.as_ref().zip(self.limit).is_some_and(|(open, (id, _))| open.id == id)
    }

    /// Whether the file at hand is no longer `current`.
    fn is_replaced(&self) -> Result<bool, LogError> {
        let Some(open) = self.open.as_ref().filter(|open| open.number.is_none()) else { return Ok(true) };
        let path = current_path(&self.dir);
        match fs::metadata(&path) {
            Ok(metadata) => Ok(file_id(&metadata) != open.id),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(error) => Err(failed("read", &path, error)),
        }
    }

    /// Whether somebody made the file shorter than what was read of it; then it is read from its beginning.
    fn was_truncated(&mut self) -> Result<bool, LogError> {
        let Some(open) = &mut self.open else { return Ok(false) };
        let length = open.file.metadata().map_err(|source| failed("read", &open.path, source))?.len();
        let truncated = length < open.offset;
        if truncated {
            open.offset = 0;
        }
        Ok(truncated)
    }

    fn close(&mut self) -> Result<(), LogError> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let number = match open.number {
            Some(number) => Some(number),
            None => number_of(&self.dir, open.id)?,
        };
        // A file that was deleted already had a larger number than all that came before it; those after it are larger still.
        self.floor = self.floor.max(number.unwrap_or(0));
        Ok(())
    }

    /// Opens the oldest file that was not read, and says whether there is one.
    fn open_next(&mut self) -> Result<bool, LogError> {
        loop {
            let floor = self.floor;
            for file in rotated(&self.dir)?.into_iter().filter(|file| file.number > floor) {
                self.floor = file.number;
                if let Some(opened) = open(&file.path)? {
                    self.open = Some(Open::new(opened, file.path, Some(file.number), 0)?);
                    return Ok(true);
                }
            }
            let path = current_path(&self.dir);
            let Some(opened) = open(&path)? else { return Ok(false) };
            // A rotation between listing and opening has left a file that comes before this one.
            if rotated(&self.dir)?.last().is_none_or(|newest| newest.number <= self.floor) {
                self.open = Some(Open::new(opened, path, None, 0)?);
                return Ok(true);
            }
        }
    }
}

impl Open {
    fn new(file: File, path: PathBuf, number: Option<u64>, offset: u64) -> Result<Self, LogError> {
        let metadata = file.metadata().map_err(|source| failed("read", &path, source))?;
        Ok(Self { id: file_id(&metadata), file, path, number, offset })
    }
}

/// The number that a file got when it was rotated.
fn number_of(dir: &Path, id: FileId) -> Result<Option<u64>, LogError> {
    let same = |path: &Path| fs::metadata(path).is_ok_and(|metadata| file_id(&metadata) == id);
    Ok(rotated(dir)?.into_iter().rev().find(|file| same(&file.path)).map(|file| file.number))
}

fn failed(act: &'static str, path: &Path, source: io::Error) -> LogError {
    LogError::File { act, path: path.to_owned(), source }
}

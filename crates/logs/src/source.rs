//! One service's log, read forward from file to file. Does not know when there is more to read.

use std::{
    fs::{self, File},
    io,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use crate::{
    Damage, LogError,
    content::Content,
    cutter::Cutter,
    files::{FileId, Rotated, current_path, file_id, open, rotated},
    marks::{Cursor, Marks, Stamp},
    wanted::{Filter, Verdict, nanos},
};

/// Takes a line and what is known of it.
pub(crate) type Give<'a> = dyn FnMut(Stamp, &[u8]) -> ControlFlow<()> + 'a;

/// Bytes read at once.
pub(crate) const CHUNK: usize = 64 * 1024;

/// What one step of reading came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// What comes next in this file was written later.
    Later,
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
    /// Which lines are wanted.
    filter: Option<Filter>,
    /// None that comes is.
    is_over: bool,
    /// The file read last, when it was not whole.
    damage: Option<Damage>,
}

/// A file to begin with.
pub(crate) struct Opened {
    pub(crate) content: Content,
    pub(crate) path: PathBuf,
    /// When it is a rotated one.
    pub(crate) number: Option<u64>,
    /// Every rotated file up to this number is done with.
    pub(crate) floor: u64,
}

#[derive(Debug)]
struct Open {
    content: Content,
    marks: Cursor,
    path: PathBuf,
    id: FileId,
    /// Its number, when it is known to be a rotated one: nothing is written to it any more.
    number: Option<u64>,
    offset: u64,
}

impl Source {
    /// Everything after the rotated file of this number.
    pub(crate) fn after(dir: &Path, floor: u64) -> Self {
        Self {
            dir: dir.to_owned(),
            open: None,
            floor,
            limit: None,
            cutter: Cutter::default(),
            filter: None,
            is_over: false,
            damage: None,
        }
    }

    /// From this place in an open file: a line that has begun before it is left out.
    pub(crate) fn within(dir: &Path, opened: Opened, offset: u64) -> Result<Self, LogError> {
        let mut source = Self::after(dir, opened.floor);
        let path = opened.path.clone();
        let mut open = Open::new(dir, opened.content, opened.path, opened.number)?;
        if !open.content.begins_line(offset).map_err(|error| failed("read", &path, error))? {
            source.cutter.begin_in_line();
        }
        open.offset = offset;
        open.marks.seek(offset);
        source.open = Some(open);
        Ok(source)
    }

    /// Only lines that this filter wants.
    pub(crate) fn only(mut self, mut filter: Filter) -> Self {
        filter.file_time_ns = self.open.as_ref().and_then(Open::modified_ns);
        self.filter = Some(filter);
        self
    }

    /// What is written to `current` from now on is not wanted.
    pub(crate) fn up_to(mut self, current: Option<&File>) -> Result<Self, LogError> {
        let Some(current) = current else { return Ok(self) };
        let metadata =
            current.metadata().map_err(|source| failed("read", &current_path(&self.dir), source))?;
        self.limit = Some((file_id(&metadata), metadata.len()));
        Ok(self)
    }

    /// When what is read next was written: by the index, else not after the file was last written to.
    pub(crate) fn next_time(&mut self) -> Result<Option<u64>, LogError> {
        if self.open.is_none() {
            self.open_next()?;
        }
        let Some(open) = &mut self.open else { return Ok(None) };
        open.marks.refresh();
        Ok(open.marks.time_at(open.offset).or_else(|| open.modified_ns()))
    }

    /// Reads all that there is.
    pub(crate) fn read_on(&mut self, buffer: &mut [u8], give: &mut Give<'_>) -> Result<Step, LogError> {
        loop {
            match self.read_file(u64::MAX, buffer, give)? {
                Step::NextFile | Step::Later => {}
                step => return Ok(step),
            }
        }
    }

    /// Reads the file at hand to its end, or to the first place that was written later than this.
    pub(crate) fn read_file(
        &mut self,
        until_ns: u64,
        buffer: &mut [u8],
        give: &mut Give<'_>,
    ) -> Result<Step, LogError> {
        if self.is_over || (self.open.is_none() && !self.open_next()?) {
            return Ok(Step::End);
        }
        let later = self.open.as_mut().filter(|_| until_ns < u64::MAX);
        let later = later.and_then(|open| open.marks.first_later(open.offset, until_ns));
        if self.read_to(later.unwrap_or(u64::MAX), buffer, give)?.is_break() {
            return Ok(self.stopped());
        }
        if later.is_some_and(|later| self.open.as_ref().is_some_and(|open| open.offset >= later)) {
            return Ok(Step::Later);
        }
        if self.is_limit_reached() {
            return Ok(Step::End);
        }
        while !self.is_replaced()? {
            if !self.was_truncated()? {
                return Ok(Step::End);
            }
            if self.read_to(u64::MAX, buffer, give)?.is_break() {
                return Ok(self.stopped());
            }
        }
        // Something may have been written between the last reading and the rotation; now nothing comes any more.
        if self.read_to(u64::MAX, buffer, give)?.is_break() || self.finish(give).is_break() {
            return Ok(self.stopped());
        }
        self.close()?;
        Ok(Step::NextFile)
    }

    /// Whether no line that comes is wanted.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// What the file that was read to its end last is missing.
    pub(crate) fn take_damage(&mut self) -> Option<Damage> {
        self.damage.take()
    }

    fn stopped(&self) -> Step {
        if self.is_over { Step::End } else { Step::Enough }
    }

    /// Gives out a line that has begun as if it had ended.
    pub(crate) fn finish(&mut self, give: &mut Give<'_>) -> ControlFlow<()> {
        let Self { open, cutter, filter, is_over, .. } = self;
        let mut gate = Gate { marks: open.as_mut().map(|open| &mut open.marks), filter, is_over, give };
        cutter.finish(&mut |start, text| gate.pass(start, text))
    }

    /// Reads to this place or to the end of what there is.
    fn read_to(
        &mut self,
        end: u64,
        buffer: &mut [u8],
        give: &mut Give<'_>,
    ) -> Result<ControlFlow<()>, LogError> {
        let Self { open: Some(open), cutter, filter, is_over, dir, .. } = self else {
            return Ok(ControlFlow::Continue(()));
        };
        let limit = self.limit.filter(|(id, _)| *id == open.id).map_or(u64::MAX, |(_, length)| length);
        let end = end.min(limit);
        loop {
            let wanted = usize::try_from(end.saturating_sub(open.offset)).unwrap_or(usize::MAX);
            let wanted = wanted.min(buffer.len());
            let read = open.content.read_at(&mut buffer[..wanted], open.offset);
            let read = read.map_err(|error| failed("read", &open.path, error))?;
            if read == 0 {
                return Ok(ControlFlow::Continue(()));
            }
            // After the bytes: what they are marked with was written before them.
            open.look_for_marks(dir);
            let offset = open.offset;
            open.offset += read as u64;
            let mut gate = Gate { marks: Some(&mut open.marks), filter, is_over, give };
            if cutter.push(&buffer[..read], offset, &mut |start, text| gate.pass(start, text)).is_break() {
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
        let length =
            open.content.file().metadata().map_err(|source| failed("read", &open.path, source))?.len();
        let truncated = length < open.offset;
        if truncated {
            open.offset = 0;
            open.marks.restart();
        }
        Ok(truncated)
    }

    fn close(&mut self) -> Result<(), LogError> {
        let Some(open) = self.open.take() else { return Ok(()) };
        self.damage = open.content.spoilt().map(|spoilt| Damage::new(&open.path, spoilt));
        let number = match open.number {
            Some(number) => Some(number),
            None => number_of(&self.dir, &open)?,
        };
        // A file that was deleted already had a larger number than all that came before it; those after it are larger still.
        self.floor = self.floor.max(number.unwrap_or(0));
        Ok(())
    }

    fn begin_file(&mut self, content: Content, path: PathBuf, number: Option<u64>) -> Result<bool, LogError> {
        let open = Open::new(&self.dir, content, path, number)?;
        if let Some(filter) = &mut self.filter {
            filter.file_time_ns = open.modified_ns();
        }
        self.open = Some(open);
        Ok(true)
    }

    /// Opens the oldest file that was not read, and says whether there is one.
    fn open_next(&mut self) -> Result<bool, LogError> {
        loop {
            let floor = self.floor;
            for file in rotated(&self.dir)?.into_iter().filter(|file| file.number > floor) {
                self.floor = file.number;
                if let Some(content) = file.open()? {
                    return self.begin_file(content, file.path, Some(file.number));
                }
            }
            let path = current_path(&self.dir);
            let Some(opened) = open(&path)? else { return Ok(false) };
            // A rotation between listing and opening has left a file that comes before this one.
            if rotated(&self.dir)?.last().is_none_or(|newest| newest.number <= self.floor) {
                return self.begin_file(Content::Plain(opened), path, None);
            }
        }
    }
}

impl Open {
    fn new(dir: &Path, content: Content, path: PathBuf, number: Option<u64>) -> Result<Self, LogError> {
        let metadata = content.file().metadata().map_err(|source| failed("read", &path, source))?;
        let id = file_id(&metadata);
        let marks = match number {
            Some(_) => Marks::of_rotated(&path),
            None => Marks::of_current(dir, id),
        };
        Ok(Self { content, marks: Cursor::new(marks), path, id, number, offset: 0 })
    }

    fn modified_ns(&self) -> Option<u64> {
        self.content.file().metadata().and_then(|metadata| metadata.modified()).ok().map(nanos)
    }

    /// A file that grows may get its index, and gets more marks.
    fn look_for_marks(&mut self, dir: &Path) {
        if self.number.is_some() {
            return;
        }
        if self.marks.is_empty() {
            self.marks = Cursor::new(Marks::of_current(dir, self.id));
        } else {
            self.marks.refresh();
        }
    }
}

/// What a line passes on its way out: it gets its stamp, and may not be wanted.
struct Gate<'a, 'b> {
    marks: Option<&'a mut Cursor>,
    filter: &'a mut Option<Filter>,
    is_over: &'a mut bool,
    give: &'a mut Give<'b>,
}

impl Gate<'_, '_> {
    fn pass(&mut self, start: u64, text: &[u8]) -> ControlFlow<()> {
        let stamp = self.marks.as_mut().map(|marks| marks.at(start)).unwrap_or_default();
        match self.filter.as_mut().map_or(Verdict::Wanted, |filter| filter.judge(stamp, text)) {
            Verdict::Wanted => (self.give)(stamp, text),
            Verdict::Unwanted => ControlFlow::Continue(()),
            Verdict::Over => {
                *self.is_over = true;
                ControlFlow::Break(())
            }
        }
    }
}

/// The number that a file got when it was rotated. Compressed meanwhile it is another file, with the same time.
fn number_of(dir: &Path, open: &Open) -> Result<Option<u64>, LogError> {
    let modified = open.content.file().metadata().and_then(|metadata| metadata.modified()).ok();
    let is_it = |file: &Rotated| {
        fs::metadata(&file.path).is_ok_and(|metadata| {
            file_id(&metadata) == open.id
                || (file.is_packed() && modified.is_some() && metadata.modified().ok() == modified)
        })
    };
    Ok(rotated(dir)?.into_iter().rev().find(is_it).map(|file| file.number))
}

pub(crate) fn failed(act: &'static str, path: &Path, source: io::Error) -> LogError {
    LogError::File { act, path: path.to_owned(), source }
}

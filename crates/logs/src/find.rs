//! Where in a service's log the first wanted line may be, by the indexes: a search in the files, then one in the marks of a
//! file. A clock that was set back makes it find an earlier or a later place than a look at every line would.

use std::path::Path;

use crate::{
    LogError,
    files::{Rotated, current_path, file_id, snapshot},
    marks::Marks,
    source::{Opened, Source, failed},
    wanted::{Filter, Run, Wanted, nanos},
};

/// The log in `dir`, from the first line on that this filter may want.
pub(crate) fn find(dir: &Path, filter: &Filter) -> Result<Source, LogError> {
    if !filter.has_beginning() {
        return Ok(Source::after(dir, 0));
    }
    let (files, current) = snapshot(dir)?;
    let first = files.partition_point(|file| is_before(file, filter));
    let newest = files.last().map_or(0, |file| file.number);
    for file in files.iter().skip(first) {
        let Some(content) = file.open()? else { continue };
        let start = start(Marks::of_rotated(&file.path), filter);
        let opened =
            Opened { content, path: file.path.clone(), number: Some(file.number), floor: file.number };
        return Source::within(dir, opened, start);
    }
    let Some(current) = current else { return Ok(Source::after(dir, newest)) };
    let path = current_path(dir);
    let data = current.metadata().map_err(|source| failed("read", &path, source))?;
    let mut marks = Marks::of_current(dir, file_id(&data));
    let is_all_before =
        marks.as_mut().and_then(Marks::last).is_some_and(|mark| filter.is_before(mark.time_ns, mark.run));
    let start = if is_all_before { data.len() } else { start(marks, filter) };
    let opened =
        Opened { content: crate::content::Content::Plain(current), path, number: None, floor: newest };
    Source::within(dir, opened, start)
}

/// Whether no line of a rotated file is wanted.
fn is_before(file: &Rotated, filter: &Filter) -> bool {
    match Marks::of_rotated(&file.path).as_mut().and_then(Marks::last) {
        Some(mark) => filter.is_before(mark.time_ns, mark.run),
        None => {
            let modified = file.open().ok().flatten().and_then(|content| content.file().metadata().ok());
            let modified = modified.and_then(|data| data.modified().ok());
            modified.is_some_and(|modified| filter.is_file_before(nanos(modified)))
        }
    }
}

/// Where in a file the first wanted line may begin, or the line before it end.
fn start(marks: Option<Marks>, filter: &Filter) -> u64 {
    let Some(mut marks) = marks else { return 0 };
    let number = marks.first_not(|mark| filter.is_before(mark.time_ns, mark.run));
    if number == 0 {
        return 0;
    }
    // All before: the place of the last one, since what comes after it may come with it.
    marks.at_or_after(number).or(marks.last().map(|mark| (0, mark))).map_or(0, |(_, mark)| mark.offset)
}

/// The number of the run that is wanted; `None` when none is, or when there were not so many.
pub(crate) fn run_number(dir: &Path, wanted: &Wanted) -> Result<Option<u64>, LogError> {
    let back = match wanted.run {
        None => return Ok(None),
        Some(Run::Number(number)) => return Ok(Some(number)),
        Some(Run::Back(back)) => back,
    };
    let (files, current) = snapshot(dir)?;
    let current = current.and_then(|file| file.metadata().ok());
    let current = current.and_then(|data| Marks::of_current(dir, file_id(&data)));
    let rotated = files.iter().rev().map(|file| Marks::of_rotated(&file.path));
    let mut left = back;
    let mut latest: Option<u64> = None;
    for mut marks in std::iter::once(current).chain(rotated).flatten() {
        // The last run of a file, then the last one before that, and so on; each is one search.
        let mut run = marks.last().map(|mark| mark.run).filter(|run| *run > 0);
        while let Some(found) = run {
            match latest {
                Some(latest) if latest == found => {}
                Some(_) if left == 0 => return Ok(latest),
                Some(_) => {
                    left -= 1;
                    latest = Some(found);
                }
                None => latest = Some(found),
            }
            let first = marks.first_not(|mark| mark.run < found);
            run = marks.before(first).map(|mark| mark.run).filter(|run| *run > 0);
        }
    }
    // One that there never was: nobody's number.
    Ok(if left == 0 { latest.or(Some(u64::MAX)) } else { Some(u64::MAX) })
}

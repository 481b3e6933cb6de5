//! What a writer knows of its own runs, written down by itself where Mainstay does not look: which runs there were, how many
//! lines each wrote, and how it ended. Knows nothing of Mainstay but what that told the writer.
//!
//! A folder for each service. `7.run` is its seventh run: `begin …`, and as its last act `end …`. `7.main` is the number of
//! lines that the run wrote, a number for each stream: it is raised after `write(2)` has returned, so that whoever is killed
//! between the two has written one line more than it says, or not.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::Write as _,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

/// What a run's file ends with.
const RUN: &str = "run";

/// The file whose presence says that nobody is to end any more.
pub(super) const CALM: &str = "calm";

/// The one stream that each run has.
pub(super) const MAIN: &str = "main";

/// How a run began, in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Begin {
    /// When: nanoseconds of the monotonic clock.
    pub(super) at: u64,
    /// What Mainstay calls it.
    pub(super) id: u64,
    /// Whether another run of the service was there.
    pub(super) is_second: bool,
    /// Whether something of the run before was there.
    pub(super) has_leftover: bool,
    /// What Mainstay said of how the run before ended; empty: nothing.
    pub(super) previous: String,
}

/// How it ended, of its own will.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// When: nanoseconds of the monotonic clock.
    pub(super) at: u64,
    /// As Mainstay writes it: `exit 7`, `signal HUP`.
    pub(super) how: String,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) begin: Begin,
    /// `None`: somebody else ended it.
    pub(super) end: Option<End>,
    /// By stream, how many lines it knows that it wrote.
    pub(super) lines: BTreeMap<String, u64>,
}

/// All runs of a service, by number from 1.
pub(super) type Runs = BTreeMap<u64, Run>;

/// A run that writes its own record.
#[derive(Debug)]
pub(super) struct Recorder {
    dir: PathBuf,
    /// Its number.
    pub(super) number: u64,
    file: File,
}

impl Recorder {
    /// The next run of the service of this folder.
    pub(super) fn begin(dir: &Path, begin: &Begin) -> Result<Self> {
        let Begin { at, id, is_second, has_leftover, previous } = begin;
        for number in 1_u64.. {
            let path = dir.join(format!("{number}.{RUN}"));
            let Ok(mut file) = OpenOptions::new().append(true).create_new(true).open(&path) else { continue };
            let line = format!("begin {at} {id} {is_second} {has_leftover} {previous}\n");
            file.write_all(line.as_bytes()).with_context(|| format!("cannot write `{}`", path.display()))?;
            return Ok(Self { dir: dir.to_owned(), number, file });
        }
        bail!("there is no number left in `{}`", dir.display())
    }

    /// The last act.
    pub(super) fn end(mut self, end: &End) -> Result<()> {
        let line = format!("end {} {}\n", end.at, end.how);
        self.file.write_all(line.as_bytes()).context("cannot write how it ends")
    }

    /// Where a stream of this run is counted.
    pub(super) fn counter(&self, stream: &str) -> PathBuf {
        self.dir.join(format!("{}.{stream}", self.number))
    }
}

/// How many lines a stream has.
#[derive(Debug)]
pub(super) struct Counter(File);

impl Counter {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("cannot create `{}`", path.display()))?;
        Ok(Self(file))
    }

    pub(super) fn set(&self, lines: u64) -> Result<()> {
        self.0.write_all_at(&lines.to_le_bytes(), 0).context("cannot count")
    }
}

/// Reads what the runs of a service wrote of themselves.
pub(super) fn read(dir: &Path) -> Result<Runs> {
    let cannot = || format!("cannot read `{}`", dir.display());
    let mut runs = Runs::new();
    let mut counters = Vec::new();
    for entry in fs::read_dir(dir).with_context(cannot)? {
        let path = entry.with_context(cannot)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some((number, kind)) = name.split_once('.') else { continue };
        let Ok(number) = number.parse::<u64>() else { continue };
        if kind == RUN {
            let text = fs::read_to_string(&path).with_context(cannot)?;
            let run =
                parse(&text).with_context(|| format!("`{}` makes no sense:\n{text}", path.display()))?;
            runs.insert(number, run);
        } else {
            let bytes = fs::read(&path).with_context(cannot)?;
            let count = bytes.try_into().map(u64::from_le_bytes).unwrap_or(0);
            counters.push((number, kind.to_owned(), count));
        }
    }
    for (number, stream, count) in counters {
        let run = runs.get_mut(&number).with_context(|| format!("{number}.{stream} has no run"))?;
        run.lines.insert(stream, count);
    }
    Ok(runs)
}

fn parse(text: &str) -> Option<Run> {
    let (first, rest) = text.split_once('\n')?;
    let mut words = first.strip_prefix("begin ")?.splitn(5, ' ');
    let begin = Begin {
        at: words.next()?.parse().ok()?,
        id: words.next()?.parse().ok()?,
        is_second: words.next()?.parse().ok()?,
        has_leftover: words.next()?.parse().ok()?,
        previous: words.next()?.to_owned(),
    };
    let end = match rest.strip_suffix('\n') {
        None => None,
        Some(last) => {
            let (at, how) = last.strip_prefix("end ")?.split_once(' ')?;
            Some(End { at: at.parse().ok()?, how: how.to_owned() })
        }
    };
    Some(Run { begin, end, lines: BTreeMap::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let begin = |id, previous: &str| Begin {
            at: 5,
            id,
            is_second: false,
            has_leftover: id == 4,
            previous: previous.to_owned(),
        };
        let first = Recorder::begin(dir.path(), &begin(3, "")).unwrap();
        Counter::open(&first.counter(MAIN)).unwrap().set(70_000).unwrap();
        let end = End { at: 9, how: "signal HUP".to_owned() };
        first.end(&end).unwrap();
        let second = Recorder::begin(dir.path(), &begin(4, "signal HUP")).unwrap();
        Counter::open(&second.counter(MAIN)).unwrap();
        assert_eq!(second.number, 2);

        let runs = read(dir.path()).unwrap();
        let lines = |count| BTreeMap::from([(MAIN.to_owned(), count)]);
        assert_eq!(runs[&1], Run { begin: begin(3, ""), end: Some(end), lines: lines(70_000) });
        assert_eq!(runs[&2], Run { begin: begin(4, "signal HUP"), end: None, lines: lines(0) });
    }
}

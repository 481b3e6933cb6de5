//! Which lines are wanted, of all that a log holds. Knows no files.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mainstay_wire::LogStream;
use regex::bytes::Regex;

use crate::{last::From, marks::Stamp};

/// Which lines are wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Where to begin; of the lines that all the rest leaves.
    pub from: From,
    /// Written then or later. Of lines of which it is not known when, those in files that were written to since.
    pub since: Option<SystemTime>,
    /// Written then or earlier. Lines of which it is not known when are there.
    pub until: Option<SystemTime>,
    /// Written by this run. Lines of which it is not known whose they are, are not there.
    pub run: Option<Run>,
    /// With something in them that this matches.
    pub pattern: Option<Regex>,
    /// By this stream. Of a service whose streams are not kept apart, everything comes by standard output.
    pub stream: Option<LogStream>,
}

/// A run of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// The one with this number.
    Number(u64),
    /// So many before the latest one.
    Back(u64),
}

impl std::convert::From<From> for Wanted {
    fn from(from: From) -> Self {
        Self { from, since: None, until: None, run: None, pattern: None, stream: None }
    }
}

impl Wanted {
    /// Whether single lines have to be looked at.
    pub(crate) fn is_filtered(&self) -> bool {
        self.since.is_some() || self.until.is_some() || self.run.is_some() || self.pattern.is_some()
    }
}

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Wanted,
    Unwanted,
    /// Nor is anything after it.
    Over,
}

/// Judges lines of one service.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    since_ns: Option<u64>,
    until_ns: Option<u64>,
    run: Option<u64>,
    pattern: Option<Regex>,
    /// How many that would be wanted are left out first.
    pub(crate) skip: u64,
    /// When the file at hand was last written to.
    pub(crate) file_time_ns: Option<u64>,
}

impl Filter {
    /// `run` is the number of the run that is wanted.
    pub(crate) fn new(wanted: &Wanted, run: Option<u64>) -> Self {
        Self {
            since_ns: wanted.since.map(nanos),
            until_ns: wanted.until.map(nanos),
            run,
            pattern: wanted.pattern.clone(),
            skip: 0,
            file_time_ns: None,
        }
    }

    /// Whether lines with this stamp come before all that are wanted.
    pub(crate) fn is_before(&self, time_ns: u64, run: u64) -> bool {
        self.since_ns.is_some_and(|since| time_ns < since) || self.run.is_some_and(|wanted| run < wanted)
    }

    /// Whether a file whose lines have no stamps comes before all that are wanted.
    pub(crate) fn is_file_before(&self, time_ns: u64) -> bool {
        self.since_ns.is_some_and(|since| time_ns < since)
    }

    /// Whether a place is looked for at all.
    pub(crate) fn has_beginning(&self) -> bool {
        self.since_ns.is_some() || self.run.is_some()
    }

    pub(crate) fn judge(&mut self, stamp: Stamp, text: &[u8]) -> Verdict {
        if stamp.time_ns.zip(self.until_ns).is_some_and(|(time, until)| time > until)
            || stamp.run.zip(self.run).is_some_and(|(run, wanted)| run > wanted)
        {
            return Verdict::Over;
        }
        let time = stamp.time_ns.or(self.file_time_ns);
        if time.zip(self.since_ns).is_some_and(|(time, since)| time < since)
            || self.run.is_some_and(|wanted| stamp.run != Some(wanted))
            || self.pattern.as_ref().is_some_and(|pattern| !pattern.is_match(text))
        {
            return Verdict::Unwanted;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return Verdict::Unwanted;
        }
        Verdict::Wanted
    }
}

/// Since the Unix epoch.
pub(crate) fn nanos(time: SystemTime) -> u64 {
    let span = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// A time again.
pub(crate) fn time(nanos: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanos)
}

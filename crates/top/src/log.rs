//! The lines of the log pane: a bounded number of them, where one looks, and what is searched for.
//!
//! Where one looks is the line at the bottom, counted from the first that ever came: it stays when lines come in below
//! or are forgotten at the top, and it is the same whether long lines are cut or wrapped.

use std::collections::VecDeque;

use crate::{LogSource, WrittenLine, clean};

/// How many lines are kept; the oldest are forgotten. The files have them all.
pub const LINES_KEPT: usize = 10_000;

/// How many logs are followed at once: each costs the system a watch and an open file.
pub(crate) const SOURCES: usize = 32;

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogLine {
    /// The place of its service among the sources.
    pub(crate) source: usize,
    /// Harmless.
    pub(crate) text: String,
}

/// What becomes of lines that are longer than the pane is wide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LongLines {
    /// They are cut; what is right of it can be scrolled to.
    #[default]
    Cut,
    /// They go on in the next row.
    Wrapped,
}

/// Which way to look for the next match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Toward {
    Older,
    Newer,
}

/// The log pane.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// The number of the request whose lines these are.
    pub(crate) number: u64,
    /// Whose lines.
    pub(crate) sources: Vec<LogSource>,
    /// How many more services were chosen than are followed.
    pub(crate) left_out: usize,
    /// Why there are none.
    pub(crate) failure: Option<String>,
    pub(crate) long_lines: LongLines,
    /// Columns that are scrolled out on the left.
    pub(crate) column: usize,
    /// Rows of the pane, as it is drawn.
    pub(crate) height: usize,
    lines: VecDeque<LogLine>,
    /// The number of the first line that is kept.
    first: u64,
    /// One after the line at the bottom; none is whatever comes last.
    end: Option<u64>,
    /// Small letters; empty is nothing.
    search: String,
    /// The line that the search stands at.
    found: Option<u64>,
}

impl Log {
    /// Begins anew with these.
    pub(crate) fn begin(&mut self, sources: Vec<LogSource>, left_out: usize) {
        *self = Self {
            number: self.number + 1,
            sources,
            left_out,
            long_lines: self.long_lines,
            height: self.height,
            search: std::mem::take(&mut self.search),
            ..Self::default()
        };
    }

    /// Takes in what was written.
    pub(crate) fn take_in(&mut self, lines: Vec<WrittenLine>) {
        for line in lines {
            let Some(source) = self.sources.iter().position(|source| source.id == line.service) else {
                continue;
            };
            if self.lines.len() >= LINES_KEPT {
                self.lines.pop_front();
                self.first += 1;
            }
            self.lines.push_back(LogLine { source, text: clean::line(&line.text) });
        }
        // Whoever looks at what is forgotten looks at the oldest that there is.
        let least = self.least();
        self.end = self.end.map(|end| end.max(least));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub(crate) fn is_following(&self) -> bool {
        self.end.is_none()
    }

    /// How many lines came after the one at the bottom.
    pub(crate) fn below(&self) -> u64 {
        self.end.map_or(0, |end| self.total().saturating_sub(end))
    }

    /// The lines that can be seen, from the bottom upwards, with their numbers.
    pub(crate) fn upward(&self) -> impl Iterator<Item = (u64, &LogLine)> {
        let first = self.first;
        self.lines.range(..self.bottom()).enumerate().rev().map(move |(at, line)| (first + at as u64, line))
    }

    /// The lines below these, from the top downwards.
    pub(crate) fn downward(&self) -> impl Iterator<Item = (u64, &LogLine)> {
        let start = self.bottom();
        let first = self.first + start as u64;
        self.lines.range(start..).enumerate().map(move |(at, line)| (first + at as u64, line))
    }

    /// What was drawn goes down to this line, because there was nothing more above: from there it is scrolled on.
    pub(crate) fn drawn_to(&mut self, number: u64) {
        self.end = self.end.map(|_| number + 1).filter(|end| *end < self.total());
    }

    fn bottom(&self) -> usize {
        self.end.map_or(self.lines.len(), |end| self.place(end))
    }

    /// Moves by so many lines, up when negative. At the end it follows again.
    pub(crate) fn scroll(&mut self, by: i64) {
        let total = self.total();
        let end = self.end.unwrap_or(total).saturating_add_signed(by).max(self.least());
        self.end = Some(end).filter(|end| *end < total);
    }

    /// To the oldest line that is kept.
    pub(crate) fn go_to_start(&mut self) {
        self.scroll(i64::MIN / 2);
    }

    /// To the newest, and on with those that come.
    pub(crate) fn go_to_end(&mut self) {
        self.end = None;
        self.found = None;
    }

    /// Stays here, or goes on with what comes.
    pub(crate) fn toggle_following(&mut self) {
        self.end = match self.end {
            Some(_) => None,
            None => Some(self.total()),
        };
    }

    pub(crate) fn search(&self) -> &str {
        &self.search
    }

    pub(crate) fn set_search(&mut self, text: &str) {
        self.search = text.to_lowercase();
        self.found = None;
    }

    /// Whether the search stands at this line.
    pub(crate) fn is_found(&self, number: u64) -> bool {
        self.found == Some(number)
    }

    /// Goes to the next line with what is searched for; `false` when there is none that way.
    pub(crate) fn find(&mut self, toward: Toward) -> bool {
        if self.search.is_empty() {
            return false;
        }
        let matches = |at: &usize| {
            self.lines.get(*at).is_some_and(|line| line.text.to_lowercase().contains(&self.search))
        };
        let bottom = self.bottom();
        let found = match (toward, self.found.map(|number| self.place(number))) {
            (Toward::Older, at) => (0..at.unwrap_or(bottom)).rev().find(matches),
            (Toward::Newer, at) => (at.map_or(0, |at| at + 1)..self.lines.len()).find(matches),
        };
        let Some(at) = found else { return false };
        let number = self.first + at as u64;
        self.found = Some(number);
        // In the middle of the pane, as far as there are lines around it.
        self.end = Some((number + 1 + self.height as u64 / 2).max(self.least()).min(self.total()));
        true
    }

    /// The least end at which the pane is full. How many rows wrapped lines take is known when they are drawn.
    fn least(&self) -> u64 {
        let lines = match self.long_lines {
            LongLines::Cut => self.height as u64,
            LongLines::Wrapped => 1,
        };
        self.total().min(self.first + lines)
    }

    fn total(&self) -> u64 {
        self.first + self.lines.len() as u64
    }

    /// The place of the line of this number among those kept.
    fn place(&self, number: u64) -> usize {
        usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX).min(self.lines.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(count: usize) -> Log {
        let mut log = Log { height: 5, ..Log::default() };
        log.begin(vec![LogSource { id: "api".to_owned(), dir: "/logs/api".to_owned() }], 0);
        write(&mut log, 0..count);
        log
    }

    fn write(log: &mut Log, numbers: std::ops::Range<usize>) {
        let line =
            |number| WrittenLine { service: "api".to_owned(), text: format!("line {number}").into_bytes() };
        log.take_in(numbers.map(line).collect());
    }

    fn bottom(log: &Log) -> String {
        log.upward().next().map(|(_, line)| line.text.clone()).unwrap_or_default()
    }

    #[test]
    fn one_stays_where_one_looks_until_the_end_is_reached() {
        let mut log = log(100);
        assert_eq!(bottom(&log), "line 99");
        log.scroll(-10);
        assert_eq!((bottom(&log), log.below()), ("line 89".to_owned(), 10));
        write(&mut log, 100..200);
        assert_eq!((bottom(&log), log.below()), ("line 89".to_owned(), 110));
        log.go_to_start();
        assert_eq!(bottom(&log), "line 4");
        log.scroll(1000);
        assert!(log.is_following());
        log.toggle_following();
        write(&mut log, 200..201);
        assert_eq!(bottom(&log), "line 199");
    }

    #[test]
    fn old_lines_are_forgotten() {
        let mut log = log(100);
        log.scroll(-50);
        write(&mut log, 100..LINES_KEPT + 40);
        assert_eq!(log.lines.len(), LINES_KEPT);
        assert_eq!(bottom(&log), "line 49");
        write(&mut log, LINES_KEPT + 40..LINES_KEPT + 200);
        assert_eq!(log.upward().count(), 5);
    }

    #[test]
    fn the_search_goes_both_ways() {
        let mut log = log(100);
        log.set_search("LINE 1");
        assert!(log.find(Toward::Older));
        assert!(log.found == Some(19) && log.upward().next().unwrap().0 == 21);
        assert!(log.find(Toward::Older) && log.found == Some(18));
        assert!(log.find(Toward::Newer) && log.found == Some(19));
        assert!(!log.find(Toward::Newer));
        log.set_search("nowhere");
        assert!(!log.find(Toward::Older));
    }
}

//! Compares what is in the logs with what the writers wrote. Knows no processes.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
    path::Path,
};

use anyhow::{Context as _, Result};
use mainstay_logs::{From, read};

use super::{
    line::Line,
    truth::Runs,
    verdict::{Place, Tally},
};

/// What is found about lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// Lines in the logs.
    pub(super) seen: u64,
    pub(super) lost: Tally,
    /// Of runs that ended while anchor and keeper were dead.
    pub(super) lost_apart: u64,
    pub(super) doubled: Tally,
    /// Not in their order within a stream.
    pub(super) misplaced: Tally,
    /// Not whole, or nobody's.
    pub(super) strange: Tally,
    /// Marked by the index as another run's.
    pub(super) mismarked: Tally,
    /// Of which the index does not say whose they are.
    pub(super) unmarked: u64,
}

/// What the log of one service has of one stream.
#[derive(Debug, Default)]
struct Heard {
    /// The next number, when nothing lacks.
    next: u64,
    missing: BTreeSet<u64>,
}

type HeardAll = BTreeMap<(u64, String), Heard>;

impl Lines {
    /// Judges the log of one service. `is_apart` says of a run whether its last lines may be lost.
    pub(super) fn judge(
        &mut self,
        logs: &Path,
        service: &str,
        runs: &Runs,
        is_apart: &dyn Fn(u64) -> bool,
    ) -> Result<()> {
        let heard = self.hear(logs, service, runs)?;
        for (number, run) in runs {
            for (stream, written) in &run.lines {
                let nothing = Heard { next: 1, ..Heard::default() };
                let heard = heard.get(&(*number, stream.clone())).unwrap_or(&nothing);
                self.settle(service, *number, stream, *written, heard, is_apart(*number));
            }
        }
        Ok(())
    }

    fn hear(&mut self, logs: &Path, service: &str, runs: &Runs) -> Result<HeardAll> {
        let mut all = HeardAll::new();
        let names = [service.to_owned()];
        read(logs, &names, From::Start, &mut |line| {
            self.seen += 1;
            let text = line.text;
            let place = || Place::new(service, String::from_utf8_lossy(text).into_owned());
            let Some(said) = Line::read(text).filter(|said| said.service == service) else {
                self.strange.add(place);
                return ControlFlow::Continue(());
            };
            let Some(run) = runs.get(&said.run) else {
                self.strange.add(place);
                return ControlFlow::Continue(());
            };
            match line.run {
                None => self.unmarked += 1,
                Some(marked) if marked == run.begin.id => {}
                Some(marked) => {
                    let text = || format!("run {} is marked as {marked}", run.begin.id);
                    self.mismarked.add(|| Place::new(service, text()));
                }
            }
            self.hear_one(service, said, all.entry((said.run, said.stream.to_owned())).or_default());
            ControlFlow::Continue(())
        })
        .with_context(|| format!("cannot read the log of {service}"))?;
        Ok(all)
    }

    fn hear_one(&mut self, service: &str, said: Line<'_>, heard: &mut Heard) {
        let next = heard.next.max(1);
        let place = || Place::new(service, format!("run {}, {} {}", said.run, said.stream, said.number));
        if said.number >= next {
            heard.missing.extend(next..said.number);
            heard.next = said.number + 1;
        } else if heard.missing.remove(&said.number) {
            self.misplaced.add(place);
        } else {
            self.doubled.add(place);
        }
    }

    fn settle(&mut self, service: &str, run: u64, stream: &str, written: u64, heard: &Heard, apart: bool) {
        let next = heard.next.max(1);
        let place = |number: u64| Place::new(service, format!("run {run}, {stream} {number} of {written}"));
        // A line that was written and not counted before its writer was killed.
        for number in written + 2..next {
            self.strange.add(|| place(number));
        }
        for number in &heard.missing {
            self.lost.add(|| place(*number));
        }
        let tail = written.saturating_sub(next - 1);
        if apart {
            self.lost_apart += tail;
        } else if tail > 0 {
            self.lost.add_many(tail, || place(next));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::truth::{Begin, Run};
    use super::*;

    /// Judges a log of these lines of one run that knows of three.
    fn judge(numbers: &[u64], apart: bool) -> (u64, u64, u64, u64, u64) {
        let dir = tempfile::tempdir().unwrap();
        let (mut text, mut log) = (String::new(), String::new());
        for number in numbers {
            Line { service: "api", run: 1, stream: "main", number: *number }.write(&mut text);
            log.push_str(&text);
        }
        std::fs::create_dir(dir.path().join("api")).unwrap();
        std::fs::write(dir.path().join("api/current"), log).unwrap();
        let begin = Begin { at: 0, id: 1, is_second: false, has_leftover: false, previous: String::new() };
        let lines = BTreeMap::from([("main".to_owned(), 3)]);
        let runs = Runs::from([(1, Run { begin, end: None, lines })]);
        let mut found = Lines::default();
        found.judge(dir.path(), "api", &runs, &|_| apart).unwrap();
        let Lines { lost, lost_apart, doubled, misplaced, strange, .. } = found;
        (lost.count(), lost_apart, doubled.count(), misplaced.count(), strange.count())
    }

    #[test]
    fn what_lacks_and_what_is_there_twice_is_found() {
        assert_eq!(judge(&[1, 2, 3], false), (0, 0, 0, 0, 0));
        // Killed between writing and counting.
        assert_eq!(judge(&[1, 2, 3, 4], false), (0, 0, 0, 0, 0));
        assert_eq!(judge(&[1, 2, 3, 4, 5], false), (0, 0, 0, 0, 1));
        assert_eq!(judge(&[1, 3], false), (1, 0, 0, 0, 0));
        assert_eq!(judge(&[1, 3], true), (1, 0, 0, 0, 0));
        assert_eq!(judge(&[1], false), (2, 0, 0, 0, 0));
        assert_eq!(judge(&[1], true), (0, 2, 0, 0, 0));
        assert_eq!(judge(&[], false), (3, 0, 0, 0, 0));
        assert_eq!(judge(&[1, 2, 2, 3], false), (0, 0, 1, 0, 0));
        assert_eq!(judge(&[2, 1, 3], false), (0, 0, 0, 1, 0));
    }
}

//! What was found, as a table; and whether it is as promised. Finds nothing itself.

use std::fmt;

use super::{driver::Deeds, exits::Exits, exits::Times, lines::Lines};

/// How many places of one kind are shown.
const SHOWN: usize = 5;

/// The least share of ends that fall into the death of keeper or daemon, in percent.
const SHARE: u64 = 20;

/// Where something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    service: String,
    text: String,
}

impl Place {
    pub(super) fn new(service: &str, text: String) -> Self {
        Self { service: service.to_owned(), text }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.service, self.text)
    }
}

/// How often, and the first places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    count: u64,
    first: Vec<Place>,
}

impl Tally {
    pub(super) fn add(&mut self, place: impl FnOnce() -> Place) {
        self.add_many(1, place);
    }

    /// Several at one place.
    pub(super) fn add_many(&mut self, count: u64, place: impl FnOnce() -> Place) {
        self.count += count;
        if self.first.len() < SHOWN {
            self.first.push(place());
        }
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> u64 {
        self.count
    }
}

/// Everything that is known in the end.
pub(super) struct Verdict {
    pub(super) lines: Lines,
    pub(super) exits: Exits,
    pub(super) deeds: Deeds,
    pub(super) times: Times,
    /// Lines that were written, as far as their writers know.
    pub(super) written: u64,
    /// How long they were written, in seconds.
    pub(super) seconds: u64,
    /// Starts that Mainstay counts beyond the runs that there were.
    pub(super) cut_off: i64,
    /// What else is not as it should be.
    pub(super) other: Tally,
}

impl Verdict {
    /// What must be nothing.
    fn zeroes(&self) -> [(&'static str, &Tally); 14] {
        let (lines, exits) = (&self.lines, &self.exits);
        [
            ("lines lost", &lines.lost),
            ("lines doubled", &lines.doubled),
            ("lines out of order", &lines.misplaced),
            ("lines torn or nobody's", &lines.strange),
            ("lines marked as another run's", &lines.mismarked),
            ("restarts that nobody caused", &exits.causeless),
            ("two runs at a time", &exits.twins),
            ("something left of a run before", &exits.leftovers),
            ("exits told wrong", &exits.wrong),
            ("exits unknown", &exits.unknown),
            ("exits missed in the history", &exits.missed),
            ("exits wrong in the history", &exits.misremembered),
            ("exits in the history that never were", &exits.invented),
            ("anything else", &self.other),
        ]
    }

    /// Ends in windows, in percent.
    fn share(&self) -> u64 {
        self.exits.in_windows * 100 / self.exits.ends.max(1)
    }

    /// Whether it is as promised.
    pub(super) fn is_good(&self) -> bool {
        self.zeroes().iter().all(|(_, tally)| tally.count == 0) && self.share() >= SHARE
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lines, exits, deeds, times, .. } = self;
        let mut row = |name: &str, value: &dyn fmt::Display| writeln!(f, "{name:44}{value:>12}");
        for (names, count) in &deeds.blows {
            row(&format!("killed: {names}"), count)?;
        }
        row("kills in all", &deeds.kills)?;
        row("longest time without one, ms", &deeds.longest_pause.as_millis())?;
        row("`up -d` again", &deeds.ups)?;
        row("upgrades asked for", &deeds.upgrades.0)?;
        row("upgrades done", &deeds.upgrades.1)?;
        row("deaths of anchor and keeper together", &times.deaths_together())?;
        row("lines written", &self.written)?;
        row("lines written a second", &(self.written / self.seconds.max(1)))?;
        row("lines in the logs", &lines.seen)?;
        row("lines without a mark of their run", &lines.unmarked)?;
        row("runs", &exits.runs)?;
        row("starts that a kill cut off", &self.cut_off)?;
        row("exits", &exits.ends)?;
        row("exits while keeper or daemon was dead", &exits.in_windows)?;
        row("… in percent of all; at least 20", &self.share())?;
        row("… while the keeper was", &exits.without_keeper)?;
        row("exits while the anchor alone was dead", &exits.without_anchor)?;
        row("exits near a death of anchor and keeper", &exits.together)?;
        row("… of these unknown (apart)", &exits.unknown_apart)?;
        row("lines lost near such a death (apart)", &lines.lost_apart)?;
        for (name, tally) in self.zeroes() {
            row(name, &tally.count)?;
        }
        for (name, tally) in self.zeroes() {
            for place in &tally.first {
                writeln!(f, "{name}: {place}")?;
            }
        }
        Ok(())
    }
}

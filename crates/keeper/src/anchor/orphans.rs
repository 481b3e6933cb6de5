//! Processes that ended as children of the anchor, until a keeper has recorded them.

use std::collections::VecDeque;

use mainstay_wire::{FromAnchor, KeptOrphan, WireExit};

use crate::report::say;

/// Orphans kept at most. Each is some 24 bytes; there can only be so many while no keeper lives.
pub const ORPHAN_LIMIT: usize = 4096;

/// How one ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Orphan {
    pid: u32,
    start_time: u64,
    exit: WireExit,
}

impl Orphan {
    /// As a keeper is told.
    pub fn message(self) -> FromAnchor {
        FromAnchor::Orphan { pid: self.pid, start_time: self.start_time, exit: self.exit }
    }
}

impl Orphan {
    /// As it is handed on.
    pub fn kept(self) -> KeptOrphan {
        KeptOrphan { pid: self.pid, start_time: self.start_time, exit: self.exit }
    }
}

/// Those that nobody acknowledged.
#[derive(Debug, Default)]
pub struct Orphans {
    kept: VecDeque<Orphan>,
    dropped: u64,
}

impl Orphans {
    /// Keeps this one.
    pub fn note(&mut self, pid: u32, start_time: u64, exit: WireExit) -> Orphan {
        let orphan = Orphan { pid, start_time, exit };
        if self.kept.len() >= ORPHAN_LIMIT {
            self.kept.pop_front();
            self.dropped += 1;
            say(format_args!("{} exit statuses were dropped: nobody took them", self.dropped));
        }
        self.kept.push_back(orphan);
        orphan
    }

    /// A keeper has recorded it.
    pub fn forget(&mut self, pid: u32, start_time: u64) {
        self.kept.retain(|orphan| orphan.pid != pid || orphan.start_time != start_time);
    }

    /// All of them, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = Orphan> {
        self.kept.iter().copied()
    }
}

impl FromIterator<KeptOrphan> for Orphans {
    fn from_iter<I: IntoIterator<Item = KeptOrphan>>(kept: I) -> Self {
        let orphan =
            |kept: KeptOrphan| Orphan { pid: kept.pid, start_time: kept.start_time, exit: kept.exit };
        Self { kept: kept.into_iter().map(orphan).collect(), dropped: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_dropped_and_the_acknowledged_are_forgotten() {
        let mut orphans = Orphans::default();
        for pid in 0..=u32::try_from(ORPHAN_LIMIT).unwrap() {
            orphans.note(pid, 7, WireExit::Code(0));
        }
        assert_eq!((orphans.kept.len(), orphans.dropped), (ORPHAN_LIMIT, 1));
        assert_eq!(orphans.iter().next().map(|orphan| orphan.pid), Some(1));
        orphans.forget(1, 8);
        assert_eq!(orphans.kept.len(), ORPHAN_LIMIT);
        orphans.forget(1, 7);
        assert_eq!(orphans.kept.len(), ORPHAN_LIMIT - 1);
    }
}

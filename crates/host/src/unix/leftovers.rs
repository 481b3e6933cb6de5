//! What a run left behind, found by one look at all processes: members of its session, their descendants, and orphans
//! whose environment carries the run's marks. What is done about them is decided elsewhere; nothing else is ever named.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Read,
    os::unix::ffi::OsStrExt,
};

use super::process::{ProcessRow, read_row};

/// The longest environment that is read, in bytes.
const ENVIRONMENT_LIMIT: u64 = 4 * 1024 * 1024;

/// A run, as what it left behind can be told from everything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunTrace {
    /// The first process of the run; its session has the same number.
    pub leader: u32,
    /// When that started.
    pub leader_start: u64,
    /// Variables (`NAME=value`) that nobody else's environment has, all of them.
    pub marks: Vec<String>,
}

/// Whether the leader itself counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leader {
    /// It does, while it lives.
    Included,
    /// It ended.
    Excluded,
}

/// Whether `parent`, a process with one thread, has no child but `known` (`/proc/PID/task/TID/children`, see `proc(5)`).
///
/// What a run leaves behind falls to the nearest subreaper before the run's first process is a zombie. So when the subreaper
/// has no child but those that it ought to have, nothing was left behind, and nobody needs to look at every process of the
/// machine. The kernel may leave out one child when another ends during the reading: it is read twice. `false` also where
/// the kernel does not tell.
pub fn has_no_child_but(parent: u32, known: u32) -> bool {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let is_alone = || fs::read_to_string(&path).is_ok_and(|text| text.trim().parse() == Ok(known));
    is_alone() && is_alone()
}

/// All processes at one time.
#[derive(Debug)]
pub struct ProcessTable {
    rows: Vec<ProcessRow>,
    /// Who takes in orphans here: the anchor, the keeper, or whoever was an adopted run's parent.
    fosters: BTreeSet<u32>,
}

impl ProcessTable {
    /// Looks at all processes; `fosters` are those that orphans of ours have as parents.
    pub fn read(fosters: &[u32]) -> Self {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let rows = entries
            .filter(|entry| entry.file_name().as_bytes().first().is_some_and(u8::is_ascii_digit))
            .filter_map(|entry| read_row(&entry.path().join("stat")))
            .collect();
        Self { rows, fosters: fosters.iter().copied().collect() }
    }

    /// What this run left behind and still lives.
    pub fn leftovers(&self, run: &RunTrace, leader: Leader) -> Vec<ProcessRow> {
        let mut found: BTreeSet<u32> = self
            .living()
            .filter(|row| row.pid != run.leader)
            .filter(|row| self.is_member(row, run) || self.is_marked_orphan(row, run))
            .map(|row| row.pid)
            .collect();
        if leader == Leader::Included && self.leader_row(run).is_some() {
            found.insert(run.leader);
        }
        self.add_descendants(&mut found);
        if leader == Leader::Excluded {
            found.remove(&run.leader);
        }
        self.rows.iter().filter(|row| found.contains(&row.pid)).copied().collect()
    }

    /// Zombies need no killing; their parent will take their status.
    fn living(&self) -> impl Iterator<Item = &ProcessRow> {
        let own = std::process::id();
        self.rows
            .iter()
            .filter(move |row| !row.is_zombie() && row.pid != own && !self.fosters.contains(&row.pid))
    }

    fn leader_row(&self, run: &RunTrace) -> Option<&ProcessRow> {
        self.rows.iter().find(|row| row.pid == run.leader && row.start_time == run.leader_start)
    }

    /// A session keeps its leader's number from being given out again for as long as it has a member. Only when all of
    /// them had ended could a stranger have got it: then either that stranger is there, with another start time, or the
    /// member does not descend from us.
    fn is_member(&self, row: &ProcessRow, run: &RunTrace) -> bool {
        if row.session != run.leader || run.leader == 0 {
            return false;
        }
        if self.leader_row(run).is_some() {
            return true;
        }
        let is_stranger = self.rows.iter().any(|row| row.pid == run.leader);
        !is_stranger && self.descends_from_fosters(row)
    }

    fn descends_from_fosters(&self, row: &ProcessRow) -> bool {
        let mut current = *row;
        // No chain is longer than there are processes; a table read while processes end may hold a circle.
        for _ in 0..self.rows.len() {
            if self.fosters.contains(&current.parent) {
                return true;
            }
            match self.rows.iter().find(|row| row.pid == current.parent) {
                Some(parent) => current = *parent,
                None => return false,
            }
        }
        false
    }

    fn is_marked_orphan(&self, row: &ProcessRow, run: &RunTrace) -> bool {
        !run.marks.is_empty() && self.fosters.contains(&row.parent) && has_marks(row.pid, &run.marks)
    }

    fn add_descendants(&self, found: &mut BTreeSet<u32>) {
        loop {
            let before = found.len();
            let children: Vec<u32> =
                self.living().filter(|row| found.contains(&row.parent)).map(|row| row.pid).collect();
            found.extend(children);
            if found.len() == before {
                return;
            }
        }
    }
}

fn has_marks(pid: u32, marks: &[String]) -> bool {
    let mut bytes = Vec::new();
    let read = File::open(format!("/proc/{pid}/environ"))
        .and_then(|file| file.take(ENVIRONMENT_LIMIT).read_to_end(&mut bytes));
    let variables: BTreeSet<&[u8]> = bytes.split(|byte| *byte == 0).collect();
    read.is_ok() && marks.iter().all(|mark| variables.contains(mark.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unix::process::parse_stat;

    fn row(pid: u32, parent: u32, session: u32, start: u64, state: char) -> ProcessRow {
        let line =
            format!("{pid} (x) {state} {parent} {pid} {session} 0 0 0 0 0 0 0 1 1 0 0 0 0 0 0 {start} 0 0 0");
        parse_stat(line.as_bytes()).unwrap()
    }

    fn found(rows: Vec<ProcessRow>, leader: Leader) -> Vec<u32> {
        let table = ProcessTable { rows, fosters: BTreeSet::from([2, 3]) };
        let run = RunTrace { leader: 50, leader_start: 500, marks: vec!["MAINSTAY_RUN_ID=none".to_owned()] };
        table.leftovers(&run, leader).iter().map(|row| row.pid).collect()
    }

    #[test]
    fn members_and_their_descendants_are_found_and_neighbours_are_not() {
        let rows = vec![
            row(1, 0, 1, 1, 'S'),
            row(2, 1, 2, 2, 'S'),
            row(3, 2, 2, 3, 'S'),
            row(50, 3, 50, 500, 'Z'),
            row(51, 2, 50, 501, 'S'),
            row(52, 51, 52, 502, 'S'),
            row(53, 52, 52, 503, 'Z'),
            row(60, 3, 60, 600, 'S'),
            row(61, 60, 60, 601, 'S'),
        ];
        assert_eq!(found(rows.clone(), Leader::Excluded), [51, 52]);
        let mut alive = rows;
        alive[3] = row(50, 3, 50, 500, 'S');
        alive.push(row(54, 50, 54, 504, 'S'));
        assert_eq!(found(alive, Leader::Included), [50, 51, 52, 54]);
    }

    #[test]
    fn a_session_whose_number_was_given_out_again_is_left_alone() {
        let stranger = vec![row(3, 2, 2, 3, 'S'), row(50, 1, 50, 900, 'S'), row(51, 50, 50, 901, 'S')];
        assert_eq!(found(stranger, Leader::Excluded), []);
        let leaderless = vec![row(1, 0, 1, 1, 'S'), row(51, 1, 50, 901, 'S'), row(55, 3, 50, 501, 'S')];
        assert_eq!(found(leaderless, Leader::Excluded), [55]);
    }
}

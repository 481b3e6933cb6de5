//! What a run left behind, found by one look at all processes: members of its session, their descendants, and orphans
//! whose environment carries the run's marks. What is done about them is decided elsewhere; nothing else is ever named.

use std::{
    cell::Cell,
    collections::BTreeSet,
    fs::{self, File},
    io::Read,
    os::unix::ffi::OsStrExt,
};

use super::process::{ProcessRow, read_row, read_stat};

/// The longest environment that is read, in bytes.
const ENVIRONMENT_LIMIT: u64 = 4 * 1024 * 1024;

/// Parents of parents that are looked at; a chain longer than this belongs to nobody.
const ANCESTOR_LIMIT: usize = 1024;

/// A run, as what it left behind can be told from everything else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunTrace {
    /// The first process of the run; its session has the same number.
    pub leader: u32,
    /// When that started.
    pub leader_start: u64,
    /// Another process of the run that is known to be one, and when it started; its session belongs to the run as well.
    pub main: Option<(u32, u64)>,
    /// Variables (`NAME=value`) that nobody else's environment has, all of them.
    pub marks: Vec<String>,
    /// How variables begin (`NAME=`) that are in the environment of others only.
    pub foreign: Vec<String>,
    /// Processes that belong to another run, whatever else is true of them.
    pub others: BTreeSet<u32>,
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

/// The children of a process, those of all its threads. The kernel may leave out one while others end, or tell of none.
pub fn children_of(pid: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let texts = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    texts.flat_map(|text| text.split_whitespace().flat_map(str::parse).collect::<Vec<u32>>()).collect()
}

/// All processes at one time.
#[derive(Debug)]
pub struct ProcessTable {
    rows: Vec<ProcessRow>,
    /// Who takes in orphans here: the anchor, the keeper, or whoever was an adopted run's parent.
    fosters: BTreeSet<u32>,
    /// Something could not be looked at.
    missed: Cell<bool>,
}

impl ProcessTable {
    /// Looks at all processes; `fosters` are those that orphans of ours have as parents.
    pub fn read(fosters: &[u32]) -> Self {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let mut missed = false;
        let rows = entries
            .filter(|entry| entry.file_name().as_bytes().first().is_some_and(u8::is_ascii_digit))
            .filter_map(|entry| {
                let row = read_row(&entry.path().join("stat"));
                missed |= row.is_none();
                row
            })
            .collect();
        Self { rows, fosters: fosters.iter().copied().collect(), missed: Cell::new(missed) }
    }

    /// Looks at these, and at the children of those to whom orphans fall: with the descendants of these, that is all that a run
    /// can have, and a small part of what there is. See [`children_of`].
    pub fn read_children(known: &[u32], fosters: &[u32]) -> Self {
        let missed = Cell::new(false);
        let children = fosters.iter().flat_map(|foster| children_of(*foster));
        let pids: BTreeSet<u32> = known.iter().copied().chain(children).collect();
        let rows = pids.iter().filter_map(|pid| {
            let row = read_stat(*pid);
            if row.is_none() && !known.contains(pid) {
                missed.set(true);
            }
            row
        });
        Self { rows: rows.collect(), fosters: fosters.iter().copied().collect(), missed }
    }

    /// Looks at one process and at those that it descends from, and at these others: enough to learn whether that one belongs
    /// to a run, at no more cost than it has ancestors.
    pub fn read_ancestors(pid: u32, others: &[u32], fosters: &[u32]) -> Self {
        let mut rows: Vec<ProcessRow> = others.iter().filter_map(|pid| read_stat(*pid)).collect();
        let mut next = pid;
        for _ in 0..ANCESTOR_LIMIT {
            let Some(row) = read_stat(next) else { break };
            if !rows.iter().any(|other| other.pid == row.pid) {
                rows.push(row);
            }
            if row.parent == 0 || fosters.contains(&row.parent) {
                break;
            }
            next = row.parent;
        }
        Self { rows, fosters: fosters.iter().copied().collect(), missed: Cell::new(false) }
    }

    /// Whether something that may belong to a run that was asked for could not be looked at: it ended between being listed and
    /// being looked at, or it became another program at that moment.
    pub fn has_missed(&self) -> bool {
        self.missed.get()
    }

    /// All that are in it.
    pub fn rows(&self) -> &[ProcessRow] {
        &self.rows
    }

    /// The process of this number, when it is there.
    pub fn row(&self, pid: u32) -> Option<&ProcessRow> {
        self.rows.iter().find(|row| row.pid == pid)
    }

    /// What this run left behind and still lives.
    pub fn leftovers(&self, run: &RunTrace, leader: Leader) -> Vec<ProcessRow> {
        let mut found: BTreeSet<u32> = self
            .living()
            .filter(|row| row.pid != run.leader && !run.others.contains(&row.pid))
            .filter(|row| self.is_member(row, run) || self.is_marked_orphan(row, run))
            .map(|row| row.pid)
            .collect();
        if leader == Leader::Included && self.leader_row(run).is_some() {
            found.insert(run.leader);
        }
        found.extend(self.main_row(run).filter(|row| !row.is_zombie()).map(|row| row.pid));
        self.add_descendants(&mut found, &run.others);
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
        self.row(run.leader).filter(|row| row.start_time == run.leader_start)
    }

    fn main_row(&self, run: &RunTrace) -> Option<&ProcessRow> {
        let (pid, start_time) = run.main?;
        self.row(pid).filter(|row| row.start_time == start_time)
    }

    /// A session keeps its leader's number from being given out again for as long as it has a member. Only when all of
    /// them had ended could a stranger have got it: then either that stranger is there, with another start time, or the
    /// member does not descend from us.
    fn is_member(&self, row: &ProcessRow, run: &RunTrace) -> bool {
        // While a process is there, be it as a zombie, its session is what it was.
        if self.main_row(run).is_some_and(|main| main.session == row.session) {
            return true;
        }
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
        if run.marks.is_empty() || !self.fosters.contains(&row.parent) {
            return false;
        }
        let has_marks = has_marks(row.pid, run);
        if has_marks.is_none() {
            self.missed.set(true);
        }
        has_marks == Some(true)
    }

    fn add_descendants(&self, found: &mut BTreeSet<u32>, others: &BTreeSet<u32>) {
        loop {
            let before = found.len();
            let children =
                self.living().filter(|row| found.contains(&row.parent) && !others.contains(&row.pid));
            let children: Vec<u32> = children.map(|row| row.pid).collect();
            found.extend(children);
            if found.len() == before {
                return;
            }
        }
    }
}

/// `None`: it has no environment, as one in the middle of its `execve`.
fn has_marks(pid: u32, run: &RunTrace) -> Option<bool> {
    let mut bytes = Vec::new();
    let read = File::open(format!("/proc/{pid}/environ"))
        .and_then(|file| file.take(ENVIRONMENT_LIMIT).read_to_end(&mut bytes));
    read.ok().filter(|count| *count > 0)?;
    let variables: BTreeSet<&[u8]> = bytes.split(|byte| *byte == 0).collect();
    let is_foreign = |variable: &&[u8]| run.foreign.iter().any(|name| variable.starts_with(name.as_bytes()));
    let has_all = run.marks.iter().all(|mark| variables.contains(mark.as_bytes()));
    Some(has_all && !variables.iter().any(is_foreign))
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
        let table = ProcessTable { rows, fosters: BTreeSet::from([2, 3]), missed: Cell::new(false) };
        let marks = vec!["MAINSTAY_RUN_ID=none".to_owned()];
        let run = RunTrace { leader: 50, leader_start: 500, marks, ..RunTrace::default() };
        table.leftovers(&run, leader).iter().map(|row| row.pid).collect()
    }

    #[test]
    fn a_main_process_belongs_to_the_run_with_its_session() {
        let rows = vec![
            row(3, 2, 2, 3, 'S'),
            row(60, 2, 59, 600, 'S'),
            row(61, 2, 59, 601, 'S'),
            row(62, 60, 62, 602, 'S'),
            row(70, 2, 70, 700, 'S'),
        ];
        let table = ProcessTable { rows, fosters: BTreeSet::from([2, 3]), missed: Cell::new(false) };
        let found = |start| -> Vec<u32> {
            let run =
                RunTrace { leader: 50, leader_start: 500, main: Some((60, start)), ..RunTrace::default() };
            table.leftovers(&run, Leader::Excluded).iter().map(|row| row.pid).collect()
        };
        assert_eq!(found(600), [60, 61, 62]);
        assert_eq!(found(599), [] as [u32; 0]);
    }

    #[test]
    fn what_belongs_to_another_run_is_left_alone_with_its_descendants() {
        let rows = vec![
            row(3, 2, 2, 3, 'S'),
            row(50, 3, 50, 500, 'S'),
            row(51, 50, 50, 501, 'S'),
            row(52, 50, 52, 502, 'S'),
            row(53, 52, 53, 503, 'S'),
        ];
        let table = ProcessTable { rows, fosters: BTreeSet::from([2, 3]), missed: Cell::new(false) };
        let others = BTreeSet::from([52]);
        let run = RunTrace { leader: 50, leader_start: 500, others, ..RunTrace::default() };
        let found: Vec<u32> = table.leftovers(&run, Leader::Included).iter().map(|row| row.pid).collect();
        assert_eq!(found, [50, 51]);
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

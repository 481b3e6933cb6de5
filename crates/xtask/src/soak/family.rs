//! Which processes are anchor, keeper and daemon of the project, among the descendants of this process. Kills nobody.
//!
//! This process takes in orphans (`adopt_orphans`), so that whatever it started, and whatever that started, is found below it
//! as long as it lives: nothing else can be hit, and nothing stays behind.

use std::{
    collections::{HashMap, HashSet},
    fs,
};

use mainstay_host::{Process, children_of, read_stat};

/// One of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Role {
    Anchor,
    Keeper,
    Daemon,
}

impl Role {
    pub(super) const ALL: [Self; 3] = [Self::Anchor, Self::Keeper, Self::Daemon];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Anchor => "anchor",
            Self::Keeper => "keeper",
            Self::Daemon => "daemon",
        }
    }

    /// As whom this command line runs the program.
    fn of(line: &[u8]) -> Option<Self> {
        let mut words = line.split(|byte| *byte == 0).skip(1);
        match (words.next()?, words.next()?) {
            (b"daemon", b"anchor") => Some(Self::Anchor),
            (b"daemon", b"keeper") => Some(Self::Keeper),
            (b"daemon", b"run") => Some(Self::Daemon),
            _ => None,
        }
    }

    /// Whether a process of this kind can be the child of one of that.
    fn can_come_from(self, parent: Option<Self>) -> bool {
        match (self, parent) {
            // A clone of its parent that has not come to its `execve` looks like it.
            (role, Some(parent)) if role == parent => false,
            (Self::Daemon, Some(parent)) => parent == Self::Keeper,
            (Self::Keeper, Some(parent)) => parent == Self::Anchor,
            (Self::Anchor, Some(_)) => false,
            (_, None) => true,
        }
    }
}

/// A process that is the same as long as both are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    pub(super) pid: u32,
    pub(super) start: u64,
}

impl Identity {
    /// The process, while it lives.
    pub(super) fn open(self) -> Option<Process> {
        Process::open(self.pid, self.start)
    }
}

/// Looks, and remembers what need not be looked at again.
#[derive(Debug, Default)]
pub(super) struct Family {
    writers: HashSet<Identity>,
}

/// Those that live.
pub(super) type Three = HashMap<Role, Identity>;

impl Family {
    /// Those that live now.
    pub(super) fn look(&mut self) -> Three {
        let (mut three, mut writers) = (Three::new(), HashSet::new());
        let mut left: Vec<(u32, Option<Role>)> = vec![(std::process::id(), None)];
        while let Some((parent, role)) = left.pop() {
            for pid in children_of(parent) {
                let Some(row) = read_stat(pid).filter(|row| !row.is_zombie()) else { continue };
                let identity = Identity { pid, start: row.start_time };
                if self.writers.contains(&identity) {
                    writers.insert(identity);
                    continue;
                }
                let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                if is_writer(&line) {
                    writers.insert(identity);
                    continue;
                }
                let child = Role::of(&line).filter(|it| it.can_come_from(role));
                if let Some(child) = child {
                    three.insert(child, identity);
                }
                if child.is_some() || role.is_none() {
                    left.push((pid, child));
                }
            }
        }
        self.writers = writers;
        three
    }
}

/// Whether this is the command line of a service: below it there is none of the three. Any other process may become one yet.
fn is_writer(line: &[u8]) -> bool {
    line.split(|byte| *byte == 0).nth(1) == Some(b"soak-writer")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_seen_by_its_words_and_its_parent() {
        let keeper = Role::of(b"/opt/mainstay\0daemon\0keeper\0--run-dir\0/r\0");
        assert_eq!(keeper, Some(Role::Keeper));
        assert_eq!(Role::of(b"/opt/mainstay\0up\0-d\0"), None);
        assert!(Role::Keeper.can_come_from(Some(Role::Anchor)));
        assert!(Role::Keeper.can_come_from(None));
        assert!(!Role::Keeper.can_come_from(Some(Role::Keeper)));
        assert!(!Role::Keeper.can_come_from(Some(Role::Daemon)));
    }
}

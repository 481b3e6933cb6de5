//! The modelled kernel: processes whose ends are held until reaped, whom orphans fall to, pipes with bytes in them, and sockets
//! with unread words. It knows nothing of what any of it is for.

use std::collections::VecDeque;

use mainstay_wire::WireExit;

use crate::machine::{SLOTS, SlotNo};

/// The process that orphans fall to when no subreaper is left; it reaps at once.
pub(crate) const INIT: u32 = 1;

/// Process ids are given again this soon: whoever knows a process by its id alone mistakes it.
const PIDS: u32 = 24;

/// The first of them.
const FIRST_PID: u32 = 100;

/// What a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Anchor,
    Keeper,
    /// A run of a slot; that of the first slot is a daemon.
    Run(SlotNo, u64),
}

/// How far a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Between `clone` and `execve`: it still has the lock of its slot. Whether it wrote who it is.
    Cloned {
        wrote: bool,
    },
    Running,
    /// It ended, and its parent has not taken the status.
    Zombie(WireExit),
}

/// A process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) start: u64,
    pub(crate) parent: u32,
    pub(crate) role: Role,
    pub(crate) state: State,
    /// Its `execve` will fail.
    pub(crate) fails: bool,
}

impl Process {
    /// Whether it has ended.
    pub(crate) fn is_zombie(&self) -> bool {
        matches!(self.state, State::Zombie(_))
    }
}

/// The pipe of a slot: which bytes of its stream are in it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pipe {
    pub(crate) from: u64,
    pub(crate) to: u64,
}

impl Pipe {
    /// Bytes in it.
    pub(crate) fn length(self) -> u64 {
        self.to - self.from
    }
}

/// A machine between two boots.
#[derive(Debug)]
pub(crate) struct Kernel {
    pub(crate) processes: Vec<Process>,
    pub(crate) pipes: [Pipe; SLOTS],
    /// The notify socket of each slot: numbers of words.
    pub(crate) mail: [VecDeque<Word>; SLOTS],
    /// Whether a reaped process still tells how it ended to whoever had it open (`PIDFD_INFO_EXIT`, 6.15).
    pub(crate) keeps_exits: bool,
    next_pid: u32,
    clock_ticks: u64,
}

/// A datagram on a notify socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Ready,
    Status(u8),
}

impl Kernel {
    pub(crate) fn new(keeps_exits: bool) -> Self {
        Self {
            processes: Vec::with_capacity(16),
            pipes: [Pipe::default(); SLOTS],
            mail: Default::default(),
            keeps_exits,
            next_pid: 0,
            clock_ticks: 1,
        }
    }

    /// A new process; the id of one that is gone is given again.
    pub(crate) fn make(&mut self, parent: u32, role: Role, state: State) -> u32 {
        loop {
            self.next_pid = (self.next_pid + 1) % PIDS;
            let pid = FIRST_PID + self.next_pid;
            if self.find(pid).is_none() {
                self.clock_ticks += 1;
                let start = self.clock_ticks;
                self.processes.push(Process { pid, start, parent, role, state, fails: false });
                return pid;
            }
        }
    }

    /// The process of this id.
    pub(crate) fn find(&self, pid: u32) -> Option<&Process> {
        self.processes.iter().find(|process| process.pid == pid)
    }

    pub(crate) fn find_mut(&mut self, pid: u32) -> Option<&mut Process> {
        self.processes.iter_mut().find(|process| process.pid == pid)
    }

    /// The process of this identity.
    pub(crate) fn same(&self, pid: u32, start: u64) -> Option<&Process> {
        self.find(pid).filter(|process| process.start == start)
    }

    /// A process of a slot that has not ended.
    pub(crate) fn live_of(&self, slot: SlotNo) -> impl Iterator<Item = &Process> {
        self.processes.iter().filter(move |process| {
            matches!(process.role, Role::Run(of, _) if of == slot) && !process.is_zombie()
        })
    }

    /// A process ends: it is a zombie, or gone when nobody is to take its status. Its children fall to `heir`.
    pub(crate) fn exit(&mut self, pid: u32, exit: WireExit, heir: u32) {
        for process in &mut self.processes {
            if process.parent == pid {
                process.parent = heir;
            }
            if process.pid == pid {
                process.state = State::Zombie(exit);
            }
        }
        self.processes.retain(|process| process.parent != INIT || !process.is_zombie());
    }

    /// Takes the status of a zombie.
    pub(crate) fn reap(&mut self, pid: u32) {
        self.processes.retain(|process| process.pid != pid || !process.is_zombie());
    }

    /// A child of this parent that ended.
    pub(crate) fn dead_child(&self, parent: u32) -> Option<Process> {
        self.processes.iter().find(|process| process.parent == parent && process.is_zombie()).copied()
    }
}

//! The columns of the table: which there are, which have room, and what stands in them.
//!
//! Name and phase are always there. The reason takes what the others leave; where that would be too little to say
//! anything, other columns go first, the least telling one first.

use jiff::Timestamp;

use crate::{roster::Service, sort::SortKey, text};

/// Columns between two columns.
const GAP: usize = 2;

/// What stands before the name: whether the service is marked.
pub(crate) const MARK: usize = 2;

/// A reason shorter than this says nothing.
const REASON_LEAST: usize = 20;

/// A reason that has this much is never in need of another column.
const REASON_AMPLE: usize = 36;

/// A name is never shorter than this, and never longer than [`NAME_SHARE`] of the screen.
const NAME_LEAST: usize = 8;

/// The name's largest part of the screen.
const NAME_SHARE: usize = 3;

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    Name,
    Phase,
    Status,
    Pid,
    Since,
    Restarts,
    Cpu,
    Memory,
    Reason,
}

/// In the order in which they are shown.
const ALL: [Column; 9] = [
    Column::Name,
    Column::Phase,
    Column::Status,
    Column::Pid,
    Column::Since,
    Column::Restarts,
    Column::Cpu,
    Column::Memory,
    Column::Reason,
];

/// In the order in which they go, and how much the reason must have for them to stay.
const DISPENSABLE: [(Column, usize); 6] = [
    (Column::Pid, REASON_AMPLE),
    (Column::Status, REASON_AMPLE),
    (Column::Restarts, REASON_LEAST),
    (Column::Since, REASON_LEAST),
    (Column::Memory, REASON_LEAST),
    (Column::Cpu, REASON_LEAST),
];

/// A column on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) column: Column,
    /// Its first column from the left of the table.
    pub(crate) x: usize,
    pub(crate) width: usize,
}

impl Column {
    pub(crate) fn heading(self) -> &'static str {
        match self {
            Self::Name => "NAME",
            Self::Phase => "PHASE",
            Self::Status => "STATUS",
            Self::Pid => "PID",
            Self::Since => "SINCE",
            Self::Restarts => "RST",
            Self::Cpu => "CPU%",
            Self::Memory => "MEM",
            Self::Reason => "REASON",
        }
    }

    /// What a click on its heading sorts by.
    pub(crate) fn sort_key(self) -> SortKey {
        match self {
            Self::Name => SortKey::Name,
            Self::Phase | Self::Status => SortKey::Phase,
            Self::Since => SortKey::Since,
            Self::Restarts => SortKey::Restarts,
            Self::Cpu => SortKey::Cpu,
            Self::Memory => SortKey::Memory,
            Self::Pid | Self::Reason => SortKey::Order,
        }
    }

    /// Whether its cells end where it ends.
    pub(crate) fn is_number(self) -> bool {
        matches!(self, Self::Pid | Self::Since | Self::Restarts | Self::Cpu | Self::Memory)
    }

    fn width(self, name: usize) -> usize {
        match self {
            Self::Name => name,
            Self::Phase => 9,
            Self::Status => 8,
            Self::Pid => 7,
            Self::Since => 6,
            Self::Restarts => 4,
            Self::Cpu | Self::Memory => 5,
            Self::Reason => 0,
        }
    }

    /// What stands in it, the name aside.
    pub(crate) fn cell(self, service: &Service, now: Timestamp) -> String {
        let view = &service.view;
        let dash = || "-".to_owned();
        match self {
            Self::Name => service.id.clone(),
            Self::Phase => view.phase.clone(),
            Self::Status => view.status.clone(),
            Self::Pid => view.pid.map_or_else(dash, |pid| pid.to_string()),
            Self::Since => service.age(now).map_or_else(dash, text::span),
            Self::Restarts if view.restarts > 9999 => "many".to_owned(),
            Self::Restarts => view.restarts.to_string(),
            Self::Cpu => view.cpu_percent.map_or_else(dash, text::percent),
            Self::Memory => view.memory_bytes.map_or_else(dash, text::bytes),
            Self::Reason => view.reason.text.clone(),
        }
    }
}

/// The columns that have room in a table of this width, for names of this width.
pub(crate) fn place(width: usize, longest_name: usize) -> Vec<Placed> {
    let name = longest_name.clamp(NAME_LEAST, (width / NAME_SHARE).max(NAME_LEAST));
    let mut shown = ALL.to_vec();
    let taken = |shown: &[Column]| -> usize {
        let others = shown.iter().filter(|column| **column != Column::Reason);
        MARK + others.map(|column| column.width(name) + GAP).sum::<usize>()
    };
    for (column, least) in DISPENSABLE {
        if width >= taken(&shown) + least {
            break;
        }
        shown.retain(|other| *other != column);
    }
    let reason = width.saturating_sub(taken(&shown));
    let mut x = MARK;
    let mut placed = Vec::new();
    for column in shown {
        let width = if column == Column::Reason { reason } else { column.width(name) };
        placed.push(Placed { column, x, width });
        x += width + GAP;
    }
    placed
}

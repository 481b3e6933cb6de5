//! What a slot's file says of its latest run, as far as it can be told from the bytes alone. It looks at nothing else.

use mainstay_wire::{ChildPart, RecordPhase, SlotRecord};

/// What a record means to a keeper that did not write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Its end, or that it could not be made, is recorded.
    Over,
    /// It was made in another boot or pid namespace: nobody can know any more.
    Elsewhere,
    /// The keeper before us came to the intent, and its process was never made, or did not come to say who it is.
    NeverBegan,
    /// Its process could not become the program.
    Failed,
    /// There was a process, and perhaps there still is.
    Made,
}

/// Reads a record. It must be known that nobody has the slot's lock any more: until then its process may still write.
pub fn finding(record: &SlotRecord, child: &ChildPart, boot_id: &str, pid_namespace: u64) -> Finding {
    if !matches!(record.phase, RecordPhase::Made { .. }) {
        Finding::Over
    } else if record.boot_id != boot_id || record.pid_namespace != pid_namespace {
        Finding::Elsewhere
    } else if child.run != record.run {
        Finding::NeverBegan
    } else if child.failed_step != 0 {
        Finding::Failed
    } else {
        Finding::Made
    }
}

//! Whether this program can go on with what anchor and keeper have, asked before it takes their place. It changes nothing.

use std::fs;

use mainstay_host::{kept_descriptor, read_file, read_whole};
use mainstay_wire::{AnchorState, SlotRecord};

use crate::{Options, pump::check_buffer};

/// Looks at every slot, and at what an anchor would hand over behind this descriptor; gives what slots have to remember.
///
/// # Errors
/// What it does not understand, in one sentence.
pub fn check_state(options: &Options, anchor_state: Option<i32>) -> Result<Vec<String>, String> {
    if let Some(descriptor) = anchor_state {
        let bytes = kept_descriptor(descriptor).and_then(read_whole);
        AnchorState::decode(&bytes.map_err(|error| format!("cannot read the anchor's state: {error}"))?)?;
    }
    let memory_dir = options.memory_dir();
    check_buffer(&memory_dir).map_err(|why| format!("cannot use `{}`: {why}", memory_dir.display()))?;
    let dir = options.slots_dir();
    let failed = |error: std::io::Error| format!("cannot read `{}`: {error}", dir.display());
    let mut memos = Vec::new();
    for entry in fs::read_dir(&dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let bytes = match read_file(&path) {
            Ok(bytes) => bytes,
            // Forgotten in this moment.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(format!("cannot read `{}`: {error}", path.display())),
        };
        SlotRecord::check(&bytes).map_err(|why| format!("cannot use `{}`: {why}", path.display()))?;
        memos.extend(SlotRecord::decode(&bytes).map(|(record, _)| record.memo));
    }
    Ok(memos)
}

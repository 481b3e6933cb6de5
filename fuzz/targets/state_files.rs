//! Files that outlive us: slots, memos, what was applied, what an anchor hands over. Any bytes; what is understood reads back
//! as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mainstay_model::Spec;
use mainstay_wire::{AnchorState, Applied, ChildPart, Memo, SlotRecord, WireSpec};

fuzz_target!(|data: &[u8]| {
    slot(data);
    if let Ok(text) = std::str::from_utf8(data) {
        let memo = Memo::from_text(text);
        assert_eq!(Memo::from_text(&memo.to_text()), memo);
    }
    if let Ok(state) = AnchorState::decode(data) {
        let again = serde_json::to_vec(&state).expect("it can be written");
        assert_eq!(AnchorState::decode(&again).expect("it can be read"), state);
    }
    if let Ok(applied) = serde_json::from_slice::<Applied>(data) {
        for spec in applied.specs {
            let Ok(spec) = Spec::try_from(spec) else { continue };
            assert_eq!(Spec::try_from(WireSpec::from(&spec)).expect("it can be read"), spec);
        }
    }
});

fn slot(data: &[u8]) {
    let _ = SlotRecord::check(data);
    let child = ChildPart::from_bytes(data);
    assert_eq!(ChildPart::from_bytes(&child.to_bytes()), child);
    let Some((record, sequence)) = SlotRecord::decode(data) else {
        // The checksum keeps most away from what is behind it.
        if let Ok(record) = serde_json::from_slice::<SlotRecord>(data) {
            written_and_read(&record, 7);
        }
        return;
    };
    written_and_read(&record, sequence);
}

fn written_and_read(record: &SlotRecord, sequence: u64) {
    let Ok(write) = record.encode(sequence) else { return };
    let at = usize::try_from(write.offset).expect("it is small");
    let mut file = vec![0; at + write.bytes.len()];
    file[at..].copy_from_slice(&write.bytes);
    assert_eq!(SlotRecord::decode(&file), Some((record.clone(), sequence)));
}

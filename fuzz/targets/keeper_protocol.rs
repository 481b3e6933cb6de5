//! Frames between keeper and daemon, and packets between anchor and keeper: any bytes, cut anywhere. What is understood
//! reads back as the same.
#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use mainstay_wire::{Frames, FromAnchor, FromKeeper, ToAnchor, ToKeeper, frame};
use serde::{Serialize, de::DeserializeOwned};

fuzz_target!(|data: &[u8]| {
    let Some((how, rest)) = data.split_first() else { return };
    if how & 1 == 0 {
        stream::<ToKeeper>(*how, rest);
    } else {
        stream::<FromKeeper>(*how, rest);
    }
    packet::<ToAnchor>(rest);
    packet::<FromAnchor>(rest);
    // What a frame holds, as well as frames.
    framed::<ToKeeper>(rest);
    framed::<FromKeeper>(rest);
});

fn stream<T: DeserializeOwned>(how: u8, bytes: &[u8]) {
    let mut frames = Frames::default();
    for part in bytes.chunks(usize::from(how >> 1) + 1) {
        frames.push(part);
        while let Ok(Some(_)) = frames.next_message::<T>() {}
    }
}

fn packet<T: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) {
    let Ok(message) = serde_json::from_slice::<T>(bytes) else { return };
    let again = serde_json::to_vec(&message).expect("it can be written");
    assert_eq!(serde_json::from_slice::<T>(&again).expect("it can be read"), message);
}

fn framed<T: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) {
    let Ok(message) = serde_json::from_slice::<T>(bytes) else { return };
    let mut frames = Frames::default();
    frames.push(&frame(&message).expect("it can be written"));
    assert_eq!(frames.next_message::<T>().expect("it is a frame"), Some(message));
}

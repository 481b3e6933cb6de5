//! Lines on the local socket: any bytes as a request and as a reply. What is understood reads back as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mainstay_wire::{Reply, Request};

fuzz_target!(|data: &[u8]| {
    if let Ok(request) = serde_json::from_slice::<Request>(data) {
        let again = serde_json::to_vec(&request).expect("it can be written");
        assert!(!again.contains(&b'\n'), "a request is one line");
        assert_eq!(serde_json::from_slice::<Request>(&again).expect("it can be read"), request);
    }
    if let Ok(reply) = serde_json::from_slice::<Reply>(data) {
        let again = serde_json::to_vec(&reply).expect("it can be written");
        assert!(!again.contains(&b'\n'), "a reply is one line");
        let _ = reply.into_result();
    }
});

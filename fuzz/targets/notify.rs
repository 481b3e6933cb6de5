//! A datagram on a notify socket: any bytes of any service.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mainstay_wire::{is_barrier, notices};

fuzz_target!(|data: &[u8]| {
    for notice in notices(data) {
        let text = serde_json::to_string(&notice).expect("it can be written");
        assert_eq!(serde_json::from_str::<mainstay_wire::WireNotice>(&text).expect("it can be read"), notice);
    }
    let _ = is_barrier(data);
});

//! A log and its index: any bytes in both. The index is a hint: what is read without asking for times or runs is what is in the
//! log, whatever the index says.
#![no_main]

use std::{cell::RefCell, fs, ops::ControlFlow, time::SystemTime};

use libfuzzer_sys::fuzz_target;
use mainstay_logs::{From, Wanted, read};
use mainstay_wire::LOG_INDEX_OF_CURRENT;
use tempfile::TempDir;

thread_local! {
    static ROOT: RefCell<TempDir> = RefCell::new(TempDir::new_in("/dev/shm").expect("there is room"));
}

fuzz_target!(|data: &[u8]| {
    let Some((split, rest)) = data.split_first() else { return };
    let (log, index) = rest.split_at(usize::from(*split).min(rest.len()));
    ROOT.with_borrow(|root| {
        let dir = root.path().join("api");
        fs::create_dir_all(&dir).expect("there is room");
        fs::write(dir.join("current"), log).expect("there is room");
        fs::write(dir.join(LOG_INDEX_OF_CURRENT), index).expect("there is room");
        let mut lines = Vec::new();
        let services = ["api".to_owned()];
        read(root.path(), &services, From::Start, &mut |line| {
            lines.push(line.text.to_vec());
            ControlFlow::Continue(())
        })
        .expect("it can be read");
        let expected: Vec<&[u8]> = log.split(|byte| *byte == b'\n').collect();
        let expected = expected.strip_suffix(&[b"".as_slice()]).unwrap_or(&expected);
        assert_eq!(lines, expected);
        let wanted = Wanted { since: Some(SystemTime::UNIX_EPOCH), ..Wanted::from(From::Start) };
        let mut count = 0;
        let _ = read(root.path(), &services, wanted, &mut |_| {
            count += 1;
            ControlFlow::Continue(())
        });
        assert!(count <= expected.len());
    });
});

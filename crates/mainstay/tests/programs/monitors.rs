//! Who is told how a service is: the log, and the daemon that runs it.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::net::UnixListener,
};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::run::program;

/// Each with its name.
pub(crate) const TESTS: &[(&str, fn())] = &[
    ("a_part_that_is_unwell_is_logged_once_and_again_when_it_is_well", logged),
    ("the_daemon_is_told_of_each_part", told),
];

fn logged() {
    let mut shop = program(&["-", "shop"]).begin();
    shop.until("WARN error: disk: it has not answered within 50ms");
    shop.until("database: no route to it; disk: it has not answered within 50ms");
    shop.until("WARN error: disk: it has not answered within 50ms");
    shop.signal(Signal::TERM);
    // A question that hangs does not hold up the end.
    shop.ended().is(0, &[]);
}

fn told() {
    let program = program(&["-", "shop"]);
    let path = program.dir.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let shop =
        program.env("MAINSTAY_SOCKET", path.to_str().unwrap()).env("MAINSTAY_RUN_ID", "key.shop.7").begin();
    let mut reports: Vec<Value> = Vec::new();
    loop {
        let (stream, _) = listener.accept().unwrap();
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).unwrap();
        (&stream).write_all(b"{\"ok\":true,\"answer\":\"noted\"}\n").unwrap();
        let report: Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&report["request"], &report["run_id"]), (&json!("monitor"), &json!("key.shop.7")));
        reports.push(report["monitor"].clone());
        if reports.iter().any(|report| report["status"] == "error") {
            break;
        }
    }
    shop.signal(Signal::TERM);
    shop.ended().is(0, &[]);
    let last = reports.last().unwrap();
    assert_eq!((&last["name"], &last["own_status"]), (&json!("shop"), &json!("ok")));
    assert_eq!(last["metrics"], json!({ "orders": 3.0 }));
    let names: Vec<&str> =
        last["children"].as_array().unwrap().iter().filter_map(|child| child["name"].as_str()).collect();
    assert_eq!(names, ["database", "disk"]);
    assert!(
        reports.iter().any(|report| report["status"] == "ok" || report["status"] == "startup"),
        "{reports:?}"
    );
}

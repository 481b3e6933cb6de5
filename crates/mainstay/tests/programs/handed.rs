//! What is handed on to a program by who started it: sockets, and a descriptor that waits for it to be ready.

use std::{io::Read as _, net::TcpListener, os::fd::OwnedFd, process::Stdio};

use super::run::{Ended, through_shell};

/// Each with its name.
pub(crate) const TESTS: &[(&str, fn())] = &[
    ("sockets_that_were_opened_for_a_program_are_its_listeners", listeners),
    ("sockets_of_another_process_are_left_alone", others),
    ("who_waits_at_a_descriptor_is_told_that_it_is_ready", descriptor),
];

/// The program, with what is its standard input at first as descriptor 3.
fn with_third(script: &str, third: OwnedFd, words: &[&str]) -> Ended {
    through_shell(&format!("exec 3<&0 </dev/null; {script} exec \"$@\""), Stdio::from(third), words)
}

fn listeners() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let script = "export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=door;";
    let ended = with_third(script, listener.into(), &["-", "nameplate"]);
    ended.is(0, &[&format!("door at {address}"), "handed on further: no"]);
}

fn others() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ended = with_third("export LISTEN_PID=1 LISTEN_FDS=1;", listener.into(), &["-", "nameplate"]);
    ended.is(0, &["handed on further: yes"]);
    assert!(!ended.err.contains("unknown at"), "{}", ended.err);
}

fn descriptor() {
    let (mut waits, tells) = std::io::pipe().unwrap();
    let ended = with_third("export MAINSTAY_READY_FD=3;", tells.into(), &["-", "brief"]);
    ended.is(0, &[]);
    let mut said = String::new();
    waits.read_to_string(&mut said).unwrap();
    assert_eq!(said, "\n");
}

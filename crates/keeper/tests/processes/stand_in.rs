//! A daemon that thinks nothing: it hands everything between the keeper and the test on, so that the test is the daemon.

use std::{
    io::{Read, Write},
    os::{fd::AsFd, unix::net::UnixStream},
    process::{ExitCode, exit},
    thread,
};

use mainstay_host::inherited_socket;
use mainstay_keeper::Options;
use mainstay_wire::{KEEPER_FD, LISTEN_FD};

pub(crate) fn run(options: &Options) -> ExitCode {
    if options.state_dir.join("hopeless").exists() {
        return ExitCode::from(9);
    }
    let keeper = UnixStream::from(inherited_socket(KEEPER_FD).unwrap());
    let listening = inherited_socket(LISTEN_FD).unwrap();
    assert!(rustix::net::sockopt::socket_acceptconn(listening.as_fd()).unwrap());
    let control = UnixStream::connect(options.state_dir.join("control")).unwrap();
    // Its log shows that its standard error is one.
    let mut stderr = std::io::stderr();
    writeln!(stderr, "the stand-in runs").unwrap();
    let (from, to) = (keeper.try_clone().unwrap(), control.try_clone().unwrap());
    thread::spawn(move || hand_on(from, to));
    hand_on(control, keeper);
    ExitCode::SUCCESS
}

fn hand_on(mut from: UnixStream, mut to: UnixStream) {
    let mut bytes = [0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    exit(0);
}

//! Real sockets and pipes: what is looked at stays, who sent it is known, and descriptors that come along are nobody's.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::{
    fs,
    io::{ErrorKind, IoSlice, Read, Write, pipe},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::{fs::PermissionsExt, net::UnixDatagram},
    },
};

use mainstay_host::{
    Datagram, bind_datagrams, drop_datagram, effective_uid, passable_dir, peek_datagram, peek_pipe,
    private_dir, take_bytes, word_pipe,
};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use tempfile::TempDir;

fn send(socket: &UnixDatagram, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    assert!(ancillary.push(SendAncillaryMessage::ScmRights(descriptors)));
    sendmsg(socket, &[IoSlice::new(bytes)], &mut ancillary, SendFlags::empty()).unwrap();
}

#[test]
fn a_datagram_stays_until_it_is_dropped_and_its_sender_is_known() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("s");
    let socket = bind_datagrams(&path, None).unwrap();
    let mut buffer = [0; 4];
    assert_eq!(peek_datagram(&socket, &mut buffer).unwrap(), None);
    drop_datagram(&socket);
    let sender = UnixDatagram::unbound().unwrap();
    sender.send_to(b"ab", &path).unwrap();
    sender.send_to(b"longer", &path).unwrap();
    sender.send_to(b"", &path).unwrap();
    let user = Some(effective_uid());
    for _ in 0..2 {
        assert_eq!(peek_datagram(&socket, &mut buffer).unwrap(), Some(Datagram { length: 2, user }));
        assert_eq!(&buffer[..2], b"ab");
    }
    drop_datagram(&socket);
    assert_eq!(peek_datagram(&socket, &mut buffer).unwrap(), Some(Datagram { length: 6, user }));
    drop_datagram(&socket);
    assert_eq!(peek_datagram(&socket, &mut buffer).unwrap(), Some(Datagram { length: 0, user }));
    drop_datagram(&socket);
    assert_eq!(peek_datagram(&socket, &mut buffer).unwrap(), None);
}

#[test]
fn descriptors_that_come_along_are_closed_when_the_datagram_is_dropped() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("s");
    let socket = bind_datagrams(&path, None).unwrap();
    let sender = UnixDatagram::unbound().unwrap();
    sender.connect(&path).unwrap();
    let (mut reading, writing) = pipe().unwrap();
    send(&sender, b"BARRIER=1", &[writing.as_fd(), writing.as_fd()]);
    drop(writing);
    rustix::fs::fcntl_setfl(&reading, rustix::fs::OFlags::NONBLOCK).unwrap();
    for _ in 0..3 {
        assert_eq!(peek_datagram(&socket, &mut [0; 16]).unwrap().unwrap().length, 9);
        assert_eq!(reading.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    }
    drop_datagram(&socket);
    assert_eq!(reading.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_socket_replaces_a_socket_and_nothing_else() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("s");
    let first = bind_datagrams(&path, Some(effective_uid())).unwrap();
    let sender = UnixDatagram::unbound().unwrap();
    sender.connect(&path).unwrap();
    sender.send(b"for the first").unwrap();
    let second = bind_datagrams(&path, None).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(peek_datagram(&second, &mut [0; 16]).unwrap(), None);
    assert!(peek_datagram(&first, &mut [0; 16]).unwrap().is_some());
    let file = dir.path().join("file");
    fs::write(&file, "kept").unwrap();
    assert!(bind_datagrams(&file, None).is_err());
    assert_eq!(fs::read(&file).unwrap(), b"kept");
    assert!(bind_datagrams(&dir.path().join("s".repeat(108)), None).is_err());
}

#[test]
fn what_is_in_a_pipe_stays_until_it_is_taken() {
    let (reading, writing) = word_pipe().unwrap();
    let mut buffer = [0; 8];
    assert_eq!(peek_pipe(&reading, &mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(take_bytes(&reading, &mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
    let mut writing = fs::File::from(writing);
    writing.write_all(b"almost there\n").unwrap();
    for _ in 0..2 {
        assert_eq!(peek_pipe(&reading, &mut buffer).unwrap(), 8);
        assert_eq!(&buffer, b"almost t");
    }
    assert_eq!(take_bytes(&reading, &mut buffer).unwrap(), 8);
    assert_eq!(peek_pipe(&reading, &mut buffer).unwrap(), 5);
    assert_eq!(&buffer[..5], b"here\n");
    drop(writing);
    assert_eq!(peek_pipe(&reading, &mut buffer).unwrap(), 5);
    assert_eq!(take_bytes(&reading, &mut buffer).unwrap(), 5);
    assert_eq!(peek_pipe(&reading, &mut buffer).unwrap(), 0);
    assert_eq!(take_bytes(&reading, &mut buffer).unwrap(), 0);
}

#[test]
fn a_folder_that_others_may_pass() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("a/b");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    passable_dir(&path).unwrap();
    assert_eq!((mode(&path), mode(&dir.path().join("a"))), (0o711, 0o700));
    private_dir(&path).unwrap();
    assert_eq!(mode(&path), 0o700);
    std::os::unix::fs::symlink(&path, dir.path().join("link")).unwrap();
    assert!(passable_dir(&dir.path().join("link")).is_err());
}

//! The client against a made-up daemon: a thread that reads lines and writes what a test wants.

#![allow(clippy::unwrap_used, reason = "a test may panic, in the functions around it as well")]

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::{
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
    },
    path::PathBuf,
    thread::JoinHandle,
    time::Duration,
};

use mainstay_client::{Client, ClientError};
use mainstay_wire::{Answer, ErrorCode, LINE_LIMIT, Request};

/// A daemon that handles one connection.
struct Fake {
    _dir: tempfile::TempDir,
    socket: PathBuf,
    thread: JoinHandle<Vec<String>>,
}

fn fake(handle: impl FnOnce(&mut BufReader<UnixStream>) -> Vec<String> + Send + 'static) -> Fake {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        handle(&mut BufReader::new(stream))
    });
    Fake { _dir: dir, socket, thread }
}

fn read_line(stream: &mut BufReader<UnixStream>) -> String {
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    line
}

fn say(stream: &mut BufReader<UnixStream>, text: &str) {
    stream.get_mut().write_all(text.as_bytes()).unwrap();
}

const DOWN: &str = "{\"ok\":true,\"answer\":\"down\"}\n";

#[test]
fn requests_are_lines_and_so_are_answers() {
    let fake = fake(|stream| {
        let first = read_line(stream);
        say(stream, &DOWN[..7]);
        say(stream, &DOWN[7..]);
        let second = read_line(stream);
        say(
            stream,
            "{\"ok\":false,\"error\":{\"code\":\"no-such-service\",\"text\":\"none is called x\"}}\n",
        );
        vec![first, second]
    });
    let mut client = Client::connect(&fake.socket).unwrap();
    assert_eq!(client.request(&Request::Down { kill: false }).unwrap(), Answer::Down);
    let error = client.request(&Request::Status { service: "x".to_owned() }).unwrap_err();
    assert!(matches!(&error, ClientError::Refused(refused) if refused.code == ErrorCode::NoSuchService));
    assert_eq!(error.to_string(), "none is called x");
    assert_eq!(
        fake.thread.join().unwrap(),
        ["{\"request\":\"down\",\"kill\":false}\n", "{\"request\":\"status\",\"service\":\"x\"}\n"]
    );
}

#[test]
fn a_stream_ends_with_the_connection() {
    let fake = fake(|stream| {
        let request = read_line(stream);
        say(
            stream,
            "{\"ok\":true,\"answer\":\"missed\",\"events\":1}\n{\"ok\":true,\"answer\":\"missed\",\"events\":2}\n",
        );
        vec![request]
    });
    let events: Vec<Answer> =
        Client::connect(&fake.socket).unwrap().follow().unwrap().map(Result::unwrap).collect();
    assert_eq!(events, [Answer::Missed { events: 1 }, Answer::Missed { events: 2 }]);
    assert_eq!(fake.thread.join().unwrap(), ["{\"request\":\"follow\"}\n"]);
}

#[test]
fn an_answer_that_does_not_come_in_time_is_said_so() {
    let fake = fake(|stream| {
        let request = read_line(stream);
        // A byte now and then must not stretch the time-out of the whole.
        say(stream, "{");
        vec![request, read_line(stream)]
    });
    let timeout = Duration::from_millis(50);
    let mut client = Client::connect_within(&fake.socket, Some(timeout)).unwrap();
    let error = client.request(&Request::Ping).unwrap_err();
    assert!(matches!(error, ClientError::TimedOut { after } if after == timeout), "{error}");
    drop(client);
    fake.thread.join().unwrap();
}

#[test]
fn a_full_queue_does_not_hold_up_longer_than_the_timeout() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("sock");
    let listener = UnixListener::bind(&socket).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let timeout = Some(Duration::from_millis(50));
    let mut waiting = Vec::new();
    let error = loop {
        match Client::connect_within(&socket, timeout) {
            Ok(client) => waiting.push(client),
            Err(error) => break error,
        }
        assert!(waiting.len() < 10, "the queue is never full");
    };
    assert!(matches!(error, ClientError::TimedOut { .. }), "{error}");
}

#[test]
fn a_daemon_that_goes_away_or_talks_nonsense_is_no_answer() {
    let closed = fake(|stream| vec![read_line(stream)]);
    let error = Client::connect(&closed.socket).unwrap().request(&Request::Ping).unwrap_err();
    assert!(matches!(error, ClientError::Closed), "{error}");

    let half = fake(|stream| {
        let line = read_line(stream);
        say(stream, "{\"ok\":tr");
        vec![line]
    });
    let error = Client::connect(&half.socket).unwrap().request(&Request::Ping).unwrap_err();
    assert!(matches!(error, ClientError::Closed), "{error}");

    let nonsense = fake(|stream| {
        let line = read_line(stream);
        say(stream, "hello\n");
        vec![line]
    });
    let error = Client::connect(&nonsense.socket).unwrap().request(&Request::Ping).unwrap_err();
    assert!(matches!(error, ClientError::Protocol(_)), "{error}");

    let empty = fake(|stream| {
        let line = read_line(stream);
        say(stream, "{\"ok\":true}\n");
        vec![line]
    });
    let error = Client::connect(&empty.socket).unwrap().request(&Request::Ping).unwrap_err();
    assert!(matches!(&error, ClientError::Refused(e) if e.code == ErrorCode::Internal), "{error}");
}

#[test]
fn one_that_is_refused_before_it_has_asked_learns_why() {
    let full = fake(|stream| {
        say(stream, "{\"ok\":false,\"error\":{\"code\":\"busy\",\"text\":\"too many are connected\"}}\n");
        Vec::new()
    });
    let mut client = Client::connect(&full.socket).unwrap();
    full.thread.join().unwrap();
    let error = client.request(&Request::Ping).unwrap_err();
    assert!(matches!(&error, ClientError::Refused(refused) if refused.code == ErrorCode::Busy), "{error}");
    let error = client.request(&Request::Ping).unwrap_err();
    assert!(matches!(error, ClientError::Closed), "{error}");
}

#[test]
fn no_line_may_be_longer_than_the_limit() {
    let endless = fake(|stream| {
        let line = read_line(stream);
        let chunk = vec![b'x'; 1024 * 1024];
        while stream.get_mut().write_all(&chunk).is_ok() {}
        vec![line]
    });
    let mut client = Client::connect(&endless.socket).unwrap();
    let error = client.request(&Request::Ping).unwrap_err();
    assert!(matches!(error, ClientError::Protocol(_)), "{error}");
    let error = client.request(&Request::Status { service: "x".repeat(LINE_LIMIT) }).unwrap_err();
    assert!(matches!(error, ClientError::RequestTooLong { .. }), "{error}");
    drop(client);
    endless.thread.join().unwrap();
}

#[test]
fn nobody_there_is_told_apart_from_not_permitted() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("sock");
    let connect = || Client::connect(&socket).map(|_| ()).unwrap_err();

    assert!(matches!(connect(), ClientError::NoDaemon { .. }));
    drop(UnixListener::bind(&socket).unwrap());
    let error = connect();
    assert!(matches!(error, ClientError::DeadSocket { .. }) && error.is_no_daemon(), "{error}");
    std::fs::remove_file(&socket).unwrap();
    std::fs::write(&socket, "").unwrap();
    assert!(connect().is_no_daemon());

    let long = dir.path().join("x".repeat(200));
    assert!(matches!(Client::connect(&long).map(|_| ()).unwrap_err(), ClientError::Broken { .. }));

    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o000)).unwrap();
    if rustix::process::geteuid().is_root() {
        // The superuser is refused nothing; the program's own tests see this one as another user.
        return;
    }
    assert!(matches!(connect(), ClientError::NotPermitted { .. }));
}

#[test]
fn waiting_for_the_end_takes_as_long_as_the_daemon_lives() {
    let fake = fake(|stream| {
        say(stream, "late\n");
        Vec::new()
    });
    Client::connect_within(&fake.socket, Some(Duration::from_secs(10))).unwrap().wait_closed().unwrap();
    fake.thread.join().unwrap();
}

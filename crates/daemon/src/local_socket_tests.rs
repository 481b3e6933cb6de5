//! The local socket with few seats: who stays, who makes room, who is told that there is none.

use std::time::Duration;

use mainstay_wire::{Answer, Reply, Request};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::mpsc,
    task::JoinHandle,
    time::timeout,
};

use crate::{
    connections::Connections,
    local_socket::accept_all,
    wake::{Asked, Wake},
};

/// How long anything may take before the test has failed.
const PATIENCE: Duration = Duration::from_secs(20);

struct Stage {
    dir: tempfile::TempDir,
    wakes: mpsc::Receiver<Wake>,
    accepting: JoinHandle<()>,
    _answered: mpsc::Receiver<()>,
}

impl Stage {
    fn with_seats(limit: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("sock")).unwrap();
        let (wakes, woken) = mpsc::channel(16);
        let (busy, answered) = mpsc::channel(1);
        let accepting =
            tokio::spawn(accept_all(listener, Connections::new(limit), crate::Doors::default(), wakes, busy));
        Self { dir, wakes: woken, accepting, _answered: answered }
    }

    async fn connect(&self) -> Client {
        Client(BufReader::new(UnixStream::connect(self.dir.path().join("sock")).await.unwrap()))
    }

    /// The next request, to be answered.
    async fn asked(&mut self) -> Asked {
        match timeout(PATIENCE, self.wakes.recv()).await.unwrap().unwrap() {
            Wake::Asked(asked) => asked,
            other => panic!("{other:?}"),
        }
    }

    /// A client that has asked, and whose request waits here.
    async fn one_that_waits(&mut self) -> (Client, Asked) {
        let mut client = self.connect().await;
        client.say("{\"request\":\"list\"}\n").await;
        let asked = self.asked().await;
        assert_eq!(asked.request, Request::List);
        (client, asked)
    }

    /// A client that was answered, and stays.
    async fn one_that_was_answered(&mut self) -> Client {
        let (mut client, asked) = self.one_that_waits().await;
        client.hears(asked).await;
        client
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

struct Client(BufReader<UnixStream>);

impl Client {
    async fn say(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).await.unwrap();
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        timeout(PATIENCE, self.0.read_line(&mut line)).await.unwrap().unwrap();
        line
    }

    /// Its request is answered, and it gets that.
    async fn hears(&mut self, asked: Asked) {
        asked.reply.send(Ok(Answer::Down).into()).unwrap();
        assert_eq!(self.line().await, "{\"ok\":true,\"answer\":\"down\"}\n");
    }

    async fn is_closed(&mut self) {
        let mut rest = Vec::new();
        let end = timeout(PATIENCE, self.0.read_to_end(&mut rest)).await.unwrap();
        assert_eq!((end.unwrap_or(0), rest.len()), (0, 0));
    }

    async fn is_refused(&mut self) {
        let reply: Reply = serde_json::from_str(&self.line().await).unwrap();
        let error = reply.into_result().unwrap_err();
        assert_eq!(error.code, mainstay_wire::ErrorCode::Busy);
        assert!(error.help.is_some() && error.text.contains("too many"), "{error}");
        self.is_closed().await;
    }
}

#[tokio::test]
async fn those_idle_longest_make_room() {
    let mut stage = Stage::with_seats(3);
    let mut silent = stage.connect().await;
    let mut answered = stage.one_that_was_answered().await;
    let mut half = stage.connect().await;
    half.say("{\"request\":").await;
    // Whoever asks again is the youngest.
    answered.say("{\"request\":\"list\"}\n").await;
    let asked = stage.asked().await;
    answered.hears(asked).await;
    let mut fourth = stage.one_that_was_answered().await;
    silent.is_closed().await;
    let mut fifth = stage.one_that_was_answered().await;
    half.is_closed().await;
    for client in [&mut answered, &mut fourth, &mut fifth] {
        client.say("{\"request\":\"list\"}\n").await;
        let asked = stage.asked().await;
        client.hears(asked).await;
    }
}

#[tokio::test]
async fn however_many_come_and_say_nothing_one_that_asks_is_answered() {
    let mut stage = Stage::with_seats(3);
    let mut idle = Vec::new();
    for _ in 0..20 {
        for _ in 0..5 {
            idle.push(stage.connect().await);
        }
        stage.one_that_was_answered().await;
    }
}

#[tokio::test]
async fn those_that_wait_or_follow_stay_and_the_next_is_told() {
    let mut stage = Stage::with_seats(3);
    let (mut first, first_asked) = stage.one_that_waits().await;
    let (mut second, second_asked) = stage.one_that_waits().await;
    let mut follower = stage.connect().await;
    follower.say("{\"request\":\"follow\"}\n").await;
    let Some(Wake::Followed(shows)) = timeout(PATIENCE, stage.wakes.recv()).await.unwrap() else {
        panic!("nobody follows")
    };
    for _ in 0..5 {
        stage.connect().await.is_refused().await;
    }
    // One that is answered has had its turn.
    first.hears(first_asked).await;
    let (mut third, third_asked) = stage.one_that_waits().await;
    first.is_closed().await;
    stage.connect().await.is_refused().await;
    second.hears(second_asked).await;
    third.hears(third_asked).await;
    shows.send(Ok(Answer::Missed { events: 1 }).into()).await.unwrap();
    assert!(follower.line().await.contains("missed"));
}

#[tokio::test]
async fn who_leaves_is_not_counted() {
    let mut stage = Stage::with_seats(2);
    let mut stays = stage.one_that_was_answered().await;
    for _ in 0..20 {
        let (client, mut asked) = stage.one_that_waits().await;
        drop(client);
        timeout(PATIENCE, asked.reply.closed()).await.unwrap();
    }
    stays.say("{\"request\":\"list\"}\n").await;
    let asked = stage.asked().await;
    stays.hears(asked).await;
}

#[tokio::test]
async fn who_has_only_nothing_more_to_ask_still_gets_the_answer() {
    let mut stage = Stage::with_seats(1);
    let (mut client, asked) = stage.one_that_waits().await;
    client.0.get_mut().shutdown().await.unwrap();
    // This one is refused after the end of what the other says was seen.
    stage.connect().await.is_refused().await;
    client.hears(asked).await;
    client.is_closed().await;
    // And one that goes while its answer is awaited is not waited for.
    let (mut client, mut asked) = stage.one_that_waits().await;
    client.0.get_mut().shutdown().await.unwrap();
    stage.connect().await.is_refused().await;
    drop(client);
    timeout(PATIENCE, asked.reply.closed()).await.unwrap();
    stage.one_that_was_answered().await;
}

#[tokio::test]
async fn requests_that_wait_in_line_are_answered_before_their_connection_makes_room() {
    let mut stage = Stage::with_seats(1);
    let mut eager = stage.connect().await;
    eager.say("{\"request\":\"list\"}\n{\"request\":\"ping\"}\n").await;
    let asked = stage.asked().await;
    stage.connect().await.is_refused().await;
    eager.hears(asked).await;
    stage.connect().await.is_refused().await;
    let asked = stage.asked().await;
    assert_eq!(asked.request, Request::Ping, "the second of the first client");
    eager.hears(asked).await;
    stage.one_that_was_answered().await;
    eager.is_closed().await;
}

#[tokio::test]
async fn a_line_that_is_too_long_is_refused_and_ends_the_connection() {
    let stage = Stage::with_seats(2);
    let mut client = stage.connect().await;
    let (mut reader, mut writer) = client.0.get_mut().split();
    let flood = async {
        let part = vec![b'x'; 1024 * 1024];
        for _ in 0..mainstay_wire::LINE_LIMIT / part.len() {
            writer.write_all(&part).await.unwrap();
        }
    };
    let answer = async {
        let mut answer = String::new();
        BufReader::new(&mut reader).read_line(&mut answer).await.unwrap();
        answer
    };
    let (_, answer) = timeout(PATIENCE, async { tokio::join!(flood, answer) }).await.unwrap();
    let reply: Reply = serde_json::from_str(&answer).unwrap();
    assert!(reply.into_result().unwrap_err().text.contains("a request has at most 16777216 bytes"));
    client.is_closed().await;
}

//! What there may be at most, and what is missing: connections that nobody uses, an anchor that is gone, a file that is no text.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what a story needs and does not get has failed it"
)]

mod story;

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
};

use serde_json::Value;
use story::{Project, is_alive, kill, wait_until};

/// As many as the daemon takes at one time.
const CONNECTIONS: usize = 256;

const TOML: &str = "[service.api]\ncommand = \"sleep 1000\"\n";

/// A connection like any other program's.
struct Line(BufReader<UnixStream>);

impl Line {
    fn to(project: &Project) -> Self {
        let line = Self(BufReader::new(UnixStream::connect(project.dir.join(".mainstay/run/sock")).unwrap()));
        line.0.get_ref().set_read_timeout(Some(story::PATIENCE)).unwrap();
        line
    }

    fn say(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
    }

    fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in `{line}`"))
    }

    fn is_closed(&mut self) -> bool {
        self.0.read_to_end(&mut Vec::new()).is_ok_and(|count| count == 0)
    }
}

#[test]
fn connections_that_nobody_uses_keep_nobody_out() {
    let project = Project::new(TOML);
    project.up().expect(0);
    let pid = project.pid("api");
    let mut asked = Line::to(&project);
    asked.say("{\"request\":\"ping\"}\n");
    assert_eq!(asked.hear()["answer"], "pong");
    let mut follower = Line::to(&project);
    follower.say("{\"request\":\"follow\"}\n");
    assert_eq!(follower.hear()["answer"], "services");
    let mut idle: Vec<Line> = (0..CONNECTIONS + 50).map(|_| Line::to(&project)).collect();
    // Some say half a request, which is none.
    for line in idle.iter_mut().rev().take(CONNECTIONS / 2) {
        line.say("{\"request\":");
    }
    for _ in 0..3 {
        project.run(&["list", "--timeout", "10s"]).expect(0).says("running");
    }
    assert!(asked.is_closed(), "the one that was answered long ago has made room");
    assert!(idle[0].is_closed());
    project.run(&["restart", "api", "--timeout", "20s"]).expect(0);
    assert!(!is_alive(pid));
    let mut last = Value::Null;
    while last["service"]["phase"] != "running" {
        last = follower.hear();
        assert_eq!(last["answer"], "event");
    }
    let newest = idle.last_mut().unwrap();
    newest.say("\"list\"}\n");
    assert_eq!(newest.hear()["answer"], "services");
}

#[test]
fn when_all_are_busy_the_next_is_told_so() {
    let project = Project::new(TOML);
    project.up().expect(0);
    let mut followers: Vec<Line> = (0..CONNECTIONS).map(|_| Line::to(&project)).collect();
    for follower in &mut followers {
        follower.say("{\"request\":\"follow\"}\n");
    }
    for follower in &mut followers {
        assert_eq!(follower.hear()["answer"], "services");
    }
    project.run(&["list"]).expect(1).says("too many are connected").says("help: end one of them");
    let mut refused = Line::to(&project);
    assert_eq!(refused.hear()["error"]["code"], "busy");
    assert!(refused.is_closed());
    followers.truncate(CONNECTIONS - 8);
    wait_until("there is room again", || project.run(&["list"]).code == 0);
}

#[test]
fn an_anchor_that_is_gone_is_told_by_every_verb_that_reads_and_comes_back() {
    let project = Project::new(TOML);
    project.up().expect(0);
    let pid = project.pid("api");
    let said = project.run(&["list", "--json"]).expect(0);
    assert_eq!((said.json()["anchor"].as_bool(), said.err.contains("anchor")), (Some(true), false));
    let following = project.spawn(&["up"]);
    following.wait_for("api running");

    let run_dir = fs::read_link(project.dir.join(".mainstay/run")).unwrap();
    let text = fs::read_to_string(run_dir.join("anchor.lock")).unwrap();
    let anchor: u32 = text.split_whitespace().next().unwrap().parse().unwrap();
    assert_eq!(project.three().anchor, Some(anchor));
    // Without the lock beside the state the keeper does not take the anchor's place: whoever comes next would not find it.
    let lock = project.dir.join(".mainstay/keeper.lock");
    fs::rename(&lock, lock.with_extension("aside")).unwrap();
    kill(anchor, "KILL");
    wait_until("the anchor is gone", || !is_alive(anchor));

    const NOTE: &str = "note: the anchor has ended";
    // Whoever looks on is told at once.
    following.wait_for(NOTE);
    let before = project.three();
    let said = project.run(&["list", "--json"]).expect(0).says(NOTE).says("the keeper takes its place");
    assert_eq!(said.json()["anchor"], false);
    assert_eq!(project.run(&["status", "--json"]).expect(0).says(NOTE).json()["anchor"], false);
    project.run(&["status", "api"]).expect(0).says(NOTE);
    let said = project.up().expect(0);
    assert!(said.err.contains(NOTE), "{}", said.err);
    assert_eq!((project.pid("api"), project.three()), (pid, before), "the services did not notice");
    // Another daemon knows it from the beginning.
    let daemon = before.daemon.unwrap();
    kill(daemon, "KILL");
    wait_until("another daemon answers", || {
        project.three().daemon.is_some_and(|pid| pid != daemon) && project.run(&["list"]).code == 0
    });
    project.run(&["list"]).expect(0).says(NOTE);
    let program = env!("CARGO_BIN_EXE_mainstay");
    let said = project.run(&["daemon", "upgrade", "--program", program]).expect(1);
    assert!(said.err.contains("the keeper has no anchor, and cannot become one"), "{}", said.err);
    assert_eq!(project.three().keeper, before.keeper);

    fs::rename(lock.with_extension("aside"), &lock).unwrap();
    project.wait_for_new_anchor(before.keeper.unwrap());
    let said = project.run(&["list", "--json"]).expect(0);
    assert_eq!((said.json()["anchor"].as_bool(), said.err.contains(NOTE)), (Some(true), false));
    assert_eq!(project.pid("api"), pid, "the services did not notice");
    project.run(&["down"]).expect(0);
}

#[test]
fn a_file_that_is_no_text_is_told_with_its_place() {
    let project = Project::new(TOML);
    project.run(&["check"]).expect(0);
    fs::write(project.dir.join("mainstay.toml"), b"[service.api]\ncommand = \"./caf\xe9\"\n").unwrap();
    for verb in [&["check"][..], &["up", "-d"]] {
        let said = project.run(verb).expect(6).says("the byte 0xe9 is no text in UTF-8");
        assert!(said.err.contains("mainstay.toml:2:17"), "{}", said.err);
    }
    project.run(&["list"]).expect(69);
    fs::write(project.dir.join("mainstay.toml"), [b"\xef\xbb\xbf", TOML.as_bytes()].concat()).unwrap();
    project.run(&["check"]).expect(0);
    project.write(
        "mainstay.toml",
        "[service.seed]\nkind = \"oneshot\"\ncommand = \"true\"\nrestart = \"always\"\n",
    );
    project.run(&["check"]).expect(6).says("`seed` is a oneshot").says("restart = \"on-failure\"");
}

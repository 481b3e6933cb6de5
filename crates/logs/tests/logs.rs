//! Reading and following log files as a keeper writes them: rotation by one rename, a new `current` after it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic, in the functions around it as well")]

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    ops::ControlFlow,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread::JoinHandle,
    time::{Duration, SystemTime},
};

use mainstay_logs::{Follow, From, Handle, LINE_LIMIT, folders, read};

const DEADLINE: Duration = Duration::from_secs(20);

/// What a keeper does with one service's folder.
struct Writer {
    dir: PathBuf,
    current: File,
    rotations: u64,
}

impl Writer {
    fn new(root: &Path, service: &str) -> Self {
        let dir = root.join(service);
        fs::create_dir_all(&dir).unwrap();
        let current = File::create(dir.join("current")).unwrap();
        Self { dir, current, rotations: 0 }
    }

    fn write(&mut self, text: &str) {
        let size = self.current.metadata().unwrap().len();
        self.current.write_all_at(text.as_bytes(), size).unwrap();
    }

    fn rotate(&mut self) {
        self.rename();
        self.current = File::create(self.dir.join("current")).unwrap();
    }

    fn rename(&mut self) {
        self.rotations += 1;
        let name = format!("@20260102T030405Z-{}.log", self.rotations);
        fs::rename(self.dir.join("current"), self.dir.join(name)).unwrap();
    }
}

fn collect(root: &Path, services: &[&str], from: From) -> Vec<String> {
    let mut lines = Vec::new();
    let services: Vec<String> = services.iter().map(|name| (*name).to_owned()).collect();
    read(root, &services, from, &mut |line| {
        lines.push(format!("{}: {}", line.service, String::from_utf8_lossy(line.text)));
        ControlFlow::Continue(())
    })
    .unwrap();
    lines
}

/// A follower in its own thread.
struct Following {
    lines: Receiver<String>,
    handle: Handle,
    thread: JoinHandle<()>,
}

fn follow(root: &Path, services: &[&str], from: From) -> Following {
    let services: Vec<String> = services.iter().map(|name| (*name).to_owned()).collect();
    start(Follow::new(root, &services, from).unwrap())
}

fn start(follow: Follow) -> Following {
    let handle = follow.handle();
    let (sender, lines) = channel();
    let thread = std::thread::spawn(move || run(follow, &sender));
    Following { lines, handle, thread }
}

fn run(follow: Follow, sender: &Sender<String>) {
    follow
        .run(&mut |line| {
            let text = format!("{}: {}", line.service, String::from_utf8_lossy(line.text));
            if sender.send(text).is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
        .unwrap();
}

impl Following {
    fn next(&self) -> String {
        match self.lines.recv_timeout(DEADLINE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => panic!("no line within {DEADLINE:?}"),
            Err(RecvTimeoutError::Disconnected) => panic!("the follower ended"),
        }
    }

    fn expect(&self, lines: &[&str]) {
        for line in lines {
            assert_eq!(self.next(), *line);
        }
    }

    /// Ends it, and gives the lines that came last.
    fn finish(self) -> Vec<String> {
        self.handle.finish();
        self.thread.join().unwrap();
        self.lines.try_iter().collect()
    }
}

#[test]
fn the_last_lines_reach_back_over_rotated_files() {
    let root = tempfile::tempdir().unwrap();
    let mut api = Writer::new(root.path(), "api");
    for number in 1..=12 {
        api.write(&format!("line {number}\n"));
        if number % 5 == 0 {
            api.rotate();
        }
    }
    let all: Vec<String> = (1..=12).map(|number| format!("api: line {number}")).collect();
    assert_eq!(collect(root.path(), &["api"], From::Start), all);
    for wanted in 0..=14 {
        let expected = &all[all.len().saturating_sub(wanted)..];
        assert_eq!(collect(root.path(), &["api"], From::Last(wanted as u64)), expected, "{wanted}");
    }
    assert!(collect(root.path(), &["api"], From::End).is_empty());
}

#[test]
fn a_line_without_an_end_is_a_line() {
    let root = tempfile::tempdir().unwrap();
    let mut api = Writer::new(root.path(), "api");
    api.write("one\ntwo");
    assert_eq!(collect(root.path(), &["api"], From::Last(1)), ["api: two"]);
    assert_eq!(collect(root.path(), &["api"], From::Last(2)), ["api: one", "api: two"]);
}

#[test]
fn the_last_lines_are_found_across_chunks() {
    let root = tempfile::tempdir().unwrap();
    let mut api = Writer::new(root.path(), "api");
    let filler = "x".repeat(100_000);
    for number in 1..=5 {
        api.write(&format!("{number}{filler}\n\n"));
    }
    let lines = collect(root.path(), &["api"], From::Last(4));
    let heads: Vec<&str> = lines.iter().map(|line| &line[..line.len().min(6)]).collect();
    assert_eq!(heads, ["api: 4", "api: ", "api: 5", "api: "]);
    assert_eq!(lines[0].len(), "api: 4".len() + filler.len());
}

#[test]
fn a_line_beyond_the_limit_comes_in_pieces() {
    let root = tempfile::tempdir().unwrap();
    let mut api = Writer::new(root.path(), "api");
    api.write(&"x".repeat(LINE_LIMIT * 2 + 1));
    api.write("\nend\n");
    let lengths: Vec<usize> =
        collect(root.path(), &["api"], From::Last(2)).iter().map(|line| line.len() - "api: ".len()).collect();
    assert_eq!(lengths, [LINE_LIMIT, LINE_LIMIT, 1, 3]);
}

#[test]
fn several_services_come_together_in_the_order_of_their_files() {
    let root = tempfile::tempdir().unwrap();
    let mut api = Writer::new(root.path(), "api");
    let mut db = Writer::new(root.path(), "db");
    let at = |file: &File, second: u64| {
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(second)).unwrap();
    };
    api.write("a1\na2\n");
    at(&api.current, 10);
    api.rotate();
    db.write("d1\n");
    at(&db.current, 20);
    db.rotate();
    api.write("a3\n");
    at(&api.current, 30);
    db.write("d2\n");
    at(&db.current, 40);
    assert_eq!(
        collect(root.path(), &["db", "api", "none"], From::Start),
        ["api: a1", "api: a2", "db: d1", "api: a3", "db: d2"]
    );
    assert_eq!(folders(root.path()).unwrap(), ["api", "db"]);
    assert!(folders(&root.path().join("none")).unwrap().is_empty());
}

#[test]
fn reading_stops_when_it_is_enough() {
    let root = tempfile::tempdir().unwrap();
    Writer::new(root.path(), "api").write("1\n2\n3\n");
    let mut seen = 0;
    read(root.path(), &["api".to_owned()], From::Start, &mut |_| {
        seen += 1;
        if seen == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .unwrap();
    assert_eq!(seen, 2);
}

#[test]
fn following_begins_with_the_last_lines_and_goes_on() {
    let root = tempfile::tempdir().unwrap();
    let mut api = Writer::new(root.path(), "api");
    api.write("1\n2\n3\n");
    let following = follow(root.path(), &["api"], From::Last(2));
    following.expect(&["api: 2", "api: 3"]);
    api.write("4\n");
    following.expect(&["api: 4"]);
    api.write("5");
    api.write("6\n7");
    following.expect(&["api: 56"]);
    assert_eq!(following.finish(), ["api: 7"]);
}

#[test]
fn following_from_the_end_shows_nothing_older() {
    let root = tempfile::tempdir().unwrap();
    let mut api = Writer::new(root.path(), "api");
    api.write("old\n");
    api.rotate();
    api.write("old too\n");
    let following = follow(root.path(), &["api"], From::End);
    api.write("new\n");
    following.expect(&["api: new"]);
    assert!(following.finish().is_empty());
}

#[test]
fn nothing_is_lost_or_doubled_across_rotations() {
    let root = tempfile::tempdir().unwrap();
    let mut writers = [Writer::new(root.path(), "api"), Writer::new(root.path(), "db")];
    let following = follow(root.path(), &["api", "db"], From::End);
    const LINES: usize = 20_000;
    let writing = std::thread::spawn(move || {
        for number in 0..LINES {
            let writer = &mut writers[number % 2];
            writer.write(&format!("{number}\n"));
            if number % 97 < 2 {
                writer.rotate();
            }
        }
    });
    let mut next = [0, 1];
    for _ in 0..LINES {
        let line = following.next();
        let (service, number) = line.split_once(": ").unwrap();
        let expected = &mut next[usize::from(service == "db")];
        assert_eq!(number.parse(), Ok(*expected), "{service}");
        *expected += 2;
    }
    writing.join().unwrap();
    assert!(following.finish().is_empty());
}

#[test]
fn several_rotations_between_two_looks_lose_nothing() {
    let root = tempfile::tempdir().unwrap();
    let mut api = Writer::new(root.path(), "api");
    api.write("0\n");
    // Fixed before the rotations, read after them.
    let follow = Follow::new(root.path(), &["api".to_owned()], From::End).unwrap();
    api.write("1\n");
    api.rotate();
    api.write("2\n");
    api.rotate();
    api.write("3\n");
    api.rename();
    let handle = follow.handle();
    handle.finish();
    let (sender, lines) = channel();
    run(follow, &sender);
    assert_eq!(lines.try_iter().collect::<Vec<_>>(), ["api: 1", "api: 2", "api: 3"]);
}

#[test]
fn rotated_files_that_were_deleted_meanwhile_are_passed_over() {
    let root = tempfile::tempdir().unwrap();
    let mut api = Writer::new(root.path(), "api");
    let follow = Follow::new(root.path(), &["api".to_owned()], From::End).unwrap();
    for number in 1..=4 {
        api.write(&format!("{number}\n"));
        api.rotate();
    }
    for number in 1..=3 {
        fs::remove_file(api.dir.join(format!("@20260102T030405Z-{number}.log"))).unwrap();
    }
    follow.handle().finish();
    let (sender, lines) = channel();
    run(follow, &sender);
    // The first was held open when it was deleted.
    assert_eq!(lines.try_iter().collect::<Vec<_>>(), ["api: 1", "api: 4"]);
}

#[test]
fn a_file_made_shorter_is_read_from_its_beginning() {
    let root = tempfile::tempdir().unwrap();
    let mut api = Writer::new(root.path(), "api");
    api.write("a long line before\n");
    let following = follow(root.path(), &["api"], From::Start);
    following.expect(&["api: a long line before"]);
    api.current.set_len(0).unwrap();
    api.write("after\n");
    following.expect(&["api: after"]);
    assert!(following.finish().is_empty());
}

#[test]
fn folders_may_come_into_being_later_and_more_than_once() {
    let top = tempfile::tempdir().unwrap();
    let root = top.path().join("state/logs");
    let following = follow(&root, &["api"], From::End);
    let mut api = Writer::new(&root, "api");
    api.write("first\n");
    following.expect(&["api: first"]);
    fs::remove_dir_all(&api.dir).unwrap();
    let mut api = Writer::new(&root, "api");
    api.write("second\n");
    following.expect(&["api: second"]);
    assert!(following.finish().is_empty());
}

#[test]
fn a_service_can_be_added_while_others_are_followed() {
    let root = tempfile::tempdir().unwrap();
    let mut api = Writer::new(root.path(), "api");
    let follow = Follow::new(root.path(), &["api".to_owned()], From::End).unwrap();
    follow.handle().add("worker@1");
    follow.handle().add("api");
    let following = start(follow);
    api.write("a\n");
    following.expect(&["api: a"]);
    let mut worker = Writer::new(root.path(), "worker@1");
    worker.write("w\n");
    following.expect(&["worker@1: w"]);
    assert!(following.finish().is_empty());
}

#[test]
fn a_folder_that_may_not_be_read_is_named() {
    let root = tempfile::tempdir().unwrap();
    // The superuser may read everything; what nobody can read is a folder in a file's place.
    fs::create_dir_all(root.path().join("api/current")).unwrap();
    let error =
        read(root.path(), &["api".to_owned()], From::Start, &mut |_| ControlFlow::Continue(())).unwrap_err();
    assert!(error.to_string().ends_with("api/current"), "{error}");
}

#[test]
fn other_files_in_the_folder_are_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let mut api = Writer::new(root.path(), "api");
    api.write("line\n");
    let mut other = OpenOptions::new().create(true).append(true).open(api.dir.join("notes.txt")).unwrap();
    other.write_all(b"not a log\n").unwrap();
    fs::write(api.dir.join(".@20260102T030405Z-7.log.zst.part"), "half").unwrap();
    fs::write(api.dir.join("@20260102T030405Z-7.index"), "no index").unwrap();
    fs::write(api.dir.join("current.index"), "no index").unwrap();
    assert_eq!(collect(root.path(), &["api"], From::Start), ["api: line"]);
}

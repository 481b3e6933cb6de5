//! Real processes: what a new process has and has not, and each failure in its words.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::{
    fs::{self, File, OpenOptions},
    io::Read,
    os::{
        fd::{AsFd, AsRawFd},
        unix::fs::PermissionsExt,
    },
    path::{Path, PathBuf},
};

use mainstay_host::{
    CHILD_RECORD_BYTES, ChildFacts, ChildRecord, Identity, Limits, Output, Process, SpawnRequest,
    effective_uid, spawn, start_time,
};
use mainstay_model::{Exit, Signal, SpawnFailure, SpawnFailureKind};
use tempfile::TempDir;

struct Place {
    dir: TempDir,
    output: PathBuf,
}

impl Place {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let output = dir.path().join("output");
        Self { dir, output }
    }

    fn path(&self) -> &str {
        self.dir.path().to_str().unwrap()
    }

    fn file(&self, name: &str, text: &str, mode: u32) -> String {
        let path = self.dir.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn spawn(
        &self,
        words: &[&str],
        change: impl FnOnce(&mut SpawnRequest<'_>),
    ) -> Result<Process, SpawnFailure> {
        let output = File::create(&self.output).unwrap();
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let env = vec!["PATH=/usr/bin:/bin".to_owned(), "COLOUR=blue".to_owned()];
        let limits = Limits::unchanged();
        let mut request = SpawnRequest {
            words: &words,
            env: &env,
            dir: self.path(),
            identity: None,
            output: Output::Both(output.as_fd()),
            pass: &[],
            record: None,
            limits: &limits,
        };
        change(&mut request);
        spawn(&request)
    }

    fn run(&self, words: &[&str], change: impl FnOnce(&mut SpawnRequest<'_>)) -> (Exit, String) {
        let process = self.spawn(words, change).unwrap();
        let exit = end_of(&process);
        let mut text = String::new();
        File::open(&self.output).unwrap().read_to_string(&mut text).unwrap();
        (exit, text)
    }

    fn failure(
        &self,
        words: &[&str],
        change: impl FnOnce(&mut SpawnRequest<'_>),
    ) -> (SpawnFailureKind, String) {
        let failure = self.spawn(words, change).unwrap_err();
        (failure.kind, failure.text)
    }
}

fn end_of(process: &Process) -> Exit {
    let mut polled = [rustix::event::PollFd::new(process, rustix::event::PollFlags::IN)];
    rustix::event::poll(&mut polled, None).unwrap();
    let exit = process.peek().unwrap().unwrap();
    process.reap();
    exit
}

fn is_root() -> bool {
    effective_uid() == 0
}

#[test]
fn a_program_runs_with_its_words_environment_and_folder() {
    let place = Place::new();
    let (exit, text) =
        place.run(&["sh", "-c", "echo $0 $1 $COLOUR $HOME; pwd; umask; exit 3", "a b", "c"], |_| ());
    assert_eq!(exit, Exit::Code(3));
    assert_eq!(text, format!("a b c blue\n{}\n0022\n", place.dir.path().canonicalize().unwrap().display()));
}

#[test]
fn a_process_that_a_signal_ended_says_so() {
    let place = Place::new();
    assert_eq!(place.run(&["sh", "-c", "kill -9 $$"], |_| ()).0, Exit::Signal(Signal::KILL));
}

#[test]
fn it_leads_a_session_and_a_group_of_its_own() {
    let place = Place::new();
    let (_, text) = place.run(&["sh", "-c", "cut -d' ' -f1,5,6 /proc/$$/stat"], |_| ());
    let numbers: Vec<&str> = text.split_whitespace().collect();
    assert_eq!(numbers.len(), 3);
    assert!(numbers.iter().all(|number| *number == numbers[0]), "{text}");
}

#[test]
fn it_has_no_descriptor_but_its_own_and_those_passed() {
    let place = Place::new();
    let mut open = Vec::new();
    for _ in 0..30 {
        // Without close-on-exec, as a careless library leaves them.
        let file = File::open("/dev/null").unwrap();
        rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).unwrap();
        open.push(file);
    }
    let passed: &'static File =
        Box::leak(Box::new(File::open(place.file("passed", "hello", 0o644)).unwrap()));
    let (_, text) =
        place.run(&["sh", "-c", "cat <&3; readlink /proc/$$/fd/0; ls /proc/$$/fd | tr '\\n' ' '"], |r| {
            r.pass = Box::leak(Box::new([(passed.as_fd(), 3)]));
        });
    assert!(text.starts_with("hello/dev/null\n0 1 2 3 "), "{text}");
    assert!(text.split_whitespace().count() <= 6, "{text}");
}

#[test]
fn signals_are_as_a_new_process_expects_them() {
    let place = Place::new();
    // This process ignores SIGPIPE, as all Rust programs do.
    let (_, text) = place.run(&["grep", "-E", "^Sig(Ign|Blk)", "/proc/self/status"], |_| ());
    assert_eq!(text.lines().count(), 2);
    assert!(text.lines().all(|line| line.ends_with("0000000000000000")), "{text}");
}

#[test]
fn its_limits_are_those_that_were_inherited() {
    let place = Place::new();
    let before = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap();
    let limits = Limits::raise();
    let (_, text) =
        place.run(&["sh", "-c", "ulimit -S -n"], |request| request.limits = Box::leak(Box::new(limits)));
    assert_eq!(text.trim(), before.to_string());
}

#[test]
fn it_becomes_another_user_with_that_users_groups_only() {
    if !is_root() {
        assert!(std::env::var_os("CI").is_none(), "CI runs as root");
        println!("skipped: only root can become another user");
        return;
    }
    let place = Place::new();
    let (_, text) = place.run(&["sh", "-c", "id -u; id -g; id -G"], |request| {
        request.identity = Some(Identity { uid: 1234, gid: 2345, groups: &[2345, 77] });
    });
    assert_eq!(text, "1234\n2345\n2345 77\n");
    assert_eq!(effective_uid(), 0, "the parent keeps its own identity");
}

fn encode(facts: ChildFacts) -> [u8; CHILD_RECORD_BYTES] {
    let mut bytes = [0; CHILD_RECORD_BYTES];
    bytes[..8].copy_from_slice(&facts.run.to_le_bytes());
    bytes[8..16].copy_from_slice(&facts.start_time.to_le_bytes());
    bytes[16..20].copy_from_slice(&facts.pid.to_le_bytes());
    bytes[20..24].copy_from_slice(&facts.failed_step.to_le_bytes());
    bytes[24..28].copy_from_slice(&facts.errno.to_le_bytes());
    bytes
}

fn record_file(place: &Place) -> File {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(place.dir.path().join("record"))
        .unwrap()
}

#[test]
fn it_writes_who_it_is_and_lets_the_lock_go_with_its_execve() {
    let place = Place::new();
    let file: &'static File = Box::leak(Box::new(record_file(&place)));
    file.lock().unwrap();
    let process = place
        .spawn(&["sleep", "60"], |request| {
            request.record = Some(ChildRecord { file: file.as_fd(), run: 7, encode });
        })
        .unwrap();
    let bytes = fs::read(place.dir.path().join("record")).unwrap();
    let facts =
        ChildFacts { run: 7, pid: process.pid, start_time: process.start_time, ..ChildFacts::default() };
    assert_eq!(bytes, encode(facts));
    assert_eq!(start_time(process.pid), Some(process.start_time));
    file.unlock().unwrap();
    let descriptors = fs::read_dir(format!("/proc/{}/fd", process.pid)).unwrap().count();
    assert_eq!(descriptors, 3);
    process.signal(Signal::KILL);
    assert_eq!(end_of(&process), Exit::Signal(Signal::KILL));
}

#[test]
fn a_failed_step_is_written_down_as_well() {
    let place = Place::new();
    let file: &'static File = Box::leak(Box::new(record_file(&place)));
    place
        .spawn(&["./none"], |request| {
            request.record = Some(ChildRecord { file: file.as_fd(), run: 8, encode });
        })
        .unwrap_err();
    let bytes = fs::read(place.dir.path().join("record")).unwrap();
    assert_eq!(bytes[..8], 8_u64.to_le_bytes());
    assert_ne!(bytes[16..20], [0; 4]);
    assert_eq!(bytes[20..28], [5, 0, 0, 0, 2, 0, 0, 0]);
}

#[test]
fn a_missing_program_is_named_with_where_it_was_looked_for() {
    let place = Place::new();
    let dir = place.path();
    let rows = [
        (vec!["./api"], format!("`./api` does not exist (looked in `{dir}`)")),
        (vec!["/no/such/api"], "`/no/such/api` does not exist".to_owned()),
        (vec!["no-such-api"], "`no-such-api` is not on the PATH (`/usr/bin:/bin`)".to_owned()),
        (vec!["output/api"], format!("`output/api` does not exist (looked in `{dir}`)")),
    ];
    for (words, text) in rows {
        assert_eq!(place.failure(&words, |_| ()), (SpawnFailureKind::NoProgram, text));
    }
    std::os::unix::fs::symlink("gone", place.dir.path().join("link")).unwrap();
    let expected = "`./link` is a symbolic link to a file that does not exist".to_owned();
    assert_eq!(place.failure(&["./link"], |_| ()), (SpawnFailureKind::NoProgram, expected));
}

#[test]
fn a_program_that_may_not_run_is_named_with_the_reason() {
    let place = Place::new();
    let plain = place.file("plain", "#!/bin/sh\n", 0o644);
    let expected = format!("`{plain}` is not marked as executable (`chmod +x` does that)");
    assert_eq!(place.failure(&[&plain], |_| ()), (SpawnFailureKind::NotPermitted, expected));
    let expected = "`/usr` is a directory, not a program".to_owned();
    assert_eq!(place.failure(&["/usr"], |_| ()), (SpawnFailureKind::NotExecutable, expected));
    if is_root() {
        let other = place.file("other", "#!/bin/sh\n", 0o700);
        let failure = place.failure(&[&other], |request| {
            request.identity = Some(Identity { uid: 1234, gid: 2345, groups: &[] });
        });
        let expected = format!("user 1234 may not execute `{other}`");
        assert_eq!(failure, (SpawnFailureKind::NotPermitted, expected));
    }
}

#[test]
fn a_file_that_is_no_program_is_named_with_what_it_lacks() {
    let place = Place::new();
    place.file("text", "just words\n", 0o755);
    place.file("script", "#!/no/such/interpreter -x\n", 0o755);
    let rows = [
        ("./text", "`./text` is no program: it has neither a format that this machine knows nor a `#!` line"),
        (
            "./script",
            "`./script` needs the interpreter `/no/such/interpreter` of its `#!` line, which does not exist",
        ),
    ];
    for (program, text) in rows {
        assert_eq!(place.failure(&[program], |_| ()), (SpawnFailureKind::NotExecutable, text.to_owned()));
    }
}

#[test]
fn a_working_directory_that_cannot_be_entered_is_named() {
    let place = Place::new();
    let file = place.file("file", "", 0o644);
    let rows = [
        ("/no/such/dir", "the working directory `/no/such/dir` does not exist".to_owned()),
        (file.as_str(), format!("the working directory `{file}` is not a directory")),
    ];
    for (dir, text) in rows {
        let dir: &'static str = Box::leak(dir.to_owned().into_boxed_str());
        assert_eq!(
            place.failure(&["true"], |request| request.dir = dir),
            (SpawnFailureKind::NoDirectory, text)
        );
    }
}

#[test]
fn arguments_that_no_kernel_takes_are_named() {
    let place = Place::new();
    let long = "x".repeat(4 * 1024 * 1024);
    let (kind, text) = place.failure(&["true", &long], |_| ());
    assert_eq!(kind, SpawnFailureKind::Other);
    assert_eq!(text, "arguments and environment together are too long");
}

#[test]
fn nothing_stays_behind_in_the_parent() {
    let place = Place::new();
    let descriptors = || fs::read_dir(Path::new("/proc/self/fd")).unwrap().count();
    for _ in 0..3 {
        let _ = place.failure(&["./none"], |_| ());
        let _ = place.run(&["true"], |_| ());
    }
    let before = descriptors();
    for _ in 0..20 {
        let _ = place.failure(&["./none"], |_| ());
        let _ = place.run(&["true"], |_| ());
    }
    // Other tests of this program open files at the same time.
    assert!(descriptors() < before + 20, "{before} descriptors became {}", descriptors());
    assert!(File::open("/dev/null").unwrap().as_raw_fd() > 2);
}

#[test]
fn a_descriptor_is_passed_under_any_number() {
    let place = Place::new();
    for number in [3, 15, 16, 17, 40, 1023] {
        let (mut reading, writing) = std::io::pipe().unwrap();
        // One that is in the way of another's target, and in the way of what the new process needs itself.
        let in_the_way = rustix::io::fcntl_dupfd_cloexec(&writing, number).unwrap();
        let script = format!("echo here > /proc/self/fd/{number}; ls /proc/self/fd | wc -l");
        let output = File::create(&place.output).unwrap();
        let process = spawn(&SpawnRequest {
            words: &["sh", "-c", &script].map(str::to_owned),
            env: &["PATH=/usr/bin:/bin".to_owned()],
            dir: place.path(),
            identity: None,
            output: Output::Both(output.as_fd()),
            pass: &[(in_the_way.as_fd(), number)],
            record: None,
            limits: &Limits::unchanged(),
        });
        assert_eq!(end_of(&process.unwrap()), Exit::Code(0));
        // The streams, this one, and the folder that is listed.
        assert_eq!(fs::read_to_string(&place.output).unwrap(), "5\n");
        drop((writing, in_the_way));
        let mut said = String::new();
        reading.read_to_string(&mut said).unwrap();
        assert_eq!(said, "here\n", "{number}");
    }
}

//! One service of each kind, in every way to run it, with every way to configure it: the same behaviour, exit codes and
//! statuses. The table in `docs/guides/matrix.md` is what came out (`UPDATE_GOLDEN=1` writes it). This executable is the program
//! of these services as well: with `PROGRAM_UNDER_TEST` in its environment it does what `mainstay::main!()` does.
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
    collections::BTreeMap,
    fmt::Write as _,
    fs::{self, File},
    os::unix::net::UnixDatagram,
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
};

use libtest_mimic::{Arguments, Failed, Trial};
use mainstay::prelude::*;
use rustix::process::{Pid, Signal, kill_process};
use story::{Project, wait_until};

/// In its environment, the executable is the program.
const PROGRAM: &str = "PROGRAM_UNDER_TEST";

/// The kinds, which are the names of the services.
const KINDS: [&str; 4] = ["permanent", "blocking", "single_shot", "periodic"];

/// Who says what is said; one who says `fail` makes the service fail.
const WAYS: [&str; 5] = ["file", "environment", "arguments", "defaults", "fail"];

#[derive(ServiceConfig)]
struct SpeakerConfig {
    /// What is said.
    #[default("defaults")]
    message: String,
}

impl SpeakerConfig {
    fn say(&self, kind: &str) -> Result {
        info!("{kind} says {}", self.message);
        if self.message == "fail" {
            fail!("{kind} was told to");
        }
        Ok(())
    }
}

#[service(name = "permanent")]
struct Lasting {
    config: SpeakerConfig,
}

impl Permanent for Lasting {
    async fn start(&mut self, _ctx: &Context) -> Result {
        self.config.say("permanent")
    }
}

#[service(name = "blocking")]
struct Holding {
    config: SpeakerConfig,
}

impl Blocking for Holding {
    async fn run(&mut self, ctx: &Context) -> Result {
        self.config.say("blocking")?;
        ctx.stopped().await;
        Ok(())
    }
}

#[service(name = "single_shot")]
struct Once {
    config: SpeakerConfig,
}

impl SingleShot for Once {
    async fn execute(&mut self, _ctx: &Context) -> Result {
        self.config.say("single_shot")
    }
}

#[service(name = "periodic")]
struct Again {
    config: SpeakerConfig,
}

impl Periodic for Again {
    fn interval(&self) -> Duration {
        Duration::from_secs(3600)
    }

    async fn on_start(&mut self, _ctx: &Context) -> Result {
        self.config.say("periodic")
    }

    async fn tick(&mut self, _ctx: &Context) -> Result {
        Ok(())
    }
}

/// What came out of the cells of one way to run services: kind and way, and then what.
type Column = BTreeMap<(&'static str, &'static str), String>;

fn main() -> ExitCode {
    if std::env::var_os(PROGRAM).is_some() {
        let program = mainstay::Program { name: "matrix", version: "1.2.3" };
        return mainstay::run_program(program, mainstay::Registry::discover(), std::env::args_os());
    }
    let whole = Trial::test("each_kind_runs_everywhere_with_every_configuration", || {
        whole();
        Ok::<(), Failed>(())
    });
    libtest_mimic::run(&Arguments::from_args(), vec![whole]).exit_code()
}

fn whole() {
    let namespace = ["unshare", "--pid", "--fork", "--mount-proc"];
    let columns = [
        ("by hand", Some(by_itself(&[]))),
        ("process under Mainstay", Some(under_mainstay())),
        ("task", Some(as_tasks())),
        ("pid 1 of a container", may_make_namespaces(&namespace).then(|| by_itself(&namespace))),
    ];
    for column in columns.iter().filter_map(|(_, column)| column.as_ref()) {
        for ((kind, way), what) in column {
            assert_eq!(*what, expected(kind, way), "{kind} by {way}");
        }
    }
    if columns.iter().all(|(_, column)| column.is_some()) {
        compare(&table(&columns));
    }
}

/// What must come out of a cell, whoever runs it.
fn expected(kind: &str, way: &str) -> String {
    let end = match (kind, way) {
        (_, "fail") => "failed, 1",
        ("single_shot", _) => "completed, 0",
        _ => "ready, stopped, 0",
    };
    format!("says {way}; {end}")
}

fn exe() -> String {
    std::env::current_exe().unwrap().to_str().unwrap().to_owned()
}

fn may_make_namespaces(words: &[&str]) -> bool {
    let [program, rest @ ..] = words else { return true };
    let made = Command::new(program).args(rest).arg("true").stderr(Stdio::null()).status();
    let may = made.is_ok_and(|status| status.success());
    if !may {
        let reason = "this user may not make a namespace of processes";
        assert!(std::env::var_os("CI").is_none(), "{reason}");
        println!("skipped: {reason}");
    }
    may
}

/// One process a cell, as a person or a container begins it.
fn by_itself(wrapper: &[&str]) -> Column {
    let mut column = Column::new();
    for kind in KINDS {
        for way in WAYS {
            let dir = tempfile::tempdir().unwrap();
            column.insert((kind, way), one(wrapper, dir.path(), kind, way));
        }
    }
    column
}

fn one(wrapper: &[&str], dir: &Path, kind: &str, way: &str) -> String {
    let exe = exe();
    let mut words: Vec<&str> = wrapper.to_vec();
    words.extend([exe.as_str(), if matches!(way, "file" | "fail") { "one.toml" } else { "-" }, kind]);
    if way == "arguments" {
        words.extend(["--message", "arguments"]);
    }
    fs::write(dir.join("one.toml"), format!("[service.{kind}.config]\nmessage = \"{way}\"\n")).unwrap();
    let mut command = Command::new(words[0]);
    command
        .args(&words[1..])
        .current_dir(dir)
        .env_clear()
        .env(PROGRAM, "1")
        .env("PATH", "/usr/bin:/bin:/sbin");
    if way == "environment" {
        command.env(format!("{}_MESSAGE", kind.to_uppercase()), "environment");
    }
    let path = dir.join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_nonblocking(true).unwrap();
    command.env("NOTIFY_SOCKET", &path);
    let (said, code) = ended(command, dir, wrapper, kind, way);
    let mut heard = [0; 4096];
    let mut is_ready = false;
    while let Ok(count) = socket.recv(&mut heard) {
        is_ready |= heard[..count].starts_with(b"READY=1");
    }
    let phase = match (kind, code, is_ready) {
        (_, 1, _) => "failed",
        ("single_shot", 0, true) => "completed",
        (_, _, true) => "ready, stopped",
        (_, _, false) => "stopped",
    };
    format!("{said}; {phase}, {code}")
}

/// Waits until it has said it, asks it to end if it does not by itself, and waits for that.
fn ended(mut command: Command, dir: &Path, wrapper: &[&str], kind: &str, way: &str) -> (String, i32) {
    let path = dir.join("said");
    let mut child = command.stderr(File::create(&path).unwrap()).stdin(Stdio::null()).spawn().unwrap();
    let words = format!("{kind} says {way}");
    let said = || fs::read_to_string(&path).unwrap();
    wait_until(&words, || said().contains(&words));
    if kind != "single_shot" && way != "fail" {
        kill_process(service_of(&child, wrapper), Signal::TERM).unwrap();
    }
    let code = child.wait().unwrap().code().unwrap_or(-1);
    let text = said();
    let said = text.lines().find_map(|line| Some(line.split_once(&format!("{kind} says "))?.1.to_owned()));
    (format!("says {}", said.unwrap_or_default()), code)
}

/// The process of the program: ours, or the one below what makes its namespace.
fn service_of(child: &Child, wrapper: &[&str]) -> Pid {
    if wrapper.is_empty() {
        return Pid::from_child(child);
    }
    let path = format!("/proc/{0}/task/{0}/children", child.id());
    let below =
        || fs::read_to_string(&path).ok()?.split_whitespace().next()?.parse().ok().and_then(Pid::from_raw);
    wait_until("the first process is there", || below().is_some());
    below().unwrap()
}

/// The services of one file: one a cell, `permanent-file`.
fn file(ways: &[&str], runner: &str) -> String {
    let exe = exe();
    let mut text = String::new();
    for kind in KINDS {
        let shape = if kind == "single_shot" { "kind = \"oneshot\"\n" } else { "" };
        for way in ways {
            let name = format!("{}-{way}", kind.replace('_', "-"));
            let _ = writeln!(text, "[service.{name}]\n{shape}restart = \"never\"\nrunner = \"{runner}\"");
            let variable = format!("{}_MESSAGE", name.to_uppercase().replace('-', "_"));
            let _ = match *way {
                "arguments" => writeln!(
                    text,
                    "command = [\"{exe}\", \"-\", \"{kind}\", \"--message\", \"arguments\"]\n{}env = {{ {PROGRAM} = \"1\" }}",
                    if kind == "single_shot" { "" } else { "ready = { notify = true }\n" }
                ),
                "environment" => writeln!(
                    text,
                    "use = \"{exe}:{kind}\"\nenv = {{ {PROGRAM} = \"1\", {variable} = \"environment\" }}"
                ),
                "defaults" => writeln!(text, "use = \"{exe}:{kind}\"\nenv = {{ {PROGRAM} = \"1\" }}"),
                way => writeln!(
                    text,
                    "use = \"{exe}:{kind}\"\nconfig = {{ message = \"{way}\" }}\nenv = {{ {PROGRAM} = \"1\" }}"
                ),
            };
        }
    }
    text
}

fn under_mainstay() -> Column {
    let project = Project::new(&file(&WAYS, "process"));
    project.run(&["up", "-d"]).expect(1);
    let name = |kind: &str, way: &str| format!("{}-{way}", kind.replace('_', "-"));
    let mut before = BTreeMap::new();
    for kind in KINDS {
        for way in WAYS {
            let service = project.service(&name(kind, way));
            let phase = match service["phase"].as_str().unwrap() {
                "running" if service["ready"] == true => "ready, stopped",
                phase => phase,
            };
            before.insert((kind, way), phase.to_owned());
        }
    }
    project.run(&["stop", "all"]).expect(0);
    let mut column = Column::new();
    for kind in KINDS {
        for way in WAYS {
            let name = name(kind, way);
            let service = project.service(&name);
            let log = project.run(&["logs", &name, "-n", "50"]).out;
            let said =
                log.lines().find_map(|line| Some(line.split_once(&format!("{kind} says "))?.1.to_owned()));
            let phase = &before[&(kind, way)];
            let ended = service["phase"] == "stopped" || service["phase"] == "completed";
            assert!(ended, "{name} is {}", service["phase"]);
            let what = format!("says {}; {phase}, {}", said.unwrap_or_default(), service["exit"]["code"]);
            column.insert((kind, way), what);
        }
    }
    project.run(&["down"]).expect(0);
    column
}

/// A task has no arguments of its own: they are the launcher's.
fn as_tasks() -> Column {
    let ways: Vec<&str> = WAYS.into_iter().filter(|way| *way != "arguments").collect();
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("services.toml"), file(&ways, "task")).unwrap();
    let path = dir.path().join("said");
    let mut command = Command::new(exe());
    command.args(["launch", "services.toml"]).current_dir(dir.path()).env_clear().env(PROGRAM, "1");
    let mut child = command.stderr(File::create(&path).unwrap()).stdin(Stdio::null()).spawn().unwrap();
    let text = || fs::read_to_string(&path).unwrap();
    let id = |kind: &str, way: &str| format!("{}-{way}", kind.replace('_', "-"));
    let turned = |text: &str, id: &str, phase: &str| text.contains(&format!(" {id} {phase}: "));
    wait_until("each has come as far as it comes by itself", || {
        let text = text();
        KINDS.iter().all(|kind| {
            ways.iter().all(|way| {
                let phase = match (*kind, *way) {
                    (_, "fail") => "failed",
                    ("single_shot", _) => "completed",
                    _ => "running",
                };
                turned(&text, &id(kind, way), phase)
            })
        })
    });
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "some have failed");
    let text = text();
    let mut column = Column::new();
    for kind in KINDS {
        for way in &ways {
            let id = id(kind, way);
            let own = |line: &&str| line.contains(&id);
            let said =
                text.lines().filter(own).find_map(|line| Some(line.split_once(&format!("{kind} says "))?.1));
            let end = match () {
                () if turned(&text, &id, "failed") => "failed, 1",
                () if turned(&text, &id, "completed") => "completed, 0",
                () if turned(&text, &id, "running") && turned(&text, &id, "stopped") => "ready, stopped, 0",
                () => "lost",
            };
            let said = said.and_then(|said| said.split_whitespace().next()).unwrap_or_default();
            column.insert((kind, *way), format!("says {said}; {end}"));
        }
    }
    column
}

fn table(columns: &[(&str, Option<Column>)]) -> String {
    let mut text = String::from(
        "# One service, everywhere\n\nA service of each kind, in each way to run it, with each way to configure it: what it said, what became of it, and its exit \
         code.\nWritten by the test `matrix`, from what came out. A task has no arguments of its own: they are the launcher's.\n\n",
    );
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let _ = writeln!(
        text,
        "| kind | configured by | {} |\n| --- | --- |{}",
        names.join(" | "),
        " --- |".repeat(names.len())
    );
    for kind in KINDS {
        for way in WAYS {
            let cell = |column: &Option<Column>| {
                column
                    .as_ref()
                    .and_then(|column| column.get(&(kind, way)).cloned())
                    .unwrap_or_else(|| "—".to_owned())
            };
            let cells: Vec<String> = columns.iter().map(|(_, column)| cell(column)).collect();
            let by = if way == "fail" { "file, which makes it fail" } else { way };
            let _ = writeln!(text, "| {kind} | {by} | {} |", cells.join(" | "));
        }
    }
    text
}

fn compare(table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides/matrix.md");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        return fs::write(path, table).unwrap();
    }
    let known = fs::read_to_string(path).unwrap_or_default();
    assert_eq!(known, table, "UPDATE_GOLDEN=1 writes docs/guides/matrix.md");
}

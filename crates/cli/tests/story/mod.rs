//! A project in a folder of its own, driven through the real program as a person would.
#![allow(dead_code, unreachable_pub, reason = "each story uses its own part")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

/// How long anything may take before the story has failed. Far longer than it ever takes.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A project. It is brought down, by force if need be, when it is dropped.
pub struct Project {
    root: tempfile::TempDir,
    pub dir: PathBuf,
    pub runtime: PathBuf,
}

/// What a command said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Said {
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        let all = format!("{}{}", self.out, self.err);
        assert!(all.contains(text), "expected `{text}` in:\nstdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("{error} in:\n{}\n{}", self.out, self.err))
    }
}

impl Project {
    pub fn new(toml: &str) -> Self {
        let root = tempfile::Builder::new().prefix("ms").tempdir().unwrap();
        let dir = root.path().join("shop");
        let runtime = root.path().join("r");
        fs::create_dir(&dir).unwrap();
        fs::create_dir(&runtime).unwrap();
        let project = Self { root, dir, runtime };
        project.write("mainstay.toml", toml);
        project
    }

    /// A program of this project's, as a shell script.
    pub fn script(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        self.write(name, &format!("#!/bin/sh\n{text}\n"));
        fs::set_permissions(self.dir.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.dir.join(name), text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.dir.join(name)).unwrap_or_default()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mainstay"));
        command
            .args(arguments)
            .current_dir(&self.dir)
            .env("XDG_RUNTIME_DIR", &self.runtime)
            .env("NO_COLOR", "1");
        for name in ["MAINSTAY_FILE", "MAINSTAY_STATE_DIR", "MAINSTAY_SOCKET", "MAINSTAY_JSON"] {
            command.env_remove(name);
        }
        command.stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Said {
        self.command(arguments).output().unwrap().into()
    }

    /// Starts a command that goes on; its output is collected in files of the root.
    pub fn spawn(&self, arguments: &[&str]) -> Running {
        let path = self.root.path().join(format!("out-{}", arguments.join("-").replace('/', "_")));
        let out = fs::File::create(&path).unwrap();
        let err = out.try_clone().unwrap();
        let child = self.command(arguments).stdout(out).stderr(err).spawn().unwrap();
        Running { child, path }
    }

    pub fn up(&self) -> Said {
        self.run(&["up", "-d"])
    }

    /// One service as `list --json` shows it.
    pub fn service(&self, id: &str) -> Value {
        let list = self.run(&["list", "--json"]).expect(0).json();
        let (name, instance) = id.split_once('@').map_or((id, None), |(name, number)| (name, Some(number)));
        let services = list["services"].as_array().unwrap();
        services
            .iter()
            .find(|service| service["name"] == name && service["instance"].as_str() == instance)
            .unwrap_or_else(|| panic!("no {id} in {list}"))
            .clone()
    }

    pub fn pid(&self, id: &str) -> u32 {
        u32::try_from(self.service(id)["pid"].as_u64().unwrap_or_else(|| panic!("{id} has no pid"))).unwrap()
    }

    #[track_caller]
    pub fn wait_for_phase(&self, id: &str, phase: &str) -> Value {
        let mut last = Value::Null;
        wait_until(&format!("{id} is {phase}"), || {
            last = self.service(id);
            last["phase"] == phase
        });
        last
    }

    #[track_caller]
    pub fn wait_for_text(&self, file: &str, text: &str) {
        wait_until(&format!("{file} holds {text}"), || self.read(file).contains(text));
    }

    pub fn log(&self, id: &str) -> String {
        self.read(&format!(".mainstay/logs/{id}/current"))
    }

    /// The processes of the project: anchor, keeper, daemon.
    pub fn three(&self) -> Three {
        let run_dir = fs::read_link(self.dir.join(".mainstay/run"))
            .or_else(|_| fs::read_to_string(self.dir.join(".mainstay/run")).map(|text| text.trim().into()))
            .unwrap();
        let run_dir = run_dir.to_string_lossy().into_owned();
        let find = |role: &str| {
            processes()
                .into_iter()
                .find(|(_, line)| line.contains(&format!("\0daemon\0{role}\0")) && line.contains(&run_dir))
        };
        let pid = |role| find(role).map(|(pid, _)| pid);
        Three { anchor: pid("anchor"), keeper: pid("keeper"), daemon: pid("run") }
    }

    /// Waits until this keeper is the anchor, and another keeper and daemon are there, which answer.
    #[track_caller]
    pub fn wait_for_new_anchor(&self, keeper: u32) -> Three {
        let mut three = self.three();
        wait_until("the keeper is the anchor, and others work", || {
            three = self.three();
            three.anchor == Some(keeper) && three.keeper.is_some() && three.daemon.is_some()
        });
        wait_until("it answers", || self.run(&["list"]).code == 0);
        three
    }
}

/// Pids, as far as they are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Three {
    pub anchor: Option<u32>,
    pub keeper: Option<u32>,
    pub daemon: Option<u32>,
}

impl Drop for Project {
    fn drop(&mut self) {
        let said = self.run(&["down", "--timeout", "20s"]);
        if said.code != 0 && said.code != 69 {
            eprintln!("down: {said:?}");
        }
        // Whatever a failed story left: everything that stands in the project's folder or names it.
        let root = self.root.path().to_string_lossy().into_owned();
        for (pid, line) in processes() {
            let here =
                fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(self.root.path()));
            if (here || line.contains(&root)) && pid != std::process::id() {
                eprintln!("left over: {pid} {}", line.replace('\0', " "));
                kill(pid, "KILL");
            }
        }
    }
}

/// A command that goes on.
pub struct Running {
    pub child: Child,
    path: PathBuf,
}

impl Running {
    pub fn output(&self) -> String {
        fs::read_to_string(&self.path).unwrap_or_default()
    }

    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        let found = || self.output().contains(text);
        let deadline = Instant::now() + PATIENCE;
        while !found() {
            assert!(Instant::now() < deadline, "waited for `{text}` in:\n{}", self.output());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn signal(&self, name: &str) {
        kill(self.child.id(), name);
    }

    #[track_caller]
    pub fn wait(&mut self) -> i32 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap_or(-1);
            }
            assert!(Instant::now() < deadline, "it did not end:\n{}", self.output());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Every process of the machine, with its command line (NUL between the words).
pub fn processes() -> Vec<(u32, String)> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            Some((pid, String::from_utf8_lossy(&line).into_owned()))
        })
        .collect()
}

pub fn is_alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
}

pub fn kill(pid: u32, signal: &str) {
    let _ = Command::new("kill").args(["-s", signal, &pid.to_string()]).stderr(Stdio::null()).status();
}

/// Within one moment: they are stopped first, since each would bring another back.
pub fn kill_all(three: Three) {
    for signal in ["STOP", "KILL"] {
        for pid in [three.anchor, three.keeper, three.daemon].into_iter().flatten() {
            kill(pid, signal);
        }
    }
}

#[track_caller]
pub fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Says that a story cannot be told on this machine; where it must be (CI), that is a failure.
pub fn skipped(reason: &str) {
    assert!(std::env::var_os("CI").is_none(), "skipped in CI: {reason}");
    eprintln!("skipped: {reason}");
}

/// Where `cargo xtask test` puts a client from PyPI of this name, with this file in it. `None`, which was said, where there is none.
pub fn client(name: &str, file: &str) -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
    let client = cache.unwrap_or_default().join("mainstay-ci").join(name);
    if !client.join(file).is_file() {
        skipped(&format!("there is no {name}; `cargo xtask test --only setup` installs it"));
        return None;
    }
    Some(client)
}

/// A port that nobody listens on at the moment.
pub fn free_port() -> u16 {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    // Below those that the kernel gives to connections (`ip_local_port_range`): such a one may be taken at any moment. Each
    // process of tests has a place of its own to begin at.
    let begin = std::process::id().wrapping_mul(7);
    loop {
        let count = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let port = 10_000 + u16::try_from(begin.wrapping_add(count) % 20_000).unwrap();
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

pub fn exists(path: impl AsRef<Path>) -> bool {
    path.as_ref().symlink_metadata().is_ok()
}

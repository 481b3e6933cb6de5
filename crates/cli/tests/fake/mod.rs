//! A project in a folder of its own, the program in it, and a made-up daemon that answers it.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test file uses its own part, and a test may panic"
)]

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

pub(crate) struct Folder {
    root: tempfile::TempDir,
    pub(crate) dir: PathBuf,
}

pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Said {
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub(crate) fn err(self, text: &str) -> Self {
        assert!(self.err.contains(text), "expected `{text}` in:\n{}", self.err);
        self
    }

    #[track_caller]
    pub(crate) fn out(self, text: &str) -> Self {
        assert!(self.out.contains(text), "expected `{text}` in:\n{}", self.out);
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}:\n{}\n{}", self.out, self.err))
    }
}

impl Folder {
    pub(crate) fn empty() -> Self {
        let root = tempfile::Builder::new().prefix("ms").tempdir().unwrap();
        let dir = fs::canonicalize(root.path()).unwrap().join("shop");
        fs::create_dir(&dir).unwrap();
        fs::create_dir(root.path().join("run")).unwrap();
        Self { root, dir }
    }

    pub(crate) fn with(toml: &str) -> Self {
        let folder = Self::empty();
        folder.write("mainstay.toml", toml);
        folder
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn top(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(Path::new(env!("CARGO_BIN_EXE_mainstay")), arguments)
    }

    pub(crate) fn command_of(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.dir).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("MAINSTAY_") {
                command.env_remove(name);
            }
        }
        command.env_remove("NO_COLOR").env_remove("COLUMNS");
        command.env("XDG_RUNTIME_DIR", self.root.path().join("run"));
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        self.command(arguments).output().unwrap().into()
    }

    /// Where the program looks for the daemon: it says so when there is none.
    pub(crate) fn socket(&self) -> PathBuf {
        let said = self.run(&["list"]).expect(69);
        let line = said.err.lines().next().unwrap();
        PathBuf::from(line.split_once(" at ").unwrap().1)
    }
}

/// A made-up daemon: each request is answered with what `answer` makes of it; nothing is answered with nothing.
pub(crate) struct Fake {
    pub(crate) socket: PathBuf,
    pub(crate) requests: Arc<Mutex<Vec<Value>>>,
}

impl Fake {
    pub(crate) fn start(
        folder: &Folder,
        answer: impl Fn(&Value) -> Vec<String> + Send + Sync + 'static,
    ) -> Self {
        let socket = folder.socket();
        fs::create_dir_all(socket.parent().unwrap()).unwrap();
        let listener = UnixListener::bind(&socket).unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen));
                std::thread::spawn(move || talk(stream, &*answer, &seen));
            }
        });
        Self { socket, requests }
    }

    pub(crate) fn seen(&self) -> Vec<Value> {
        self.requests.lock().unwrap().clone()
    }
}

fn talk(stream: UnixStream, answer: &dyn Fn(&Value) -> Vec<String>, seen: &Mutex<Vec<Value>>) {
    let mut writer = stream.try_clone().unwrap();
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        let request: Value = serde_json::from_str(&line).unwrap();
        seen.lock().unwrap().push(request.clone());
        for line in answer(&request) {
            if writeln!(writer, "{line}").is_err() {
                return;
            }
        }
    }
}

/// A service as the daemon tells of it.
pub(crate) fn service(name: &str, phase: &str, reason: &str) -> Value {
    json!({
        "name": name, "instance": null, "kind": "permanent", "phase": phase, "status": "ok", "wanted": true,
        "ready": phase == "running", "pid": if phase == "running" { Some(4242) } else { None }, "run": 1, "restarts": 0,
        "since": "2026-11-21T12:00:00Z", "exit": null, "reason": { "code": "some-code", "text": reason }, "next": null,
        "memory_bytes": null, "cpu_percent": null, "depends_on": [], "needed_by": [], "command": ["./it"],
        "log_dir": "/nowhere/logs/it",
    })
}

/// The reply to `list`, `status` and `follow`.
pub(crate) fn services(list: &[Value]) -> String {
    json!({
        "ok": true, "answer": "services", "schema_version": 1, "services": list,
        "config": { "project": "shop", "files": ["/srv/shop/mainstay.toml"], "fingerprint": "of another day" },
    })
    .to_string()
}

/// One row of the reply to `apply`, `start`, ….
pub(crate) fn settled(id: &str, named: bool, state: &str, phase: &str, reason: &str) -> Value {
    json!({ "id": id, "named": named, "state": state, "phase": phase, "reason": { "code": "some-code", "text": reason } })
}

/// The reply to `apply`, `start`, ….
pub(crate) fn done(rows: &[Value]) -> String {
    json!({ "ok": true, "answer": "done", "services": rows }).to_string()
}

/// A refusal.
pub(crate) fn refusal(code: &str, text: &str) -> String {
    json!({ "ok": false, "error": { "code": code, "text": text, "help": "do otherwise" } }).to_string()
}

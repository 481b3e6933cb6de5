//! The program under test as a process: its output by lines, its end, and the socket of its supervisor.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    os::unix::net::UnixDatagram,
    process::{Child, ChildStderr, Command, Output, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

/// In its environment, the executable is the program.
pub(crate) const PROGRAM: &str = "PROGRAM_UNDER_TEST";

/// Nothing here takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// The program with these words, in an empty folder of its own.
pub(crate) struct Program {
    command: Command,
    pub(crate) dir: tempfile::TempDir,
}

pub(crate) fn program(words: &[&str]) -> Program {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(words).current_dir(dir.path()).env_clear().env(PROGRAM, "1");
    // Where it can be called: two tests may run a service of one name at the same time.
    command.env("XDG_RUNTIME_DIR", dir.path());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Program { command, dir }
}

/// The same, as the first process of a namespace of its own.
pub(crate) fn in_namespace(words: &[&str]) -> Program {
    let own = program(words);
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--mount-proc"]).arg(std::env::current_exe().unwrap()).args(words);
    command.current_dir(own.dir.path()).env_clear().env(PROGRAM, "1");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Program { command, ..own }
}

/// The same, begun by a script that has this as its standard input and ends with `exec "$@"`.
pub(crate) fn through_shell(script: &str, input: Stdio, words: &[&str]) -> Ended {
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).arg(std::env::current_exe().unwrap()).args(words);
    command.env(PROGRAM, "1").stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ended::of(command.output().unwrap())
}

impl Program {
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        std::fs::write(self.dir.path().join(name), text).unwrap();
        self
    }

    /// To its end.
    pub(crate) fn ended(mut self) -> Ended {
        Ended::of(self.command.output().unwrap())
    }

    pub(crate) fn begin(mut self) -> Running {
        let mut child = self.command.spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap());
        Running { child, lines, said: String::new(), dir: self.dir }
    }

    /// With a supervisor that listens.
    pub(crate) fn begin_supervised(self) -> (Running, Supervisor) {
        let path = self.dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let path = path.to_str().unwrap().to_owned();
        (self.env("NOTIFY_SOCKET", &path).begin(), Supervisor(socket))
    }
}

/// A program that runs.
pub(crate) struct Running {
    child: Child,
    lines: BufReader<ChildStderr>,
    said: String,
    pub(crate) dir: tempfile::TempDir,
}

impl Running {
    /// Reads lines until one has these words.
    #[track_caller]
    pub(crate) fn until(&mut self, words: &str) {
        loop {
            let mut line = String::new();
            assert!(self.lines.read_line(&mut line).unwrap() > 0, "no `{words}` in:\n{}", self.said);
            self.said.push_str(&line);
            if line.contains(words) {
                return;
            }
        }
    }

    /// Reads lines until each of these words was in one.
    #[track_caller]
    pub(crate) fn until_all(&mut self, words: &[&str]) {
        let from = self.said.len();
        while let Some(words) = words.iter().find(|words| !self.said[from..].contains(**words)) {
            let mut line = String::new();
            assert!(self.lines.read_line(&mut line).unwrap() > 0, "no `{words}` in:\n{}", self.said);
            self.said.push_str(&line);
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The socket of a service that runs by hand.
    pub(crate) fn socket(&self, id: &str) -> std::path::PathBuf {
        self.dir.path().join("mainstay/calls").join(id)
    }

    /// Until it has ended well.
    #[track_caller]
    pub(crate) fn wait(&mut self) {
        assert!(self.child.wait().unwrap().success());
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Its folder, when it was killed.
    pub(crate) fn leave(mut self) -> tempfile::TempDir {
        self.child.wait().unwrap();
        self.dir
    }

    /// To its end.
    pub(crate) fn ended(mut self) -> Ended {
        self.lines.read_to_string(&mut self.said).unwrap();
        let status = self.child.wait().unwrap();
        Ended { code: status.code().unwrap_or(-1), out: String::new(), err: std::mem::take(&mut self.said) }
    }
}

/// How it ended, and what it said.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    #[track_caller]
    pub(crate) fn is(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        for words in words {
            assert!(
                self.err.contains(words) || self.out.contains(words),
                "no `{words}` in:\n{}{}",
                self.out,
                self.err
            );
        }
    }
}

/// The other end of `$NOTIFY_SOCKET`.
pub(crate) struct Supervisor(UnixDatagram);

impl Supervisor {
    /// The next thing that is said.
    #[track_caller]
    pub(crate) fn hears(&self, words: &str) {
        let mut bytes = [0; 4096];
        let count = self.0.recv(&mut bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
        assert!(text.contains(words), "`{text}`, where `{words}` was to come");
    }
}

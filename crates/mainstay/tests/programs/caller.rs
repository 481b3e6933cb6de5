//! The other end of a service's socket: lines of JSON, as any language would write them.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::{net::UnixStream, process::CommandExt as _},
    path::Path,
    process::{Command, ExitCode},
    time::Duration,
};

use serde_json::{Value, json};

/// In its environment, the executable asks a socket as whoever runs it: the path, and then the lines.
pub(crate) const CALLER: &str = "CALLER_UNDER_TEST";

/// Nothing here takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection.
pub(crate) struct Caller {
    stream: BufReader<UnixStream>,
}

impl Caller {
    pub(crate) fn connect(path: &Path) -> Self {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// No more will be asked.
    pub(crate) fn ends(&mut self) {
        self.stream.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
    }

    pub(crate) fn ask(&mut self, id: u64, method: &str, args: &Value) {
        let line = format!("{}\n", json!({ "id": id, "method": method, "args": args }));
        self.write(line.as_bytes()).unwrap();
    }

    /// The next line; `None` at the end.
    pub(crate) fn line(&mut self) -> Option<Value> {
        let mut line = String::new();
        // One that was closed with something unread is reset.
        if self.stream.read_line(&mut line).unwrap_or_default() == 0 {
            return None;
        }
        Some(serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")))
    }

    /// Asks and waits for the answer, past events.
    #[track_caller]
    pub(crate) fn answer(&mut self, method: &str, args: &Value) -> Value {
        self.ask(7, method, args);
        loop {
            let line = self.line().expect("an answer");
            if line["event"].is_null() {
                assert_eq!(line["id"], 7, "{line}");
                return line;
            }
        }
    }

    /// What was returned.
    #[track_caller]
    pub(crate) fn call(&mut self, method: &str, args: &Value) -> Value {
        let answer = self.answer(method, args);
        assert!(answer["error"].is_null(), "{answer}");
        answer["ok"].clone()
    }

    /// The code and the text of the error.
    #[track_caller]
    pub(crate) fn refused(&mut self, method: &str, args: &Value) -> (String, String) {
        error_of(&self.answer(method, args))
    }

    /// Waits for this event.
    #[track_caller]
    pub(crate) fn event(&mut self, name: &str) -> Value {
        loop {
            let line = self.line().expect("an event");
            if line["event"] == name {
                return line["data"].clone();
            }
        }
    }
}

#[track_caller]
pub(crate) fn error_of(line: &Value) -> (String, String) {
    let text = |name: &str| line["error"][name].as_str().unwrap_or_else(|| panic!("{line}")).to_owned();
    (text("code"), text("text"))
}

/// Asks as this user, who knows the executable only when all can read it; what was answered, a line each, or why it could
/// not be.
pub(crate) fn ask_as(user: u32, executable: &Path, socket: &Path, lines: &[Value]) -> String {
    let mut command = Command::new(executable);
    command.env_clear().env(CALLER, "1").current_dir("/").uid(user).gid(user);
    command.arg(socket).args(lines.iter().map(ToString::to_string));
    let output = command.output().unwrap();
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
}

/// What the executable does with [`CALLER`] in its environment.
#[allow(clippy::print_stdout, reason = "that is how it tells")]
pub(crate) fn call_as_another() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let path = words.next().unwrap();
    let stream = match UnixStream::connect(&path) {
        Ok(stream) => stream,
        Err(error) => {
            println!("cannot connect: {error}");
            return ExitCode::FAILURE;
        }
    };
    drop(stream);
    let mut caller = Caller::connect(Path::new(&path));
    for word in words {
        caller.write(format!("{word}\n").as_bytes()).unwrap();
        println!("{}", caller.line().unwrap_or_default());
    }
    ExitCode::SUCCESS
}

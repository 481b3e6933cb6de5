//! A program as a process in an empty folder: what it logs, line by line, and its end. Every wait has a deadline.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, Stdio},
    sync::mpsc::{Receiver, sync_channel},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use mainstay_host::{Process, process_usage, start_time};
use mainstay_model::Signal;

/// Nothing here takes longer.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Between two looks at whether a program has ended.
const LOOK: Duration = Duration::from_millis(2);

/// Lines that wait to be read; a program that logs more waits itself.
const LINES_LIMIT: usize = 1024;

/// A program, and the folder in which it is run.
pub(super) struct Program {
    file: PathBuf,
    dir: tempfile::TempDir,
}

impl Program {
    /// In a folder of its own, with nothing in it.
    pub(super) fn new(file: &Path) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("mainstay-").tempdir().context("cannot make a folder")?;
        Ok(Self { file: file.to_owned(), dir })
    }

    /// A file in its folder.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// With these words. Nothing of this process's environment has a say.
    pub(super) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.file);
        command.args(words).current_dir(self.dir.path()).env_clear().stdin(Stdio::null());
        // Where it can be called, and where its settings may be.
        command.env("XDG_RUNTIME_DIR", self.dir.path()).env("HOME", self.dir.path());
        command
    }

    /// What it prints, once it has ended well.
    pub(super) fn output(&self, words: &[&str]) -> Result<String> {
        println!("$ {} {}", self.name(), words.join(" "));
        crate::read_output(&mut self.command(words))
    }

    /// Begins it.
    pub(super) fn begin(&self, words: &[&str]) -> Result<Running> {
        println!("$ {} {} &", self.name(), words.join(" "));
        Running::begin(&mut self.command(words))
    }

    fn name(&self) -> String {
        self.file.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// A program that runs; it is killed when this is dropped.
pub(super) struct Running {
    child: Child,
    lines: Receiver<String>,
    heard: String,
}

impl Running {
    pub(super) fn begin(command: &mut Command) -> Result<Self> {
        let spawned = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.with_context(|| format!("cannot run `{}`", crate::line(command)))?;
        let stderr = child.stderr.take().context("it has no standard error")?;
        Ok(Self { child, lines: read_lines(stderr), heard: String::new() })
    }

    /// The next line with these words.
    pub(super) fn until(&mut self, words: &str) -> Result<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                bail!("it does not log `{words}`, but this:\n{}", self.heard);
            };
            self.heard.push_str(&format!("{line}\n"));
            if line.contains(words) {
                return Ok(line);
            }
        }
    }

    /// Its resident memory, in bytes.
    pub(super) fn resident(&self) -> Result<u64> {
        Ok(process_usage(self.child.id()).context("it does not run any more")?.resident_bytes)
    }

    /// Asks it to end, which it does well.
    pub(super) fn end(mut self) -> Result<()> {
        let pid = self.child.id();
        let process = start_time(pid).and_then(|start| Process::open(pid, start));
        process.context("it does not run any more")?.signal(Signal::TERM);
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "asked to end, it ended with {status}");
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "asked to end, it has not within {PATIENCE:?}");
            thread::sleep(LOOK);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended is killed in vain.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// On a thread of their own, until there are no more.
fn read_lines(stderr: ChildStderr) -> Receiver<String> {
    let (send, lines) = sync_channel(LINES_LIMIT);
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            // Who does not listen any more lets the program log on.
            let _ = send.send(line);
        }
    });
    lines
}

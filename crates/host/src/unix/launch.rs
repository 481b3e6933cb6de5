//! Starting an anchor away from the terminal, and running a program in place of ourselves.

use std::{
    ffi::OsStr,
    fs::{File, OpenOptions},
    io::{self, Read},
    os::{
        fd::AsFd,
        unix::{
            fs::OpenOptionsExt,
            process::{CommandExt, ExitStatusExt},
        },
    },
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The anchor's log is cut before a start when it is larger than this.
const LOG_LIMIT: u64 = 1024 * 1024;

/// The longest answer of an anchor that is read, in bytes.
const ANSWER_LIMIT: usize = 64 * 1024;

/// An anchor that was just started.
#[derive(Debug)]
pub struct AnchorChild {
    process: Child,
    answer: Option<ChildStdout>,
}

impl AnchorChild {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Waits until the anchor said its one line (`up`, or `error TEXT`), without the line end. Empty: it closed the pipe
    /// without a word, as one that died does.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`], or a read that failed.
    pub fn answer(&mut self, patience: Duration) -> io::Result<String> {
        let Some(mut pipe) = self.answer.take() else { return Ok(String::new()) };
        let end = Instant::now() + patience;
        let mut bytes = Vec::new();
        let mut part = [0; 1024];
        while !bytes.contains(&b'\n') && bytes.len() < ANSWER_LIMIT {
            wait_readable(&pipe, end.saturating_duration_since(Instant::now()))?;
            match pipe.read(&mut part)? {
                0 => break,
                count => bytes.extend_from_slice(part.get(..count).unwrap_or_default()),
            }
        }
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        Ok(String::from_utf8_lossy(line).into_owned())
    }

    /// Its end, when it has ended.
    ///
    /// # Errors
    /// As [`Child::try_wait`].
    pub fn try_wait(&mut self) -> io::Result<Option<ProgramEnd>> {
        Ok(self.process.try_wait()?.map(ProgramEnd::from))
    }
}

fn wait_readable(pipe: &impl AsFd, patience: Duration) -> io::Result<()> {
    let mut polled = [PollFd::new(pipe, PollFlags::IN)];
    let patience = Timespec::try_from(patience).map_err(io::Error::other)?;
    match poll(&mut polled, Some(&patience)) {
        Ok(0) => Err(io::ErrorKind::TimedOut.into()),
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Starts an anchor: in a session of its own, away from the terminal, with `/` as its folder; its standard error goes
/// to the end of `log_path`, its standard output is the pipe behind [`AnchorChild::answer`].
///
/// # Errors
/// The log cannot be opened, or the program cannot be started.
pub fn start_anchor<S: AsRef<OsStr>>(
    exe: &Path,
    args: impl IntoIterator<Item = S>,
    log_path: &Path,
) -> io::Result<AnchorChild> {
    let mut command = Command::new(exe);
    command
        .args(args)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(open_log(log_path)?);
    // SAFETY: `setsid` is async-signal-safe, and the closure touches nothing else.
    unsafe {
        command.pre_exec(|| rustix::process::setsid().map(|_| ()).map_err(io::Error::from));
    }
    let mut process = command.spawn()?;
    let answer = process.stdout.take();
    Ok(AnchorChild { process, answer })
}

fn open_log(path: &Path) -> io::Result<File> {
    let file =
        OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(libc::O_NOFOLLOW).open(path)?;
    if file.metadata()?.len() > LOG_LIMIT {
        file.set_len(0)?;
    }
    Ok(file)
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgramEnd {
    /// With this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl From<std::process::ExitStatus> for ProgramEnd {
    fn from(status: std::process::ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, Some(number)) => Self::Signal(number),
            (None, None) => Self::Code(1),
        }
    }
}

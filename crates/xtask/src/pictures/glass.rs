//! A terminal as a person sits before one: a program on a real pty, and what it made of the screen.

use std::{
    fs::File,
    io::{Read, Write},
    num::NonZero,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

/// How long a verb may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A screen on which nothing but numbers changed for this long is worth a picture: twice as long as a view waits for news.
const STILL: Duration = Duration::from_secs(2);

/// How often a screen is looked at.
const GLANCE: Duration = Duration::from_millis(20);

/// When a screen is worth a picture.
#[derive(Clone, Copy, Debug)]
pub(super) enum Until<'a> {
    /// When the program has ended.
    Ended,
    /// When it shows this text and nothing changes but numbers; `q` is pressed then.
    Still(&'a str),
}

/// Runs a command on a terminal of this size; how the screen is then.
pub(super) fn watch(command: &Command, columns: u16, rows: u16, until: Until<'_>) -> Result<vt100::Screen> {
    let (size_rows, size_columns) = (cells(rows)?, cells(columns)?);
    let (master, slave) = open(columns, rows).context("cannot open a terminal")?;
    let mut child = Killed(on_terminal(command, slave)?);
    let seen = Arc::new(Mutex::new(vt100::Parser::new(size_rows, size_columns, 0)));
    let reader = thread::spawn({
        let (master, seen) = (master.try_clone()?, Arc::clone(&seen));
        move || read(master, &seen)
    });
    let mut picture = None;
    if let Until::Still(text) = until {
        picture = Some(still(&seen, text)?);
        (&master).write_all(b"q").context("cannot press a key")?;
    }
    child.wait()?;
    // It reads on until nobody has the terminal open any more.
    reader.join().map_err(|_| anyhow::anyhow!("the terminal's reader broke"))?;
    let last = lock(&seen).screen().clone();
    Ok(picture.unwrap_or(last))
}

/// What a command writes without a terminal.
pub(super) fn piped(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output();
    let output = output.with_context(|| format!("cannot run `{}`", crate::line(command)))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn open(columns: u16, rows: u16) -> Result<(File, File)> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let name = ptsname(&master, Vec::new())?.into_string()?;
    let slave = File::options().read(true).write(true).open(name)?;
    tcsetwinsize(&slave, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 })?;
    Ok((File::from(master), slave))
}

fn cells(count: u16) -> Result<NonZero<u16>> {
    NonZero::new(count).context("a terminal has at least one row and one column")
}

/// `setsid(1)` makes the terminal the program's own.
fn on_terminal(command: &Command, slave: File) -> Result<Child> {
    let mut setsid = Command::new("setsid");
    setsid.arg("--ctty").arg(command.get_program()).args(command.get_args());
    if let Some(dir) = command.get_current_dir() {
        setsid.current_dir(dir);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => setsid.env(name, value),
            None => setsid.env_remove(name),
        };
    }
    setsid.stdin(slave.try_clone()?).stdout(slave.try_clone()?).stderr(slave);
    setsid.spawn().with_context(|| format!("cannot run `{}`", crate::line(&setsid)))
}

fn read(mut master: File, seen: &Mutex<vt100::Parser>) {
    let mut buffer = [0; 64 * 1024];
    while let Ok(count @ 1..) = master.read(&mut buffer) {
        lock(seen).process(buffer.get(..count).unwrap_or_default());
    }
}

fn still(seen: &Mutex<vt100::Parser>, text: &str) -> Result<vt100::Screen> {
    let deadline = Instant::now() + PATIENCE;
    let (mut before, mut since) = (String::new(), Instant::now());
    while Instant::now() < deadline {
        let screen = lock(seen).screen().clone();
        let now: String = screen.contents().chars().filter(|c| !c.is_ascii_digit()).collect();
        if now != before {
            (before, since) = (now, Instant::now());
        } else if screen.contents().contains(text) && since.elapsed() > STILL {
            return Ok(screen);
        }
        thread::sleep(GLANCE);
    }
    bail!("waited {PATIENCE:?} for `{text}` to stand still in:\n{before}")
}

fn lock(seen: &Mutex<vt100::Parser>) -> MutexGuard<'_, vt100::Parser> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does not outlive its picture.
struct Killed(Child);

impl Killed {
    fn wait(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.0.try_wait()?.is_none() {
            if Instant::now() > deadline {
                bail!("it did not end within {PATIENCE:?}");
            }
            thread::sleep(GLANCE);
        }
        Ok(())
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        // It has ended already when all went well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

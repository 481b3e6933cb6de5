//! A service of the soak: writes numbered lines, ends when its dice or the driver say so, and writes down by itself what it
//! did. Knows nothing of Mainstay but the variables that every service is given.

use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::{net::UnixDatagram, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use mainstay_host::{monotonic_nanos, read_stat};
use mainstay_model::{Exit, Signal};

use super::{
    dice::Dice,
    line::Line,
    truth::{Begin, CALM, Counter, End, MAIN, Recorder},
};

/// How often a writer writes.
const TICK: Duration = Duration::from_millis(10);

/// Lives of writers, in milliseconds.
const LIFE: (u64, u64) = (3_000, 20_000);

/// Lines of a service that runs once.
const ONCE_LINES: u64 = 500;

/// The streams of helpers: one in the group of its service, one in a group of its own, one that writes nothing and holds the
/// output open.
const HELPERS: [&str; 3] = ["near", "far", "mute"];

/// Lines a second of a helper.
const HELPER_RATE: u64 = 30;

/// What somebody is told to end with.
pub(super) const END: &[u8] = b"end";

/// What somebody is told to go on with.
pub(super) const GO_ON: &[u8] = b"go on";

/// Signals that a writer ends itself by; two of them are ignored by the anchor.
const SIGNALS: [Signal; 5] = [Signal::KILL, Signal::TERM, Signal::HUP, Signal::INT, Signal::ABRT];

/// What a writer is, beyond writing lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It lives, and ends.
    Plain,
    /// It has helpers.
    Forking,
    /// It ends well after some lines.
    Once,
}

impl Kind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Forking => "forking",
            Self::Once => "once",
        }
    }
}

/// What a writer is told when it is started.
struct Orders {
    dir: PathBuf,
    service: String,
    kind: Kind,
    rate: u64,
    seed: u64,
    /// From then on it writes nothing: whoever drives this is no more.
    until: u64,
}

/// The socket on which a writer of this folder listens.
pub(super) fn socket(dir: &Path) -> PathBuf {
    dir.join("sock")
}

/// `soak-writer DIR SERVICE KIND RATE SEED UNTIL`, or `soak-writer helper SERVICE RUN STREAM COUNTER UNTIL`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["helper", service, run, stream, counter, until] => {
            help(Line { service, run: run.parse()?, stream, number: 0 }, Path::new(counter), until.parse()?)
        }
        [dir, service, kind, rate, seed, until] => {
            let kinds = [Kind::Plain, Kind::Forking, Kind::Once];
            let kind = kinds.into_iter().find(|it| it.word() == kind).context("no such kind")?;
            let (dir, service) = (PathBuf::from(dir), service.to_owned());
            let (rate, seed, until) = (rate.parse()?, seed.parse()?, until.parse()?);
            serve(&Orders { dir, service, kind, rate, seed, until })
        }
        _ => bail!("`soak-writer` is for `cargo xtask soak` alone"),
    }
}

fn serve(orders: &Orders) -> Result<()> {
    let Orders { dir, service, kind, .. } = orders;
    let lock = dir.join("lock");
    let lock = File::create(&lock).with_context(|| format!("cannot create `{}`", lock.display()))?;
    let begin = Begin {
        at: monotonic_nanos(),
        id: run_id(),
        is_second: matches!(lock.try_lock(), Err(TryLockError::WouldBlock)),
        has_leftover: HELPERS.iter().any(|helper| has_leftover(dir, helper)),
        previous: std::env::var("MAINSTAY_PREVIOUS_EXIT").unwrap_or_default(),
    };
    let recorder = Recorder::begin(dir, &begin)?;
    let inbox = listen(dir)?;
    let mut dice = Dice::new(orders.seed ^ recorder.number, service);
    let exit = if *kind == Kind::Once { Exit::Code(0) } else { planned(&mut dice) };
    let life = dice.between(LIFE.0, LIFE.1) * 1_000_000;
    let counter = Counter::open(&recorder.counter(MAIN))?;
    if *kind == Kind::Forking {
        HELPERS.iter().try_for_each(|helper| fork(orders, &recorder, helper))?;
    }
    let mut stream = Stream {
        line: Line { service, run: recorder.number, stream: MAIN, number: 0 },
        counter,
        begun: begin.at,
        rate: orders.rate,
        until: orders.until,
        text: String::new(),
    };
    let mut is_calm = dir.parent().is_some_and(|all| all.join(CALM).exists());
    loop {
        stream.write_due()?;
        let is_over = match kind {
            Kind::Once => stream.line.number >= ONCE_LINES,
            Kind::Plain | Kind::Forking => !is_calm && monotonic_nanos() > begin.at + life,
        };
        match told(&inbox) {
            Some(GO_ON) => is_calm = true,
            Some(_) if !is_calm => break,
            Some(_) => {}
            None if is_over => break,
            None => {}
        }
    }
    recorder.end(&End { at: monotonic_nanos(), how: exit.to_string() })?;
    end(exit)
}

/// What Mainstay calls this run: the last part of `PROJECT.SERVICE.RUN`.
fn run_id() -> u64 {
    let id = std::env::var("MAINSTAY_RUN_ID").unwrap_or_default();
    id.rsplit('.').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn planned(dice: &mut Dice) -> Exit {
    match dice.between(0, 2) {
        0 => Exit::Signal(dice.one_of(&SIGNALS.map(Some)).unwrap_or(Signal::KILL)),
        _ => Exit::Code(i32::try_from(dice.between(0, 90)).unwrap_or(0)),
    }
}

/// One that cannot end as it said ends with a code that is never planned.
fn end(exit: Exit) -> Result<()> {
    match exit {
        Exit::Code(code) => std::process::exit(code),
        Exit::Signal(signal) => {
            let own = read_stat(std::process::id()).map(|row| row.start_time);
            let own = own.and_then(|start| mainstay_host::Process::open(std::process::id(), start));
            own.context("cannot find itself")?.signal(signal);
            std::thread::sleep(Duration::from_secs(1));
            std::process::exit(99)
        }
        Exit::Unknown => bail!("nobody plans this"),
    }
}

fn listen(dir: &Path) -> Result<UnixDatagram> {
    let path = socket(dir);
    // That of the run before.
    let _ = fs::remove_file(&path);
    let inbox = UnixDatagram::bind(&path).with_context(|| format!("cannot bind `{}`", path.display()))?;
    inbox.set_read_timeout(Some(TICK)).context("cannot set how long it waits")?;
    Ok(inbox)
}

/// Waits for as long as a tick is.
fn told(inbox: &UnixDatagram) -> Option<&'static [u8]> {
    let mut word = [0; 16];
    let count = inbox.recv(&mut word).ok()?;
    [END, GO_ON].into_iter().find(|known| word.get(..count) == Some(*known))
}

/// Lines at a rate.
struct Stream<'a> {
    line: Line<'a>,
    counter: Counter,
    begun: u64,
    rate: u64,
    until: u64,
    text: String,
}

impl Stream<'_> {
    /// Writes what is due by now: one that had to wait catches up.
    fn write_due(&mut self) -> Result<()> {
        let now = monotonic_nanos();
        if now > self.until {
            return Ok(());
        }
        let due = now.saturating_sub(self.begun) / 1_000_000 * self.rate / 1_000;
        while self.line.number < due {
            self.line.number += 1;
            self.line.write(&mut self.text);
            write_whole(self.text.as_bytes())?;
            self.counter.set(self.line.number)?;
        }
        Ok(())
    }
}

/// One `write(2)`, which a pipe takes whole or not at all.
fn write_whole(text: &[u8]) -> Result<()> {
    loop {
        match rustix::io::write(io::stdout(), text) {
            Ok(count) if count == text.len() => return Ok(()),
            Ok(count) => bail!("a pipe took {count} bytes of {}", text.len()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => bail!("cannot write: {error}"),
        }
    }
}

fn helper_lock(dir: &Path, helper: &str) -> PathBuf {
    dir.join(format!("lock-{helper}"))
}

/// Whether the helper of an earlier run is there.
fn has_leftover(dir: &Path, helper: &str) -> bool {
    let lock = File::open(helper_lock(dir, helper));
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Starts a helper, which ends when somebody kills it.
fn fork(orders: &Orders, recorder: &Recorder, helper: &str) -> Result<()> {
    let own = std::env::current_exe().context("cannot find its own file")?;
    let mut command = Command::new(own);
    command.args(["soak-writer", "helper", &orders.service, &recorder.number.to_string(), helper]);
    command.arg(recorder.counter(helper)).arg(orders.until.to_string()).stdin(Stdio::null());
    if helper == "far" {
        command.process_group(0);
    }
    command.spawn().with_context(|| format!("cannot start the helper `{helper}`"))?;
    Ok(())
}

fn help(line: Line<'_>, counter: &Path, until: u64) -> Result<()> {
    let dir = counter.parent().unwrap_or(counter);
    let lock = File::create(helper_lock(dir, line.stream)).context("cannot create a lock")?;
    lock.try_lock().context("the helper before is there")?;
    let (counter, begun, rate) = (Counter::open(counter)?, monotonic_nanos(), HELPER_RATE);
    let is_mute = line.stream == "mute";
    let mut stream = Stream { line, counter, begun, rate, until, text: String::new() };
    loop {
        if !is_mute {
            stream.write_due()?;
        }
        std::thread::sleep(TICK);
    }
}

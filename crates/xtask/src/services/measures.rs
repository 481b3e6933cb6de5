//! What the smallest program weighs as it would be shipped. Its speed is told, for it is the machine's as well.
//!
//! The promise is 3,000,000 bytes and 4,000,000 resident. It has been missed since the launcher is part of each program (the
//! description of projects and the decisions come with it): the limits here keep it from growing further, and each run tells
//! both figures.

use std::{
    fs,
    os::unix::net::UnixDatagram,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use super::running::{PATIENCE, Program, Running};

/// The size of the program, in bytes.
const SIZE_PROMISED: u64 = 3_000_000;
const SIZE_LIMIT: u64 = 3_100_000;

/// Its resident memory once it is ready, in bytes.
const RESIDENT_PROMISED: u64 = 4_000_000;
const RESIDENT_LIMIT: u64 = 4_400_000;

/// How soon it is to be ready.
const READY_AIM: Duration = Duration::from_millis(5);

/// How often that is looked at.
const STARTS: usize = 20;

/// The most of what a program tells its supervisor at once, in bytes.
const WORDS_LIMIT: usize = 4096;

/// Weighs it.
pub(super) fn all(file: &Path) -> Result<()> {
    let size = fs::metadata(file).with_context(|| format!("cannot find `{}`", file.display()))?.len();
    let program = Program::new(file)?;
    let path = program.path("notify");
    let socket = UnixDatagram::bind(&path).context("cannot listen to it")?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut times = Vec::new();
    let mut resident = 0;
    for _ in 0..STARTS {
        let mut command = program.command(&["-"]);
        command.env("NOTIFY_SOCKET", &path);
        let from = Instant::now();
        let mut running = Running::begin(&mut command)?;
        wait_for_ready(&socket)?;
        times.push(from.elapsed());
        running.until("Hello World!")?;
        resident = resident.max(running.resident()?);
        running.end()?;
    }
    times.sort_unstable();
    let median = times.get(STARTS / 2).copied().unwrap_or_default();
    println!(
        "{size} bytes of {SIZE_PROMISED} promised; {resident} resident of {RESIDENT_PROMISED} promised; ready after {median:?}, the median of {STARTS} \
         (the aim is {READY_AIM:?})"
    );
    ensure!(size < SIZE_LIMIT, "it has {size} bytes; {SIZE_LIMIT} are too many");
    ensure!(resident < RESIDENT_LIMIT, "{resident} bytes are resident; {RESIDENT_LIMIT} are too many");
    Ok(())
}

/// Past what the one before said at its end.
fn wait_for_ready(socket: &UnixDatagram) -> Result<()> {
    let mut words = [0; WORDS_LIMIT];
    loop {
        let length = socket.recv(&mut words).context("it does not say that it is ready")?;
        if words.get(..length).unwrap_or_default().starts_with(b"READY=1") {
            return Ok(());
        }
    }
}

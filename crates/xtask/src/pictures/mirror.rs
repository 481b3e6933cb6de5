//! A socket between the program and the daemon that shows samples where something differs from run to run.

use std::{
    fs,
    io::{self, BufRead, BufReader, Write},
    net::Shutdown,
    os::unix::{
        fs::symlink,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use anyhow::{Context as _, Result};
use jiff::Timestamp;

use super::steady::Steady;

/// The name of the daemon's socket in its folder.
const SOCKET: &str = "sock";

/// Stands before a project's daemon until it is dropped.
#[derive(Debug)]
pub(super) struct Mirror {
    /// What points from the project's state to the folder of its socket.
    pointer: PathBuf,
    /// Where it pointed.
    real: PathBuf,
}

impl Mirror {
    /// Leads the program of this project here.
    pub(super) fn before(project: &Path, folder: &Path) -> Result<Self> {
        let pointer = project.join(".mainstay/run");
        let real = fs::read_link(&pointer).with_context(|| format!("cannot read `{}`", pointer.display()))?;
        // It is the project's only when it is called as the real one.
        let own = folder.join(real.file_name().unwrap_or_default());
        fs::create_dir_all(&own).with_context(|| format!("cannot make `{}`", own.display()))?;
        let listener = UnixListener::bind(own.join(SOCKET)).context("cannot listen")?;
        let target = real.join(SOCKET);
        let steady = Arc::new(Mutex::new(Steady::default()));
        // It ends with the process.
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (target, steady) = (target.clone(), Arc::clone(&steady));
                // A program that goes away is no error, and neither is a daemon.
                thread::spawn(move || relay(stream, &target, &steady));
            }
        });
        point(&pointer, &own)?;
        Ok(Self { pointer, real })
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        if let Err(error) = point(&self.pointer, &self.real) {
            println!("{error:#}");
        }
    }
}

fn point(pointer: &Path, to: &Path) -> Result<()> {
    let next = pointer.with_extension("next");
    let result = symlink(to, &next).and_then(|()| fs::rename(&next, pointer));
    result.with_context(|| format!("cannot point `{}` to `{}`", pointer.display(), to.display()))
}

/// Requests as they are, answers with samples in them.
fn relay(near: UnixStream, target: &Path, steady: &Mutex<Steady>) -> io::Result<()> {
    let far = UnixStream::connect(target)?;
    let (mut from_near, mut to_far) = (near.try_clone()?, far.try_clone()?);
    thread::spawn(move || {
        let copied = io::copy(&mut from_near, &mut to_far);
        to_far.shutdown(Shutdown::Write).and(copied)
    });
    let mut to_near = &near;
    for line in BufReader::new(far).lines() {
        let line = steady.lock().unwrap_or_else(PoisonError::into_inner).line(&line?, Timestamp::now());
        to_near.write_all(format!("{line}\n").as_bytes())?;
    }
    near.shutdown(Shutdown::Both)
}

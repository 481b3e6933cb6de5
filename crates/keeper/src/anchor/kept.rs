//! What an anchor has, on its way through an `execve`: everything stays where it is, and has to be found again. The process
//! was the anchor before, or a keeper that lost its own.

use std::{
    collections::BTreeMap,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
    time::Duration,
};

use mainstay_host::{Limits, Lock, adopt_orphans, kept_descriptor, memory_file, read_whole, replace_program};
use mainstay_wire::{AnchorState, KeptFile, UpgradeView};

use super::{Anchor, Senses, keeper::Seat, orphans::Orphans, trial::arrived};
use crate::{
    lock::had_or_told,
    options::{ANCHOR_LOCK, Options, own_environment},
    report::say,
};

/// How long another anchor may take to find out that it is not needed.
const RIVAL_PATIENCE: Duration = Duration::from_secs(5);

/// What is to be handed over, as a file without a name.
pub(crate) fn state_file(state: &AnchorState) -> Result<OwnedFd, String> {
    memory_file("anchor-state", &state.encode()?)
        .map_err(|error| format!("its state cannot be kept: {error}"))
}

/// Becomes an anchor that has what this file tells of, as this program. All that it tells of is to be kept open. Returns only
/// when that cannot be: why.
pub(crate) fn become_anchor<'a>(
    options: &Options,
    program: &Path,
    state: &'a OwnedFd,
    mut keep: Vec<BorrowedFd<'a>>,
    limits: &Limits,
) -> io::Error {
    let mut words = options.words(program, "anchor");
    words.extend(["--take-over".to_owned(), state.as_raw_fd().to_string()]);
    keep.push(state.as_fd());
    replace_program(program, &words, &own_environment(), &keep, limits)
}

pub(crate) fn kept((name, descriptor): (&String, &OwnedFd)) -> KeptFile {
    KeptFile { name: name.clone(), descriptor: descriptor.as_raw_fd() }
}

pub(crate) fn kept_lock(lock: &Lock) -> KeptFile {
    KeptFile { name: lock.path().to_string_lossy().into_owned(), descriptor: lock.as_fd().as_raw_fd() }
}

/// Takes everything over from the program that this process was before.
pub(super) fn take_over(options: Options, state: i32) -> Result<Anchor, String> {
    let failed = |error: io::Error| format!("the anchor cannot go on: {error}");
    // Below the limit that we found there may be no descriptor left.
    let limits = Limits::raise();
    let bytes = kept_descriptor(state).and_then(read_whole).map_err(failed)?;
    let state = AnchorState::decode(&bytes)?;
    let senses = Senses::new().map_err(failed)?;
    adopt_orphans().map_err(failed)?;
    let mut seat = Seat::new(options.clone(), limits);
    if let Some(keeper) = state.keeper {
        let socket = kept_descriptor(keeper.descriptor).map_err(failed)?;
        seat.take_over(keeper.pid, socket, &senses.poller).map_err(failed)?;
    }
    let locks: Result<Vec<Lock>, String> = state.locks.iter().map(lock).collect();
    let mut locks = locks?;
    if !state.keeper_locks.is_empty() {
        let guards: Result<Vec<Lock>, String> = state.keeper_locks.iter().map(lock).collect();
        let guards = guards?;
        locks.extend([&options.run_dir, &options.state_dir].into_iter().filter_map(|dir| claim(dir)));
        // Only now may a keeper of ours take them.
        drop(guards);
    }
    let held: Result<BTreeMap<String, OwnedFd>, String> = state.held.iter().map(held).collect();
    if let Some(UpgradeView { number, program, .. }) = &state.upgrade {
        say(format_args!("upgrade {number}: the anchor is `{program}`"));
    }
    Ok(Anchor {
        locks,
        held: held?,
        orphans: state.orphans.into_iter().collect::<Orphans>(),
        fosters: state.fosters,
        answered: state.answered,
        terminating: state.terminating,
        upgraded: state.upgrade.map(arrived),
        ..Anchor::new(options, senses, seat)
    })
}

/// The anchor's lock there. Nobody else can keep it, since we have the keeper's; without it services are held all the same.
fn claim(dir: &Path) -> Option<Lock> {
    had_or_told(&dir.join(ANCHOR_LOCK), RIVAL_PATIENCE)
}

fn lock(file: &KeptFile) -> Result<Lock, String> {
    Ok(Lock::kept(open(file)?, PathBuf::from(&file.name)))
}

fn held(file: &KeptFile) -> Result<(String, OwnedFd), String> {
    Ok((file.name.clone(), open(file)?))
}

fn open(file: &KeptFile) -> Result<OwnedFd, String> {
    kept_descriptor(file.descriptor).map_err(|error| format!("`{}` is not open any more: {error}", file.name))
}

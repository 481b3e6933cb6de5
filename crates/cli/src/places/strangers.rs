//! Folders that somebody else made where everybody may: told from those that may be trusted by their owners alone.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use crate::{exit::Exit, failure::Failure};

/// The bit by which everybody may write into a folder.
const EVERYBODY_WRITES: u32 = 0o002;

/// Who owns this; a link itself is meant, and not what it leads to.
pub(super) fn owner(path: &Path) -> Option<u32> {
    fs::symlink_metadata(path).ok().map(|data| data.uid())
}

/// The owner of this, when something is there and is of none of these.
pub(super) fn of(path: &Path, trusted: &[u32]) -> Option<u32> {
    owner(path).filter(|owner| !trusted.contains(owner))
}

/// The first of a folder and the one above it that is of none of these: whoever owns the one above can put another in its place.
pub(super) fn beside<'a>(path: &'a Path, trusted: &[u32]) -> Option<(&'a Path, u32)> {
    let both = [path.parent(), Some(path)].into_iter().flatten();
    both.filter_map(|path| Some((path, of(path, trusted)?))).next()
}

/// Refuses a folder of sockets that somebody else has made before us.
pub(super) fn refuse(run_dir: &Path, trusted: &[u32]) -> Result<(), Failure> {
    let Some((path, owner)) = beside(run_dir, trusted) else { return Ok(()) };
    let (path, run_dir) = (path.display(), run_dir.display());
    let text =
        format!("`{path}` belongs to user {owner}, and the sockets of this project would be in `{run_dir}`");
    Err(Failure::new(Exit::NotPermitted, text).with_help(
        "remove it, or set XDG_RUNTIME_DIR to a directory of yours: whoever made it could answer in the daemon's place",
    ))
}

/// Refuses what was found without having been named, in a folder where everybody may leave something for us to find.
pub(super) fn refuse_planted(found: &Path, trusted: &[u32]) -> Result<(), Failure> {
    let is_everybodys = |dir: &Path| fs::metadata(dir).is_ok_and(|data| data.mode() & EVERYBODY_WRITES != 0);
    let Some(owner) = of(found, trusted).filter(|_| found.parent().is_some_and(is_everybodys)) else {
        return Ok(());
    };
    let text = format!("{} belongs to user {owner}, and everybody may write where it is", found.display());
    let help = format!("`-f {}` takes it nevertheless", found.display());
    Err(Failure::new(Exit::NotPermitted, text).with_help(help))
}

//! A lock without which it goes on all the same: that it could not be had is told. What it guards is not known here.

use std::{path::Path, time::Duration};

use mainstay_host::{Asked, Lock};

use crate::report::say;

/// Asks for a lock, and waits this long for whoever has it to end.
pub(crate) fn had_or_told(path: &Path, patience: Duration) -> Option<Lock> {
    match Lock::ask_patiently(path, patience) {
        Ok(Asked::Held(lock)) => return Some(lock),
        Ok(Asked::Busy(holder)) => {
            say(format_args!("`{}` is held by another{}", path.display(), holder.in_brackets()));
        }
        Err(error) => say(format_args!("cannot lock `{}`: {error}", path.display())),
    }
    None
}

//! The bound of all log files of all services together. Asked by the pump between two batches, so that no file that it
//! deletes is one that a batch under way depends on.

use std::{fs, io, path::Path};

use super::rotated::{Listing, Rotated};
use crate::report::say;

/// When the bound is reached, this part of it is made free, so that not every rotation has to look at everything.
const SLACK_PART: u64 = 16;

/// What is known of all log files.
#[derive(Debug, Default)]
pub(super) struct Budget {
    /// Their bytes when they were last looked at, and what was written since; `None` before the first look.
    used: Option<u64>,
}

impl Budget {
    /// Bytes were written.
    pub(super) fn add(&mut self, bytes: u64) {
        self.used = self.used.map(|used| used.saturating_add(bytes));
    }

    /// Deletes the oldest rotated files of all folders under `root` until `limit` holds. What is written to and the newest
    /// rotated file of each folder stay.
    pub(super) fn enforce(&mut self, root: &Path, limit: u64) {
        if self.used.is_some_and(|used| used <= limit) {
            return;
        }
        match free(root, limit) {
            Ok(used) => self.used = Some(used),
            Err(error) => say(format_args!("cannot look at all logs in `{}`: {error}", root.display())),
        }
    }
}

/// Bytes that are left.
fn free(root: &Path, limit: u64) -> io::Result<u64> {
    let mut used = 0_u64;
    let mut files: Vec<Rotated> = Vec::new();
    for entry in fs::read_dir(root)? {
        let Ok(listing) = Listing::of(&entry?.path()) else { continue };
        let newest = listing.newest();
        used += listing.others + listing.rotated.iter().map(|file| file.size).sum::<u64>();
        files.extend(listing.rotated.into_iter().filter(|file| Some(file.number) != newest));
    }
    if used <= limit {
        return Ok(used);
    }
    files.sort_by(|a, b| (&a.time, a.number).cmp(&(&b.time, b.number)));
    let wanted = limit - limit / SLACK_PART;
    for file in files {
        if used <= wanted {
            break;
        }
        match file.delete() {
            Ok(()) => used -= file.size.min(used),
            Err(error) => say(format_args!("cannot delete an old log in `{}`: {error}", root.display())),
        }
    }
    Ok(used)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_of_all_go_first_and_each_keeps_its_newest() {
        let root = tempfile::TempDir::new().unwrap();
        let write = |name: &str, bytes: usize| {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, vec![b'x'; bytes]).unwrap();
        };
        write("api/current", 100);
        write("api/@20260101T000001Z-1.log.zst", 100);
        write("api/@20260101T000001Z-1.index", 10);
        write("api/@20260101T000004Z-2.log", 100);
        write("db/@20260101T000000Z-7.log", 100);
        write("db/@20260101T000002Z-8.log", 100);
        write("db/@20260101T000003Z-9.log", 100);
        let exists = |name: &str| root.path().join(name).exists();
        let mut budget = Budget::default();
        budget.enforce(root.path(), 610);
        assert!(exists("db/@20260101T000000Z-7.log"));
        // Nothing was written since: nobody looks.
        budget.enforce(root.path(), 610);
        budget.add(1);
        budget.enforce(root.path(), 610);
        assert!(exists("db/@20260101T000000Z-7.log"));
        budget.add(1);
        budget.enforce(root.path(), 500);
        assert!(!exists("db/@20260101T000000Z-7.log") && !exists("api/@20260101T000001Z-1.log.zst"));
        assert!(!exists("api/@20260101T000001Z-1.index") && exists("db/@20260101T000002Z-8.log"));
        budget.enforce(root.path(), 1);
        assert!(!exists("db/@20260101T000002Z-8.log"));
        assert!(exists("db/@20260101T000003Z-9.log") && exists("api/@20260101T000004Z-2.log"));
        assert!(exists("api/current"));
    }
}

//! A file system in a file, as the kernel unpacks it into memory (`newc`; the kernel's `initramfs-buffer-format`). Knows nothing of
//! what is in it.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context as _, Result};

const DIR: u32 = 0o040_755;
const FILE: u32 = 0o100_755;
const DEVICE: u32 = 0o020_600;

/// What the last entry is called.
const END: &str = "TRAILER!!!";

/// Entries, one after the other.
#[derive(Debug, Default)]
pub(super) struct Archive {
    bytes: Vec<u8>,
    entries: u32,
    dirs: BTreeSet<String>,
}

impl Archive {
    /// A directory, after those that it is in.
    pub(super) fn dir(&mut self, path: &str) {
        if path.is_empty() || !self.dirs.insert(path.to_owned()) {
            return;
        }
        self.dir(parent(path));
        self.entry(path, DIR, (0, 0), &[]);
    }

    /// `/dev/console`, without which the first process has no output.
    pub(super) fn console(&mut self) {
        self.dir("dev");
        self.entry("dev/console", DEVICE, (5, 1), &[]);
    }

    /// A file that may be executed, after the directories that it is in.
    pub(super) fn file(&mut self, path: &str, from: &Path) -> Result<()> {
        let bytes = fs::read(from).with_context(|| format!("cannot read `{}`", from.display()))?;
        self.dir(parent(path));
        self.entry(path, FILE, (0, 0), &bytes);
        Ok(())
    }

    /// Ends it, and writes it.
    pub(super) fn write(mut self, to: &Path) -> Result<()> {
        self.entry(END, 0, (0, 0), &[]);
        fs::write(to, self.bytes).with_context(|| format!("cannot write `{}`", to.display()))
    }

    fn entry(&mut self, path: &str, mode: u32, (major, minor): (u32, u32), bytes: &[u8]) {
        self.entries += 1;
        let length = |of: usize| u32::try_from(of).unwrap_or(u32::MAX);
        let (size, name) = (length(bytes.len()), length(path.len() + 1));
        self.bytes.extend_from_slice(b"070701");
        for number in [self.entries, mode, 0, 0, 1, 0, size, 0, 0, major, minor, name, 0] {
            self.bytes.extend_from_slice(format!("{number:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(bytes);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_after_their_directories_and_stand_at_multiples_of_four() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("x");
        fs::write(&file, "hello").unwrap();
        let mut archive = Archive::default();
        archive.file("lib/a/x", &file).unwrap();
        archive.console();
        archive.write(&file).unwrap();
        let bytes = fs::read(&file).unwrap();
        let at = |text: &str| bytes.windows(text.len()).position(|window| window == text.as_bytes()).unwrap();
        let order = ["\0lib\0", "lib/a\0", "lib/a/x\0", "hello", "dev\0", "dev/console\0", "TRAILER!!!\0"];
        assert!(order[1..].is_sorted_by_key(|text| at(text)));
        assert_eq!((at("hello") % 4, bytes.len() % 4), (0, 0));
        assert_eq!(bytes.windows(6).filter(|window| *window == b"070701").count(), 6);
    }
}

//! Batches that no log file would take (a full or broken disk): they wait in files of their own on tmpfs, so that the other
//! slots go on.
//!
//! A batch is for a moment both in the buffer and aside, when it is set aside and when it is taken back. Both carry the
//! number of the batch: when they are the same, the one aside is the whole truth.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use mainstay_host::{Durability, read_file, write_atomic};

/// What such a file's name begins with.
const PREFIX: &str = "aside-";

/// Where batches wait.
#[derive(Clone, Debug)]
pub(crate) struct Aside {
    dir: PathBuf,
}

/// A batch that waits.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) sequence: u64,
    pub(crate) bytes: Vec<u8>,
}

impl Aside {
    pub(crate) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// Sets bytes of the batch of this number aside.
    pub(crate) fn put(&self, slot: &str, sequence: u64, bytes: &[u8]) -> io::Result<()> {
        let mut content = Vec::with_capacity(8 + bytes.len());
        content.write_all(&sequence.to_le_bytes())?;
        content.write_all(bytes)?;
        write_atomic(&self.path(slot), &content, Durability::Renamed)
            .map_err(|error| io::Error::other(crate::report::chain(&error)))
    }

    /// What waits for this slot.
    pub(crate) fn get(&self, slot: &str) -> Option<Waiting> {
        let content = read_file(&self.path(slot)).ok()?;
        let (sequence, bytes) = content.split_first_chunk::<8>()?;
        Some(Waiting { sequence: u64::from_le_bytes(*sequence), bytes: bytes.to_vec() })
    }

    /// It no longer waits.
    pub(crate) fn remove(&self, slot: &str) {
        let _ = fs::remove_file(self.path(slot));
    }

    /// Removes what keepers before us were killed over.
    pub(crate) fn remove_unfinished(&self) {
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if name.to_str().and_then(|name| name.strip_prefix('.')).is_some_and(|it| it.starts_with(PREFIX))
            {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// The slots for which something waits.
    pub(crate) fn slots(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        entries
            .filter_map(|entry| entry.file_name().to_str()?.strip_prefix(PREFIX).map(str::to_owned))
            .collect()
    }

    fn path(&self, slot: &str) -> PathBuf {
        self.dir.join(format!("{PREFIX}{slot}"))
    }
}

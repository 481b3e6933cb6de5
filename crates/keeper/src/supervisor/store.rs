//! The record of one slot in its file. The new process itself writes the beginning of it.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use mainstay_host::{ChildFacts, open_private, read_file};
use mainstay_wire::{CHILD_BYTES, ChildPart, SlotRecord, SlotWrite};

use crate::report::say;

/// Where a slot's record is, and how many were written before.
#[derive(Debug)]
pub(super) struct Store {
    path: PathBuf,
    sequence: u64,
}

/// What a file held.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) store: Store,
    pub(super) record: SlotRecord,
    pub(super) child: ChildPart,
}

impl Store {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, sequence: 0 }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What the file holds; `None` when that is no record. One of another version is an error of its own: whoever has it
    /// lives, and is not to be forgotten.
    pub(super) fn read(path: &Path) -> io::Result<Option<Stored>> {
        let bytes = read_file(path)?;
        SlotRecord::check(&bytes).map_err(|why| io::Error::new(io::ErrorKind::Unsupported, why))?;
        Ok(SlotRecord::decode(&bytes).map(|(record, sequence)| Stored {
            store: Self { path: path.to_owned(), sequence },
            record,
            child: ChildPart::from_bytes(&bytes),
        }))
    }

    /// The bytes that make this the record; somebody else will write them.
    pub(super) fn prepare(&mut self, record: &SlotRecord) -> Result<SlotWrite, String> {
        let write = record.encode(self.sequence + 1).map_err(|error| error.to_string())?;
        self.sequence += 1;
        Ok(write)
    }

    /// Makes this the record. When that fails it is said, and the keeper goes on with what it knows.
    pub(super) fn write(&mut self, record: &SlotRecord) {
        let written = self.prepare(record).and_then(|write| {
            let file = open_private(&self.path).map_err(|error| error.to_string())?;
            apply(&file, &write).map_err(|error| error.to_string())
        });
        if let Err(error) = written {
            say(format_args!("cannot write `{}`: {error}", self.path.display()));
        }
    }

    /// Writes the whole file, which is gone, with what the process once wrote of itself.
    pub(super) fn restore(&mut self, record: &SlotRecord, child: ChildPart) {
        // The process first: a record of a run without one says that it never began.
        let written = open_private(&self.path).and_then(|file| file.write_all_at(&child.to_bytes(), 0));
        match written {
            Ok(()) => self.write(record),
            Err(error) => say(format_args!("cannot write `{}`: {error}", self.path.display())),
        }
    }

    pub(super) fn remove(&self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Writes one area.
pub(super) fn apply(file: &File, write: &SlotWrite) -> io::Result<()> {
    file.write_all_at(&write.bytes, write.offset)
}

/// What a new process writes about itself. It is called between `clone` and `execve`: it must not allocate.
pub(super) fn encode_child(facts: ChildFacts) -> [u8; CHILD_BYTES] {
    ChildPart {
        run: facts.run,
        pid: facts.pid,
        start_time: facts.start_time,
        failed_step: facts.failed_step,
        errno: facts.errno,
        candidate: facts.candidate,
    }
    .to_bytes()
}

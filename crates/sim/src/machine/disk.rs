//! The modelled files: slots' records as the bytes that they are, the daemon's state with what of it is synced, log folders, and
//! the buffer in memory that outlives a keeper. It knows what a power cut leaves, and nothing of what the bytes mean.

use std::sync::OnceLock;

use mainstay_wire::{Applied, CHILD_BYTES, STATE_VERSION, SlotWrite};

use crate::{
    dice::Dice,
    machine::{SLOTS, SlotNo},
};

/// After so many bytes the text of each stream begins again.
const PERIOD: usize = 4096;

/// The longest part of it that is looked at.
const LONGEST: usize = 256;

/// The text that every service writes: lines of different lengths. Which byte of it is where is known by its place, so that a
/// byte that is missing or there twice is seen at once.
pub(crate) fn text(from: u64, length: usize) -> &'static [u8] {
    static TEXT: OnceLock<Vec<u8>> = OnceLock::new();
    let all = TEXT.get_or_init(|| {
        // Multiplied by a large odd number, the upper bits look drawn (Knuth).
        let letter = |place: usize| match (place as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 60 {
            0 | 1 => b'\n',
            other => b'a' + u8::try_from(other).unwrap_or(0),
        };
        (0..PERIOD).map(letter).cycle().take(PERIOD + LONGEST).collect()
    });
    let at = usize::try_from(from % PERIOD as u64).unwrap_or(0);
    all.get(at..at + length.min(LONGEST)).unwrap_or_default()
}

/// The file of a slot.
#[derive(Debug, Default)]
pub(crate) struct SlotFile {
    pub(crate) exists: bool,
    pub(crate) bytes: Vec<u8>,
    /// What was where the latest write went: that one may be torn.
    before: Option<(usize, Vec<u8>)>,
}

impl SlotFile {
    /// Writes the first `only` bytes of this.
    pub(crate) fn write(&mut self, write: &SlotWrite, only: usize) {
        let at = usize::try_from(write.offset).unwrap_or(0);
        self.write_at(at, write.bytes.get(..only.min(write.bytes.len())).unwrap_or_default());
    }

    /// What a new process writes of itself.
    pub(crate) fn write_child(&mut self, bytes: [u8; CHILD_BYTES]) {
        self.write_at(0, &bytes);
    }

    fn write_at(&mut self, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        if let Some(place) = self.bytes.get_mut(at..end) {
            let (old_at, old) = self.before.get_or_insert_with(Default::default);
            *old_at = at;
            old.clear();
            old.extend_from_slice(place);
            place.copy_from_slice(bytes);
        }
    }

    /// The power is cut: of what nobody synced, the latest write is torn, or all of it is gone.
    fn cut(&mut self, dice: &mut Dice) {
        if dice.chance(25) {
            return self.remove();
        }
        if let Some((at, old)) = self.before.take() {
            let torn = dice.below(old.len() + 1);
            for (place, byte) in self.bytes.iter_mut().skip(at).zip(old).skip(torn) {
                *place = byte;
            }
        }
    }

    /// Deletes it.
    pub(crate) fn remove(&mut self) {
        self.exists = false;
        self.bytes.clear();
        self.before = None;
    }
}

/// `applied.json`, and what is on its way to become it.
#[derive(Debug, Default)]
pub(crate) struct StateFile {
    pub(crate) current: Option<Vec<u8>>,
    /// What a power cut leaves.
    durable: Option<Vec<u8>>,
    temporary: Option<(Vec<u8>, bool)>,
    /// Temporary files of daemons that were killed beside them.
    pub(crate) leftovers: u32,
}

impl StateFile {
    /// The bytes of this state.
    pub(crate) fn encode(wanted: &[String]) -> Vec<u8> {
        let applied = Applied {
            version: STATE_VERSION,
            project: "storm".to_owned(),
            dir: "/".to_owned(),
            files: Vec::new(),
            fingerprint: String::new(),
            specs: Vec::new(),
            wanted: wanted.to_vec(),
            going_down: false,
            generation: 1,
            probation: None,
            restarts: Default::default(),
        };
        serde_json::to_vec(&applied).unwrap_or_default()
    }

    /// Fills the file beside it.
    pub(crate) fn fill(&mut self, bytes: Vec<u8>) {
        self.temporary = Some((bytes, false));
    }

    pub(crate) fn sync(&mut self) {
        if let Some((_, is_synced)) = &mut self.temporary {
            *is_synced = true;
        }
    }

    /// Puts the file beside it in its place. One that was not synced is torn by a power cut.
    pub(crate) fn rename(&mut self) {
        if let Some((bytes, is_synced)) = self.temporary.take() {
            if !is_synced {
                self.durable = Some(bytes.get(..bytes.len() / 2).unwrap_or_default().to_vec());
            }
            self.current = Some(bytes);
        }
    }

    pub(crate) fn sync_folder(&mut self) {
        self.durable = self.current.clone();
    }

    /// Whoever was writing is gone.
    pub(crate) fn abandon(&mut self) {
        if self.temporary.take().is_some() {
            self.leftovers += 1;
        }
    }

    fn cut(&mut self, dice: &mut Dice) {
        self.abandon();
        // A rename that nobody synced is there, or is not.
        if self.current != self.durable && (self.is_torn() || dice.chance(50)) {
            self.current = self.durable.clone();
        }
        self.durable = self.current.clone();
    }

    fn is_torn(&self) -> bool {
        self.durable.as_ref().is_some_and(|bytes| serde_json::from_slice::<Applied>(bytes).is_err())
    }
}

/// The log folder of a slot, by sizes; which bytes are where is known from the last place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Folder {
    /// Bytes of `current`, when there is one.
    pub(crate) current: Option<u64>,
    /// Rotated files: number and size, the oldest first.
    pub(crate) rotated: Vec<(u64, u64)>,
    /// The place in the stream after the last byte that is here.
    pub(crate) last: u64,
}

impl Folder {
    /// What `Listing::newest` finds.
    pub(crate) fn newest(&self) -> Option<u64> {
        self.rotated.iter().map(|(number, _)| *number).max()
    }

    /// Bytes of the rotated file of this number.
    pub(crate) fn rotated_size(&self, number: u64) -> Option<u64> {
        self.rotated.iter().find(|(of, _)| *of == number).map(|(_, size)| *size)
    }

    /// Whether the byte before the end is the end of a line.
    pub(crate) fn ends_at_line_end(&self) -> bool {
        self.last > 0 && text(self.last - 1, 1) == b"\n"
    }

    /// Any end of `current` was not synced, and so was any latest rename.
    fn cut(&mut self, dice: &mut Dice) {
        if let Some(size) = self.current {
            let left = dice.below(usize::try_from(size).unwrap_or(0) + 1);
            self.current = (left > 0 || dice.chance(50)).then_some(left as u64);
        } else if let (true, Some((_, size))) = (dice.chance(50), self.rotated.last().copied()) {
            self.rotated.pop();
            self.current = Some(size);
        }
    }
}

/// The buffer of the pump, in memory that outlives the keeper.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Buffer {
    pub(crate) state: bool,
    pub(crate) slot: SlotNo,
    pub(crate) size: u64,
    pub(crate) number: u64,
    pub(crate) sequence: u64,
    pub(crate) count: usize,
    /// Which bytes of the stream are in it.
    pub(crate) from: u64,
    pub(crate) filled: usize,
}

/// A batch that no log file took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Aside {
    pub(crate) sequence: u64,
    pub(crate) from: u64,
    pub(crate) count: usize,
}

/// All files.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    pub(crate) slots: [SlotFile; SLOTS],
    pub(crate) state: StateFile,
    pub(crate) folders: [Folder; SLOTS],
    pub(crate) buffer: Buffer,
    pub(crate) aside: [Option<Aside>; SLOTS],
    /// The log folders take nothing.
    pub(crate) is_full: bool,
    /// The run-time folder is on a disk, and not in memory.
    pub(crate) keeps_run_dir: bool,
}

impl Disk {
    /// The power is cut.
    pub(crate) fn cut(&mut self, dice: &mut Dice) {
        for slot in &mut self.slots {
            if self.keeps_run_dir {
                slot.cut(dice);
            } else {
                slot.remove();
            }
        }
        self.state.cut(dice);
        self.folders.iter_mut().for_each(|folder| folder.cut(dice));
        self.buffer = Buffer::default();
        self.aside = [None; SLOTS];
    }
}

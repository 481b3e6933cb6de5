//! What was applied, generation by generation: each description once, by its content, and a list of when each came. Bounded by
//! number and by size. It decides nothing.
//!
//! What a description *is* are the project, its folder and its services, without the variables that came from the terminal
//! from which it was applied: another PATH or another comment in a file is no other description.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use mainstay_host::{Durability, private_dir, read_file, write_atomic};
use mainstay_model::{ServiceId, Spec};
use mainstay_wire::{GenerationView, LATER_HELP, ProbationVerdict, WireSpec, later_version};
use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// How many generations are kept.
const COUNT_LIMIT: usize = 100;

/// How large all kept descriptions may be together, in bytes. The latest two are kept whatever their size.
const SIZE_LIMIT: u64 = 16 * 1024 * 1024;

/// The version of what is written here.
const VERSION: u32 = 1;

/// Generations that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GenerationsError {
    /// The files cannot be read or written.
    #[error("cannot {act} `{path}`: {text}")]
    File {
        /// What was tried.
        act: &'static str,
        /// With which.
        path: PathBuf,
        /// Why.
        text: String,
    },
    /// They are of a later Mainstay.
    #[error(
        "`{path}` was written by a later Mainstay (version {version} of the generations, this one knows {VERSION}); {LATER_HELP}"
    )]
    Later {
        /// The list.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// There is none of this number.
    #[error("there is no generation {number}")]
    Unknown {
        /// Which.
        number: u64,
        /// The oldest that there is; 0: there is none.
        oldest: u64,
        /// The latest.
        latest: u64,
    },
    /// There is none before.
    #[error("there is no earlier generation to go back to")]
    NoEarlier,
    /// A description cannot be put into words.
    #[error("the description cannot be kept: {0}")]
    Nonsense(String),
    /// Its description is not there any more, or is another one.
    #[error("the description of generation {0} is damaged")]
    Damaged(u64),
}

/// A description, with what it was read from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Description {
    /// The project's name.
    pub(crate) project: String,
    /// The folder that its paths count from.
    pub(crate) dir: String,
    /// The files that it was read from.
    pub(crate) files: Vec<String>,
    /// A hash of those files' texts.
    pub(crate) fingerprint: String,
    /// Every instance of every service.
    pub(crate) specs: Vec<WireSpec>,
}

/// What makes one description another than another.
#[derive(Serialize)]
struct Content<'a> {
    project: &'a str,
    dir: &'a str,
    specs: Vec<WireSpec>,
}

impl Description {
    /// Its services.
    ///
    /// # Errors
    /// One that cannot be: only damage makes one.
    pub(crate) fn services(&self) -> Result<Vec<Spec>, mainstay_wire::SpecError> {
        self.specs.iter().cloned().map(Spec::try_from).collect()
    }

    /// A name for what it is.
    fn hash(&self) -> Result<String, GenerationsError> {
        let damaged = |error: &dyn std::fmt::Display| GenerationsError::Nonsense(error.to_string());
        let mut specs = self.services().map_err(|error| damaged(&error))?;
        specs.sort_by(|one, other| one.id.cmp(&other.id));
        let bare = |spec: Spec| WireSpec::from(&Spec { inherited: BTreeMap::new(), ..spec });
        let specs = specs.into_iter().map(bare).collect();
        let content = Content { project: &self.project, dir: &self.dir, specs };
        let bytes = serde_json::to_vec(&content).map_err(|error| damaged(&error))?;
        Ok(content_hash(&bytes))
    }
}

/// How a generation comes to be.
#[derive(Clone, Debug)]
pub(crate) struct Coming {
    /// `applied`, `rolled back to 3`.
    pub(crate) how: String,
    /// By whom; `None`: by the daemon itself.
    pub(crate) uid: Option<u32>,
    /// When: RFC 3339, UTC.
    pub(crate) time: String,
    /// What runs until now; 0: nothing. No number comes twice, also where the list was lost.
    pub(crate) after: u64,
    /// Those wanted until now that it does not have any more.
    pub(crate) ended: BTreeSet<ServiceId>,
}

/// One generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Generation {
    /// Counted from 1, never again the same.
    pub(crate) number: u64,
    /// When it was applied: RFC 3339, UTC.
    pub(crate) time: String,
    /// By whom; `None`: by the daemon itself.
    pub(crate) uid: Option<u32>,
    /// How it came: `applied`, `rolled back to 3`.
    pub(crate) how: String,
    /// The content of its description.
    pub(crate) hash: String,
    /// A hash of the bytes that hold it, which also hold what it was first applied with.
    pub(crate) sum: String,
    /// How many services there are, instances counted.
    pub(crate) services: usize,
    /// The files that it was read from.
    pub(crate) files: Vec<String>,
    /// A hash of those files' texts.
    pub(crate) fingerprint: String,
    /// Those wanted until it came that it does not have: who goes back before it wants them again.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) ended: BTreeSet<String>,
    /// What became of its probation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) verdict: Option<Judged>,
}

/// What became of a probation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Judged {
    pub(crate) verdict: ProbationVerdict,
    /// The same in words: `taken back: api failed: exited with 1`.
    pub(crate) text: String,
}

/// The list on disk.
#[derive(Debug, Default, Serialize, Deserialize)]
struct List {
    version: u32,
    generations: Vec<Generation>,
}

impl Generation {
    fn view(&self, current: u64) -> GenerationView {
        GenerationView {
            number: self.number,
            time: self.time.clone(),
            uid: self.uid,
            how: self.how.clone(),
            verdict: self.verdict.as_ref().map(|judged| judged.text.clone()),
            hash: self.hash.clone(),
            services: self.services,
            files: self.files.clone(),
            current: self.number == current,
        }
    }
}

/// All generations of a project.
#[derive(Debug)]
pub(crate) struct Generations {
    dir: PathBuf,
    list: Vec<Generation>,
}

impl Generations {
    /// Those of this project, for somebody who only reads them.
    ///
    /// # Errors
    /// The list cannot be read.
    pub(crate) fn read(state_dir: &Path) -> Result<Self, GenerationsError> {
        let dir = state_dir.join("generations");
        let list = read(&dir.join("list.json"))?;
        Ok(Self { dir, list })
    }

    /// Those of this project. A list that makes no sense is put aside, and a new one begins: a description that runs is worth more
    /// than the memory of earlier ones.
    ///
    /// # Errors
    /// They are of a later Mainstay, to which they are left.
    pub(crate) fn of(state_dir: &Path) -> Result<Self, GenerationsError> {
        let dir = state_dir.join("generations");
        let list = match read(&dir.join("list.json")) {
            Ok(list) => list,
            Err(error @ GenerationsError::Later { .. }) => return Err(error),
            Err(error) => {
                tracing::warn!("{error}; earlier generations are forgotten");
                let _ = fs::rename(dir.join("list.json"), dir.join("list.json.broken"));
                Vec::new()
            }
        };
        Ok(Self { dir, list })
    }

    /// Adds what is about to be applied, unless it is what is in the list last, and gives its number. The description is on
    /// disk before the list names it.
    ///
    /// # Errors
    /// It cannot be written; then nothing is added.
    pub(crate) fn add(&mut self, description: &Description, coming: Coming) -> Result<u64, GenerationsError> {
        let hash = description.hash()?;
        if let Some(latest) = self.list.last().filter(|latest| latest.hash == hash) {
            return Ok(latest.number);
        }
        let sum = self.keep(description, &hash)?;
        let mut list = self.list.clone();
        let Coming { how, uid, time, after, ended } = coming;
        let number = self.latest().max(after) + 1;
        list.push(Generation {
            number,
            time,
            uid,
            how,
            hash,
            sum,
            services: description.specs.len(),
            files: description.files.clone(),
            fingerprint: description.fingerprint.clone(),
            ended: ended.iter().map(ToString::to_string).collect(),
            verdict: None,
        });
        self.trim(&mut list);
        self.write(&list)?;
        self.list = list;
        self.sweep();
        Ok(number)
    }

    /// Writes the description where it is not there yet, and gives the hash of its bytes.
    fn keep(&self, description: &Description, hash: &str) -> Result<String, GenerationsError> {
        if let Some(known) = self.list.iter().find(|known| known.hash == hash)
            && self.bytes(known).is_ok()
        {
            return Ok(known.sum.clone());
        }
        let bytes = serde_json::to_vec(description)
            .map_err(|error| failure("describe", &self.dir, &error.to_string()))?;
        private_dir(&self.dir).map_err(|error| failure("create", &self.dir, &cause(&error)))?;
        let object = self.object(hash);
        write_atomic(&object, &bytes, Durability::Synced)
            .map_err(|error| failure("write", &object, &cause(&error)))?;
        Ok(content_hash(&bytes))
    }

    /// Keeps what became of a generation's probation. What cannot be written is known until the daemon ends.
    pub(crate) fn judged(&mut self, number: u64, verdict: Judged) {
        let Some(generation) = self.list.iter_mut().find(|generation| generation.number == number) else {
            return;
        };
        generation.verdict = Some(verdict);
        if let Err(error) = self.write(&self.list) {
            tracing::error!("{error}");
        }
    }

    /// The number of the latest; 0 before the first.
    pub(crate) fn latest(&self) -> u64 {
        self.list.last().map_or(0, |generation| generation.number)
    }

    /// One of them.
    pub(crate) fn get(&self, number: u64) -> Option<&Generation> {
        self.list.iter().find(|generation| generation.number == number)
    }

    /// Whether this generation is this description.
    pub(crate) fn is(&self, number: u64, description: &Description) -> bool {
        self.get(number).is_some_and(|known| description.hash().is_ok_and(|hash| hash == known.hash))
    }

    /// The description of this generation.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub(crate) fn description(&self, number: u64) -> Result<Description, GenerationsError> {
        let generation = self.get(number).ok_or_else(|| self.unknown(number))?;
        let bytes = self.bytes(generation)?;
        let description: Description =
            serde_json::from_slice(&bytes).map_err(|_| GenerationsError::Damaged(number))?;
        let (files, fingerprint) = (generation.files.clone(), generation.fingerprint.clone());
        Ok(Description { files, fingerprint, ..description })
    }

    /// The number of the newest generation before this one whose description is another one.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn before(&self, number: u64) -> Result<u64, GenerationsError> {
        let hash = self.get(number).map(|generation| &generation.hash);
        let other = |it: &&Generation| it.number < number && Some(&it.hash) != hash;
        let found = self.list.iter().rev().find(other).map(|generation| generation.number);
        found.ok_or(GenerationsError::NoEarlier)
    }

    /// Whether this service was wanted when a generation after `number` ended it.
    pub(crate) fn ended_after(&self, number: u64, id: &ServiceId) -> bool {
        let id = id.to_string();
        self.list.iter().any(|generation| generation.number > number && generation.ended.contains(&id))
    }

    /// All for a client, the latest first; `current` is what runs.
    pub(crate) fn views(&self, current: u64) -> Vec<GenerationView> {
        self.list.iter().rev().map(|generation| generation.view(current)).collect()
    }

    fn unknown(&self, number: u64) -> GenerationsError {
        let (oldest, latest) = (self.list.first().map_or(0, |oldest| oldest.number), self.latest());
        GenerationsError::Unknown { number, oldest, latest }
    }

    fn bytes(&self, generation: &Generation) -> Result<Vec<u8>, GenerationsError> {
        let path = self.object(&generation.hash);
        let bytes = read_file(&path).map_err(|error| failure("read", &path, &error.to_string()))?;
        if content_hash(&bytes) == generation.sum {
            Ok(bytes)
        } else {
            Err(GenerationsError::Damaged(generation.number))
        }
    }

    fn object(&self, hash: &str) -> PathBuf {
        self.dir.join(format!("{hash}.json"))
    }

    /// The oldest go first.
    fn trim(&self, list: &mut Vec<Generation>) {
        let excess = list.len().saturating_sub(COUNT_LIMIT);
        list.drain(..excess);
        let mut seen = BTreeSet::new();
        let mut size = 0;
        let mut kept = 0;
        for generation in list.iter().rev() {
            if seen.insert(generation.hash.clone()) {
                size += fs::metadata(self.object(&generation.hash)).map_or(0, |data| data.len());
            }
            if size > SIZE_LIMIT && kept >= 2 {
                break;
            }
            kept += 1;
        }
        let excess = list.len() - kept;
        list.drain(..excess);
    }

    fn write(&self, list: &[Generation]) -> Result<(), GenerationsError> {
        let path = self.dir.join("list.json");
        let list = List { version: VERSION, generations: list.to_vec() };
        let text =
            serde_json::to_vec(&list).map_err(|error| failure("describe", &path, &error.to_string()))?;
        write_atomic(&path, &text, Durability::Synced)
            .map_err(|error| failure("write", &path, &cause(&error)))
    }

    /// Removes descriptions that no generation names. What stays by mistake is swept the next time.
    fn sweep(&self) {
        let named: BTreeSet<String> =
            self.list.iter().map(|generation| format!("{}.json", generation.hash)).collect();
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_unfinished = name.starts_with('.');
            if is_unfinished || (name.ends_with(".json") && name != "list.json" && !named.contains(&name)) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

fn read(path: &Path) -> Result<Vec<Generation>, GenerationsError> {
    let bytes = match read_file(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failure("read", path, &error.to_string())),
    };
    if let Some(version) = later_version(&bytes, VERSION) {
        return Err(GenerationsError::Later { path: path.to_owned(), version });
    }
    let list: List =
        serde_json::from_slice(&bytes).map_err(|error| failure("understand", path, &error.to_string()))?;
    Ok(list.generations)
}

/// What stands behind an error of the host: its own sentence names the file again.
fn cause(error: &mainstay_host::HostError) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

fn failure(act: &'static str, path: &Path, text: &str) -> GenerationsError {
    GenerationsError::File { act, path: path.to_owned(), text: text.to_owned() }
}

/// A name for this content: 128 bits by FNV-1a. It tells contents apart that nobody made to look alike; who may write here may
/// apply anything anyway.
fn content_hash(bytes: &[u8]) -> String {
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    for byte in bytes {
        hash = (hash ^ u128::from(*byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
    }
    format!("{hash:032x}")
}

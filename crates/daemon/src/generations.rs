//! What was applied, generation by generation: each description once, by its content, and a list of when each came. Bounded by
//! number and by size. It decides nothing.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use mainstay_host::{Durability, private_dir, write_atomic};
use mainstay_wire::WireSpec;
use serde::{Deserialize, Serialize};

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
    /// There is none of this number.
    #[error("there is no generation {0}")]
    Unknown(u64),
    /// Its description is not there any more, or is another one.
    #[error("the description of generation {0} is damaged")]
    Damaged(u64),
}

/// A description, with what it was read from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// How many services there are, instances counted.
    pub(crate) services: usize,
    /// The files that it was read from.
    pub(crate) files: Vec<String>,
}

/// The list on disk.
#[derive(Debug, Default, Serialize, Deserialize)]
struct List {
    version: u32,
    generations: Vec<Generation>,
}

/// All generations of a project.
#[derive(Debug)]
pub(crate) struct Generations {
    dir: PathBuf,
    list: Vec<Generation>,
}

impl Generations {
    /// Those of this project. A list that makes no sense is put aside, and a new one begins: a description that runs is worth more
    /// than the memory of earlier ones.
    pub(crate) fn of(state_dir: &Path) -> Self {
        let dir = state_dir.join("generations");
        let list = match read(&dir.join("list.json")) {
            Ok(list) => list,
            Err(error) => {
                tracing::warn!("{error}; earlier generations are forgotten");
                let _ = fs::rename(dir.join("list.json"), dir.join("list.json.broken"));
                Vec::new()
            }
        };
        Self { dir, list }
    }

    /// All, the latest last.
    pub(crate) fn all(&self) -> &[Generation] {
        &self.list
    }

    /// The number of the latest; 0 before the first.
    pub(crate) fn latest(&self) -> u64 {
        self.list.last().map_or(0, |generation| generation.number)
    }

    /// Adds what was applied, unless it is what was applied last, and gives its number. The description is on disk before the list
    /// names it.
    pub(crate) fn add(
        &mut self,
        description: &Description,
        how: &str,
        uid: Option<u32>,
        time: String,
    ) -> Result<u64, GenerationsError> {
        let bytes = serde_json::to_vec(description)
            .map_err(|error| failure("describe", &self.dir, &error.to_string()))?;
        let hash = content_hash(&bytes);
        if self.list.last().is_some_and(|latest| latest.hash == hash) {
            return Ok(self.latest());
        }
        private_dir(&self.dir).map_err(|error| failure("create", &self.dir, &error.to_string()))?;
        let object = self.object(&hash);
        if !object.exists() {
            write_atomic(&object, &bytes, Durability::Synced)
                .map_err(|error| failure("write", &object, &error.to_string()))?;
        }
        let number = self.latest() + 1;
        let services = description.specs.len();
        let files = description.files.clone();
        let how = how.to_owned();
        let mut list = self.list.clone();
        list.push(Generation { number, time, uid, how, hash, services, files });
        self.trim(&mut list);
        self.write(&list)?;
        self.list = list;
        self.sweep();
        Ok(number)
    }

    /// The description of this generation.
    pub(crate) fn description(&self, number: u64) -> Result<Description, GenerationsError> {
        let generation = self.list.iter().find(|generation| generation.number == number);
        let generation = generation.ok_or(GenerationsError::Unknown(number))?;
        let path = self.object(&generation.hash);
        let bytes = fs::read(&path).map_err(|error| failure("read", &path, &error.to_string()))?;
        if content_hash(&bytes) != generation.hash {
            return Err(GenerationsError::Damaged(number));
        }
        serde_json::from_slice(&bytes).map_err(|_| GenerationsError::Damaged(number))
    }

    /// The number of the generation before the latest whose description is another one.
    pub(crate) fn before_latest(&self) -> Option<u64> {
        let latest = self.list.last()?;
        let other = |generation: &&Generation| generation.hash != latest.hash;
        self.list.iter().rev().find(other).map(|generation| generation.number)
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
            .map_err(|error| failure("write", &path, &error.to_string()))
    }

    /// Removes descriptions that no generation names. What stays by mistake is swept the next time.
    fn sweep(&self) {
        let named: BTreeSet<String> =
            self.list.iter().map(|generation| format!("{}.json", generation.hash)).collect();
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".json") && name != "list.json" && !named.contains(&name) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

fn read(path: &Path) -> Result<Vec<Generation>, GenerationsError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failure("read", path, &error.to_string())),
    };
    let list: List =
        serde_json::from_slice(&bytes).map_err(|error| failure("understand", path, &error.to_string()))?;
    if list.version > VERSION {
        return Err(failure("understand", path, "it was written by a later Mainstay"));
    }
    Ok(list.generations)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn description(name: &str) -> Description {
        Description {
            project: name.to_owned(),
            dir: "/srv".to_owned(),
            files: vec!["/srv/mainstay.toml".to_owned()],
            fingerprint: "f".to_owned(),
            specs: Vec::new(),
        }
    }

    fn add(generations: &mut Generations, name: &str) -> u64 {
        generations.add(&description(name), "applied", Some(0), "2026-01-01T00:00:00Z".to_owned()).unwrap()
    }

    #[test]
    fn the_same_again_is_no_new_generation_and_an_earlier_one_is() {
        let dir = tempfile::tempdir().unwrap();
        let mut generations = Generations::of(dir.path());
        assert_eq!((generations.latest(), generations.before_latest()), (0, None));
        let numbers = ["a", "a", "b", "a"].map(|name| add(&mut generations, name));
        assert_eq!(numbers, [1, 1, 2, 3]);
        assert_eq!(generations.before_latest(), Some(2));
        let again = Generations::of(dir.path());
        assert_eq!(again.all(), generations.all());
        assert_eq!(again.description(2).unwrap(), description("b"));
        assert!(matches!(again.description(9), Err(GenerationsError::Unknown(9))));
        let objects = fs::read_dir(dir.path().join("generations")).unwrap().count();
        assert_eq!(objects, 3, "two descriptions and the list");
    }

    #[test]
    fn they_are_bounded_and_what_no_generation_names_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let mut generations = Generations::of(dir.path());
        for number in 0..COUNT_LIMIT + 5 {
            add(&mut generations, &format!("p{number}"));
        }
        assert_eq!((generations.all().len(), generations.latest()), (COUNT_LIMIT, 105));
        assert_eq!(fs::read_dir(dir.path().join("generations")).unwrap().count(), COUNT_LIMIT + 1);
        assert_eq!(generations.all()[0].number, 6);
    }

    #[test]
    fn large_ones_go_earlier_but_never_the_latest_two() {
        let dir = tempfile::tempdir().unwrap();
        let mut generations = Generations::of(dir.path());
        let large = "x".repeat(9 * 1024 * 1024);
        for number in 0..4 {
            add(&mut generations, &format!("{number}{large}"));
        }
        let kept: Vec<u64> = generations.all().iter().map(|generation| generation.number).collect();
        assert_eq!(kept, [3, 4]);
    }

    #[test]
    fn damage_is_told_and_a_broken_list_is_put_aside() {
        let dir = tempfile::tempdir().unwrap();
        let mut generations = Generations::of(dir.path());
        add(&mut generations, "a");
        let hash = generations.all()[0].hash.clone();
        let object = dir.path().join("generations").join(format!("{hash}.json"));
        fs::write(&object, "{}").unwrap();
        assert!(matches!(generations.description(1), Err(GenerationsError::Damaged(1))));
        fs::write(dir.path().join("generations/list.json"), "nonsense").unwrap();
        let mut again = Generations::of(dir.path());
        assert_eq!(again.latest(), 0);
        assert!(dir.path().join("generations/list.json.broken").exists());
        assert_eq!(add(&mut again, "b"), 1);
    }
}

//! `applied.json`: what runs and what is wanted, on disk before anybody is told that it is so.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use mainstay_decide::{AskedRestart, Turn};
use mainstay_host::{Durability, HostError, read_file, remove_unfinished, write_atomic};
use mainstay_model::{RunId, ServiceId, Spec};
use mainstay_wire::{
    Applied, AppliedProbation, AppliedRestart, LATER_HELP, STATE_VERSION, SpecError, WireSpec, later_version,
};

/// State that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateError {
    /// The file is there and cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("`{path}` is damaged ({source}); remove it and run `mainstay up` again")]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The file is of a later Mainstay.
    #[error(
        "`{path}` was written by a later Mainstay (version {version} of the state, this one knows {STATE_VERSION}); {LATER_HELP}"
    )]
    Version {
        /// Which.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// A description in it makes no sense.
    #[error("`{path}` is damaged: {source}")]
    Spec {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        source: SpecError,
    },
    /// It cannot be written.
    #[error("{0}{cause}", cause = cause(.0))]
    Write(#[from] HostError),
    /// It cannot be put into JSON.
    #[error("cannot describe the state: {0}")]
    Encode(serde_json::Error),
}

/// What stands behind an error, for a place where only its sentence is shown.
fn cause(error: &HostError) -> String {
    std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default()
}

/// What was applied last, with the descriptions as they are used.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorded {
    /// The project's name.
    pub(crate) project: String,
    /// The folder that its paths count from.
    pub(crate) dir: String,
    /// The files that it was read from.
    pub(crate) files: Vec<String>,
    /// A hash of those files' texts.
    pub(crate) fingerprint: String,
    /// Every instance of every service.
    pub(crate) specs: Vec<Spec>,
    /// Those wanted up.
    pub(crate) wanted: BTreeSet<ServiceId>,
    /// Whether everything is being stopped for good.
    pub(crate) going_down: bool,
    /// Which generation it is; 0: none.
    pub(crate) generation: u64,
    /// Whether it is being watched.
    pub(crate) probation: Option<AppliedProbation>,
    /// Restarts that somebody asked for and that are not over.
    pub(crate) restarts: Vec<AskedRestart>,
}

/// The file.
#[derive(Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
}

impl StateFile {
    /// The file of this project.
    pub(crate) fn of(state_dir: &Path) -> Self {
        Self { path: state_dir.join("applied.json") }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The folder that it is in.
    pub(crate) fn dir(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    /// What was written last; nothing when there is none. From now on it survives a power cut, also when the daemon that wrote
    /// it was killed over that.
    pub(crate) fn read(&self) -> Result<Recorded, StateError> {
        let path = || self.path.clone();
        self.finish_last_write();
        let bytes = match read_file(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Recorded::default()),
            Err(source) => return Err(StateError::Read { path: path(), source }),
        };
        if let Some(version) = later_version(&bytes, STATE_VERSION) {
            return Err(StateError::Version { path: path(), version });
        }
        let applied: Applied =
            serde_json::from_slice(&bytes).map_err(|source| StateError::Damaged { path: path(), source })?;
        let specs = applied.specs.into_iter().map(Spec::try_from).collect::<Result<_, _>>();
        Ok(Recorded {
            project: applied.project,
            dir: applied.dir,
            files: applied.files,
            fingerprint: applied.fingerprint,
            specs: specs.map_err(|source| StateError::Spec { path: path(), source })?,
            wanted: applied.wanted.iter().filter_map(|id| id.parse().ok()).collect(),
            going_down: applied.going_down,
            generation: applied.generation,
            probation: applied.probation,
            restarts: applied.restarts.iter().filter_map(asked).collect(),
        })
    }

    /// Best effort: a disk that takes nothing is no reason not to go on with what is there.
    fn finish_last_write(&self) {
        let _ = remove_unfinished(&self.path);
        let _ = fs::File::open(self.dir()).and_then(|dir| dir.sync_all());
    }

    /// Writes this so that it survives a power cut.
    pub(crate) fn write(&self, recorded: &Recorded) -> Result<(), StateError> {
        let applied = Applied {
            version: STATE_VERSION,
            project: recorded.project.clone(),
            dir: recorded.dir.clone(),
            files: recorded.files.clone(),
            fingerprint: recorded.fingerprint.clone(),
            specs: recorded.specs.iter().map(WireSpec::from).collect(),
            wanted: recorded.wanted.iter().map(ToString::to_string).collect(),
            going_down: recorded.going_down,
            generation: recorded.generation,
            probation: recorded.probation.clone(),
            restarts: recorded.restarts.iter().map(applied).collect(),
        };
        let bytes = serde_json::to_vec(&applied).map_err(StateError::Encode)?;
        Ok(write_atomic(&self.path, &bytes, Durability::Synced)?)
    }
}

fn asked(applied: &AppliedRestart) -> Option<AskedRestart> {
    let turn = if applied.in_turn { Turn::InTurn } else { Turn::AtOnce };
    Some(AskedRestart { id: applied.id.parse().ok()?, run: RunId(applied.run), turn })
}

fn applied(asked: &AskedRestart) -> AppliedRestart {
    AppliedRestart { id: asked.id.to_string(), run: asked.run.0, in_turn: asked.turn == Turn::InTurn }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_garbage_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = StateFile::of(dir.path());
        assert!(file.read().unwrap().specs.is_empty());
        let wanted = BTreeSet::from(["api@2".parse().unwrap()]);
        let recorded = Recorded { project: "shop".to_owned(), wanted, ..Recorded::default() };
        file.write(&recorded).unwrap();
        let back = file.read().unwrap();
        assert_eq!((back.project, back.wanted), (recorded.project, recorded.wanted));
        fs::write(dir.path().join("applied.json"), "{\"version\":1").unwrap();
        assert!(file.read().unwrap_err().to_string().contains("is damaged"));
        fs::write(
            dir.path().join("applied.json"),
            r#"{"version":9,"project":"","dir":"","files":[],"fingerprint":"","specs":[],"wanted":[]}"#,
        )
        .unwrap();
        assert!(file.read().unwrap_err().to_string().contains("later Mainstay"));
        let unfinished = dir.path().join(".applied.json.4242-0");
        fs::write(&unfinished, "{\"vers").unwrap();
        fs::write(dir.path().join(".gitignore"), "*").unwrap();
        drop(file.read());
        assert!(!unfinished.exists() && dir.path().join(".gitignore").exists());
    }
}

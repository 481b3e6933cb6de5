//! Where things are: the project's file, its state, its logs, its sockets. Makes nothing.

mod file;
mod strangers;

use std::{
    fs,
    path::{Path, PathBuf},
};

pub(crate) use self::file::FILE;
use self::file::present;
pub(crate) use self::file::{ProjectFile, read_text};

use crate::{arguments::Global, exit::Exit, failure::Failure, holders::Holders};

/// The folder beside it that holds its state.
const STATE: &str = ".mainstay";

/// The longest path of a run directory: with `/sock` and more of that kind it must fit into the 107 bytes that
/// unix(7) has for the path of a socket.
const RUN_DIR_LIMIT: usize = 80;

/// Whom everybody trusts.
const ROOT: u32 = 0;

/// What places depend on beside the command line. Read once, so that tests can make it up.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    /// The current directory.
    pub(crate) directory: PathBuf,
    /// `XDG_RUNTIME_DIR`.
    pub(crate) runtime_dir: Option<PathBuf>,
    /// `TMPDIR`, or its usual place.
    pub(crate) temporary_dir: PathBuf,
    /// The user.
    pub(crate) uid: u32,
    /// The machine's own places.
    pub(crate) system: SystemPlaces,
}

/// The machine's own places.
#[derive(Clone, Debug)]
pub(crate) struct SystemPlaces {
    /// Files.
    pub(crate) etc: PathBuf,
    /// State.
    pub(crate) state: PathBuf,
    /// Logs.
    pub(crate) logs: PathBuf,
    /// Sockets.
    pub(crate) run: PathBuf,
}

impl Default for SystemPlaces {
    fn default() -> Self {
        Self {
            etc: PathBuf::from("/etc/mainstay"),
            state: PathBuf::from("/var/lib/mainstay"),
            logs: PathBuf::from("/var/log/mainstay"),
            run: PathBuf::from("/run/mainstay"),
        }
    }
}

impl Surroundings {
    /// Those of this process.
    pub(crate) fn read() -> Result<Self, Failure> {
        let directory = std::env::current_dir().map_err(|error| {
            Failure::new(Exit::Failed, format!("the current directory cannot be found: {error}"))
        })?;
        let runtime_dir = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let uid = mainstay_host::effective_uid();
        Ok(Self {
            directory,
            // The specification: a relative path is to be ignored, and the folder is that of the user. `su` and `sudo -E` leave
            // the one of whoever called them.
            runtime_dir: runtime_dir
                .filter(|path| path.is_absolute() && strangers::of(path, &[uid, ROOT]).is_none()),
            temporary_dir: std::env::temp_dir(),
            uid,
            system: SystemPlaces::default(),
        })
    }
}

/// Where everything of a project is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Places {
    /// Its files; `None` when only its state is known.
    pub(crate) file: Option<ProjectFile>,
    /// What survives.
    pub(crate) state_dir: PathBuf,
    /// One folder for each service.
    pub(crate) logs_dir: PathBuf,
    /// The socket's folder: where the project was started last, else where it would be now.
    pub(crate) run_dir: PathBuf,
    /// The socket's folder when it is started now.
    pub(crate) next_run_dir: PathBuf,
}

impl Places {
    /// Finds the project that the command line means.
    pub(crate) fn find(global: &Global, surroundings: &Surroundings) -> Result<Self, Failure> {
        let named = global.file.as_ref().map(|path| ProjectFile::named(path, surroundings)).transpose()?;
        let places = match (named, &global.state_dir) {
            (Some(file), Some(state_dir)) => {
                Self::with_state(Some(file), &surroundings.directory.join(state_dir), surroundings)
            }
            (None, Some(state_dir)) => {
                let file = ProjectFile::find(surroundings)?;
                Self::with_state(file, &surroundings.directory.join(state_dir), surroundings)
            }
            (Some(file), None) => Self::of_file(file, surroundings),
            (None, None) => Self::nearest(surroundings)?,
        };
        // Before anything is said there: who owns that folder would hear it.
        strangers::refuse(&places.run_dir, &trusted(&places.state_dir, surroundings.uid))?;
        Ok(places)
    }

    /// The nearest project: where a file is, or the state of one whose file is gone; else the machine's.
    fn nearest(surroundings: &Surroundings) -> Result<Self, Failure> {
        for dir in surroundings.directory.ancestors() {
            if let Some(path) = present(dir.join(FILE))? {
                strangers::refuse_planted(&path, &[surroundings.uid, ROOT])?;
                return Ok(Self::of_file(ProjectFile::at(&path, surroundings)?, surroundings));
            }
            let state_dir = dir.join(STATE);
            if state_dir.is_dir() {
                strangers::refuse_planted(&state_dir, &[surroundings.uid, ROOT])?;
                return Ok(Self::with_state(None, &state_dir, surroundings));
            }
        }
        let file = ProjectFile::find_of_machine(surroundings)?;
        file.map(|file| Self::of_file(file, surroundings)).ok_or_else(|| no_file(surroundings))
    }

    fn of_file(file: ProjectFile, surroundings: &Surroundings) -> Self {
        if file.directory == surroundings.system.etc {
            return Self::system(file, surroundings);
        }
        let state_dir = file.directory.join(STATE);
        Self::with_state(Some(file), &state_dir, surroundings)
    }

    /// Its files, or where they were looked for.
    pub(crate) fn require_file(&self, surroundings: &Surroundings) -> Result<&ProjectFile, Failure> {
        self.file.as_ref().ok_or_else(|| self.file_gone().unwrap_or_else(|| no_file(surroundings)))
    }

    /// There is no file beside the state, where it belongs.
    fn file_gone(&self) -> Option<Failure> {
        let directory = self.state_dir.parent().filter(|_| self.state_dir.ends_with(STATE))?;
        let (directory, state) = (directory.display(), self.state_dir.display());
        let text =
            format!("the project's file is gone: no `{FILE}` in {directory}, while its state is at {state}");
        Some(
            Failure::new(Exit::InvalidConfiguration, text).with_help(
                "`-f FILE` names one that is called otherwise; `list`, `logs` and `down` need none",
            ),
        )
    }

    /// Whether it runs as it was started at another place: its folder was moved since.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.run_dir.file_name() != self.next_run_dir.file_name()
    }

    /// The daemon's socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.run_dir.join("sock")
    }

    /// What points from the state to the run directory.
    pub(crate) fn pointer(&self) -> PathBuf {
        self.state_dir.join("run")
    }

    /// What points to the run directory, when this user may not look at it.
    pub(crate) fn hidden(&self) -> Option<PathBuf> {
        let pointer = self.pointer();
        let refused = fs::symlink_metadata(&pointer)
            .is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied);
        refused.then_some(pointer)
    }

    fn system(file: ProjectFile, surroundings: &Surroundings) -> Self {
        let system = &surroundings.system;
        Self {
            file: Some(file),
            state_dir: system.state.clone(),
            logs_dir: system.logs.clone(),
            run_dir: system.run.clone(),
            next_run_dir: system.run.clone(),
        }
    }

    fn with_state(file: Option<ProjectFile>, state_dir: &Path, surroundings: &Surroundings) -> Self {
        let state_dir = canonical(state_dir);
        let key = key(&state_dir);
        let next_run_dir = run_dir(&key, surroundings);
        // Another terminal may have another XDG_RUNTIME_DIR; what runs is where it was started.
        let pointed = fs::read_link(state_dir.join("run")).ok();
        // One of another path is that of this project all the same when its locks are held, which move with the folder.
        let run_dir = pointed.filter(|path| {
            is_run_dir(path, &trusted(&state_dir, surroundings.uid))
                && (path.file_name().is_some_and(|name| name == &*key) || Holders::of(&state_dir).is_some())
        });
        Self {
            file,
            logs_dir: state_dir.join("logs"),
            run_dir: run_dir.unwrap_or_else(|| next_run_dir.clone()),
            next_run_dir,
            state_dir,
        }
    }
}

/// Whether a pointer leads to a folder that may be trusted. It may be another project's: a folder that was copied with its
/// state points to where the first one runs.
fn is_run_dir(path: &Path, trusted: &[u32]) -> bool {
    path.is_absolute() && path.is_dir() && strangers::beside(path, trusted).is_none()
}

/// Whose folders are as good as ours: root's, and to root those of whoever has the project.
fn trusted(state_dir: &Path, uid: u32) -> Vec<u32> {
    let owner = strangers::owner(state_dir).filter(|_| uid == ROOT);
    [uid, ROOT].into_iter().chain(owner).collect()
}

/// The folder of the project whose state is kept there, for words.
pub(crate) fn project_of(state_dir: &Path) -> &Path {
    state_dir.parent().filter(|_| state_dir.ends_with(STATE)).unwrap_or(state_dir)
}

fn run_dir(key: &str, surroundings: &Surroundings) -> PathBuf {
    let fits = |path: &PathBuf| path.as_os_str().len() <= RUN_DIR_LIMIT;
    if let Some(dir) = &surroundings.runtime_dir {
        let dir = dir.join("mainstay").join(key);
        if fits(&dir) {
            return dir;
        }
    }
    let own = format!("mainstay-{}", surroundings.uid);
    let dir = surroundings.temporary_dir.join(&own).join(key);
    if fits(&dir) { dir } else { Path::new("/tmp").join(own).join(key) }
}

/// The path without links; of what is not there yet, as far as it is there.
fn canonical(path: &Path) -> PathBuf {
    let known = path.ancestors().find_map(|above| Some((above, fs::canonicalize(above).ok()?)));
    let Some((above, canonical)) = known else { return path.to_owned() };
    match path.strip_prefix(above) {
        Ok(rest) if rest.as_os_str().is_empty() => canonical,
        Ok(rest) => canonical.join(rest),
        Err(_) => path.to_owned(),
    }
}

/// Twelve hexadecimal digits for a path, the same on every day and machine (FNV-1a).
fn key(path: &Path) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in path.as_os_str().as_encoded_bytes() {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    format!("{:012x}", (hash ^ (hash >> 48)) & 0xffff_ffff_ffff)
}

fn no_file(surroundings: &Surroundings) -> Failure {
    let text = format!("there is no project here: no `{FILE}` in {}", surroundings.directory.display());
    let etc = surroundings.system.etc.join(FILE);
    Failure::new(Exit::InvalidConfiguration, text).with_help(format!(
        "it was looked for there, in every directory above, and at {}; `-f FILE` names one",
        etc.display()
    ))
}

#[cfg(test)]
mod tests {
    use mainstay_host::{Asked, Lock};
    use mainstay_keeper::ANCHOR_LOCK;

    use super::*;

    struct Machine {
        root: tempfile::TempDir,
        surroundings: Surroundings,
        global: Global,
    }

    fn machine() -> Machine {
        let root = tempfile::tempdir().unwrap();
        let top = fs::canonicalize(root.path()).unwrap();
        for dir in ["shop/deep/er", "etc/conf.d", "tmp", "xdg"] {
            fs::create_dir_all(top.join(dir)).unwrap();
        }
        let surroundings = Surroundings {
            directory: top.join("shop"),
            runtime_dir: Some(PathBuf::from("/xdg")),
            temporary_dir: PathBuf::from("/temporary"),
            uid: mainstay_host::effective_uid(),
            system: SystemPlaces { etc: top.join("etc"), ..SystemPlaces::default() },
        };
        let global = Global {
            file: None,
            state_dir: None,
            json: false,
            quiet: false,
            verbose: false,
            no_color: false,
            timeout: None,
        };
        Machine { root, surroundings, global }
    }

    impl Machine {
        fn write(&self, path: &str) -> PathBuf {
            let path = fs::canonicalize(self.root.path()).unwrap().join(path);
            fs::write(&path, "").unwrap();
            path
        }

        fn at(&mut self, dir: &str) -> Result<Places, Failure> {
            self.surroundings.directory = fs::canonicalize(self.root.path()).unwrap().join(dir);
            Places::find(&self.global, &self.surroundings)
        }
    }

    #[test]
    fn the_nearest_file_counts_with_its_local_override() {
        let mut machine = machine();
        let failure = machine.at("shop/deep").unwrap_err();
        assert_eq!(failure.exit, Exit::InvalidConfiguration);
        assert!(failure.text.ends_with("shop/deep") && failure.help.is_some());

        let etc = machine.write("etc/mainstay.toml");
        let places = machine.at("shop/deep/er").unwrap();
        assert_eq!(places.file.as_ref().unwrap().shown(), etc);
        assert_eq!(places.state_dir, Path::new("/var/lib/mainstay"));
        assert_eq!(places.socket(), Path::new("/run/mainstay/sock"));

        let shop = machine.write("shop/mainstay.toml");
        let places = machine.at("shop/deep/er").unwrap();
        let file = places.file.as_ref().unwrap();
        assert_eq!((file.main.as_ref(), file.local.as_ref()), (Some(&shop), None));
        assert_eq!(places.state_dir, shop.with_file_name(".mainstay"));
        assert_eq!(places.logs_dir, shop.with_file_name(".mainstay").join("logs"));

        let local = machine.write("shop/mainstay.local.toml");
        assert_eq!(machine.at("shop/deep").unwrap().file.unwrap().local, Some(local));
    }

    #[test]
    fn a_state_folder_is_a_project_whose_file_is_gone() {
        let mut machine = machine();
        let shop = machine.write("shop/mainstay.toml");
        let (near, far) = (shop.with_file_name("deep/.mainstay"), shop.with_file_name(".mainstay"));
        fs::create_dir(&near).unwrap();
        fs::create_dir(&far).unwrap();
        let places = machine.at("shop/deep/er").unwrap();
        assert_eq!((places.file.as_ref(), &places.state_dir), (None, &near));
        let failure = places.require_file(&machine.surroundings).unwrap_err();
        assert_eq!(failure.exit, Exit::InvalidConfiguration);
        assert!(failure.text.ends_with(&format!("while its state is at {}", near.display())), "{failure:?}");
        // A file beside it is found first.
        assert_eq!(machine.at("shop").unwrap().file.unwrap().shown(), shop);
        fs::remove_file(&shop).unwrap();
        assert_eq!(machine.at("shop").unwrap().state_dir, far);
        // What is found otherwise has nothing to do with it.
        machine.global.state_dir = Some(PathBuf::from("/elsewhere"));
        let failure = machine.at("shop").unwrap().require_file(&machine.surroundings).unwrap_err().text;
        assert!(failure.starts_with("there is no project here"), "{failure}");
    }

    #[test]
    fn what_is_no_file_is_an_error_and_not_overlooked() {
        let mut machine = machine();
        let shop = machine.write("shop/mainstay.toml");
        fs::create_dir(shop.with_file_name("mainstay.local.toml")).unwrap();
        assert!(machine.at("shop").unwrap_err().text.ends_with("mainstay.local.toml is a directory"));
        fs::remove_file(&shop).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(&shop).unwrap();
        assert!(machine.at("shop/deep").unwrap_err().text.ends_with("shop/mainstay.toml is a socket"));
        machine.global.file = Some("/dev/null".into());
        assert!(machine.at("shop").unwrap_err().text.ends_with("/dev/null is a device"));
    }

    #[test]
    fn the_machines_additions_are_sorted_and_may_stand_alone() {
        let mut machine = machine();
        let second = machine.write("etc/conf.d/20.toml");
        let first = machine.write("etc/conf.d/10.toml");
        machine.write("etc/conf.d/30.toml.old");
        let file = machine.at("shop").unwrap().file.unwrap();
        assert_eq!(file.all().collect::<Vec<_>>(), [&first, &second]);
        let main = machine.write("etc/mainstay.toml");
        assert_eq!(machine.at("shop").unwrap().file.unwrap().all().next(), Some(&main));
        machine.global.file = Some(main);
        assert_eq!(machine.at("shop").unwrap().state_dir, Path::new("/var/lib/mainstay"));
    }

    #[test]
    fn a_named_file_must_be_there_and_a_state_directory_needs_none() {
        let mut machine = machine();
        machine.write("shop/other.toml");
        machine.global.file = Some(PathBuf::from("other.toml"));
        assert!(machine.at("shop").unwrap().file.unwrap().shown().ends_with("shop/other.toml"));
        machine.global.file = Some(PathBuf::from("none.toml"));
        assert_eq!(machine.at("shop").unwrap_err().exit, Exit::InvalidConfiguration);
        machine.global.file = Some(PathBuf::from("deep"));
        assert!(machine.at("shop").unwrap_err().text.ends_with("is a directory"));

        machine.global.file = None;
        machine.global.state_dir = Some(PathBuf::from("deep/state"));
        let places = machine.at("shop").unwrap();
        assert!(places.file.is_none() && places.state_dir.ends_with("shop/deep/state"));
        assert!(places.require_file(&machine.surroundings).is_err());
    }

    #[test]
    fn the_run_directory_is_short_whatever_the_path() {
        let mut machine = machine();
        machine.write("shop/mainstay.toml");
        let run_dir = |machine: &mut Machine| machine.at("shop").unwrap().run_dir;
        let first = run_dir(&mut machine);
        assert_eq!(first.parent(), Some(Path::new("/xdg/mainstay")));
        assert_eq!(first.file_name().unwrap().len(), 12);
        machine.surroundings.runtime_dir = Some(PathBuf::from("/x".repeat(60)));
        let uid = machine.surroundings.uid;
        assert_eq!(
            run_dir(&mut machine).parent(),
            Some(&*PathBuf::from(format!("/temporary/mainstay-{uid}")))
        );
        machine.surroundings.temporary_dir = PathBuf::from("/t".repeat(60));
        assert_eq!(run_dir(&mut machine).parent(), Some(&*PathBuf::from(format!("/tmp/mainstay-{uid}"))));
    }

    #[test]
    fn what_runs_is_found_where_it_was_started() {
        let mut machine = machine();
        machine.write("shop/mainstay.toml");
        let first = machine.at("shop").unwrap();
        let key = first.run_dir.file_name().unwrap().to_owned();
        let elsewhere = fs::canonicalize(machine.root.path()).unwrap().join("xdg").join(key);
        let point = |target: &Path| {
            let _ = fs::remove_file(first.pointer());
            fs::create_dir_all(&first.state_dir).unwrap();
            std::os::unix::fs::symlink(target, first.pointer()).unwrap();
        };
        point(&elsewhere);
        // Not there any more, as after a restart of the machine.
        assert_eq!(machine.at("shop").unwrap().run_dir, first.run_dir);
        fs::create_dir(&elsewhere).unwrap();
        let found = machine.at("shop").unwrap();
        assert_eq!((&found.run_dir, &found.next_run_dir), (&elsewhere, &first.run_dir));
        // Another project's.
        let other = elsewhere.parent().unwrap();
        point(other);
        assert_eq!(machine.at("shop").unwrap().run_dir, first.run_dir);
        // It is this one's when it holds the lock of this folder: then it was started when that was at another place.
        let Asked::Held(lock) = Lock::ask(&first.state_dir.join(ANCHOR_LOCK)).unwrap() else { panic!() };
        let found = machine.at("shop").unwrap();
        assert_eq!((&*found.run_dir, &found.next_run_dir), (other, &first.run_dir));
        assert!(found.is_elsewhere() && !first.is_elsewhere());
        drop(lock);
        assert!(!machine.at("shop").unwrap().is_elsewhere());
    }

    #[test]
    fn keys_stay_the_same() {
        assert_eq!(key(Path::new("/srv/shop/.mainstay")), key(Path::new("/srv/shop/.mainstay")));
        assert_ne!(key(Path::new("/srv/shop/.mainstay")), key(Path::new("/srv/shoq/.mainstay")));
        assert_eq!(key(Path::new("")), "9ce48422e8d7");
    }
}

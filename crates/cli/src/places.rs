//! Where things are: the project's file, its state, its logs, its sockets. Makes nothing.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::{arguments::Global, exit::Exit, failure::Failure};

/// The name of a project's file.
const FILE: &str = "mainstay.toml";

/// The file beside it that is laid over it.
const LOCAL: &str = "mainstay.local.toml";

/// The folder beside it that holds its state.
const STATE: &str = ".mainstay";

/// The longest path of a run directory: with `/sock` and more of that kind it must fit into the 107 bytes that
/// unix(7) has for the path of a socket.
const RUN_DIR_LIMIT: usize = 80;

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
        Ok(Self {
            directory,
            // The specification: a relative path is to be ignored.
            runtime_dir: runtime_dir.filter(|path| path.is_absolute()),
            temporary_dir: std::env::temp_dir(),
            uid: mainstay_host::effective_uid(),
            system: SystemPlaces::default(),
        })
    }
}

/// The files of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProjectFile {
    /// The main file, when there is one: additions can stand alone.
    pub(crate) main: Option<PathBuf>,
    /// Additions.
    pub(crate) additions: Vec<PathBuf>,
    /// What is laid over them.
    pub(crate) local: Option<PathBuf>,
    /// The folder that paths count from.
    pub(crate) directory: PathBuf,
}

impl ProjectFile {
    /// A file that was named.
    pub(crate) fn named(path: &Path, surroundings: &Surroundings) -> Result<Self, Failure> {
        let path = surroundings.directory.join(path);
        let wrong = |text: String| Failure::new(Exit::InvalidConfiguration, text);
        match fs::metadata(&path) {
            Err(error) => Err(wrong(format!("cannot read {}: {}", path.display(), plain(&error)))),
            Ok(data) if data.is_dir() => Err(wrong(format!("{} is a directory", path.display()))
                .with_help(format!("name the file in it: {}", path.join(FILE).display()))),
            Ok(_) => Self::at(&path, surroundings)
                .map_err(|error| wrong(format!("cannot read {}: {}", path.display(), plain(&error)))),
        }
    }

    /// The nearest one, or the machine's.
    fn find(surroundings: &Surroundings) -> Option<Self> {
        let nearest =
            surroundings.directory.ancestors().map(|dir| dir.join(FILE)).find(|path| path.is_file());
        if let Some(path) = nearest {
            return Self::at(&path, surroundings).ok();
        }
        let found = Self::of_machine(&surroundings.system);
        (found.main.is_some() || !found.additions.is_empty()).then_some(found)
    }

    fn at(path: &Path, surroundings: &Surroundings) -> io::Result<Self> {
        let directory = fs::canonicalize(path.parent().unwrap_or(Path::new("/")))?;
        let name = path.file_name().unwrap_or(FILE.as_ref());
        if directory == surroundings.system.etc && name == FILE {
            return Ok(Self::of_machine(&surroundings.system));
        }
        let local = Some(directory.join(LOCAL)).filter(|path| path.is_file());
        Ok(Self { main: Some(directory.join(name)), additions: Vec::new(), local, directory })
    }

    fn of_machine(system: &SystemPlaces) -> Self {
        let present = |name: &str| Some(system.etc.join(name)).filter(|path| path.is_file());
        let entries = fs::read_dir(system.etc.join("conf.d")).into_iter().flatten().flatten();
        let mut additions: Vec<PathBuf> = entries
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
            .collect();
        additions.sort();
        Self { main: present(FILE), additions, local: present(LOCAL), directory: system.etc.clone() }
    }

    /// All of them, in the order in which they are read.
    pub(crate) fn all(&self) -> impl Iterator<Item = &PathBuf> {
        self.main.iter().chain(&self.additions).chain(&self.local)
    }

    /// The one by which people know it.
    pub(crate) fn shown(&self) -> &Path {
        self.all().next().map_or(&self.directory, |path| path)
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
        let file = match &global.file {
            Some(path) => Some(ProjectFile::named(path, surroundings)?),
            None => ProjectFile::find(surroundings),
        };
        match (file, &global.state_dir) {
            (file, Some(state_dir)) => {
                Ok(Self::moved(file, &surroundings.directory.join(state_dir), surroundings))
            }
            (Some(file), None) if file.directory == surroundings.system.etc => {
                Ok(Self::system(file, surroundings))
            }
            (Some(file), None) => {
                let state_dir = file.directory.join(STATE);
                Ok(Self::moved(Some(file), &state_dir, surroundings))
            }
            (None, None) => Err(no_file(surroundings)),
        }
    }

    /// Its files, or where they were looked for.
    pub(crate) fn require_file(&self, surroundings: &Surroundings) -> Result<&ProjectFile, Failure> {
        self.file.as_ref().ok_or_else(|| no_file(surroundings))
    }

    /// The daemon's socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.run_dir.join("sock")
    }

    /// What points from the state to the run directory.
    pub(crate) fn pointer(&self) -> PathBuf {
        self.state_dir.join("run")
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

    fn moved(file: Option<ProjectFile>, state_dir: &Path, surroundings: &Surroundings) -> Self {
        let state_dir = canonical(state_dir);
        let key = key(&state_dir);
        let next_run_dir = run_dir(&key, surroundings);
        // Another terminal may have another XDG_RUNTIME_DIR; what runs is where it was started.
        let pointed = fs::read_link(state_dir.join("run")).ok();
        let run_dir = pointed.filter(|path| is_run_dir_of(path, &key, surroundings.uid));
        Self {
            file,
            logs_dir: state_dir.join("logs"),
            run_dir: run_dir.unwrap_or_else(|| next_run_dir.clone()),
            next_run_dir,
            state_dir,
        }
    }
}

/// Whether a pointer is ours: a folder that was copied with its state points to where another project runs.
fn is_run_dir_of(path: &Path, key: &str, uid: u32) -> bool {
    let is_named_so = path.is_absolute() && path.file_name().is_some_and(|name| name == key);
    let owner = fs::metadata(path).map(|data| data.uid());
    is_named_so && owner.is_ok_and(|owner| uid == 0 || owner == uid || owner == 0)
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

/// An error of the system in words, without its number.
fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
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
        point(elsewhere.parent().unwrap());
        assert_eq!(machine.at("shop").unwrap().run_dir, first.run_dir);
    }

    #[test]
    fn keys_stay_the_same() {
        assert_eq!(key(Path::new("/srv/shop/.mainstay")), key(Path::new("/srv/shop/.mainstay")));
        assert_ne!(key(Path::new("/srv/shop/.mainstay")), key(Path::new("/srv/shoq/.mainstay")));
        assert_eq!(key(Path::new("")), "9ce48422e8d7");
    }
}

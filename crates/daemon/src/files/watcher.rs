//! The thread that is told of changes: watches the folders that globs lead into, and waits a moment for changes that belong
//! together. Nothing polls: it sleeps until the system or its own delay wakes it.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use mainstay_model::ServiceName;
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use super::{Wanted, globs::Glob, inbox::Inbox};
use crate::wake::Wake;

/// Changes within this time are one.
const TOGETHER: Duration = Duration::from_millis(200);

/// The pause between two tellings of the same service, while changes keep coming.
const PAUSE: Duration = Duration::from_secs(1);

/// How far the times of files may be behind the clock (a tick of the system).
const CLOCK_STEP: Duration = Duration::from_millis(10);

/// How many folders are watched at most.
const FOLDER_LIMIT: usize = 20_000;

pub(super) struct Watcher {
    inbox: Arc<Inbox>,
    wakes: mpsc::Sender<Wake>,
    system: Option<RecommendedWatcher>,
    root: PathBuf,
    globs: BTreeMap<ServiceName, Vec<Glob>>,
    folders: BTreeSet<PathBuf>,
    pending: BTreeMap<ServiceName, Pending>,
    told: BTreeMap<ServiceName, Instant>,
    trouble: BTreeMap<ServiceName, String>,
    /// See [`PAUSE`].
    pause: Duration,
    folder_limit: usize,
}

/// A change that is about to be told.
struct Pending {
    path: String,
    due: Instant,
}

impl Watcher {
    pub(super) fn new(inbox: Arc<Inbox>, wakes: mpsc::Sender<Wake>) -> Self {
        Self {
            inbox,
            wakes,
            system: None,
            root: PathBuf::new(),
            globs: BTreeMap::new(),
            folders: BTreeSet::new(),
            pending: BTreeMap::new(),
            told: BTreeMap::new(),
            trouble: BTreeMap::new(),
            pause: PAUSE,
            folder_limit: FOLDER_LIMIT,
        }
    }

    /// Until nobody wants to know any more.
    pub(super) fn run(mut self) {
        loop {
            let due = self.pending.values().map(|pending| pending.due).min();
            let news = self.inbox.wait(due);
            if news.finish {
                return;
            }
            let before = self.trouble.clone();
            if let Some((wanted, since)) = news.wanted {
                self.begin(wanted, since);
            }
            if news.all {
                self.folders.clear();
                self.look_into(&self.root.clone());
                let names: Vec<ServiceName> = self.globs.keys().cloned().collect();
                names.into_iter().for_each(|name| self.expect(name, "a file"));
            }
            for path in &news.paths {
                self.changed(path, news.made.contains(path));
            }
            for path in news.attributes.difference(&news.paths).filter(|path| is_touched(path)) {
                self.changed(path, false);
            }
            let trouble = (before != self.trouble).then(|| Wake::WatchTrouble(self.trouble.clone()));
            for wake in trouble.into_iter().chain(self.due()) {
                // A closed channel is a daemon that ends.
                if self.wakes.blocking_send(wake).is_err() {
                    return;
                }
            }
        }
    }

    /// Forgets everything, and watches this. What has changed since it was asked for is seen as well.
    fn begin(&mut self, wanted: Wanted, since: SystemTime) {
        self.root = wanted.dir;
        self.globs.clear();
        self.folders.clear();
        self.trouble.clear();
        self.pending.retain(|name, _| wanted.globs.contains_key(name));
        self.told.retain(|name, _| wanted.globs.contains_key(name));
        for (name, globs) in wanted.globs {
            let globs: Result<Vec<Glob>, String> = globs.iter().map(|glob| Glob::new(glob)).collect();
            match globs {
                Ok(globs) => _ = self.globs.insert(name, globs),
                Err(text) => _ = self.trouble.insert(name, text),
            }
        }
        let inbox = Arc::clone(&self.inbox);
        self.system = None;
        if self.globs.is_empty() {
            return;
        }
        match notify::recommended_watcher(move |event| inbox.tell(|news| news.take_in(event))) {
            Ok(system) => {
                self.system = Some(system);
                let found = self.look_into(&self.root.clone());
                let is_fresh = |path: &&PathBuf| changed_at(path).is_some_and(|at| at + CLOCK_STEP >= since);
                found.iter().filter(is_fresh).for_each(|path| self.file_changed(path));
            }
            Err(error) => {
                let text = format!("its files cannot be watched: {}", words(&error));
                let names = self.globs.keys().cloned();
                self.trouble.extend(names.map(|name| (name, text.clone())));
            }
        }
    }

    /// Watches this folder and those in it, and gives the files that are there.
    fn look_into(&mut self, folder: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut open = VecDeque::from([folder.to_owned()]);
        while let Some(folder) = open.pop_front() {
            if !self.watch(&folder) {
                continue;
            }
            // One that went away meanwhile has nothing in it.
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => open.push_back(entry.path()),
                    _ => found.push(entry.path()),
                }
            }
        }
        found
    }

    /// Whether this folder matters, and is watched now.
    fn watch(&mut self, folder: &Path) -> bool {
        let Ok(below) = folder.strip_prefix(&self.root) else { return false };
        let reaches = |globs: &Vec<Glob>| globs.iter().any(|glob| glob.reaches(below));
        let names: Vec<ServiceName> =
            self.globs.iter().filter(|(_, globs)| reaches(globs)).map(|(name, _)| name.clone()).collect();
        let Some(system) = self.system.as_mut().filter(|_| !names.is_empty()) else { return false };
        if self.folders.contains(folder) {
            return true;
        }
        let watched = if self.folders.len() < self.folder_limit {
            system.watch(folder, RecursiveMode::NonRecursive).map_err(|error| words(&error))
        } else {
            Err(format!("more than {} folders would have to be", self.folder_limit))
        };
        match watched {
            Ok(()) => self.folders.insert(folder.to_owned()),
            Err(_) if !folder.is_dir() => false,
            Err(text) => {
                let shown = if below.as_os_str().is_empty() { folder } else { below };
                let text = format!("changes in `{}` are not seen: {text}", shown.display());
                for name in names {
                    self.trouble.entry(name).or_insert_with(|| text.clone());
                }
                false
            }
        }
    }

    fn changed(&mut self, path: &Path, was_made: bool) {
        match fs::symlink_metadata(path) {
            Ok(data) if data.is_dir() => {
                if was_made {
                    // An earlier one of this name is not this one.
                    self.leave(path);
                    // What is in it may have come before it was watched.
                    let found = self.look_into(path);
                    found.iter().for_each(|path| self.file_changed(path));
                }
            }
            Ok(_) => self.file_changed(path),
            Err(_) => {
                self.leave(path);
                self.file_changed(path);
            }
        }
    }

    /// A folder that is no more, or has another name.
    fn leave(&mut self, path: &Path) {
        let gone: Vec<PathBuf> = self.folders.iter().filter(|at| at.starts_with(path)).cloned().collect();
        for folder in gone {
            self.folders.remove(&folder);
            // One that was deleted is watched no more in any case.
            let _ = self.system.as_mut().map(|system| system.unwatch(&folder));
        }
    }

    fn file_changed(&mut self, path: &Path) {
        let Ok(below) = path.strip_prefix(&self.root) else { return };
        let means = |globs: &Vec<Glob>| globs.iter().any(|glob| glob.means(below));
        let names: Vec<ServiceName> =
            self.globs.iter().filter(|(_, globs)| means(globs)).map(|(name, _)| name.clone()).collect();
        let shown = below.to_string_lossy();
        names.into_iter().for_each(|name| self.expect(name, &shown));
    }

    fn expect(&mut self, name: ServiceName, path: &str) {
        let now = Instant::now();
        let told = self.told.get(&name).map(|told| *told + self.pause);
        let due = told.map_or(now + TOGETHER, |earliest| earliest.max(now + TOGETHER));
        self.pending.entry(name).or_insert_with(|| Pending { path: path.to_owned(), due });
    }

    /// What is to be told now.
    fn due(&mut self) -> Vec<Wake> {
        let now = Instant::now();
        let due: Vec<ServiceName> = self
            .pending
            .iter()
            .filter(|(_, pending)| pending.due <= now)
            .map(|(name, _)| name.clone())
            .collect();
        due.into_iter()
            .filter_map(|name| {
                let path = self.pending.remove(&name)?.path;
                self.told.insert(name.clone(), now);
                Some(Wake::FileChanged { name, path })
            })
            .collect()
    }
}

/// When what is in a file, or what is said of it, was last changed.
fn changed_at(path: &Path) -> Option<SystemTime> {
    let data = fs::symlink_metadata(path).ok()?;
    let nanos = u32::try_from(data.ctime_nsec()).ok()?;
    Some(UNIX_EPOCH + Duration::new(u64::try_from(data.ctime()).ok()?, nanos))
}

/// Whether the last thing that happened to a file gave it a new time, as writing and `touch` do. Another mode or owner, or one
/// more name, leaves that time behind.
fn is_touched(path: &Path) -> bool {
    let Some((data, changed)) = fs::symlink_metadata(path).ok().zip(changed_at(path)) else { return false };
    data.modified().is_ok_and(|modified| modified + CLOCK_STEP >= changed)
}

/// Why something is not watched.
fn words(error: &notify::Error) -> String {
    match &error.kind {
        notify::ErrorKind::MaxFilesWatch => {
            "the system watches no more for this user (`sysctl fs.inotify.max_user_watches` is the limit)"
                .to_owned()
        }
        notify::ErrorKind::Io(error) if error.raw_os_error() == Some(EMFILE) => {
            "this user has no watcher left (`sysctl fs.inotify.max_user_instances` is the limit)".to_owned()
        }
        notify::ErrorKind::Io(error) => error.to_string(),
        _ => error.to_string(),
    }
}

/// Too many open files, or inotify instances (`inotify_init(2)`).
const EMFILE: i32 = 24;

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    struct Stage {
        dir: tempfile::TempDir,
        inbox: Arc<Inbox>,
        wakes: mpsc::Receiver<Wake>,
    }

    impl Stage {
        fn watching(globs: &[(&str, &[&str])], prepare: impl FnOnce(&Path)) -> Self {
            Self::pausing(PAUSE, globs, prepare)
        }

        fn pausing(pause: Duration, globs: &[(&str, &[&str])], prepare: impl FnOnce(&Path)) -> Self {
            let dir = tempfile::tempdir().unwrap();
            prepare(dir.path());
            let inbox = Arc::new(Inbox::default());
            let (sender, wakes) = mpsc::channel(16);
            let folder_limit = 20;
            let watcher = Watcher { pause, folder_limit, ..Watcher::new(Arc::clone(&inbox), sender) };
            std::thread::spawn(move || watcher.run());
            let globs = globs.iter().map(|(name, globs)| {
                (name.parse().unwrap(), globs.iter().map(|glob| (*glob).to_owned()).collect())
            });
            let wanted = Wanted { dir: dir.path().to_owned(), globs: globs.collect() };
            inbox.tell(|news| news.wanted = Some((wanted, SystemTime::now())));
            Self { dir, inbox, wakes }
        }

        fn write(&self, path: &str) {
            let path = self.dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }

        /// The next wake, as text.
        fn next(&mut self, within: Duration) -> Option<String> {
            let until = Instant::now() + within;
            while Instant::now() < until {
                match self.wakes.try_recv() {
                    Ok(Wake::FileChanged { name, path }) => return Some(format!("{name} {path}")),
                    Ok(Wake::WatchTrouble(trouble)) => return Some(format!("{trouble:?}")),
                    Ok(other) => panic!("{other:?}"),
                    Err(_) => std::thread::sleep(Duration::from_millis(5)),
                }
            }
            None
        }
    }

    impl Drop for Stage {
        fn drop(&mut self) {
            self.inbox.tell(|news| news.finish = true);
        }
    }

    #[test]
    fn changes_that_come_together_are_one_and_others_are_none() {
        let mut stage = Stage::watching(&[("api", &["src/**"]), ("web", &["*.css"])], |dir| {
            fs::create_dir(dir.join("src")).unwrap();
            fs::write(dir.join("src/old.rs"), "x").unwrap();
            std::thread::sleep(CLOCK_STEP * 2);
        });
        stage.write("src/a.rs");
        assert_eq!(stage.next(PATIENCE).unwrap(), "api src/a.rs");
        let since = Instant::now();
        for number in 0..50 {
            stage.write(&format!("src/{number}.rs"));
        }
        stage.write("other/a.rs");
        stage.write("src/target/b.rs");
        let said = stage.next(PATIENCE).unwrap();
        assert!(said.starts_with("api src/"), "{said}");
        assert!(since.elapsed() > PAUSE / 2, "once a second: {:?}", since.elapsed());
        stage.write("main.css");
        assert_eq!(stage.next(PATIENCE).unwrap(), "web main.css");
        assert_eq!(stage.next(PAUSE + TOGETHER * 2), None);
    }

    #[test]
    fn a_mode_is_no_change_and_a_new_time_is_one() {
        use std::os::unix::fs::PermissionsExt;
        let mut stage = Stage::watching(&[("api", &["src/*"])], |dir| {
            fs::create_dir(dir.join("src")).unwrap();
            for file in ["src/tool", "src/touched"] {
                fs::write(dir.join(file), "x").unwrap();
                let old = SystemTime::now() - Duration::from_secs(60);
                fs::File::options().write(true).open(dir.join(file)).unwrap().set_modified(old).unwrap();
            }
            std::thread::sleep(CLOCK_STEP * 2);
        });
        // Once one is told, it is watched.
        stage.write("src/a");
        assert_eq!(stage.next(PATIENCE).unwrap(), "api src/a");
        fs::set_permissions(stage.dir.path().join("src/tool"), fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(stage.next(PAUSE + TOGETHER * 2), None);
        let touched = fs::File::options().write(true).open(stage.dir.path().join("src/touched")).unwrap();
        touched.set_modified(SystemTime::now()).unwrap();
        assert_eq!(stage.next(PATIENCE).unwrap(), "api src/touched");
    }

    #[test]
    fn folders_may_come_go_and_be_renamed() {
        let globs: [(&str, &[&str]); 2] = [("api", &["src/**/*.rs"]), ("top", &["ready"])];
        // Long enough to tell one change from the next.
        let mut stage = Stage::pausing(TOGETHER * 2, &globs, |_| {});
        stage.write("ready");
        assert_eq!(stage.next(PATIENCE).unwrap(), "top ready");
        stage.write("src/deep/er/a.rs");
        assert_eq!(stage.next(PATIENCE).unwrap(), "api src/deep/er/a.rs");
        let path = |name: &str| stage.dir.path().join(name);
        fs::rename(path("src/deep"), path("src/other")).unwrap();
        assert_eq!(stage.next(PATIENCE).unwrap(), "api src/other/er/a.rs");
        stage.write("src/other/er/b.rs");
        assert_eq!(stage.next(PATIENCE).unwrap(), "api src/other/er/b.rs");
        fs::remove_dir_all(stage.dir.path().join("src")).unwrap();
        let said = stage.next(PATIENCE).unwrap();
        assert!(said.starts_with("api src/other/er/"), "{said}");
        stage.write("src/again.rs");
        assert_eq!(stage.next(PATIENCE).unwrap(), "api src/again.rs");
    }

    #[test]
    fn beyond_so_many_folders_it_is_told_which_are_not_seen() {
        let mut stage = Stage::watching(&[("api", &["src/**"])], |dir| {
            (0..30).for_each(|number| fs::create_dir_all(dir.join(format!("src/{number}"))).unwrap());
        });
        let told = stage.next(PATIENCE).unwrap();
        assert!(told.contains("are not seen: more than 20 folders would have to be"), "{told}");
        stage.write("src/here");
        assert_eq!(stage.next(PATIENCE).unwrap(), "api src/here");
    }

    #[test]
    fn what_is_no_glob_is_told() {
        let mut stage = Stage::watching(&[("api", &["src/[a"]), ("web", &["a.css"])], |_| {});
        let said = stage.next(PATIENCE).unwrap();
        assert!(said.contains("`src/[a` is no glob"), "{said}");
        stage.write("a.css");
        assert_eq!(stage.next(PATIENCE).unwrap(), "web a.css");
    }
}

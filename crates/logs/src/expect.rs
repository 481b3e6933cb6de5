//! Waits for lines in the output of runs, of any number of services with one watch. Sleeps until the system tells of a change.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

use mainstay_wire::owner_of_errors;
use regex::bytes::Regex;

use crate::{
    From, LogError, Run, Wanted,
    last::Extent,
    marks::Stamp,
    parts::{Part, begin_service, folders_of},
    source::{CHUNK, Step},
    watch::{Desk, Watch},
};

/// A line that is waited for.
#[derive(Clone, Debug)]
pub struct Awaited {
    /// In the output of this service (`api@2`); a later one of the same service takes the place of an earlier one.
    pub service: String,
    /// Of this run alone, from its beginning on.
    pub run: u64,
    /// With something in it that this matches.
    pub pattern: Regex,
    /// By which the answer is told from another.
    pub key: u64,
}

/// What became of a line that was waited for.
#[derive(Debug)]
pub struct Answer {
    /// Whose.
    pub service: String,
    /// Of which run.
    pub run: u64,
    /// Which one.
    pub key: u64,
    /// It came, or its log cannot be read or watched.
    pub result: Result<(), LogError>,
}

/// What is to be waited for from now on, or no longer.
#[derive(Debug)]
pub(crate) enum Order {
    Expect(Awaited),
    Leave(String),
}

/// Waits for lines, in a thread of its own.
#[derive(Debug)]
pub struct Expect {
    root: PathBuf,
    open: BTreeMap<String, Open>,
    watch: Watch,
    desk: Arc<Desk>,
}

/// Tells an [`Expect`] what to wait for. It ends with the last of these.
#[derive(Debug)]
pub struct Expecting {
    desk: Arc<Desk>,
}

#[derive(Debug)]
struct Open {
    run: u64,
    key: u64,
    parts: Vec<Part>,
}

impl Expecting {
    /// Waits for this line.
    pub fn expect(&self, awaited: Awaited) {
        self.desk.tell(|news| news.orders.push(Order::Expect(awaited)));
    }

    /// Waits for nothing of this service any more.
    pub fn leave(&self, service: &str) {
        self.desk.tell(|news| news.orders.push(Order::Leave(service.to_owned())));
    }
}

impl Drop for Expecting {
    fn drop(&mut self) {
        self.desk.tell(|news| news.finish = true);
    }
}

impl Expect {
    /// Waits for nothing yet, in folders under `root`; it need not exist.
    ///
    /// # Errors
    /// The folders cannot be watched.
    pub fn new(root: &Path) -> Result<(Self, Expecting), LogError> {
        let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
        let desk = Arc::new(Desk::default());
        let mut watch = Watch::new(&root, Arc::clone(&desk))?;
        watch.watch_root()?;
        let expecting = Expecting { desk: Arc::clone(&desk) };
        Ok((Self { root, open: BTreeMap::new(), watch, desk }, expecting))
    }

    /// Gives an answer for each line that came, and none for those that do not. Ends with its [`Expecting`].
    pub fn run(mut self, answer: &mut dyn FnMut(Answer)) {
        let mut buffer = vec![0; CHUNK];
        loop {
            let news = self.desk.wait();
            if news.finish {
                return;
            }
            if news.all {
                // Where that fails, the folders that are there are still watched.
                let _ = self.watch.watch_root();
            }
            let mut concerned: BTreeSet<String> = news.changed.iter().map(|folder| owner(folder)).collect();
            for service in news.moved.iter().map(|folder| owner(folder)) {
                // Before it is read: what is written in between is then either seen or told.
                let _ = self.watch_one(&service);
                concerned.insert(service);
            }
            for order in news.orders {
                concerned.extend(self.obey(order, answer));
            }
            if news.all {
                let services: Vec<String> = self.open.keys().cloned().collect();
                services.iter().for_each(|service| drop(self.watch_one(service)));
                concerned.extend(services);
            }
            for service in concerned {
                self.read(service, &mut buffer, answer);
            }
        }
    }

    fn watch_one(&mut self, service: &str) -> Result<(), LogError> {
        if self.open.contains_key(service) { self.watch_all(service) } else { Ok(()) }
    }

    fn watch_all(&mut self, service: &str) -> Result<(), LogError> {
        folders_of(service, None).iter().try_for_each(|folder| self.watch.watch_folder(folder))
    }

    /// Gives the service that is to be read.
    fn obey(&mut self, order: Order, answer: &mut dyn FnMut(Answer)) -> Option<String> {
        let awaited = match order {
            Order::Expect(awaited) => awaited,
            Order::Leave(service) => {
                self.leave(&service);
                return None;
            }
        };
        let Awaited { service, run, pattern, key } = awaited;
        let wanted = Wanted { run: Some(Run::Number(run)), pattern: Some(pattern), ..From::Start.into() };
        let begun = self
            .watch_all(&service)
            .and_then(|()| begin_service(&self.root, &service, &wanted, Extent::Onward));
        match begun {
            Ok(parts) => {
                self.open.insert(service.clone(), Open { run, key, parts });
                Some(service)
            }
            Err(error) => {
                self.leave(&service);
                answer(Answer { service, run, key, result: Err(error) });
                None
            }
        }
    }

    fn leave(&mut self, service: &str) {
        self.open.remove(service);
        folders_of(service, None).iter().for_each(|folder| self.watch.leave_folder(folder));
    }

    fn read(&mut self, service: String, buffer: &mut [u8], answer: &mut dyn FnMut(Answer)) {
        let Some(open) = self.open.get_mut(&service) else { return };
        let mut give = |_: Stamp, _: &[u8]| ControlFlow::Break(());
        let looked = open.parts.iter_mut().find_map(|part| match part.source.read_on(buffer, &mut give) {
            Ok(Step::Enough) => Some(Ok(())),
            Ok(Step::End | Step::Later | Step::NextFile) => None,
            Err(error) => Some(Err(error)),
        });
        let Some(result) = looked else { return };
        let (run, key) = (open.run, open.key);
        self.leave(&service);
        answer(Answer { service, run, key, result });
    }
}

/// Whose log a folder belongs to.
fn owner(folder: &str) -> String {
    owner_of_errors(folder).unwrap_or(folder).to_owned()
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        io::Write as _,
        sync::mpsc::{Receiver, channel},
        time::Duration,
    };

    use mainstay_wire::{LogIndexHeader, LogMark, LogMarkKind};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// A log that knows who wrote what.
    struct Log {
        dir: PathBuf,
    }

    impl Log {
        fn of(root: &Path, service: &str) -> Self {
            use std::os::unix::fs::MetadataExt;
            let dir = root.join(service);
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join("current.new"), "").unwrap();
            let inode = fs::metadata(dir.join("current.new")).unwrap().ino();
            fs::write(dir.join("current.index"), LogIndexHeader { inode }.to_bytes()).unwrap();
            fs::rename(dir.join("current.new"), dir.join("current")).unwrap();
            Self { dir }
        }

        fn append(&self, name: &str, bytes: &[u8]) {
            fs::OpenOptions::new().append(true).open(self.dir.join(name)).unwrap().write_all(bytes).unwrap();
        }

        fn write(&self, run: u64, text: &str) {
            let offset = fs::metadata(self.dir.join("current")).unwrap().len();
            let mark = LogMark { offset, time_ns: 1, run, kind: LogMarkKind::Output, stream: None };
            self.append("current.index", &mark.to_bytes());
            self.append("current", text.as_bytes());
        }
    }

    fn awaited(service: &str, run: u64, pattern: &str, key: u64) -> Awaited {
        Awaited { service: service.to_owned(), run, pattern: Regex::new(pattern).unwrap(), key }
    }

    fn begin_waiting(root: &Path) -> (Expecting, Receiver<(String, u64, bool)>) {
        let (expect, expecting) = Expect::new(root).unwrap();
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            expect.run(&mut |answer| {
                let _ = sender.send((answer.service, answer.key, answer.result.is_ok()));
            });
        });
        (expecting, answers)
    }

    #[test]
    fn a_line_of_its_run_is_found_whenever_it_comes_and_others_are_not() {
        let root = tempfile::tempdir().unwrap();
        let log = Log::of(root.path(), "api");
        log.write(1, "listening on 80\n");
        let (expecting, answers) = begin_waiting(root.path());
        expecting.expect(awaited("api", 2, "listening on \\d+", 7));
        log.write(2, "starting\n");
        log.write(2, "now listening on 81");
        assert!(answers.recv_timeout(Duration::from_millis(100)).is_err(), "that line has not ended");
        log.write(2, "\nmore\n");
        assert_eq!(answers.recv_timeout(PATIENCE).unwrap(), ("api".to_owned(), 7, true));
        // What is there already is found as well, and one answer is all.
        expecting.expect(awaited("api", 2, "more", 8));
        assert_eq!(answers.recv_timeout(PATIENCE).unwrap(), ("api".to_owned(), 8, true));
        log.write(2, "more\n");
        assert!(answers.recv_timeout(Duration::from_millis(100)).is_err());
        drop(expecting);
        assert!(answers.recv_timeout(PATIENCE).is_err(), "the thread has ended");
    }

    #[test]
    fn errors_that_are_kept_apart_are_looked_at_as_well() {
        let root = tempfile::tempdir().unwrap();
        Log::of(root.path(), "api").write(1, "starting\n");
        let (expecting, answers) = begin_waiting(root.path());
        expecting.expect(awaited("api", 1, "listening", 7));
        Log::of(root.path(), "api+stderr").write(1, "listening\n");
        assert_eq!(answers.recv_timeout(PATIENCE).unwrap(), ("api".to_owned(), 7, true));
    }

    #[test]
    fn folders_come_later_and_what_is_left_is_not_told() {
        let root = tempfile::tempdir().unwrap();
        let logs = root.path().join("logs");
        let (expecting, answers) = begin_waiting(&logs);
        expecting.expect(awaited("api@2", 1, "up", 1));
        expecting.expect(awaited("db", 1, "up", 2));
        expecting.leave("db");
        let (api, db) = (Log::of(&logs, "api@2"), Log::of(&logs, "db"));
        db.write(1, "up\n");
        api.write(1, "up\n");
        assert_eq!(answers.recv_timeout(PATIENCE).unwrap(), ("api@2".to_owned(), 1, true));
        assert!(answers.recv_timeout(Duration::from_millis(100)).is_err());
    }
}

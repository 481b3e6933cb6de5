//! Reading logs by their indexes: by time, by run, in the order of lines over services; compressed files; and patterns.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic, in the functions around it as well")]

use std::{
    fs::{self, File},
    io::Write,
    ops::ControlFlow,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use mainstay_logs::{Follow, From, LogStream, Run, Wanted, folders, read};
use mainstay_wire::{LogIndexHeader, LogMark, LogMarkKind};

/// A folder as a keeper makes it, at times of our own.
struct Writer {
    dir: PathBuf,
    run: u64,
    text: String,
    marks: Vec<LogMark>,
    rotations: u64,
    stream: Option<LogStream>,
}

fn at(second: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000 + second)
}

fn nanos(second: u64) -> u64 {
    u64::try_from(at(second).duration_since(UNIX_EPOCH).unwrap().as_nanos()).unwrap()
}

impl Writer {
    fn new(root: &Path, service: &str) -> Self {
        let dir = root.join(service);
        fs::create_dir_all(&dir).unwrap();
        Self { dir, run: 1, text: String::new(), marks: Vec::new(), rotations: 0, stream: None }
    }

    fn write(&mut self, second: u64, text: &str) -> &mut Self {
        let offset = self.text.len() as u64;
        let time_ns = nanos(second);
        self.marks.push(LogMark {
            offset,
            time_ns,
            run: self.run,
            kind: LogMarkKind::Output,
            stream: self.stream,
        });
        self.text.push_str(text);
        self.flush()
    }

    fn flush(&mut self) -> &mut Self {
        let current = self.dir.join("current");
        // In place: it stays the file that it is.
        if !current.exists() {
            File::create(&current).unwrap();
        }
        fs::write(&current, &self.text).unwrap();
        let header = LogIndexHeader { inode: fs::metadata(&current).unwrap().ino() };
        let marks = self.marks.iter().flat_map(|mark| mark.to_bytes());
        let bytes: Vec<u8> = header.to_bytes().into_iter().chain(marks).collect();
        fs::write(self.dir.join("current.index"), bytes).unwrap();
        self
    }

    fn rotate(&mut self) -> &mut Self {
        self.rotations += 1;
        let to = self.dir.join(format!("@20260102T030405Z-{}.log", self.rotations));
        fs::rename(self.dir.join("current"), &to).unwrap();
        fs::rename(self.dir.join("current.index"), to.with_extension("index")).unwrap();
        (self.text, self.marks) = (String::new(), Vec::new());
        self.flush()
    }

    /// Puts the compressed file in the place of the plain one.
    fn pack(&self, number: u64, rest: Rest) {
        let plain = self.dir.join(format!("@20260102T030405Z-{number}.log"));
        let packed = self.dir.join(format!("@20260102T030405Z-{number}.log.zst"));
        let text = fs::read(&plain).unwrap();
        // As a keeper does it: with the length and a sum.
        let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
        encoder.include_checksum(true).unwrap();
        encoder.set_pledged_src_size(Some(text.len() as u64)).unwrap();
        encoder.write_all(&text).unwrap();
        fs::write(&packed, encoder.finish().unwrap()).unwrap();
        let modified = fs::metadata(&plain).unwrap().modified().unwrap();
        File::options().write(true).open(&packed).unwrap().set_modified(modified).unwrap();
        if rest == Rest::Removed {
            fs::remove_file(plain).unwrap();
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    Removed,
    /// Killed before that.
    There,
}

fn everything() -> Wanted {
    From::Start.into()
}

fn collect(root: &Path, services: &[&str], wanted: Wanted) -> Vec<String> {
    let mut lines = Vec::new();
    let services: Vec<String> = services.iter().map(|name| (*name).to_owned()).collect();
    read(root, &services, wanted, &mut |line| {
        let second = line.time.map(|time| time.duration_since(at(0)).unwrap().as_secs().to_string());
        let (second, run) = (second.unwrap_or("?".to_owned()), line.run.unwrap_or(0));
        let text = String::from_utf8_lossy(line.text);
        lines.push(format!("{}/{run} {second} {text}", line.service));
        ControlFlow::Continue(())
    })
    .unwrap();
    lines
}

/// Three files, one of each kind, and three runs.
fn three_files(root: &Path) -> Writer {
    let mut api = Writer::new(root, "api");
    api.write(10, "a\nb\n").write(11, "c\n").rotate();
    api.run = 2;
    api.write(20, "d\n").write(21, "e1").write(22, "e2\nf\n").rotate();
    api.run = 5;
    api.write(30, "g\n").write(31, "h\n").write(32, "i\n");
    api.pack(1, Rest::Removed);
    api
}

const ALL: [&str; 9] = [
    "api/1 10 a",
    "api/1 10 b",
    "api/1 11 c",
    "api/2 20 d",
    "api/2 21 e1e2",
    "api/2 22 f",
    "api/5 30 g",
    "api/5 31 h",
    "api/5 32 i",
];

#[test]
fn every_line_has_its_time_and_its_run() {
    let root = tempfile::tempdir().unwrap();
    let api = three_files(root.path());
    assert_eq!(collect(root.path(), &["api"], everything()), ALL);
    // Compressing was killed between its two last steps.
    api.pack(2, Rest::There);
    assert_eq!(collect(root.path(), &["api"], everything()), ALL);
    api.pack(2, Rest::Removed);
    assert_eq!(collect(root.path(), &["api"], everything()), ALL);
}

#[test]
fn any_span_of_time_is_found() {
    let root = tempfile::tempdir().unwrap();
    let api = three_files(root.path());
    let second = |line: &str| line.split(' ').nth(1).unwrap().parse::<u64>().unwrap();
    for _ in 0..2 {
        for since in 9..34 {
            for until in [since, since + 1, since + 11, 40] {
                let wanted = Wanted { since: Some(at(since)), until: Some(at(until)), ..everything() };
                let expected: Vec<&str> =
                    ALL.into_iter().filter(|line| (since..=until).contains(&second(line))).collect();
                assert_eq!(collect(root.path(), &["api"], wanted), expected, "{since} to {until}");
            }
        }
        api.pack(2, Rest::There);
    }
}

#[test]
fn runs_are_found_by_number_and_counted_back() {
    let root = tempfile::tempdir().unwrap();
    let mut api = three_files(root.path());
    let of = |run| collect(root.path(), &["api"], Wanted { run: Some(run), ..everything() });
    assert_eq!(of(Run::Number(1)), ALL[..3]);
    assert_eq!(of(Run::Number(2)), ALL[3..6]);
    assert!(of(Run::Number(3)).is_empty());
    assert_eq!(of(Run::Back(0)), ALL[6..]);
    assert_eq!(of(Run::Back(1)), ALL[3..6]);
    assert_eq!(of(Run::Back(2)), ALL[..3]);
    assert!(of(Run::Back(3)).is_empty());
    // A run that has written nothing is one.
    let offset = api.text.len() as u64;
    api.marks.push(LogMark { offset, time_ns: nanos(33), run: 6, kind: LogMarkKind::Start, stream: None });
    api.flush();
    let of = |run| collect(root.path(), &["api"], Wanted { run: Some(run), ..everything() });
    assert!(of(Run::Back(0)).is_empty());
    assert_eq!(of(Run::Back(1)), ALL[6..]);
}

#[test]
fn patterns_and_the_last_lines_go_together() {
    let root = tempfile::tempdir().unwrap();
    three_files(root.path());
    let pattern = Some(regex::bytes::Regex::new("[ac-g]").unwrap());
    let matching = [ALL[0], ALL[2], ALL[3], ALL[4], ALL[5], ALL[6]];
    let with = |from| Wanted { from, pattern: pattern.clone(), ..everything() };
    assert_eq!(collect(root.path(), &["api"], with(From::Start)), matching);
    for last in 0..8 {
        let expected = &matching[matching.len().saturating_sub(last)..];
        assert_eq!(collect(root.path(), &["api"], with(From::Last(last as u64))), expected);
    }
    let since = Wanted { since: Some(at(22)), ..with(From::Last(1)) };
    assert_eq!(collect(root.path(), &["api"], since), [ALL[6]]);
    let until = Wanted { until: Some(at(20)), ..with(From::Last(2)) };
    assert_eq!(collect(root.path(), &["api"], until), [ALL[2], ALL[3]]);
    let last = Wanted { from: From::Last(2), run: Some(Run::Back(1)), ..everything() };
    assert_eq!(collect(root.path(), &["api"], last), [ALL[4], ALL[5]]);
}

#[test]
fn the_last_lines_reach_into_compressed_files() {
    let root = tempfile::tempdir().unwrap();
    let api = three_files(root.path());
    api.pack(2, Rest::Removed);
    for last in 0..=10 {
        let expected = &ALL[ALL.len().saturating_sub(last)..];
        assert_eq!(collect(root.path(), &["api"], From::Last(last as u64).into()), expected, "{last}");
    }
}

#[test]
fn lines_of_several_services_come_in_the_order_of_their_times() {
    let root = tempfile::tempdir().unwrap();
    three_files(root.path());
    let mut db = Writer::new(root.path(), "db");
    db.write(9, "1\n").write(20, "2\n").write(21, "3\n").rotate();
    db.write(31, "4\n").write(50, "5\n");
    let mut old = Writer::new(root.path(), "old");
    old.write(15, "x\n");
    let lines = collect(root.path(), &["db", "api", "old"], everything());
    let seconds: Vec<u64> =
        lines.iter().map(|line| line.split(' ').nth(1).unwrap().parse().unwrap()).collect();
    assert!(seconds.is_sorted(), "{lines:?}");
    assert_eq!(lines.len(), ALL.len() + 6);
    let of_api: Vec<&String> = lines.iter().filter(|line| line.starts_with("api")).collect();
    assert_eq!(of_api, ALL);
}

#[test]
fn what_no_index_tells_of_is_there_without_a_time() {
    let root = tempfile::tempdir().unwrap();
    let api = three_files(root.path());
    let index = api.dir.join("@20260102T030405Z-2.index");
    fs::remove_file(&index).unwrap();
    let lines = collect(root.path(), &["api"], everything());
    assert_eq!(lines[3..6], ["api/0 ? d", "api/0 ? e1e2", "api/0 ? f"]);
    // Its file was written to just now, for all that is known.
    let since = Wanted { since: Some(at(31)), ..everything() };
    let found = collect(root.path(), &["api"], since.clone());
    assert!(found.ends_with(&[ALL[7].to_owned(), ALL[8].to_owned()]), "{found:?}");
    let log = api.dir.join("@20260102T030405Z-2.log");
    File::options().write(true).open(log).unwrap().set_modified(at(22)).unwrap();
    assert_eq!(collect(root.path(), &["api"], since), ALL[7..]);
    // Torn, and of another file.
    let torn = fs::read(api.dir.join("current.index")).unwrap();
    fs::write(api.dir.join("current.index"), &torn[..torn.len() - 7]).unwrap();
    assert_eq!(collect(root.path(), &["api"], everything())[8], "api/5 31 i");
    fs::write(api.dir.join("current.index"), LogIndexHeader { inode: 1 }.to_bytes()).unwrap();
    assert_eq!(collect(root.path(), &["api"], everything())[8], "api/0 ? i");
}

#[test]
fn whatever_is_in_an_index_no_line_is_lost() {
    let root = tempfile::tempdir().unwrap();
    let api = three_files(root.path());
    let index = api.dir.join("current.index");
    let whole = fs::read(&index).unwrap();
    let mut random = 7_u64;
    for _ in 0..300 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut bytes = whole.clone();
        let place = usize::try_from(random >> 33).unwrap() % bytes.len();
        bytes[place] = bytes[place].wrapping_add(1 + u8::try_from((random >> 20) & 0x7F).unwrap());
        fs::write(&index, bytes).unwrap();
        assert_eq!(collect(root.path(), &["api"], everything()).len(), ALL.len());
        collect(root.path(), &["api"], Wanted { since: Some(at(31)), ..everything() });
    }
}

#[test]
fn a_follower_knows_times_and_misses_nothing_that_is_compressed_behind_it() {
    let root = tempfile::tempdir().unwrap();
    let mut api = three_files(root.path());
    let pattern = Some(regex::bytes::Regex::new("[^x]").unwrap());
    let wanted = Wanted { since: Some(at(31)), pattern, ..everything() };
    let follow = Follow::new(root.path(), &["api".to_owned()], wanted).unwrap();
    api.write(40, "j\nx\n").rotate();
    api.write(41, "k\n").rotate();
    api.write(42, "l\n");
    api.pack(3, Rest::Removed);
    api.pack(4, Rest::Removed);
    follow.handle().finish();
    let mut lines = Vec::new();
    follow
        .run(&mut |line| {
            let second = line.time.unwrap().duration_since(at(0)).unwrap().as_secs();
            lines.push(format!("{second} {}", String::from_utf8_lossy(line.text)));
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(lines, ["31 h", "32 i", "40 j", "41 k", "42 l"]);
}

/// A service whose streams were kept apart from its second run on.
fn apart(root: &Path) -> (Writer, Writer) {
    let (mut out, mut err) = (Writer::new(root, "web"), Writer::new(root, "web+stderr"));
    out.write(5, "both\n");
    (out.run, out.stream) = (2, Some(LogStream::Out));
    (err.run, err.stream) = (2, Some(LogStream::Err));
    out.write(10, "o1\no2\n").write(12, "o3\n").rotate();
    err.write(11, "e1\n").write(13, "e2\ne3\n");
    out.write(14, "o4\n");
    (out, err)
}

fn texts(root: &Path, wanted: Wanted) -> Vec<String> {
    let mut lines = Vec::new();
    read(root, &["web".to_owned()], wanted, &mut |line| {
        assert_eq!(line.service, "web");
        let stream = line.stream.map_or("-", LogStream::as_str);
        lines.push(format!("{stream} {}", String::from_utf8_lossy(line.text)));
        ControlFlow::Continue(())
    })
    .unwrap();
    lines
}

const BOTH: [&str; 8] = ["- both", "out o1", "out o2", "err e1", "out o3", "err e2", "err e3", "out o4"];

#[test]
fn streams_that_are_kept_apart_are_one_log() {
    let root = tempfile::tempdir().unwrap();
    let _written = apart(root.path());
    assert_eq!(folders(root.path()).unwrap(), ["web"]);
    assert_eq!(texts(root.path(), everything()), BOTH);
    for count in 0..=10 {
        let last = texts(root.path(), From::Last(count).into());
        assert_eq!(last, BOTH[BOTH.len().saturating_sub(usize::try_from(count).unwrap())..], "{count}");
    }
    let since = Wanted { since: Some(at(12)), ..From::Last(3).into() };
    assert_eq!(texts(root.path(), since), BOTH[5..]);
    let of = |stream| Wanted { stream: Some(stream), ..From::Last(2).into() };
    assert_eq!(texts(root.path(), of(LogStream::Out)), ["out o3", "out o4"]);
    assert_eq!(texts(root.path(), of(LogStream::Err)), ["err e2", "err e3"]);
    // Which run came before is the same for both.
    let back = |back| Wanted { run: Some(Run::Back(back)), ..everything() };
    assert_eq!(texts(root.path(), back(0)), BOTH[1..]);
    assert_eq!(texts(root.path(), back(1)), ["- both"]);
    let one = Wanted { stream: Some(LogStream::Err), ..back(1) };
    assert!(texts(root.path(), one).is_empty());
}

#[test]
fn both_streams_are_followed_in_the_order_of_time() {
    let root = tempfile::tempdir().unwrap();
    let (mut out, mut err) = apart(root.path());
    let follow = Follow::new(root.path(), &["web".to_owned()], From::Last(2)).unwrap();
    err.write(15, "e4\n");
    out.write(16, "o5\n");
    err.write(17, "e5\n");
    follow.handle().finish();
    let mut lines = Vec::new();
    follow
        .run(&mut |line| {
            lines.push(String::from_utf8_lossy(line.text).into_owned());
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(lines, ["e3", "o4", "e4", "o5", "e5"]);
}

#[test]
fn errors_that_come_later_are_followed_as_well() {
    let root = tempfile::tempdir().unwrap();
    let follow = Follow::new(root.path(), &["web".to_owned()], From::Last(2)).unwrap();
    let handle = follow.handle();
    let (sender, lines) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        follow.run(&mut |line| {
            let _ = sender.send(String::from_utf8_lossy(line.text).into_owned());
            ControlFlow::Continue(())
        })
    });
    Writer::new(root.path(), "web").write(1, "out\n");
    let patience = Duration::from_secs(10);
    assert_eq!(lines.recv_timeout(patience).unwrap(), "out");
    Writer::new(root.path(), "web+stderr").write(2, "err\n");
    assert_eq!(lines.recv_timeout(patience).unwrap(), "err");
    handle.finish();
    thread.join().unwrap().unwrap();
}

/// What is read, and what is told.
fn collect_telling(root: &Path, wanted: Wanted) -> (Vec<String>, Vec<String>) {
    let (mut lines, mut told) = (Vec::new(), Vec::new());
    let mut sink = |line: mainstay_logs::Line<'_>| {
        lines.push(String::from_utf8_lossy(line.text).into_owned());
        ControlFlow::Continue(())
    };
    let mut tell = |damage: &mainstay_logs::Damage| told.push(damage.to_string());
    mainstay_logs::read_telling(root, &["api".to_owned()], wanted, &mut sink, &mut tell).unwrap();
    (lines, told)
}

type Spoil = fn(&mut Vec<u8>);

/// How a file is spoilt, and what is said of it.
const SPOILT: [(Spoil, &str); 5] = [
    (|bytes| bytes.truncate(bytes.len() - 6), "2 of its 6 bytes of log are missing here"),
    (|bytes| bytes.fill(b'x'), "what came after the first 0 bytes of log is missing here"),
    (Vec::clear, "what came after the first 0 bytes of log is missing here"),
    (|bytes| *bytes.last_mut().unwrap() ^= 1, "6 of its 6 bytes of log are missing here"),
    (|bytes| bytes.extend(b"more"), "its lines may not be those that were written"),
];

#[test]
fn a_damaged_file_hides_nothing_after_it_and_is_named() {
    let any = regex::bytes::Regex::new(".").unwrap();
    for (spoil, said) in SPOILT {
        let root = tempfile::tempdir().unwrap();
        let _api = three_files(root.path());
        let path = root.path().join("api/@20260102T030405Z-1.log.zst");
        let mut bytes = fs::read(&path).unwrap();
        spoil(&mut bytes);
        fs::write(&path, bytes).unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(at(11)).unwrap();
        let rest = ["d", "e1e2", "f", "g", "h", "i"].map(str::to_owned);
        let is_told = |told: &[String]| {
            let [told] = told else { return false };
            told.contains("api/@20260102T030405Z-1.log.zst is damaged (") && told.ends_with(said)
        };
        let since = Wanted { since: Some(at(10)), ..everything() };
        let grep = Wanted { pattern: Some(any.clone()), ..everything() };
        for wanted in [everything(), From::Last(20).into(), since, grep] {
            let (lines, told) = collect_telling(root.path(), wanted);
            assert!(lines.ends_with(&rest), "{said}: {lines:?}");
            assert!(is_told(&told), "{said}: {told:?}");
        }
        // What is not asked for is not missing.
        let (lines, told) = collect_telling(root.path(), From::Last(4).into());
        assert!(lines == rest[2..] && told.is_empty(), "{said}: {lines:?} {told:?}");
    }
}

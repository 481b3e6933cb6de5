//! The history with a real database in a folder of its own.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    time::{Duration, Instant},
};

use mainstay_model::{Exit, Kind, PhaseName, RunId, ServiceId};
use mainstay_wire::{Answer, HistoryView, ReportView, Request, WireError};
use tokio::sync::oneshot;

use super::{
    History, nanos, path, read_history,
    row::{Changed, Note, Row},
    store::{Bounds, Store},
    text,
    writer::Pace,
};
use crate::wake::Peer;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

const QUICK: Pace = Pace { batch: Duration::from_millis(10), retry: Duration::from_millis(20) };

/// A second of 2026.
fn at(seconds: i64) -> i64 {
    let start: jiff::Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
    nanos(start) + seconds * 1_000_000_000
}

fn changed(seconds: i64, id: &str, run: u64, to: PhaseName) -> Changed {
    Changed {
        time: at(seconds),
        id: id.parse().unwrap(),
        kind: Some(Kind::Permanent),
        from: PhaseName::Stopped,
        to,
        run: RunId(run),
        ready: to == PhaseName::Running,
        wanted: true,
        failed: to == PhaseName::Failed,
        attempt: 0,
        exit: None,
        code: "some-code".to_owned(),
        text: "because so".to_owned(),
        generation: None,
        recalled: false,
    }
}

fn row(seconds: i64, id: &str, to: PhaseName) -> Row {
    Row::Changed(changed(seconds, id, 1, to))
}

fn note(seconds: i64, code: &'static str) -> Row {
    let peer = Some(Peer { uid: 1000, pid: Some(42) });
    Row::Note(Note { time: at(seconds), code, text: "stop api".to_owned(), generation: Some(2), peer })
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        path(self.0.path())
    }

    fn with(rows: &[Row]) -> Self {
        let folder = Self::new();
        folder.add(rows, &Bounds::default());
        folder
    }

    fn add(&self, rows: &[Row], bounds: &Bounds) {
        Store::open(&self.path()).unwrap().append(rows.iter(), bounds).unwrap();
    }

    fn ask(&self, request: &Request) -> Result<Answer, WireError> {
        read_history(self.0.path(), request, &["known".parse().unwrap()]).map(Option::unwrap)
    }

    fn page(&self, services: &[&str], limit: u32, before: Option<u64>) -> (Vec<HistoryView>, bool) {
        let services = services.iter().map(|name| (*name).to_owned()).collect();
        let request = Request::History { services, since: None, until: None, limit: Some(limit), before };
        let Ok(Answer::History { events, more, .. }) = self.ask(&request) else { panic!() };
        (events, more)
    }

    fn all(&self) -> Vec<HistoryView> {
        self.page(&[], 2000, None).0
    }

    fn report(&self, services: &[&str], since: Option<i64>) -> Vec<ReportView> {
        let services = services.iter().map(|name| (*name).to_owned()).collect();
        let Ok(Answer::Report { services, .. }) =
            self.ask(&Request::Report { services, since: since.map(text) })
        else {
            panic!()
        };
        services
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn history(&self) -> History {
        History::begin_at(self.path(), Bounds::default(), QUICK)
    }

    #[track_caller]
    fn wait_for(&self, what: &str, mut so: impl FnMut(&[HistoryView]) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let request =
            Request::History { services: Vec::new(), since: None, until: None, limit: None, before: None };
        loop {
            match read_history(self.0.path(), &request, &[]) {
                Ok(Some(Answer::History { events, .. })) if so(&events) => return,
                last => assert!(Instant::now() < deadline, "waited for {what}: {last:?}"),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn times(events: &[HistoryView]) -> Vec<String> {
    events.iter().map(|event| event.time[14..19].to_owned()).collect()
}

#[test]
fn what_is_written_is_read_back_whole() {
    let waiting = Changed {
        from: PhaseName::Running,
        exit: Some(Exit::Code(3)),
        failed: true,
        attempt: 2,
        ..changed(1, "api@2", 7, PhaseName::Waiting)
    };
    let gone = Changed { exit: Some(Exit::Unknown), kind: None, ..changed(2, "gone", 1, PhaseName::Failed) };
    let long = Row::Note(Note {
        time: at(3),
        code: "applied",
        text: "ü".repeat(5000),
        generation: None,
        peer: None,
    });
    let folder = Folder::with(&[note(0, "act"), Row::Changed(waiting), Row::Changed(gone), long]);
    let (events, more) = folder.page(&[], 10, None);
    assert!(!more);
    whole(&events[1]);
    assert_eq!((events[0].service.as_deref(), &*events[0].reason.code), (None, "act"));
    assert_eq!((events[0].uid, events[0].pid, events[0].run), (Some(1000), Some(42), None));
    let exit = events[2].exit.as_ref().unwrap();
    assert_eq!((exit.code, exit.signal.as_deref()), (None, None));
    assert!(events[3].reason.text.len() <= 1024 && events[3].reason.text.ends_with('ü'));
}

/// Every field of the one that has them all.
fn whole(event: &HistoryView) {
    assert_eq!(
        serde_json::to_value(event).unwrap(),
        serde_json::json!({
            "seq": 2, "time": "2026-11-21T10:00:01.000Z", "service": "api@2", "run": 7, "from": "running",
            "to": "waiting", "ready": false, "wanted": true, "failed": true, "attempt": 2,
            "exit": { "code": 3, "signal": null }, "reason": { "code": "some-code", "text": "because so" },
            "generation": null, "uid": null, "pid": null,
        })
    );
}

#[test]
fn pages_follow_each_other_and_leave_nothing_out() {
    let ids = ["a", "b@1", "b@2", "c"];
    let rows: Vec<Row> = (0..100_usize)
        .map(|n| row(i64::try_from(n * 7 % 50).unwrap(), ids[n * n % 7 % 4], PhaseName::Running))
        .collect();
    let folder = Folder::with(&rows);
    let everything = folder.all();
    assert_eq!(everything.len(), 100);
    let in_order = |events: &[HistoryView]| events.is_sorted_by_key(|event| (event.time.clone(), event.seq));
    assert!(in_order(&everything));
    for (patterns, means) in
        [(&[][..], &ids[..]), (&["b"], &ids[1..3]), (&["a", "b@2"], &["a", "b@2"]), (&["all"], &ids)]
    {
        let mut pages = Vec::new();
        let mut before = None;
        loop {
            let (events, more) = folder.page(patterns, 7, before);
            before = events.first().map(|event| event.seq);
            pages.splice(0..0, events);
            if !more {
                break;
            }
        }
        let meant = |event: &&HistoryView| means.contains(&event.service.as_deref().unwrap());
        let expected: Vec<HistoryView> = everything.iter().filter(meant).cloned().collect();
        assert_eq!(pages, expected, "{patterns:?}");
    }
    // One that is in the project and never did anything has an empty history; any other name is an error.
    assert_eq!(folder.page(&["known"], 10, None), (Vec::new(), false));
    let nothing = Request::History {
        services: vec!["nothing".to_owned()],
        since: None,
        until: None,
        limit: None,
        before: None,
    };
    assert_eq!(folder.ask(&nothing).unwrap_err().code, mainstay_wire::ErrorCode::NoSuchService);
}

#[test]
fn a_range_has_its_beginning_and_not_its_end() {
    let rows: Vec<Row> = (0..10).map(|n| row(n, "api", PhaseName::Running)).collect();
    let folder = Folder::with(&rows);
    let range = |services: &[&str], since: Option<i64>, until: Option<i64>| {
        let services = services.iter().map(|name| (*name).to_owned()).collect();
        let (since, until) = (since.map(|s| text(at(s))), until.map(|s| text(at(s))));
        let Ok(Answer::History { events, more: false, .. }) =
            folder.ask(&Request::History { services, since, until, limit: None, before: None })
        else {
            panic!()
        };
        times(&events)
    };
    for services in [&[][..], &["api"]] {
        assert_eq!(range(services, Some(3), Some(6)), ["00:03", "00:04", "00:05"]);
        assert_eq!(range(services, Some(8), None), ["00:08", "00:09"]);
        assert_eq!(range(services, None, Some(2)), ["00:00", "00:01"]);
    }
    let nonsense = Request::Report { services: Vec::new(), since: Some("yesterday".to_owned()) };
    assert_eq!(folder.ask(&nonsense).unwrap_err().code, mainstay_wire::ErrorCode::BadRequest);
}

#[test]
fn no_question_sorts_or_scans() {
    let folder = Folder::with(&[row(0, "api", PhaseName::Running)]);
    let store = Store::open(&folder.path()).unwrap();
    let newest = "(time, seq) < (5, 6) ORDER BY time DESC, seq DESC";
    let mut plans = Vec::new();
    for condition in ["time >= 1 AND", "service = 1 AND time >= 1 AND"] {
        let query = format!("EXPLAIN QUERY PLAN SELECT time, seq FROM event WHERE {condition} {newest}");
        let mut statement = store.connection().prepare(&query).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, String>(3)).unwrap();
        plans.extend(rows.map(Result::unwrap));
    }
    assert_eq!(plans.len(), 2, "{plans:?}");
    assert!(plans.iter().all(|plan| plan.starts_with("SEARCH event USING COVERING INDEX")), "{plans:?}");
}

#[test]
fn too_many_too_old_and_too_large_is_forgotten_in_small_steps() {
    let folder = Folder::new();
    let bounds = Bounds { rows: 50, ..Bounds::default() };
    for n in 0..20 {
        let rows: Vec<Row> = (0..10).map(|m| row(n * 10 + m, "api", PhaseName::Running)).collect();
        folder.add(&rows, &bounds);
    }
    assert_eq!(times(&folder.all()).len(), 50);
    assert_eq!(folder.all()[0].time, text(at(150)));
    // One step takes what was added and a little more.
    folder.add(&[row(200, "api", PhaseName::Running)], &Bounds { rows: 1, ..bounds });
    assert_eq!(folder.all().len(), 1);

    let aged = Folder::with(&[row(0, "api", PhaseName::Running), row(50, "api", PhaseName::Running)]);
    let bounds = Bounds { age: Duration::from_secs(60), ageless: 0, ..bounds };
    aged.add(&[row(100, "api", PhaseName::Running)], &bounds);
    assert_eq!(times(&aged.all()), ["00:50", "01:40"]);

    let large = Folder::new();
    let bounds = Bounds { bytes: 300_000, ..Bounds::default() };
    for n in 0..100 {
        let rows: Vec<Row> = (0..64).map(|m| row(n * 64 + m, "api", PhaseName::Running)).collect();
        large.add(&rows, &bounds);
    }
    let size = fs::metadata(large.path()).unwrap().len();
    assert!((200_000..400_000).contains(&size), "{size}");
    assert_eq!(large.all().last().unwrap().time, text(at(6399)));
}

#[test]
fn a_clock_that_jumps_by_years_costs_no_history() {
    let year = 365 * 24 * 60 * 60;
    let folder = Folder::with(&[row(0, "api", PhaseName::Starting), row(1, "api", PhaseName::Running)]);
    folder.add(&[row(20 * year, "api", PhaseName::Stopping)], &Bounds::default());
    folder.add(&[row(2, "api", PhaseName::Stopped)], &Bounds::default());
    assert_eq!(folder.all().len(), 4);
    let few = Bounds { ageless: 2, ..Bounds::default() };
    folder.add(&[row(20 * year, "api", PhaseName::Starting)], &few);
    assert_eq!(folder.all().len(), 3, "the row of now is one that stopped the forgetting");
}

#[test]
fn services_of_which_nothing_is_kept_are_forgotten_without_another_daemon() {
    let folder = Folder::new();
    let bounds = Bounds { rows: 50, ..Bounds::default() };
    let mut store = Store::open(&folder.path()).unwrap();
    let stopped = |n: i64| Changed { wanted: false, ..changed(n, &format!("s{n}"), 1, PhaseName::Stopped) };
    let all = i64::try_from(super::store::NUMBERS_LIMIT).unwrap() + 1;
    for from in (0..all).step_by(1000) {
        let rows: Vec<Row> = (from..all.min(from + 1000)).map(|n| Row::Changed(stopped(n))).collect();
        store.append(rows.iter(), &bounds).unwrap();
    }
    let count = "SELECT count(*) FROM service";
    let left: i64 = store.connection().query_row(count, [], |row| row.get(0)).unwrap();
    assert!(left <= 50, "{left}");
    // Known services are found again.
    store.append([Row::Changed(stopped(all - 1))].iter(), &bounds).unwrap();
    assert_eq!(store.connection().query_row(count, [], |row| row.get::<_, i64>(0)).unwrap(), left);
}

#[test]
fn the_last_word_of_what_is_wanted_is_never_forgotten() {
    let folder = Folder::with(&[row(0, "steady", PhaseName::Running)]);
    let stopped = Changed { wanted: false, ..changed(1, "stopped", 1, PhaseName::Stopped) };
    folder.add(&[Row::Changed(stopped)], &Bounds::default());
    let bounds = Bounds { rows: 20, ..Bounds::default() };
    for n in 1..200 {
        folder.add(&[row(n, "busy", PhaseName::Running)], &bounds);
    }
    assert!(folder.all().len() <= 21);
    assert_eq!(times(&folder.page(&["steady"], 10, None).0), ["00:00"]);
    assert_eq!(folder.page(&["known"], 10, None).0, []);
    let steady = &folder.report(&["steady"], Some(at(100)))[0];
    assert_eq!((steady.uptime_percent, steady.due_ms), (Some(100.0), 99_000));
    // Nothing is left of the other, not even its name.
    assert!(folder.report(&[], None).iter().all(|report| report.service != "stopped"));
}

#[test]
fn a_new_daemon_adds_what_the_one_before_it_could_not_write() {
    let folder = Folder::with(&[row(0, "api", PhaseName::Running)]);
    let found = |id: &str, run, to| Row::Changed(Changed { recalled: true, ..changed(5, id, run, to) });
    folder.add(
        &[
            found("api", 1, PhaseName::Running),
            found("api", 1, PhaseName::Starting),
            found("new", 1, PhaseName::Running),
        ],
        &Bounds::default(),
    );
    assert_eq!(folder.all().len(), 2);
    folder.add(&[found("api", 2, PhaseName::Running)], &Bounds::default());
    assert_eq!(folder.page(&["api"], 10, None).0.len(), 2);
}

#[test]
fn a_new_daemon_adds_ends_that_the_one_before_it_saw_and_could_not_write() {
    let ended = |seconds, run, to, recalled| {
        let exit = Some(Exit::Code(3));
        Row::Changed(Changed { exit, recalled, ..changed(seconds, "api", run, to) })
    };
    let folder = Folder::with(&[
        ended(1, 1, PhaseName::Waiting, false),
        // The end of run 2, and at once the beginning of run 3.
        ended(2, 3, PhaseName::Starting, false),
    ]);
    let told = [
        ended(1, 1, PhaseName::Waiting, true),
        ended(2, 3, PhaseName::Starting, true),
        ended(3, 3, PhaseName::Waiting, true),
        ended(4, 5, PhaseName::Starting, true),
    ];
    // Twice: another daemon is told the same.
    folder.add(&told, &Bounds::default());
    folder.add(&told, &Bounds::default());
    let all = folder.all();
    assert_eq!(times(&all), ["00:01", "00:02", "00:03", "00:04"]);
    assert!(all.iter().all(|event| event.exit.is_some()));
}

#[test]
fn a_report_counts_what_was_seen() {
    let folder = Folder::with(&[
        note(0, super::STARTED),
        row(0, "api", PhaseName::Starting),
        row(10, "api", PhaseName::Running),
        Row::Changed(Changed {
            text: "exited with 1".to_owned(),
            failed: true,
            ..changed(60, "api", 1, PhaseName::Waiting)
        }),
        Row::Changed(Changed { attempt: 1, ..changed(61, "api", 2, PhaseName::Starting) }),
        Row::Changed(changed(70, "api", 2, PhaseName::Running)),
        note(90, "act"),
        // The machine lost its power; nobody knows what was until then.
        note(1000, super::STARTED),
        Row::Changed(changed(1000, "api", 3, PhaseName::Starting)),
        Row::Changed(changed(1010, "api", 3, PhaseName::Running)),
        note(1010, "act"),
    ]);
    let reports = folder.report(&[], None);
    let [api] = reports.as_slice() else { panic!("{reports:?}") };
    assert_eq!((api.due_ms, api.ready_ms), (100_000, 70_000));
    assert_eq!((api.uptime_percent, api.starts, api.restarts, api.failures), (Some(70.0), 3, 1, 1));
    let outage = api.longest_outage.as_ref().unwrap();
    assert_eq!(
        (outage.from.clone(), outage.until.clone(), outage.span_ms),
        (text(at(60)), Some(text(at(70))), 10_000)
    );
    assert_eq!(api.last_failure.as_ref().unwrap().reason.text, "exited with 1");
    assert_eq!(api.mean_time_to_ready_ms, Some(9_666));
    // Read one by one, or all at once: the same.
    let many: Vec<Row> = (0..20).map(|n| row(1010, &format!("s{n}"), PhaseName::Running)).collect();
    folder.add(&many, &Bounds::default());
    assert_eq!(&folder.report(&["api"], None)[0], api);
    assert_eq!(folder.report(&[], None).iter().find(|report| report.service == "api"), Some(api));
    assert_eq!(folder.report(&["known"], None), []);
}

#[test]
fn nothing_was_kept_where_nothing_is() {
    let folder = Folder::new();
    let request = Request::Report { services: Vec::new(), since: None };
    assert_eq!(read_history(folder.0.path(), &request, &[]), Ok(None));
    // Whoever is making it has not come to its tables.
    fs::write(folder.path(), "").unwrap();
    assert_eq!(read_history(folder.0.path(), &request, &[]), Ok(None));
    let empty = Folder::with(&[]);
    assert!(empty.report(&[], None).is_empty() && empty.all().is_empty());
}

#[test]
fn its_files_are_their_owners_alone() {
    let folder = Folder::new();
    fs::write(folder.path(), "").unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o644)).unwrap();
    let mut store = Store::open(&folder.path()).unwrap();
    store.append([note(0, "act")].iter(), &Bounds::default()).unwrap();
    assert_eq!(folder.names(), ["history.db", "history.db-shm", "history.db-wal"]);
    for name in folder.names() {
        let mode = fs::metadata(folder.0.path().join(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    drop(store);
    assert_eq!(folder.names(), ["history.db"]);
}

#[test]
fn a_full_disk_takes_back_the_whole_batch() {
    let folder = Folder::with(&[row(0, "first", PhaseName::Running)]);
    let mut store = Store::open(&folder.path()).unwrap();
    store.connection().execute_batch("PRAGMA max_page_count = 12").unwrap();
    let rows: Vec<Row> = (0..2000).map(|n| row(n, "second", PhaseName::Running)).collect();
    let error = store.append(rows.iter(), &Bounds::default()).unwrap_err();
    assert!(error.to_string().contains("full") && !error.is_broken(), "{error}");
    store.connection().execute_batch("PRAGMA max_page_count = 100000").unwrap();
    // Also the number of the service was taken back.
    store.append([row(1, "second", PhaseName::Running)].iter(), &Bounds::default()).unwrap();
    assert_eq!(folder.all().len(), 2);
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_no_database_is_moved_aside_once() {
    let folder = Folder::new();
    for round in 1..=3 {
        fs::write(folder.path(), "this is no database, and longer than a header of one would be".repeat(9))
            .unwrap();
        let mut history = folder.history();
        history.note("act", format!("round {round}"), None);
        folder.wait_for("the new one", |events| events.len() == 1);
        history.finish().await;
        assert!(folder.names().contains(&format!("history.db.broken-{round}")), "{:?}", folder.names());
    }
    assert_eq!(folder.names().iter().filter(|name| name.contains("broken")).count(), 1);
}

#[tokio::test(flavor = "current_thread")]
async fn one_of_a_later_version_is_left_alone() {
    let folder = Folder::with(&[note(0, "act")]);
    Store::open(&folder.path()).unwrap().connection().execute_batch("PRAGMA user_version = 99").unwrap();
    let before = fs::read(folder.path()).unwrap();
    let mut history = folder.history();
    history.note("act", "lost".to_owned(), None);
    let (reply, answer) = oneshot::channel();
    history.ask(&Request::Report { services: Vec::new(), since: None }, Vec::new(), reply);
    let refused = answer.await.unwrap().into_result().unwrap_err();
    assert!(refused.text.contains("later Mainstay (version 99") && refused.help.is_some(), "{refused:?}");
    history.finish().await;
    assert_eq!(fs::read(folder.path()).unwrap(), before);
}

#[tokio::test(flavor = "current_thread")]
async fn what_cannot_be_written_waits_and_what_does_not_fit_is_counted() {
    let folder = Folder::new();
    fs::create_dir(folder.path()).unwrap();
    let mut history = folder.history();
    let service: ServiceId = "api".parse().unwrap();
    for number in 0..5000 {
        history.note("act", format!("{service} {number}"), None);
        if number % 500 == 0 {
            // Each question is answered after what came before it.
            let (reply, answer) = oneshot::channel();
            history.ask(&Request::Report { services: Vec::new(), since: None }, Vec::new(), reply);
            assert!(answer.await.unwrap().into_result().unwrap_err().text.contains("history.db"));
        }
    }
    assert_eq!(history.missed, 0);
    fs::remove_dir(folder.path()).unwrap();
    folder.wait_for("what waited", |events| !events.is_empty());
    history.finish().await;
    let store = Store::open_reading(&folder.path()).unwrap().unwrap();
    let count = |query: &str| store.connection().query_row(query, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM event WHERE code = 'act'"), 4096);
    assert_eq!(count("SELECT count(*) FROM event WHERE text LIKE '904 events were not kept: cannot%'"), 1);
}

#[tokio::test(flavor = "current_thread")]
async fn a_question_sees_what_came_before_it_and_the_end_loses_nothing() {
    let folder = Folder::new();
    let slow = Pace { batch: Duration::from_secs(3600), ..QUICK };
    let mut history = History::begin_at(folder.path(), Bounds::default(), slow);
    history.note("act", "one".to_owned(), None);
    let (reply, answer) = oneshot::channel();
    let request =
        Request::History { services: Vec::new(), since: None, until: None, limit: None, before: None };
    history.ask(&request, Vec::new(), reply);
    let Ok(Answer::History { events, .. }) = answer.await.unwrap().into_result() else { panic!() };
    assert_eq!(events.len(), 1);
    history.note("act", "two".to_owned(), None);
    history.finish().await;
    assert_eq!(folder.names(), ["history.db"]);
    assert_eq!(folder.all().len(), 2);
}

#[test]
fn one_alone_is_written_without_another() {
    let folder = Folder::new();
    let mut history = folder.history();
    history.note("act", "one".to_owned(), None);
    folder.wait_for("it", |events| events.len() == 1);
}

//! From changes to sums: a row per sentence.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic, in the functions around it as well")]

use std::time::Duration;

use mainstay_decide::{Account, Entry, Outage, Report, Unseen};
use mainstay_model::{Kind, PhaseName, RunId};

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// `10 running ready` and the like: seconds, phase, and what is so. `run` counts with every `new`.
fn entries(lines: &str) -> Vec<Entry> {
    let mut run = 0;
    let entry = |(key, line): (usize, &str)| {
        let mut words = line.split_whitespace();
        let seconds = words.next().unwrap().parse().unwrap();
        let phase = PhaseName::from_word(words.next().unwrap()).unwrap();
        let mut entry = Entry {
            at: at(seconds),
            phase,
            ready: false,
            wanted: true,
            run: RunId(run),
            attempt: 0,
            failed: false,
            key: i64::try_from(key).unwrap(),
        };
        for word in words {
            match word {
                "new" => run += 1,
                "again" => (run, entry.attempt) = (run + 1, 1),
                "ready" => entry.ready = true,
                "unwanted" => entry.wanted = false,
                "failed" => entry.failed = true,
                other => panic!("{other}"),
            }
        }
        entry.run = RunId(run);
        entry
    };
    lines.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate().map(entry).collect()
}

fn report(kind: Kind, from: u64, until: u64, unseen: &[Unseen], lines: &str) -> Report {
    let mut account = Account::new(kind, at(from), unseen);
    for entry in entries(lines) {
        account.take(&entry);
    }
    account.close(at(until))
}

fn permanent(until: u64, lines: &str) -> Report {
    report(Kind::Permanent, 0, until, &[], lines)
}

const CRASH: &str = "
    10 starting new
    20 running ready
    60 waiting failed
    65 starting again
    70 running ready";

#[test]
fn a_crash_costs_the_time_until_it_is_ready_again() {
    let report = permanent(110, CRASH);
    assert_eq!((report.due, report.ready), (at(100), at(80)));
    assert_eq!(report.uptime_percent(), Some(80.0));
    assert_eq!((report.starts, report.restarts, report.failures), (2, 1, 1));
    assert_eq!(report.longest_outage, Some(Outage { from: at(60), until: at(70), open: false }));
    assert_eq!(report.last_failure, Some(2));
    assert_eq!(report.mean_time_to_ready, Some(Duration::from_millis(7500)));
}

#[test]
fn what_was_before_the_period_says_only_how_it_began() {
    let report = report(Kind::Permanent, 65, 110, &[], CRASH);
    assert_eq!((report.due, report.ready), (at(45), at(40)));
    assert_eq!((report.starts, report.restarts, report.failures), (1, 1, 0));
    // The outage began before; only what lies in the period counts.
    assert_eq!(report.longest_outage, Some(Outage { from: at(65), until: at(70), open: false }));
}

#[test]
fn a_first_start_is_no_outage_unless_it_fails() {
    assert_eq!(permanent(50, "10 starting new\n30 running ready").longest_outage, None);
    let report = permanent(50, "10 starting new\n20 waiting failed\n30 starting again\n40 failed failed");
    assert_eq!(report.longest_outage, Some(Outage { from: at(20), until: at(50), open: true }));
    assert_eq!((report.uptime_percent(), report.failures), (Some(0.0), 2));
    assert_eq!(report.mean_time_to_ready, None);
}

#[test]
fn what_nobody_wants_is_no_outage() {
    let report = permanent(
        100,
        "10 starting new\n10 running ready\n50 stopping unwanted\n60 stopped unwanted\n80 starting new\n90 running ready",
    );
    assert_eq!((report.due, report.ready), (at(60), at(50)));
    assert_eq!((report.starts, report.restarts, report.longest_outage), (2, 0, None));
    // Its policy leaves one that ended well as it is: wanted, stopped, and not due.
    let ended = permanent(100, "10 starting new\n10 running ready\n50 stopped");
    assert_eq!((ended.due, ended.uptime_percent(), ended.longest_outage), (at(40), Some(100.0), None));
}

#[test]
fn a_restart_on_request_is_an_outage() {
    let report =
        permanent(100, "0 starting new\n0 running ready\n50 stopping\n55 starting new\n60 running ready");
    assert_eq!(report.longest_outage, Some(Outage { from: at(50), until: at(60), open: false }));
    assert_eq!((report.starts, report.restarts, report.failures), (2, 0, 0));
}

#[test]
fn a_new_daemon_that_asks_again_starts_nothing() {
    let report = permanent(100, "0 starting new\n10 running ready\n50 starting\n51 running ready");
    assert_eq!((report.starts, report.mean_time_to_ready), (1, Some(at(10))));
}

#[test]
fn what_nobody_saw_counts_neither_way() {
    let unseen = [Unseen { from: at(30), until: at(80) }];
    let lines = "0 starting new\n0 running ready\n85 starting new\n90 running ready";
    let report = report(Kind::Permanent, 0, 100, &unseen, lines);
    assert_eq!((report.due, report.ready, report.longest_outage), (at(45), at(40), None));
    // An outage that was seen ends with what was seen.
    let open = self::report(Kind::Permanent, 0, 100, &unseen, "0 starting new\n10 failed failed");
    assert_eq!(open.longest_outage, Some(Outage { from: at(10), until: at(30), open: false }));
    assert_eq!(open.due, at(30));
}

#[test]
fn a_oneshot_has_runs_and_no_uptime() {
    let lines = "0 starting new\n1 running\n5 waiting failed\n6 starting again\n7 running\n9 completed ready";
    let report = report(Kind::Oneshot, 0, 100, &[], lines);
    assert_eq!(
        (report.uptime_percent(), report.longest_outage, report.mean_time_to_ready),
        (None, None, None)
    );
    assert_eq!((report.starts, report.restarts, report.failures), (2, 1, 1));
}

#[test]
fn a_clock_that_was_set_back_is_no_reason_for_nonsense() {
    let report = permanent(40, "100 starting new\n110 running ready\n20 waiting failed\n30 running ready");
    assert!(report.ready <= report.due && report.due <= at(110));
    assert_eq!(permanent(100, "").uptime_percent(), None);
}

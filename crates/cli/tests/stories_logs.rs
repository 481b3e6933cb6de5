//! Logs: every line, in order, rotated at line ends, followed across all of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what a story needs and does not get has failed it"
)]

mod story;

use std::fs;

use story::{Project, wait_until};

#[test]
fn every_line_is_kept_across_rotation_and_only_as_much_as_asked_for() {
    let project = Project::new(
        "[service.count]\nkind = \"oneshot\"\ncommand = [\"seq\", \"-f\", \"line %06.0f of many\", \"1\", \"20000\"]\n\
         log = { max_size = \"64KiB\", keep = 100, total = \"10MB\", compress = false }\n\
         [service.bounded]\nkind = \"oneshot\"\ncommand = [\"seq\", \"1\", \"100000\"]\n\
         log = { max_size = \"32KiB\", keep = 3, total = \"10MB\", compress = false }\n\
         [service.total]\nkind = \"oneshot\"\ncommand = [\"seq\", \"1\", \"100000\"]\n\
         log = { max_size = \"32KiB\", keep = 100, total = \"100KB\", compress = false }\n",
    );
    project.up().expect(0);
    let lines = project.run(&["logs", "count", "-n", "20000"]).expect(0).out;
    let expected: Vec<String> = (1..=20000).map(|n| format!("line {n:06} of many")).collect();
    let found: Vec<&str> =
        lines.lines().map(|line| line.rsplit_once("| ").map_or(line, |(_, text)| text)).collect();
    assert_eq!(found.len(), expected.len());
    assert!(found.iter().zip(&expected).all(|(found, expected)| found == expected));
    let files = |name: &str| -> Vec<(String, u64)> {
        let entries = fs::read_dir(project.dir.join(".mainstay/logs").join(name)).unwrap().flatten();
        entries
            .map(|entry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len()))
            .filter(|(name, _)| name == "current" || name.ends_with(".log"))
            .collect()
    };
    for (name, size) in files("count") {
        // A line whose beginning was written already is finished in the same file.
        assert!(size < 64 * 1024 + "line 000000 of many\n".len() as u64, "{name} has {size}");
        let bytes = fs::read(project.dir.join(".mainstay/logs/count").join(&name)).unwrap();
        assert!(bytes.is_empty() || bytes.ends_with(b"\n"), "{name} was cut within a line");
    }
    assert!(files("count").len() > 5);
    assert_eq!(files("bounded").len(), 4);
    assert!(files("total").iter().map(|(_, size)| size).sum::<u64>() <= 100_000 + 8);
}

#[test]
fn following_sees_several_services_and_a_restart() {
    let project = Project::new(
        "[service.a]\ncommand = [\"sh\", \"-c\", \"n=0; while :; do n=$((n+1)); echo a$n; sleep 0.05; done\"]\n\
         [service.b]\ncommand = [\"sh\", \"-c\", \"echo b starts >&2; exec sleep 1000\"]\n\
         log = { max_size = \"4KiB\" }\n",
    );
    project.up().expect(0);
    let follow = project.spawn(&["logs", "-f", "-n", "5"]);
    follow.wait_for("b starts");
    follow.wait_for("a9");
    project.run(&["restart", "b"]).expect(0);
    wait_until("the second start is seen", || follow.output().matches("b starts").count() >= 2);
    project.run(&["logs", "nothing"]).expect(5);
    project.run(&["logs", "a", "-n", "2"]).expect(0);
    project.run(&["down"]).expect(0);
    // Logs can be read when nothing runs, and when the file is wrong; who is not there may only be so for that.
    project.run(&["logs", "b"]).expect(0).says("b starts");
    project.write("mainstay.toml", "[service.a\n");
    project.run(&["logs", "b"]).expect(0).says("b starts");
    project.run(&["logs", "good*"]).expect(6).says("mainstay.toml:1");
}

#[test]
fn output_at_the_very_end_of_a_run_is_not_lost() {
    let project = Project::new(
        "[service.last]\nkind = \"oneshot\"\ncommand = [\"sh\", \"-c\", \"head -c 60000 /dev/zero | tr '\\\\0' x; printf 'the end'\"]\n",
    );
    project.up().expect(0);
    let log = project.log("last");
    assert_eq!(log.len(), 60_000 + "the end".len());
    assert!(log.ends_with("the end"));
}

#[test]
fn lines_are_found_by_time_by_run_and_by_pattern() {
    let project = Project::new(
        "[service.api]\ncommand = [\"sh\", \"-c\", \"echo run $MAINSTAY_ATTEMPT begins; echo Error: x >&2; exec sleep 1000\"]\n\
         [service.b]\ncommand = [\"sh\", \"-c\", \"echo b; exec sleep 1000\"]\ninstances = 2\n",
    );
    project.up().expect(0);
    project.wait_for_text(".mainstay/logs/api/current", "Error: x");
    project.wait_for_text(".mainstay/logs/b@2/current", "b");
    project.run(&["restart", "api"]).expect(0);
    wait_until("it wrote again", || project.log("api").matches("Error: x").count() == 2);
    let out = |arguments: &[&str]| project.run(arguments).expect(0).out;
    assert_eq!(out(&["logs", "api"]).lines().count(), 4);
    assert_eq!(out(&["logs", "api", "--run", "1"]).lines().count(), 2);
    assert_eq!(out(&["logs", "api", "--run", "-1"]), out(&["logs", "api", "--run", "1"]));
    assert_eq!(out(&["logs", "api", "--run", "0"]), out(&["logs", "api", "--run", "2"]));
    assert_eq!(out(&["logs", "api", "--run", "7"]), "");
    assert_eq!(out(&["logs", "api", "--grep", "(?i)ERROR"]), "Error: x\nError: x\n");
    assert_eq!(out(&["logs", "api", "--grep", "^Err", "-n", "1"]), "Error: x\n");
    assert_eq!(out(&["logs", "api", "--since", "1h"]).lines().count(), 4);
    assert_eq!(out(&["logs", "api", "--until", "1h ago"]), "");
    let seen = out(&["logs", "--json", "--since", "today"]);
    let mut lines = Vec::new();
    for line in seen.lines() {
        lines.push(serde_json::from_str::<serde_json::Value>(line).unwrap());
    }
    assert_eq!(lines.len(), 6, "{seen}");
    let times: Vec<&str> = lines.iter().map(|line| line["time"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    let last = lines.last().unwrap();
    assert_eq!((&last["service"], &last["run"]), (&"api".into(), &2.into()));
    assert_eq!((&last["line"], &last["stream"]), (&"Error: x".into(), &serde_json::Value::Null));
    assert!(lines.iter().any(|line| line["service"] == "b" && line["instance"] == "2"), "{seen}");
    // What comes after a moment is not in what came before it.
    let second = times[times.len() - 1];
    assert!(out(&["logs", "api", "--since", second]).contains("Error: x"));
    project.run(&["logs", "--since", "whenever"]).expect(2).says("that is no time");
    project.run(&["logs", "--grep", "("]).expect(2);
    project.run(&["logs", "--run", "last"]).expect(2).says("a run is a number");
    project.run(&["logs", "-f", "--until", "now"]).expect(2);
    // With nothing running, too.
    project.run(&["down"]).expect(0);
    assert_eq!(out(&["logs", "api", "--run", "-1"]).lines().count(), 2);
}

#[test]
fn rotated_logs_are_compressed_and_read_as_before() {
    let project = Project::new(
        "[service.count]\nkind = \"oneshot\"\ncommand = [\"seq\", \"1\", \"100000\"]\n\
         log = { max_size = \"32KiB\", keep = 100, total = \"10MB\" }\n\
         [service.plain]\nkind = \"oneshot\"\ncommand = [\"seq\", \"1\", \"20000\"]\n\
         log = { max_size = \"32KiB\", keep = 100, total = \"10MB\", compress = false }\n",
    );
    project.up().expect(0);
    let names = |service: &str| -> Vec<String> {
        let entries = fs::read_dir(project.dir.join(".mainstay/logs").join(service)).unwrap().flatten();
        entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
    };
    let with_end =
        |service: &str, end: &str| names(service).iter().filter(|name| name.ends_with(end)).count();
    wait_until("all but the newest are compressed", || with_end("count", ".log") == 1);
    assert!(with_end("count", ".zst") > 5 && with_end("plain", ".zst") == 0);
    let expected: String = (1..=100_000).map(|number| format!("{number}\n")).collect();
    assert!(project.run(&["logs", "count"]).expect(0).out == expected);
    let last: String = (50_001..=100_000).map(|number| format!("{number}\n")).collect();
    assert!(project.run(&["logs", "count", "-n", "50000"]).expect(0).out == last);
    assert_eq!(project.run(&["logs", "count", "--grep", "^77777$"]).expect(0).out, "77777\n");
    let mut packed: Vec<String> = names("count").into_iter().filter(|name| name.ends_with(".zst")).collect();
    packed.sort_by_key(|name| (name.len(), name.clone()));
    let spoilt = project.dir.join(".mainstay/logs/count").join(&packed[1]);
    fs::File::options().write(true).open(&spoilt).unwrap().set_len(200).unwrap();
    let said = project.run(&["logs", "count"]).expect(0).says("is damaged (");
    assert!(said.out.starts_with("1\n2\n") && said.out.ends_with("99999\n100000\n"));
    assert!(said.err.contains(&packed[1]), "{}", said.err);
    let rotated = with_end("count", ".zst");
    project.run(&["restart", "count"]).expect(0);
    wait_until("it goes on", || with_end("count", ".zst") > rotated);
}

#[test]
fn a_full_disk_is_shown_and_output_that_may_be_dropped_is_counted() {
    let project = Project::new(
        "[service.api]\ncommand = [\"sh\", \"-c\", \"while :; do echo a line; sleep 0.05; done\"]\n\
         log = { when_full = \"drop\" }\n",
    );
    fs::create_dir_all(project.dir.join(".mainstay/logs")).unwrap();
    // A file where the folder should be takes as little as a full disk does.
    fs::write(project.dir.join(".mainstay/logs/api"), "in the way").unwrap();
    project.up().expect(0);
    let status = || project.run(&["status", "api", "--json"]).json()["log_counts"].clone();
    wait_until("lines are dropped", || status()["dropped_bytes"].as_u64() > Some(20));
    assert!(status()["trouble"].as_str().unwrap().starts_with("cannot be written since 2"), "{}", status());
    project.run(&["status", "api"]).says("dropped").says("cannot be written since");
    // Whoever asks for everything, or why, is told as well, and not much later.
    let listed = || project.run(&["list", "--json"]).json()["services"][0]["log_counts"].clone();
    let before = status()["dropped_bytes"].as_u64().unwrap();
    wait_until("the list has it", || listed()["dropped_bytes"].as_u64() >= Some(before));
    assert!(listed()["trouble"].is_string());
    let said = project.run(&["explain", "api"]).expect(0).says("and its output is dropped (").out;
    assert!(said.contains(" so far)"), "{said}");
    fs::remove_file(project.dir.join(".mainstay/logs/api")).unwrap();
    wait_until("it is written again", || status()["trouble"].is_null());
    wait_until("and counted", || status()["written_bytes"].as_u64() > Some(20));
    assert!(project.log("api").lines().all(|line| line == "a line"), "{}", project.log("api"));
    // What is missing is still known afterwards.
    assert!(listed()["dropped_bytes"].as_u64() >= Some(before));
    project.run(&["explain", "api"]).expect(0).says(" of its output were dropped while its log took nothing");
    project.run(&["status", "api"]).expect(0).says(" dropped");
}

#[test]
fn what_others_do_to_a_log_is_told() {
    let project = Project::new(
        "[service.api]\ncommand = [\"sh\", \"-c\", \"while :; do echo a line; sleep 0.02; done\"]\n",
    );
    project.up().expect(0);
    let current = project.dir.join(".mainstay/logs/api/current");
    let size = || fs::metadata(&current).map_or(0, |data| data.len());
    wait_until("there is a log", || size() > 20);
    fs::File::options().write(true).open(&current).unwrap().set_len(0).unwrap();
    project.wait_for_text(
        ".mainstay/logs/@daemon/current",
        "the log of api was changed by somebody else: it was truncated from ",
    );
    wait_until("it goes on", || size() > 20);
    fs::rename(&current, project.dir.join("moved")).unwrap();
    let status = || project.run(&["status", "api"]).expect(0).out;
    wait_until("both are counted", || {
        status().contains("was changed by somebody else 2 times, the last time at ")
    });
    let told = project.run(&["history"]).expect(0).out;
    assert_eq!(told.matches("the log of api was changed by somebody else").count(), 1, "{told}");
}

#[test]
fn streams_are_kept_apart_and_read_as_one() {
    let project = Project::new(
        "[service.web]\ncommand = [\"sh\", \"-c\", \"\"\"\necho out 1; sleep 0.05; echo err 1 >&2; sleep 0.05; echo up >&2\n\
         until [ -e go ]; do sleep 0.02; done; echo out 2; sleep 0.05; echo err 2 >&2; exec sleep 1000\"\"\"]\n\
         log.split = true\nready = { log = \"^up$\" }\n\
         [service.one]\ncommand = [\"sh\", \"-c\", \"echo out; echo err >&2; exec sleep 1000\"]\n",
    );
    project.up().expect(0);
    let follow = project.spawn(&["logs", "-f", "-n", "2", "web"]);
    follow.wait_for("err 1\nup\n");
    let three = project.three();
    story::kill(three.keeper.unwrap(), "KILL");
    project.write("go", "");
    follow.wait_for("err 1\nup\nout 2\nerr 2\n");
    assert_eq!(project.read(".mainstay/logs/web/current"), "out 1\nout 2\n");
    assert_eq!(project.read(".mainstay/logs/web+stderr/current"), "err 1\nup\nerr 2\n");
    let logs = |arguments: &[&str]| project.run(&[&["logs"], arguments].concat()).expect(0).out;
    assert_eq!(logs(&["web"]), "out 1\nerr 1\nup\nout 2\nerr 2\n");
    assert_eq!(logs(&["web", "-n", "3"]), "up\nout 2\nerr 2\n");
    assert_eq!(logs(&["web", "--stream", "out"]), "out 1\nout 2\n");
    assert_eq!(logs(&["web", "--stream", "stderr", "-n", "1"]), "err 2\n");
    let streams = |name: &str| -> Vec<serde_json::Value> {
        let lines = logs(&[name, "--json"]);
        lines
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["stream"].clone())
            .collect()
    };
    assert_eq!(streams("web"), ["out", "err", "err", "out", "err"]);
    assert_eq!(streams("one"), [serde_json::Value::Null, serde_json::Value::Null]);
    // Of one that does not keep them apart there is one stream.
    assert_eq!(logs(&["one", "--stream", "out"]), "out\nerr\n");
    let said = project.run(&["logs", "one", "--stream", "err"]).expect(0);
    assert_eq!(said.out, "");
    assert!(said.err.contains("log.split"), "{}", said.err);
    let status = project.run(&["status", "web"]).expect(0);
    let status = status.says("logs/web+stderr").says("| out 2").says("| err 2");
    assert!(status.out.contains("| up"), "{}", status.out);
    assert!(project.service("web")["err_log_dir"].as_str().unwrap().ends_with("/logs/web+stderr"));
    assert!(project.service("one")["err_log_dir"].is_null());
}

#[test]
fn keeping_streams_apart_takes_a_restart() {
    let script = "command = [\"sh\", \"-c\", \"echo out; echo err >&2; exec sleep 1000\"]\n";
    let file = |split: bool| format!("[service.web]\n{script}log.split = {split}\n");
    let project = Project::new(&file(false));
    project.up().expect(0);
    project.wait_for_text(".mainstay/logs/web/current", "err");
    project.write("mainstay.toml", &file(true));
    project.run(&["plan"]).says("log.split").says("restart");
    project.run(&["apply"]).expect(0);
    project.wait_for_text(".mainstay/logs/web+stderr/current", "err");
    assert_eq!(project.read(".mainstay/logs/web/current"), "out\nerr\nout\n");
}

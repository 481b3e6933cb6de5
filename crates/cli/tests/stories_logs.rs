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
         log = { max_size = \"64KiB\", keep = 100, total = \"10MB\" }\n\
         [service.bounded]\nkind = \"oneshot\"\ncommand = [\"seq\", \"1\", \"100000\"]\n\
         log = { max_size = \"32KiB\", keep = 3, total = \"10MB\" }\n\
         [service.total]\nkind = \"oneshot\"\ncommand = [\"seq\", \"1\", \"100000\"]\n\
         log = { max_size = \"32KiB\", keep = 100, total = \"100KB\" }\n",
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
            .filter(|(name, _)| name == "current" || name.starts_with('@'))
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
    // Logs can be read when nothing runs.
    project.run(&["logs", "b"]).expect(0).says("b starts");
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

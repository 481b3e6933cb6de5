//! What is said at the end of a verb is so: who waits is told of what has failed, and why.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "what a story needs and does not get has failed it"
)]

mod story;

use story::{Project, Three};

/// Ends at once, each time.
const CRASH: &str = "[service.crash]\ncommand = [\"sh\", \"-c\", \"exit 3\"]\nrestart = \"never\"\n";

#[test]
fn what_ends_at_once_is_told_by_everybody_who_waits_for_it() {
    let project = Project::new(&format!("{CRASH}[service.well]\ncommand = \"sleep 1000\"\n"));
    let failed = "crash failed: exited with 3; it is not restarted";
    let said =
        project.up().expect(1).says(failed).says("well running").says("1 of 2 did not get there: crash");
    let last = said.out.lines().rfind(|line| line.starts_with("crash "));
    assert_eq!((last, said.out.contains("is up")), (Some(failed), false), "{}", said.out);
    let well = project.pid("well");
    for verb in ["start", "restart"] {
        project.run(&[verb, "crash"]).expect(1).says(failed);
    }
    project.run(&["start", "crash", "--no-wait"]).expect(0);
    project.run(&["wait", "crash"]).expect(1).says(failed);

    let good = "[service.crash]\ncommand = \"sleep 1000\"\n[service.well]\ncommand = \"sleep 1000\"\n";
    project.write("mainstay.toml", good);
    project.run(&["apply"]).expect(0).says("2 running");
    project.write(
        "mainstay.toml",
        &good.replacen("\"sleep 1000\"", "[\"sh\", \"-c\", \"exit 2\"]\nrestart = \"never\"", 1),
    );
    let said = project.run(&["apply"]).expect(1).says("crash failed: exited with 2");
    assert!(!said.out.contains("is up"), "{}", said.out);
    assert_eq!(project.pid("well"), well);
}

#[test]
fn a_restart_goes_on_when_the_daemon_dies_over_it() {
    goes_on_after(|three| three.daemon);
}

#[test]
fn a_restart_goes_on_when_the_keeper_dies_over_it() {
    goes_on_after(|three| three.keeper);
}

fn goes_on_after(the_death_of: impl Fn(Three) -> Option<u32>) {
    let project = Project::new(
        "[service.roll]\ncommand = \"sleep 1000\"\ninstances = 4\nready = { after = \"300ms\" }\n\
         [service.slow]\ncommand = [\"sh\", \"-c\", \"trap 'touch asked; sleep 1; exit 0' TERM; touch there; while :; do sleep 0.1; done\"]\n",
    );
    project.up().expect(0);
    project.wait_for_text("mainstay.toml", "slow");
    story::wait_until("it listens", || story::exists(project.dir.join("there")));
    let ids = ["roll@1", "roll@2", "roll@3", "roll@4", "slow"];
    let before = ids.map(|id| project.pid(id));
    project.run(&["restart", "slow", "--no-wait"]).expect(0);
    project.run(&["restart", "roll", "--rolling", "--no-wait"]).expect(0);
    story::wait_until("it was asked to end", || story::exists(project.dir.join("asked")));
    story::wait_until("the first has ended", || !story::is_alive(before[0]));
    assert!(story::is_alive(before[3]), "the last one's turn is to come");
    story::kill(the_death_of(project.three()).unwrap(), "KILL");
    story::wait_until("each is another process", || {
        ids.iter().zip(before).all(|(id, pid)| {
            let service = project.run(&["status", id, "--json"]);
            service.code == 0 && service.json()["pid"].as_u64().is_some_and(|now| now != u64::from(pid))
        })
    });
    let restarts = ids.map(|id| project.service(id)["restarts"].as_u64());
    assert_eq!(restarts, [Some(0); 5], "somebody asked for them");
    story::wait_until("nothing is left to do", || {
        project.read(".mainstay/applied.json").contains("\"restarts\":[]")
    });
}

#[test]
fn a_hook_of_a_stop_that_fails_or_hangs_is_told_with_the_stop_and_afterwards() {
    let project = Project::new(
        "[service.bad]\ncommand = \"sleep 1000\"\nhooks = { before_stop = \"sh -c 'exit 4'\", after_stop = \"sh -c 'exit 5'\" }\n\
         [service.slow]\ncommand = \"sleep 1000\"\nhooks = { before_stop = { command = \"sleep 1000\", timeout = \"200ms\" } }\n\
         [service.again]\ncommand = \"sleep 1000\"\nhooks = { before_stop = \"sh -c 'exit 6'\" }\n",
    );
    project.up().expect(0);
    let bad = "its before_stop hook exited with 4, and its after_stop hook exited with 5";
    let slow = "its before_stop hook did not end within 200 ms, and was killed";
    project.run(&["stop", "bad", "slow"]).expect(0).says(bad).says(slow);
    for (id, text) in [("bad", bad), ("slow", slow)] {
        project.run(&["explain", id]).expect(0).says(text);
        project.run(&["history", id, "--json"]).expect(0).says(text);
    }
    project.run(&["restart", "again"]).expect(0);
    project.run(&["history", "again", "--json"]).expect(0).says("its before_stop hook exited with 6");
    project.run(&["start", "bad"]).expect(0);
    assert_eq!(project.service("bad")["reason"]["text"], "its process runs");
}

#[test]
fn a_check_that_is_a_command_is_told_in_its_words_and_with_its_last_line() {
    let project = Project::new(
        "[service.db]\ncommand = \"sleep 1000\"\n\
         ready = { exec = [\"sh\", \"-c\", \"echo looking; echo 'disk pool broken: code 42' >&2; exit 5\"], interval = \"100ms\" }\n",
    );
    project.run(&["up", "-d", "--timeout", "1s"]).expect(124).says("its check has failed for");
    let answer =
        "`sh -c echo looking; echo 'disk pool bro…` exited with 5 and said \"disk pool broken: code 42\"";
    project.run(&["list"]).expect(0).says("its check has failed for");
    project.run(&["status", "db"]).expect(150).says(answer);
    project.run(&["explain", "db"]).expect(0).says(answer);
}

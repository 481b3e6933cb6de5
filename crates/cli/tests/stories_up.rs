//! `up` in the foreground: it follows, Ctrl-C stops in order, a second one kills.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what a story needs and does not get has failed it"
)]

mod story;

use story::{Project, is_alive, wait_until};

#[test]
fn up_follows_and_ctrl_c_stops_in_order() {
    let project = Project::new(
        "[service.db]\ncommand = [\"sh\", \"-c\", \"trap 'echo db ends >> order; exit 0' TERM; echo hello from db; while :; do sleep 0.05; done\"]\n\
         [service.api]\ncommand = [\"sh\", \"-c\", \"trap 'echo api ends >> order; exit 0' TERM; echo hello from api; while :; do sleep 0.05; done\"]\n\
         depends_on = { db = \"started\" }\n",
    );
    let mut up = project.spawn(&["up"]);
    up.wait_for("hello from db");
    up.wait_for("hello from api");
    up.signal("INT");
    assert_eq!(up.wait(), 130);
    assert_eq!(project.read("order"), "api ends\ndb ends\n");
    project.run(&["list"]).expect(69);
}

#[test]
fn a_second_ctrl_c_kills() {
    let project = Project::new(
        "[service.deaf]\ncommand = [\"sh\", \"-c\", \"trap '' TERM; echo deaf; while :; do sleep 0.05; done\"]\n\
         stop = { timeout = \"1h\" }\n",
    );
    let mut up = project.spawn(&["up"]);
    up.wait_for("deaf");
    project.wait_for_phase("deaf", "running");
    let pid = project.pid("deaf");
    up.signal("INT");
    project.wait_for_phase("deaf", "stopping");
    assert!(is_alive(pid));
    up.signal("INT");
    assert_eq!(up.wait(), 130);
    wait_until("it is dead", || !is_alive(pid));
}

#[test]
fn a_closed_terminal_only_stops_following() {
    let project = Project::new("[service.api]\ncommand = \"sleep 1000\"\n");
    let mut up = project.spawn(&["up"]);
    wait_until("it runs", || project.run(&["list", "--json"]).out.contains("\"running\""));
    let pid = project.pid("api");
    up.signal("HUP");
    up.wait();
    assert_eq!(project.pid("api"), pid);
    // A second `up` follows the same; `down` from elsewhere ends it.
    let mut up = project.spawn(&["up"]);
    wait_until("it follows", || !up.output().is_empty());
    assert_eq!(project.pid("api"), pid);
    project.run(&["down"]).expect(0);
    up.wait();
}

#[test]
fn run_is_by_hand_with_the_programs_own_exit() {
    let project = Project::new(
        "[service.hello]\ncommand = [\"sh\", \"-c\", \"echo $GREETING from $MAINSTAY_SERVICE; exit 5\"]\nenv = { GREETING = \"hello\" }\n",
    );
    project.run(&["run", "hello"]).expect(5).says("hello from hello");
    project.run(&["run", "--", "sh", "-c", "kill -TERM $$"]).expect(143);
    project.run(&["run", "nothing"]).expect(5);
}

#[test]
fn up_of_some_starts_what_they_need_and_no_more() {
    let project = Project::new(
        "[service.db]\ncommand = \"sleep 1000\"\n\
         [service.api]\ncommand = \"sleep 1000\"\ndepends_on = [\"db\"]\n\
         [service.other]\ncommand = \"sleep 1000\"\n",
    );
    project.run(&["up", "-d", "api"]).expect(0);
    assert_eq!(project.service("db")["phase"], "running");
    let other = project.service("other");
    assert_eq!((&other["phase"], &other["reason"]["code"]), (&"stopped".into(), &"never-started".into()));
    project.run(&["up", "-d", "nothing"]).expect(5);
}

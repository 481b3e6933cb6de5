//! What is said at the end of a verb is so: who waits is told of what has failed, and why.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "what a story needs and does not get has failed it"
)]

mod story;

use story::Project;

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

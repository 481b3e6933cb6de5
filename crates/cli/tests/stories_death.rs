//! Death of Mainstay's own processes: services do not notice, nothing starts twice, no end is missed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what a story needs and does not get has failed it"
)]

mod story;

use story::{Project, is_alive, kill, wait_until};

const TOML: &str = r#"
[defaults]
restart = { policy = "on-failure", delay = "50ms" }

[service.steady]
command = ["sh", "-c", "echo start >> starts; n=0; while :; do n=$((n+1)); echo line $n; sleep 0.01; done"]

[service.once]
kind = "oneshot"
command = "sh -c 'echo ran >> ran'"

[service.ends]
command = ["sh", "-c", "echo $$ >> pids; while ! test -e end; do sleep 0.02; done; rm end; exit 9"]

[service.stopped]
command = "sleep 1000"
"#;

fn begin() -> Project {
    let project = Project::new(TOML);
    project.up().expect(0);
    project.run(&["stop", "stopped"]).expect(0);
    project
}

/// What must be so after any death of ours.
fn nothing_happened_to_the_services(project: &Project, steady: u32) {
    assert!(is_alive(steady));
    assert_eq!(project.pid("steady"), steady);
    assert_eq!(project.read("starts"), "start\n");
    assert_eq!(project.read("ran"), "ran\n");
    assert_eq!(project.service("once")["phase"], "completed");
    assert_eq!(project.service("stopped")["phase"], "stopped");
    let before = project.log("steady").len();
    wait_until("lines go on", || project.log("steady").len() > before);
    for (at, line) in project.log("steady").lines().enumerate() {
        assert_eq!(line, format!("line {}", at + 1));
    }
}

#[test]
fn a_killed_daemon_comes_back_and_knows_everything() {
    let project = begin();
    let (steady, three) = (project.pid("steady"), project.three());
    for _ in 0..3 {
        let daemon = project.three().daemon.unwrap();
        kill(daemon, "KILL");
        wait_until("another daemon answers", || {
            project.three().daemon.is_some_and(|pid| pid != daemon) && project.run(&["list"]).code == 0
        });
        project.wait_for_phase("steady", "running");
        nothing_happened_to_the_services(&project, steady);
    }
    assert_eq!((project.three().anchor, project.three().keeper), (three.anchor, three.keeper));
}

#[test]
fn a_killed_keeper_comes_back_and_the_services_go_on() {
    let project = begin();
    let (steady, anchor) = (project.pid("steady"), project.three().anchor);
    for _ in 0..3 {
        let keeper = project.three().keeper.unwrap();
        kill(keeper, "KILL");
        wait_until("another keeper is there", || project.three().keeper.is_some_and(|pid| pid != keeper));
        wait_until("it answers", || project.run(&["list"]).code == 0);
        project.wait_for_phase("steady", "running");
        nothing_happened_to_the_services(&project, steady);
    }
    assert_eq!(project.three().anchor, anchor);
    // Adopted services can still be stopped and started.
    project.run(&["restart", "steady"]).expect(0);
    assert_ne!(project.pid("steady"), steady);
    assert!(!is_alive(steady));
    project.run(&["down"]).expect(0);
    assert!(!is_alive(anchor.unwrap()));
}

#[test]
fn an_end_while_the_daemon_or_the_keeper_is_dead_is_not_missed() {
    for role in ["daemon", "keeper"] {
        let project = begin();
        let pid = project.pid("ends");
        let three = project.three();
        // Stopped first, so that the end surely falls into the time when nobody is there to see it.
        let victim = if role == "daemon" { three.daemon } else { three.keeper }.unwrap();
        kill(victim, "STOP");
        project.write("end", "");
        wait_until("the service has ended", || !is_alive(pid));
        kill(victim, "KILL");
        wait_until("it was restarted", || {
            project.run(&["list"]).code == 0 && {
                let service = project.service("ends");
                service["phase"] == "running" && service["pid"].as_u64() != Some(u64::from(pid))
            }
        });
        let service = project.service("ends");
        assert_eq!(service["exit"]["code"], 9, "{role}: {service}");
        assert_eq!(service["restarts"], 1, "{role}: {service}");
        assert_eq!(project.read("pids").lines().count(), 2, "{role}");
    }
}

#[test]
fn an_end_that_a_killed_daemon_had_no_time_to_write_down_is_in_the_history() {
    let project = begin();
    let pid = project.pid("ends");
    project.write("end", "");
    wait_until("it was restarted", || {
        let service = project.service("ends");
        service["phase"] == "running" && service["pid"].as_u64() != Some(u64::from(pid))
    });
    // Much less than the second in which rows wait for others.
    let daemon = project.three().daemon.unwrap();
    kill(daemon, "KILL");
    wait_until("another daemon answers", || {
        project.three().daemon.is_some_and(|pid| pid != daemon) && project.run(&["list"]).code == 0
    });
    let history = project.run(&["history", "ends", "--json"]).expect(0).json();
    let ends: Vec<_> =
        history["events"].as_array().unwrap().iter().filter(|it| it["exit"].is_object()).collect();
    assert_eq!(ends.len(), 1, "{history:#}");
    assert_eq!((&ends[0]["exit"]["code"], &ends[0]["run"]), (&9.into(), &1.into()), "{history:#}");
    assert_eq!((&ends[0]["to"], &ends[0]["failed"]), (&"waiting".into(), &true.into()), "{history:#}");
}

#[test]
fn a_killed_anchor_is_survived() {
    let project = begin();
    let (steady, three) = (project.pid("steady"), project.three());
    kill(three.anchor.unwrap(), "KILL");
    wait_until("it is gone", || !is_alive(three.anchor.unwrap()));
    let after = project.wait_for_new_anchor(three.keeper.unwrap());
    project.wait_for_phase("steady", "running");
    nothing_happened_to_the_services(&project, steady);
    // It does what an anchor is for.
    kill(after.keeper.unwrap(), "KILL");
    wait_until("another keeper is there", || {
        project.three().keeper.is_some_and(|pid| Some(pid) != after.keeper)
    });
    wait_until("it answers", || project.run(&["list"]).code == 0);
    project.wait_for_phase("steady", "running");
    nothing_happened_to_the_services(&project, steady);
    assert_eq!(project.three().anchor, three.keeper);
    project.run(&["down"]).expect(0);
    assert!(!is_alive(steady));
    assert_eq!(project.three(), story::Three { anchor: None, keeper: None, daemon: None });
}

/// Whether the kernel tells how a process ended that is nobody's child whom we know (Linux 6.15).
fn kernel_tells() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map(|part| part.trim().parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(6), Some(15))
}

/// What an end that nobody saw is called.
const UNKNOWN: &str = "an unknown exit status";

#[test]
fn ten_anchors_are_killed_and_nothing_is_lost() {
    let toml = r#"
[service.steady]
command = ["sh", "-c", "echo start >> starts; n=0; while :; do n=$((n+1)); echo line $n; sleep 0.002; done"]
log = { max_size = "4KB", keep = 1000 }

[service.slow]
command = ["sh", "-c", "n=0; while ! test -e over; do n=$((n+1)); echo line $n; sleep 0.01; done; exit 7"]
restart = "never"

[service.ends]
command = ["sh", "-c", "echo $MAINSTAY_PREVIOUS_EXIT >> told; while ! test -e end; do sleep 0.01; done; code=$(cat end); rm end; exit $code"]
restart = { policy = "always", delay = "10ms", factor = 1, attempts = 100 }
"#;
    let project = Project::new(toml);
    project.up().expect(0);
    let (steady, slow) = (project.pid("steady"), project.pid("slow"));
    let (mut three, mut expected) = (project.three(), vec![String::new()]);
    for round in 0..10 {
        // Every other time while the anchor is on its way.
        let code = 20 + round;
        let end = || {
            project.write("end.new", &code.to_string());
            std::fs::rename(project.dir.join("end.new"), project.dir.join("end")).unwrap();
        };
        if round % 2 == 0 {
            end();
        }
        kill(three.anchor.unwrap(), "KILL");
        if round % 2 == 1 {
            end();
        }
        three = project.wait_for_new_anchor(three.keeper.unwrap());
        expected.push(format!("exit {code}"));
        wait_until("another run", || project.read("told").lines().count() == expected.len());
        assert!(is_alive(steady) && is_alive(slow));
        // For as long as a keeper is too young to become an anchor at once.
        let lines = project.log("slow").lines().count();
        wait_until("lines go on", || project.log("slow").lines().count() > lines + 25);
    }
    assert_eq!((project.pid("steady"), project.pid("slow")), (steady, slow));
    let told = project.read("told");
    for (told, expected) in told.lines().zip(&expected) {
        assert!(told == expected || !kernel_tells() && told == UNKNOWN, "`{told}` for `{expected}`");
    }
    project.write("over", "");
    project.wait_for_phase("slow", "failed");
    let exit = &project.service("slow")["exit"]["code"];
    assert!(*exit == 7 || !kernel_tells() && exit.is_null(), "{exit}");
    assert_eq!(project.read("starts"), "start\n");
    project.run(&["down"]).expect(0);
    for name in ["steady", "slow"] {
        let log = project.run(&["logs", name, "-n", "10000000"]).expect(0).out;
        for (at, line) in log.lines().enumerate() {
            assert_eq!(line, format!("line {}", at + 1), "{name}");
        }
        assert!(log.lines().count() > 100, "{name}");
    }
}

#[test]
fn all_three_killed_at_once_the_next_up_adopts_what_lives() {
    let project = begin();
    let (steady, three) = (project.pid("steady"), project.three());
    story::kill_all(three);
    wait_until("they are gone", || {
        project.three() == story::Three { anchor: None, keeper: None, daemon: None }
    });
    assert!(is_alive(steady));
    project.run(&["list"]).expect(69).says("mainstay up");
    // A second instance of anything would be the worst that can happen.
    project.up();
    project.wait_for_phase("steady", "running");
    assert_eq!(project.pid("steady"), steady);
    assert_eq!(project.read("starts"), "start\n");
}

#[test]
fn a_second_up_and_a_racing_one_start_nothing_twice() {
    let project = Project::new(TOML);
    let mut racers: Vec<_> = (0..4).map(|_| project.command(&["up", "-d"]).spawn().unwrap()).collect();
    for racer in &mut racers {
        assert!(racer.wait().unwrap().success());
    }
    assert_eq!(project.read("starts"), "start\n");
    assert_eq!(project.read("ran"), "ran\n");
    let anchors = story::processes()
        .into_iter()
        .filter(|(_, line)| {
            line.contains("\0daemon\0anchor\0") && line.contains(&*project.dir.to_string_lossy())
        })
        .count();
    assert_eq!(anchors, 1);
}

#[test]
fn terminating_the_anchor_stops_everything_in_order() {
    let project = begin();
    let (steady, three) = (project.pid("steady"), project.three());
    kill(three.anchor.unwrap(), "TERM");
    wait_until("all is gone", || {
        !is_alive(steady) && project.three() == story::Three { anchor: None, keeper: None, daemon: None }
    });
    project.run(&["list"]).expect(69);
}

#[test]
fn a_damaged_state_is_set_aside_and_the_latest_generation_says_what_runs() {
    let project = begin();
    let steady = project.pid("steady");
    project.write(".mainstay/applied.json", "{\n");
    kill(project.three().daemon.unwrap(), "KILL");
    wait_until("it answers", || project.run(&["list"]).code == 0);
    nothing_happened_to_the_services(&project, steady);
    assert_eq!(project.read(".mainstay/applied.json.damaged"), "{\n");
    project.run(&["history"]).expect(0).says("state-damaged").says("generation 1 says what runs");
    project.run(&["start", "stopped"]).expect(0);
    project.run(&["down"]).expect(0);
    assert!(!is_alive(steady));
}

#[test]
fn a_daemon_that_cannot_come_up_is_told_with_its_reason_and_down_ends_all() {
    let project = begin();
    let steady = project.pid("steady");
    std::fs::remove_dir_all(project.dir.join(".mainstay/generations")).unwrap();
    project.write(".mainstay/applied.json", "{\n");
    kill(project.three().daemon.unwrap(), "KILL");
    wait_until("it says why", || project.run(&["list", "--timeout", "1s"]).err.contains("cannot come up"));
    let said = project.run(&["up", "-d"]).expect(69);
    assert!(said.err.contains("applied.json` is damaged"), "{}", said.err);
    assert!(said.err.contains("services go on"), "{}", said.err);
    assert!(is_alive(steady));
    let said = project.run(&["down"]).expect(0);
    assert!(said.err.contains("has everything stopped at once"), "{}", said.err);
    assert!(!is_alive(steady));
    assert_eq!((project.three().anchor, project.three().keeper), (None, None));
}

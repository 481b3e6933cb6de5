//! `daemon upgrade`: another program takes the place of the one that runs; services do not notice, whether it is kept or not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "what a story needs and does not get has failed it"
)]

mod story;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use story::{Project, Said, is_alive, kill, wait_until};

const TOML: &str = r#"
[defaults]
restart = { policy = "on-failure", delay = "50ms" }

[service.steady]
command = ["sh", "-c", "echo start >> starts; n=0; while :; do n=$((n+1)); echo line $n; sleep 0.01; done"]

[service.ends]
command = ["sh", "-c", "echo $$ >> pids; while ! test -e end; do sleep 0.02; done; rm end; exit 9"]

[service.stopped]
command = "sleep 1000"
"#;

struct Stage {
    project: Project,
    steady: u32,
}

impl Stage {
    fn new() -> Self {
        let project = Project::new(TOML);
        project.up().expect(0);
        project.run(&["stop", "stopped"]).expect(0);
        let steady = project.pid("steady");
        Self { project, steady }
    }

    fn copy(&self, name: &str) -> PathBuf {
        let path = self.project.dir.join(name);
        fs::copy(env!("CARGO_BIN_EXE_mainstay"), &path).unwrap();
        path
    }

    /// A program that does this before it is ours.
    fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.project.dir.join(name);
        let own = env!("CARGO_BIN_EXE_mainstay");
        fs::write(&path, format!("#!/bin/sh\n{text}\nexec {own} \"$@\"\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn upgrade(&self, program: &Path) -> Said {
        self.project.run(&["daemon", "upgrade", "--program", program.to_str().unwrap()])
    }

    /// What must be so whatever became of an upgrade.
    fn nothing_happened_to_the_services(&self) {
        let project = &self.project;
        assert!(is_alive(self.steady));
        assert_eq!(project.pid("steady"), self.steady);
        assert_eq!(project.read("starts"), "start\n");
        assert_eq!(project.service("stopped")["phase"], "stopped");
        let before = project.log("steady").len();
        wait_until("lines go on", || project.log("steady").len() > before);
        for (at, line) in project.log("steady").lines().enumerate() {
            assert_eq!(line, format!("line {}", at + 1));
        }
        let runs = project.read("pids").lines().count();
        project.write("end", "");
        wait_until("another run", || project.read("pids").lines().count() == runs + 1);
    }

    fn programs(&self) -> [PathBuf; 3] {
        let three = self.project.three();
        [three.anchor, three.keeper, three.daemon]
            .map(|pid| fs::read_link(format!("/proc/{}/exe", pid.unwrap())).unwrap())
    }
}

#[test]
fn all_three_are_the_new_program_in_the_same_processes() {
    let stage = Stage::new();
    let before = stage.project.three();
    let first = stage.copy("first");
    let ran = stage.upgrade(&first).expect(0);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        ran.out,
        format!(
            "anchor, keeper and daemon are {version} again (`{}`); 2 services went on\n",
            first.display()
        )
    );
    let after = stage.project.three();
    assert_eq!((after.anchor, after.keeper), (before.anchor, before.keeper));
    assert_eq!(stage.programs(), [first.clone(), first.clone(), first]);
    stage.nothing_happened_to_the_services();
    // Once more, and the new ones live through deaths as the old ones did.
    let second = stage.copy("second");
    stage.upgrade(&second).expect(0);
    kill(stage.project.three().keeper.unwrap(), "KILL");
    let keeper = after.keeper;
    wait_until("another keeper is there", || {
        stage.project.three().keeper.is_some_and(|pid| Some(pid) != keeper)
    });
    wait_until("it answers", || stage.project.run(&["list"]).code == 0);
    stage.project.wait_for_phase("steady", "running");
    assert_eq!(stage.programs(), [second.clone(), second.clone(), second]);
    stage.nothing_happened_to_the_services();
    let history = stage.project.run(&["history"]).out;
    assert_eq!(history.matches(" upgraded ").count(), 2, "{history}");
    stage.project.run(&["down"]).expect(0);
    assert!(!is_alive(stage.steady));
}

#[test]
fn what_refuses_or_is_no_mainstay_changes_nothing() {
    let stage = Stage::new();
    let before = (stage.project.three(), stage.programs());
    let refuses = stage.script("refuses", "[ $2 = check-state ] && { echo 'error: too old' >&2; exit 1; }");
    for (program, text) in [
        ("/bin/true".into(), "is no Mainstay: it names no version".to_owned()),
        (refuses.clone(), format!("`{}` does not accept the state: too old", refuses.display())),
        (stage.project.dir.join("mainstay.toml"), "cannot be executed: Permission denied".to_owned()),
        (stage.project.dir.join("nothing"), "No such file or directory".to_owned()),
    ] {
        let ran = stage.upgrade(&program).expect(1);
        assert!(ran.err.contains(&text), "{}", ran.err);
    }
    let after = (stage.project.three(), stage.programs());
    assert_eq!((after.0.daemon, after.1), (before.0.daemon, before.1));
    stage.nothing_happened_to_the_services();
}

#[test]
fn what_does_not_come_up_is_taken_back() {
    let stage = Stage::new();
    let own = stage.programs();
    let bad = stage.script("bad", "[ $2 = keeper ] && exit 3");
    let ran = stage.upgrade(&bad).expect(1);
    let expected =
        format!("error: the upgrade to `{}` was taken back: its keeper ended (exit 3)\n", bad.display());
    assert!(ran.err.starts_with(&expected), "{}", ran.err);
    assert_eq!(stage.programs(), own);
    stage.nothing_happened_to_the_services();
    // It is as good as before: the next one is taken.
    let good = stage.copy("good");
    stage.upgrade(&good).expect(0);
    assert_eq!(stage.programs(), [good.clone(), good.clone(), good]);
    stage.nothing_happened_to_the_services();
}

#[test]
fn a_keeper_that_lost_its_anchor_gets_one() {
    let stage = Stage::new();
    let before = stage.project.three();
    kill(before.anchor.unwrap(), "KILL");
    stage.project.wait_for_new_anchor(before.keeper.unwrap());
    stage.project.wait_for_phase("steady", "running");
    stage.nothing_happened_to_the_services();
    let new = stage.copy("new");
    stage.upgrade(&new).expect(0);
    let after = stage.project.three();
    assert_eq!(after.anchor, before.keeper);
    assert_eq!(stage.programs(), [new.clone(), new.clone(), new]);
    assert!(!stage.project.run(&["list"]).err.contains("anchor"));
    stage.nothing_happened_to_the_services();
    // It does what an anchor is for.
    kill(after.keeper.unwrap(), "KILL");
    wait_until("another keeper is there", || {
        let keeper = stage.project.three().keeper;
        keeper.is_some() && keeper != after.keeper
    });
    wait_until("it answers", || stage.project.run(&["list"]).code == 0);
    stage.project.wait_for_phase("steady", "running");
    stage.nothing_happened_to_the_services();
    stage.project.run(&["down"]).expect(0);
    assert!(!is_alive(stage.steady));
}

#[test]
fn a_state_of_a_later_version_is_refused_in_words() {
    let stage = Stage::new();
    let path = stage.project.dir.join(".mainstay/applied.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\"version\":1", "\"version\":9", 1)).unwrap();
    let ran = stage.upgrade(&stage.copy("new")).expect(1);
    assert!(
        ran.err.contains("was written by a later Mainstay (version 9 of the state, this one knows 1)"),
        "{}",
        ran.err
    );
    stage.nothing_happened_to_the_services();
}

#[test]
fn without_a_daemon_there_is_nothing_to_upgrade() {
    let project = Project::new(TOML);
    project.run(&["daemon", "upgrade"]).expect(69);
}

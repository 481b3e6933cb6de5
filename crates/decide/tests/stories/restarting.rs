//! Which ends are followed by a restart, after which pause, and how often.

use std::{collections::BTreeSet, time::Duration};

use mainstay_model::{Attempts, Condition, PhaseName, RestartPolicy, RestartWhen, Spec};

use super::{NOTHING, one, tries, up};
use crate::scene::{With as _, oneshot, permanent, stage::Stage};

/// What is asked for in the second after it ended with 0, with 1 and by a signal; and its phase then.
fn ends(when: RestartWhen) -> [(Vec<String>, PhaseName); 3] {
    let stages = [0, 1, 2].map(|how| {
        let mut stage = one(|api| api.restarts(when));
        match how {
            2 => stage.killed("api"),
            code => stage.exited("api", code),
        }
        stage.wait(1);
        stage
    });
    stages.map(|mut stage| (stage.asked(), stage.phase("api")))
}

fn again() -> (Vec<String>, PhaseName) {
    (vec!["spawn api again 1".to_owned()], PhaseName::Starting)
}

#[test]
fn restart_never() {
    let failed = (Vec::new(), PhaseName::Failed);
    assert_eq!(ends(RestartWhen::Never), [(Vec::new(), PhaseName::Stopped), failed.clone(), failed]);
}

#[test]
fn restart_on_failure() {
    assert_eq!(ends(RestartWhen::OnFailure), [(Vec::new(), PhaseName::Stopped), again(), again()]);
}

#[test]
fn restart_always() {
    assert_eq!(ends(RestartWhen::Always), [again(), again(), again()]);
}

#[test]
fn backoff_grows() {
    let restart =
        RestartPolicy { attempts: Attempts::UpTo(3), ..RestartPolicy::with(RestartWhen::OnFailure) };
    let mut stage = one(|api| Spec { restart, ..api });
    for (attempt, pause) in [(1, 1), (2, 2), (3, 4)] {
        stage.exited("api", 1);
        assert_eq!(stage.sentence("api"), format!("exited with 1; restart {attempt} of 3 in {pause} s"));
        stage.wait(pause);
        stage.made(&["api"]);
    }
    stage.exited("api", 1);
    assert_eq!(stage.sentence("api"), "gave up after 3 restarts: exited with 1");
}

#[test]
fn backoff_begins_anew_after_a_stable_run() {
    let mut stage = one(|api| {
        let api = tries(api, 2);
        Spec { restart: RestartPolicy { reset_after: Duration::from_secs(10), ..api.restart }, ..api }
    });
    for _ in 0..2 {
        stage.exited("api", 1);
        stage.wait(1);
        stage.made(&["api"]);
    }
    stage.wait(10);
    stage.exited("api", 1);
    assert_eq!(stage.sentence("api"), "exited with 1; restart 1 of 2 in 1 s");
}

#[test]
fn oneshot_tried_again() {
    let mut stage =
        Stage::of(&[tries(oneshot("migrate"), 5), permanent("api").needs("migrate", Condition::Completed)]);
    stage.want(&["api"]);
    for code in [1, 1, 0] {
        stage.made(&["migrate"]);
        stage.exited("migrate", code);
        stage.wait(1);
    }
    assert_eq!(
        stage.asked(),
        ["spawn migrate", "spawn migrate again 1", "spawn migrate again 2", "spawn api"]
    );
}

#[test]
fn oneshot_run_again_by_start() {
    let mut stage = up(&[oneshot("migrate")]);
    stage.exited("migrate", 0);
    stage.want(&["migrate"]);
    assert_eq!(stage.asked(), NOTHING);
    stage.start(&["migrate"]);
    assert_eq!(stage.asked(), ["spawn migrate"]);
}

#[test]
fn success_exit_codes() {
    let codes = BTreeSet::from([0, 3]);
    let also_3 = |spec: Spec| Spec {
        restart: RestartPolicy { success_exit_codes: codes.clone(), ..spec.restart },
        ..spec
    };
    let mut stage = up(&[also_3(oneshot("job")), also_3(permanent("api"))]);
    stage.exited("job", 3);
    stage.exited("api", 3);
    stage.wait(60);
    assert_eq!((stage.phase("job"), stage.phase("api")), (PhaseName::Completed, PhaseName::Stopped));
    assert_eq!(stage.sentence("api"), "ended with exit 3, and its restart policy is on-failure");
}

#[test]
fn restart_touches_only_one() {
    let mut stage = up(&[
        permanent("db"),
        permanent("api").needs("db", Condition::Ready),
        permanent("web").follows("db", Condition::Ready),
    ]);
    stage.restart(&["db"]);
    stage.exited("db", 0);
    stage.made(&["db"]);
    stage.exited("web", 0);
    assert_eq!(stage.asked(), ["TERM db", "TERM web", "spawn db", "spawn web"]);
    assert_eq!(stage.phase("api"), PhaseName::Running);
}

#[test]
fn crash_while_stopping() {
    let mut stage = one(|api| api.restarts(RestartWhen::Always));
    stage.stop(&["api"]);
    stage.exited("api", 70);
    stage.wait(60);
    assert_eq!(stage.asked(), ["TERM api"]);
    assert_eq!(
        (stage.phase("api"), stage.sentence("api").as_str()),
        (PhaseName::Stopped, "stopped on request")
    );
}

#[test]
fn stop_during_backoff() {
    let mut stage = one(|api| api);
    stage.exited("api", 1);
    assert_eq!(stage.phase("api"), PhaseName::Waiting);
    stage.stop(&["api"]);
    stage.wait(60);
    assert_eq!(stage.asked(), NOTHING);
    assert_eq!(
        (stage.phase("api"), stage.sentence("api").as_str()),
        (PhaseName::Stopped, "stopped on request")
    );
}

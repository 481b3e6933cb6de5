//! In which order things end, on request and because the description changed.

use mainstay_model::{Condition, PhaseName, Spec};

use super::{NOTHING, ends_within, up};
use crate::scene::{With as _, permanent, stage::Stage};

use Condition::Ready;

fn chain() -> [Spec; 3] {
    [permanent("db"), permanent("api").needs("db", Ready), permanent("web").needs("api", Ready)]
}

/// web, api and db end in this order, each when the one before has.
fn end_in_reverse(stage: &mut Stage) {
    for name in ["web", "api", "db"] {
        assert_eq!(stage.asked(), [format!("TERM {name}")]);
        stage.exited(name, 0);
    }
    assert_eq!(stage.asked(), NOTHING);
}

#[test]
fn stop_takes_dependents_first() {
    let mut stage = up(&[&chain()[..], &[permanent("other")]].concat());
    stage.stop(&["db"]);
    assert_eq!(stage.sentence("db"), "will stop after api");
    end_in_reverse(&mut stage);
    assert_eq!(stage.phase("other"), PhaseName::Running);
}

#[test]
fn stop_with_a_deaf_dependent() {
    let mut stage = up(&[permanent("db"), ends_within(permanent("api").needs("db", Ready), 5)]);
    stage.stop(&["db"]);
    stage.wait(4);
    assert_eq!(stage.asked(), ["TERM api"]);
    stage.wait(1);
    assert_eq!(stage.asked(), ["kill api"]);
    assert_eq!(stage.sentence("db"), "will stop after api");
    stage.killed("api");
    assert_eq!(stage.asked(), ["TERM db"]);
}

#[test]
fn down_in_reverse_order() {
    let mut stage = up(&chain());
    stage.stop(&["db", "api", "web"]);
    end_in_reverse(&mut stage);
}

#[test]
fn kill_touches_only_one() {
    let mut stage = up(&[permanent("db"), permanent("api").needs("db", Ready)]);
    stage.kill(&["db"]);
    stage.killed("db");
    stage.wait(60);
    assert_eq!(stage.asked(), ["kill db"]);
    assert_eq!((stage.phase("db"), stage.phase("api")), (PhaseName::Stopped, PhaseName::Running));
}

#[test]
fn up_applies_only_changes() {
    let mut stage = up(&[permanent("same"), permanent("policy"), permanent("changed"), permanent("gone")]);
    let now = [
        permanent("same"),
        ends_within(permanent("policy"), 3),
        permanent("changed").runs("./new"),
        permanent("new"),
    ];
    stage.apply(&now);
    stage.want(&["same", "policy", "changed", "new"]);
    let mut asked = stage.asked();
    asked.sort();
    assert_eq!(asked, ["TERM changed", "TERM gone", "spawn new"]);
    stage.exited("changed", 0);
    stage.exited("gone", 0);
    assert_eq!(stage.asked(), ["spawn changed"]);
    assert_eq!(stage.removed(), ["gone"]);
}

#[test]
fn removed_services_end_in_order() {
    let mut stage = up(&[&chain()[..], &[permanent("other")]].concat());
    stage.apply(&[permanent("other")]);
    end_in_reverse(&mut stage);
    assert_eq!(stage.removed(), ["web", "api", "db"]);
    assert_eq!(stage.phase("other"), PhaseName::Running);
}

#[test]
fn scale_up_and_down() {
    let instances = |count: usize| {
        let names = ["worker@1", "worker@2", "worker@3"];
        names[..count].iter().map(|name| permanent(name)).collect::<Vec<Spec>>()
    };
    let mut stage = up(&instances(2));
    stage.apply(&instances(3));
    stage.want(&["worker@1", "worker@2", "worker@3"]);
    stage.made(&["worker@3"]);
    assert_eq!(stage.asked(), ["spawn worker@3"]);
    stage.apply(&instances(2));
    stage.want(&["worker@1", "worker@2"]);
    stage.exited("worker@3", 0);
    assert_eq!(
        (stage.asked(), stage.removed()),
        (vec!["TERM worker@3".to_owned()], vec!["worker@3".to_owned()])
    );
}

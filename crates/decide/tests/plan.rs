//! What a plan says is what an apply then does.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod scene;

use std::collections::BTreeSet;

use mainstay_model::{Condition, ServiceId, Spec};
use scene::{With as _, id, oneshot, permanent, stage::Stage};

fn planned(stage: &Stage, specs: &[Spec], start: &[&str]) -> Vec<String> {
    let start: BTreeSet<ServiceId> = start.iter().map(|name| id(name)).collect();
    let plan = stage.project.plan(specs, &start).unwrap();
    let line = |one: &mainstay_decide::Planned| {
        let why: Vec<&str> = one.differences.iter().map(|difference| difference.setting.as_str()).collect();
        format!("{} {} {}", one.act.as_str(), one.id, why.join(" ")).trim_end().to_owned()
    };
    plan.iter().map(line).collect()
}

#[test]
fn each_service_is_told_what_would_become_of_it_and_why() {
    let mut stage = Stage::of(&[
        permanent("old"),
        permanent("db"),
        permanent("api").needs("db", Condition::Started),
        permanent("same"),
        permanent("down"),
        oneshot("job"),
    ]);
    stage.want(&["old", "api", "same", "job"]);
    stage.made(&["old", "db", "same", "job"]);
    stage.made(&["api"]);
    stage.exited("job", 0);
    stage.quiet();
    let mut patient = permanent("db");
    patient.stop.timeout = std::time::Duration::from_secs(60);
    let specs = [
        patient,
        permanent("api").needs("db", Condition::Ready).runs("./api2"),
        permanent("same"),
        permanent("down"),
        permanent("new").needs("api", Condition::Started),
        oneshot("job").runs("./other"),
    ];
    let rows = [
        "remove old",
        "change db stop.timeout",
        "restart api command depends_on.db",
        "start down",
        "start job command",
        "add new",
        "keep same",
    ];
    let all = ["db", "api", "same", "down", "new", "job"];
    let mut told = planned(&stage, &specs, &all);
    told[2..].sort_by_key(|line| line.split(' ').nth(1).unwrap().to_owned());
    assert_eq!(told, rows);
    stage.apply(&specs);
    stage.want(&all);
    let mut asked = stage.asked();
    asked.sort();
    assert_eq!(asked, ["TERM api", "TERM old", "spawn down", "spawn job"], "new waits for api");
}

#[test]
fn what_nobody_wants_is_only_described() {
    let stage = Stage::of(&[permanent("api")]);
    let specs = [permanent("api").runs("./api2"), permanent("new")];
    assert_eq!(planned(&stage, &specs, &[]), ["change api command", "describe new"]);
}

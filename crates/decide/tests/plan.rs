//! What a plan says is what an apply then does.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod scene;

use std::collections::BTreeSet;

use mainstay_decide::{Goal, Phase, Project, Service, Then};
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

#[test]
fn what_restarts_with_another_says_so_and_what_goes_on_is_noted() {
    let mut stage = Stage::of(&[
        permanent("db"),
        permanent("api").follows("db", Condition::Ready),
        permanent("web").follows("api", Condition::Started),
        permanent("worker").needs("db", Condition::Ready),
    ]);
    stage.want(&["web", "worker"]);
    for name in ["db", "api", "web", "worker"] {
        stage.made(&[name]);
    }
    stage.quiet();
    let specs = [
        permanent("db").runs("./db2"),
        permanent("api").follows("db", Condition::Ready),
        permanent("web").follows("api", Condition::Started),
        permanent("worker").needs("db", Condition::Ready),
    ];
    let plan = stage.project.plan(&specs, &BTreeSet::new()).unwrap();
    let told: Vec<String> = plan
        .iter()
        .map(|one| {
            let because = one.because.as_ref().map(|on| format!(" because {on}")).unwrap_or_default();
            let by: Vec<String> = one.needed_by.iter().map(|id| format!(" needed by {id}")).collect();
            format!("{} {}{because}{}", one.act.as_str(), one.id, by.concat())
        })
        .collect();
    let rows =
        ["restart db needed by worker", "restart api because db", "restart web because api", "keep worker"];
    let mut sorted = told.clone();
    sorted.sort_by_key(|line| rows.iter().position(|row| row == line));
    assert_eq!(sorted, rows, "{told:?}");
    stage.apply(&specs);
    let mut asked = stage.asked();
    asked.sort();
    assert_eq!(asked, ["TERM api", "TERM db", "TERM web"]);
}

/// Numbers that look as if they were random, the same ones every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

fn any_specs(dice: &mut Dice) -> Vec<Spec> {
    let mut specs: Vec<Spec> = Vec::new();
    for name in NAMES {
        if dice.below(6) == 0 {
            continue;
        }
        let mut spec = if dice.below(4) == 0 { oneshot(name) } else { permanent(name) };
        spec = spec.runs(["./one", "./two"][usize::from(dice.below(3) == 0)]);
        spec.stop.timeout = std::time::Duration::from_secs(5 + dice.below(2));
        for on in &specs {
            let until = [Condition::Started, Condition::Ready][usize::from(dice.below(2) == 0)];
            spec = match dice.below(5) {
                0 => spec.needs(&on.id.to_string(), until),
                1 => spec.follows(&on.id.to_string(), until),
                _ => spec,
            };
        }
        specs.push(spec);
    }
    specs
}

/// Some time in the life of a project.
fn lived(dice: &mut Dice, stage: &mut Stage) {
    for _ in 0..dice.below(30) {
        let name = NAMES[usize::try_from(dice.below(5)).unwrap()];
        let Some(service) = stage.project.service(&id(name)) else { continue };
        let live = service.phase().live().is_some();
        let made = service.phase().pid().is_some();
        match dice.below(8) {
            0 | 1 => stage.want(&[name]),
            2..=4 if live && !made => stage.made(&[name]),
            5 if live && made => stage.exited(name, i32::try_from(dice.below(2)).unwrap()),
            6 => stage.stop(&[name]),
            _ => {}
        }
    }
}

/// What has become of one, in the words of a plan; `None`: of those words none fits.
fn became(before: &Project, after: &Project, name: &ServiceId) -> Option<&'static str> {
    let is_up = |service: &Service| service.goal() == Goal::Up;
    match (before.service(name), after.service(name)) {
        (None, Some(now)) => Some(if is_up(now) { "add" } else { "describe" }),
        (_, None) => None,
        (Some(then), Some(now)) => {
            let ends = |service: &Service| matches!(service.phase(), Phase::Stopping { .. });
            let lives = then.phase().live().is_some();
            let again = matches!(now.phase(), Phase::Stopping { then: Then::Again, .. });
            let is_new = now.run() != then.run() || (*now.phase() == Phase::WaitingForDependency);
            // It ends already, and is to start again: that it does so by another description cannot be seen yet.
            let comes_back = ends(then) && is_up(then) && again;
            // A stop that was asked for and is held by others may begin by what is no longer a need, before it is wanted again.
            let held = lives && !is_up(then) && !ends(then);
            Some(match () {
                () if held && is_up(now) && again => "either",
                // A stop that somebody asked for goes on, as the others let it.
                () if !is_up(then) && !is_up(now) => "same",
                () if comes_back && then.spec().needs_restart_for(now.spec()) => "restart",
                () if comes_back => "same",
                () if lives && !ends(then) && again => "restart",
                () if is_up(now) && (again || (is_new && now.phase() != then.phase())) => "start",
                () if now.phase().name() == then.phase().name() && now.run() == then.run() => "same",
                () => return None,
            })
        }
    }
}

#[test]
fn whatever_the_project_has_lived_through_a_plan_is_what_comes() {
    let mut seen = std::collections::BTreeMap::<&str, u32>::new();
    for seed in 0..4000 {
        let mut dice = Dice(seed);
        let mut stage = Stage::of(&any_specs(&mut dice));
        lived(&mut dice, &mut stage);
        let (before, specs) = (stage.project.clone(), any_specs(&mut dice));
        let wanted: Vec<&str> =
            NAMES.into_iter().filter(|name| specs.iter().any(|spec| spec.id == id(name))).collect();
        let wanted = if dice.below(2) == 0 { wanted } else { Vec::new() };
        let start: BTreeSet<ServiceId> = wanted.iter().map(|name| id(name)).collect();
        let plan = before.plan(&specs, &start).unwrap();
        stage.apply(&specs);
        stage.want(&wanted);
        for one in &plan {
            let described = specs.iter().any(|spec| spec.id == one.id);
            let came = match described {
                true => became(&before, &stage.project, &one.id),
                false => Some("remove"),
            };
            let act = one.act.as_str();
            let fits = match came {
                Some("same") => matches!(act, "keep" | "change"),
                Some("either") => matches!(act, "keep" | "change" | "restart"),
                came => came == Some(act),
            };
            let how = |project: &Project| {
                project
                    .service(&one.id)
                    .map(|it| format!("{:?} {:?} run {}", it.goal(), it.phase(), it.run().0))
            };
            let (then, now) = (how(&before), how(&stage.project));
            assert!(fits, "seed {seed}: {} {act} was {came:?}\n{then:?}\n{now:?}", one.id);
            *seen.entry(act).or_default() += 1;
        }
    }
    for act in ["add", "describe", "start", "restart", "change", "remove", "keep"] {
        assert!(seen.get(act).is_some_and(|count| *count > 50), "{act}: {seen:?}");
    }
}

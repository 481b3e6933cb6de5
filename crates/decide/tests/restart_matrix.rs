//! Prints what follows an end, for each policy, kind, end, number of attempts left and `rerun_unknown`, into
//! `restart_matrix.txt`, for reviewers.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic, in the functions around it as well")]

mod scene;

use std::{fmt::Write as _, sync::Arc, time::Duration};

use mainstay_decide::{Event, Phase, Service};
use mainstay_model::{
    Attempts, Exit, Kind, RestartPolicy, RestartWhen, RunId, Signal, SpawnFailure, SpawnFailureKind, Spec,
};
use scene::{With as _, at, golden, spec};

/// An end, or a start that came to nothing.
#[derive(Clone)]
enum End {
    Exit(Exit),
    NotSpawned,
    NotReady,
}

fn ends() -> Vec<(&'static str, End)> {
    let segv = Signal::from_number(11).unwrap();
    vec![
        ("exited 0", End::Exit(Exit::Code(0))),
        ("exited 3, a success", End::Exit(Exit::Code(3))),
        ("exited 1", End::Exit(Exit::Code(1))),
        ("exited by SEGV", End::Exit(Exit::Signal(segv))),
        ("exited, unknown", End::Exit(Exit::Unknown)),
        ("not spawned", End::NotSpawned),
        ("not ready in time", End::NotReady),
    ]
}

/// The service after this end, in a word.
fn after(spec: Spec, end: &End) -> String {
    let run = RunId(1);
    let mut service = Service::new(Arc::new(spec), at(0));
    service.on(at(0), Event::Start);
    match end {
        End::Exit(exit) => {
            service.on(at(0), Event::Spawned { run, pid: 1 });
            service.on(at(1), Event::Exited { run, exit: *exit });
        }
        End::NotSpawned => {
            let failure = SpawnFailure { kind: SpawnFailureKind::NoProgram, text: "missing".to_owned() };
            service.on(at(1), Event::NotSpawned { run, failure });
        }
        End::NotReady => {
            service.on(at(0), Event::Spawned { run, pid: 1 });
            service.on(at(30), Event::Tick);
            // However it ends now: it was asked to.
            service.on(at(31), Event::Exited { run, exit: Exit::Code(0) });
        }
    }
    match service.phase() {
        Phase::WaitingForBackoff { .. } => "restarts".to_owned(),
        phase => format!("{} ({})", phase.name(), service.reason().code()),
    }
}

fn described(kind: Kind, when: RestartWhen, attempts: Attempts, rerun_unknown: bool, end: &End) -> Spec {
    let restart = RestartPolicy {
        when,
        attempts,
        delay: Duration::from_secs(1),
        success_exit_codes: [0, 3].into(),
        ..RestartPolicy::with(when)
    };
    let spec = Spec { restart, rerun_unknown, ..spec("api", kind) };
    match end {
        End::NotReady => spec.asked(),
        End::Exit(_) | End::NotSpawned => spec,
    }
}

#[test]
fn the_matrix_is_as_it_was_read() {
    let policies = [RestartWhen::Never, RestartWhen::OnFailure, RestartWhen::Always];
    let mut text = "What follows an end, by kind, end and policy. Success codes are 0 and 3.\n\
                    `UPDATE_GOLDEN=1 cargo test -p mainstay-decide --test restart_matrix` writes it.\n"
        .to_owned();
    for (kind, rerun) in
        [(Kind::Permanent, false), (Kind::Permanent, true), (Kind::Oneshot, false), (Kind::Oneshot, true)]
    {
        for (attempts, left) in
            [(Attempts::UpTo(1), "an attempt left"), (Attempts::UpTo(0), "no attempt left")]
        {
            writeln!(text, "\n== {kind}, rerun_unknown = {rerun}, {left}").unwrap();
            let head = policies.map(|when| format!("{:<28}", when.as_str())).concat();
            writeln!(text, "   {:<21}{}", "", head.trim_end()).unwrap();
            for (name, end) in ends() {
                let cell = |when| after(described(kind, when, attempts, rerun, &end), &end);
                let row = policies.map(|when| format!("{:<28}", cell(when))).concat();
                writeln!(text, "   {name:<21}{}", row.trim_end()).unwrap();
            }
        }
    }
    golden("restart_matrix.txt", &text);
}

//! The stories by what they are about, and the words that they share.

mod caring;
mod checking;
mod depending;
mod ending;
mod restarting;

use std::time::Duration;

use mainstay_decide::Standing;
use mainstay_model::{Attempts, RestartPolicy, RestartWhen, Spec, StopPolicy};

use crate::scene::{id, permanent, stage::Stage};

/// Restarts every second while it fails, so often.
fn tries(spec: Spec, attempts: u32) -> Spec {
    let restart = RestartPolicy {
        delay: Duration::from_secs(1),
        factor_milli: 1000,
        attempts: Attempts::UpTo(attempts),
        ..RestartPolicy::with(RestartWhen::OnFailure)
    };
    Spec { restart, ..spec }
}

/// Has so many seconds to end.
fn ends_within(spec: Spec, seconds: u64) -> Spec {
    Spec { stop: StopPolicy { timeout: Duration::from_secs(seconds), ..spec.stop }, ..spec }
}

/// These are described, wanted, and their processes are made one after the other; what was asked for is forgotten.
fn up(specs: &[Spec]) -> Stage {
    let mut stage = Stage::of(specs);
    let names: Vec<String> = specs.iter().map(|spec| spec.id.to_string()).collect();
    for name in &names {
        stage.want(&[name]);
        stage.made(&[name]);
    }
    stage.quiet();
    stage
}

/// A permanent service that runs, alone.
fn one(spec: impl FnOnce(Spec) -> Spec) -> Stage {
    up(&[spec(permanent("api"))])
}

fn standing(stage: &Stage, name: &str) -> Standing {
    stage.project.standing_up(&id(name))
}

const NOTHING: [&str; 0] = [];

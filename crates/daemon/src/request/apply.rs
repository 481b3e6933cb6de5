//! `apply`: run this description.

use std::{collections::BTreeSet, time::Duration};

use mainstay_decide::Graph;
use mainstay_model::{ServiceId, Spec};
use mainstay_wire::{ErrorCode, Reply, Request, WireError};
use tokio::sync::oneshot;

use super::{
    adopt::{Adopted, Adoption, Unwritten, adopt, invalid},
    answer,
    names::chosen,
    unless_going_down,
};
use crate::{brain::Brain, generations::Description, waiters::When, wake::Peer};

/// The longest probation.
const WATCH_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn apply(brain: &mut Brain, request: Request, peer: Peer, reply: oneshot::Sender<Reply>) {
    let Request::Apply { project, dir, files, fingerprint, specs, start, wait, within_ms, base, watch_ms } =
        request
    else {
        return;
    };
    let description = Description { project, dir, files, fingerprint, specs };
    let begun = refuse_other_base(brain, base, &description)
        .and_then(|()| prepare(description, &start, watch_ms, peer))
        .and_then(|adoption| unless_going_down(brain).and_then(|()| adopt(brain, adoption)));
    match begun {
        Err(error) => answer(reply, Err(error)),
        Ok(Adopted { about, generation }) => {
            brain.waiters.add_of(generation, about, When::from_request(wait, within_ms), reply);
        }
    }
}

fn prepare(
    description: Description,
    start: &[String],
    watch_ms: Option<u64>,
    peer: Peer,
) -> Result<Adoption, WireError> {
    let specs = description.services().map_err(|error| invalid(&error))?;
    let (start, about) = meant(&specs, start)?;
    let watch = watch_ms.map(Duration::from_millis);
    if watch.is_some_and(|span| span.is_zero() || span > WATCH_LIMIT) {
        let text = "a probation lasts longer than nothing and no longer than a day";
        return Err(WireError::new(ErrorCode::BadRequest, text));
    }
    Ok(Adoption {
        description,
        specs,
        start,
        about,
        how: "applied".to_owned(),
        code: "applied",
        peer: Some(peer),
        watch,
        unwritten: Unwritten::Refused,
    })
}

/// Those of a description that these patterns mean, all when there are none; and the same with what they need.
pub(super) fn meant(
    specs: &[Spec],
    patterns: &[String],
) -> Result<(BTreeSet<ServiceId>, Vec<ServiceId>), WireError> {
    let graph = Graph::new(specs).map_err(|error| invalid(&error))?;
    if specs.is_empty() {
        return Ok((BTreeSet::new(), Vec::new()));
    }
    let all = ["all".to_owned()];
    let patterns = if patterns.is_empty() { &all } else { patterns };
    let named = chosen(patterns, graph.order().iter())?;
    let with_needs = graph.with_needs(&named);
    Ok((named, with_needs))
}

/// What was planned on one generation is not done on another, unless it is what runs already.
fn refuse_other_base(brain: &Brain, base: Option<u64>, description: &Description) -> Result<(), WireError> {
    let current = brain.recorded.generation;
    if base.is_none_or(|base| base == current) || brain.generations.is(current, description) {
        return Ok(());
    }
    let came = brain.generations.get(current).map(|generation| match generation.uid {
        Some(_) if generation.how == "applied" => format!("somebody applied generation {current} meanwhile"),
        Some(_) | None => format!("generation {current} came meanwhile ({})", generation.how),
    });
    let text = came.unwrap_or_else(|| "everything was stopped meanwhile".to_owned());
    Err(WireError::new(ErrorCode::Conflict, format!("{text}; nothing was changed"))
        .with_help("look at the plan again: `mainstay plan`"))
}

//! What `status` says of a service beyond `list`.

use mainstay_decide::Project;
use mainstay_model::{Condition, ServiceId};
use mainstay_wire::{DetailsView, NeighbourView};

/// Of this one, which can be called on that socket.
pub(crate) fn details(project: &Project, id: &ServiceId, calls: Option<String>) -> Option<DetailsView> {
    let service = project.service(id)?;
    let spec = service.spec();
    let instances = |name| project.ids().filter(move |id| id.name == name);
    let needs = spec.depends_on.iter().flat_map(|dependency| {
        instances(dependency.on.clone()).filter_map(|on| neighbour(project, on, on, dependency.until))
    });
    let needed_by = project.needed_by(id).into_iter().filter_map(|other| {
        let until = until(project, &other, id)?;
        neighbour(project, &other, id, until)
    });
    Some(DetailsView {
        user: spec.user.clone(),
        calls,
        working_dir: spec.working_dir.display().to_string(),
        ready_check: spec.ready.as_ref().map(|policy| policy.check.to_string()),
        watchdog_ms: spec.watchdog.map(|span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX)),
        restart: spec.restart.when.as_str().to_owned(),
        attempt: service.attempts(),
        needs: needs.collect(),
        needed_by: needed_by.collect(),
    })
}

/// What this one waits for of that one.
fn until(project: &Project, of: &ServiceId, on: &ServiceId) -> Option<Condition> {
    let spec = project.service(of)?.spec();
    spec.depends_on.iter().find(|dependency| dependency.on == on.name).map(|dependency| dependency.until)
}

/// One of two, of which `needed` is to have reached something.
fn neighbour(
    project: &Project,
    id: &ServiceId,
    needed: &ServiceId,
    until: Condition,
) -> Option<NeighbourView> {
    Some(NeighbourView {
        id: id.to_string(),
        until: until.as_str().to_owned(),
        met: project.service(needed)?.meets(until),
        phase: project.service(id)?.phase().name().as_str().to_owned(),
    })
}

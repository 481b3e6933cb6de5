//! What only shows in the whole: dependencies on services that are not there, on oneself, on what never completes, and
//! services that wait for each other in a circle.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_model::{Condition, Kind};

use crate::{
    Code,
    project::Named,
    report::{Place, Report},
    service::{Described, Edge},
    suggest::{nearest, quoted},
};

/// Reports every dependency that cannot be met.
pub(crate) fn check(services: &[Described], named: &Named, report: &mut Report) {
    let permanent: BTreeSet<&str> = services
        .iter()
        .filter(|service| service.kind == Some(Kind::Permanent))
        .map(|service| service.name.as_str())
        .collect();
    let healthless: BTreeSet<&str> = services
        .iter()
        .filter(|service| !service.specs.is_empty() && service.specs.iter().all(|spec| spec.health.is_none()))
        .map(|service| service.name.as_str())
        .collect();
    for service in services {
        for (number, edge) in service.edges.iter().enumerate() {
            let earlier = service.edges.iter().take(number).any(|other| other.on == edge.on);
            if earlier {
                let message = format!("`{}` is named twice in `depends_on`", edge.on);
                report.add(Code::DuplicateDependency, &edge.place, message, "once is enough");
            } else {
                one(service, edge, [&permanent, &healthless], named, report);
            }
        }
    }
    cycles(services, report);
}

fn one(
    service: &Described,
    edge: &Edge,
    [permanent, healthless]: [&BTreeSet<&str>; 2],
    named: &Named,
    report: &mut Report,
) {
    let on = edge.on.as_str();
    if !named.0.contains_key(on) {
        return unknown(service, edge, named, report);
    }
    if on == service.name.as_str() {
        let message = format!("`{on}` depends on itself");
        return report.add(Code::SelfDependency, &edge.place, message, "take it out of its own `depends_on`");
    }
    if edge.until == Condition::Completed && permanent.contains(on) {
        let message =
            format!("`{}` waits for `{on}` to complete, which is permanent and never does", service.name);
        let help = format!("wait for \"ready\" instead, or say kind = \"oneshot\" in [service.{on}]");
        report.add(Code::NeverCompletes, &edge.place, message, help);
    }
    if edge.until == Condition::Healthy && healthless.contains(on) {
        let message = format!("`{}` waits for `{on}` to be healthy, which has no `health`", service.name);
        let help =
            format!("wait for \"ready\" instead, or say how it is asked: [service.{on}] health = {{ … }}");
        report.add(Code::NeverHealthy, &edge.place, message, help);
    }
}

fn unknown(service: &Described, edge: &Edge, named: &Named, report: &mut Report) {
    let on = edge.on.as_str();
    let message = format!("`{}` depends on {}, which is not described", service.name, quoted(on));
    let base = on.split_once('@').map(|(name, _)| name).filter(|name| named.0.contains_key(*name));
    let help = match (base, nearest(on, named.0.keys().map(String::as_str))) {
        (Some(base), _) => format!("say `{base}`: a dependency is on all instances of a service"),
        (None, Some(meant)) => format!("did you mean `{meant}`?"),
        (None, None) if on.is_empty() => "name a service".to_owned(),
        (None, None) => format!("describe it: [service.{on}]"),
    };
    report.add(Code::UnknownDependency, &edge.place, message, help);
}

/// Finds circles by taking away, again and again, every service that waits for nobody who is left. Who remains is in a
/// circle or waits for one; from there, following any dependency must come back. The circle is told and taken away too.
fn cycles(services: &[Described], report: &mut Report) {
    let index: BTreeMap<&str, usize> =
        services.iter().enumerate().map(|(number, service)| (service.name.as_str(), number)).collect();
    let mut waits: Vec<Vec<(usize, &Place)>> = services
        .iter()
        .enumerate()
        .map(|(number, service)| {
            let known =
                service.edges.iter().filter_map(|edge| Some((*index.get(edge.on.as_str())?, &edge.place)));
            known.filter(|(on, _)| *on != number).collect()
        })
        .collect();
    let mut left = vec![true; services.len()];
    loop {
        peel(&mut waits, &mut left);
        let Some(first) = left.iter().position(|left| *left) else { return };
        let circle = circle_from(first, &waits);
        tell(&circle, services, &waits, report);
        circle.iter().for_each(|member| left[*member] = false);
        forget(&mut waits, &left);
    }
}

/// Takes away whoever waits for nobody, until all who are left wait.
fn peel(waits: &mut [Vec<(usize, &Place)>], left: &mut [bool]) {
    let mut waited_by: Vec<Vec<usize>> = vec![Vec::new(); waits.len()];
    let mut open: Vec<usize> = waits.iter().map(Vec::len).collect();
    for (number, edges) in waits.iter().enumerate() {
        edges.iter().for_each(|(on, _)| waited_by[*on].push(number));
    }
    let mut free: Vec<usize> =
        (0..waits.len()).filter(|number| left[*number] && open[*number] == 0).collect();
    while let Some(number) = free.pop() {
        left[number] = false;
        for waiting in std::mem::take(&mut waited_by[number]) {
            open[waiting] -= 1;
            if open[waiting] == 0 && left[waiting] {
                free.push(waiting);
            }
        }
    }
    forget(waits, left);
}

/// Drops the edges from and to those who were taken away.
fn forget(waits: &mut [Vec<(usize, &Place)>], left: &[bool]) {
    for (number, edges) in waits.iter_mut().enumerate() {
        edges.retain(|(on, _)| left[number] && left[*on]);
    }
}

/// The members of a circle that is reached from `first`, each before the one that it waits for.
fn circle_from(first: usize, waits: &[Vec<(usize, &Place)>]) -> Vec<usize> {
    let mut path = vec![first];
    let mut seen = BTreeMap::from([(first, 0)]);
    loop {
        let next = path.last().and_then(|last| waits[*last].first());
        let Some((next, _)) = next else {
            debug_assert!(false, "who is left waits for somebody who is left");
            return path;
        };
        if let Some(at) = seen.insert(*next, path.len()) {
            return path.split_off(at);
        }
        path.push(*next);
    }
}

/// Names the members, from the one that stands first in the file.
fn tell(circle: &[usize], services: &[Described], waits: &[Vec<(usize, &Place)>], report: &mut Report) {
    let mut circle = circle.to_vec();
    let first = circle.iter().enumerate().min_by_key(|(_, member)| **member).map_or(0, |(at, _)| at);
    circle.rotate_left(first);
    circle.extend(circle.first().copied());
    let names: Vec<&str> = circle.iter().map(|member| services[*member].name.as_str()).collect();
    let place = circle.first().and_then(|member| waits[*member].first()).map(|(_, place)| *place);
    if let Some(place) = place {
        let message = format!("these wait for each other in a circle: {}", names.join(" -> "));
        report.add(
            Code::DependencyCycle,
            place,
            message,
            "take one of these dependencies out of its `depends_on`",
        );
    }
}

//! Who needs whom: the order of starts, and cycles by name. Knows nothing of states.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_model::{Condition, ServiceId, ServiceName, Spec};

/// A set of descriptions that cannot be ordered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// Each of these needs the next, and the last the first.
    #[error("these depend on each other in a circle: {}", circle(.0))]
    Cycle(Vec<ServiceName>),
    /// A dependency that is not there.
    #[error("`{of}` depends on `{on}`, which does not exist")]
    Unknown {
        /// Who depends.
        of: ServiceId,
        /// On whom.
        on: ServiceName,
    },
    /// One instance twice.
    #[error("`{0}` is described twice")]
    Twice(ServiceId),
}

fn circle(names: &[ServiceName]) -> String {
    let first = names.first().map(ToString::to_string);
    names.iter().map(ToString::to_string).chain(first).collect::<Vec<_>>().join(" → ")
}

/// One instance needs another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// Whom.
    pub on: ServiceId,
    /// What that one must have reached.
    pub until: Condition,
    /// Whether its loss restarts the one that needs it.
    pub restart: bool,
}

/// The needs of every instance, and an order in which each comes after what it needs.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    order: Vec<ServiceId>,
    needs: BTreeMap<ServiceId, Vec<Need>>,
}

impl Graph {
    /// The graph of these descriptions.
    ///
    /// # Errors
    /// See [`GraphError`].
    pub fn new<'a>(specs: impl IntoIterator<Item = &'a Spec>) -> Result<Self, GraphError> {
        let mut instances: BTreeMap<&ServiceName, Vec<&Spec>> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for spec in specs {
            if !seen.insert(&spec.id) {
                return Err(GraphError::Twice(spec.id.clone()));
            }
            instances.entry(&spec.id.name).or_default().push(spec);
        }
        let mut graph = Self::default();
        for spec in instances.values().flatten() {
            let mut needs = Vec::new();
            for dependency in &spec.depends_on {
                let unknown = || GraphError::Unknown { of: spec.id.clone(), on: dependency.on.clone() };
                for on in instances.get(&dependency.on).ok_or_else(unknown)? {
                    let (until, restart) = (dependency.until, dependency.restart);
                    needs.push(Need { on: on.id.clone(), until, restart });
                }
            }
            graph.needs.insert(spec.id.clone(), needs);
        }
        graph.order = order(&instances)?;
        Ok(graph)
    }

    /// Every instance, each after what it needs; among equals by name.
    pub fn order(&self) -> &[ServiceId] {
        &self.order
    }

    /// These and everything that they need, in order.
    pub fn with_needs(&self, ids: &BTreeSet<ServiceId>) -> Vec<ServiceId> {
        let mut reached = ids.clone();
        for id in self.order.iter().rev() {
            if reached.contains(id) {
                reached.extend(self.needs(id).iter().map(|need| need.on.clone()));
            }
        }
        self.order.iter().filter(|id| reached.contains(id)).cloned().collect()
    }

    /// What this instance needs.
    pub fn needs(&self, id: &ServiceId) -> &[Need] {
        self.needs.get(id).map_or(&[], Vec::as_slice)
    }
}

/// Repeatedly takes the services all of whose needs are taken; what is left over holds a cycle.
fn order(instances: &BTreeMap<&ServiceName, Vec<&Spec>>) -> Result<Vec<ServiceId>, GraphError> {
    let needs = |name: &ServiceName| -> BTreeSet<&ServiceName> {
        let specs = instances.get(name).into_iter().flatten();
        specs.flat_map(|spec| spec.depends_on.iter().map(|dependency| &dependency.on)).collect()
    };
    let mut missing: BTreeMap<&ServiceName, usize> = BTreeMap::new();
    let mut needed_by: BTreeMap<&ServiceName, Vec<&ServiceName>> = BTreeMap::new();
    for name in instances.keys() {
        let on: BTreeSet<&ServiceName> =
            instances[name].iter().flat_map(|spec| spec.depends_on.iter().map(|d| &d.on)).collect();
        missing.insert(name, on.len());
        for on in on {
            needed_by.entry(on).or_default().push(name);
        }
    }
    let mut free: BTreeSet<&ServiceName> =
        missing.iter().filter(|(_, count)| **count == 0).map(|(name, _)| *name).collect();
    let mut ordered = Vec::new();
    while !free.is_empty() {
        let layer = std::mem::take(&mut free);
        for name in layer {
            missing.remove(name);
            ordered.extend(instances[name].iter().map(|spec| spec.id.clone()));
            for dependent in needed_by.get(name).into_iter().flatten() {
                if let Some(count) = missing.get_mut(dependent) {
                    *count -= 1;
                    if *count == 0 {
                        free.insert(dependent);
                    }
                }
            }
        }
    }
    match missing.keys().next() {
        None => Ok(ordered),
        Some(start) => Err(GraphError::Cycle(cycle(start, &needs, &missing))),
    }
}

/// Walks from one left-over service to another until one comes twice.
fn cycle<'a>(
    start: &'a ServiceName,
    needs: &impl Fn(&ServiceName) -> BTreeSet<&'a ServiceName>,
    left: &BTreeMap<&'a ServiceName, usize>,
) -> Vec<ServiceName> {
    let mut path: Vec<&ServiceName> = Vec::new();
    let mut at = start;
    loop {
        if let Some(first) = path.iter().position(|name| *name == at) {
            return path[first..].iter().map(|name| (*name).clone()).collect();
        }
        path.push(at);
        let Some(next) = needs(at).into_iter().find(|name| left.contains_key(name)) else {
            return Vec::new();
        };
        at = next;
    }
}

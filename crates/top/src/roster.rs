//! The services as they were last told of, in the project's order. Knows nothing of what is shown of them.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use mainstay_wire::ServiceView;

use crate::{clean, sort::URGENCY};

/// One service.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    /// `api@2`.
    pub(crate) id: String,
    /// What is known of it; harmless, its log's folder aside.
    pub(crate) view: ServiceView,
    /// When its phase began.
    pub(crate) since: Option<Timestamp>,
}

impl Service {
    fn new(view: ServiceView) -> Self {
        let view = clean::service(view);
        let id = match &view.instance {
            None => view.name.clone(),
            Some(number) => format!("{}@{number}", view.name),
        };
        let since = view.since.as_deref().and_then(|text| text.parse().ok());
        Self { id, view, since }
    }

    /// Seconds since its phase began.
    pub(crate) fn age(&self, now: Timestamp) -> Option<i64> {
        self.since.map(|since| now.duration_since(since).as_secs())
    }

    /// Whether stopping it would change something.
    pub(crate) fn is_up(&self) -> bool {
        matches!(self.view.phase.as_str(), "waiting" | "starting" | "running" | "paused")
    }

    /// The names that it depends on: `db` of `db (ready)`.
    pub(crate) fn needs(&self) -> impl Iterator<Item = &str> {
        self.view.depends_on.iter().map(|text| text.split_once(' ').map_or(text.as_str(), |(name, _)| name))
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    services: Vec<Service>,
    places: HashMap<String, usize>,
    longest: usize,
}

impl Roster {
    /// In the project's order.
    pub(crate) fn all(&self) -> &[Service] {
        &self.services
    }

    /// The one of this id.
    pub(crate) fn get(&self, id: &str) -> Option<&Service> {
        self.services.get(*self.places.get(id)?)
    }

    /// The columns of the longest name.
    pub(crate) fn longest_name(&self) -> usize {
        self.longest
    }

    /// Takes in everything that there is; what is not in it is gone.
    ///
    /// It was asked for on another way than changes come on, so a change may have overtaken it: the newer phase stays.
    pub(crate) fn replace(&mut self, views: Vec<ServiceView>) {
        let mut services: Vec<Service> = views.into_iter().map(Service::new).collect();
        for service in &mut services {
            if let Some(known) = self.get(&service.id)
                && known.since > service.since
                && known.view.run >= service.view.run
            {
                let (memory_bytes, cpu_percent) = (service.view.memory_bytes, service.view.cpu_percent);
                *service = known.clone();
                if service.view.pid.is_some() {
                    (service.view.memory_bytes, service.view.cpu_percent) = (memory_bytes, cpu_percent);
                }
            }
        }
        self.longest = services.iter().map(|service| crate::cut::width(&service.id)).max().unwrap_or(0);
        self.places = services.iter().enumerate().map(|(at, service)| (service.id.clone(), at)).collect();
        self.services = services;
    }

    /// Takes in a change of one. Changes come without readings: those of the same process stay.
    pub(crate) fn change(&mut self, view: ServiceView) {
        let mut service = Service::new(view);
        let Some(known) = self.places.get(&service.id).and_then(|at| self.services.get_mut(*at)) else {
            self.longest = self.longest.max(crate::cut::width(&service.id));
            self.places.insert(service.id.clone(), self.services.len());
            self.services.push(service);
            return;
        };
        if service.view.pid.is_some() && service.view.pid == known.view.pid {
            service.view.memory_bytes = service.view.memory_bytes.or(known.view.memory_bytes);
            service.view.cpu_percent = service.view.cpu_percent.or(known.view.cpu_percent);
        }
        *known = service;
    }

    /// How many there are in each phase that one is in; what needs a person comes first.
    pub(crate) fn counts(&self) -> Vec<(&str, usize)> {
        let mut counts: Vec<(&str, usize)> = URGENCY.iter().map(|word| (*word, 0)).collect();
        for service in &self.services {
            let phase = service.view.phase.as_str();
            match counts.iter_mut().find(|(word, _)| *word == phase) {
                Some((_, count)) => *count += 1,
                None => counts.push((phase, 1)),
            }
        }
        counts.retain(|(_, count)| *count > 0);
        counts
    }

    /// What depends on these, however many steps away, and is up; without these themselves, in the project's order.
    pub(crate) fn dependents(&self, ids: &[String]) -> Vec<&str> {
        let mut seen: BTreeSet<&str> = ids.iter().map(String::as_str).collect();
        let mut left: Vec<&str> = seen.iter().copied().collect();
        let mut found = BTreeSet::new();
        while let Some(id) = left.pop() {
            for dependent in self.get(id).into_iter().flat_map(|service| &service.view.needed_by) {
                if seen.insert(dependent) {
                    left.push(dependent);
                    found.extend(self.places.get(dependent.as_str()));
                }
            }
        }
        let services = found.into_iter().filter_map(|at: &usize| self.services.get(*at));
        services.filter(|service| service.is_up()).map(|service| service.id.as_str()).collect()
    }

    /// What all processes use together: share of a core, and memory.
    pub(crate) fn usage(&self) -> (f64, u64) {
        let views = || self.services.iter().map(|service| &service.view);
        (
            views().filter_map(|view| view.cpu_percent).sum(),
            views().filter_map(|view| view.memory_bytes).sum(),
        )
    }
}

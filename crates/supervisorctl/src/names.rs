//! Supervisor's names for instances: `GROUP:NAME`. A service is a group; its instances are the processes in it.

use mainstay_wire::ServiceView;

use crate::fault::{Code, Fault};

/// The instance's id, which is also its process's name: `api`, `api@2`.
pub(crate) fn name(view: &ServiceView) -> String {
    match &view.instance {
        None => view.name.clone(),
        Some(number) => format!("{}@{number}", view.name),
    }
}

/// As supervisor writes it: `api`, `api:api@2`.
pub(crate) fn full_name(view: &ServiceView) -> String {
    match &view.instance {
        None => view.name.clone(),
        Some(_) => format!("{}:{}", view.name, name(view)),
    }
}

/// What a name means.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Chosen<T> {
    /// One process.
    One(T),
    /// Every process of a group: `api:*`, `api:`.
    Group(Vec<T>),
}

/// What `spec` means among these.
///
/// # Errors
/// Nothing.
pub(crate) fn choose(services: &[ServiceView], spec: &str) -> Result<Chosen<ServiceView>, Fault> {
    let (group, process) = spec.split_once(':').unwrap_or((spec, spec));
    let members = group_of(services, group);
    if members.is_empty() {
        return Err(Fault::new(Code::BadName, spec));
    }
    if matches!(process, "" | "*") {
        return Ok(Chosen::Group(members));
    }
    let found = members.into_iter().find(|view| name(view) == process);
    found.map(Chosen::One).ok_or_else(|| Fault::new(Code::BadName, spec))
}

/// The one process that `spec` means.
///
/// # Errors
/// None, or a group.
pub(crate) fn choose_one(services: &[ServiceView], spec: &str) -> Result<ServiceView, Fault> {
    match choose(services, spec)? {
        Chosen::One(view) => Ok(view),
        Chosen::Group(_) => Err(Fault::new(Code::BadName, spec)),
    }
}

/// Every process of this group; none when there is no such group.
pub(crate) fn group_of(services: &[ServiceView], group: &str) -> Vec<ServiceView> {
    services.iter().filter(|view| view.name == group).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::tests::view;

    #[test]
    fn names_mean_what_they_mean_to_supervisor() {
        let services = [view("web", "running"), view("api@1", "running"), view("api@2", "running")];
        let names = |spec: &str| match choose(&services, spec) {
            Ok(Chosen::One(view)) => full_name(&view),
            Ok(Chosen::Group(views)) => views.iter().map(full_name).collect::<Vec<_>>().join(" "),
            Err(fault) => fault.text(),
        };
        let rows = [
            ("web", "web"),
            ("web:web", "web"),
            ("web:*", "web"),
            ("api:*", "api:api@1 api:api@2"),
            ("api:", "api:api@1 api:api@2"),
            ("api:api@2", "api:api@2"),
            ("api", "BAD_NAME: api"),
            ("api@2", "BAD_NAME: api@2"),
            ("api:api@3", "BAD_NAME: api:api@3"),
            ("nope:*", "BAD_NAME: nope:*"),
            ("", "BAD_NAME"),
            (":", "BAD_NAME: :"),
        ];
        for (spec, expected) in rows {
            assert_eq!(names(spec), expected, "{spec}");
        }
    }
}

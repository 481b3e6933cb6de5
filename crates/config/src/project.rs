//! A whole project: from texts to everything that runs, or to everything that is wrong.

use std::{collections::BTreeMap, path::PathBuf};

use mainstay_model::{LogLimits, ServiceName, Spec};

use crate::{
    Code, Inputs, Problems,
    check::Check,
    environment::EnvFiles,
    fingerprint::fingerprint,
    graph,
    layers::{combine, overlay},
    parse::parse,
    report::{Place, Report},
    service::{self, Described},
    shape::{FILE, PROJECT_LIMIT},
    suggest::quoted,
    trail::Trail,
    tree::{Data, Entry, Table, Value},
};

/// The longest name of a project, in characters.
const NAME_LIMIT: usize = 64;

/// A configuration without a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Its name: as given, else the folder's.
    pub name: String,
    /// Where its file lies.
    pub directory: PathBuf,
    /// Every instance of every service, in the order of the file.
    pub specs: Vec<Spec>,
    /// Every `env_file` that was asked for, sorted; optional ones that are missing too.
    pub env_files: Vec<PathBuf>,
    /// What was read, as one number (see [`fingerprint`]).
    pub fingerprint: u64,
}

/// Reads a project.
///
/// # Errors
/// Everything that is wrong, at once. Where a text is no TOML, only that: the rest would be guesses.
pub fn load(inputs: &Inputs<'_>) -> Result<Project, Problems> {
    read(inputs).map(|reading| reading.project)
}

/// Reads a project for `program`, which runs its own services from it: a `use` that names no program means it.
///
/// # Errors
/// As [`load`].
pub fn load_for(inputs: &Inputs<'_>, program: &str) -> Result<Project, Problems> {
    read_scaled(inputs, &BTreeMap::new(), Some(program)).map(|reading| reading.project)
}

/// Reads a project as if its files said these numbers of `instances`. The fingerprint is that of the files as they are.
///
/// # Errors
/// As [`load`]; a number that is out of range has the place of the service, or of what its file says.
pub fn load_scaled(inputs: &Inputs<'_>, instances: &BTreeMap<ServiceName, u32>) -> Result<Project, Problems> {
    read_scaled(inputs, instances, None).map(|reading| reading.project)
}

/// A project, and how it came to be.
pub(crate) struct Reading {
    pub(crate) project: Project,
    pub(crate) trail: Trail,
    /// The texts that places are in; nothing is wrong with them.
    pub(crate) report: Report,
}

/// Reads a project, and notes where everything comes from.
pub(crate) fn read(inputs: &Inputs<'_>) -> Result<Reading, Problems> {
    read_scaled(inputs, &BTreeMap::new(), None)
}

fn read_scaled(
    inputs: &Inputs<'_>,
    instances: &BTreeMap<ServiceName, u32>,
    program: Option<&str>,
) -> Result<Reading, Problems> {
    let (mut report, mut trail) = (Report::default(), Trail::default());
    let mut trees: Vec<Table> = inputs.base.iter().map(|source| parse(source, &mut report)).collect();
    let local = inputs.local.as_ref().map(|source| parse(source, &mut report));
    if trees.is_empty() && local.is_none() {
        report.add_text("mainstay.toml".as_ref(), "");
        trees.push(Table::default());
    }
    if !report.is_empty() {
        return finish(report, None, trail);
    }
    let base = combine(trees, &mut report);
    let mut tree = match local {
        None => base,
        Some(local) => overlay(base, local, &FILE, &mut trail),
    };
    scale(&mut tree, instances);
    let project = whole(tree, inputs, program, &mut report, &mut trail);
    finish(report, project, trail)
}

/// Lets services say these numbers of instances.
fn scale(tree: &mut Table, instances: &BTreeMap<ServiceName, u32>) {
    let Some(Data::Table(services)) = tree.get_mut("service").map(|value| &mut value.data) else { return };
    for entry in &mut services.0 {
        let number = entry.key.parse().ok().and_then(|name: ServiceName| instances.get(&name));
        let (Some(number), Data::Table(service)) = (number, &mut entry.value.data) else { continue };
        let key = service.take_entry("instances").map_or(entry.place.clone(), |said| said.place);
        let value = Value { place: key.clone(), data: Data::Integer(i64::from(*number)) };
        service.0.push(Entry { key: "instances".to_owned(), place: key, value });
    }
}

/// The project, when nothing is wrong.
fn finish(mut report: Report, project: Option<Project>, trail: Trail) -> Result<Reading, Problems> {
    match (project, report.is_empty()) {
        (Some(project), true) => return Ok(Reading { project, trail, report }),
        (None, true) => {
            debug_assert!(false, "what cannot be read has a problem");
            let message = "this configuration cannot be read, and Mainstay cannot say why";
            report.add(Code::InvalidValue, &start(), message, "please report it with the file");
        }
        (_, false) => {}
    }
    Err(report.into_problems())
}

/// Where a problem of no particular place is shown.
fn start() -> Place {
    Place::new(0, 0..0)
}

fn whole(
    tree: Table,
    inputs: &Inputs<'_>,
    program: Option<&str>,
    report: &mut Report,
    trail: &mut Trail,
) -> Option<Project> {
    let named = Named::of(&tree);
    let mut tree = Check { report, variables: inputs.variables, trail }.file(tree);
    let mainstay = tree.take_table("mainstay").unwrap_or_default();
    let defaults = tree.take_table("defaults").unwrap_or_default();
    let services = tree.take_table("service").unwrap_or_default();
    if named.0.is_empty() && report.is_empty() {
        let help = "add one: [service.hello] with command = [\"./hello\"]";
        report.add(Code::NoServices, &start(), "no service is described", help);
    }
    let name = name(&mainstay, inputs, report);
    if !few_enough(&services, report) {
        return None;
    }
    let mut env_files = EnvFiles::new(inputs);
    let mut reader = service::Reader {
        inputs,
        defaults: &defaults,
        named: &named,
        env_files: &mut env_files,
        report,
        trail,
        program,
    };
    let described: Vec<Described> =
        services.0.into_iter().filter_map(|entry| reader.service(entry)).collect();
    graph::check(&described, &named, report);
    let all_services = mainstay.size("log_total");
    (trail.mainstay, trail.defaults) = (mainstay, defaults);
    let specs = described.into_iter().flat_map(|service| service.specs);
    let specs = specs.map(|spec| Spec { log: LogLimits { all_services, ..spec.log }, ..spec }).collect();
    let env_files = env_files.paths();
    let fingerprint = fingerprint(inputs, &env_files);
    Some(Project { name, directory: inputs.directory.clone(), specs, env_files, fingerprint })
}

/// The services that the files name, whether or not they are well described; with whether each says its kind.
pub(crate) struct Named(pub(crate) BTreeMap<String, bool>);

impl Named {
    fn of(tree: &Table) -> Self {
        let services = tree.table("service").map(|services| services.0.as_slice()).unwrap_or_default();
        let says_kind = |data: &Data| match data {
            Data::Table(table) => table.entry("kind").is_some(),
            _ => true,
        };
        Self(services.iter().map(|entry| (entry.key.clone(), says_kind(&entry.value.data))).collect())
    }

    pub(crate) fn says_kind(&self, name: &str) -> bool {
        self.0.get(name).copied().unwrap_or(false)
    }
}

fn name(mainstay: &Table, inputs: &Inputs<'_>, report: &mut Report) -> String {
    if let (Some(name), Some(value)) = (mainstay.text("name"), mainstay.get("name")) {
        let wrong = name.trim().is_empty()
            || name.chars().count() > NAME_LIMIT
            || name.contains(|c: char| c == '/' || c == '\\' || c.is_control());
        if wrong {
            let message = format!("{} cannot be the name of a project", quoted(name));
            let help = format!("1 to {NAME_LIMIT} characters, none of them a slash");
            report.add(Code::InvalidName, &value.place, message, help);
        }
        return name.to_owned();
    }
    let folder = inputs.directory.file_name().map(|name| name.to_string_lossy().into_owned());
    let clean: String =
        folder.unwrap_or_default().chars().filter(|c| !c.is_control()).take(NAME_LIMIT).collect();
    if clean.trim().is_empty() { "mainstay".to_owned() } else { clean }
}

/// Whether all instances together are within the bound.
fn few_enough(services: &Table, report: &mut Report) -> bool {
    let mut total = 0;
    for entry in &services.0 {
        let instances = match &entry.value.data {
            Data::Table(table) => table.integer("instances").unwrap_or(1),
            _ => 1,
        };
        total += usize::try_from(instances).unwrap_or(PROJECT_LIMIT);
        if total > PROJECT_LIMIT {
            let message = format!("with `{}` the project has more than {PROJECT_LIMIT} instances", entry.key);
            report.add(
                Code::OutOfRange,
                &entry.place,
                message,
                "lower `instances`, or split the project in two",
            );
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Source;

    fn load_with(text: &str, instances: &[(&str, u32)]) -> Result<Project, Problems> {
        let source = Source { path: "mainstay.toml".into(), text: text.to_owned() };
        let variables = BTreeMap::new();
        let read = |_: &std::path::Path| Err(std::io::ErrorKind::NotFound.into());
        let inputs = Inputs {
            base: vec![source],
            local: None,
            directory: "/srv/shop".into(),
            variables: &variables,
            read: &read,
        };
        let instances = instances.iter().map(|(name, number)| (name.parse().unwrap(), *number)).collect();
        load_scaled(&inputs, &instances)
    }

    #[test]
    fn other_numbers_of_instances_are_as_if_the_file_said_them() {
        let text = "[service.api]\ncommand = \"./api {instance}\"\ninstances = 3\n[service.db]\ncommand = \"./db\"\n";
        let ids = |project: Project| project.specs.iter().map(|spec| spec.id.to_string()).collect::<Vec<_>>();
        let plain = load_with(text, &[]).unwrap();
        let scaled = load_with(text, &[("api", 1), ("db", 2), ("other", 9)]).unwrap();
        assert_eq!(plain.fingerprint, scaled.fingerprint);
        assert_eq!(ids(plain), ["api@1", "api@2", "api@3", "db"]);
        assert_eq!(ids(scaled), ["api", "db@1", "db@2"]);
        let problems = load_with(text, &[("db", 1_000_000)]).unwrap_err();
        assert_eq!(problems.iter().next().unwrap().line(), 4);
    }
}

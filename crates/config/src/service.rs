//! One service: from a checked table to a `Spec` an instance. Types are right by now; what is checked here is what one
//! value means beside another, and what only shows once `{instance}` is a number.

mod care;
mod instance;
mod made;
mod policy;

use mainstay_model::{Condition, Dependency, Kind, ServiceName, Spec};

use crate::{
    Code, Inputs,
    check::variable_name,
    environment::{EnvFiles, inherited},
    layers::overlay,
    project::Named,
    report::{Place, Report},
    shape::SERVICE,
    suggest::quoted,
    trail::{Traced, Trail},
    tree::{Data, Entry, Table, Value},
};

/// A service and what it needs, for the checks of the whole.
pub(crate) struct Described {
    pub(crate) name: ServiceName,
    /// `None` when the file says a kind that is none.
    pub(crate) kind: Option<Kind>,
    pub(crate) edges: Vec<Edge>,
    pub(crate) specs: Vec<Spec>,
}

/// A dependency as the file says it: there may be no such service.
pub(crate) struct Edge {
    pub(crate) on: String,
    pub(crate) until: Condition,
    pub(crate) restart: bool,
    pub(crate) place: Place,
}

/// What it takes to read services.
pub(crate) struct Reader<'a, 'b> {
    pub(crate) inputs: &'a Inputs<'b>,
    pub(crate) defaults: &'a Table,
    pub(crate) named: &'a Named,
    pub(crate) env_files: &'a mut EnvFiles<'b>,
    pub(crate) report: &'a mut Report,
    pub(crate) trail: &'a mut Trail,
    /// The program that reads the file to run its own services; `None`: Mainstay does.
    pub(crate) program: Option<&'a str>,
}

/// A service's own settings and those of `[defaults]`, merged; `env` and `env_file` stay apart, because a service's
/// `env_file` comes over the defaults' `env`.
struct Layered {
    merged: Table,
    /// What is said of `env_file`, as it is said.
    env_file: Option<Value>,
    environment: [Environment; 2],
}

/// What one layer adds to the environment: its files, then its `env` over them.
struct Environment {
    files: Vec<EnvFile>,
    variables: Vec<Variable>,
}

/// A variable of a table `env`.
struct Variable {
    name: String,
    value: String,
    place: Place,
}

impl Environment {
    fn take_from(table: &mut Table) -> Self {
        Self { files: env_files(table.take("env_file")), variables: env(table.take_table("env")) }
    }
}

/// An `env_file` as the file names it.
struct EnvFile {
    path: String,
    optional: bool,
    place: Place,
}

impl Reader<'_, '_> {
    /// The service; `None` when its name is no name, which is reported already.
    pub(crate) fn service(&mut self, entry: Entry) -> Option<Described> {
        let name: ServiceName = entry.key.parse().ok()?;
        let Data::Table(own) = entry.value.data else { return None };
        let layered = self.layered(own);
        let kind = self.kind(&name, &layered.merged);
        let edges = edges(&layered.merged);
        let specs = match kind {
            None => Vec::new(),
            Some(kind) => self.specs(&name, kind, &layered, &edges, &entry.place),
        };
        let first = specs.first();
        let traced = Traced {
            name: name.as_str().to_owned(),
            env: first.map(|_| self.candidates(&layered)).unwrap_or_default(),
            first: first.cloned(),
            merged: layered.merged,
            env_file: layered.env_file,
        };
        self.trail.services.push(traced);
        Some(Described { name, kind, edges, specs })
    }

    fn layered(&mut self, own: Table) -> Layered {
        let (mut under, mut over) = (self.defaults.clone(), own);
        // An empty list is said as well: it takes the files of the defaults away.
        let replaced = over.entry("env_file").is_some();
        if let (Some(upper), Some(lower)) = (over.get("env_file"), under.entry("env_file")) {
            self.trail.note_replaced(upper, lower);
        }
        let env_file = over.get("env_file").or(under.get("env_file")).cloned();
        let (mut lower, upper) = (Environment::take_from(&mut under), Environment::take_from(&mut over));
        if replaced {
            lower.files.clear();
        }
        let merged = overlay(under, over, &SERVICE, self.trail);
        Layered { merged, env_file, environment: [lower, upper] }
    }

    fn kind(&self, name: &ServiceName, table: &Table) -> Option<Kind> {
        match table.text("kind") {
            Some(word) => [Kind::Permanent, Kind::Oneshot].into_iter().find(|kind| kind.as_str() == word),
            None if self.named.says_kind(name.as_str()) => None,
            None => Some(Kind::Permanent),
        }
    }

    /// One `Spec` an instance; none when the command is missing or wrong, which is reported already.
    fn specs(
        &mut self,
        name: &ServiceName,
        kind: Kind,
        layered: &Layered,
        edges: &[Edge],
        place: &Place,
    ) -> Vec<Spec> {
        let table = &layered.merged;
        let instances = table.integer("instances").and_then(|count| u32::try_from(count).ok()).unwrap_or(1);
        let shared = Shared {
            name,
            kind,
            inherited: inherited(self.inputs.variables, &self.inherited_names(table)),
            made: self.made(table, place),
            runner: made::runner(table),
            depends_on: edges.iter().filter_map(Edge::dependency).collect(),
            restart: self.restart(table, name, kind),
            stop: policy::stop(table),
            log: self.log(table),
            rerun_unknown: table.boolean("rerun_unknown").unwrap_or(false),
            watch: self.watch(table),
            rolling: table.boolean("rolling").unwrap_or(false),
        };
        let mut specs = Vec::new();
        for number in 1..=instances {
            let before = self.report.count();
            specs.extend(self.instance(&shared, layered, number, instances));
            // What is wrong with one instance is wrong with the next in other numbers.
            if self.report.count() > before {
                break;
            }
        }
        specs
    }

    fn inherited_names(&mut self, table: &Table) -> Vec<String> {
        let mut names = self.names_in_config(table);
        for (name, place) in texts(table.list("inherit_env")) {
            if variable_name(name) && !name.contains('*') {
                names.push(name.to_owned());
            } else {
                let message = format!("{} cannot be the name of a variable", quoted(name));
                let help = "name each variable by itself, without `=` and `*`";
                self.report.add(Code::InvalidName, place, message, help);
            }
        }
        names
    }
}

/// What all instances of a service have in common.
struct Shared<'a> {
    name: &'a ServiceName,
    kind: Kind,
    inherited: crate::environment::Variables,
    depends_on: Vec<Dependency>,
    restart: mainstay_model::RestartPolicy,
    stop: mainstay_model::StopPolicy,
    log: mainstay_model::LogLimits,
    rerun_unknown: bool,
    watch: Vec<String>,
    rolling: bool,
    made: Option<made::Made>,
    runner: mainstay_model::Runner,
}

impl Edge {
    /// `None` when no service can have that name.
    fn dependency(&self) -> Option<Dependency> {
        Some(Dependency { on: self.on.parse().ok()?, until: self.until, restart: self.restart })
    }
}

/// `depends_on`, in either form.
fn edges(table: &Table) -> Vec<Edge> {
    let listed = texts(table.list("depends_on")).map(|(on, place)| Edge {
        on: on.to_owned(),
        until: Condition::Ready,
        restart: false,
        place: place.clone(),
    });
    let named = table.table("depends_on").map(|table| table.0.as_slice()).unwrap_or_default();
    let named = named.iter().map(|entry| {
        let empty = Table::default();
        let table = match &entry.value.data {
            Data::Table(table) => table,
            _ => &empty,
        };
        Edge {
            on: entry.key.clone(),
            until: condition(table),
            restart: table.boolean("restart").unwrap_or(false),
            place: entry.place.clone(),
        }
    });
    listed.chain(named).collect()
}

fn condition(table: &Table) -> Condition {
    let word = table.text("until");
    [Condition::Started, Condition::Ready, Condition::Healthy, Condition::Completed]
        .into_iter()
        .find(|condition| Some(condition.as_str()) == word)
        .unwrap_or(Condition::Ready)
}

/// The texts of a list, with their places.
fn texts(list: Option<&[Value]>) -> impl Iterator<Item = (&str, &Place)> {
    list.unwrap_or_default().iter().filter_map(|value| match &value.data {
        Data::Text(text) => Some((text.as_str(), &value.place)),
        _ => None,
    })
}

fn env(table: Option<Table>) -> Vec<Variable> {
    let entries = table.unwrap_or_default().0;
    entries
        .into_iter()
        .filter_map(|entry| match entry.value.data {
            Data::Text(value) => Some(Variable { name: entry.key, value, place: entry.value.place }),
            _ => None,
        })
        .collect()
}

/// `env_file`: one or a list.
fn env_files(value: Option<Value>) -> Vec<EnvFile> {
    let list = match value {
        None => Vec::new(),
        Some(Value { data: Data::List(list), .. }) => list,
        Some(one) => vec![one],
    };
    list.into_iter()
        .filter_map(|value| match value.data {
            Data::Table(table) => Some(EnvFile {
                path: table.text("path")?.to_owned(),
                optional: table.boolean("optional").unwrap_or(false),
                place: table.get("path")?.place.clone(),
            }),
            _ => None,
        })
        .collect()
}

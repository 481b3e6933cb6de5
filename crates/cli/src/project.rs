//! The project's files as services: reads texts and variables, and lets `config` judge them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use mainstay_config::{Inputs, Problems, Source};
use mainstay_decide::{Graph, select};
use mainstay_model::{ServiceId, ServiceName, Spec};
use mainstay_wire::{Request, WireSpec};
use miette::{GraphicalReportHandler, GraphicalTheme};

use crate::{
    exit::Exit,
    failure::Failure,
    output::{Output, Paint},
    places::{ProjectFile, Surroundings, read_text},
    view::excerpt::Excerpt,
};

/// How many names an error lists.
const SHOWN: usize = 10;

/// A project whose files are without fault.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) name: String,
    pub(crate) directory: PathBuf,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) specs: Vec<Spec>,
    pub(crate) fingerprint: String,
}

/// Why there is no project.
#[derive(Debug)]
pub(crate) enum LoadError {
    /// A file cannot be read.
    Unreadable { path: PathBuf, source: io::Error },
    /// They make no project.
    Problems(Problems),
}

/// The files of a project and the variables of the caller, before anything is made of them.
#[derive(Debug)]
pub(crate) struct Texts {
    /// The main file and its additions.
    pub(crate) base: Vec<Source>,
    /// What is laid over them.
    pub(crate) local: Option<Source>,
    directory: PathBuf,
    variables: BTreeMap<String, String>,
}

impl Texts {
    /// Reads them.
    pub(crate) fn read(file: &ProjectFile, surroundings: &Surroundings) -> Result<Self, LoadError> {
        let read = |path: &PathBuf| source(path, &surroundings.directory);
        Ok(Self {
            base: file.base().map(read).collect::<Result<_, _>>()?,
            local: file.local.as_ref().map(read).transpose()?,
            directory: file.directory.clone(),
            variables: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
        })
    }

    /// What a project is made from.
    pub(crate) fn inputs(&self) -> Inputs<'_> {
        Inputs {
            base: self.base.clone(),
            local: self.local.clone(),
            directory: self.directory.clone(),
            variables: &self.variables,
            read: &read_text,
        }
    }
}

/// Reads the files of a project.
pub(crate) fn load(file: &ProjectFile, surroundings: &Surroundings) -> Result<Project, LoadError> {
    load_scaled(file, surroundings, &BTreeMap::new())
}

/// The same with other numbers of instances than they say.
pub(crate) fn load_scaled(
    file: &ProjectFile,
    surroundings: &Surroundings,
    instances: &BTreeMap<ServiceName, u32>,
) -> Result<Project, LoadError> {
    let texts = Texts::read(file, surroundings)?;
    let project = mainstay_config::load_scaled(&texts.inputs(), instances).map_err(LoadError::Problems)?;
    Ok(Project {
        name: project.name,
        directory: project.directory,
        files: file.all().cloned().collect(),
        specs: project.specs,
        fingerprint: format!("{:016x}", project.fingerprint),
    })
}

fn source(path: &Path, directory: &Path) -> Result<Source, LoadError> {
    let bytes = fs::read(path).map_err(|source| LoadError::Unreadable { path: path.to_owned(), source })?;
    Source::from_bytes(shown(path, directory), bytes).map_err(LoadError::Problems)
}

/// A path as short as it can be said in this directory.
pub(crate) fn shown<'a>(path: &'a Path, directory: &Path) -> &'a Path {
    path.strip_prefix(directory).unwrap_or(path)
}

impl LoadError {
    /// Shows the problems, and gives the failure that ends the program.
    pub(crate) fn tell(self, output: &Output) -> Failure {
        match self {
            Self::Unreadable { path, source } => {
                let exit = if source.kind() == io::ErrorKind::PermissionDenied {
                    Exit::NotPermitted
                } else {
                    Exit::InvalidConfiguration
                };
                Failure::new(exit, format!("cannot read {}: {source}", path.display()))
            }
            Self::Problems(problems) => {
                output.error_text(&render(&problems, output.paint_errors));
                Failure::new(Exit::InvalidConfiguration, format!("{problems}; nothing was changed"))
            }
        }
    }
}

/// Every problem with its place, underlined.
pub(crate) fn render(problems: &Problems, paint: Paint) -> String {
    let theme = match paint {
        Paint::Colour => GraphicalTheme::unicode(),
        Paint::Plain => GraphicalTheme::unicode_nocolor(),
    };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(100).with_links(false);
    let mut text = String::new();
    for problem in problems.iter() {
        let rendered = match Excerpt::of(problem) {
            Some(excerpt) => handler.render_report(&mut text, &excerpt),
            None => handler.render_report(&mut text, problem),
        };
        if rendered.is_err() {
            text.push_str(&problem.plain());
        }
        text.push('\n');
    }
    match problems.omitted() {
        0 => {}
        more => text.push_str(&format!("and {more} more\n\n")),
    }
    text
}

impl Project {
    /// The ids of all instances.
    pub(crate) fn ids(&self) -> Vec<ServiceId> {
        self.specs.iter().map(|spec| spec.id.clone()).collect()
    }

    /// How many services there are, instances not counted.
    pub(crate) fn service_count(&self) -> usize {
        self.specs.iter().map(|spec| &spec.id.name).collect::<BTreeSet<_>>().len()
    }

    /// What these patterns mean; all when there are none.
    pub(crate) fn chosen(&self, patterns: &[String]) -> Result<Vec<ServiceId>, Failure> {
        choose(patterns, &self.ids())
    }

    /// What starting these starts: with all that they need.
    pub(crate) fn started_with(&self, patterns: &[String]) -> Result<Vec<ServiceId>, Failure> {
        let chosen = self.chosen(patterns)?;
        let Ok(graph) = Graph::new(&self.specs) else { return Ok(chosen) };
        Ok(graph.with_needs(&chosen.into_iter().collect()).into_iter().collect())
    }

    /// The request that makes the daemon run this.
    pub(crate) fn apply(&self, start: &[String], wait: bool, within_ms: Option<u64>) -> Request {
        Request::Apply {
            project: self.name.clone(),
            dir: self.directory.to_string_lossy().into_owned(),
            files: self.files.iter().map(|path| path.to_string_lossy().into_owned()).collect(),
            fingerprint: self.fingerprint.clone(),
            specs: self.specs.iter().map(WireSpec::from).collect(),
            start: start.to_vec(),
            wait,
            within_ms,
            base: None,
            watch_ms: None,
        }
    }
}

/// What these patterns mean among `ids`, each once, in their order; all when there are none.
pub(crate) fn choose(patterns: &[String], ids: &[ServiceId]) -> Result<Vec<ServiceId>, Failure> {
    if patterns.is_empty() {
        return Ok(ids.to_vec());
    }
    let mut chosen = BTreeSet::new();
    for pattern in patterns {
        let found = select(pattern, ids);
        if found.is_empty() {
            return Err(no_such_service(pattern, ids));
        }
        chosen.extend(found);
    }
    Ok(ids.iter().filter(|id| chosen.contains(id)).cloned().collect())
}

/// No service is called that.
pub(crate) fn no_such_service(pattern: &str, ids: &[ServiceId]) -> Failure {
    let names: BTreeSet<&str> = ids.iter().map(|id| id.name.as_str()).collect();
    let shown: Vec<&str> = names.iter().take(SHOWN).copied().collect();
    let help = match (shown.is_empty(), names.len().saturating_sub(SHOWN)) {
        (true, _) => "the project has no services".to_owned(),
        (false, 0) => format!("there are: {}", shown.join(", ")),
        (false, more) => format!("there are: {} and {more} more", shown.join(", ")),
    };
    Failure::new(Exit::NoSuchService, format!("there is no service `{pattern}`")).with_help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_globs_choose_each_once_and_in_order() {
        let ids: Vec<ServiceId> = ["db", "api@1", "api@2"].map(|id| id.parse().unwrap()).into();
        let chosen = |patterns: &[&str]| {
            let patterns: Vec<String> = patterns.iter().map(|text| (*text).to_owned()).collect();
            choose(&patterns, &ids).map(|ids| ids.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(chosen(&["api", "db", "api@1"]).unwrap(), ["db", "api@1", "api@2"]);
        assert_eq!(chosen(&[]).unwrap().len(), 3);
        let failure = chosen(&["api", "web"]).unwrap_err();
        assert_eq!(failure.exit, Exit::NoSuchService);
        assert_eq!(failure.text, "there is no service `web`");
        assert_eq!(failure.help.as_deref(), Some("there are: api, db"));
    }
}

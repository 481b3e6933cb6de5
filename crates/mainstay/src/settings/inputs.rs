//! Everything that is said of one service's settings, read anew each time: the file, credentials, the environment, arguments.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

use super::{
    ConfigProblem, Explained, FileLayer, Layers, Origin, SettingShape, SettingValues, Source,
    layers::variable_of,
};
use crate::{Registration, body::AnyConfig};

/// Where a service's settings are looked for.
pub(crate) struct Inputs {
    service: String,
    /// Which instance of it: stands for `{instance}`.
    pub(crate) instance: String,
    /// Variables that only this service has; they come over those of the process.
    pub(crate) variables: BTreeMap<String, String>,
    shapes: fn() -> Vec<SettingShape>,
    pub(crate) file: Option<PathBuf>,
    pub(crate) sources: Vec<Box<dyn Source>>,
    /// Settings by name.
    pub(crate) arguments: Vec<(String, String)>,
    /// What calls have changed since the process began; the strongest, as the latest that a person said.
    called: RefCell<BTreeMap<String, toml::Value>>,
}

impl Inputs {
    /// Of a service, which the file calls `name`.
    pub(crate) fn new(registration: &Registration, name: &str, file: Option<PathBuf>) -> Self {
        let shapes = registration.settings;
        Self {
            service: name.to_owned(),
            instance: "1".to_owned(),
            variables: BTreeMap::new(),
            shapes,
            file,
            sources: Vec::new(),
            arguments: Vec::new(),
            called: RefCell::default(),
        }
    }

    /// The type that a file names for a service (`use`).
    pub(crate) fn uses(file: &Path, service: &str) -> Option<String> {
        let texts = [local_of(file), Some(file.to_owned())].into_iter().flatten();
        let uses = |path: PathBuf| FileLayer::uses(&fs::read_to_string(path).ok()?, service);
        texts.filter_map(uses).next()
    }

    /// Replaces variables in a text of the file.
    fn replaced(&self, text: &str) -> Result<String, String> {
        if !text.contains(['$', '{']) {
            return Ok(text.to_owned());
        }
        let own = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let mut variables: BTreeMap<String, String> = env::vars_os().filter_map(own).collect();
        variables.extend(self.variables.clone());
        mainstay_config::replaced(text, &variables, &self.instance).map_err(|words| words.join("; "))
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned().or_else(|| env::var(name).ok())
    }

    /// Reads all of it now.
    pub(crate) fn read(
        &self,
        read: fn(&mut SettingValues) -> Option<AnyConfig>,
    ) -> Result<(AnyConfig, Vec<Explained>), Vec<ConfigProblem>> {
        let layers = self.layers().map_err(|problem| vec![problem])?;
        let mut values = SettingValues::new((self.shapes)(), layers);
        let config = read(&mut values);
        match config {
            Some(config) if values.problems().is_empty() => Ok((config, values.explained().to_vec())),
            Some(_) | None => Err(values.problems().to_vec()),
        }
    }

    /// Changes settings until the process ends, when all is right with them; `None` takes a change back. It holds from the next
    /// reading on, and what that will say is returned.
    pub(crate) fn change(
        &self,
        changes: BTreeMap<String, Option<toml::Value>>,
        read: fn(&mut SettingValues) -> Option<AnyConfig>,
    ) -> Result<Vec<Explained>, Vec<ConfigProblem>> {
        let before = self.called.borrow().clone();
        for (name, value) in changes {
            let mut called = self.called.borrow_mut();
            match value {
                Some(value) => called.insert(name, value),
                None => called.remove(&name),
            };
        }
        let outcome = self.read(read).map(|(_, explained)| explained);
        if outcome.is_err() {
            self.called.replace(before);
        }
        outcome
    }

    fn layers(&self) -> Result<Layers, ConfigProblem> {
        let mut layers = Layers::default();
        let shapes = (self.shapes)();
        if let Some(path) = &self.file {
            for path in [Some(path.clone()), local_of(path)].into_iter().flatten() {
                let text = fs::read_to_string(&path).map_err(|error| ConfigProblem {
                    name: "file".to_owned(),
                    origin: Origin::File { path: path.clone(), line: 1 },
                    text: format!("it cannot be read: {error}"),
                })?;
                layers.add_file(&FileLayer::read(&path, &text, &self.service, &|text| self.replaced(text))?);
            }
        }
        let credentials = env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        for shape in &shapes {
            let path = credentials.as_ref().map(|folder| folder.join(shape.name));
            let text = path.as_ref().and_then(|path| fs::read_to_string(path).ok());
            if let (Some(path), Some(text)) = (path, text) {
                layers.add_text(shape, text.trim_end_matches('\n'), Origin::Credential(path));
            }
        }
        for source in &self.sources {
            layers.add_source(source.as_ref(), &self.service);
        }
        for shape in &shapes {
            let variable = variable_of(&self.service, shape);
            if let Some(text) = self.variable(&variable) {
                layers.add_text(shape, &text, Origin::Environment(variable));
            }
        }
        for (name, text) in &self.arguments {
            if let Some(shape) = shapes.iter().find(|shape| shape.name == name) {
                let origin = Origin::Argument(format!("--{}", name.replace('_', "-")));
                layers.add_text(shape, text, origin);
            }
        }
        for (name, value) in &*self.called.borrow() {
            layers.add_call(name, value);
        }
        Ok(layers)
    }
}

/// What is laid over every file beside it, when it is there.
const LOCAL: &str = "mainstay.local.toml";

/// The local overrides of a file.
pub(crate) fn local_of(file: &Path) -> Option<PathBuf> {
    let local = file.with_file_name(LOCAL);
    (local != file && local.is_file()).then_some(local)
}

/// The settings as a JSON Schema (2020-12).
pub(crate) fn schema(shapes: &[SettingShape]) -> serde_json::Value {
    let property = |shape: &SettingShape| {
        let mut schema = shape.kind.schema.clone();
        if let Some(fields) = schema.as_object_mut() {
            if !shape.help.is_empty() {
                fields.insert("description".to_owned(), shape.help.into());
            }
            let default = shape.default.and_then(super::shape::value_of);
            if let Some(default) = default.and_then(|value| serde_json::to_value(value).ok()) {
                fields.insert("default".to_owned(), default);
            }
        }
        (shape.name.to_owned(), schema)
    };
    let properties: serde_json::Map<_, _> = shapes.iter().map(property).collect();
    let is_required = |shape: &&SettingShape| shape.default.is_none() && !shape.kind.is_optional;
    let required: Vec<&str> = shapes.iter().filter(is_required).map(|shape| shape.name).collect();
    serde_json::json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
        "required": required,
    })
}

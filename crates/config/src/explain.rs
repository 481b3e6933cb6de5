//! Each value of a project with where it comes from, out of what the loader noted. Reads no text a second time.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_model::{Spec, holds_password, names_secret};

use crate::{
    Inputs, Problems,
    key::Key,
    origin::{Explained, Layer, Location, Origin, Overridden, Section},
    project::{Reading, read},
    report::Place,
    said::Said,
    setting::{Fields, Setting, Shape, Support},
    shape::{MAINSTAY, SERVICE},
    trail::{Candidate, CandidateKind, Traced},
    tree::{Data, Entry, Table, Value},
};

/// Each value of the project with where it comes from: `[mainstay]`, `[defaults]`, then each service in the order of the
/// file. Of several instances, those of the first; `{instance}` is left as it is.
///
/// # Errors
/// What is wrong with the project: then nothing is in force.
pub fn explain(inputs: &Inputs<'_>) -> Result<Vec<Explained>, Problems> {
    let reading = read(inputs)?;
    let mut walk = Walk { reading: &reading, inputs, of_defaults: BTreeSet::new(), found: Vec::new() };
    walk.all();
    Ok(walk.found)
}

struct Walk<'a> {
    reading: &'a Reading,
    inputs: &'a Inputs<'a>,
    /// Where the values of `[defaults]` stand, also those that others took the place of.
    of_defaults: BTreeSet<Place>,
    found: Vec<Explained>,
}

/// What becomes of a setting of which nothing is said.
#[derive(Clone, Copy)]
enum Unsaid<'a> {
    /// It is left out.
    LeftOut,
    /// Its default is in force, for the project.
    OfProject,
    /// Its default is in force, for a service.
    Of(Option<&'a Spec>),
}

impl<'a> Walk<'a> {
    fn all(&mut self) {
        let trail = &self.reading.trail;
        self.settings(&Key::of(&["mainstay"]), &MAINSTAY, &trail.mainstay, Unsaid::OfProject);
        self.settings(&Key::of(&["defaults"]), &SERVICE, &trail.defaults, Unsaid::LeftOut);
        self.note_defaults(&trail.defaults);
        for service in &trail.services {
            self.service(service);
        }
    }

    fn note_defaults(&mut self, table: &Table) {
        for Entry { value, .. } in &table.0 {
            match &value.data {
                Data::Table(table) => self.note_defaults(table),
                _ => {
                    let below = self.reading.trail.replaced(&value.place);
                    self.of_defaults.extend(below.iter().map(|entry| entry.value.place.clone()));
                    self.of_defaults.insert(value.place.clone());
                }
            }
        }
    }

    fn service(&mut self, service: &'a Traced) {
        let key = Key::of_service(&service.name);
        for setting in supported(&SERVICE) {
            let below = key.child(setting.key);
            match setting.key {
                "env" => self.environment(&below, service),
                "env_file" => {
                    let unsaid = Unsaid::Of(service.first.as_ref());
                    self.leaf_or_default(below, setting, service.env_file.as_ref(), unsaid);
                }
                _ => {
                    let unsaid = Unsaid::Of(service.first.as_ref());
                    self.setting(below, setting, service.merged.get(setting.key), unsaid);
                }
            }
        }
    }

    fn settings(&mut self, key: &Key, fields: &'static Fields, table: &Table, unsaid: Unsaid<'_>) {
        for setting in supported(fields) {
            let value = table.get(setting.key);
            // Of those that exclude each other, only the one that is said is there.
            if value.is_some() || !fields.one_of.contains(&setting.key) {
                self.setting(key.child(setting.key), setting, value, unsaid);
            }
        }
    }

    fn setting(&mut self, key: Key, setting: &'static Setting, value: Option<&Value>, unsaid: Unsaid<'_>) {
        match (&setting.shape, value.map(|value| &value.data)) {
            (Shape::Table(fields), Some(Data::Table(table))) => self.settings(&key, fields, table, unsaid),
            (Shape::Table(fields), None) if fields.one_of.is_empty() => {
                self.settings(&key, fields, &Table::default(), unsaid);
            }
            (Shape::Map(_, of), Some(Data::Table(table))) => self.map(&key, of, table, unsaid),
            (Shape::Either(shapes), Some(Data::Table(table))) => {
                let map = shapes.iter().find_map(|shape| match shape {
                    Shape::Map(_, of) => Some(of),
                    _ => None,
                });
                match map {
                    Some(of) => self.map(&key, of, table, unsaid),
                    None => self.leaf_or_default(key, setting, value, unsaid),
                }
            }
            _ => self.leaf_or_default(key, setting, value, unsaid),
        }
    }

    fn map(&mut self, key: &Key, of: &'static Shape, table: &Table, unsaid: Unsaid<'_>) {
        for entry in &table.0 {
            let below = key.child(&entry.key);
            match (of, &entry.value.data) {
                (Shape::Table(fields), Data::Table(table)) => self.settings(&below, fields, table, unsaid),
                _ => self.leaf(below, &entry.value),
            }
        }
    }

    fn leaf_or_default(
        &mut self,
        key: Key,
        setting: &'static Setting,
        value: Option<&Value>,
        unsaid: Unsaid<'_>,
    ) {
        match (value, unsaid) {
            (Some(value), _) => self.leaf(key, value),
            (None, Unsaid::LeftOut) => {}
            (None, Unsaid::OfProject) => {
                let name = (setting.key == "name").then(|| Said::text(&self.reading.project.name));
                self.default(key, setting, name);
            }
            (None, Unsaid::Of(first)) => {
                let in_force = first.and_then(|spec| in_force(&key, spec));
                self.default(key, setting, in_force);
            }
        }
    }

    /// A default; where there is neither a value nor a word for it, there is nothing to tell.
    fn default(&mut self, key: Key, setting: &'static Setting, in_force: Option<Said>) {
        let value = in_force.or_else(|| Said::declared(setting.default, &setting.shape));
        if value.is_none() && setting.default.is_empty() {
            return;
        }
        let origin = Origin::Default { words: setting.default };
        self.found.push(Explained {
            key,
            value,
            origin,
            variables: Vec::new(),
            overridden: Vec::new(),
            secret: false,
        });
    }

    fn leaf(&mut self, key: Key, value: &Value) {
        let said = Said::of(value, &self.reading.trail);
        let explained = self.told(key, said, &value.place, &value.place);
        self.found.push(explained);
    }

    /// A value that is said at `place`.
    fn told(&self, key: Key, value: Said, place: &Place, replaced_from: &Place) -> Explained {
        let origin = self.origin(&key, place);
        let variables = self.reading.trail.used(place);
        let secret =
            variables.iter().any(|used| names_secret(&used.name)) || is_secret(&key, &value, &origin);
        let overridden = self.replaced(&key, replaced_from);
        Explained { key, value: Some(value), origin, variables, overridden, secret }
    }

    /// What the value at `place` took the place of in other files and in `[defaults]`.
    fn replaced(&self, key: &Key, place: &Place) -> Vec<Overridden> {
        let replaced = self.reading.trail.replaced(place);
        let overridden = replaced.into_iter().map(|entry| {
            let key = beside(key, &entry.key);
            let value = Said::of(&entry.value, &self.reading.trail);
            // What another file took the place of was never held against its shape.
            let value = match key.shape() {
                Ok(Some(shape)) => value.of_shape(&shape),
                Ok(None) | Err(_) => value,
            };
            let origin = self.origin(&key, &entry.value.place);
            let secret = is_secret(&key, &value, &origin);
            Overridden { key, value, origin, secret }
        });
        overridden.collect()
    }

    /// Every variable of a service: declared ones, and those that are taken over.
    fn environment(&mut self, key: &Key, service: &'a Traced) {
        let none = BTreeMap::new();
        let inherited = service.first.as_ref().map_or(&none, |spec| &spec.inherited);
        let names: BTreeSet<&String> = service.env.keys().chain(inherited.keys()).collect();
        for name in names {
            let key = key.child(name);
            let candidates = service.env.get(name).map(Vec::as_slice).unwrap_or_default();
            let explained = self.variable(key, candidates, inherited.get(name));
            self.found.extend(explained);
        }
    }

    fn variable(&self, key: Key, candidates: &[Candidate], inherited: Option<&String>) -> Option<Explained> {
        let caller = inherited.map(|value| {
            let value = Said::text(value);
            let secret = is_secret(&key, &value, &Origin::Caller);
            Overridden { key: key.clone(), value, origin: Origin::Caller, secret }
        });
        let mut said = candidates.iter().rev().map(|candidate| self.candidate(&key, candidate));
        let Some(mut winner) = said.next() else {
            let Overridden { key, value, origin, secret } = caller?;
            let (variables, overridden) = (Vec::new(), Vec::new());
            return Some(Explained { key, value: Some(value), origin, variables, overridden, secret });
        };
        for Explained { key, value, origin, overridden, secret, .. } in said {
            winner.overridden.extend(value.map(|value| Overridden { key, value, origin, secret }));
            winner.overridden.extend(overridden);
        }
        winner.overridden.extend(caller);
        Some(winner)
    }

    fn candidate(&self, key: &Key, candidate: &Candidate) -> Explained {
        let Candidate { value, place, kind } = candidate;
        match kind {
            CandidateKind::Table => {
                let text = self.reading.trail.text(place).unwrap_or(value);
                self.told(key.clone(), Said::text(text), place, place)
            }
            CandidateKind::File => {
                let origin = Origin::EnvFile { place: self.location(place) };
                Explained {
                    key: key.clone(),
                    value: Some(Said::text(value)),
                    origin,
                    variables: Vec::new(),
                    overridden: Vec::new(),
                    secret: true,
                }
            }
        }
    }

    fn origin(&self, key: &Key, place: &Place) -> Origin {
        let inherited = key.service().is_some() && self.of_defaults.contains(place);
        let section = if inherited { Section::Defaults } else { Section::Own };
        Origin::File { layer: self.layer(place), section, place: self.location(place) }
    }

    fn location(&self, place: &Place) -> Location {
        let (path, line, column) = self.reading.report.locate(place);
        Location { path, line, column }
    }

    /// The loader reads the texts in the order in which they are handed in.
    fn layer(&self, place: &Place) -> Layer {
        match self.inputs.base.get(place.text) {
            None => Layer::Local,
            Some(source) => {
                let folder = source.path.parent().and_then(|folder| folder.file_name());
                let in_folder = folder.is_some_and(|name| name == "conf.d");
                if place.text > 0 || in_folder { Layer::Addition } else { Layer::Main }
            }
        }
    }
}

fn supported(fields: &'static Fields) -> impl Iterator<Item = &'static Setting> {
    fields.settings.iter().filter(|setting| setting.support == Support::Now)
}

/// The key called `name` in the table where `key` is; `key` itself when it is called so.
fn beside(key: &Key, name: &str) -> Key {
    match key.parts() {
        [.., last] if last == name => key.clone(),
        // The whole of a shorter form, of which this one is a part.
        parts if parts.iter().any(|part| part == name) => {
            let end = parts.iter().rposition(|part| part == name).map_or(parts.len(), |at| at + 1);
            Key::of(&parts.iter().take(end).map(String::as_str).collect::<Vec<_>>())
        }
        [above @ .., _] => Key::of(&above.iter().map(String::as_str).chain([name]).collect::<Vec<_>>()),
        [] => key.clone(),
    }
}

/// Defaults that depend on what else is said; all others are what their declaration says.
fn in_force(key: &Key, spec: &Spec) -> Option<Said> {
    let parts: Vec<&str> = key.parts().iter().skip(2).map(String::as_str).collect();
    match parts.as_slice() {
        ["working_dir"] => Some(Said::text(spec.working_dir.display().to_string())),
        ["restart", "policy"] => Some(Said::text(spec.restart.when.as_str())),
        ["restart", "max_delay"] => Some(Said::duration_of(spec.restart.max_delay)),
        ["ready", "timeout"] => spec.ready.as_ref().map(|ready| Said::duration_of(ready.timeout)),
        ["log", "total"] => Some(Said::size_of(spec.log.total)),
        _ => None,
    }
}

fn is_secret(key: &Key, value: &Said, origin: &Origin) -> bool {
    let variable = match key.parts() {
        [.., above, name] if above == "env" || above == "config" => names_secret(name),
        _ => false,
    };
    variable || matches!(origin, Origin::EnvFile { .. }) || holds_password(&value.plain())
}

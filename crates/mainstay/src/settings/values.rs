//! Values become typed settings; what is wrong with them is collected, and where each came from is kept.

use std::{cmp::Ordering, fmt};

use mainstay_config::nearest;

use super::{Layers, Origin, Setting, SettingShape, layers::Said, shape::value_of};

/// Something that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The setting.
    pub name: String,
    /// Where it was said.
    pub origin: Origin,
    /// What is wrong, and what to do.
    pub text: String,
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: `{}`: {}", self.origin, self.name, self.text)
    }
}

/// A setting's value, and where it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// The setting.
    pub name: &'static str,
    /// Its value as a file would have it; `(secret)` of a secret; `None` when it is not set.
    pub value: Option<String>,
    /// Who said it.
    pub origin: Origin,
    /// Who said something else, the strongest first.
    pub overridden: Vec<Origin>,
}

/// The values of a service's settings, before they have a type.
#[derive(Debug, Default)]
pub struct SettingValues {
    shapes: Vec<SettingShape>,
    layers: Layers,
    problems: Vec<ConfigProblem>,
    explained: Vec<Explained>,
}

impl SettingValues {
    pub(crate) fn new(shapes: Vec<SettingShape>, layers: Layers) -> Self {
        let problems = layers.unknown(&shapes).map(|(name, origin)| unknown(name, origin, &shapes)).collect();
        Self { shapes, layers, problems, explained: Vec::new() }
    }

    /// The value of a setting of this name; `None` when there is none, or a wrong one, which is remembered.
    pub fn take<T: Setting>(&mut self, name: &str) -> Option<T> {
        let shape = self.shapes.iter().find(|shape| shape.name == name)?.clone();
        let said: Vec<Said> = self.layers.of(name).cloned().collect();
        let overridden = said.iter().rev().skip(1).map(|said| said.origin.clone()).collect();
        let default =
            || shape.default.and_then(value_of).map(|value| Said { value, origin: Origin::Default });
        let Some(Said { value, origin }) = said.into_iter().next_back().or_else(default) else {
            return self.missing(&shape);
        };
        let shown = if shape.kind.is_secret { "(secret)".to_owned() } else { value.to_string() };
        self.explained.push(Explained {
            name: shape.name,
            value: Some(shown),
            origin: origin.clone(),
            overridden,
        });
        let read = T::read(&value).and_then(|read| within(&shape, &read).map(|()| read));
        read.map_err(|text| {
            let text = match shape.kind.is_secret {
                true => format!("this is not {}", shape.kind.words),
                false => text,
            };
            self.problems.push(ConfigProblem { name: name.to_owned(), origin, text });
        })
        .ok()
    }

    fn missing<T: Setting>(&mut self, shape: &SettingShape) -> Option<T> {
        let missing = T::missing();
        let (name, origin) = (shape.name, Origin::Default);
        if missing.is_none() {
            let text = format!("it has no default, and nobody sets it: it is {}", shape.kind.words);
            self.problems.push(ConfigProblem { name: name.to_owned(), origin: origin.clone(), text });
        }
        self.explained.push(Explained { name, value: None, origin, overridden: Vec::new() });
        missing
    }

    /// What was wrong so far.
    pub fn problems(&self) -> &[ConfigProblem] {
        &self.problems
    }

    /// Where each value that was taken came from.
    pub fn explained(&self) -> &[Explained] {
        &self.explained
    }
}

fn unknown(name: &str, origin: &Origin, shapes: &[SettingShape]) -> ConfigProblem {
    let names = || shapes.iter().map(|shape| shape.name);
    let text = match nearest(name, names()) {
        Some(near) => format!("there is no such setting; did you mean `{near}`?"),
        None if shapes.is_empty() => "there is no such setting: this service has none".to_owned(),
        None => format!("there is no such setting; there are: {}", names().collect::<Vec<_>>().join(", ")),
    };
    ConfigProblem { name: name.to_owned(), origin: origin.clone(), text }
}

fn within<T: Setting>(shape: &SettingShape, read: &T) -> Result<(), String> {
    let Some((least, most)) = shape.bounds else { return Ok(()) };
    let bound = |text| value_of(text).and_then(|value| T::read(&value).ok());
    let is_beyond = |text, side| bound(text).and_then(|bound| read.order(&bound)) == Some(side);
    match () {
        () if is_beyond(least, Ordering::Less) => Err(format!("it is less than {least}, the least")),
        () if is_beyond(most, Ordering::Greater) => Err(format!("it is more than {most}, the most")),
        () => Ok(()),
    }
}

//! The values of the project for those words that read, and one of them as JSON. Prints nothing.

use std::{collections::BTreeSet, path::Path};

use mainstay_config::{Explained, Key, Origin, Said, explain};
use mainstay_model::ServiceId;
use serde_json::{Map, Value, json};

use crate::{
    failure::Failure,
    places::Surroundings,
    project::{self, LoadError, Texts, no_such_service},
    verbs::Context,
};

/// What is said where a value is not for every eye.
pub(super) const HIDDEN: &str = "(hidden; --show-values)";

/// Every value of the project, with where it comes from.
pub(super) struct Values {
    pub(super) all: Vec<Explained>,
}

impl Values {
    pub(super) fn read(context: &Context<'_>) -> Result<Self, Failure> {
        let places = context.places()?;
        let file = places.require_file(&context.surroundings)?;
        let texts = Texts::read(file, &context.surroundings).map_err(|error| error.tell(context.output))?;
        let values = Self::of(&texts, &context.surroundings);
        values.map_err(|error| error.tell(context.output))
    }

    pub(super) fn of(texts: &Texts, surroundings: &Surroundings) -> Result<Self, LoadError> {
        let mut all = explain(&texts.inputs()).map_err(LoadError::Problems)?;
        for one in &mut all {
            shorten(&mut one.origin, &surroundings.directory);
            for other in &mut one.overridden {
                shorten(&mut other.origin, &surroundings.directory);
            }
        }
        Ok(Self { all })
    }

    pub(super) fn services(&self) -> BTreeSet<&str> {
        self.all.iter().filter_map(|one| one.key.service()).collect()
    }

    /// Whether there is such a setting, and such a service.
    pub(super) fn check(&self, key: &Key) -> Result<(), Failure> {
        match (key.check(), key.parts().first()) {
            (Ok(()), _) => {}
            (Err(error), Some(first)) if self.services().contains(first.as_str()) => {
                let failure = Failure::from(error);
                return Err(failure.with_help(format!("did you mean `service.{key}`?")));
            }
            (Err(error), _) => return Err(error.into()),
        }
        match key.service() {
            Some(name) if !key.is_glob() && !self.services().contains(name) => {
                Err(no_service(name, &self.services()))
            }
            _ => Ok(()),
        }
    }
}

/// No service is called that.
pub(super) fn no_service(name: &str, services: &BTreeSet<&str>) -> Failure {
    let ids: Vec<ServiceId> = services.iter().filter_map(|name| name.parse().ok()).collect();
    no_such_service(name, &ids)
}

/// Files are named as short as it can be done here.
fn shorten(origin: &mut Origin, directory: &Path) {
    if let Origin::File { place, .. } | Origin::EnvFile { place } = origin {
        place.path = project::shown(&place.path, directory).to_owned();
    }
}

/// A value with its type. What is hidden is absent.
pub(super) fn typed(value: Option<&Said>, hidden: bool) -> Map<String, Value> {
    let mut object = Map::new();
    let shown = value.filter(|_| !hidden);
    object.insert("type".to_owned(), json!(value.map(Said::kind)));
    object.insert("value".to_owned(), json!(shown.map(Said::json)));
    if let Some(span) = shown.and_then(Said::duration) {
        object.insert("value_ms".to_owned(), json!(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)));
    }
    if let Some(size) = shown.and_then(Said::size) {
        object.insert("value_bytes".to_owned(), json!(size.0));
    }
    if hidden {
        object.insert("hidden".to_owned(), json!(true));
    }
    object
}

/// Where a value comes from.
pub(super) fn origin(origin: &Origin) -> Value {
    let mut object = Map::new();
    object.insert("kind".to_owned(), json!(origin.kind()));
    if let Origin::Default { words } = origin {
        object.insert("text".to_owned(), json!(words));
    }
    if let Origin::File { layer, section, .. } = origin {
        object.insert("layer".to_owned(), json!(layer.as_str()));
        object.insert("section".to_owned(), json!(section.as_str()));
    }
    if let Some(place) = origin.place() {
        object.insert("file".to_owned(), json!(place.path.display().to_string()));
        object.insert("line".to_owned(), json!(place.line));
        object.insert("column".to_owned(), json!(place.column));
    }
    Value::Object(object)
}

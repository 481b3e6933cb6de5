//! What `#[calls]` writes down of a method, and how its arguments are read. It knows no socket.

use std::{
    any::{Any, TypeId},
    collections::{BTreeMap, BTreeSet},
    future::Future,
    pin::Pin,
};

use mainstay_config::nearest;
use mainstay_wire::{ArgumentView, CallError, CallErrorCode, MethodView};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{Context, Error};

inventory::collect!(CallSet);

/// The methods of one block of one service.
pub struct CallSet {
    /// The service's type.
    pub service: fn() -> TypeId,
    /// In the order of the source.
    pub methods: &'static [Method],
}

/// A method that can be called.
pub struct Method {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub help: &'static str,
    /// What it takes.
    pub arguments: &'static [Argument],
    /// Whether it may change something.
    pub changes: bool,
    /// How it is called.
    pub callee: Callee,
}

/// An argument of a method.
pub struct Argument {
    /// Its name.
    pub name: &'static str,
    /// Its word in JSON.
    pub kind: &'static str,
    /// Whether it must be there.
    pub is_required: bool,
}

/// What becomes of a call.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Result<Value, CallError>> + 'a>>;

/// How a method is called.
#[derive(Clone, Copy)]
pub enum Callee {
    /// With the service, when it has a moment.
    WithService(for<'a> fn(&'a mut dyn Any, &'a Context, Arguments) -> Answering<'a>),
    /// Beside it.
    Beside(for<'a> fn(&'a Context, Arguments) -> Answering<'a>),
}

impl CallSet {
    /// Every method of a service, in the order of their names.
    pub(super) fn of(service: TypeId) -> Vec<&'static Method> {
        let own = inventory::iter::<Self>().filter(|set| (set.service)() == service);
        let mut methods: Vec<&Method> = own.flat_map(|set| set.methods).collect();
        methods.sort_by_key(|method| method.name);
        methods
    }
}

impl Method {
    pub(super) fn view(&self) -> MethodView {
        let argument = |argument: &Argument| ArgumentView {
            name: argument.name.to_owned(),
            r#type: argument.kind.to_owned(),
            required: argument.is_required,
        };
        MethodView {
            name: self.name.to_owned(),
            help: self.help.to_owned(),
            arguments: self.arguments.iter().map(argument).collect(),
            changes: self.changes,
        }
    }
}

/// The arguments of one call, before they have types.
#[derive(Debug)]
pub struct Arguments {
    given: BTreeMap<String, Value>,
    known: BTreeSet<&'static str>,
    problems: Vec<String>,
}

impl Arguments {
    pub(super) fn new(given: BTreeMap<String, Value>) -> Self {
        Self { given, known: BTreeSet::new(), problems: Vec::new() }
    }

    /// The argument of this name; `None` when it is wrong, which is remembered.
    pub fn take<T: DeserializeOwned>(&mut self, name: &'static str) -> Option<T> {
        self.known.insert(name);
        let given = self.given.remove(name);
        let is_missing = given.is_none();
        // What may be `null` may be left out.
        serde_json::from_value(given.unwrap_or_default())
            .map_err(|error| {
                self.problems.push(match is_missing {
                    true => format!("`{name}` is missing"),
                    false => format!("`{name}`: {error}"),
                });
            })
            .ok()
    }

    /// All have been taken.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn finish(&mut self) -> Result<(), CallError> {
        for name in self.given.keys() {
            self.problems.push(match nearest(name, self.known.iter().copied()) {
                Some(near) => format!("there is no argument `{name}`; did you mean `{near}`?"),
                None if self.known.is_empty() => format!("there is no argument `{name}`: it takes none"),
                None => format!(
                    "there is no argument `{name}`; there are: {}",
                    self.known.iter().copied().collect::<Vec<_>>().join(", ")
                ),
            });
        }
        match self.problems.is_empty() {
            true => Ok(()),
            false => Err(CallError::new(CallErrorCode::BadArguments, self.problems.join("; "))),
        }
    }
}

/// An argument that [`Arguments::finish`] has nothing against.
///
/// # Errors
/// None, after that.
pub fn read<T>(taken: Option<T>) -> Result<T, CallError> {
    taken.ok_or_else(|| CallError::new(CallErrorCode::BadArguments, "an argument is missing"))
}

/// The service, with its type.
///
/// # Errors
/// It is another one.
pub fn service_of<T: 'static>(service: &mut dyn Any) -> Result<&mut T, CallError> {
    service
        .downcast_mut()
        .ok_or_else(|| CallError::new(CallErrorCode::Failed, "this is a method of another service"))
}

/// What a method returned, for its caller.
///
/// # Errors
/// It failed, or what it returned is no JSON.
pub fn answer<T: Serialize, E: Into<Error>>(returned: Result<T, E>) -> Result<Value, CallError> {
    let failed = |text: String| CallError::new(CallErrorCode::Failed, text);
    let value = returned.map_err(|error| failed(error.into().to_string()))?;
    serde_json::to_value(value)
        .map_err(|error| failed(format!("its answer cannot be written as JSON: {error}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn arguments(given: Value) -> Arguments {
        Arguments::new(serde_json::from_value(given).unwrap())
    }

    #[test]
    fn what_may_be_absent_may_be_left_out_and_all_that_is_wrong_is_told() {
        let mut right = arguments(json!({ "name": "Ada" }));
        assert_eq!(right.take::<String>("name").as_deref(), Some("Ada"));
        assert_eq!(right.take::<Option<u32>>("times"), Some(None));
        assert!(right.finish().is_ok());

        let mut wrong = arguments(json!({ "names": "Ada", "times": "three" }));
        assert_eq!((wrong.take::<String>("name"), wrong.take::<u32>("times")), (None, None));
        let error = wrong.finish().unwrap_err();
        assert_eq!(error.code, CallErrorCode::BadArguments);
        for words in ["`name` is missing", "`times`: invalid type", "did you mean `name`?"] {
            assert!(error.text.contains(words), "{}", error.text);
        }
    }
}

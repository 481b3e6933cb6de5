//! `mainstay config explain`.

use clap::Args;
use mainstay_config::{Explained, Key, Overridden, UsedBy};
use mainstay_decide::glob_matches;
use mainstay_wire::SCHEMA_VERSION;
use serde_json::{Value, json};

use super::values::{HIDDEN, Values, no_service, origin, typed};
use crate::{
    exit::Exit,
    failure::Failure,
    output::Form,
    verbs::Context,
    view::{self, origins::Row},
};

/// Where each value comes from, and what it takes the place of
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Explain {
    /// A service, or a key; without it, all that is said, of all services
    #[arg(value_name = "KEY|SERVICE")]
    what: Option<String>,

    /// Without a key: defaults and inherited variables as well
    #[arg(long)]
    all: bool,

    /// Also show what looks like a secret, or comes from an `env_file`
    #[arg(long)]
    show_values: bool,
}

const EXAMPLES: &str = "\
Examples:
  mainstay config explain
  mainstay config explain api
  mainstay config explain service.api.env";

impl Explain {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        let values = Values::read(context)?;
        let found: Vec<&Explained> = match &self.what {
            Some(what) => {
                let key = meant(what, &values)?;
                values.all.iter().filter(|one| key.covers(&one.key, glob_matches)).collect()
            }
            None => values.all.iter().filter(|one| self.all || one.origin.place().is_some()).collect(),
        };
        if let (Some(what), true) = (&self.what, found.is_empty()) {
            let text = format!("`{what}` is not set, and has no default");
            return Err(Failure::new(Exit::Failed, text));
        }
        let output = context.output;
        match output.form() {
            Form::Json => {
                let values: Vec<Value> = found.iter().map(|one| self.object(one)).collect();
                output.json(&json!({ "schema_version": SCHEMA_VERSION, "values": values }));
            }
            Form::Text => {
                let rows: Vec<Row> = found.iter().flat_map(|one| self.rows(one)).collect();
                output.print(&view::origins::render(&rows, output.width, output.paint));
                if self.what.is_none() && !self.all {
                    output.note("note: without defaults and inherited variables; `--all` shows them");
                }
            }
        }
        Ok(Exit::Done)
    }

    fn rows(&self, one: &Explained) -> Vec<Row> {
        let mut from = one.origin.to_string();
        for used in &one.variables {
            let by = match used.by {
                UsedBy::Value => "",
                UsedBy::Fallback => " (not set: its default)",
            };
            from.push_str(&format!(", ${{{}}}{by}", used.name));
        }
        let value = match &one.value {
            Some(_) if self.hides(one.secret) => HIDDEN.to_owned(),
            Some(value) => value.toml(),
            None => "-".to_owned(),
        };
        let (section, key) = view::origins::split(&one.key);
        let mut rows = vec![Row { section: section.clone(), key, value, origin: from, over: false }];
        rows.extend(one.overridden.iter().map(|other| {
            let key = if other.key == one.key { String::new() } else { view::origins::split(&other.key).1 };
            let value = if self.hides(other.secret) { HIDDEN.to_owned() } else { other.value.toml() };
            Row { section: section.clone(), key, value, origin: other.origin.to_string(), over: true }
        }));
        rows
    }

    fn object(&self, one: &Explained) -> Value {
        let mut object = typed(one.value.as_ref(), self.hides(one.secret));
        let variable = |used: &mainstay_config::Used| {
            let by = match used.by {
                UsedBy::Value => "value",
                UsedBy::Fallback => "default",
            };
            json!({ "name": used.name, "by": by })
        };
        let overridden = |other: &Overridden| {
            let mut object = typed(Some(&other.value), self.hides(other.secret));
            object.insert("key".to_owned(), json!(other.key.to_string()));
            object.insert("origin".to_owned(), origin(&other.origin));
            Value::Object(object)
        };
        object.insert("key".to_owned(), json!(one.key.to_string()));
        object.insert("origin".to_owned(), origin(&one.origin));
        object.insert("variables".to_owned(), one.variables.iter().map(variable).collect());
        object.insert("overridden".to_owned(), one.overridden.iter().map(overridden).collect());
        Value::Object(object)
    }

    fn hides(&self, secret: bool) -> bool {
        secret && !self.show_values
    }
}

/// A service by its name or by a glob, else a key.
fn meant(what: &str, values: &Values) -> Result<Key, Failure> {
    const SECTIONS: [&str; 3] = ["mainstay", "defaults", "service"];
    let services = values.services();
    if !SECTIONS.contains(&what) && services.iter().any(|name| glob_matches(what, name)) {
        return Ok(Key::of_service(what));
    }
    let key: Key = what.parse()?;
    match key.parts() {
        [only] if !SECTIONS.contains(&only.as_str()) => Err(no_service(what, &services)),
        _ => values.check(&key).map(|()| key),
    }
}

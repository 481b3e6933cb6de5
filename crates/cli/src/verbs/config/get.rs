//! `mainstay config get`.

use clap::Args;
use mainstay_config::{Explained, Key, Origin, Said};
use mainstay_decide::glob_matches;
use mainstay_wire::SCHEMA_VERSION;
use serde_json::{Map, Value, json};

use super::{
    key,
    values::{HIDDEN, Values, typed},
};
use crate::{
    exit::Exit,
    failure::Failure,
    output::{Form, Output},
    verbs::Context,
};

/// Prints what is in force: one value, those of a table, or those that a glob means
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Get {
    /// Where the value hangs; a name with dots stands in quotes
    #[arg(value_name = "KEY", value_parser = key)]
    key: Key,

    /// Also show what looks like a secret where more than one value is asked for
    #[arg(long)]
    show_values: bool,
}

const EXAMPLES: &str = "\
Examples:
  mainstay config get service.api.restart.delay
  mainstay config get defaults.restart
  mainstay config get 'service.*.user'";

impl Get {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        let values = Values::read(context)?;
        values.check(&self.key)?;
        let covered = values.all.iter().filter(|one| self.key.covers(&one.key, glob_matches));
        let found: Vec<&Explained> = covered.collect();
        if found.iter().all(|one| one.value.is_none()) {
            return Err(self.not_set(&found, &values));
        }
        match found.as_slice() {
            [one] if one.key == self.key => self.one(one, context.output),
            _ if self.key.is_glob() => self.several(&found, context.output),
            _ => self.table(&found, context.output),
        }
        Ok(Exit::Done)
    }

    fn one(&self, one: &Explained, output: &Output) {
        match output.form() {
            Form::Text => output.line(&one.value.as_ref().map(Said::plain).unwrap_or_default()),
            Form::Json => {
                let mut object = self.object(&one.key);
                object.append(&mut typed(one.value.as_ref(), false));
                output.json(&object);
            }
        }
    }

    /// As the lines of a table, which TOML reads back.
    fn table(&self, found: &[&Explained], output: &Output) {
        let entries = found
            .iter()
            .filter_map(|one| Some((one.key.relative_to(&self.key)?, one.value.as_ref()?, self.hides(one))));
        match output.form() {
            Form::Text => entries.for_each(|(key, value, hidden)| output.line(&line(&key, value, hidden))),
            Form::Json => {
                let mut whole = Map::new();
                for (key, value, hidden) in entries {
                    let value = if hidden { Value::Null } else { value.json() };
                    put(&mut whole, key.parts(), value);
                }
                let mut object = self.object(&self.key);
                object.insert("type".to_owned(), json!("table"));
                object.insert("value".to_owned(), Value::Object(whole));
                output.json(&object);
            }
        }
    }

    fn several(&self, found: &[&Explained], output: &Output) {
        match output.form() {
            Form::Text => {
                for one in found {
                    if let Some(value) = &one.value {
                        output.line(&line(&one.key, value, self.hides(one)));
                    }
                }
            }
            Form::Json => {
                let value = |one: &&Explained| {
                    let mut object = Map::from_iter([("key".to_owned(), json!(one.key.to_string()))]);
                    object.append(&mut typed(one.value.as_ref(), self.hides(one)));
                    Value::Object(object)
                };
                let values: Vec<Value> = found.iter().map(value).collect();
                output.json(&json!({ "schema_version": SCHEMA_VERSION, "values": values }));
            }
        }
    }

    fn object(&self, key: &Key) -> Map<String, Value> {
        Map::from_iter([
            ("schema_version".to_owned(), json!(SCHEMA_VERSION)),
            ("key".to_owned(), json!(key.to_string())),
        ])
    }

    fn hides(&self, one: &Explained) -> bool {
        one.secret && !self.show_values
    }

    fn not_set(&self, found: &[&Explained], values: &Values) -> Failure {
        let key = &self.key;
        let above = values.all.iter().find(|one| key.relative_to(&one.key).is_some());
        if let Some((above, said)) = above.and_then(|one| Some((&one.key, one.value.as_ref()?))) {
            let text = format!("`{above}` is one value here, and nothing is below it");
            return Failure::new(Exit::Failed, text).with_help(format!("it is {}", said.toml()));
        }
        match found {
            [Explained { origin: Origin::Default { words }, .. }] => {
                let text = format!("`{key}` is not set, and its default is no value");
                Failure::new(Exit::Failed, text).with_help(format!("the default is: {words}"))
            }
            _ if key.is_glob() => {
                Failure::new(Exit::Failed, format!("nothing that is set is called `{key}`"))
            }
            _ => Failure::new(Exit::Failed, format!("`{key}` is not set, and has no default")),
        }
    }
}

/// A value that is hidden is a comment: what is printed stays TOML.
fn line(key: &Key, value: &Said, hidden: bool) -> String {
    if hidden { format!("# {key} = {HIDDEN}") } else { format!("{key} = {}", value.toml()) }
}

/// Puts a value into tables within tables.
fn put(table: &mut Map<String, Value>, parts: &[String], value: Value) {
    let Some((first, rest)) = parts.split_first() else { return };
    if rest.is_empty() {
        table.insert(first.clone(), value);
        return;
    }
    let below = table.entry(first.clone()).or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(below) = below {
        put(below, rest, value);
    }
}

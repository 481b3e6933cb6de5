//! Changes one value in the text of a file, and leaves everything else as a person wrote it: comments, order, spaces.
//! Whether the result is a right configuration is not judged here; the loader does.

mod comments;
mod remove;
mod style;

use thiserror::Error;
use toml_edit::{Document, DocumentMut, InlineTable, Item, TableLike, Value};

use crate::{
    key::{Key, KeyError, child},
    setting::Shape,
    tree::{self, Data},
};

pub use remove::unset;
use style::Style;

/// A text with one value changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// The whole of it.
    pub text: String,
    /// What was changed: `service.api.restart.policy`, where `service.api.restart` stands for it.
    pub key: Key,
    /// What stood there, in TOML on one line; `None` when the text did not say it.
    pub before: Option<String>,
    /// What stands there now.
    pub after: Option<String>,
    /// The line of the change, from 1; of what was taken out, where it stood.
    pub line: usize,
}

/// Why a text is not changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EditError {
    /// No setting is called that.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A key with `*` or `?`.
    #[error("`{0}` is not one value")]
    Glob(Key),
    /// A whole service, or `[service]` itself.
    #[error("`{0}` is no single setting")]
    Whole(Key),
    /// The text is no TOML.
    #[error("the file is no TOML")]
    Syntax,
    /// A list or a text stands where a table would have to.
    #[error("`{0}` is no table in the file")]
    NoTable(Key),
    /// It is not in the text.
    #[error("`{0}` is not said in the file")]
    NotSaid(Key),
    /// A comment stands inside of what would be replaced or taken out.
    #[error("the comment `{0}` would be lost")]
    LosesComment(String),
}

impl EditError {
    /// What a person can do about it: one line.
    pub fn help(&self) -> String {
        match self {
            Self::Key(error) => error.help.clone(),
            Self::Glob(_) => "name each value by itself".to_owned(),
            Self::Whole(key) => match key.service() {
                Some(name) => format!("name a setting: `{}.user`", Key::of_service(name)),
                None => "name a setting: `service.NAME.user`".to_owned(),
            },
            Self::Syntax => "`mainstay check` says where".to_owned(),
            Self::NoTable(key) => format!("set `{key}` as a whole"),
            Self::NotSaid(_) => "`mainstay config explain` says where each value comes from".to_owned(),
            Self::LosesComment(_) => "edit the file by hand there".to_owned(),
        }
    }
}

/// Sets a value. `value` is TOML when it reads as such and fits, else it is a text.
///
/// # Errors
/// The key is none, or the text leaves no room for it.
pub fn set(text: &str, key: &Key, value: &str) -> Result<Edited, EditError> {
    let shape = checked(key)?;
    let value = meant(value, shape.as_ref());
    let mut document: DocumentMut = text.parse().map_err(|_| EditError::Syntax)?;
    let style = Style::of(&document, key);
    let mut put = Put { style, key: Key::of(&[]), before: None };
    put.at(document.as_item_mut(), key.parts(), &Shape::Table(&crate::shape::FILE), value)?;
    let edited = as_it_was(text, &document.to_string());
    if let Some(lost) = comments::lost(text, &edited, comments::Which::All) {
        return Err(EditError::LosesComment(lost));
    }
    let (line, after) = found(&edited, &put.key).unwrap_or_default();
    Ok(Edited { text: edited, key: put.key, before: put.before, after: Some(after), line })
}

/// How many parts of the key the text has: a text that has more of them is the place for the rest.
pub fn depth(text: &str, key: &Key) -> usize {
    let Ok(document) = Document::parse(text) else { return 0 };
    let mut at = document.as_item();
    for (depth, part) in key.parts().iter().enumerate() {
        match at.as_table_like().and_then(|table| table.get(part)) {
            Some(item) => at = item,
            None => return depth,
        }
    }
    key.parts().len()
}

/// The shape of one setting.
fn checked(key: &Key) -> Result<Option<Shape>, EditError> {
    if key.is_glob() {
        return Err(EditError::Glob(key.clone()));
    }
    let shape = key.shape()?;
    match key.parts() {
        [first] if first == "service" => Err(EditError::Whole(key.clone())),
        [first, _] if first == "service" => Err(EditError::Whole(key.clone())),
        [_] => Err(EditError::Whole(key.clone())),
        _ => Ok(shape),
    }
}

/// The value that a person means.
fn meant(text: &str, shape: Option<&Shape>) -> Value {
    let accepts = |data: &Data| shape.is_none_or(|shape| shape.accepts(data));
    let parsed: Option<Value> = text.trim().parse().ok();
    // Nothing of it was taken for a comment.
    let parsed = parsed.filter(|value| value.to_string().trim() == text.trim());
    let value = match parsed {
        Some(value) if accepts(&sample(&value)) || !accepts(&Data::Text(String::new())) => value,
        _ => Value::from(text),
    };
    // On one line, so that no end of a line in it depends on the file.
    match value.as_str().filter(|text| text.contains(['\n', '\r'])) {
        Some(text) => crate::said::quoted(text).parse().unwrap_or(value),
        None => value,
    }
}

/// A value of the same type.
fn sample(value: &Value) -> Data {
    match value {
        Value::String(_) => Data::Text(String::new()),
        Value::Integer(number) => Data::Integer(*number.value()),
        Value::Float(number) => Data::Float(*number.value()),
        Value::Boolean(boolean) => Data::Boolean(*boolean.value()),
        Value::Datetime(_) => Data::Strange("a date or time"),
        Value::Array(_) => Data::List(Vec::new()),
        Value::InlineTable(_) => Data::Table(tree::Table::default()),
    }
}

/// Puts a value into a document.
struct Put {
    style: Style,
    /// How far it came.
    key: Key,
    before: Option<String>,
}

impl Put {
    /// Into the table `table`.
    fn at(
        &mut self,
        table: &mut Item,
        parts: &[String],
        shape: &Shape,
        value: Value,
    ) -> Result<(), EditError> {
        let Some((part, rest)) = parts.split_first() else { return Ok(()) };
        let Some(shape) = child(shape, part) else { return Err(EditError::NoTable(self.key.clone())) };
        self.key = self.key.child(part);
        if !rest.is_empty() {
            return self.below(table, part, rest, &shape, value);
        }
        match inside(table, part) {
            None => {
                style::insert(table, part, Item::Value(value));
                Ok(())
            }
            Some(item) => {
                let short = spelled(&shape, &value).filter(|_| item.is_table_like());
                match (short, &value, item.is_table_like()) {
                    (Some(short), ..) => self.at(item, &[short.to_owned()], &shape, value),
                    (None, Value::InlineTable(new), true) => self.replace(item, new, &shape),
                    _ => {
                        self.over(table, part, value);
                        Ok(())
                    }
                }
            }
        }
    }

    /// The rest of the way, into the table `part`, which is made where there is none.
    fn below(
        &mut self,
        table: &mut Item,
        part: &str,
        rest: &[String],
        shape: &Shape,
        value: Value,
    ) -> Result<(), EditError> {
        if inside(table, part).is_none() {
            let new = self.style.table(&self.key, table);
            style::insert(table, part, new);
        }
        let no_table = EditError::NoTable(self.key.clone());
        let Some(item) = inside(table, part) else { return Err(no_table) };
        if let Item::Value(old) = item
            && !old.is_inline_table()
        {
            let Some(short) = spelled(shape, old) else { return Err(no_table) };
            *old = style::wrapped(short, old);
        }
        if item.is_table_like() { self.at(item, rest, shape, value) } else { Err(no_table) }
    }

    /// A new table over an old one, key by key, so that comments stay.
    fn replace(&mut self, item: &mut Item, new: &InlineTable, shape: &Shape) -> Result<(), EditError> {
        let Some(old) = item.as_table_like() else { return Ok(()) };
        let (key, before) = (self.key.clone(), one_line(old));
        let keys = old.iter().map(|(key, _)| key.to_owned());
        let gone: Vec<String> = keys.filter(|key| !new.contains_key(key)).collect();
        for (part, value) in new {
            self.key = key.clone();
            let mut value = value.clone();
            value.decor_mut().clear();
            self.at(item, &[part.to_owned()], shape, value)?;
        }
        gone.iter().for_each(|key| style::remove(item, key));
        (self.key, self.before) = (key, Some(before));
        Ok(())
    }

    /// One value in place of another, with what stands around it.
    fn over(&mut self, table: &mut Item, part: &str, mut value: Value) {
        match inside(table, part) {
            Some(Item::Value(old)) => {
                self.before = Some(one_line_value(old));
                *value.decor_mut() = old.decor().clone();
                *old = value;
            }
            Some(item) => {
                self.before = Some(one_line_item(item));
                style::remove(table, part);
                style::insert(table, part, Item::Value(value));
            }
            None => {}
        }
    }
}

/// What is called `part` in a table.
fn inside<'a>(table: &'a mut Item, part: &str) -> Option<&'a mut Item> {
    table.as_table_like_mut()?.get_mut(part)
}

/// The key that a single value stands for, in place of this table.
fn spelled(shape: &Shape, value: &Value) -> Option<&'static str> {
    let Shape::Table(fields) = shape else { return None };
    let (short, of) = fields.short()?;
    of.accepts(&sample(value)).then_some(short)
}

/// A table on one line, without its comments.
fn one_line(table: &dyn TableLike) -> String {
    let entries =
        table.iter().map(|(key, item)| format!("{} = {}", crate::key::quoted_part(key), one_line_item(item)));
    let entries: Vec<String> = entries.collect();
    if entries.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", entries.join(", ")) }
}

/// Whatever stands there, on one line.
fn one_line_item(item: &Item) -> String {
    match item {
        Item::Value(value) => one_line_value(value),
        Item::Table(table) => one_line(table),
        Item::ArrayOfTables(tables) => {
            let tables: Vec<String> = tables.iter().map(|table| one_line(table)).collect();
            format!("[{}]", tables.join(", "))
        }
        Item::None => String::new(),
    }
}

fn one_line_value(value: &Value) -> String {
    match value {
        Value::InlineTable(table) => one_line(table),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(one_line_value).collect::<Vec<_>>().join(", "))
        }
        Value::String(text) => crate::said::quoted(text.value()),
        plain => plain.to_string().trim().to_owned(),
    }
}

/// The line of a key, and its value on one line.
fn found(text: &str, key: &Key) -> Option<(usize, String)> {
    let document = Document::parse(text).ok()?;
    let mut at = document.as_item();
    for part in key.parts() {
        at = at.as_table_like()?.get(part)?;
    }
    Some((line_of(text, at.span()?.start), one_line_item(at)))
}

fn line_of(text: &str, offset: usize) -> usize {
    text.get(..offset).unwrap_or_default().matches('\n').count() + 1
}

/// The new text with the line ends of the old one: lines that are the same but for them are taken from it, and those
/// between have the ones of its first line. Without an end of the last line where it had none.
fn as_it_was(old: &str, new: &str) -> String {
    fn bare(line: &&str) -> String {
        line.trim_end_matches(['\n', '\r']).to_owned()
    }
    let (old_lines, new_lines): (Vec<&str>, Vec<&str>) =
        (old.split_inclusive('\n').collect(), new.split_inclusive('\n').collect());
    let same = |(one, other): &(&&str, &&str)| bare(one) == bare(other);
    let most = old_lines.len().min(new_lines.len());
    let before = old_lines.iter().zip(&new_lines).take_while(same).count();
    let after =
        old_lines.iter().rev().zip(new_lines.iter().rev()).take(most - before).take_while(same).count();
    let end = if old_lines.first().is_some_and(|line| line.ends_with("\r\n")) { "\r\n" } else { "\n" };
    let changed = new_lines.iter().skip(before).take(new_lines.len() - before - after);
    let changed = changed.map(|line| bare(line) + end);
    let whole =
        |line: &&str| if line.ends_with('\n') { (*line).to_owned() } else { (*line).to_owned() + end };
    let kept_before = old_lines.iter().take(before).map(whole);
    let kept_after = old_lines.iter().skip(old_lines.len() - after).map(whole);
    let mut text: String = kept_before.chain(changed).chain(kept_after).collect();
    if !old.is_empty() && !old.ends_with('\n') {
        text.truncate(text.trim_end_matches(['\n', '\r']).len());
    }
    text
}

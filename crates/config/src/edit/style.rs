//! How a file writes its tables, so that what is new looks like what is there. Knows no setting by name.

use toml_edit::{Decor, DocumentMut, InlineTable, Item, RawString, Table, TableLike, Value};

use crate::key::Key;

/// How a table that is new is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// `[service.api.restart]`.
    Header,
    /// `restart.delay = …`.
    Dotted,
    /// `restart = { delay = … }`.
    Inline,
}

impl Style {
    /// As the file writes the same table in other services; in one line where no other has it.
    pub(super) fn of(document: &DocumentMut, key: &Key) -> Self {
        let name = match key.parts() {
            [first, _, name, ..] if first == "service" => name,
            [first, name, ..] if first == "defaults" => name,
            _ => return Self::Inline,
        };
        let services = document.get("service").and_then(Item::as_table_like);
        let services = services.into_iter().flat_map(|services| services.iter().map(|(_, item)| item));
        let tables = services.chain(document.get("defaults")).filter_map(Item::as_table_like);
        tables.filter_map(|table| table.get(name)).find_map(Self::written).unwrap_or(Self::Inline)
    }

    fn written(item: &Item) -> Option<Self> {
        match item {
            Item::Table(table) if table.is_dotted() => Some(Self::Dotted),
            Item::Table(_) => Some(Self::Header),
            Item::Value(Value::InlineTable(table)) if table.is_dotted() => Some(Self::Dotted),
            Item::Value(Value::InlineTable(_)) => Some(Self::Inline),
            Item::None | Item::Value(_) | Item::ArrayOfTables(_) => None,
        }
    }

    /// A new table of this key, to be put into `parent`.
    pub(super) fn table(self, key: &Key, parent: &Item) -> Item {
        let is_section = match key.parts() {
            [_] => true,
            [first, _] => first == "service",
            _ => false,
        };
        // Nothing inside of a table on one line can have a header.
        let is_dotted = parent.as_table_like().is_some_and(TableLike::is_dotted);
        let style = match self {
            _ if is_inline(parent) => Self::Inline,
            _ if is_dotted => Self::Dotted,
            _ if is_section => Self::Header,
            style => style,
        };
        match style {
            Self::Inline => Item::Value(Value::InlineTable(InlineTable::new())),
            Self::Header => {
                let mut table = Table::new();
                // `[service]` itself needs no line.
                table.set_implicit(key.parts() == ["service"]);
                Item::Table(table)
            }
            Self::Dotted => {
                let mut table = Table::new();
                table.set_dotted(true);
                Item::Table(table)
            }
        }
    }
}

/// Whether a table is written in braces. Only such a one has no place for a header.
fn is_inline(table: &Item) -> bool {
    table.is_value()
}

/// A single value as a table in which it is `key`, with what stands around it.
pub(super) fn wrapped(key: &str, value: &Value) -> Value {
    let mut inner = value.clone();
    inner.decor_mut().clear();
    let mut table = InlineTable::new();
    table.insert(key, inner);
    *table.decor_mut() = value.decor().clone();
    Value::InlineTable(table)
}

/// A key that is new, at the end of its table and indented as the ones before it.
pub(super) fn insert(table: &mut Item, key: &str, item: Item) {
    match (table, item) {
        (Item::Value(Value::InlineTable(table)), Item::Value(value)) => insert_in_braces(table, key, value),
        (table, item) => {
            let Some(table) = table.as_table_like_mut() else { return };
            let last = last_value(table);
            let indent = last.and_then(|last| table.key(&last)).map(|key| indent(key.leaf_decor()));
            table.insert(key, item);
            if let (Some(indent), Some(mut key)) =
                (indent.filter(|indent| !indent.is_empty()), table.key_mut(key))
            {
                key.leaf_decor_mut().set_prefix(indent);
            }
        }
    }
}

/// Between braces, what stands behind the last value belongs to its line, and the brace stays where it is.
fn insert_in_braces(table: &mut InlineTable, key: &str, mut value: Value) {
    let last = last_value(table);
    let Some(last) = last else {
        table.insert(key, value);
        return;
    };
    let indent = table.key(&last).map(|key| indent(key.leaf_decor())).unwrap_or_default();
    let mut prefix = " ".to_owned();
    if table.trailing_comma() {
        *value.decor_mut() = Decor::new(" ", "");
        let (line, brace) = split_at_brace(text_of(Some(table.trailing())));
        if !brace.is_empty() {
            prefix = format!("{line}\n{indent}");
            table.set_trailing(brace);
        }
    } else if let Some(before) = table.get_mut(&last)
        && let Some(suffix) = before.decor().suffix().cloned()
    {
        let (line, brace) = split_at_brace(text_of(Some(&suffix)));
        before.decor_mut().set_suffix("");
        if brace.is_empty() {
            *value.decor_mut() = Decor::new(" ", suffix);
        } else {
            prefix = format!("{line}\n{indent}");
            *value.decor_mut() = Decor::new(" ", brace);
        }
    }
    table.insert(key, value);
    if let Some(mut key) = table.key_mut(key) {
        key.leaf_decor_mut().set_prefix(prefix);
    }
}

/// What stands behind a value on its line, and the end of that line up to the brace; all of it in the first where the
/// brace is on the same line.
fn split_at_brace(text: String) -> (String, String) {
    match text.rfind('\n') {
        None => (text, String::new()),
        Some(newline) => {
            let (line, brace) = text.split_at(newline);
            (line.trim_end_matches('\r').to_owned(), brace.to_owned())
        }
    }
}

fn text_of(raw: Option<&RawString>) -> String {
    raw.and_then(RawString::as_str).unwrap_or_default().to_owned()
}

/// A key that goes, and the space before the brace stays.
pub(super) fn remove(table: &mut Item, key: &str) {
    let inline = is_inline(table);
    let Some(table) = table.as_table_like_mut() else { return };
    let was_last = last_value(table).is_some_and(|last| last == key);
    let gone = table.remove(key);
    if !inline || !was_last {
        return;
    }
    let suffix = gone.as_ref().and_then(Item::as_value).and_then(|value| value.decor().suffix().cloned());
    if let (Some(last), Some(suffix)) = (last_value(table), suffix)
        && let Some(Item::Value(value)) = table.get_mut(&last)
    {
        value.decor_mut().set_suffix(suffix);
    }
}

/// The last key that stands in the table's own lines.
fn last_value(table: &dyn TableLike) -> Option<String> {
    let values = table.iter().filter(|(_, item)| item.is_value());
    values.last().map(|(key, _)| key.to_owned())
}

/// What a line begins with.
fn indent(decor: &Decor) -> String {
    let prefix = text_of(decor.prefix());
    let indent = prefix.rsplit('\n').next().unwrap_or_default();
    if indent.chars().all(|c| c == ' ' || c == '\t') { indent.to_owned() } else { String::new() }
}

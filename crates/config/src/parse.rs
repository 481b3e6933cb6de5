//! Text to tree. Knows TOML, and no setting.

use std::collections::BTreeSet;

use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};

use crate::{
    Code, Source,
    report::{Place, Report},
    tree::{Data, Entry, Table, Value},
};

/// The tree of a file; what is no TOML is reported.
pub(crate) fn parse(source: &Source, report: &mut Report) -> Table {
    let text = report.add_text(&source.path, &source.text);
    let (root, errors) = DeTable::parse_recoverable(&source.text);
    // The parser recovers as well as it can; what it says next of the same line is mostly an echo.
    let mut lines = BTreeSet::new();
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let before = source.text.as_bytes().get(..span.start).unwrap_or_default();
        if !lines.insert(before.iter().filter(|byte| **byte == b'\n').count()) {
            continue;
        }
        report.add(Code::Syntax, &Place::new(text, span), error.message(), syntax_help(error.message()));
    }
    table(text, root.into_inner())
}

fn syntax_help(message: &str) -> &'static str {
    if message.contains("duplicate key") {
        "each key stands once in a table; remove one of the two"
    } else if message.contains("string values must be quoted") {
        "write the text in quotes: \"…\""
    } else if message.contains("basic string") || message.contains("literal string") {
        "close the quotes on the same line; inside \"…\" a backslash begins an escape, inside '…' it does not"
    } else {
        "the file is TOML: `key = value` a line, texts in quotes, `[service.NAME]` before the settings of a service"
    }
}

fn table(text: usize, table: DeTable<'_>) -> Table {
    let mut entries: Vec<Entry> = table.into_iter().map(|(key, value)| entry(text, key, value)).collect();
    entries.sort_by(|one, other| one.place.cmp(&other.place));
    Table(entries)
}

fn entry(text: usize, key: Spanned<DeString<'_>>, value: Spanned<DeValue<'_>>) -> Entry {
    let place = Place::new(text, key.span());
    Entry { key: key.into_inner().into_owned(), place, value: self::value(text, value) }
}

fn value(text: usize, value: Spanned<DeValue<'_>>) -> Value {
    let place = Place::new(text, value.span());
    let data = match value.into_inner() {
        DeValue::String(string) => Data::Text(string.into_owned()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Data::Strange("a number of more than 64 bits"), Data::Integer),
        DeValue::Float(number) => {
            number.as_str().parse().map_or(Data::Strange("an unreadable number"), Data::Float)
        }
        DeValue::Boolean(boolean) => Data::Boolean(boolean),
        DeValue::Datetime(_) => Data::Strange("a date or time"),
        DeValue::Array(list) => Data::List(list.into_iter().map(|item| self::value(text, item)).collect()),
        DeValue::Table(table) => Data::Table(self::table(text, table)),
    };
    Value { place, data }
}

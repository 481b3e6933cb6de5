//! Takes one value out of the text of a file. What is said of the table around it stays.

use std::ops::Range;

use toml_edit::{Document, DocumentMut, Item, TableLike};

use super::{
    EditError, Edited, as_it_was, checked, comments, inside, line_of, one_line_item, spelled, style,
};
use crate::{
    key::{Key, child},
    setting::Shape,
    shape::FILE,
};

/// Takes a value out. Comments on lines of their own before it stay; the one behind it goes with it.
///
/// # Errors
/// The key is none, the text does not say it, or a comment on a line of its own stands inside of what would go.
pub fn unset(text: &str, key: &Key) -> Result<Edited, EditError> {
    checked(key)?;
    let document = Document::parse(text).map_err(|_| EditError::Syntax)?;
    let found = Found::of(&document, key)?;
    let line = found.start.map_or(1, |start| line_of(text, start));
    let edited = match found.range.filter(|_| !found.inside) {
        Some(range) => without_lines(text, range),
        None => as_it_was(text, &without_key(text, &found.key)?),
    };
    if let Some(lost) = comments::lost(text, &edited, comments::Which::OwnLine) {
        return Err(EditError::LosesComment(lost));
    }
    Ok(Edited { text: edited, key: found.key, before: Some(found.before), after: None, line })
}

/// What is to go.
struct Found {
    key: Key,
    before: String,
    /// Where its key begins.
    start: Option<usize>,
    /// From its key to the end of its value; `None` for tables, which may stand in several places.
    range: Option<Range<usize>>,
    /// Whether it stands between braces.
    inside: bool,
}

impl Found {
    fn of(document: &Document<&str>, key: &Key) -> Result<Self, EditError> {
        let not_said = || EditError::NotSaid(key.clone());
        let (mut item, mut shape) = (document.as_item(), Shape::Table(&FILE));
        let (mut at, mut inside, mut start) = (Key::of(&[]), false, None);
        for part in key.parts() {
            if let Item::Value(value) = item
                && !value.is_inline_table()
            {
                // `restart.policy`, said as `restart = "always"`.
                if spelled(&shape, value) == Some(part.as_str()) {
                    break;
                }
                return Err(not_said());
            }
            inside |= matches!(item, Item::Value(_)) && !at.parts().is_empty();
            let table: &dyn TableLike = item.as_table_like().ok_or_else(not_said)?;
            start = table.key(part).and_then(toml_edit::Key::span).map(|span| span.start);
            item = table.get(part).ok_or_else(not_said)?;
            shape = child(&shape, part).ok_or_else(not_said)?;
            at = at.child(part);
        }
        let end = item.span().filter(|_| item.is_value()).map(|span| span.end);
        let range = start.zip(end).map(|(start, end)| start..end);
        Ok(Self { key: at, before: one_line_item(item), start, range, inside })
    }
}

/// The text without the lines that `range` is on.
fn without_lines(text: &str, range: Range<usize>) -> String {
    let before = text.get(..range.start).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let after = text.get(range.end..).unwrap_or_default();
    let end = after.find('\n').map_or(text.len(), |newline| range.end + newline + 1);
    format!("{}{}", text.get(..start).unwrap_or_default(), text.get(end..).unwrap_or_default())
}

/// The text without a table, or without what stands between braces. Braces with nothing left in them go as well.
fn without_key(text: &str, key: &Key) -> Result<String, EditError> {
    let mut document: DocumentMut = text.parse().map_err(|_| EditError::Syntax)?;
    take(document.as_item_mut(), key.parts());
    Ok(document.to_string())
}

fn take(table: &mut Item, parts: &[String]) {
    let Some((part, rest)) = parts.split_first() else { return };
    if rest.is_empty() {
        return style::remove(table, part);
    }
    let Some(below) = inside(table, part) else { return };
    take(below, rest);
    let is_empty = below.is_value() && below.as_table_like().is_some_and(TableLike::is_empty);
    if is_empty {
        style::remove(table, part);
    }
}

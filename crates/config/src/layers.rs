//! Several files as one tree. Knows of a setting only its shape; every value keeps the place it came from.

use crate::{
    Code,
    report::Report,
    setting::{Fields, Shape},
    trail::Trail,
    tree::{Data, Entry, Table, Value},
};

/// One tree of a main file and its additions, which lie side by side: `[mainstay]`, `[defaults]` and `[service]` may be
/// in several of them, but what one says, no other says again.
pub(crate) fn combine(trees: Vec<Table>, report: &mut Report) -> Table {
    let mut whole = Table::default();
    for entry in trees.into_iter().flat_map(|tree| tree.0) {
        let Some(known) = whole.0.iter_mut().find(|known| known.key == entry.key) else {
            whole.0.push(entry);
            continue;
        };
        match (&mut known.value.data, entry.value.data) {
            (Data::Table(into), Data::Table(from)) => add(into, from, &entry.key, report),
            _ => duplicate(known, &entry.key, &entry.place, report),
        }
    }
    whole
}

fn add(into: &mut Table, from: Table, path: &str, report: &mut Report) {
    for entry in from.0 {
        match into.entry(&entry.key) {
            Some(known) => duplicate(known, &format!("{path}.{}", entry.key), &entry.place, report),
            None => into.0.push(entry),
        }
    }
}

fn duplicate(known: &Entry, path: &str, place: &crate::report::Place, report: &mut Report) {
    report.add(
        Code::Duplicate,
        place,
        format!("`{path}` is already set at {}", report.spell(&known.place)),
        "keep one of the two; only mainstay.local.toml may override what another file says",
    );
}

/// `upper` over `lower`: tables are merged by key, everything else is replaced, which the trail is told.
pub(crate) fn overlay(lower: Table, upper: Table, fields: &Fields, trail: &mut Trail) -> Table {
    let mut merged = lower;
    if let Some(chosen) = fields.one_of.iter().find_map(|key| upper.entry(key)) {
        let (gone, kept) =
            merged.0.into_iter().partition(|entry| fields.one_of.contains(&entry.key.as_str()));
        merged = Table(kept);
        let gone: Vec<Entry> = gone;
        gone.iter().for_each(|entry| trail.note_replaced(&chosen.value, entry));
    }
    for entry in upper.0 {
        let shape = fields.setting(&entry.key).map(|setting| &setting.shape);
        put(&mut merged, entry, shape, trail);
    }
    merged
}

/// Sets a key, or merges into what it has.
fn put(table: &mut Table, entry: Entry, shape: Option<&Shape>, trail: &mut Trail) {
    let Some(at) = table.0.iter().position(|known| known.key == entry.key) else {
        table.0.push(entry);
        return;
    };
    let known = table.0.remove(at);
    let both = match shape {
        None => entry,
        Some(shape) => merge(known, entry, shape, trail),
    };
    table.0.insert(at, both);
}

/// One entry of two for the same key. A merged table keeps the place of the lower one, which the upper one only changes.
fn merge(lower: Entry, upper: Entry, shape: &Shape, trail: &mut Trail) -> Entry {
    match shape {
        Shape::Table(fields) | Shape::Inherited(fields) => {
            let (lower, upper) = (spelled_out(lower, fields), spelled_out(upper, fields));
            tables(lower, upper, trail, |lower, upper, trail| overlay(lower, upper, fields, trail))
        }
        Shape::Map(_, of) => tables(lower, upper, trail, |lower, upper, trail| {
            let mut merged = lower;
            upper.0.into_iter().for_each(|entry| put(&mut merged, entry, Some(of), trail));
            merged
        }),
        Shape::Either(shapes) => {
            // Two tables of free keys (`depends_on`) have something to merge; one value of several forms is replaced.
            let both = |shape: &&Shape| {
                matches!(shape, Shape::Map(..))
                    && shape.accepts(&lower.value.data)
                    && shape.accepts(&upper.value.data)
            };
            match shapes.iter().find(both) {
                None => replace(&lower, upper, trail),
                Some(shape) => merge(lower, upper, shape, trail),
            }
        }
        Shape::Text
        | Shape::Scalar
        | Shape::Duration(_)
        | Shape::Size(_)
        | Shape::Signal
        | Shape::Address
        | Shape::Boolean
        | Shape::Whole(..)
        | Shape::Factor
        | Shape::Word(_)
        | Shape::Command
        | Shape::Any
        | Shape::List(_) => replace(&lower, upper, trail),
    }
}

fn replace(lower: &Entry, upper: Entry, trail: &mut Trail) -> Entry {
    trail.note_replaced(&upper.value, lower);
    upper
}

fn tables(
    lower: Entry,
    upper: Entry,
    trail: &mut Trail,
    merge: impl FnOnce(Table, Table, &mut Trail) -> Table,
) -> Entry {
    match (lower.value.data, upper.value.data) {
        (Data::Table(under), Data::Table(over)) => {
            let value = Value { place: lower.value.place, data: Data::Table(merge(under, over, trail)) };
            Entry { key: lower.key, place: lower.place, value }
        }
        (_, data) => Entry { value: Value { place: upper.value.place, data }, ..upper },
    }
}

/// `restart = "always"` as `restart = { policy = "always" }`, so that it can be merged.
fn spelled_out(entry: Entry, fields: &Fields) -> Entry {
    Entry { value: fields.spelled_out(entry.value), ..entry }
}

//! What the loader notes on its way, for those who ask where a value comes from: what each value replaced, what a text
//! was made from, and who says each variable of an environment. Judges nothing.

use std::collections::BTreeMap;

use mainstay_model::Spec;

use crate::{
    expand::Used,
    report::Place,
    tree::{Data, Entry, Table, Value},
};

/// What the loader noted.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    texts: BTreeMap<Place, Expanded>,
    replaced: BTreeMap<Place, Vec<Entry>>,
    /// `[mainstay]`, checked.
    pub(crate) mainstay: Table,
    /// `[defaults]`, checked.
    pub(crate) defaults: Table,
    /// The services, in the order of the file.
    pub(crate) services: Vec<Traced>,
}

/// A text after its variables were replaced.
#[derive(Debug)]
pub(crate) struct Expanded {
    pub(crate) text: String,
    pub(crate) used: Vec<Used>,
}

/// One service as it was put together.
#[derive(Debug)]
pub(crate) struct Traced {
    pub(crate) name: String,
    /// Its own settings and those of `[defaults]`, without its environment.
    pub(crate) merged: Table,
    /// What is said of `env_file`.
    pub(crate) env_file: Option<Value>,
    /// Who says each variable of the first instance, the last one winning.
    pub(crate) env: BTreeMap<String, Vec<Candidate>>,
    /// The first instance.
    pub(crate) first: Option<Spec>,
}

/// One who says a variable.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) value: String,
    pub(crate) place: Place,
    pub(crate) kind: CandidateKind,
}

/// How a variable is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CandidateKind {
    /// By a table `env`.
    Table,
    /// By a line of an `env_file`.
    File,
}

impl Trail {
    /// The text at `place` became this.
    pub(crate) fn note_text(&mut self, place: &Place, text: &str, used: Vec<Used>) {
        self.texts.insert(place.clone(), Expanded { text: text.to_owned(), used });
    }

    /// The text that stands at `place`, with its variables replaced; `None` when no text stands there.
    pub(crate) fn text(&self, place: &Place) -> Option<&str> {
        self.texts.get(place).map(|expanded| expanded.text.as_str())
    }

    /// The variables that were replaced in what stands at `place`.
    pub(crate) fn used(&self, place: &Place) -> Vec<Used> {
        let from = Place { end: place.start, ..place.clone() };
        let inside = self.texts.range(from..).take_while(|(other, _)| {
            other.text == place.text && other.start < place.end.max(place.start + 1)
        });
        let mut found: Vec<Used> = Vec::new();
        for used in inside.filter(|(other, _)| other.end <= place.end).flat_map(|(_, text)| &text.used) {
            if !found.contains(used) {
                found.push(used.clone());
            }
        }
        found
    }

    /// `upper` stands where `lower` would.
    pub(crate) fn note_replaced(&mut self, upper: &Value, lower: &Entry) {
        match &upper.data {
            // A table is asked for by its leaves.
            Data::Table(table) if !table.0.is_empty() => {
                table.0.iter().for_each(|entry| self.note_replaced(&entry.value, lower));
            }
            _ => {
                let known = self.replaced.entry(upper.place.clone()).or_default();
                // The same defaults lie below each service.
                if !known.iter().any(|entry| entry.place == lower.place) {
                    known.push(lower.clone());
                }
            }
        }
    }

    /// What the value at `place` replaced, the nearest first.
    pub(crate) fn replaced(&self, place: &Place) -> Vec<&Entry> {
        let mut found: Vec<&Entry> = Vec::new();
        let mut next = vec![place];
        while let Some(place) = next.pop() {
            for entry in self.replaced.get(place).into_iter().flatten() {
                if found.iter().all(|known| known.place != entry.place) {
                    found.push(entry);
                    next.push(&entry.value.place);
                }
            }
        }
        found
    }
}

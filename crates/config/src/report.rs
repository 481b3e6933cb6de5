//! Collects what is wrong, with its place. Judges nothing.

use std::{
    collections::BTreeSet,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use miette::NamedSource;

use crate::{Code, Problem, Problems, problem::Text};

/// More problems than this are counted, and not kept: nobody reads them.
const PROBLEMS_LIMIT: usize = 500;

/// A part of one of the texts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Which text: the number that [`Report::add_text`] gave it.
    pub(crate) text: usize,
    /// From where in it, in bytes.
    pub(crate) start: usize,
    /// To where.
    pub(crate) end: usize,
}

impl Place {
    pub(crate) fn new(text: usize, span: Range<usize>) -> Self {
        Self { text, start: span.start, end: span.end }
    }
}

/// The texts that were read and what is wrong with them.
#[derive(Debug, Default)]
pub(crate) struct Report {
    texts: Vec<Arc<Text>>,
    list: Vec<(Place, Problem)>,
    /// Instances share the text of their service: each problem is told once.
    told: BTreeSet<(Place, Code, String)>,
    omitted: usize,
}

impl Report {
    /// Takes in a text, whose number it returns.
    pub(crate) fn add_text(&mut self, path: &Path, text: &str) -> usize {
        let named = NamedSource::new(path.display().to_string(), text.to_owned());
        self.texts.push(Arc::new(Text { path: path.to_owned(), named }));
        self.texts.len() - 1
    }

    /// Notes a problem.
    pub(crate) fn add(
        &mut self,
        code: Code,
        place: &Place,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let Some(text) = self.texts.get(place.text) else {
            debug_assert!(false, "a place in no text");
            return;
        };
        let message = message.into();
        if !self.told.insert((place.clone(), code, message.clone())) {
            return;
        }
        if self.list.len() == PROBLEMS_LIMIT {
            self.omitted += 1;
            return;
        }
        let span = within(text.as_str(), place.start..place.end);
        let problem = Problem { code, message, help: help.into(), text: Arc::clone(text), span };
        self.list.push((place.clone(), problem));
    }

    /// Whether nothing is wrong so far.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many things are wrong so far.
    pub(crate) fn count(&self) -> usize {
        self.list.len() + self.omitted
    }

    /// The part of `place` that reads `fragment`; all of it when the text spells it otherwise.
    pub(crate) fn narrow(&self, place: &Place, fragment: &str) -> Place {
        let text = self.texts.get(place.text).and_then(|text| text.as_str().get(place.start..place.end));
        match text.and_then(|text| text.find(fragment)) {
            None => place.clone(),
            Some(offset) => {
                let start = place.start + offset;
                Place { text: place.text, start, end: start + fragment.len() }
            }
        }
    }

    /// `shop.toml:4:1`, for a message that speaks of a second place.
    pub(crate) fn spell(&self, place: &Place) -> String {
        let (path, line, column) = self.locate(place);
        format!("{}:{line}:{column}", path.display())
    }

    /// The file, the line and the character where a place begins; both count from 1.
    pub(crate) fn locate(&self, place: &Place) -> (PathBuf, usize, usize) {
        let Some(text) = self.texts.get(place.text) else { return (PathBuf::new(), 0, 0) };
        let before = text.as_str().get(..place.start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (text.path.clone(), line, column)
    }

    /// Everything, in the order of the texts.
    pub(crate) fn into_problems(mut self) -> Problems {
        self.list.sort_by(|(one, _), (other, _)| one.cmp(other));
        Problems::new(self.list.into_iter().map(|(_, problem)| problem).collect(), self.omitted)
    }
}

/// The span, moved to where characters begin and end and inside the text.
fn within(text: &str, span: Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(span.start.min(text.len()));
    let end = text.ceil_char_boundary(span.end.min(text.len()));
    start..end.max(start)
}

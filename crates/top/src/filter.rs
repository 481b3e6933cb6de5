//! Which services are wanted on the screen, as a person types it: `api`, `wor*`, `:failed`, `web :running`.

use mainstay_decide::glob_matches;

use crate::roster::Service;

/// What begins the name of a phase.
pub(crate) const PHASE_MARK: char = ':';

/// A filter, and the text that it was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    text: String,
    names: Vec<String>,
    phases: Vec<String>,
}

impl Filter {
    /// Words with blanks between them. Of names, all must be found; of phases, it must be in one.
    pub(crate) fn new(text: &str) -> Self {
        let mut filter = Self { text: text.to_owned(), ..Self::default() };
        for word in text.split_whitespace() {
            match word.strip_prefix(PHASE_MARK) {
                Some("") => {}
                Some(phase) => filter.phases.push(phase.to_lowercase()),
                None => filter.names.push(word.to_lowercase()),
            }
        }
        filter
    }

    /// As it was typed.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether everything passes.
    pub(crate) fn is_open(&self) -> bool {
        self.names.is_empty() && self.phases.is_empty()
    }

    /// The only phase that passes, when it is asked for in full.
    pub(crate) fn phase(&self) -> Option<&str> {
        match self.phases.as_slice() {
            [phase] => Some(phase),
            _ => None,
        }
    }

    /// The same names in this phase; in any, when there is none.
    #[must_use]
    pub(crate) fn with_phase(&self, phase: Option<&str>) -> Self {
        let words = self.text.split_whitespace().filter(|word| !word.starts_with(PHASE_MARK));
        let phase = phase.map(|phase| format!("{PHASE_MARK}{phase}"));
        let words: Vec<&str> = words.chain(phase.as_deref()).collect();
        Self::new(&words.join(" "))
    }

    /// Whether this one passes.
    pub(crate) fn passes(&self, service: &Service) -> bool {
        let phase = &service.view.phase;
        let in_phase =
            self.phases.is_empty() || self.phases.iter().any(|begun| phase.starts_with(begun.as_str()));
        in_phase && (self.names.is_empty() || self.has_names(&service.id.to_lowercase()))
    }

    fn has_names(&self, id: &str) -> bool {
        self.names.iter().all(|name| {
            if name.contains(['*', '?']) { glob_matches(name, id) } else { id.contains(name.as_str()) }
        })
    }
}

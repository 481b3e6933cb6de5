//! Text that is being typed: the filter of the table, or what is searched for in the log.

use crate::{
    clean,
    filter::Filter,
    input::{Effect, Key},
    log::Toward,
    model::{Focus, Model, Pane},
};

/// The longest text.
const LENGTH_LIMIT: usize = 200;

/// What the text is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PromptKind {
    Filter,
    Search,
}

/// Text that is being typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prompt {
    pub(crate) kind: PromptKind,
    pub(crate) text: String,
    before: String,
}

impl Model {
    /// Opens the one that fits: in the log one searches, elsewhere one filters.
    pub(super) fn open_prompt(&mut self) {
        let in_log = self.pane == Some(Pane::Logs) && (self.focus == Focus::Pane || self.is_zoomed);
        self.prompt = Some(if in_log {
            Prompt { kind: PromptKind::Search, text: String::new(), before: self.log.search().to_owned() }
        } else {
            let text = self.filter.text().to_owned();
            Prompt { kind: PromptKind::Filter, before: text.clone(), text }
        });
    }

    pub(super) fn prompt_key(&mut self, key: Key, mut prompt: Prompt) -> Vec<Effect> {
        match key {
            Key::Enter => {
                if prompt.kind == PromptKind::Search {
                    self.find(Toward::Older);
                }
                return Vec::new();
            }
            Key::Escape | Key::Ctrl('c' | 'g') => {
                prompt.text = std::mem::take(&mut prompt.before);
                self.apply(&prompt);
                return Vec::new();
            }
            Key::Up | Key::Down if prompt.kind == PromptKind::Filter => {
                self.prompt = Some(prompt);
                self.walk(key);
                return Vec::new();
            }
            Key::Char(c) => add(&mut prompt, &c.to_string()),
            Key::Backspace => _ = prompt.text.pop(),
            Key::Ctrl('u') => prompt.text.clear(),
            Key::Ctrl('w') => {
                let kept = prompt.text.trim_end().rfind(' ').map_or(0, |at| at + 1);
                prompt.text.truncate(kept);
            }
            _ => {}
        }
        self.apply(&prompt);
        self.prompt = Some(prompt);
        Vec::new()
    }

    /// Text that came in one piece goes where text is typed, and nowhere else.
    pub(super) fn paste(&mut self, text: &str) -> Vec<Effect> {
        if let Some(mut prompt) = self.prompt.take() {
            add(&mut prompt, &clean::text(text));
            self.apply(&prompt);
            self.prompt = Some(prompt);
        }
        Vec::new()
    }

    fn apply(&mut self, prompt: &Prompt) {
        match prompt.kind {
            PromptKind::Filter => self.filter = Filter::new(&prompt.text),
            PromptKind::Search => self.log.set_search(&prompt.text),
        }
    }

    /// Goes to the next line with what is searched for.
    pub(super) fn find(&mut self, toward: Toward) {
        if !self.log.find(toward) && !self.log.search().is_empty() {
            let which = match toward {
                Toward::Older => "older",
                Toward::Newer => "newer",
            };
            self.tell(format!("no {which} line with `{}`", self.log.search()));
        }
    }
}

fn add(prompt: &mut Prompt, text: &str) {
    let room = LENGTH_LIMIT.saturating_sub(prompt.text.chars().count());
    prompt.text.extend(text.chars().take(room));
}

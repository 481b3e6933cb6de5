//! Acts: on whom, whether a person is asked first, and what is told of them.

use mainstay_wire::Settled;

use crate::{
    acts::{ActRow, Asks, Dependents},
    input::Effect,
    message::Message,
    model::{Link, Model, Overlay},
    text,
};

/// How many names a question lists.
const NAMES: usize = 5;

/// An act that waits for a yes.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) row: &'static ActRow,
    pub(crate) services: Vec<String>,
    /// What is asked, and what a yes means beyond it.
    pub(crate) lines: Vec<String>,
}

impl PartialEq for Question {
    fn eq(&self, other: &Self) -> bool {
        self.row.act == other.row.act && self.services == other.services
    }
}

impl Eq for Question {}

/// An act that is under way.
#[derive(Clone, Debug)]
pub(crate) struct Acting {
    row: &'static ActRow,
    /// `stopping db`.
    pub(crate) text: String,
}

impl Model {
    /// What an act is about: what is marked, else what is selected.
    pub(crate) fn chosen(&self) -> Vec<String> {
        if self.marks.is_empty() {
            return self.selected().map(|service| service.id.clone()).into_iter().collect();
        }
        let marked = self.roster.all().iter().filter(|service| self.marks.contains(&service.id));
        marked.map(|service| service.id.clone()).collect()
    }

    /// Begins an act, or asks first.
    pub(super) fn act(&mut self, row: &'static ActRow) -> Vec<Effect> {
        if self.link != Link::Up {
            self.tell_error(&format!("cannot {}: no daemon", row.word));
            return Vec::new();
        }
        let services = self.chosen();
        if services.is_empty() {
            self.tell("no service is selected");
            return Vec::new();
        }
        let dependents: Vec<String> =
            self.roster.dependents(&services).into_iter().map(str::to_owned).collect();
        // The only one that is marked may be out of sight.
        let is_in_sight = self.selected().is_some_and(|selected| services == [selected.id.as_str()]);
        let concerns_others = !is_in_sight || !dependents.is_empty();
        if row.asks == Asks::Never || !concerns_others {
            return self.begin(row, services);
        }
        let lines = question(row, &services, &dependents);
        self.overlay = Some(Overlay::Question(Question { row, services, lines }));
        Vec::new()
    }

    /// Does what was asked, now that the answer is yes.
    pub(super) fn agree(&mut self, question: Question) -> Vec<Effect> {
        // It may have taken a while, and services may be gone.
        let services: Vec<String> =
            question.services.into_iter().filter(|id| self.roster.get(id).is_some()).collect();
        if services.is_empty() { Vec::new() } else { self.begin(question.row, services) }
    }

    fn begin(&mut self, row: &'static ActRow, services: Vec<String>) -> Vec<Effect> {
        self.acts += 1;
        let names = text::names(services.iter().map(String::as_str), NAMES);
        self.acting.insert(self.acts, Acting { row, text: format!("{} {names}", row.doing) });
        self.message = None;
        vec![Effect::Act { number: self.acts, act: row.act, services }]
    }

    /// An act has ended.
    pub(super) fn acted(&mut self, number: u64, outcome: &Result<Vec<Settled>, String>) {
        if let Some(acting) = self.acting.remove(&number) {
            self.message = Some(Message::of_act(acting.row, outcome, self.now));
        }
    }
}

fn question(row: &ActRow, services: &[String], dependents: &[String]) -> Vec<String> {
    let all = |ids: &[String]| text::names(ids.iter().map(String::as_str), NAMES);
    let mut lines = match services {
        [one] => vec![format!("{} {one}?", row.word)],
        several => vec![format!("{} {} services?", row.word, several.len()), all(several)],
    };
    match (row.dependents, dependents) {
        (_, []) => {}
        (Dependents::Included, dependents) => lines.push(format!("{}s also {}", row.word, all(dependents))),
        (Dependents::Untouched, [one]) => lines.push(format!("{one} needs it, and is left alone")),
        (Dependents::Untouched, several) => {
            lines.push(format!("{} need it, and are left alone", all(several)))
        }
    }
    lines
}

//! Which services are shown in which row: filtered and sorted, as a table or as a tree of dependencies.
//!
//! In the tree each service stands once, under the first of its dependencies; how many others it has is told beside its
//! name. Where a filter is on, what leads to a service that passes is shown too, as context.

use std::collections::{BTreeMap, BTreeSet};

use crate::{filter::Filter, roster::Roster, sort::Sort};

/// How deep guides are drawn; deeper rows begin with an ellipsis.
const DEPTH_SHOWN: usize = 6;

/// How services are laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A row after the other.
    #[default]
    Table,
    /// Under what they depend on.
    Tree,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// The service's place in the roster.
    pub(crate) at: usize,
    /// What stands before its name: `│  └─ `.
    pub(crate) guide: String,
    /// How many dependencies it has that it does not stand under.
    pub(crate) others: usize,
    /// Whether it is there only for what is below it.
    pub(crate) is_context: bool,
}

impl Row {
    /// What stands behind its name: ` (+2)`.
    pub(crate) fn others_text(&self) -> String {
        if self.others > 0 { format!(" (+{})", self.others) } else { String::new() }
    }
}

/// The rows, from top to bottom.
pub(crate) fn rows(roster: &Roster, filter: &Filter, sort: Sort, shape: Shape) -> Vec<Row> {
    let services = roster.all();
    let mut order: Vec<usize> = (0..services.len()).collect();
    order.sort_by(|a, b| sort.compare(&services[*a], &services[*b]));
    let passes = |at: &usize| filter.passes(&services[*at]);
    match shape {
        Shape::Table => order.into_iter().filter(passes).map(plain).collect(),
        Shape::Tree => {
            let chosen = order.iter().copied().filter(passes).collect();
            Forest::new(roster, &order, chosen).rows()
        }
    }
}

fn plain(at: usize) -> Row {
    Row { at, guide: String::new(), others: 0, is_context: false }
}

/// Who stands under whom.
struct Forest<'a> {
    roster: &'a Roster,
    roots: Vec<usize>,
    children: Vec<Vec<usize>>,
    chosen: BTreeSet<usize>,
}

impl<'a> Forest<'a> {
    fn new(roster: &'a Roster, order: &[usize], chosen: BTreeSet<usize>) -> Self {
        let services = roster.all();
        // A dependency is on a service; of several instances the first stands for all.
        let mut first: BTreeMap<&str, usize> = BTreeMap::new();
        for (at, service) in services.iter().enumerate() {
            first.entry(&service.view.name).or_insert(at);
        }
        let parent =
            |at: usize| services[at].needs().find_map(|name| first.get(name).copied()).filter(|up| *up != at);
        let shown = with_ancestors(&chosen, &parent, services.len());
        let mut children = vec![Vec::new(); services.len()];
        let mut roots = Vec::new();
        for at in order.iter().copied().filter(|at| shown.contains(at)) {
            match parent(at) {
                Some(up) => children[up].push(at),
                None => roots.push(at),
            }
        }
        Self { roster, roots, children, chosen }
    }

    fn rows(self) -> Vec<Row> {
        let mut rows = Vec::new();
        // What is left to be shown, the next one last; with the guides of those below it.
        let mut left: Vec<(usize, Vec<bool>)> = self.roots.iter().rev().map(|at| (*at, Vec::new())).collect();
        while let Some((at, lasts)) = left.pop() {
            let needs = self.roster.all()[at].view.depends_on.len();
            rows.push(Row {
                at,
                guide: guide(&lasts),
                others: needs.saturating_sub(1),
                is_context: !self.chosen.contains(&at),
            });
            let below = &self.children[at];
            for (place, child) in below.iter().enumerate().rev() {
                let mut lasts = lasts.clone();
                lasts.push(place + 1 == below.len());
                left.push((*child, lasts));
            }
        }
        rows
    }
}

/// These, and all above them.
fn with_ancestors(
    chosen: &BTreeSet<usize>,
    parent: &dyn Fn(usize) -> Option<usize>,
    most: usize,
) -> BTreeSet<usize> {
    let mut shown = chosen.clone();
    for at in chosen {
        let mut above = parent(*at);
        // What was seen has its ancestors in it already. A made-up circle ends as well.
        for _ in 0..most {
            let Some(up) = above.filter(|up| shown.insert(*up)) else { break };
            above = parent(up);
        }
    }
    shown
}

/// The lines before a name; each level says whether it is the last one of its family.
fn guide(lasts: &[bool]) -> String {
    let Some((own, above)) = lasts.split_last() else { return String::new() };
    let hidden = above.len().saturating_sub(DEPTH_SHOWN);
    let mut guide = String::new();
    if hidden > 0 {
        guide.push_str("… ");
    }
    for last in &above[hidden..] {
        guide.push_str(if *last { "   " } else { "│  " });
    }
    guide.push_str(if *own { "└─ " } else { "├─ " });
    guide
}

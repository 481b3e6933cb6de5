//! The beginning of a line of a log: whose it is, aligned and in its colour.

use std::collections::{HashMap, HashSet};

use crate::{
    output::Paint,
    view::{
        cut::{Cut, fit_within, width},
        style,
    },
};

/// Longer names are not waited for: their lines are moved to the right. On a terminal they are cut.
const ALIGNED: usize = 24;

/// On a wide terminal, names may have this part of a line before they are cut.
const SHARE: usize = 4;

/// How much is kept of the beginning and of the end of a name, in the order in which it is tried: what tells one of many long
/// names from the others is mostly in the end.
const CUTS: [Cut; 4] = [Cut::MIDDLE, Cut::Within(1, 3), Cut::Within(3, 1), Cut::Within(0, 1)];

/// Begins what a terminal is told.
const ESCAPE: u8 = 0x1b;

/// Makes prefixes, each once.
#[derive(Debug)]
pub(crate) struct Prefixes {
    paint: Paint,
    columns: usize,
    /// How many columns a name may have and how it is cut; nothing where lines may be of any length.
    cut: Option<(usize, Cut)>,
    made: HashMap<String, String>,
}

impl Prefixes {
    /// Prefixes that are aligned for these names, and short enough for a terminal of this width.
    pub(crate) fn new<'a>(
        names: impl IntoIterator<Item = &'a str>,
        terminal: Option<usize>,
        paint: Paint,
    ) -> Self {
        let names: HashSet<&str> = names.into_iter().collect();
        let cut = terminal.and_then(|columns| cut(&names, ALIGNED.max(columns / SHARE)));
        let bound = cut.map_or(ALIGNED, |(most, _)| most);
        let longest = names.iter().map(|name| width(name));
        let columns = match cut {
            Some(_) => longest.map(|columns| columns.min(bound)).max(),
            None => longest.filter(|columns| *columns <= bound).max(),
        };
        Self { paint, columns: columns.unwrap_or(0), cut, made: HashMap::new() }
    }

    /// `api  | `
    pub(crate) fn of(&mut self, name: &str) -> &[u8] {
        if !self.made.contains_key(name) {
            let shown = self.cut.map_or_else(|| name.to_owned(), |(most, cut)| fit_within(name, most, cut));
            let text = format!("{shown}{} | ", " ".repeat(self.columns.saturating_sub(width(&shown))));
            self.made.insert(name.to_owned(), self.paint.apply(style::service(name), &text));
        }
        self.made.get(name).map_or(b"", String::as_bytes)
    }
}

/// The end of a line: what a program left switched on in the middle of it is switched off, where colours are shown at all.
pub(crate) fn end(text: &[u8], paint: Paint) -> &'static [u8] {
    if paint == Paint::Colour && text.contains(&ESCAPE) { b"\x1b[0m\n" } else { b"\n" }
}

/// How these names are cut so that they still differ. Not at all, when they would not.
fn cut(names: &HashSet<&str>, most: usize) -> Option<(usize, Cut)> {
    let differ = |cut: &Cut| {
        let shown: HashSet<String> = names.iter().map(|name| fit_within(name, most, *cut)).collect();
        shown.len() == names.len()
    };
    CUTS.into_iter().find(differ).map(|cut| (most, cut))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_aligned_up_to_a_bound() {
        let long = "x".repeat(60);
        let mut prefixes = Prefixes::new(["api", "worker@10", &long], None, Paint::Plain);
        assert_eq!(prefixes.of("api"), b"api       | ");
        assert_eq!(prefixes.of("worker@10"), b"worker@10 | ");
        assert_eq!(prefixes.of(&long), format!("{long} | ").as_bytes());
        let mut coloured = Prefixes::new(["api"], Some(80), Paint::Colour);
        let text = String::from_utf8(coloured.of("api").to_vec()).unwrap();
        assert!(text.starts_with("\u{1b}[") && text.contains("api | ") && text.ends_with("\u{1b}[0m"));
    }

    #[test]
    fn on_a_terminal_long_names_are_cut_so_that_they_differ() {
        let north = "warehouse-inventory-synchronisation-with-the-northern-region";
        let south = "warehouse-inventory-synchronisation-with-the-southern-region";
        let of = |terminal: usize, names: &[&str]| {
            let mut prefixes = Prefixes::new(names.iter().copied(), Some(terminal), Paint::Plain);
            let lines = names.iter().map(|name| String::from_utf8(prefixes.of(name).to_vec()).unwrap());
            lines.collect::<Vec<_>>()
        };
        assert_eq!(of(80, &["db", north]), ["db                       | ", "warehouse-i…thern-region | "]);
        assert_eq!(of(80, &[north, south]), ["wareh…he-northern-region | ", "wareh…he-southern-region | "]);
        assert_eq!(of(400, &[north]), [format!("{north} | ")]);
        assert!(of(200, &["db", north]).iter().all(|line| width(line) == 53));
        // What differs in the very middle alone stays whole.
        let middle = |letter: &str| format!("{0}{letter}{0}", "x".repeat(29));
        let (one, other) = (middle("a"), middle("b"));
        assert_eq!(of(80, &[&one, &other]), [format!("{one} | "), format!("{other} | ")]);
        // One that nobody knew before.
        let mut prefixes = Prefixes::new(["db"], Some(80), Paint::Plain);
        assert_eq!(prefixes.of(north), b"warehouse-i\xe2\x80\xa6thern-region | ");
    }
}

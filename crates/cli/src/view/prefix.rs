//! The beginning of a line of a log: whose it is, aligned and in its colour.

use std::collections::HashMap;

use crate::{
    output::Paint,
    view::{cut::width, style},
};

/// Longer names are not waited for: their lines are moved to the right.
const ALIGNED: usize = 24;

/// Makes prefixes, each once.
#[derive(Debug)]
pub(crate) struct Prefixes {
    paint: Paint,
    columns: usize,
    made: HashMap<String, String>,
}

impl Prefixes {
    /// Prefixes that are aligned for these names.
    pub(crate) fn new<'a>(names: impl IntoIterator<Item = &'a str>, paint: Paint) -> Self {
        let columns = names.into_iter().map(width).filter(|columns| *columns <= ALIGNED).max().unwrap_or(0);
        Self { paint, columns, made: HashMap::new() }
    }

    /// `api  | `
    pub(crate) fn of(&mut self, name: &str) -> &[u8] {
        if !self.made.contains_key(name) {
            let text = format!("{name}{} | ", " ".repeat(self.columns.saturating_sub(width(name))));
            self.made.insert(name.to_owned(), self.paint.apply(style::service(name), &text));
        }
        self.made.get(name).map_or(b"", String::as_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_aligned_up_to_a_bound() {
        let long = "x".repeat(60);
        let mut prefixes = Prefixes::new(["api", "worker@10", &long], Paint::Plain);
        assert_eq!(prefixes.of("api"), b"api       | ");
        assert_eq!(prefixes.of("worker@10"), b"worker@10 | ");
        assert_eq!(prefixes.of(&long), format!("{long} | ").as_bytes());
        let mut coloured = Prefixes::new(["api"], Paint::Colour);
        let text = String::from_utf8(coloured.of("api").to_vec()).unwrap();
        assert!(text.starts_with("\u{1b}[") && text.contains("api | ") && text.ends_with("\u{1b}[0m"));
    }
}

//! As much of YAML as the definitions beside the stories use: mappings and lists by indentation, and one-line values.

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Yaml {
    Text(String),
    List(Vec<String>),
    Map(Vec<(String, Yaml)>),
}

impl Yaml {
    pub(super) fn parse(text: &str) -> Self {
        let lines: Vec<(usize, &str)> = text
            .lines()
            .filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
            .map(|line| (line.len() - line.trim_start().len(), line.trim()))
            .collect();
        let (value, rest) = block(&lines);
        assert!(rest.is_empty(), "not understood: {rest:?}");
        value
    }

    /// The value of this key, however deep: `healthcheck.test`.
    pub(super) fn get(&self, path: &str) -> Option<&Self> {
        path.split('.').try_fold(self, |at, key| {
            at.entries().iter().find(|(known, _)| known == key).map(|(_, value)| value)
        })
    }

    pub(super) fn text(&self, path: &str) -> Option<&str> {
        match self.get(path)? {
            Self::Text(text) => Some(text),
            other => panic!("`{path}` is no text: {other:?}"),
        }
    }

    pub(super) fn number(&self, path: &str) -> Option<u32> {
        self.text(path).map(|text| text.trim_end_matches('s').parse().unwrap())
    }

    pub(super) fn entries(&self) -> &[(String, Self)] {
        match self {
            Self::Map(entries) => entries,
            Self::Text(_) | Self::List(_) => &[],
        }
    }

    pub(super) fn items(&self) -> &[String] {
        match self {
            Self::List(items) => items,
            Self::Text(_) | Self::Map(_) => &[],
        }
    }
}

type Lines<'a> = &'a [(usize, &'a str)];

/// What stands at the indentation of the first line, and what is left.
fn block(mut lines: Lines<'_>) -> (Yaml, Lines<'_>) {
    let Some((indent, first)) = lines.first().copied() else { return (Yaml::Map(Vec::new()), lines) };
    if first.starts_with("- ") {
        let count = lines.iter().take_while(|(at, line)| *at == indent && line.starts_with("- ")).count();
        let (items, rest) = lines.split_at(count);
        let items = items.iter().map(|(_, line)| text(&line[2..])).collect();
        return (Yaml::List(items), rest);
    }
    let mut entries = Vec::new();
    while let Some((_, line)) = lines.first().filter(|(at, _)| *at == indent) {
        let (key, value) = line.split_once(':').unwrap_or_else(|| panic!("no key: {line}"));
        lines = &lines[1..];
        let value = match value.trim() {
            // An anchor stands before what it names.
            value if value.is_empty() || value.starts_with('&') => {
                let (inner, rest) = block(lines);
                lines = rest;
                inner
            }
            value if value.starts_with('[') => Yaml::List(list(value)),
            value => Yaml::Text(text(value)),
        };
        entries.push((key.to_owned(), value));
    }
    (Yaml::Map(entries), lines)
}

/// A list in brackets is JSON here.
fn list(value: &str) -> Vec<String> {
    let items: Vec<serde_json::Value> = serde_json::from_str(value).unwrap();
    items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect()
}

/// In double quotes it is JSON, else it is what it is.
fn text(value: &str) -> String {
    match value.starts_with('"') {
        true => serde_json::from_str(value).unwrap(),
        false => value.to_owned(),
    }
}

//! The first file of a project: right as it stands, and a lesson to read.

/// The text of a first `mainstay.toml`, with comments that teach the main settings.
pub const STARTER: &str = include_str!("starter.toml");

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, io, path::PathBuf};

    use super::*;
    use crate::{Inputs, Problems, Project, Source, load};

    fn loaded(text: &str) -> Result<Project, Problems> {
        load(&Inputs {
            base: vec![Source { path: "mainstay.toml".into(), text: text.to_owned() }],
            local: None,
            directory: PathBuf::from("/srv/shop"),
            variables: &BTreeMap::new(),
            read: &|_| Err(io::Error::from(io::ErrorKind::NotFound)),
        })
    }

    #[test]
    fn it_is_right_as_it_stands() {
        let project = loaded(STARTER).unwrap_or_else(|problems| panic!("{}", problems.plain()));
        let ids: Vec<String> = project.specs.iter().map(|spec| spec.id.to_string()).collect();
        assert_eq!(ids, ["hello"]);
        // It starts on any machine.
        assert_eq!(project.specs[0].command.program(), "sh");
    }

    /// A `#` with a space behind it is a sentence, one without is a setting.
    #[test]
    fn each_of_its_settings_may_be_said() {
        let said =
            |line: &str| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).map(str::to_owned);
        let lines: Vec<&str> = STARTER.lines().collect();
        let all: Vec<String> =
            lines.iter().map(|line| said(line).unwrap_or_else(|| (*line).to_owned())).collect();
        let project = loaded(&all.join("\n")).unwrap_or_else(|problems| panic!("{}", problems.plain()));
        assert_eq!(project.specs.len(), 4);
        assert_eq!(project.name, "shop");
        // What says a default is not said for nothing: it is what would be in force.
        let alone = |text: String| loaded(&text).map(|project| project.specs);
        let without = |key: &str| {
            lines.iter().filter(|line| !line.starts_with(key)).copied().collect::<Vec<_>>().join("\n")
        };
        for key in ["restart", "stop"] {
            assert_eq!(alone(without(key)).unwrap(), alone(STARTER.to_owned()).unwrap(), "{key}");
        }
        assert!(lines.iter().all(|line| line.chars().count() <= 120));
    }
}

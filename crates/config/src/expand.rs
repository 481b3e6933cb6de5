//! Replaces `${VAR}`, `${VAR:-default}` and `{instance}` in texts. The variables are handed in.

use std::collections::BTreeMap;

use crate::Code;

/// What is wrong in a text, and the part of it that is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: Code,
    pub(crate) fragment: String,
    pub(crate) message: String,
    pub(crate) help: String,
}

/// A variable that was replaced.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Used {
    /// Its name.
    pub name: String,
    /// What stands for it now.
    pub by: UsedBy,
}

/// What stands for a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UsedBy {
    /// Its value.
    Value,
    /// What follows `:-`, because it is not set or empty.
    Fallback,
}

/// The text with its variables replaced, and which they are; or everything that is wrong with it. `$$` is a `$`, and a `$`
/// before anything but `{` or `$` is itself: texts for a shell stay as they are.
pub(crate) fn variables(
    text: &str,
    variables: &BTreeMap<String, String>,
) -> Result<(String, Vec<Used>), Vec<Fault>> {
    let mut out = String::with_capacity(text.len());
    let (mut faults, mut used) = (Vec::new(), Vec::new());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (plain, from) = rest.split_at(at);
        out.push_str(plain);
        if let Some(after) = from.strip_prefix("$$") {
            out.push('$');
            rest = after;
        } else if let Some(inside) = from.strip_prefix("${") {
            let Some((inside, after)) = inside.split_once('}') else {
                faults.push(unclosed(from));
                return Err(faults);
            };
            match one(inside, variables) {
                Ok((value, variable)) => {
                    out.push_str(value);
                    used.push(variable);
                }
                Err(fault) => faults.push(fault),
            }
            rest = after;
        } else {
            out.push('$');
            rest = from.get(1..).unwrap_or_default();
        }
    }
    out.push_str(rest);
    if faults.is_empty() { Ok((out, used)) } else { Err(faults) }
}

/// The text with its variables and `{instance}` replaced, as in a file.
///
/// # Errors
/// What is wrong with it, and what to do, in one sentence each.
pub fn replaced(text: &str, known: &BTreeMap<String, String>, number: &str) -> Result<String, Vec<String>> {
    let replaced = variables(text, known).map(|(text, _)| text.replace("{instance}", number));
    replaced.map_err(|faults| {
        faults.into_iter().map(|fault| format!("{}: {}", fault.message, fault.help)).collect()
    })
}

/// What stands for `${inside}`.
fn one<'a>(inside: &'a str, variables: &'a BTreeMap<String, String>) -> Result<(&'a str, Used), Fault> {
    let name_end = inside.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(inside.len());
    let (name, rest) = inside.split_at(name_end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(malformed(inside));
    }
    let value = variables.get(name).map(String::as_str);
    let used = |by| Used { name: name.to_owned(), by };
    if rest.is_empty() {
        return value.map(|value| (value, used(UsedBy::Value))).ok_or_else(|| undefined(name));
    }
    let default = rest.strip_prefix(":-").filter(|default| !default.contains("${"));
    let default = default.ok_or_else(|| malformed(inside))?;
    Ok(match value.filter(|value| !value.is_empty()) {
        Some(value) => (value, used(UsedBy::Value)),
        None => (default, used(UsedBy::Fallback)),
    })
}

fn undefined(name: &str) -> Fault {
    Fault {
        code: Code::UndefinedVariable,
        fragment: format!("${{{name}}}"),
        message: format!("the variable `{name}` is not set"),
        help: format!("set it before calling mainstay, or give a default: `${{{name}:-…}}`"),
    }
}

fn malformed(inside: &str) -> Fault {
    Fault {
        code: Code::InvalidSubstitution,
        fragment: format!("${{{inside}}}"),
        message: format!("`${{{inside}}}` is neither `${{VAR}}` nor `${{VAR:-default}}`"),
        help:
            "name one variable of letters, digits and `_`; defaults do not nest; for a plain `${` write `$${`"
                .to_owned(),
    }
}

fn unclosed(from: &str) -> Fault {
    Fault {
        code: Code::InvalidSubstitution,
        fragment: from.to_owned(),
        message: "`${` without its `}`".to_owned(),
        help: "write `${VAR}` or `${VAR:-default}`; for a plain `${` write `$${`".to_owned(),
    }
}

/// The text with `{instance}` replaced by this number.
pub(crate) fn instance(text: &str, number: u32) -> String {
    text.replace("{instance}", &number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<String, Vec<Code>> {
        let known = BTreeMap::from([("A", "one"), ("EMPTY", "")]);
        let known = known.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let expanded = variables(text, &known).map(|(text, _)| text);
        expanded.map_err(|faults| faults.iter().map(|fault| fault.code).collect())
    }

    /// A row per rule.
    #[test]
    fn variables_are_replaced_and_other_dollars_stay() {
        let rows = [
            ("", ""),
            ("plain", "plain"),
            ("${A}", "one"),
            ("<${A}|${A}>", "<one|one>"),
            ("${A:-x}", "one"),
            ("${B:-x}", "x"),
            ("${B:-}", ""),
            ("${B:-a b:-c}", "a b:-c"),
            ("${EMPTY}", ""),
            ("${EMPTY:-x}", "x"),
            ("$$", "$"),
            ("$${A}", "${A}"),
            ("$A", "$A"),
            ("cost: 5$", "cost: 5$"),
            ("ä${A}ö", "äoneö"),
        ];
        for (text, wanted) in rows {
            assert_eq!(expanded(text), Ok(wanted.to_owned()), "{text}");
        }
    }

    #[test]
    fn each_variable_is_told_with_what_stands_for_it() {
        let known = BTreeMap::from([("A".to_owned(), "one".to_owned())]);
        let (_, used) = variables("$${X} ${A}-${A:-x}-${B:-y}", &known).unwrap();
        let used: Vec<(&str, UsedBy)> = used.iter().map(|used| (used.name.as_str(), used.by)).collect();
        assert_eq!(used, [("A", UsedBy::Value), ("A", UsedBy::Value), ("B", UsedBy::Fallback)]);
    }

    #[test]
    fn every_fault_of_a_text_is_told() {
        let rows = [
            ("${B}", vec![Code::UndefinedVariable]),
            ("${B} ${C}", vec![Code::UndefinedVariable, Code::UndefinedVariable]),
            ("${}", vec![Code::InvalidSubstitution]),
            ("${1A}", vec![Code::InvalidSubstitution]),
            ("${A-x}", vec![Code::InvalidSubstitution]),
            ("${A:?x}", vec![Code::InvalidSubstitution]),
            ("${A:-${B}}", vec![Code::InvalidSubstitution]),
            ("${B} ${A", vec![Code::UndefinedVariable, Code::InvalidSubstitution]),
        ];
        for (text, wanted) in rows {
            assert_eq!(expanded(text), Err(wanted), "{text}");
        }
    }
}

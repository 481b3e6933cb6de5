//! What a person means by a name, or that there is no such thing.

use std::collections::BTreeSet;

use mainstay_model::ServiceId;
use mainstay_wire::{ErrorCode, WireError};

/// How many names an error lists.
const SHOWN: usize = 10;

/// Everything that these patterns mean.
///
/// # Errors
/// The first pattern that means nothing.
pub(crate) fn chosen<'a>(
    patterns: &[String],
    ids: impl Iterator<Item = &'a ServiceId> + Clone,
) -> Result<BTreeSet<ServiceId>, WireError> {
    let mut all = BTreeSet::new();
    for pattern in patterns {
        let found = mainstay_decide::select(pattern, ids.clone());
        if found.is_empty() {
            return Err(unknown(pattern, ids));
        }
        all.extend(found);
    }
    Ok(all)
}

fn unknown<'a>(pattern: &str, ids: impl Iterator<Item = &'a ServiceId>) -> WireError {
    let names: BTreeSet<String> = ids.map(|id| id.name.to_string()).collect();
    let shown: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    let more = names.len().saturating_sub(SHOWN);
    let help = match (shown.is_empty(), more) {
        (true, _) => "the project has no services".to_owned(),
        (false, 0) => format!("there are: {}", shown.join(", ")),
        (false, more) => format!("there are: {} and {more} more (`mainstay list`)", shown.join(", ")),
    };
    WireError::new(ErrorCode::NoSuchService, format!("there is no service `{pattern}`")).with_help(help)
}

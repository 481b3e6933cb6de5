//! Doc comments as help.

use syn::{Attribute, Expr, Lit, Meta};

/// The documentation that stands on something.
pub(crate) fn help(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter(|attribute| attribute.path().is_ident("doc"));
    let lines = lines.filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) => match &pair.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(text.value().trim().to_owned()),
                _ => None,
            },
            _ => None,
        },
        Meta::Path(_) | Meta::List(_) => None,
    });
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

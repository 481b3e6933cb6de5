//! The local socket's reference, from the doc comments of `wire`: its types are the protocol, so they are its manual.

use std::{collections::BTreeSet, path::Path};

use anyhow::{Context as _, Result};
use syn::{
    Attribute, Expr, Fields, GenericArgument, Item, ItemEnum, ItemStruct, Lit, Meta, PathArguments, Type,
    Variant, spanned::Spanned as _,
};

use crate::repo;

/// The types of a socket, as a page tells them.
pub(super) struct Protocol {
    title: &'static str,
    /// Read in this order; later ones only for the types that earlier ones name.
    files: &'static [&'static str],
    /// What a client can say and hear begins here.
    roots: &'static [&'static str],
}

/// What a running service speaks.
pub(super) const CALLS: Protocol = Protocol {
    title: "Calling a running service",
    files: &["calls.rs"],
    roots: &[
        "CallRequest",
        "CallAnswer",
        "CallRefusal",
        "CallEvent",
        "MethodsView",
        "CallStatus",
        "CallHealth",
        "CallStats",
        "SettingView",
    ],
};

/// What the daemon speaks.
pub(super) const DAEMON: Protocol =
    Protocol { title: "The local socket", files: &FILES, roots: &["Request", "Reply"] };

const FILES: [&str; 8] = [
    "socket.rs",
    "socket_error.rs",
    "socket_view.rs",
    "socket_explain.rs",
    "socket_history.rs",
    "socket_plan.rs",
    "spec.rs",
    "care.rs",
];

/// The page.
pub(super) fn page(dir: &Path, protocol: &Protocol) -> Result<String> {
    let mut shapes = Vec::new();
    let mut bounds = String::new();
    let mut intro = String::new();
    for name in protocol.files {
        let path = dir.join(name);
        let file = syn::parse_file(&repo::read(&path)?)
            .with_context(|| format!("`{}` is no Rust", path.display()))?;
        if intro.is_empty() {
            intro = prose(&file.attrs);
            bounds = file.items.iter().filter_map(bound).collect();
        }
        shapes.extend(file.items.iter().filter_map(shape));
    }
    let mut page = format!("# {}\n\n{intro}\n", protocol.title);
    if !bounds.is_empty() {
        page.push_str(&format!("\n| number | is | meaning |\n| --- | --- | --- |\n{bounds}"));
    }
    for shape in shapes_in_use(&shapes, protocol.roots) {
        page.push_str(&format!("\n## {}\n\n{}\n", shape.title, shape.text));
    }
    Ok(page)
}

/// A public number of the protocol, as a row of the table.
fn bound(item: &Item) -> Option<String> {
    let Item::Const(item) = item else { return None };
    let value = item.expr.span().source_text()?;
    Some(format!("| `{}` | {value} | {} |\n", item.ident, cell(&item.attrs)))
}

/// A type that crosses the socket.
struct Shape {
    name: String,
    title: String,
    text: String,
    /// The types that it names.
    names: BTreeSet<String>,
}

/// Every shape that can be reached from the roots, in the order of the files.
fn shapes_in_use<'a>(shapes: &'a [Shape], roots: &[&'a str]) -> impl Iterator<Item = &'a Shape> {
    let mut used: BTreeSet<&str> = roots.iter().copied().collect();
    loop {
        let before = used.len();
        let named = shapes.iter().filter(|it| used.contains(it.name.as_str())).flat_map(|it| &it.names);
        let named: Vec<&str> = named.map(String::as_str).collect();
        used.extend(named);
        if used.len() == before {
            return shapes.iter().filter(move |shape| used.contains(shape.name.as_str()));
        }
    }
}

fn shape(item: &Item) -> Option<Shape> {
    match item {
        Item::Struct(item) if is_data(&item.attrs) => Some(of_struct(item)),
        Item::Enum(item) if is_data(&item.attrs) => Some(of_enum(item)),
        _ => None,
    }
}

fn of_struct(item: &ItemStruct) -> Shape {
    let mut names = BTreeSet::new();
    let text = paragraphs(&[&prose(&item.attrs), &table(&item.fields, &mut names)]);
    Shape { name: item.ident.to_string(), title: format!("`{}`", item.ident), text, names }
}

/// A plain list of words when no variant holds anything.
fn of_enum(item: &ItemEnum) -> Shape {
    let mut names = BTreeSet::new();
    let tag = serde_text(&item.attrs, "tag");
    let holds_nothing = item.variants.iter().all(|variant| variant.fields.is_empty());
    let body = if holds_nothing && tag.is_none() {
        words(item)
    } else {
        let variants: Vec<String> =
            item.variants.iter().map(|variant| of_variant(variant, tag.as_deref(), &mut names)).collect();
        variants.join("\n\n")
    };
    let text = paragraphs(&[&prose(&item.attrs), &body]);
    Shape { name: item.ident.to_string(), title: format!("`{}`", item.ident), text, names }
}

fn words(item: &ItemEnum) -> String {
    let row = |variant: &Variant| format!("\n| `\"{}\"` | {} |", word(variant), cell(&variant.attrs));
    "| word | meaning |\n| --- | --- |".to_owned() + &item.variants.iter().map(row).collect::<String>()
}

/// Those that say anything, with an empty line between them.
fn paragraphs(texts: &[&str]) -> String {
    texts.iter().copied().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n\n")
}

fn of_variant(variant: &Variant, tag: Option<&str>, names: &mut BTreeSet<String>) -> String {
    let head = match tag {
        Some(tag) => format!("`\"{tag}\": \"{}\"`", word(variant)),
        None => format!("`\"{}\"`", word(variant)),
    };
    let about = prose(&variant.attrs);
    let fields = match &variant.fields {
        Fields::Unnamed(unnamed) => {
            let types: Vec<String> =
                unnamed.unnamed.iter().map(|field| type_text(&field.ty, names)).collect();
            match tag {
                Some(_) => format!("With the fields of {}.", types.join(", ")),
                None => format!("An object with this one field, which holds: {}.", types.join(", ")),
            }
        }
        fields @ (Fields::Named(_) | Fields::Unit) => table(fields, names),
    };
    paragraphs(&[&format!("### {head}"), &about, &fields])
}

fn table(fields: &Fields, names: &mut BTreeSet<String>) -> String {
    if fields.is_empty() {
        return String::new();
    }
    let mut text = "| field | type | meaning |\n| --- | --- | --- |".to_owned();
    for field in fields {
        let name = field.ident.as_ref().map(ToString::to_string).unwrap_or_default();
        let name = name.trim_start_matches("r#");
        let kind = type_text(&field.ty, names);
        let (name, kind) = if serde_has(&field.attrs, "flatten") {
            (String::new(), format!("the fields of {}", kind.trim_end_matches(" or `null`")))
        } else {
            (format!("`{name}`"), kind)
        };
        text.push_str(&format!("\n| {name} | {kind} | {} |", cell(&field.attrs)));
    }
    text
}

/// A type in the words of JSON.
fn type_text(kind: &Type, names: &mut BTreeSet<String>) -> String {
    let Type::Path(path) = kind else { return "value".to_owned() };
    let Some(last) = path.path.segments.last() else { return "value".to_owned() };
    let mut inner = match &last.arguments {
        PathArguments::AngleBracketed(list) => list.args.iter().filter_map(|argument| match argument {
            GenericArgument::Type(kind) => Some(type_text(kind, names)),
            _ => None,
        }),
        PathArguments::None | PathArguments::Parenthesized(_) => {
            return plain(&last.ident.to_string(), names);
        }
    }
    .collect::<Vec<_>>();
    let value = inner.pop().unwrap_or_default();
    match last.ident.to_string().as_str() {
        "Option" => format!("{value} or `null`"),
        "Vec" | "BTreeSet" => format!("list of {value}"),
        "BTreeMap" => format!("object of {value}"),
        _ => value,
    }
}

fn plain(name: &str, names: &mut BTreeSet<String>) -> String {
    match name {
        "String" | "PathBuf" => "text".to_owned(),
        "Value" => "any JSON".to_owned(),
        "bool" => "`true` or `false`".to_owned(),
        "u8" | "u16" | "u32" | "u64" | "i32" | "i64" | "f64" | "usize" => "number".to_owned(),
        name => {
            names.insert(name.to_owned());
            format!("[`{name}`](#{})", name.to_lowercase())
        }
    }
}

/// `NoSuchService` as `no-such-service`.
fn word(variant: &Variant) -> String {
    let mut word = String::new();
    for letter in variant.ident.to_string().chars() {
        if letter.is_uppercase() && !word.is_empty() {
            word.push('-');
        }
        word.extend(letter.to_lowercase());
    }
    word
}

fn is_data(attributes: &[Attribute]) -> bool {
    attributes.iter().filter(|it| it.path().is_ident("derive")).any(|derive| match &derive.meta {
        Meta::List(list) => list.tokens.to_string().contains("Serialize"),
        Meta::Path(_) | Meta::NameValue(_) => false,
    })
}

/// `tag = "…"` of a serde attribute.
fn serde_text(attributes: &[Attribute], key: &str) -> Option<String> {
    let mut found = None;
    for attribute in attributes.iter().filter(|it| it.path().is_ident("serde")) {
        let read = attribute.parse_nested_meta(|meta| {
            let is_it = meta.path.is_ident(key);
            if let Ok(value) = meta.value() {
                let text: Lit = value.parse()?;
                if let (true, Lit::Str(text)) = (is_it, text) {
                    found = Some(text.value());
                }
            }
            Ok(())
        });
        debug_assert!(read.is_ok(), "a serde attribute that is not a list of words and values");
    }
    found
}

fn serde_has(attributes: &[Attribute], key: &str) -> bool {
    let lists = attributes
        .iter()
        .filter(|it| it.path().is_ident("serde"))
        .filter_map(|it| it.meta.require_list().ok());
    lists.into_iter().any(|list| list.tokens.clone().into_iter().any(|token| token.to_string() == key))
}

/// A doc comment as Markdown, with links into the code turned into plain code.
fn prose(attributes: &[Attribute]) -> String {
    let lines: Vec<String> = attributes.iter().filter_map(doc_line).collect();
    plain_links(
        lines.iter().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n").trim(),
    )
}

/// A doc comment on one line of a table.
fn cell(attributes: &[Attribute]) -> String {
    prose(attributes).replace('\n', " ").replace('|', "\\|")
}

fn doc_line(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(pair) = &attribute.meta else { return None };
    let Expr::Lit(literal) = &pair.value else { return None };
    match &literal.lit {
        Lit::Str(text) if pair.path.is_ident("doc") => Some(text.value()),
        _ => None,
    }
}

/// ``[`Answer::Pong`]`` and ``[text](crate::path)`` lose their brackets.
fn plain_links(text: &str) -> String {
    let mut rest = text;
    let mut plain = String::new();
    while let Some((before, link)) = rest.split_once('[') {
        plain.push_str(before);
        let Some((label, after)) = link.split_once(']') else {
            plain.push('[');
            rest = link;
            continue;
        };
        plain.push_str(label);
        rest = match after.strip_prefix('(').and_then(|after| after.split_once(')')) {
            Some((_, after)) => after,
            None => after,
        };
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = r#"
        //! One line each way, see [the rules](crate::rules).

        /// The longest line.
        pub const LIMIT: usize = 16 * 1024;

        /// What a client asks.
        #[derive(Clone, Serialize)]
        #[serde(tag = "request", rename_all = "kebab-case")]
        pub enum Request {
            /// Answered by [`Reply`].
            BeThere,
            /// Do.
            Act {
                /// What | how.
                act: Act,
                /// Who.
                names: Vec<String>,
            },
        }
        /// Which.
        #[derive(Serialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Act {
            /// Up.
            GetUp,
        }
        /// An answer.
        #[derive(Serialize)]
        pub struct Reply {
            /// If so.
            ok: bool,
            /// More.
            #[serde(flatten, default)]
            more: Option<Extra>,
        }
        /// More.
        #[derive(Serialize)]
        pub struct Extra {
            /// When.
            since_ms: Option<u64>,
        }
        /// Nobody asks for it.
        #[derive(Serialize)]
        pub struct Unused {}
    "#;

    #[test]
    fn the_types_are_told_in_the_words_of_json() {
        let dir = tempfile::tempdir().unwrap();
        for file in FILES {
            std::fs::write(dir.path().join(file), "//! Nothing.").unwrap();
        }
        std::fs::write(dir.path().join("socket.rs"), SAMPLE).unwrap();
        let expected = "# The local socket\n\nOne line each way, see the rules.\n\n\
            | number | is | meaning |\n| --- | --- | --- |\n| `LIMIT` | 16 * 1024 | The longest line. |\n\n\
            ## `Request`\n\nWhat a client asks.\n\n### `\"request\": \"be-there\"`\n\nAnswered by `Reply`.\n\n\
            ### `\"request\": \"act\"`\n\nDo.\n\n| field | type | meaning |\n| --- | --- | --- |\n\
            | `act` | [`Act`](#act) | What \\| how. |\n| `names` | list of text | Who. |\n\n\
            ## `Act`\n\nWhich.\n\n| word | meaning |\n| --- | --- |\n| `\"get-up\"` | Up. |\n\n\
            ## `Reply`\n\nAn answer.\n\n| field | type | meaning |\n| --- | --- | --- |\n\
            | `ok` | `true` or `false` | If so. |\n|  | the fields of [`Extra`](#extra) | More. |\n\n\
            ## `Extra`\n\nMore.\n\n| field | type | meaning |\n| --- | --- | --- |\n\
            | `since_ms` | number or `null` | When. |\n";
        assert_eq!(page(dir.path(), &DAEMON).unwrap(), expected);
    }
}

//! A call, read from XML that anybody may have written: no entities but the five, no document types, bounded in depth and count.

use quick_xml::{
    Reader,
    escape::resolve_predefined_entity,
    events::{BytesRef, Event},
};

use super::Value;

/// How deep elements may be in each other. A list in a list costs three.
const DEPTH_LIMIT: usize = 64;

/// How many elements a call may have.
const ELEMENT_LIMIT: usize = 20_000;

/// A method and what it is called with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    /// `supervisor.getState`.
    pub(crate) method: String,
    /// By position.
    pub(crate) parameters: Vec<Value>,
}

/// Why a text is no call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// Reads a call.
///
/// # Errors
/// The text is no XML, or no call, or too deep or too large for one.
pub(crate) fn call(text: &[u8]) -> Result<Call, Malformed> {
    let text = std::str::from_utf8(text).map_err(|_| Malformed("it is not UTF-8"))?;
    let root = document(text)?;
    if root.name != "methodCall" {
        return Err(Malformed("it is no `methodCall`"));
    }
    let method = root.child("methodName").map(|name| name.text.trim().to_owned()).unwrap_or_default();
    if method.is_empty() {
        return Err(Malformed("it names no method"));
    }
    let parameters = match root.child("params") {
        Some(parameters) => parameters.children.iter().map(parameter).collect::<Result<_, _>>()?,
        None => Vec::new(),
    };
    Ok(Call { method, parameters })
}

#[derive(Debug, Default)]
struct Element {
    name: String,
    text: String,
    children: Vec<Element>,
}

impl Element {
    fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    fn require(&self, name: &str) -> Result<&Self, Malformed> {
        self.child(name).ok_or(Malformed("an element lacks one that belongs into it"))
    }
}

/// The whole text as elements; attributes, comments and instructions are left out.
fn document(text: &str) -> Result<Element, Malformed> {
    let no_xml = Malformed("it is no well-formed XML");
    let mut reader = Reader::from_str(text);
    // The first one stands for what is around the root.
    let mut open = vec![Element::default()];
    let mut count = 0;
    loop {
        let event = reader.read_event().map_err(|_| no_xml)?;
        count += usize::from(matches!(event, Event::Start(_) | Event::Empty(_)));
        if open.len() > DEPTH_LIMIT || count > ELEMENT_LIMIT {
            return Err(Malformed("it has too many elements, or they are too deep"));
        }
        let top = open.last_mut().ok_or(no_xml)?;
        match event {
            Event::Start(tag) => {
                open.push(Element { name: name(tag.name().as_ref()), ..Element::default() });
            }
            Event::Empty(tag) => {
                top.children.push(Element { name: name(tag.name().as_ref()), ..Element::default() });
            }
            Event::End(_) => {
                let closed = open.pop().ok_or(no_xml)?;
                open.last_mut().ok_or(no_xml)?.children.push(closed);
            }
            Event::Text(text) => top.text.push_str(&text.decode().map_err(|_| no_xml)?),
            Event::CData(text) => top.text.push_str(&text.decode().map_err(|_| no_xml)?),
            Event::GeneralRef(reference) => top.text.push_str(&resolve(&reference)?),
            Event::DocType(_) => return Err(Malformed("document types are not read")),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
    }
    match (open.pop(), open.is_empty()) {
        (Some(mut around), true) if around.children.len() == 1 && around.text.trim().is_empty() => {
            around.children.pop().ok_or(no_xml)
        }
        _ => Err(no_xml),
    }
}

fn name(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

/// `&amp;`, `&#38;`: the five, and numbers. Nothing else is ever expanded.
fn resolve(reference: &BytesRef<'_>) -> Result<String, Malformed> {
    let unknown = Malformed("it holds an entity that is not one of the five");
    if let Some(character) = reference.resolve_char_ref().map_err(|_| unknown)? {
        return Ok(character.to_string());
    }
    let name = reference.decode().map_err(|_| unknown)?;
    resolve_predefined_entity(&name).map(str::to_owned).ok_or(unknown)
}

fn parameter(element: &Element) -> Result<Value, Malformed> {
    value(element.require("value")?)
}

/// `<value>` with a type in it, or with bare text, which is a text.
fn value(element: &Element) -> Result<Value, Malformed> {
    let Some(typed) = element.children.first() else { return Ok(Value::text(element.text.clone())) };
    let number = Malformed("a number is none");
    let text = typed.text.trim();
    match typed.name.as_str() {
        "int" | "i4" | "i8" => text.parse().map(Value::int).map_err(|_| number),
        "boolean" => match text {
            "0" => Ok(Value::Flag(false)),
            "1" => Ok(Value::Flag(true)),
            _ => Err(Malformed("a boolean is neither 0 nor 1")),
        },
        "double" => text.parse().map(Value::Number).map_err(|_| number),
        // Taken as they are written: no method wants a time or bytes.
        "string" | "dateTime.iso8601" | "base64" => Ok(Value::text(typed.text.clone())),
        "nil" => Ok(Value::Nothing),
        "array" => {
            typed.require("data")?.children.iter().map(value).collect::<Result<_, _>>().map(Value::List)
        }
        "struct" => typed.children.iter().map(member).collect::<Result<_, _>>().map(Value::Struct),
        _ => Err(Malformed("a value is of no known type")),
    }
}

fn member(element: &Element) -> Result<(String, Value), Malformed> {
    Ok((element.require("name")?.text.clone(), value(element.require("value")?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(value: &str) -> String {
        format!(
            "<?xml version='1.0'?>\n<methodCall>\n<methodName>m</methodName>\n<params>\n<param>\n{value}\n</param>\n</params>\n</methodCall>\n"
        )
    }

    fn first(value: &str) -> Value {
        call(with(value).as_bytes()).unwrap().parameters.remove(0)
    }

    #[test]
    fn every_type_is_read() {
        assert_eq!(
            first("<value><string>a &lt;b&gt; &amp; &#228;&#x41;</string></value>"),
            Value::text("a <b> & äA")
        );
        assert_eq!(first("<value>bare</value>"), Value::text("bare"));
        assert_eq!(first("<value/>"), Value::text(""));
        assert_eq!(first("<value><string><![CDATA[<x>]]></string></value>"), Value::text("<x>"));
        assert_eq!(first("<value><int>-7</int></value>"), Value::Int(-7));
        assert_eq!(first("<value><boolean>1</boolean></value>"), Value::Flag(true));
        assert_eq!(first("<value><double>1.5</double></value>"), Value::Number(1.5));
        assert_eq!(first("<value><nil/></value>"), Value::Nothing);
        assert_eq!(
            first("<value><array><data><value>a</value><value><i4>1</i4></value></data></array></value>"),
            Value::List(vec![Value::text("a"), Value::Int(1)])
        );
        assert_eq!(
            first("<value><struct><member><name>a</name><value>b</value></member></struct></value>"),
            Value::fields([("a", Value::text("b"))])
        );
        let bare = call(b"<methodCall><methodName> m </methodName></methodCall>").unwrap();
        assert_eq!(bare, Call { method: "m".to_owned(), parameters: Vec::new() });
    }

    #[test]
    fn what_is_no_call_is_refused() {
        let open = "<value><array><data>".repeat(1000);
        let closed = "</data></array></value>".repeat(1000);
        let many = format!("<value><array><data>{}</data></array></value>", "<value/>".repeat(ELEMENT_LIMIT));
        let rows = [
            String::new(),
            "hello".to_owned(),
            "<methodCall>".to_owned(),
            "<methodCall></params>".to_owned(),
            "<methodCall/>".to_owned(),
            "<methodCall/><methodCall/>".to_owned(),
            "<methodCall><methodName/></methodCall>".to_owned(),
            "<x><methodName>m</methodName></x>".to_owned(),
            "</methodCall>".to_owned(),
            with("<x/>"),
            with("<value><int>x</int></value>"),
            with("<value><what/></value>"),
            with("<value>&unknown;</value>"),
            with("<value>&</value>"),
            with("<value>&#0;</value>"),
            with(&format!("{open}{closed}")),
            with(&open),
            with(&many),
            format!("<!DOCTYPE a [<!ENTITY b \"c\">]>{}", with("<value>&b;</value>")),
        ];
        for row in rows {
            assert!(call(row.as_bytes()).is_err(), "{row:.60}");
        }
        assert!(call(b"<methodCall><methodName>\xff</methodName></methodCall>").is_err());
    }

    /// Whatever is cut off or flipped is an error or another call, never a panic.
    #[test]
    fn no_damage_makes_it_panic() {
        let whole = with(
            "<value><struct><member><name>a</name><value><int>1</int></value></member></struct></value>",
        );
        for end in 0..whole.len() {
            let _ = call(&whole.as_bytes()[..end]);
        }
        for at in 0..whole.len() {
            for byte in [0, b'<', b'&', b'/', 0xff] {
                let mut damaged = whole.clone().into_bytes();
                damaged[at] = byte;
                let _ = call(&damaged);
            }
        }
    }
}

//! Responses as XML. What XML cannot hold is replaced, so that no log can break one.

use std::fmt::Write as _;

use super::Value;
use crate::fault::Fault;

/// A response with one value.
pub(crate) fn response(value: &Value) -> String {
    let mut text = "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n".to_owned();
    push(&mut text, value);
    text.push_str("\n</param>\n</params>\n</methodResponse>\n");
    text
}

/// A fault as a value, as it stands in a fault's response and in the results of several calls.
pub(crate) fn fault_value(fault: &Fault) -> Value {
    Value::fields([("faultCode", Value::Int(fault.number())), ("faultString", Value::text(fault.text()))])
}

/// The response to a call that failed.
pub(crate) fn fault(fault: &Fault) -> String {
    let mut text = "<?xml version='1.0'?>\n<methodResponse>\n<fault>\n".to_owned();
    push(&mut text, &fault_value(fault));
    text.push_str("\n</fault>\n</methodResponse>\n");
    text
}

fn push(text: &mut String, value: &Value) {
    text.push_str("<value>");
    match value {
        // Writing to a string cannot fail.
        Value::Int(number) => _ = write!(text, "<int>{number}</int>"),
        Value::Flag(flag) => _ = write!(text, "<boolean>{}</boolean>", u8::from(*flag)),
        Value::Number(number) => _ = write!(text, "<double>{number}</double>"),
        Value::Text(words) => {
            text.push_str("<string>");
            push_escaped(text, words);
            text.push_str("</string>");
        }
        Value::List(values) => {
            text.push_str("<array><data>");
            values.iter().for_each(|value| push(text, value));
            text.push_str("</data></array>");
        }
        Value::Struct(fields) => {
            text.push_str("<struct>");
            for (name, value) in fields {
                text.push_str("<member><name>");
                push_escaped(text, name);
                text.push_str("</name>");
                push(text, value);
                text.push_str("</member>");
            }
            text.push_str("</struct>");
        }
        Value::Nothing => text.push_str("<nil/>"),
    }
    text.push_str("</value>");
}

/// XML 1.0 has no place for most control characters, not even escaped (its production 2, `Char`).
fn push_escaped(text: &mut String, words: &str) {
    for character in words.chars() {
        match character {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            // A bare one would be read as the end of a line.
            '\r' => text.push_str("&#13;"),
            '\t' | '\n' | ' '..='\u{fffd}' | '\u{10000}'.. => text.push(character),
            _ => text.push(char::REPLACEMENT_CHARACTER),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Code;

    #[test]
    fn every_type_is_written() {
        let value = Value::List(vec![
            Value::Int(-1),
            Value::Flag(true),
            Value::text("a<b>&\r\n\u{1b}[0m\u{ffff}ä😀"),
            Value::Number(0.5),
            Value::fields([("a", Value::Nothing)]),
        ]);
        let text = response(&value);
        let expected = "<value><array><data><value><int>-1</int></value><value><boolean>1</boolean></value>\
             <value><string>a&lt;b&gt;&amp;&#13;\n\u{fffd}[0m\u{fffd}ä😀</string></value><value><double>0.5</double></value>\
             <value><struct><member><name>a</name><value><nil/></value></member></struct></value></data></array></value>";
        assert!(text.contains(expected), "{text}");
        let text = fault(&Fault::new(Code::BadName, "nope"));
        assert!(text.contains("<int>10</int>") && text.contains("<string>BAD_NAME: nope</string>"), "{text}");
    }
}

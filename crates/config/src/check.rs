//! Holds a tree against the declared settings: replaces variables, turns words into typed values, and reports what is
//! unknown, not supported yet or malformed. What it lets through has the declared types, and needs no second look.

pub(crate) use table::{meant, variable_name};

mod leaf;
mod table;

use std::collections::BTreeMap;

use crate::{
    Code, expand,
    report::{Place, Report},
    setting::{Keys, Setting, Shape},
    trail::Trail,
    tree::{Data, Value},
};

/// Where a value hangs: for messages.
#[derive(Clone, Debug)]
pub(crate) struct Spot {
    /// `service.api.stop.timeout`.
    path: String,
    /// `timeout`, for examples; empty inside a list.
    key: String,
    /// A value that is right here.
    example: String,
    /// What else is possible: "a whole number".
    also: Option<String>,
}

impl Spot {
    fn root() -> Self {
        Self { path: String::new(), key: String::new(), example: String::new(), also: None }
    }

    /// Below a free key.
    fn free(&self, key: &str, shape: &Shape) -> Self {
        Self { path: self.joined(key), key: key.to_owned(), example: shape.example(), also: None }
    }

    /// Below a declared one.
    fn setting(&self, setting: &Setting) -> Self {
        let key = setting.key.to_owned();
        Self { path: self.joined(&key), key, example: setting.example(), also: None }
    }

    fn joined(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

/// The checker: what it needs, and where it reports.
pub(crate) struct Check<'a> {
    pub(crate) report: &'a mut Report,
    pub(crate) variables: &'a BTreeMap<String, String>,
    pub(crate) trail: &'a mut Trail,
}

impl Check<'_> {
    /// The whole file, typed. What is wrong is left out, and reported.
    pub(crate) fn file(&mut self, table: crate::tree::Table) -> crate::tree::Table {
        self.settings(table, &crate::shape::FILE, &Spot::root(), None)
    }

    /// The value, typed; `None` when it is wrong, which is reported.
    fn value(&mut self, value: Value, shape: &Shape, spot: &Spot) -> Option<Value> {
        if !shape.accepts(&value.data) {
            self.wrong_type(&value, shape, spot);
            return None;
        }
        let place = value.place.clone();
        match shape {
            Shape::Table(fields) => self.table(fields.spelled_out(value), fields, spot),
            Shape::Inherited(fields) => self.inherited(value, fields, spot),
            Shape::Map(keys, of) => self.map(value, *keys, of, spot),
            Shape::List(of) => self.list(value, of, spot),
            Shape::Either(shapes) => {
                let fitting = shapes.iter().find(|shape| shape.accepts(&value.data))?;
                let others = shapes.iter().filter(|shape| !shape.accepts(&value.data));
                let also = others.map(Shape::expected).next();
                self.value(value, fitting, &Spot { also, ..spot.clone() })
            }
            Shape::Command => self.command(value, spot),
            Shape::Any => self.any(value, spot),
            Shape::Text
            | Shape::Scalar
            | Shape::Duration(_)
            | Shape::Size(_)
            | Shape::Signal
            | Shape::Address
            | Shape::Boolean
            | Shape::Whole(..)
            | Shape::Factor
            | Shape::Word(_) => {
                let data = self.leaf(value, shape, spot)?;
                Some(Value { place, data })
            }
        }
    }

    fn list(&mut self, value: Value, of: &Shape, spot: &Spot) -> Option<Value> {
        let Data::List(items) = value.data else { return None };
        let spot = Spot { key: String::new(), example: of.example(), ..spot.clone() };
        let checked: Vec<Option<Value>> = items.into_iter().map(|item| self.value(item, of, &spot)).collect();
        let items: Option<Vec<Value>> = checked.into_iter().collect();
        Some(Value { place: value.place, data: Data::List(items?) })
    }

    /// What only the service knows: its variables are replaced, and nothing else is looked at.
    fn any(&mut self, value: Value, spot: &Spot) -> Option<Value> {
        let Value { place, data } = value;
        let data = match data {
            Data::Text(text) => Data::Text(self.expanded(&text, &place)?),
            list @ Data::List(_) => {
                self.list(Value { place: place.clone(), data: list }, &Shape::Any, spot)?.data
            }
            table @ Data::Table(_) => {
                let table = Value { place: place.clone(), data: table };
                self.map(table, Keys::Settings, &Shape::Any, spot)?.data
            }
            data => data,
        };
        Some(Value { place, data })
    }

    fn wrong_type(&mut self, value: &Value, shape: &Shape, spot: &Spot) {
        let number = matches!(value.data, Data::Integer(_) | Data::Float(_));
        let (code, message) = match shape {
            Shape::Duration(_) if number => {
                (Code::InvalidDuration, format!("the duration `{}` has no unit", spot.path))
            }
            Shape::Size(_) if number => (Code::InvalidSize, format!("the size `{}` has no unit", spot.path)),
            _ => {
                let (wanted, given) = (shape.expected(), value.data.what());
                (Code::WrongType, format!("`{}` takes {wanted}, not {given}", spot.path))
            }
        };
        let example = mended(&value.data, shape).unwrap_or_else(|| spot.example.clone());
        let help = match spot.key.as_str() {
            "" => format!("for example: {example}"),
            key => format!("for example: {key} = {example}"),
        };
        self.report.add(code, &value.place, message, help);
    }

    /// The text with its variables replaced.
    fn expanded(&mut self, text: &str, place: &Place) -> Option<String> {
        if text.contains('\0') {
            let message = "a text holds a NUL byte, which no program can be handed";
            self.report.add(Code::InvalidValue, place, message, "take out the \\u0000");
            return None;
        }
        match expand::variables(text, self.variables) {
            Ok((text, used)) => {
                self.trail.note_text(place, &text, used);
                Some(text)
            }
            Err(faults) => {
                for fault in faults {
                    let place = self.report.narrow(place, &fault.fragment);
                    self.report.add(fault.code, &place, fault.message, fault.help);
                }
                None
            }
        }
    }
}

/// What was probably meant, in the form that is right: `5` as `"5s"`.
fn mended(data: &Data, shape: &Shape) -> Option<String> {
    let number = match data {
        Data::Integer(number) => number.to_string(),
        Data::Float(number) => number.to_string(),
        Data::Text(text) if matches!(shape, Shape::Whole(..) | Shape::Factor) => {
            return text.trim().parse::<u32>().ok().map(|number| number.to_string());
        }
        _ => return None,
    };
    match shape {
        Shape::Duration(_) if !number.starts_with('-') => Some(format!("\"{number}s\"")),
        Shape::Size(_) if !number.starts_with('-') => Some(format!("\"{number}B\"")),
        Shape::Text | Shape::Scalar => Some(format!("\"{number}\"")),
        _ => None,
    }
}

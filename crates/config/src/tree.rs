//! A file as a tree in which every key and value knows its place. Knows no setting by name.

use std::time::Duration;

use mainstay_model::{Bytes, Signal};

use crate::report::Place;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Value {
    pub(crate) place: Place,
    pub(crate) data: Data,
}

/// What a value is. The checker turns texts into the variants below the line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Data {
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    List(Vec<Value>),
    Table(Table),
    /// What no setting takes: a date, a number beyond 64 bits.
    Strange(&'static str),
    // ---
    Duration(Duration),
    Size(Bytes),
    Signal(Signal),
    /// Thousandths.
    Factor(u32),
}

impl Data {
    /// In a sentence: "not a list".
    pub(crate) fn what(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Integer(_) => "a whole number",
            Self::Float(_) | Self::Factor(_) => "a number",
            Self::Boolean(_) => "true or false",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Strange(what) => what,
            Self::Duration(_) => "a duration",
            Self::Size(_) => "a size",
            Self::Signal(_) => "a signal",
        }
    }
}

/// A key, where it stands, and its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) place: Place,
    pub(crate) value: Value,
}

/// Keys and values in the order of the text; no key twice.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Table(pub(crate) Vec<Entry>);

impl Table {
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.key == key)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.entry(key).map(|entry| &entry.value)
    }

    pub(crate) fn take(&mut self, key: &str) -> Option<Value> {
        self.take_entry(key).map(|entry| entry.value)
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.0.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.value)
    }

    pub(crate) fn take_entry(&mut self, key: &str) -> Option<Entry> {
        let at = self.0.iter().position(|entry| entry.key == key)?;
        Some(self.0.remove(at))
    }

    pub(crate) fn take_table(&mut self, key: &str) -> Option<Table> {
        match self.take(key)?.data {
            Data::Table(table) => Some(table),
            _ => None,
        }
    }

    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        match &self.get(key)?.data {
            Data::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn integer(&self, key: &str) -> Option<i64> {
        match self.get(key)?.data {
            Data::Integer(number) => Some(number),
            _ => None,
        }
    }

    pub(crate) fn boolean(&self, key: &str) -> Option<bool> {
        match self.get(key)?.data {
            Data::Boolean(value) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn duration(&self, key: &str) -> Option<Duration> {
        match self.get(key)?.data {
            Data::Duration(span) => Some(span),
            _ => None,
        }
    }

    pub(crate) fn size(&self, key: &str) -> Option<Bytes> {
        match self.get(key)?.data {
            Data::Size(size) => Some(size),
            _ => None,
        }
    }

    pub(crate) fn signal(&self, key: &str) -> Option<Signal> {
        match self.get(key)?.data {
            Data::Signal(signal) => Some(signal),
            _ => None,
        }
    }

    pub(crate) fn factor(&self, key: &str) -> Option<u32> {
        match self.get(key)?.data {
            Data::Factor(thousandths) => Some(thousandths),
            _ => None,
        }
    }

    pub(crate) fn list(&self, key: &str) -> Option<&[Value]> {
        match &self.get(key)?.data {
            Data::List(list) => Some(list),
            _ => None,
        }
    }

    pub(crate) fn table(&self, key: &str) -> Option<&Table> {
        match &self.get(key)?.data {
            Data::Table(table) => Some(table),
            _ => None,
        }
    }
}

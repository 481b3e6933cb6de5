//! XML-RPC's values, and the texts of calls and responses. Knows no method.

mod read;
mod write;

pub(crate) use read::{Call, call};
pub(crate) use write::{fault, fault_value, response};

/// A value of a call or response.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Int(i32),
    Flag(bool),
    Text(String),
    Number(f64),
    List(Vec<Self>),
    Struct(Vec<(String, Self)>),
    Nothing,
}

impl Value {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A whole number, as large as XML-RPC's may be: 32 bits.
    pub(crate) fn int(number: i64) -> Self {
        Self::Int(i32::try_from(number).unwrap_or(if number < 0 { i32::MIN } else { i32::MAX }))
    }

    pub(crate) fn fields<const N: usize>(fields: [(&str, Self); N]) -> Self {
        Self::Struct(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }
}

//! The one error that a service ends with. Any error becomes it by `?`.

use std::{error::Error as StdError, fmt};

/// What a service's functions return.
pub type Result<T = ()> = std::result::Result<T, Error>;

/// Why something could not be done: one sentence, and what caused it.
///
/// ```
/// fn port(text: &str) -> mainstay::Result<u16> {
///     Ok(text.parse()?)
/// }
/// assert_eq!(port("many").unwrap_err().to_string(), "invalid digit found in string");
/// ```
pub struct Error(Box<Inner>);

/// Behind one pointer: each result of a service carries room for an error.
struct Inner {
    text: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of one sentence. [`fail!`](crate::fail) returns one.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Box::new(Inner { text: text.into(), source: None }))
    }

    /// The same error, with what was being done before it.
    ///
    /// ```
    /// let error = mainstay::Error::new("no such table").while_doing("cannot read the prices");
    /// assert_eq!(error.to_string(), "cannot read the prices: no such table");
    /// ```
    #[must_use]
    pub fn while_doing(mut self, act: impl fmt::Display) -> Self {
        self.0.text = format!("{act}: {}", self.0.text);
        self
    }

    /// The error that it was made from, if it was.
    pub fn source(&self) -> Option<&(dyn StdError + Send + Sync + 'static)> {
        self.0.source.as_deref()
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(next) = cause {
            let words = next.to_string();
            // Many errors repeat their cause in their own words.
            if !text.contains(&words) {
                text = format!("{text}: {words}");
            }
            cause = next.source();
        }
        Self(Box::new(Inner { text, source: Some(Box::new(error)) }))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

/// Returns an [`Error`] of one sentence, written as for `format!`.
///
/// ```
/// # use mainstay::fail;
/// fn check(share: f64) -> mainstay::Result {
///     if share > 0.9 {
///         fail!("the disk is {:.0} % full", share * 100.0);
///     }
///     Ok(())
/// }
/// assert_eq!(check(0.95).unwrap_err().to_string(), "the disk is 95 % full");
/// ```
#[macro_export]
macro_rules! fail {
    ($($words:tt)*) => {
        return ::core::result::Result::Err($crate::Error::new(::std::format!($($words)*)))
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Outer(std::io::Error);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("cannot read the list")
        }
    }

    impl StdError for Outer {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn causes_are_told_once() {
        let error = Error::from(Outer(std::io::Error::other("the disk is gone")));
        assert_eq!(error.to_string(), "cannot read the list: the disk is gone");
        assert!(error.source().is_some());
        assert!(Error::new("plain").source().is_none());
    }
}

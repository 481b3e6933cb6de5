//! Single values and commands: text becomes what it means.

use std::time::Duration;

use mainstay_model::{Bytes, Signal};

use super::{Check, Spot};
use crate::{
    Code,
    report::Place,
    setting::{Shape, Support, Word},
    suggest::{listed, nearest, quoted},
    tree::{Data, Value},
    value,
};

impl Check<'_> {
    /// What the value means; its type is known to fit.
    pub(super) fn leaf(&mut self, value: Value, shape: &Shape, spot: &Spot) -> Option<Data> {
        let Value { place, data } = value;
        match (shape, data) {
            (Shape::Whole(least, most), Data::Integer(number)) => {
                self.whole(number, *least, *most, &place, spot)
            }
            (Shape::Factor, Data::Integer(number)) => self.factor(number as f64, &place, spot),
            (Shape::Factor, Data::Float(number)) => self.factor(number, &place, spot),
            (Shape::Scalar, Data::Integer(number)) => Some(Data::Text(number.to_string())),
            (Shape::Scalar, Data::Boolean(boolean)) => Some(Data::Text(boolean.to_string())),
            (shape, Data::Text(text)) => {
                let text = self.expanded(&text, &place)?;
                self.word(text, shape, &place, spot)
            }
            (_, data) => Some(data),
        }
    }

    /// What a text means.
    fn word(&mut self, text: String, shape: &Shape, place: &Place, spot: &Spot) -> Option<Data> {
        match shape {
            Shape::Duration(least) => self.duration(&text, *least, place, spot),
            Shape::Size(least) => self.size(&text, *least, place, spot),
            Shape::Signal => self.signal(&text, place),
            Shape::Word(words) => self.one_of(text, words, place, spot),
            _ => Some(Data::Text(text)),
        }
    }

    fn whole(&mut self, number: i64, least: i64, most: i64, place: &Place, spot: &Spot) -> Option<Data> {
        if (least..=most).contains(&number) {
            return Some(Data::Integer(number));
        }
        let message = format!("`{}` cannot be {number}", spot.path);
        let or = spot.also.as_ref().map(|also| format!(", or {also}")).unwrap_or_default();
        let help = format!("it is a whole number from {least} to {most}{or}");
        self.report.add(Code::OutOfRange, place, message, help);
        None
    }

    fn factor(&mut self, number: f64, place: &Place, spot: &Spot) -> Option<Data> {
        let factor = value::factor(number);
        if factor.is_none() {
            let message = format!("`{}` cannot be {number}", spot.path);
            let help = "it is a number from 1 (every wait the same) to 1000; 2 doubles the wait each time";
            self.report.add(Code::OutOfRange, place, message, help);
        }
        factor.map(Data::Factor)
    }

    fn duration(&mut self, text: &str, least: Duration, place: &Place, spot: &Spot) -> Option<Data> {
        match value::duration(text) {
            Err(fault) => {
                self.report.add(fault.code, place, fault.message, fault.help);
                None
            }
            Ok(span) if span < least => {
                let message = format!("`{}` is too short", spot.path);
                let help = format!("it is at least {}", value::duration_text(least));
                self.report.add(Code::OutOfRange, place, message, help);
                None
            }
            Ok(span) => Some(Data::Duration(span)),
        }
    }

    fn size(&mut self, text: &str, least: Bytes, place: &Place, spot: &Spot) -> Option<Data> {
        match value::size(text) {
            Err(fault) => {
                self.report.add(fault.code, place, fault.message, fault.help);
                None
            }
            Ok(size) if size < least => {
                let message = format!("`{}` is too small", spot.path);
                self.report.add(Code::OutOfRange, place, message, format!("it is at least {}B", least.0));
                None
            }
            Ok(size) => Some(Data::Size(size)),
        }
    }

    fn signal(&mut self, text: &str, place: &Place) -> Option<Data> {
        if let Ok(signal) = text.parse::<Signal>() {
            return Some(Data::Signal(signal));
        }
        let bare = text.to_ascii_uppercase();
        let bare = bare.strip_prefix("SIG").unwrap_or(&bare);
        let help = match nearest(bare, Signal::names()) {
            Some(name) => format!("did you mean \"{name}\"?"),
            None => "usual ones are TERM, INT, QUIT, HUP, USR1, USR2 and KILL".to_owned(),
        };
        self.report.add(Code::InvalidSignal, place, format!("{} is not a signal", quoted(text)), help);
        None
    }

    fn one_of(&mut self, text: String, words: &[Word], place: &Place, spot: &Spot) -> Option<Data> {
        let supported = || words.iter().filter(|word| word.support == Support::Now).map(|word| word.word);
        let possible = match &spot.also {
            None => format!("possible: {}", listed(supported(), "or")),
            Some(also) => format!("possible: {} or {also}", listed(supported(), "or")),
        };
        let (code, message, help) = match words.iter().find(|word| word.word == text) {
            Some(word) if word.support == Support::Now => return Some(Data::Text(text)),
            Some(_) => {
                let message = format!("`{} = \"{text}\"` is not supported yet", spot.path);
                (Code::NotSupportedYet, message, possible)
            }
            None => {
                let borrowed = words.iter().find(|word| word.elsewhere.contains(&text.as_str()));
                let help = match (borrowed, nearest(&text, supported())) {
                    (Some(Word { word, support: Support::Later, .. }), _) => {
                        format!("that would be \"{word}\", which is not supported yet; {possible}")
                    }
                    (Some(Word { word, .. }), _) => format!("did you mean \"{word}\"? {possible}"),
                    (None, Some(near)) => format!("did you mean \"{near}\"? {possible}"),
                    (None, None) => possible,
                };
                (Code::InvalidWord, format!("`{}` cannot be {}", spot.path, quoted(&text)), help)
            }
        };
        self.report.add(code, place, message, help);
        None
    }

    /// A list of words, from either form.
    pub(super) fn command(&mut self, value: Value, spot: &Spot) -> Option<Value> {
        let place = value.place;
        let words = match value.data {
            Data::Text(text) => self.split(&text, &place, spot)?,
            Data::List(items) => {
                let words: Vec<Option<String>> =
                    items.into_iter().map(|item| self.command_word(item, spot)).collect();
                words.into_iter().collect::<Option<Vec<_>>>()?
            }
            _ => return None,
        };
        if words.first().is_none_or(String::is_empty) {
            let message = format!("`{}` names no program", spot.path);
            let help = format!("for example: {} = [\"./program\", \"--flag\"]", spot.key);
            self.report.add(Code::InvalidCommand, &place, message, help);
            return None;
        }
        let word = |word| Value { place: place.clone(), data: Data::Text(word) };
        let words = words.into_iter().map(word).collect();
        Some(Value { place, data: Data::List(words) })
    }

    fn command_word(&mut self, item: Value, spot: &Spot) -> Option<String> {
        match item.data {
            Data::Text(text) => self.expanded(&text, &item.place),
            other => {
                let message = format!("a word of `{}` is {}, not a string", spot.path, other.what());
                self.report.add(Code::WrongType, &item.place, message, "put it in quotes: \"…\"");
                None
            }
        }
    }

    /// Variables are replaced first, as everywhere; what they hold is split like the rest.
    fn split(&mut self, text: &str, place: &Place, spot: &Spot) -> Option<Vec<String>> {
        let text = self.expanded(text, place)?;
        let words = shlex::split(&text);
        if words.is_none() {
            let message = format!("`{}` has a quote that is not closed", spot.path);
            let help = "close it, or write the command as a list: [\"./program\", \"it's\"]";
            self.report.add(Code::InvalidCommand, place, message, help);
        }
        words
    }
}

//! The words in which a setting is declared. Which settings there are says `shape`.

use std::time::Duration;

use mainstay_model::Bytes;

use crate::tree::{Data, Entry, Table, Value};

/// One setting: a key and everything that there is to know about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) key: &'static str,
    pub(crate) shape: Shape,
    /// One sentence for the reference and for editors.
    pub(crate) doc: &'static str,
    /// JSON when it is a plain value; otherwise words; empty when there is none.
    pub(crate) default: &'static str,
    pub(crate) support: Support,
    pub(crate) required: bool,
    /// Another key that says as much; empty when there is none.
    pub(crate) unless: &'static str,
    /// Whether `[defaults]` may hold it for all services.
    pub(crate) inherited: bool,
    /// What other tools call it, for suggestions.
    pub(crate) elsewhere: &'static [&'static str],
    /// A value as it stands in a file; empty when any of its shape will do.
    example: &'static str,
}

/// Whether this version gives a meaning to something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Support {
    /// It does.
    Now,
    /// A later one will: until then it is refused, so that nobody relies on what does not happen.
    Later,
}

impl Setting {
    pub(crate) const fn new(
        key: &'static str,
        shape: Shape,
        default: &'static str,
        doc: &'static str,
    ) -> Self {
        Self {
            key,
            shape,
            doc,
            default,
            support: Support::Now,
            required: false,
            unless: "",
            inherited: false,
            elsewhere: &[],
            example: "",
        }
    }

    pub(crate) const fn later(key: &'static str, doc: &'static str) -> Self {
        let mut setting = Self::new(key, Shape::Text, "", doc);
        setting.support = Support::Later;
        setting
    }

    pub(crate) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// It has to be there, or the other one.
    pub(crate) const fn required_unless(mut self, other: &'static str) -> Self {
        self.required = true;
        self.unless = other;
        self
    }

    pub(crate) const fn such_as(mut self, example: &'static str) -> Self {
        self.example = example;
        self
    }

    /// A value as it stands in a file.
    pub(crate) fn example(&self) -> String {
        if self.example.is_empty() { self.shape.example() } else { self.example.to_owned() }
    }

    pub(crate) const fn inherited(mut self) -> Self {
        self.inherited = true;
        self
    }

    pub(crate) const fn elsewhere(mut self, names: &'static [&'static str]) -> Self {
        self.elsewhere = names;
        self
    }
}

/// What a value must look like.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// A string.
    Text,
    /// A string; whole numbers and booleans are taken as text.
    Scalar,
    /// A span of time, at least this long.
    Duration(Duration),
    /// A number of bytes, at least this.
    Size(Bytes),
    /// The name of a signal.
    Signal,
    /// `host:port`.
    Address,
    /// `true` or `false`.
    Boolean,
    /// A whole number between these, both included.
    Whole(i64, i64),
    /// A number from 1 that may have a fraction.
    Factor,
    /// One of some words.
    Word(&'static [Word]),
    /// A list of words, or one string that is split as a shell splits words.
    Command,
    /// Any value of a file.
    Any,
    /// Any number of values of one shape.
    List(&'static Shape),
    /// Known keys.
    Table(&'static Fields),
    /// Those of the known keys that every service inherits; none has to be there.
    Inherited(&'static Fields),
    /// Free keys, whose values have one shape.
    Map(Keys, &'static Shape),
    /// The first of these whose type fits.
    Either(&'static [Shape]),
}

/// One possible word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Word {
    pub(crate) word: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) support: Support,
    /// What other tools call it.
    pub(crate) elsewhere: &'static [&'static str],
}

impl Word {
    pub(crate) const fn new(word: &'static str, doc: &'static str) -> Self {
        Self { word, doc, support: Support::Now, elsewhere: &[] }
    }

    pub(crate) const fn later(word: &'static str, doc: &'static str) -> Self {
        Self { word, doc, support: Support::Later, elsewhere: &[] }
    }

    pub(crate) const fn elsewhere(mut self, names: &'static [&'static str]) -> Self {
        self.elsewhere = names;
        self
    }
}

/// The known keys of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields {
    pub(crate) settings: &'static [Setting],
    /// A single value in place of the table means a table with this key alone.
    pub(crate) shorthand: Option<&'static str>,
    /// Exactly one of these is there; a layer that brings one takes the others away.
    pub(crate) one_of: &'static [&'static str],
}

impl Fields {
    pub(crate) const fn new(settings: &'static [Setting]) -> Self {
        Self { settings, shorthand: None, one_of: &[] }
    }

    pub(crate) const fn shorthand(mut self, key: &'static str) -> Self {
        self.shorthand = Some(key);
        self
    }

    pub(crate) const fn one_of(mut self, keys: &'static [&'static str]) -> Self {
        self.one_of = keys;
        self
    }

    /// The setting that stands for the table in an example.
    fn usual(&self) -> Option<&'static Setting> {
        self.settings.iter().find(|setting| setting.required).or(self.settings.first())
    }

    pub(crate) fn setting(&self, key: &str) -> Option<&'static Setting> {
        self.settings.iter().find(|setting| setting.key == key)
    }

    /// A single value in place of this table as the table that it means.
    pub(crate) fn spelled_out(&self, value: Value) -> Value {
        match self.short() {
            Some((key, shape)) if shape.accepts(&value.data) => {
                let place = value.place.clone();
                let entry = Entry { key: key.to_owned(), place: place.clone(), value };
                Value { place, data: Data::Table(Table(vec![entry])) }
            }
            _ => value,
        }
    }

    /// What a single value in place of this table must look like.
    pub(crate) fn short(&self) -> Option<(&'static str, &'static Shape)> {
        let key = self.shorthand?;
        self.setting(key).map(|setting| (key, &setting.shape))
    }
}

/// What the free keys of a table are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keys {
    /// Names that are given here.
    Services,
    /// Names of services given elsewhere.
    Dependencies,
    /// Names of environment variables.
    Variables,
    /// Names of settings that only the service knows.
    Settings,
}

impl Keys {
    /// As the reference writes it: `env.NAME`.
    pub(crate) const fn placeholder(self) -> &'static str {
        match self {
            Self::Services | Self::Dependencies => "NAME",
            Self::Variables => "VARIABLE",
            Self::Settings => "SETTING",
        }
    }
}

impl Shape {
    /// Whether a value of this TOML type can have this shape at all.
    pub(crate) fn accepts(&self, data: &Data) -> bool {
        match self {
            Self::Text | Self::Address | Self::Word(_) => matches!(data, Data::Text(_)),
            Self::Scalar => matches!(data, Data::Text(_) | Data::Integer(_) | Data::Boolean(_)),
            Self::Duration(_) => matches!(data, Data::Text(_) | Data::Duration(_)),
            Self::Size(_) => matches!(data, Data::Text(_) | Data::Size(_)),
            Self::Signal => matches!(data, Data::Text(_) | Data::Signal(_)),
            Self::Boolean => matches!(data, Data::Boolean(_)),
            Self::Whole(..) => matches!(data, Data::Integer(_)),
            Self::Factor => matches!(data, Data::Integer(_) | Data::Float(_) | Data::Factor(_)),
            Self::Any => !matches!(data, Data::Strange(_)),
            Self::Command => matches!(data, Data::Text(_) | Data::List(_)),
            Self::List(_) => matches!(data, Data::List(_)),
            Self::Table(fields) => {
                matches!(data, Data::Table(_)) || fields.short().is_some_and(|(_, shape)| shape.accepts(data))
            }
            Self::Inherited(_) | Self::Map(..) => matches!(data, Data::Table(_)),
            Self::Either(shapes) => shapes.iter().any(|shape| shape.accepts(data)),
        }
    }

    /// In a sentence: "takes a duration".
    pub(crate) fn expected(&self) -> String {
        match self {
            Self::Text | Self::Scalar => "a string".to_owned(),
            Self::Duration(_) => "a duration".to_owned(),
            Self::Size(_) => "a size".to_owned(),
            Self::Signal => "the name of a signal".to_owned(),
            Self::Address => "a string".to_owned(),
            Self::Boolean => "true or false".to_owned(),
            Self::Whole(..) => "a whole number".to_owned(),
            Self::Factor => "a number".to_owned(),
            Self::Word([word]) => format!("\"{}\"", word.word),
            Self::Word(_) => "a word".to_owned(),
            Self::Any => "anything else".to_owned(),
            Self::Command => "a string or a list of strings".to_owned(),
            Self::List(_) => "a list".to_owned(),
            Self::Table(fields) => match fields.short() {
                None => "a table".to_owned(),
                Some((_, shape)) => format!("{} or a table", shape.expected()),
            },
            Self::Inherited(_) | Self::Map(..) => "a table".to_owned(),
            Self::Either(shapes) => shapes.iter().map(Self::expected).collect::<Vec<_>>().join(" or "),
        }
    }

    /// A value of this shape as it stands in a file.
    pub(crate) fn example(&self) -> String {
        match self {
            Self::Text | Self::Scalar | Self::Any => "\"text\"".to_owned(),
            Self::Duration(_) => "\"5s\"".to_owned(),
            Self::Size(_) => "\"10MB\"".to_owned(),
            Self::Signal => "\"TERM\"".to_owned(),
            Self::Address => "\"127.0.0.1:5432\"".to_owned(),
            Self::Boolean => "true".to_owned(),
            Self::Whole(least, _) => (*least).max(1).to_string(),
            Self::Factor => "1.5".to_owned(),
            Self::Word(words) => format!("\"{}\"", words.first().map_or("", |word| word.word)),
            Self::Command => "[\"./program\", \"--flag\"]".to_owned(),
            Self::List(shape) => format!("[{}]", shape.example()),
            Self::Table(fields) => match fields.short() {
                Some((_, shape)) => shape.example(),
                None => match fields.usual() {
                    None => "{ }".to_owned(),
                    Some(first) => format!("{{ {} = {} }}", first.key, first.example()),
                },
            },
            Self::Inherited(_) => "{ }".to_owned(),
            Self::Map(keys, shape) => format!("{{ {} = {} }}", keys.placeholder(), shape.example()),
            Self::Either(shapes) => shapes.first().map(Self::example).unwrap_or_default(),
        }
    }
}

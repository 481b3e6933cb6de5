//! Tables: which keys there are, which are missing, which exclude each other.

use mainstay_model::ServiceName;

use super::{Check, Spot};
use crate::{
    Code,
    report::Place,
    setting::{Fields, Keys, Setting, Shape, Support},
    suggest::{listed, nearest, quoted},
    tree::{Data, Entry, Table, Value},
};

impl Check<'_> {
    /// A table with known keys.
    pub(super) fn table(&mut self, value: Value, fields: &Fields, spot: &Spot) -> Option<Value> {
        let Data::Table(table) = value.data else { return None };
        let table = self.settings(table, fields, spot, Some(&value.place));
        Some(Value { place: value.place, data: Data::Table(table) })
    }

    /// Known keys; `place` is where the table itself stands, to which missing keys are charged.
    pub(super) fn settings(
        &mut self,
        table: Table,
        fields: &Fields,
        spot: &Spot,
        place: Option<&Place>,
    ) -> Table {
        if let Some(place) = place {
            self.missing(&table, fields, spot, place);
        }
        let (known, unknown): (Vec<Entry>, Vec<Entry>) =
            table.0.into_iter().partition(|entry| fields.setting(&entry.key).is_some());
        for entry in unknown {
            self.unknown(&entry, fields, spot, |_| true);
        }
        Table(known.into_iter().filter_map(|entry| self.entry(entry, fields, spot)).collect())
    }

    /// `[defaults]`: known keys, of which some belong to a single service.
    pub(super) fn inherited(&mut self, value: Value, fields: &Fields, spot: &Spot) -> Option<Value> {
        let Data::Table(table) = value.data else { return None };
        let alone = |entry: &Entry| {
            fields
                .setting(&entry.key)
                .is_some_and(|setting| !setting.inherited && setting.support == Support::Now)
        };
        let (unknown, table): (Vec<Entry>, Vec<Entry>) =
            table.0.into_iter().partition(|entry| fields.setting(&entry.key).is_none());
        for entry in unknown {
            self.unknown(&entry, fields, spot, |setting| setting.inherited);
        }
        let (alone, table): (Vec<Entry>, Vec<Entry>) = table.into_iter().partition(alone);
        for entry in alone {
            let message = format!("`{}` cannot be a default", entry.key);
            let help = format!("say it in each service: [service.NAME] {} = …", entry.key);
            self.report.add(Code::UnknownKey, &entry.place, message, help);
        }
        let table = self.settings(Table(table), fields, spot, None);
        Some(Value { place: value.place, data: Data::Table(table) })
    }

    /// A table with free keys.
    pub(super) fn map(&mut self, value: Value, keys: Keys, of: &Shape, spot: &Spot) -> Option<Value> {
        let Data::Table(table) = value.data else { return None };
        let mut checked = Vec::new();
        for entry in table.0 {
            self.free_key(&entry, keys);
            let below = spot.free(&entry.key, of);
            // A header `[service.api]` stands for its table: the name is what a missing key is charged to.
            let whole = matches!(entry.value.data, Data::Table(_)) && keys == Keys::Services;
            let place = if whole { entry.place.clone() } else { entry.value.place.clone() };
            if let Some(value) = self.value(Value { place, ..entry.value }, of, &below) {
                checked.push(Entry { value, ..entry });
            }
        }
        Some(Value { place: value.place, data: Data::Table(Table(checked)) })
    }

    fn free_key(&mut self, entry: &Entry, keys: Keys) {
        match keys {
            Keys::Services => {
                if let Err(error) = entry.key.parse::<ServiceName>() {
                    let message = format!("{} cannot be the name of a service", quoted(&entry.key));
                    self.report.add(Code::InvalidName, &entry.place, message, error.to_string());
                }
            }
            Keys::Variables => {
                if !variable_name(&entry.key) {
                    let message = format!("{} cannot be the name of a variable", quoted(&entry.key));
                    let help = "the name of a variable is not empty and holds no `=` and no NUL byte";
                    self.report.add(Code::InvalidName, &entry.place, message, help);
                }
            }
            // Whether there is such a service only shows in the whole.
            Keys::Dependencies => {}
            // Only the service knows them.
            Keys::Settings => {}
        }
    }

    fn entry(&mut self, entry: Entry, fields: &Fields, spot: &Spot) -> Option<Entry> {
        let setting = fields.setting(&entry.key)?;
        let below = spot.setting(setting);
        if setting.support == Support::Later {
            let message = format!("`{}` is not supported yet", below.path);
            let help = "take it out for now; Mainstay ignores nothing silently";
            self.report.add(Code::NotSupportedYet, &entry.place, message, help);
            return None;
        }
        let value = self.value(entry.value, &setting.shape, &below)?;
        Some(Entry { value, ..entry })
    }

    /// `wanted` picks what may stand here.
    fn unknown(&mut self, entry: &Entry, fields: &Fields, spot: &Spot, wanted: fn(&Setting) -> bool) {
        let key = entry.key.as_str();
        let message = match spot.path.as_str() {
            "" => format!("unknown setting {}", quoted(key)),
            path => format!("unknown setting {} in `{path}`", quoted(key)),
        };
        self.report.add(Code::UnknownKey, &entry.place, message, meant(key, fields, wanted));
    }

    /// What has to be there and is not.
    fn missing(&mut self, table: &Table, fields: &Fields, spot: &Spot, place: &Place) {
        let later = |entry: &Entry| {
            fields.setting(&entry.key).is_some_and(|setting| setting.support == Support::Later)
        };
        // What a later setting would bring, or a misspelt one, is not missing as well.
        let misspelt = |setting: &Setting| {
            table.0.iter().any(|entry| {
                fields.setting(&entry.key).is_none() && meant_setting(&entry.key, fields) == Some(setting.key)
            })
        };
        let is_missing = |setting: &&Setting| setting.required && table.entry(setting.unless).is_none();
        for setting in fields.settings.iter().filter(is_missing) {
            if table.entry(setting.key).is_none() && !table.0.iter().any(later) && !misspelt(setting) {
                let message = format!("`{}` has no `{}`", spot.path, setting.key);
                let help = format!("for example: {} = {}", setting.key, setting.example());
                self.report.add(Code::MissingKey, place, message, help);
            }
        }
        self.exactly_one(table, fields, spot, place);
    }

    fn exactly_one(&mut self, table: &Table, fields: &Fields, spot: &Spot, place: &Place) {
        let there: Vec<&Entry> = fields.one_of.iter().filter_map(|key| table.entry(key)).collect();
        let supported = fields.settings.iter().filter(|setting| setting.support == Support::Now);
        let choice = supported.map(|setting| setting.key).filter(|key| fields.one_of.contains(key));
        let help = format!("say exactly one of {}", listed(choice, "and"));
        let unknown = table.0.iter().any(|entry| fields.setting(&entry.key).is_none());
        match there.as_slice() {
            [] if fields.one_of.is_empty() || unknown => {}
            [] => self.report.add(
                Code::MissingKey,
                place,
                format!("`{}` does not say what is asked", spot.path),
                help,
            ),
            [_] => {}
            [first, .., last] => {
                let message = format!("`{}` has both `{}` and `{}`", spot.path, first.key, last.key);
                self.report.add(Code::ConflictingKeys, &last.place, message, help);
            }
        }
    }
}

/// Whether a process can be given a variable of this name.
pub(crate) fn variable_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0'])
}

/// The setting that an unknown key probably means.
fn meant_setting(key: &str, fields: &Fields) -> Option<&'static str> {
    let borrowed = fields.settings.iter().find(|setting| setting.elsewhere.contains(&key));
    let of = |support: Support| {
        fields.settings.iter().filter(move |setting| setting.support == support).map(|setting| setting.key)
    };
    borrowed
        .map(|setting| setting.key)
        .or_else(|| nearest(key, of(Support::Now)))
        .or_else(|| nearest(key, of(Support::Later)))
}

/// What an unknown key probably means, or what is known where it stands.
pub(crate) fn meant(key: &str, fields: &Fields, wanted: fn(&Setting) -> bool) -> String {
    if let Some(setting) = meant_setting(key, fields).and_then(|meant| fields.setting(meant)) {
        return match setting.support {
            Support::Now => format!("did you mean `{}`?", setting.key),
            Support::Later => format!("did you mean `{}`? It is not supported yet", setting.key),
        };
    }
    let deeper = fields.settings.iter().find(|setting| match &setting.shape {
        Shape::Table(below) => below.setting(key).is_some(),
        _ => false,
    });
    if let Some(setting) = deeper {
        return format!("did you mean `{}.{key}`?", setting.key);
    }
    let known = fields.settings.iter().filter(|setting| setting.support == Support::Now && wanted(setting));
    format!("known here: {}", listed(known.map(|setting| setting.key), "and"))
}

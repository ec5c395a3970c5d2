//! Takes the keys of a TOML table one by one, and collects what is wrong with them.
//!
//! Nothing stops at the first error. What was asked for is also what is known: a key nobody asked for is an error, and
//! the hint knows where it would belong because the same code, run over an empty table, lists every known key.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, FileId, Place, quoted};
use super::secrets;
use super::value::{self, Read, Value};

/// A value as it was typed.
#[derive(Debug, Clone)]
pub struct Typed<T> {
    /// What it means.
    pub value: T,
    /// The value as TOML.
    pub printed: String,
    /// Where it stands.
    pub place: Place,
}

/// What became of a key.
#[derive(Debug, Clone)]
pub enum Field<T> {
    /// It is not there.
    Absent,
    /// It is there, and wrong; that has been told.
    Bad,
    /// It is there.
    Given(Typed<T>),
}

impl<T> Field<T> {
    /// The value, if there is a good one.
    pub fn given(&self) -> Option<&Typed<T>> {
        match self {
            Field::Given(typed) => Some(typed),
            Field::Absent | Field::Bad => None,
        }
    }

    /// Takes an absent key for one that could not be read.
    pub fn doubt(&mut self) {
        if self.is_absent() {
            *self = Field::Bad;
        }
    }

    /// Whether the key is not there at all.
    pub fn is_absent(&self) -> bool {
        matches!(self, Field::Absent)
    }
}

/// A table and what it holds.
#[derive(Debug, Clone)]
pub struct Section<T> {
    /// Its header; `None` if it is not there.
    pub place: Option<Place>,
    /// What it holds; of a section that is not there every key is absent.
    pub keys: T,
}

/// A table that has a name of its own among others of its kind.
#[derive(Debug, Clone)]
pub struct Named<T> {
    /// Its name, as typed.
    pub name: String,
    /// Its header.
    pub place: Place,
    /// What it holds.
    pub keys: T,
}

/// What stands for a name that whoever writes the file chooses: `governor.probes.NAME.http`.
const ANY_NAME: &str = "NAME";

/// Every key a kind of file may hold, as dotted paths such as `filesystem.sources`; sections end with a dot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known(Vec<String>);

impl Known {
    /// The dotted paths of keys that hold values.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str).filter(|path| !path.ends_with('.'))
    }

    /// What stands directly in a section (`""`, or `filesystem.`): the last parts of the paths.
    fn inside<'a>(&'a self, section: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter_map(move |path| path.strip_prefix(section))
            .map(|rest| rest.strip_suffix('.').unwrap_or(rest))
            .filter(|rest| !rest.is_empty() && !rest.contains('.'))
    }

    /// The sections that hold this name, as a person calls them.
    fn holders(&self, name: &str) -> Vec<String> {
        [self.holders_alike(name, false), self.holders_alike(name, true)].concat()
    }

    /// Those that hold a key of this name, or a section of this name.
    fn holders_alike(&self, name: &str, is_table: bool) -> Vec<String> {
        let split = |path: &String| {
            let path = path.strip_suffix('.').unwrap_or(path);
            let (section, last) = path.rsplit_once('.').unwrap_or(("", path));
            (last == name).then(|| section.to_owned())
        };
        self.0.iter().filter(|path| path.ends_with('.') == is_table).filter_map(split).collect()
    }
}

/// Reads one file.
#[derive(Debug)]
pub struct Reading {
    file: FileId,
    /// What this kind of file may hold.
    known: Known,
    /// What the other kind of file may hold, and what that kind is called.
    elsewhere: (Known, &'static str),
    asked: Known,
    errors: Vec<Diagnostic>,
    covered: Vec<Place>,
}

/// What a file held, apart from its values.
#[derive(Debug)]
pub struct Outcome {
    /// What is wrong.
    pub errors: Vec<Diagnostic>,
    /// What must not be shown.
    pub covered: Vec<Place>,
}

impl Reading {
    /// Reads the root table of a file.
    pub fn file<T>(
        file: FileId,
        root: &DeTable<'_>,
        known: Known,
        elsewhere: (Known, &'static str),
        read: impl FnOnce(&mut Reader<'_>) -> T,
    ) -> (T, Outcome) {
        let mut reading =
            Reading { file, known, elsewhere, asked: Known::default(), errors: Vec::new(), covered: Vec::new() };
        let keys = reading.table(Some(root), String::new(), read);
        (keys, Outcome { errors: reading.errors, covered: reading.covered })
    }

    /// Lists what a reader asks for.
    pub fn known<T>(file: FileId, read: impl FnOnce(&mut Reader<'_>) -> T) -> Known {
        let none = (Known::default(), "");
        let mut reading = Reading {
            file,
            known: Known::default(),
            elsewhere: none,
            asked: Known::default(),
            errors: Vec::new(),
            covered: Vec::new(),
        };
        reading.table(None, String::new(), read);
        reading.asked
    }

    fn table<T>(&mut self, table: Option<&DeTable<'_>>, section: String, read: impl FnOnce(&mut Reader<'_>) -> T) -> T {
        let mut reader = Reader { table, section, taken: Vec::new(), reading: self };
        let keys = read(&mut reader);
        reader.finish();
        keys
    }

    fn place(&self, span: Range<usize>) -> Place {
        Place { file: self.file, span }
    }
}

/// Reads one table of a file.
#[derive(Debug)]
pub struct Reader<'r> {
    table: Option<&'r DeTable<'r>>,
    /// Dotted, with a dot at its end; empty at the root.
    section: String,
    taken: Vec<&'static str>,
    reading: &'r mut Reading,
}

impl<'r> Reader<'r> {
    /// Takes a key.
    pub fn key<T>(&mut self, key: &'static str, read: impl Fn(&Value<'_>) -> Read<T>) -> Field<T> {
        self.reading.asked.0.push(format!("{}{key}", self.section));
        self.taken.push(key);
        let Some(value) = self.find(key) else { return Field::Absent };
        match read(value) {
            Ok(typed) => Field::Given(Typed {
                value: typed,
                printed: value::printed(value.get_ref()),
                place: self.reading.place(value.span()),
            }),
            Err(refusals) => {
                for refusal in refusals {
                    let place = self.reading.place(refusal.span);
                    if refusal.secret {
                        self.reading.covered.push(place.clone());
                    }
                    let of = if refusal.item { "an item of " } else { "" };
                    let mut error = Diagnostic::error(place, format!("{of}`{key}` {}", refusal.text));
                    error.hint = refusal.hint;
                    self.reading.errors.push(error);
                }
                Field::Bad
            }
        }
    }

    /// The value of a key, or that of an unknown key which must be this one mistyped. It is an error all the same, but it
    /// shall not make the right one look missing, nor hide what else is wrong with it. A name that is known elsewhere is
    /// misplaced, not mistyped.
    fn find(&self, key: &str) -> Option<&'r Value<'r>> {
        let table = self.table?;
        let known = || self.reading.known.inside(&self.section);
        table.get(key).or_else(|| {
            let mut others = table.iter().map(|(name, value)| (name.get_ref().as_ref(), value));
            others
                .find(|(name, _)| {
                    let misplaced = [&self.reading.known, &self.reading.elsewhere.0];
                    misplaced.iter().all(|known| known.holders(name).is_empty())
                        && value::nearest(name, known()) == Some(key)
                })
                .map(|(_, value)| value)
        })
    }

    /// Takes a table.
    pub fn section<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Reader<'_>) -> T) -> Section<T> {
        let path = format!("{}{key}.", self.section);
        self.reading.asked.0.push(path.clone());
        self.taken.push(key);
        let value = self.find(key);
        let table = value.and_then(|value| match value.get_ref() {
            DeValue::Table(table) => Some(table),
            _ => {
                let header = format!("its keys go below a line `[{}]`", path.trim_end_matches('.'));
                self.no_section(key, value, header);
                None
            }
        });
        let place = value.map(|value| self.reading.place(value.span()));
        Section { place, keys: self.reading.table(table, path, read) }
    }

    /// Takes a table of tables, each under a name that whoever writes the file has chosen.
    pub fn named<T>(&mut self, key: &'static str, read: impl Fn(&mut Reader<'_>) -> T) -> Vec<Named<T>> {
        let outer = format!("{}{key}.", self.section);
        let path = format!("{outer}{ANY_NAME}.");
        self.reading.asked.0.extend([outer.clone(), path.clone()]);
        self.taken.push(key);
        let header = format!("each has a name of its own: put its keys below a line `[{outer}{ANY_NAME}]`");
        let Some(value) = self.find(key) else {
            // So that what can be asked for is known, too.
            self.reading.table(None, path, read);
            return Vec::new();
        };
        let DeValue::Table(tables) = value.get_ref() else {
            self.no_section(key, value, header);
            return Vec::new();
        };
        let mut found = Vec::new();
        for (name, value) in tables {
            let DeValue::Table(table) = value.get_ref() else {
                self.no_section(name.get_ref(), value, header.clone());
                continue;
            };
            let place = self.reading.place(name.span());
            let keys = self.reading.table(Some(table), path.clone(), &read);
            found.push(Named { name: name.get_ref().clone().into_owned(), place, keys });
        }
        found
    }

    /// Tells of a value where a table was expected.
    fn no_section(&mut self, key: &str, value: &Value<'_>, hint: String) {
        let place = self.reading.place(value.span());
        if secrets::is_secret_name(key) {
            self.reading.covered.push(place.clone());
        }
        let message = format!("{} must be a section, not {}", quoted(key), value::type_name(value.get_ref()));
        self.reading.errors.push(Diagnostic::error(place, message).hint(hint));
    }

    /// Tells of every key that nobody took.
    fn finish(&mut self) {
        let Some(table) = self.table else { return };
        for (key, value) in table.iter().filter(|(key, _)| !self.taken.contains(&key.get_ref().as_ref())) {
            let name = key.get_ref().as_ref();
            let is_table = matches!(value.get_ref(), DeValue::Table(_));
            let what = if is_table {
                format!("unknown section {}", quoted(&format!("[{}{name}]", self.section)))
            } else {
                format!("unknown key {}", quoted(name))
            };
            if secrets::is_secret_name(name) {
                let place = self.reading.place(value.span());
                self.reading.covered.push(place);
            }
            let place = self.reading.place(key.span());
            let error = Diagnostic::error(place, what).hint(self.advice(name, is_table));
            self.reading.errors.push(error);
        }
    }

    /// What to do about an unknown name.
    fn advice(&self, name: &str, is_table: bool) -> String {
        let known = &self.reading.known;
        let belongs = |name: &str, sections: Vec<String>| {
            let mut places: Vec<String> = sections
                .into_iter()
                .map(|section| {
                    if section.is_empty() && is_table {
                        format!("to no other section: write `[{name}]`")
                    } else if section.is_empty() {
                        "at the top of the file, above the first section".to_owned()
                    } else {
                        format!("in `[{section}]`")
                    }
                })
                .collect();
            places.dedup();
            format!("`{name}` belongs {}", places.join(" or "))
        };
        if secrets::is_secret_name(name)
            && (self.section.starts_with("pg_dump") || self.section.starts_with("governor.probes"))
        {
            return "a policy never holds a password: name a file with `passfile`, or use `~/.pgpass`".to_owned();
        }
        let holders = known.holders(name);
        if !holders.is_empty() {
            // One name can be that of a key and that of a section.
            let (elsewhere, file) = &self.reading.elsewhere;
            return match known.holders_alike(name, is_table) {
                alike if !alike.is_empty() => belongs(name, alike),
                _ if !elsewhere.holders_alike(name, is_table).is_empty() => format!("`{name}` belongs in {file}"),
                _ => belongs(name, holders),
            };
        }
        let (elsewhere, file) = &self.reading.elsewhere;
        if !elsewhere.holders(name).is_empty() {
            return format!("`{name}` belongs in {file}");
        }
        if let Some(near) = value::nearest(name, known.inside(&self.section)) {
            return format!("did you mean `{near}`?");
        }
        let all = || known.0.iter().filter_map(|path| path.trim_end_matches('.').rsplit('.').next());
        if let Some(near) = value::nearest(name, all()) {
            let belongs = belongs(near, known.holders(near));
            return format!("did you mean `{near}`? {belongs}");
        }
        let here: Vec<String> = known.inside(&self.section).map(|key| format!("`{key}`")).collect();
        format!("known here: {}", here.join(", "))
    }
}

#[cfg(test)]
mod tests;

//! Layers laid over each other: the job's file over `[defaults]` over what is built in.
//!
//! Whatever is picked is also recorded as a [`Setting`], with the place it came from, so what `check --print` shows is
//! what the policy was made of.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use super::diagnostic::{Diagnostics, Place};
use super::governor::Profile;
use super::reader::{Field, Typed};

/// One value of a merged policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// Dotted path, such as `filesystem.sources`.
    pub key: String,
    /// The value as TOML; `None`: not set, and there is no default.
    pub value: Option<String>,
    /// Where it came from.
    pub origin: Source,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// It is built in.
    Default,
    /// The profile of the governor has it.
    Profile(Profile),
    /// Somebody typed it.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => f.write_str("default"),
            Source::Profile(profile) => write!(f, "profile {}", profile.as_str()),
            Source::File { path, line } => write!(f, "{}:{line}", path.display()),
        }
    }
}

/// Picks values and records them.
#[derive(Debug)]
pub struct Merge<'d> {
    /// Where errors go.
    pub out: &'d mut Diagnostics,
    /// What was picked, in order.
    pub settings: Vec<Setting>,
}

impl Merge<'_> {
    /// The value of the first layer that has one; else what is built in, which reads `printed` in TOML.
    pub fn or_default<T: Clone>(&mut self, key: &str, layers: &[&Field<T>], default: T, printed: &str) -> T {
        self.or_else(key, layers, default, printed, Source::Default)
    }

    /// The value of the first layer that has one; else one that comes from elsewhere, and reads `printed` in TOML.
    pub fn or_else<T: Clone>(&mut self, key: &str, layers: &[&Field<T>], other: T, printed: &str, origin: Source) -> T {
        match first(layers) {
            Some(typed) => self.typed(key, typed),
            None => {
                self.settings.push(Setting { key: key.to_owned(), value: Some(printed.to_owned()), origin });
                other
            }
        }
    }

    /// The value of the first layer that has one.
    pub fn optional<T: Clone>(&mut self, key: &str, layers: &[&Field<T>]) -> Option<T> {
        let typed = first(layers);
        if typed.is_none() {
            self.built_in(key, None);
        }
        typed.map(|typed| self.typed(key, typed))
    }

    /// Records a value that somebody typed.
    pub fn typed<T: Clone>(&mut self, key: &str, typed: &Typed<T>) -> T {
        let origin = self.origin(&typed.place);
        self.settings.push(Setting { key: key.to_owned(), value: Some(typed.printed.clone()), origin });
        typed.value.clone()
    }

    /// Records a value that nobody typed.
    pub fn built_in(&mut self, key: &str, printed: Option<&str>) {
        self.settings.push(Setting { key: key.to_owned(), value: printed.map(str::to_owned), origin: Source::Default });
    }

    fn origin(&self, place: &Place) -> Source {
        let line = self.out.position(place).map_or(1, |(line, _)| line);
        Source::File { path: self.out.path(place.file).to_owned(), line }
    }
}

/// The value of the first layer that has one.
pub fn first<'a, T>(layers: &[&'a Field<T>]) -> Option<&'a Typed<T>> {
    layers.iter().find_map(|layer| layer.given())
}

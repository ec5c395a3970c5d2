//! What a probe asks: exactly one thing, and only the keys that go with it.

use super::keys::ProbeKeys;
use crate::config::diagnostic::{Diagnostic, Place};
use crate::config::governor::{SocketState, Target};
use crate::config::kinds;
use crate::config::merge::Merge;
use crate::config::policy::Connection;
use crate::config::reader::{Field, Named};

/// The things that can be asked, by the key that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// `http`
    Http,
    /// `tcp`
    Tcp,
    /// `postgres`
    Postgres,
    /// `memcached`
    Memcached,
    /// `php_fpm`
    PhpFpm,
    /// `connections`
    Connections,
    /// `command`
    Command,
}

impl Asked {
    /// The key.
    pub fn key(self) -> &'static str {
        match self {
            Asked::Http => "http",
            Asked::Tcp => "tcp",
            Asked::Postgres => "postgres",
            Asked::Memcached => "memcached",
            Asked::PhpFpm => "php_fpm",
            Asked::Connections => "connections",
            Asked::Command => "command",
        }
    }
}

/// A key that is there, and where if it could be read.
type There = Option<Option<Place>>;

fn there<T>(field: &Field<T>) -> There {
    match field {
        Field::Absent => None,
        Field::Bad => Some(None),
        Field::Given(typed) => Some(Some(typed.place.clone())),
    }
}

/// What the probe asks, and where that stands; `None` if it is not one thing, or could not be read, which has been told.
pub fn asked(merge: &mut Merge<'_>, probe: &Named<ProbeKeys>) -> Option<(Asked, Place)> {
    let keys = &probe.keys;
    let all = [
        (Asked::Http, there(&keys.http)),
        (Asked::Tcp, there(&keys.tcp)),
        (Asked::Postgres, there(&keys.postgres)),
        (Asked::Memcached, there(&keys.memcached)),
        (Asked::PhpFpm, there(&keys.php_fpm)),
        (Asked::Connections, there(&keys.connections)),
        (Asked::Command, there(&keys.command)),
    ];
    let mut given = all.into_iter().filter_map(|(asked, there)| there.map(|place| (asked, place)));
    let Some((asked, place)) = given.next() else {
        let message = format!("probe `{}` asks nothing", probe.name);
        let hint = "add one of `http`, `tcp`, `postgres`, `memcached`, `php_fpm`, `connections` or `command`, such as `http = \"http://127.0.0.1/\"`";
        merge.out.push(Diagnostic::error(probe.place.clone(), message).hint(hint));
        return None;
    };
    let others: Vec<_> = given.collect();
    for (other, other_place) in &others {
        if let (Some(place), Some(other_place)) = (&place, other_place) {
            let message = format!("`{}` cannot stand beside `{}`", other.key(), asked.key());
            let error = Diagnostic::error(other_place.clone(), message).also(place.clone(), "is asked already");
            merge.out.push(error.hint("a probe asks one thing: give the other a probe of its own"));
        }
    }
    let place = place.filter(|_| others.is_empty())?;
    goes_with(merge, keys, asked, &place);
    Some((asked, place))
}

/// Tells of keys that belong to another target.
fn goes_with(merge: &mut Merge<'_>, keys: &ProbeKeys, asked: Asked, place: &Place) {
    let keys = [
        ("status", there(&keys.status), Asked::Http),
        ("contains", there(&keys.contains), Asked::Http),
        ("user", there(&keys.user), Asked::Postgres),
        ("connection", keys.connection.place.clone().map(Some), Asked::Postgres),
        ("status_path", there(&keys.status_path), Asked::PhpFpm),
        ("state", there(&keys.state), Asked::Connections),
    ];
    for (key, there, of) in keys {
        if let Some(at) = there.flatten().filter(|_| of != asked) {
            let message = format!("`{key}` is for a probe with `{}`", of.key());
            let error = Diagnostic::error(at, message).also(place.clone(), "this one asks something else");
            merge.out.push(error.hint(format!("leave `{key}` out")));
        }
    }
}

/// The target, all but the connection of `postgres`: its keys are a section of their own, and come last.
pub fn target(merge: &mut Merge<'_>, path: &str, asked: Asked, keys: &ProbeKeys) -> Option<Target> {
    let at = |key: &str| format!("{path}.{key}");
    Some(match asked {
        Asked::Http => Target::Http {
            url: merge.typed(&at("http"), keys.http.given()?),
            status: merge.or_default(&at("status"), &[&keys.status], 200, "200"),
            contains: merge.optional(&at("contains"), &[&keys.contains]),
        },
        Asked::Tcp => Target::Tcp { address: merge.typed(&at("tcp"), keys.tcp.given()?) },
        Asked::Postgres => Target::Postgres {
            query: merge.typed(&at("postgres"), keys.postgres.given()?),
            user: merge.optional(&at("user"), &[&keys.user]),
            connection: Connection::default(),
        },
        Asked::Memcached => Target::Memcached { address: merge.typed(&at("memcached"), keys.memcached.given()?) },
        Asked::PhpFpm => Target::PhpFpm {
            address: merge.typed(&at("php_fpm"), keys.php_fpm.given()?),
            status_path: {
                let usual = "/status".to_owned();
                merge.or_default(&at("status_path"), &[&keys.status_path], usual, "\"/status\"")
            },
        },
        Asked::Connections => Target::Connections {
            port: merge.typed(&at("connections"), keys.connections.given()?),
            state: {
                let usual = SocketState::Established;
                merge.or_default(&at("state"), &[&keys.state], usual, "\"established\"")
            },
        },
        Asked::Command => Target::Command { argv: merge.typed(&at("command"), keys.command.given()?) },
    })
}

/// The target with the connection of `postgres` filled in.
pub fn connected(merge: &mut Merge<'_>, path: &str, target: Target, keys: &ProbeKeys) -> Option<Target> {
    match target {
        Target::Postgres { query, user, .. } => {
            let connection = kinds::connection(merge, &format!("{path}.connection"), &keys.connection.keys)?;
            Some(Target::Postgres { connection, query, user })
        }
        other => Some(other),
    }
}

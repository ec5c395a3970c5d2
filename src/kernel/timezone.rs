//! The time zone of this machine.

use std::io;
use std::path::Path;

use super::{Error, Result};

/// What says it: a link into the database of zones.
const LOCALTIME: &str = "/etc/localtime";

/// Its name, such as `Europe/Berlin`, from where /etc/localtime leads, or from /etc/timezone. The variable `TZ` is of one
/// process, and not asked.
pub fn name() -> Result<String> {
    let name = iana_time_zone::get_timezone().map_err(|error| {
        let source = match error {
            iana_time_zone::GetTimezoneError::IoError(error) => error,
            other => io::Error::other(other),
        };
        Error::path("tell the time zone from", Path::new(LOCALTIME), source)
    })?;
    // The database has each zone three times: with and without leap seconds, and under its plain name.
    let plain = name.strip_prefix("posix/").or(name.strip_prefix("right/"));
    Ok(plain.map_or(name.clone(), str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_name_or_where_it_was_looked_for() {
        match name() {
            Ok(name) => assert!(!name.is_empty() && !name.starts_with('/') && !name.starts_with("posix/"), "{name}"),
            Err(error) => assert!(error.to_string().contains(LOCALTIME), "{error}"),
        }
    }
}

//! The two texts a connection may stand in: a URI, and a section of `pg_service.conf`. See "Connection Strings" and "The Connection
//! Service File" in the documentation of libpq.

use std::collections::BTreeMap;

/// Parameters of a connection by libpq's names for them.
pub type Parameters = BTreeMap<String, String>;

/// Understands `postgresql://user@host:port,host/database?key=value`; `None` where it is none. Errors are not told here: the policy
/// was read by then, and psql says better what it dislikes.
pub fn uri(text: &str) -> Option<Parameters> {
    let rest = text.strip_prefix("postgresql://").or_else(|| text.strip_prefix("postgres://"))?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let (who, places) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = who.split_once(':').unwrap_or((who, ""));
    let (mut hosts, mut ports) = (vec![], vec![]);
    for place in places.split(',') {
        let (host, port) = host_and_port(place)?;
        hosts.push(decoded(host)?);
        ports.push(decoded(port)?);
    }
    let mut found = Parameters::new();
    let mut put = |key: &str, value: String| {
        if value.chars().any(|c| c != ',') {
            found.insert(key.to_owned(), value);
        }
    };
    put("user", decoded(user)?);
    put("password", decoded(password)?);
    put("host", hosts.join(","));
    put("port", ports.join(","));
    put("dbname", decoded(database)?);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=')?;
        match (decoded(key)?.as_str(), decoded(value)?) {
            // As JDBC writes it.
            ("ssl", value) if value == "true" => put("sslmode", "require".to_owned()),
            (key, value) => put(key, value),
        }
    }
    Some(found)
}

/// `host`, `host:port`, `[ipv6]:port`.
fn host_and_port(place: &str) -> Option<(&str, &str)> {
    if let Some(rest) = place.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        return match rest.strip_prefix(':') {
            Some(port) => Some((host, port)),
            None => rest.is_empty().then_some((host, "")),
        };
    }
    Some(place.split_once(':').unwrap_or((place, "")))
}

/// With `%61` as the byte it stands for; `None` for what is no UTF-8 then, or no such escape.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let (high, low) = (rest.next()?, rest.next()?);
                let digit = |byte: u8| char::from(byte).to_digit(16);
                u8::try_from(digit(high)? * 16 + digit(low)?).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

/// A section of a service file; `None` where it has none of this name.
pub fn service(file: &str, name: &str) -> Option<Parameters> {
    let lines = file.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let title = |line: &str| Some(line.strip_prefix('[')?.strip_suffix(']')?.to_owned());
    let mut lines = lines.skip_while(|line| title(line).as_deref() != Some(name));
    lines.next()?;
    let pairs = lines.take_while(|line| !line.starts_with('[')).filter_map(|line| line.split_once('='));
    Some(pairs.map(|(key, value)| (key.trim_end().to_owned(), value.trim_start().to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        uri(text).unwrap().into_iter().collect()
    }

    fn expected(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    #[test]
    fn uris_of_the_documentation() {
        assert_eq!(pairs("postgresql://"), []);
        assert_eq!(pairs("postgres://localhost"), expected(&[("host", "localhost")]));
        assert_eq!(
            pairs("postgresql://other@localhost:5433/otherdb?connect_timeout=10&application_name=myapp"),
            expected(&[
                ("application_name", "myapp"),
                ("connect_timeout", "10"),
                ("dbname", "otherdb"),
                ("host", "localhost"),
                ("port", "5433"),
                ("user", "other")
            ])
        );
        assert_eq!(
            pairs("postgresql://host1:123,host2:456/somedb"),
            expected(&[("dbname", "somedb"), ("host", "host1,host2"), ("port", "123,456")])
        );
        assert_eq!(
            pairs("postgresql:///mydb?host=localhost&port=5433"),
            expected(&[("dbname", "mydb"), ("host", "localhost"), ("port", "5433")])
        );
        assert_eq!(
            pairs("postgresql://[2001:db8::1234]/database"),
            expected(&[("dbname", "database"), ("host", "2001:db8::1234")])
        );
        assert_eq!(
            pairs("postgresql://%2Fvar%2Flib%2Fpostgresql/dbname"),
            expected(&[("dbname", "dbname"), ("host", "/var/lib/postgresql")])
        );
    }

    #[test]
    fn what_is_no_uri() {
        for wrong in [
            "",
            "host=x",
            "mysql://h",
            "postgresql://[::1",
            "postgresql://h%zz",
            "postgresql://h?a",
            "postgresql://[::1]x",
        ] {
            assert_eq!(uri(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_section_ends_where_the_next_begins() {
        let file = "# services\n[other]\nhost=wrong\n\n[forum]\n  host=/run/pg\n#port=1\nport=5433\nnonsense\n[last]\nport=1\n";
        let found: Vec<_> = service(file, "forum").unwrap().into_iter().collect();
        assert_eq!(found, expected(&[("host", "/run/pg"), ("port", "5433")]));
        assert_eq!(service(file, "none"), None);
    }

    proptest! {
        #[test]
        fn parsers_never_panic(text in ".{0,60}") {
            uri(&text);
            uri(&format!("postgresql://{text}"));
            service(&text, "a");
            service(&format!("[a]\n{text}"), "a");
        }
    }
}

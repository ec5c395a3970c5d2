//! Where libpq would go for the connection of a policy, and as whom: what is typed, then the service, then the environment, then
//! the defaults of libpq.

use std::path::{Path, PathBuf};

use super::conninfo::{self, Parameters};
use super::passfile::{self, Asked};
use crate::config::policy::Connection;
use crate::kernel::dial::Address;

/// Where libpq looks for a socket where nothing says so: Debian's, then upstream's.
const SOCKETS: [&str; 2] = ["/var/run/postgresql", "/tmp"];
/// Upstream's port.
const PORT: u16 = 5432;
/// `SYSCONFDIR` of Debian's libpq; others set `PGSYSCONFDIR`.
const SYSTEM: &str = "/etc/postgresql-common";
/// The database that every server has.
const DATABASE: &str = "postgres";
/// Environment variables and the parameters they stand for.
const VARIABLES: [(&str, &str); 10] = [
    ("PGHOST", "host"),
    ("PGHOSTADDR", "hostaddr"),
    ("PGPORT", "port"),
    ("PGUSER", "user"),
    ("PGPASSWORD", "password"),
    ("PGPASSFILE", "passfile"),
    ("PGDATABASE", "dbname"),
    ("PGSSLMODE", "sslmode"),
    ("PGREQUIREPEER", "requirepeer"),
    ("PGTARGETSESSIONATTRS", "target_session_attrs"),
];

/// What the machine says about whoever connects.
pub struct Surroundings<'a> {
    /// A variable of the environment.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// The text of a file; the second argument says whether it holds secrets, so that it must be its owner's alone.
    pub read: &'a dyn Fn(&Path, bool) -> Option<String>,
    /// The home of the account.
    pub home: PathBuf,
    /// The name of the account.
    pub account: String,
}

/// One place where the server may be.
#[derive(Clone, PartialEq, Eq)]
pub struct Place {
    /// How it is reached.
    pub address: Address,
    /// What proves who we are, if it asks.
    pub password: Option<String>,
}

/// Where a server is and as whom it is asked.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// Tried in this order. Never empty.
    pub places: Vec<Place>,
    /// The role.
    pub user: String,
    /// The database.
    pub database: String,
}

impl Target {
    /// # Errors
    /// A sentence that says what cannot be done here: an unknown service, TLS.
    pub fn of(connection: &Connection, around: &Surroundings<'_>) -> Result<Target, String> {
        let parameters = parameters(connection, around)?;
        let of = |key: &str| parameters.get(key).map(String::as_str).filter(|value| !value.is_empty());
        let user = of("user").unwrap_or(&around.account).to_owned();
        let database = of("dbname").unwrap_or(DATABASE).to_owned();
        let passfile = of("passfile").map_or_else(|| around.home.join(".pgpass"), PathBuf::from);
        let passwords = match of("password") {
            None => (around.read)(&passfile, true).unwrap_or_default(),
            Some(_) => String::new(),
        };
        let mut places = vec![];
        for (name, address) in addresses(of("host"), of("hostaddr"), of("port"))? {
            refuse_what_is_not_followed(&parameters, &address)?;
            let port = match &address {
                Address::Tcp { port, .. } => *port,
                Address::Socket(path) => path.extension().and_then(|e| e.to_str()?.parse().ok()).unwrap_or(PORT),
            };
            let asked = Asked { host: &name, port, database: &database, user: &user };
            let password = of("password").map(str::to_owned).or_else(|| passfile::password(&passwords, &asked));
            places.push(Place { address, password });
        }
        if places.len() > 1 && of("host").is_some() && of("target_session_attrs").is_some_and(|attrs| attrs != "any") {
            return Err("of several hosts it cannot be told here which one the dump takes".to_owned());
        }
        Ok(Target { places, user, database })
    }
}

fn parameters(connection: &Connection, around: &Surroundings<'_>) -> Result<Parameters, String> {
    let mut found = match &connection.uri {
        Some(uri) => conninfo::uri(uri).ok_or("the URI of the connection is not understood")?,
        None => Parameters::new(),
    };
    let mut typed = |key: &str, value: Option<String>| found.extend(value.map(|value| (key.to_owned(), value)));
    typed("host", connection.host.clone());
    typed("port", connection.port.map(|port| port.to_string()));
    typed("user", connection.user.clone());
    let mut add = |more: Parameters| {
        for (key, value) in more {
            found.entry(key).or_insert(value);
        }
    };
    if let Some(name) = connection.service.clone().or_else(|| (around.variable)("PGSERVICE")) {
        add(service(&name, around).ok_or_else(|| format!("service `{name}` is in no file of services"))?);
    }
    // A policy's file takes the place of the variable, for psql and pg_dump get it as one.
    let passfile = connection.passfile.as_ref().map(|path| path.display().to_string());
    add(passfile.map(|path| ("passfile".to_owned(), path)).into_iter().collect());
    let variables = VARIABLES.iter().filter_map(|(name, key)| Some((key.to_string(), (around.variable)(name)?)));
    add(variables.collect());
    Ok(found)
}

/// libpq looks into the account's own file first.
fn service(name: &str, around: &Surroundings<'_>) -> Option<Parameters> {
    let own = (around.variable)("PGSERVICEFILE").map_or_else(|| around.home.join(".pg_service.conf"), PathBuf::from);
    let system = PathBuf::from((around.variable)("PGSYSCONFDIR").unwrap_or_else(|| SYSTEM.to_owned()));
    let files = [own, system.join("pg_service.conf")];
    files.iter().find_map(|file| conninfo::service(&(around.read)(file, false)?, name))
}

/// What is reached, and the name under which a file of passwords knows it.
fn addresses(host: Option<&str>, numbers: Option<&str>, ports: Option<&str>) -> Result<Vec<(String, Address)>, String> {
    let split = |list: Option<&str>| -> Vec<String> {
        list.map(|list| list.split(',').map(|item| item.trim().to_owned()).collect()).unwrap_or_default()
    };
    let (hosts, numbers, ports) = (split(host), split(numbers), split(ports));
    let mut found = vec![];
    for index in 0..hosts.len().max(numbers.len()).max(1) {
        let at = |list: &[String]| list.get(index).filter(|item| !item.is_empty()).cloned();
        // One port is that of all hosts.
        let port = if ports.len() == 1 { ports.first().filter(|p| !p.is_empty()).cloned() } else { at(&ports) };
        let port = port.map_or(Ok(PORT), |port| port.parse().map_err(|_| format!("port `{port}` is none")))?;
        let socket = |directory: &str| Address::Socket(Path::new(directory).join(format!(".s.PGSQL.{port}")));
        match (at(&hosts), at(&numbers)) {
            (Some(host), _) if host.starts_with('/') => found.push((host.clone(), socket(&host))),
            (host, Some(number)) => {
                found.push((host.unwrap_or_else(|| number.clone()), Address::Tcp { host: number, port }));
            }
            (Some(host), None) => found.push((host.clone(), Address::Tcp { host, port })),
            (None, None) => found.extend(SOCKETS.iter().map(|dir| ("localhost".to_owned(), socket(dir)))),
        }
    }
    Ok(found)
}

/// What was asked for to be safe, and would not be done here. libpq does without TLS on a socket in the file system, too.
fn refuse_what_is_not_followed(parameters: &Parameters, address: &Address) -> Result<(), String> {
    let of = |key: &str| parameters.get(key).map(String::as_str).filter(|value| !value.is_empty());
    let refuse =
        |key: &str, value: &str| Err(format!("`{key}={value}` cannot be had here: the governor speaks no TLS"));
    match address {
        Address::Socket(_) => match of("requirepeer") {
            Some(peer) => Err(format!("`requirepeer={peer}` is not looked at here")),
            None => Ok(()),
        },
        Address::Tcp { .. } => match (of("sslmode"), of("channel_binding"), of("gssencmode")) {
            (Some(mode @ ("require" | "verify-ca" | "verify-full")), _, _) => refuse("sslmode", mode),
            (_, Some("require"), _) => refuse("channel_binding", "require"),
            (_, _, Some("require")) => refuse("gssencmode", "require"),
            _ => Ok(()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(connection: &Connection, variables: &[(&str, &str)], files: &[(&str, &str)]) -> Result<Target, String> {
        let find = |list: &[(&str, &str)], name: &str| {
            list.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_string())
        };
        Target::of(
            connection,
            &Surroundings {
                variable: &|name| find(variables, name),
                read: &|path, _| find(files, path.to_str().unwrap()),
                home: "/home/b".into(),
                account: "b".into(),
            },
        )
    }

    fn shown(target: &Target) -> String {
        let place = |place: &Place| {
            let password = place.password.as_ref().map(|password| format!(" with {password}")).unwrap_or_default();
            format!("{}{password}", place.address)
        };
        let places: Vec<_> = target.places.iter().map(place).collect();
        format!("{}@{} at {}", target.user, target.database, places.join(", "))
    }

    fn of(connection: Connection, variables: &[(&str, &str)], files: &[(&str, &str)]) -> String {
        target(&connection, variables, files).map_or_else(|why| why, |target| shown(&target))
    }

    fn uri(uri: &str) -> Connection {
        Connection { uri: Some(uri.into()), ..Connection::default() }
    }

    #[test]
    fn nothing_said_is_the_account_at_the_socket() {
        insta::assert_snapshot!(of(Connection::default(), &[], &[]), @"b@postgres at /var/run/postgresql/.s.PGSQL.5432, /tmp/.s.PGSQL.5432");
        insta::assert_snapshot!(of(Connection { host: Some("/run/x".into()), port: Some(5433), ..Connection::default() }, &[("PGUSER", "u")], &[]), @"u@postgres at /run/x/.s.PGSQL.5433");
    }

    #[test]
    fn what_is_typed_goes_before_the_service_and_that_before_the_environment() {
        let connection =
            Connection { service: Some("forum".into()), user: Some("typed".into()), ..Connection::default() };
        let environment = [("PGHOST", "env"), ("PGUSER", "env"), ("PGPORT", "7"), ("PGSERVICEFILE", "/s")];
        let files = [("/s", "[forum]\nhost=db\nuser=service\n"), ("/home/b/.pgpass", "db:7:*:typed:secret\n")];
        insta::assert_snapshot!(of(connection.clone(), &environment, &files), @"typed@postgres at db:7 with secret");
        insta::assert_snapshot!(of(connection.clone(), &[], &[("/home/b/.pg_service.conf", "[x]"), ("/etc/postgresql-common/pg_service.conf", "[forum]\nport=9")]), @"typed@postgres at /var/run/postgresql/.s.PGSQL.9, /tmp/.s.PGSQL.9");
        insta::assert_snapshot!(of(connection, &[], &[]), @"service `forum` is in no file of services");
    }

    #[test]
    fn several_hosts_each_with_its_port_and_password() {
        let files = [("/p", "h1:1:*:*:one\nh2:2:*:*:two")];
        let connection = Connection { passfile: Some("/p".into()), ..uri("postgresql://u@h1:1,h2:2/forum") };
        insta::assert_snapshot!(of(connection, &[("PGPASSFILE", "/other")], &files), @"u@forum at h1:1 with one, h2:2 with two");
        insta::assert_snapshot!(of(uri("postgresql:///?host=a,b&hostaddr=10.0.0.1,&port=5"), &[], &[]), @"b@postgres at 10.0.0.1:5, b:5");
        insta::assert_snapshot!(of(uri("postgresql://a,b/?target_session_attrs=primary"), &[], &[]), @"of several hosts it cannot be told here which one the dump takes");
    }

    #[test]
    fn what_was_asked_for_to_be_safe_is_not_left_out() {
        insta::assert_snapshot!(of(uri("postgresql://h/?sslmode=verify-full"), &[], &[]), @"`sslmode=verify-full` cannot be had here: the governor speaks no TLS");
        insta::assert_snapshot!(of(Connection { host: Some("h".into()), ..Connection::default() }, &[("PGSSLMODE", "require")], &[]), @"`sslmode=require` cannot be had here: the governor speaks no TLS");
        insta::assert_snapshot!(of(Connection { host: Some("/r".into()), ..Connection::default() }, &[("PGSSLMODE", "require")], &[]), @"b@postgres at /r/.s.PGSQL.5432");
        insta::assert_snapshot!(of(uri("postgresql:///?requirepeer=postgres"), &[], &[]), @"`requirepeer=postgres` is not looked at here");
        insta::assert_snapshot!(of(uri("postgresql://h:x/"), &[], &[]), @"port `x` is none");
    }
}

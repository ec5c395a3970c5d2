//! The keys of `[governor.probes.NAME]` as they were typed, each read on its own.

use std::time::Duration;

use super::addresses;
use crate::config::fragment::ConnectionKeys;
use crate::config::governor::{SocketState, Threshold, numbers};
use crate::config::reader::{Field, Reader, Section};
use crate::config::shapes;
use crate::config::value;

/// `[governor.probes.NAME]`
#[derive(Debug, Clone)]
pub struct ProbeKeys {
    /// `http`: a URL.
    pub http: Field<String>,
    /// `status`: 100 to 599.
    pub status: Field<u16>,
    /// `contains`
    pub contains: Field<String>,
    /// `tcp`: `HOST:PORT`.
    pub tcp: Field<String>,
    /// `postgres`: a query.
    pub postgres: Field<String>,
    /// `user`
    pub user: Field<String>,
    /// `[governor.probes.NAME.connection]`
    pub connection: Section<ConnectionKeys>,
    /// `memcached`: `HOST:PORT` or a path.
    pub memcached: Field<String>,
    /// `php_fpm`: `HOST:PORT` or a path.
    pub php_fpm: Field<String>,
    /// `status_path`
    pub status_path: Field<String>,
    /// `connections`: a port.
    pub connections: Field<u16>,
    /// `state`
    pub state: Field<SocketState>,
    /// `command`: program and arguments.
    pub command: Field<Vec<String>>,
    /// `interval`: 100 ms to 1 h.
    pub interval: Field<Duration>,
    /// `timeout`: 10 ms to 60 s.
    pub timeout: Field<Duration>,
    /// `throttle`
    pub throttle: Field<Threshold>,
    /// `pause`
    pub pause: Field<Threshold>,
    /// `absent_after`: 1 s to 1 day.
    pub absent_after: Field<Duration>,
}

impl ProbeKeys {
    /// Reads `[governor.probes.NAME]`.
    pub fn read(r: &mut Reader<'_>) -> ProbeKeys {
        const STATES: &[(&str, SocketState)] = &[
            ("established", SocketState::Established),
            ("syn-sent", SocketState::SynSent),
            ("close-wait", SocketState::CloseWait),
            ("time-wait", SocketState::TimeWait),
        ];
        const PORTS: std::ops::RangeInclusive<i64> = 1..=65_535;
        let (ms, seconds) = (Duration::from_millis, Duration::from_secs);
        ProbeKeys {
            http: r.key("http", addresses::url),
            status: r.key("status", value::integer(100..=599)),
            contains: r.key("contains", value::line),
            tcp: r.key("tcp", addresses::host_and_port),
            postgres: r
                .key("postgres", |value| value::text(value).and_then(|query| shapes::without_password(value, query))),
            user: r.key("user", shapes::account),
            connection: r.section("connection", ConnectionKeys::read),
            memcached: r.key("memcached", addresses::socket),
            php_fpm: r.key("php_fpm", addresses::socket),
            status_path: r.key("status_path", addresses::status_path),
            connections: r.key("connections", value::integer(PORTS)),
            state: r.key("state", value::word(STATES)),
            command: r.key("command", shapes::argv),
            interval: r.key("interval", shapes::span_between(ms(100), seconds(3600))),
            timeout: r.key("timeout", shapes::span_between(ms(10), seconds(60))),
            throttle: r.key("throttle", numbers::threshold),
            pause: r.key("pause", numbers::threshold),
            absent_after: r.key("absent_after", shapes::span(1, 86_400)),
        }
    }
}

//! `[admission]` and `[retry]` of a job over those of `[defaults]`, and over what is built in; `[daemon]`.

use std::time::Duration;

use super::keys::{AdmissionKeys, CommonKeys, DaemonKeys, RetryKeys};
use super::{Admission, Daemon, Retry};
use crate::config::diagnostic::{Diagnostic, Diagnostics};
use crate::config::merge::{Merge, Setting, first};
use crate::config::reader::{Field, Section};
use crate::config::units::Span;

/// What a run of a job waits for.
pub fn admission(merge: &mut Merge<'_>, job: &AdmissionKeys, defaults: &CommonKeys) -> Admission {
    let low = Admission::default();
    let mut pick = Pick { merge, layers: [&job.common, defaults] };
    let priority = pick.value("priority", |keys| &keys.priority, low.priority, &low.priority.to_string());
    let heavy = pick.value("heavy", |keys| &keys.heavy, low.heavy, &low.heavy.to_string());
    let after = pick.merge.or_default("admission.after", &[&job.after], Vec::new(), "[]");
    Admission {
        priority,
        heavy,
        after: after.into_iter().map(toml::Spanned::into_inner).collect(),
        after_max_age: pick.time("after_max_age", |keys| &keys.after_max_age, low.after_max_age),
        max_load: pick.value("max_load", |keys| &keys.max_load, low.max_load, "2.0"),
        max_temperature: pick.value("max_temperature", |keys| &keys.max_temperature, low.max_temperature, "90"),
        max_wait: pick.time("max_wait", |keys| &keys.max_wait, low.max_wait),
        otherwise: pick.value("otherwise", |keys| &keys.otherwise, low.otherwise, "\"gently\""),
        overlap: pick.value("overlap", |keys| &keys.overlap, low.overlap, "\"skip\""),
    }
}

/// What becomes of a failed run of a job.
pub fn retry(merge: &mut Merge<'_>, job: &Section<RetryKeys>, defaults: &RetryKeys) -> Retry {
    let (job, low) = ([&job.keys, defaults], Retry::default());
    delays_are_in_order(merge.out, job);
    let [of_job, of_all] = job;
    let limit = merge.or_default("retry.limit", &[&of_job.limit, &of_all.limit], low.limit, &low.limit.to_string());
    let delay = [&of_job.delay, &of_all.delay];
    let delay = merge.or_default("retry.delay", &delay, low.delay, &quoted(low.delay));
    // A long delay takes the built-in longest one along: whoever sets one shall not have to set both.
    let longest = low.max_delay.max(delay);
    let max_delay = [&of_job.max_delay, &of_all.max_delay];
    let max_delay = merge.or_default("retry.max_delay", &max_delay, longest, &quoted(longest));
    Retry { limit, delay, max_delay }
}

/// What the daemon may do, and where each value came from.
pub fn daemon(out: &mut Diagnostics, keys: &DaemonKeys) -> (Daemon, Vec<Setting>) {
    let low = Daemon::default();
    let mut merge = Merge { out, settings: Vec::new() };
    let most = low.max_running.to_string();
    let within = quoted(low.catch_up_within);
    let daemon = Daemon {
        max_running: merge.or_default("daemon.max_running", &[&keys.max_running], low.max_running, &most),
        catch_up_within: merge.or_default(
            "daemon.catch_up_within",
            &[&keys.catch_up_within],
            low.catch_up_within,
            &within,
        ),
    };
    (daemon, merge.settings)
}

/// A first delay beyond the longest one. Told where the job says one of them, else in `govern.toml`.
fn delays_are_in_order(out: &mut Diagnostics, layers: [&RetryKeys; 2]) {
    let [job, defaults] = layers;
    let delay = first(&[&job.delay, &defaults.delay]);
    let longest = first(&[&job.max_delay, &defaults.max_delay]);
    let (Some(delay), Some(longest)) = (delay, longest) else { return };
    if longest.value >= delay.value || (job.delay.is_absent() && job.max_delay.is_absent()) {
        return;
    }
    let of_job =
        if job.max_delay.is_absent() { (&delay.place, &longest.place) } else { (&longest.place, &delay.place) };
    let (longest, delay) = (Span(longest.value), Span(delay.value));
    let error = Diagnostic::error(of_job.0.clone(), format!("`max_delay` (`{longest}`) is below `delay` (`{delay}`)"));
    out.push(error.also(of_job.1.clone(), "the other one").hint("the delay is doubled each time, up to `max_delay`"));
}

/// What is wrong with `[defaults.retry]`, whatever a job makes of it.
pub fn defaults(out: &mut Diagnostics, section: &Section<RetryKeys>) {
    let nothing = RetryKeys { limit: Field::Absent, delay: Field::Absent, max_delay: Field::Absent };
    delays_are_in_order(out, [&section.keys, &nothing]);
}

fn quoted(length: Duration) -> String {
    format!("\"{}\"", Span(length))
}

/// Picks the values of `[admission]`.
struct Pick<'m, 'd> {
    merge: &'m mut Merge<'d>,
    layers: [&'m CommonKeys; 2],
}

impl Pick<'_, '_> {
    fn value<T: Clone>(&mut self, key: &str, of: fn(&CommonKeys) -> &Field<T>, built_in: T, printed: &str) -> T {
        let fields = self.layers.map(of);
        self.merge.or_default(&format!("admission.{key}"), &fields, built_in, printed)
    }

    fn time(&mut self, key: &str, of: fn(&CommonKeys) -> &Field<Duration>, built_in: Duration) -> Duration {
        self.value(key, of, built_in, &quoted(built_in))
    }
}

//! The layers of `[governor]` laid over each other, and over the profile.

use super::keys::GovernorKeys;
use super::numbers::places_shown;
use super::{Governor, Mode, OnConflict, Profile, Thresholds};
use crate::config::fragment::KindName;
use crate::config::merge::{Merge, Source, first};
use crate::config::reader::Field;
use crate::config::units::Span;

/// All but the probes. The first layer that says anything about a key holds; the profile, itself merged so, gives the rest.
pub fn layers(merge: &mut Merge<'_>, kind: KindName, layers: &[&GovernorKeys]) -> Governor {
    let chosen = first(&fields(layers, |keys| &keys.profile)).map_or(Profile::Balanced, |typed| typed.value);
    let low = Governor::of_profile(chosen, kind);
    let mut pick = Pick { merge, layers, profile: chosen };
    Governor {
        mode: pick.value("mode", |keys| &keys.mode, Mode::On, "\"on\""),
        profile: pick.value("profile", |keys| &keys.profile, chosen, "\"balanced\""),
        protect: pick.optional("protect", |keys| &keys.protect),
        agents: pick.value("agents", |keys| &keys.agents, low.agents, "[]"),
        baseline: pick.value("baseline", |keys| &keys.baseline, low.baseline, &text(Span(low.baseline))),
        thresholds: thresholds(&mut pick, low.thresholds),
        floor: pick.number("floor", |keys| &keys.floor, low.floor, &text(low.floor)),
        stretch: pick.number("stretch", |keys| &keys.stretch, low.stretch, &low.stretch.to_string()),
        pause_budget: pick.value(
            "pause_budget",
            |keys| &keys.pause_budget,
            low.pause_budget,
            &text(Span(low.pause_budget)),
        ),
        lock_wait_max: {
            let printed = low.lock_wait_max.map_or_else(|| text("unlimited"), |most| text(Span(most)));
            pick.value("lock_wait_max", |keys| &keys.lock_wait_max, low.lock_wait_max, &printed)
        },
        deadline: pick.optional("deadline", |keys| &keys.deadline).flatten(),
        on_conflict: pick.value("on_conflict", |keys| &keys.on_conflict, OnConflict::Protect, "\"protect\""),
        probes: Vec::new(),
    }
}

fn thresholds(pick: &mut Pick<'_, '_>, low: Thresholds) -> Thresholds {
    let waiters = places_shown(low.waiters, 3);
    let above_usual = places_shown(u32::from(low.above_usual), 1);
    Thresholds {
        io_stall: pick.number("io_stall", |keys| &keys.io_stall, low.io_stall, &text(low.io_stall)),
        memory_stall: pick.number("memory_stall", |keys| &keys.memory_stall, low.memory_stall, &text(low.memory_stall)),
        cpu_stall: pick.number("cpu_stall", |keys| &keys.cpu_stall, low.cpu_stall, &text(low.cpu_stall)),
        waiters: pick.number("waiting_sessions", |keys| &keys.waiting_sessions, low.waiters, &waiters),
        dirty_debt: pick.number("dirty_debt", |keys| &keys.dirty_debt, low.dirty_debt, &text(Span(low.dirty_debt))),
        above_usual: pick.number("above_usual", |keys| &keys.above_usual, low.above_usual, &above_usual),
    }
}

/// Picks the values of the section.
struct Pick<'m, 'd> {
    merge: &'m mut Merge<'d>,
    layers: &'m [&'m GovernorKeys],
    profile: Profile,
}

impl Pick<'_, '_> {
    /// A value that is the same in every profile.
    fn value<T: Clone>(&mut self, key: &str, of: fn(&GovernorKeys) -> &Field<T>, built_in: T, printed: &str) -> T {
        self.merge.or_default(&path(key), &fields(self.layers, of), built_in, printed)
    }

    /// A value that the profile has.
    fn number<T: Clone>(&mut self, key: &str, of: fn(&GovernorKeys) -> &Field<T>, low: T, printed: &str) -> T {
        self.merge.or_else(&path(key), &fields(self.layers, of), low, printed, Source::Profile(self.profile))
    }

    fn optional<T: Clone>(&mut self, key: &str, of: fn(&GovernorKeys) -> &Field<T>) -> Option<T> {
        self.merge.optional(&path(key), &fields(self.layers, of))
    }
}

fn path(key: &str) -> String {
    format!("governor.{key}")
}

/// A key in every layer.
pub fn fields<'a, T>(layers: &[&'a GovernorKeys], of: fn(&GovernorKeys) -> &Field<T>) -> Vec<&'a Field<T>> {
    layers.iter().map(|keys| of(keys)).collect()
}

/// A text in TOML.
fn text(value: impl std::fmt::Display) -> String {
    format!("\"{value}\"")
}

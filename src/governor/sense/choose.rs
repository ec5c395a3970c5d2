//! Which units are witnesses of harm: a pure function of the groups that hold processes, what systemd knows, and the policy.
//!
//! Invariants: the run, what it is in, and the slice of all runs are never chosen; no unit is chosen twice; the name of a unit says
//! where it is as far as that is needed, and depends on its path alone.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use globset::{Glob, GlobSet, GlobSetBuilder};

use crate::kernel::systemd::UnitFacts;

/// The slice of all runs.
const RUNS: &str = "govern.slice";

/// Services that nobody waits for, by their names: the system's own housekeeping, loggers, cron and its kin.
const NOT_SERVING: &[&str] = &[
    "init.scope",
    "systemd-*",
    "user@*.service",
    "user-runtime-dir@*.service",
    // Loggers.
    "rsyslog.service",
    "syslog*.service",
    "auditd.service",
    "klogd.service",
    // What starts other programs by the clock. A job of cron runs in its group.
    "cron.service",
    "crond.service",
    "anacron.service",
    "fcron.service",
    "cronie.service",
    "atd.service",
    // Housekeeping.
    "dbus*.service",
    "polkit*.service",
    "udisks2.service",
    "getty@*.service",
    "serial-getty@*.service",
    "console-getty.service",
    "irqbalance.service",
    "smartd.service",
    "smartmontools.service",
    "packagekit.service",
    "unattended-upgrades.service",
    "govern*.service",
    // A container's own supervisor; the container is a group of its own.
    "libpod-conmon-*",
];

/// Tasks of timers, for the case that systemd does not tell which those are.
const TASKS: &[&str] = &[
    "apt-daily*.service",
    "man-db.service",
    "logrotate.service",
    "fstrim.service",
    "e2scrub*.service",
    "dpkg-db-backup.service",
    "plocate-updatedb.service",
    "mlocate-updatedb.service",
    "phpsessionclean.service",
    "certbot.service",
    "fwupd-refresh.service",
    "motd-news.service",
    "sysstat-*.service",
    "exim4-base.service",
    "raid-check.service",
    "mdcheck_*.service",
    "mdmonitor-*.service",
    "zfs-scrub@*.service",
    "btrfs-*.service",
    "*backup*.service",
];

/// A unit and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Its group, relative to the mount.
    pub group: PathBuf,
    /// Its name: `nginx.service`; within a container or a user's manager `user@1000.service/syncthing.service`; of a group in no
    /// unit the path.
    pub name: Arc<str>,
}

/// By what is chosen.
pub struct Rule {
    /// What the policy asks for in place of the default.
    patterns: Option<GlobSet>,
    not_serving: GlobSet,
    tasks: GlobSet,
    /// Groups of the run: neither they nor what is above or below them.
    own: Vec<PathBuf>,
}

impl Rule {
    /// The rule of a policy; with it, what is wrong with its patterns. `own` are groups of the run, relative to the mount.
    pub fn new(protect: Option<&[String]>, facts: &[UnitFacts], own: Vec<PathBuf>) -> (Rule, Vec<String>) {
        let mut wrong = Vec::new();
        let patterns = protect.map(|patterns| {
            let (set, refused) = globs(patterns);
            wrong.extend(
                refused.into_iter().map(|pattern| format!("`{pattern}` is no pattern of units: it protects nothing")),
            );
            set
        });
        let told: Vec<String> =
            facts.iter().filter(|unit| unit.oneshot || unit.timed).map(|unit| unit.id.clone()).collect();
        let tasks = match facts {
            [] => globs(TASKS).0,
            _ => globs(&told.iter().map(|id| globset::escape(id)).collect::<Vec<_>>()).0,
        };
        // The root of the hierarchy is everybody's.
        let own = own.into_iter().filter(|group| !group.as_os_str().is_empty()).collect();
        (Rule { patterns, not_serving: globs(NOT_SERVING).0, tasks, own }, wrong)
    }

    /// Whether the policy names what is protected.
    pub fn is_named(&self) -> bool {
        self.patterns.is_some()
    }

    /// Whether a unit is protected; `short` is its name without where it is.
    fn wants(&self, Unit { group, name }: &Unit, short: &str) -> bool {
        let ours = self.own.iter().any(|own| related(own, group));
        // A slice holds units and no processes; one that seems to has just lost its last unit.
        let slice = short.ends_with(".slice");
        if ours || slice || group.components().any(|part| part.as_os_str() == RUNS) {
            return false;
        }
        match &self.patterns {
            Some(patterns) => patterns.is_match(short) || patterns.is_match(&**name),
            None => !self.not_serving.is_match(short) && !self.tasks.is_match(short),
        }
    }
}

/// The protected ones among the lowest groups that hold processes, in their order.
pub fn protected(groups: &[PathBuf], rule: &Rule) -> Vec<Unit> {
    let mut chosen: Vec<Unit> = Vec::new();
    for group in groups {
        let (unit, short) = unit_of(group);
        if rule.wants(&unit, short) && chosen.last() != Some(&unit) {
            chosen.push(unit);
        }
    }
    chosen
}

/// Whether one group is the other one, or in it.
pub fn related(one: &Path, other: &Path) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// The lowest unit a group is in, and its name alone: what a service makes below itself is its own affair. A group in no unit stands
/// for itself.
fn unit_of(group: &Path) -> (Unit, &str) {
    let is_unit = |name: &&str| name.ends_with(".service") || name.ends_with(".scope");
    let found = group.ancestors().find_map(|above| Some((above, last(above).filter(is_unit)?)));
    let Some((above, name)) = found else {
        let unit = Unit { group: group.to_path_buf(), name: group.to_string_lossy().into() };
        return (unit, last(group).unwrap_or_default());
    };
    // systemd puts a `_` before names the kernel could take for files of its own.
    let short = name.strip_prefix('_').unwrap_or(name);
    // A container may have a systemd of its own, and each user has one.
    let outer = above.iter().filter_map(|part| part.to_str()).find(|part| !part.ends_with(".slice"));
    let name = match outer {
        Some(outer) if outer != name => format!("{outer}/{short}").into(),
        _ => short.into(),
    };
    (Unit { group: above.to_path_buf(), name }, short)
}

fn last(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

/// A set of patterns, and those that are none.
pub fn globs<S: AsRef<str>>(patterns: &[S]) -> (GlobSet, Vec<String>) {
    let (mut builder, mut refused) = (GlobSetBuilder::new(), Vec::new());
    for pattern in patterns.iter().map(AsRef::as_ref) {
        match Glob::new(pattern) {
            Ok(glob) => {
                builder.add(glob);
            }
            Err(_) => refused.push(pattern.to_owned()),
        }
    }
    (builder.build().unwrap_or_default(), refused)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kernel::systemd::parse_facts;

    /// A Debian 12 server while timers and a run are at work: groups that hold processes, and what systemd knows.
    const GROUPS: &str = include_str!("../../../tests/fixtures/units/debian-12.groups");
    const FACTS: &str = include_str!("../../../tests/fixtures/units/debian-12.facts");

    fn groups() -> Vec<PathBuf> {
        GROUPS.lines().map(PathBuf::from).collect()
    }

    fn chosen(protect: Option<&[&str]>, facts: &[UnitFacts], own: &str) -> Vec<String> {
        let patterns: Option<Vec<String>> = protect.map(|p| p.iter().map(|p| (*p).to_owned()).collect());
        let (rule, wrong) = Rule::new(patterns.as_deref(), facts, vec![own.into()]);
        assert_eq!(wrong, Vec::<String>::new());
        protected(&groups(), &rule).iter().map(|unit| unit.name.to_string()).collect()
    }

    const RUN: &str = "govern.slice/govern-forum-42.service";

    #[test]
    fn by_default_what_serves_somebody() {
        let expected = [
            "docker-0ae6c1fd7e2cbf3bd2aa4ac3d3c1f2cc4a0e8a4b0d8d3f6b5a0c9c4f2ff0e1d2.scope",
            "libpod-5e2c0ad94c2c44c2c9c53a1b7b94f1d2a60e1b7a.scope",
            "containerd.service",
            "docker.service",
            "memcached.service",
            "nginx.service",
            "php8.2-fpm.service",
            "ssh.service",
            "postgresql@15-main.service",
            "session-3.scope",
            "user@1000.service/syncthing.service",
        ];
        let mut found = chosen(None, &parse_facts(FACTS), RUN);
        let mut expected: Vec<String> = expected.map(str::to_owned).to_vec();
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
    }

    #[test]
    fn without_a_word_of_systemd_names_tell_most() {
        let (with, without) = (chosen(None, &parse_facts(FACTS), RUN), chosen(None, &[], RUN));
        // The forum's own task looks like any service.
        let more: Vec<_> = without.iter().filter(|name| !with.contains(name)).collect();
        assert_eq!(more, ["forum-digest.service"]);
    }

    #[test]
    fn patterns_replace_the_default() {
        let facts = parse_facts(FACTS);
        assert_eq!(
            chosen(Some(&["postgresql@*.service", "cron.service"]), &facts, RUN),
            ["cron.service", "postgresql@15-main.service"]
        );
        assert_eq!(chosen(Some(&[]), &facts, RUN), Vec::<String>::new());
        assert_eq!(chosen(Some(&["govern-*"]), &facts, RUN), Vec::<String>::new());
    }

    #[test]
    fn the_run_is_no_witness_wherever_it_is() {
        let facts = parse_facts(FACTS);
        let scope = "user.slice/user-1000.slice/session-3.scope/govern-42";
        assert!(!chosen(None, &facts, scope).contains(&"session-3.scope".to_owned()));
        // What only lies beside it is.
        assert!(chosen(None, &facts, scope).contains(&"nginx.service".to_owned()));
    }

    #[test]
    fn a_name_says_where_it_is_as_far_as_needed() {
        let groups =
            ["docker/0ae6", "lxc.payload.web/system.slice/nginx.service", "openrc.nginx", "system.slice/nginx.service"];
        let groups: Vec<PathBuf> = groups.iter().map(PathBuf::from).collect();
        let names: Vec<_> =
            protected(&groups, &Rule::new(None, &[], vec![]).0).iter().map(|u| u.name.to_string()).collect();
        assert_eq!(names, ["docker/0ae6", "lxc.payload.web/nginx.service", "openrc.nginx", "nginx.service"]);
    }

    #[test]
    fn what_a_service_makes_below_itself_is_one_service() {
        let groups = ["a.slice/x.service/one", "a.slice/x.service/two/three"].map(PathBuf::from);
        let chosen = protected(&groups, &Rule::new(None, &[], vec![]).0);
        assert_eq!(chosen, [Unit { group: "a.slice/x.service".into(), name: "x.service".into() }]);
    }

    #[test]
    fn who_is_in_the_root_of_all_groups_excludes_nobody() {
        let (rule, _) = Rule::new(None, &[], vec![PathBuf::new()]);
        assert_eq!(protected(&["a.slice/x.service".into()], &rule).len(), 1);
    }

    #[test]
    fn a_pattern_that_is_none_is_said() {
        let (rule, wrong) = Rule::new(Some(&["a[".to_owned(), "nginx.service".to_owned()]), &[], vec![]);
        assert_eq!(wrong, ["`a[` is no pattern of units: it protects nothing"]);
        assert_eq!(protected(&[PathBuf::from("system.slice/nginx.service")], &rule).len(), 1);
    }

    proptest! {
        #[test]
        fn never_panics_and_never_chooses_the_run(groups in prop::collection::vec("[a-z./@_-]{0,30}", 0..10), own in "[a-z]{1,3}") {
            let mut groups: Vec<PathBuf> = groups.into_iter().map(PathBuf::from).collect();
            groups.push(format!("system.slice/{own}.service/payload").into());
            let own = PathBuf::from(format!("system.slice/{own}.service"));
            let (rule, _) = Rule::new(None, &[], vec![own.clone()]);
            let chosen = protected(&groups, &rule);
            prop_assert!(chosen.iter().all(|unit| !related(&unit.group, &own)));
        }
    }
}

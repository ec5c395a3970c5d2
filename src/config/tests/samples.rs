//! The samples of `jobs/` are sound, and show every key there is.

use std::collections::BTreeSet;
use std::path::Path;

use toml::de::DeTable;

use super::super::diagnostic::Diagnostics;
use super::super::fragment::{JobFile, MachineFile};
use super::super::limits::SliceLimits;
use super::super::load::KnownKeys;
use super::super::policy::{Kind, Policy};
use super::super::reader::{Known, Reading};
use super::{loaded, plain};

const JOBS: [(&str, &str); 4] = [
    ("jobs/borgmatic.toml", include_str!("../../../jobs/borgmatic.toml")),
    ("jobs/etc.toml", include_str!("../../../jobs/etc.toml")),
    ("jobs/forum-database.toml", include_str!("../../../jobs/forum-database.toml")),
    ("jobs/wiki.toml", include_str!("../../../jobs/wiki.toml")),
];
const MACHINE: (&str, &str) = ("govern.toml", include_str!("../../../jobs/defaults/govern.toml"));

#[test]
fn every_sample_is_a_sound_job() {
    for files in [JOBS.to_vec(), [JOBS.to_vec(), vec![MACHINE]].concat()] {
        let (loaded, screen) = loaded(&files);
        assert_eq!(screen, "");
        let jobs: Vec<_> = loaded.jobs.iter().map(|job| (job.policy.job.as_str(), job.policy.kind.name())).collect();
        assert_eq!(
            jobs,
            [("borgmatic", "unit"), ("etc", "filesystem"), ("forum-database", "pg_dump"), ("wiki", "command"),]
        );
    }
    // No sample is missing from the list above.
    let here = crate::kernel::fs::list(Path::new("jobs")).unwrap();
    assert_eq!(here.iter().filter(|path| path.extension().is_some()).count(), JOBS.len());
}

#[test]
fn a_policy_survives_json() {
    for job in loaded(&JOBS).0.jobs {
        let json = serde_json::to_string(&job.policy).unwrap();
        assert_eq!(serde_json::from_str::<Policy>(&json).unwrap(), job.policy);
    }
}

#[test]
fn what_is_printed_means_the_same() {
    for job in loaded(&[JOBS.to_vec(), vec![MACHINE]].concat()).0.jobs {
        let printed = super::super::print::merged(&job);
        // The jobs that it waits for are there, too.
        let others = JOBS.into_iter().filter(|(name, _)| *name != format!("jobs/{}.toml", job.policy.job));
        let files: Vec<_> = [("jobs/again.toml", printed.as_str())].into_iter().chain(others).collect();
        let (again, screen) = loaded(&files);
        assert_eq!(screen, "", "{printed}");
        // `[slice]` is of `govern.toml`, and shown apart.
        let expected = Policy { slice: SliceLimits::hygiene(), ..job.policy.clone() };
        assert_eq!(again.jobs[0].policy, expected, "{printed}");
        if let Kind::Command(command) = &job.policy.kind {
            assert_eq!(command.argv[0], "/usr/local/bin/dump-wiki");
        }
    }
}

/// The sample with every example switched on: two ways to say one thing at once, but every line of it well formed.
fn switched_on(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => rest.to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(|text| line(text) + "\n").collect()
}

/// `[governor.probes.page]` is one of many: known is what any of them may hold.
fn any_probe(header: &str) -> String {
    let Some(rest) = header.strip_prefix("governor.probes.") else { return header.to_owned() };
    let inner = rest.split_once('.').map_or(String::new(), |(_, inner)| format!(".{inner}"));
    format!("governor.probes.NAME{inner}")
}

fn shown(text: &str) -> BTreeSet<String> {
    let mut section = String::new();
    let mut keys = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = format!("{}.", any_probe(header));
        } else if let Some((key, _)) = line.split_once(" = ") {
            keys.insert(format!("{section}{key}"));
        }
    }
    keys
}

fn known() -> KnownKeys {
    KnownKeys::new(Diagnostics::default().add_file(Path::new(""), None))
}

#[test]
fn every_key_is_shown() {
    let missing = |known: &Known, texts: &[&str]| -> Vec<String> {
        let shown: BTreeSet<String> = texts.iter().flat_map(|text| shown(&switched_on(text))).collect();
        known.keys().filter(|key| !shown.contains(*key)).map(str::to_owned).collect()
    };
    assert_eq!(missing(&known().job, &JOBS.map(|(_, text)| text)), [""; 0], "jobs/*.toml");
    assert_eq!(missing(&known().machine, &[MACHINE.1]), [""; 0], "jobs/defaults/govern.toml");
}

#[test]
fn every_example_behind_a_comment_is_well_formed() {
    for (name, text) in JOBS {
        let text = switched_on(text);
        let mut all = Diagnostics::default();
        let file = all.add_file(Path::new(name), Some(&text));
        let root = DeTable::parse(&text).unwrap();
        let (_, outcome) = Reading::file(file, root.get_ref(), known().job, (Known::default(), ""), JobFile::read);
        outcome.errors.into_iter().for_each(|error| all.push(error));
        assert_eq!(all.render(false), "");
    }
    let text = switched_on(MACHINE.1);
    let root = DeTable::parse(&text).unwrap();
    let mut all = Diagnostics::default();
    let file = all.add_file(Path::new("govern.toml"), Some(&text));
    let (machine, outcome) =
        Reading::file(file, root.get_ref(), known().machine, (Known::default(), ""), MachineFile::read);
    outcome.errors.into_iter().for_each(|error| all.push(error));
    assert_eq!(all.render(false), "");
    assert!(machine.defaults.place.is_some() && machine.slice.place.is_some());
}

#[test]
fn the_merged_policy_of_a_sample() {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in JOBS {
        super::write(&dir.path().join(name), text);
    }
    super::write(&dir.path().join("govern.toml"), MACHINE.1);
    let loaded = super::load(dir.path());
    assert_eq!(plain(&loaded, dir.path()), "");
    let printed = super::super::print::merged(loaded.job("forum-database").unwrap());
    let slice = super::super::print::slice(loaded.slice.as_ref().unwrap());
    let daemon = super::super::print::daemon(&loaded.daemon_settings);
    let printed = format!("{printed}\n{slice}\n{daemon}");
    insta::assert_snapshot!(printed.replace(dir.path().to_str().unwrap(), "/etc/govern"), @r#"
    name = "forum-database"               # default
    kind = "pg_dump"                      # /etc/govern/jobs/forum-database.toml:5
    description = "The forum's database"  # /etc/govern/jobs/forum-database.toml:6
    user = "postgres"                     # /etc/govern/jobs/forum-database.toml:7
    timeout = "6h"                        # /etc/govern/jobs/forum-database.toml:8
    grace = "1m"                          # /etc/govern/govern.toml:7
    nice = 19                             # /etc/govern/govern.toml:8
    io_class = "idle"                     # /etc/govern/govern.toml:9
    rate = "unlimited"                    # /etc/govern/govern.toml:10
    log_keep = "180d"                     # /etc/govern/govern.toml:11

    [pg_dump]
    databases = ["forum"]  # /etc/govern/jobs/forum-database.toml:12
    globals = "full"       # /etc/govern/jobs/forum-database.toml:19
    # bin_dir: not set

    [pg_dump.connection]
    # service: not set
    # uri: not set
    host = "/run/postgresql"  # /etc/govern/jobs/forum-database.toml:34
    port = 5432               # /etc/govern/jobs/forum-database.toml:37
    user = "postgres"         # /etc/govern/jobs/forum-database.toml:40
    # passfile: not set

    [artifact]
    target = "/backup"    # /etc/govern/jobs/forum-database.toml:46
    compression = "zstd"  # /etc/govern/govern.toml:16
    verify = "list"       # /etc/govern/govern.toml:17
    min_free = "10GiB"    # /etc/govern/govern.toml:18

    [expect]
    # min_entries: not set
    min_size = "1B"         # /etc/govern/govern.toml:22
    shrink = "50%"          # /etc/govern/govern.toml:23

    [retention]
    keep_last = 3      # /etc/govern/govern.toml:26
    keep_daily = 14    # /etc/govern/jobs/forum-database.toml:49
    keep_weekly = 4    # /etc/govern/govern.toml:28
    keep_monthly = 12  # /etc/govern/jobs/forum-database.toml:50
    minimum = 1        # /etc/govern/govern.toml:30

    [limits]
    io_read = "unlimited"        # default
    io_write = "unlimited"       # /etc/govern/govern.toml:40
    io_read_iops = "unlimited"   # default
    io_write_iops = "unlimited"  # /etc/govern/govern.toml:42
    # io_weight: not set
    io_paths = []                # default
    write_cap = "refuse"         # /etc/govern/govern.toml:45
    cpu_weight = 10              # /etc/govern/govern.toml:34
    cpu_max = "unlimited"        # /etc/govern/govern.toml:35
    memory_high = "128MiB"       # default
    memory_max = "unlimited"     # /etc/govern/govern.toml:38
    pids_max = "unlimited"       # /etc/govern/govern.toml:46
    require = []                 # /etc/govern/govern.toml:47

    [governor]
    mode = "on"              # /etc/govern/govern.toml:97
    profile = "balanced"     # /etc/govern/govern.toml:98
    # protect: not set
    agents = []              # /etc/govern/govern.toml:100
    baseline = "5s"          # /etc/govern/govern.toml:101
    io_stall = "5%"          # profile balanced
    memory_stall = "5%"      # profile balanced
    cpu_stall = "20%"        # profile balanced
    waiting_sessions = 0.5   # profile balanced
    dirty_debt = "250ms"     # profile balanced
    above_usual = 1.5        # profile balanced
    floor = "1MB/s"          # profile balanced
    stretch = 10             # profile balanced
    pause_budget = "2m"      # default
    lock_wait_max = "30s"    # /etc/govern/govern.toml:112
    deadline = "90m"         # /etc/govern/jobs/forum-database.toml:67
    on_conflict = "protect"  # /etc/govern/govern.toml:114

    [governor.probes.forum-query]
    postgres = "select count(*) from posts where created_at > now() - interval '1 hour'"  # /etc/govern/jobs/forum-database.toml:72
    user = "postgres"    # /etc/govern/jobs/forum-database.toml:75
    interval = "2s"      # /etc/govern/jobs/forum-database.toml:78
    timeout = "2s"       # /etc/govern/jobs/forum-database.toml:81
    throttle = "300ms"   # /etc/govern/jobs/forum-database.toml:84
    pause = "1s"         # /etc/govern/jobs/forum-database.toml:87
    absent_after = "1m"  # /etc/govern/jobs/forum-database.toml:91

    [governor.probes.forum-query.connection]
    # service: not set
    uri = "postgresql:///forum?host=/run/postgresql"  # /etc/govern/jobs/forum-database.toml:97
    # host: not set
    # port: not set
    # user: not set
    # passfile: not set

    [schedule]
    cron = "20 4 * * *"  # /etc/govern/jobs/forum-database.toml:58
    # every: not set
    zone = "UTC"         # default
    between = []         # default
    blackouts = []       # default
    jitter = "0s"        # /etc/govern/govern.toml:52
    missed = "one"       # /etc/govern/govern.toml:53

    [admission]
    priority = 50            # /etc/govern/govern.toml:57
    heavy = true             # /etc/govern/govern.toml:58
    after = ["etc", "wiki"]  # /etc/govern/jobs/forum-database.toml:62
    after_max_age = "20h"    # /etc/govern/jobs/forum-database.toml:63
    max_load = 2.0           # /etc/govern/govern.toml:60
    max_temperature = 90     # /etc/govern/govern.toml:61
    max_wait = "1h"          # /etc/govern/govern.toml:62
    otherwise = "gently"     # /etc/govern/govern.toml:63
    overlap = "skip"         # /etc/govern/govern.toml:64

    [retry]
    limit = 3         # /etc/govern/govern.toml:67
    delay = "5m"      # /etc/govern/govern.toml:68
    max_delay = "1h"  # /etc/govern/govern.toml:69

    # [slice] of `govern.toml`: all runs together
    # io_read = "120MB/s"          # /etc/govern/govern.toml:78
    # io_write = "unlimited"       # /etc/govern/govern.toml:79
    # io_read_iops = "unlimited"   # /etc/govern/govern.toml:80
    # io_write_iops = "unlimited"  # /etc/govern/govern.toml:81
    # io_weight = 10               # /etc/govern/govern.toml:82
    # io_paths = ["/srv"]          # /etc/govern/govern.toml:83
    # write_cap = "refuse"         # /etc/govern/govern.toml:84
    # cpu_weight = 10              # /etc/govern/govern.toml:74
    # cpu_max = "unlimited"        # /etc/govern/govern.toml:75
    # memory_high = "50%"          # /etc/govern/govern.toml:76
    # memory_max = "unlimited"     # /etc/govern/govern.toml:77
    # pids_max = 4000              # /etc/govern/govern.toml:85

    # [daemon] of `govern.toml`
    # max_running = 2          # /etc/govern/govern.toml:90
    # catch_up_within = "10m"  # /etc/govern/govern.toml:92
    "#);
}

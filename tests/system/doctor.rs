//! `govern doctor`: what it says is so, on this machine and on poorer ones.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::{
    Ended, Mount, World, can, can_mount, in_german, is_root, list, noise, processes_of, without_cgroup2,
};

/// The findings of a requirement, about a job or whatever else it is about.
fn findings<'a>(report: &'a Value, requirement: &str) -> Vec<&'a Value> {
    report["findings"].as_array().unwrap().iter().filter(|f| f["requirement"] == requirement).collect()
}

/// The only finding of a requirement.
#[track_caller]
pub fn finding<'a>(report: &'a Value, requirement: &str) -> &'a Value {
    let found = findings(report, requirement);
    assert_eq!(found.len(), 1, "{requirement}: {found:#?}");
    found[0]
}

/// Fails unless the only finding of a requirement has this state and severity and says these words, in what was seen or what is to
/// be done.
#[track_caller]
pub fn assert_missed(report: &Value, requirement: &str, severity: &str, words: &[&str]) {
    let found = finding(report, requirement);
    assert_eq!((&found["state"], &found["severity"]), (&"missed".into(), &severity.into()), "{found:#}");
    let said = format!("{} {}", found["seen"].as_str().unwrap(), found["fix"].as_str().unwrap());
    for word in words {
        assert!(said.contains(word), "`{word}` is missing in {said}");
    }
    assert!(!found["why"].as_str().unwrap().is_empty());
}

/// The report, and that it ends with the code it says.
#[track_caller]
fn examine(world: &World, arguments: &[&str]) -> Value {
    told(world.govern([&["doctor", "--json"], arguments].concat()))
}

#[track_caller]
fn told(ended: Ended) -> Value {
    let report = ended.json();
    assert_eq!(report["exit"], ended.code, "{}", ended.stdout);
    assert_eq!(ended.stderr, "");
    report
}

/// Groups of probes anywhere below the cgroup file systems.
fn groups_of_probes() -> Vec<PathBuf> {
    let mut found = vec![];
    let mut below = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(directory) = below.pop() {
        for entry in list(&directory).into_iter().filter(|entry| entry.is_dir()) {
            if entry.file_name().unwrap().to_string_lossy().starts_with("govern-probe-") {
                found.push(entry.clone());
            }
            below.push(entry);
        }
    }
    found
}

/// Areas and requirements as the program has them.
fn all_of(area: &str) -> BTreeSet<String> {
    use govern::doctor::requirement::Requirement;
    let word = |value: Value| value.as_str().unwrap().to_owned();
    let of_area = Requirement::ALL.into_iter().filter(|r| r.area().word() == area);
    of_area.map(|r| word(serde_json::to_value(r).unwrap())).collect()
}

#[test]
fn it_foretells_what_a_run_finds_and_leaves_nothing() {
    let world = World::new();
    fs::write(world.path("source/file"), "x").unwrap();
    world.job(
        "files",
        "kind = \"filesystem\"\n[filesystem]\nsources = [\"{source}\"]\n[artifact]\ntarget = \"{target}\"\n\
         [limits]\ncpu_max = \"50%\"\nio_read = \"50MB/s\"\n",
    );
    let report = examine(&world, &[]);
    assert!(!world.path("state").exists(), "nothing is created");
    assert_eq!(list(&world.target()), [""; 0].map(PathBuf::from));
    assert_eq!(processes_of(&world), []);
    // Other tests may be making theirs just now.
    crate::harness::wait_for("the end of all probes", || groups_of_probes().is_empty().then_some(()));

    world.govern(["run", "files", "--quiet"]).expect(0);
    let run = world.last_run("files");
    let job = &report["jobs"][0];
    assert_eq!((&job["job"], &job["level"]), (&"files".into(), &run["level"]));
    let log = world.log("files");
    for limit in job["in_force"].as_array().unwrap() {
        assert!(log.contains(limit.as_str().unwrap()), "{limit} is not in\n{log}");
    }
    for limit in job["not_in_force"].as_array().unwrap() {
        let line = format!("not in force: {}", limit["what"].as_str().unwrap());
        assert!(log.contains(&line), "{line} is not in\n{log}");
    }
    let after = examine(&world, &[]);
    assert!(finding(&after, "space")["seen"].as_str().unwrap().contains("the last artifact took"), "{after:#}");
}

#[test]
fn every_requirement_of_the_machine_and_of_a_job_is_answered() {
    let world = World::new();
    world.files_job();
    let report = examine(&world, &[]);
    let answered: BTreeSet<String> =
        report["findings"].as_array().unwrap().iter().map(|f| f["requirement"].as_str().unwrap().to_owned()).collect();
    for requirement in all_of("machine").iter().chain(&all_of("jobs")) {
        assert!(answered.contains(requirement), "{requirement} is not among {answered:?}");
    }
    assert!(findings(&report, "tool").iter().any(|tool| tool["about"] == "tar"));
    assert!(findings(&report, "server").is_empty(), "no job needs one");
    for found in report["findings"].as_array().unwrap() {
        let keys: Vec<&str> = found.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["about", "area", "fix", "requirement", "seen", "severity", "state", "why"]);
        assert_eq!(found["state"] == "met", found["why"].is_null(), "{found:#}");
    }
}

#[test]
fn the_screen_says_the_same() {
    let world = World::new();
    world.files_job();
    let report = examine(&world, &[]);
    let screen = world.govern(["doctor"]).expect(report["exit"].as_i64().unwrap() as i32).stdout;
    assert!(screen.starts_with("machine\n"), "{screen}");
    for found in report["findings"].as_array().unwrap().iter().filter(|f| f["state"] == "missed") {
        assert!(screen.contains(found["why"].as_str().unwrap()), "{found:#}\n{screen}");
        assert!(screen.contains(found["fix"].as_str().unwrap()), "{found:#}\n{screen}");
    }
    assert!(screen.contains("  ok      kernel "), "words where nobody looks\n{screen}");
    let coloured = world.govern(["doctor", "--color", "always"]).stdout;
    assert!(coloured.contains("✓\u{1b}[0m kernel "), "signs for eyes\n{coloured}");
}

#[test]
fn without_a_cgroup2_file_system() {
    if !can("taking mounts away needs root", is_root()) {
        return;
    }
    let world = World::new();
    world.files_job();
    let report = told(without_cgroup2(&world.command(["doctor", "--json"])).output().unwrap().into());
    assert_missed(&report, "cgroup2", "wanted", &["no cgroup2 file system is mounted", "mount -t cgroup2"]);
    assert_missed(&report, "delegation", "wanted", &["runs get no cgroup"]);
    assert_missed(&report, "freezer", "wanted", &["SIGSTOP"]);
    assert_missed(&report, "level", "wanted", &["signals"]);
    assert_eq!(report["jobs"][0]["actuators"].as_array().unwrap().last().unwrap()["name"], "signals");
    assert_eq!(report["exit"], 3);
}

#[test]
fn as_nobody() {
    if !can("another account needs root", is_root()) {
        return;
    }
    let world = World::of_nobody();
    world.files_job();
    world.job(
        "others",
        "kind = \"filesystem\"\nuser = \"root\"\n[filesystem]\nsources = [\"{source}\"]\n[artifact]\ntarget = \"{target}\"\n",
    );
    let report = examine(&world, &["files"]);
    assert_eq!(report["jobs"][0]["level"], "signals", "{report:#}");
    assert_eq!(report["exit"], 3);
    let report = examine(&world, &["others"]);
    assert_missed(&report, "account", "needed", &["only root can run a payload as `root`"]);
    assert_eq!(report["exit"], 69);
}

#[test]
fn sources_are_read_with_the_eyes_of_the_payload() {
    if !can("another account needs root", is_root()) {
        return;
    }
    let world = World::new();
    let source = tempfile::tempdir_in("/tmp").unwrap();
    let policy = format!(
        "kind = \"filesystem\"\nuser = \"nobody\"\n[filesystem]\nsources = [\"{}\"]\n[artifact]\ntarget = \"{{target}}\"\n",
        source.path().display()
    );
    world.job("files", &policy);
    fs::set_permissions(source.path(), PermissionsExt::from_mode(0o700)).unwrap();
    assert_missed(&examine(&world, &[]), "source", "needed", &["cannot be read by `nobody`"]);
    fs::set_permissions(source.path(), PermissionsExt::from_mode(0o755)).unwrap();
    assert_eq!(finding(&examine(&world, &[]), "source")["state"], "met");
    fs::remove_dir(source.path()).unwrap();
    assert_missed(&examine(&world, &[]), "source", "needed", &["cannot be read", "mounted"]);
    fs::create_dir(source.path()).unwrap();
}

#[test]
fn a_target_that_is_missing_or_cannot_be_written() {
    let world = World::new();
    world.files_job();
    fs::remove_dir(world.target()).unwrap();
    let report = examine(&world, &[]);
    assert_missed(&report, "target", "needed", &["is not a directory", "mount the backup disk"]);
    assert_eq!(report["exit"], 69);
    world.govern(["run", "files"]).expect(69);
    fs::create_dir(world.target()).unwrap();
    fs::create_dir(world.target().join("files")).unwrap();
    fs::set_permissions(world.target().join("files"), PermissionsExt::from_mode(0o777)).unwrap();
    assert_missed(&examine(&world, &[]), "target", "needed", &["cannot be trusted"]);
}

#[test]
fn a_target_on_a_read_only_disk() {
    if !can("mounts", is_root() && can_mount()) {
        return;
    }
    let world = World::new();
    world.files_job();
    let script = "mount --bind \"$0\" \"$0\" && mount -o remount,ro,bind \"$0\" && exec \"$@\"";
    let plain = world.command(["doctor", "--json"]);
    let mut command = std::process::Command::new("unshare");
    command.args(["--mount", "bash", "-c", script]).arg(world.target()).arg(plain.get_program()).args(plain.get_args());
    let report = told(command.output().unwrap().into());
    assert_missed(&report, "target", "needed", &["read-only file system"]);
}

#[test]
fn a_target_without_room() {
    if !can("mounts", is_root() && can_mount()) {
        return;
    }
    let world = World::new();
    let _disk = Mount::tmpfs(world.target(), 1 << 20);
    fs::write(world.path("source/noise"), noise(1, 600 << 10)).unwrap();
    world.files_job().govern(["run", "files", "--quiet"]).expect(0);
    let report = examine(&world, &[]);
    assert_missed(&report, "space", "needed", &["KiB free, and the last artifact took", "make room"]);
    assert_eq!(report["exit"], 69);
    assert_missed(&report, "writeback", "note", &["`tmpfs` does not write back"]);
    world.job(
        "files",
        "kind = \"filesystem\"\n[filesystem]\nsources = [\"{source}\"]\n[artifact]\ntarget = \"{target}\"\nmin_free = \"2MiB\"\n",
    );
    assert_missed(&examine(&world, &[]), "space", "needed", &["`min_free` asks for 2 MiB"]);
}

#[test]
fn a_tool_that_is_missing() {
    let world = World::new();
    world.files_job();
    world.job("copy", "kind = \"command\"\n[command]\nargv = [\"/no/such/rsync\", \"-a\"]\n");
    let mut command = world.command(["doctor", "--json"]);
    command.env("PATH", world.path("nothing"));
    let report = told(command.output().unwrap().into());
    let missed: Vec<&str> = findings(&report, "tool").iter().map(|f| f["about"].as_str().unwrap()).collect();
    assert_eq!(missed, ["/no/such/rsync", "tar"]);
    assert!(findings(&report, "tool").iter().all(|f| f["severity"] == "needed" && f["state"] == "missed"));
    assert_eq!(report["exit"], 69);
}

#[test]
fn what_a_policy_requires_is_needed() {
    let world = World::new();
    world.job(
        "files",
        "kind = \"filesystem\"\n[filesystem]\nsources = [\"{source}\"]\n[artifact]\ntarget = \"{target}\"\n\
         [limits]\ncpu_max = \"50%\"\nrequire = [\"cpu\"]\n",
    );
    let report = examine(&world, &[]);
    let run = world.govern(["run", "files", "--quiet"]);
    let refused = report["exit"] == 69;
    assert_eq!(refused, run.code == 69, "{}\n{report:#}", run.stderr);
    if refused {
        let limits = findings(&report, "limits");
        assert!(limits.iter().any(|f| f["severity"] == "needed" && f["seen"].as_str().unwrap().contains("cpu.max")));
    }
}

#[test]
fn errors_in_one_policy_do_not_hide_the_others() {
    let world = World::new();
    world.files_job();
    world.job("broken", "kind = \"filesystem\"\n[filesystem]\nsorces = [\"/etc\"]\n");
    let report = examine(&world, &[]);
    let policies: Vec<(&str, &str)> = findings(&report, "policy")
        .iter()
        .map(|f| (f["about"].as_str().unwrap(), f["state"].as_str().unwrap()))
        .collect();
    assert_eq!(policies, [("broken", "missed"), ("files", "met")]);
    assert_eq!(report["jobs"].as_array().unwrap().len(), 1);
    assert_eq!(report["exit"], 69);
    assert_ne!(examine(&world, &["files"])["exit"], 69, "the other job is none of this one's business");
    assert_eq!(examine(&world, &["broken"])["exit"], 69);
    world.govern(["doctor", "file"]).one_error(2).says(&["there is no job `file`"], "did you mean `files`?");
}

#[test]
fn a_machine_without_any_configuration() {
    let world = World::new();
    fs::remove_dir_all(world.path("config")).unwrap();
    let report = examine(&world, &[]);
    assert_missed(&report, "policy", "note", &["there is no configuration directory"]);
    assert_ne!(report["exit"], 69);
}

#[test]
fn a_foreign_language_changes_nothing() {
    let world = World::new();
    world.files_job();
    let mut command = world.command(["doctor", "--json"]);
    in_german(&mut command, &world.path("locales"));
    let german = told(command.output().unwrap().into());
    let plain = examine(&world, &[]);
    let shape = |report: &Value| {
        let words =
            |f: &Value| [&f["requirement"], &f["about"], &f["state"], &f["fix"]].map(Value::to_string).join(" ");
        report["findings"].as_array().unwrap().iter().map(words).collect::<Vec<_>>()
    };
    assert_eq!(shape(&german), shape(&plain));
    let tar = |report: &Value| findings(report, "tool")[0]["seen"].as_str().unwrap().to_owned();
    assert_eq!(tar(&german), tar(&plain));
}

#[test]
fn a_probe_that_is_killed_leaves_nothing_running() {
    if !can("a cgroup needs root here", is_root() && Path::new("/sys/fs/cgroup").exists()) {
        return;
    }
    let world = World::new();
    world.files_job();
    let mut child = world.start(["doctor"]);
    child.kill().unwrap();
    child.wait().unwrap();
    crate::harness::wait_for("the end of the probe", || {
        (processes_of(&world).is_empty() && groups_of_probes().is_empty()).then_some(())
    });
}

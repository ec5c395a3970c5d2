//! Whole screens, with what changes from run to run made equal: a change of a screen is seen, and meant.

use std::fs;

use insta::assert_snapshot;

use crate::harness::World;

/// Makes run ids, numbers and the width of columns equal.
fn steady(world: &World, text: &str) -> String {
    let mut text = text.replace(world.path("").to_str().unwrap().trim_end_matches('/'), "WORLD");
    for run in world.history() {
        text = text.replace(run["run"].as_str().unwrap(), "RUN");
    }
    let lines = text.lines().map(|line| {
        let words = line.trim_end().split("  ").map(str::trim).filter(|w| !w.is_empty());
        let indent = if line.starts_with("  ") { "  " } else { "" };
        format!("{indent}{}", words.map(number).collect::<Vec<_>>().join("  "))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Every number becomes `0`, however long it is.
fn number(word: &str) -> String {
    let mut out = String::new();
    for c in word.chars() {
        match c {
            c if c.is_ascii_digit() && out.ends_with('0') => {}
            c if c.is_ascii_digit() => out.push('0'),
            '.' if out.ends_with('0') => {}
            c => out.push(c),
        }
    }
    out
}

fn world() -> World {
    let world = World::new();
    fs::write(world.path("source/hello"), "hello\n").unwrap();
    world.job(
        "files",
        "kind = \"filesystem\"\n[filesystem]\nsources = [\"{source}\"]\n[artifact]\ntarget = \"{target}\"\n[retention]\nkeep_last = 1\n",
    );
    world
}

#[test]
fn a_run_as_it_happens() {
    let world = world();
    let ended = world.govern(["run", "files"]).expect(0);
    assert_eq!(ended.stdout, "", "standard output is for data");
    let told: String = ended.stderr.lines().skip(1).map(|line| format!("{line}\n")).collect();
    let told = told.replace(world.manifest("files")["files"][0]["name"].as_str().unwrap(), "FILE");
    assert_snapshot!(steady(&world, &told), @r"
    files: wait: ok in 0 s
    files: prepare: ok in 0 s
    files: archive WORLD/source: ok in 0 s, 0 KiB → 0 B
    files: flush: ok in 0 s
    files: verify FILE: ok in 0 s, 0 B → 0 KiB (0 entries)
    files: publish: ok in 0 s
    files: retain: ok in 0 s (0 kept, 0 removed)
    files: ok after 0 s: WORLD/target/files/RUN
    ");
}

#[test]
fn status_and_history() {
    let world = world();
    let screen = world.govern(["status"]).stdout;
    let (machine, jobs) = screen.split_once("\n\n").unwrap();
    assert!(machine.starts_with("no daemon: nothing starts by itself\nmachine: "), "{machine}");
    assert_snapshot!(jobs, @r"
    JOB    STATE      LAST RUN  TOOK  LAST GOOD  NEXT  NOTE
    files  never run  -            -  -          -
    ");
    world.govern(["run", "files", "--quiet"]).expect(0);
    world.govern(["exec", "--name", "wiki", "--", "sh", "-c", "echo no space left >&2; exit 4"]).expect(4);
    let screen = world.govern(["status"]).stdout;
    assert_snapshot!(steady(&world, screen.split_once("\n\n").unwrap().1), @r"
    JOB  STATE  LAST RUN  TOOK  LAST GOOD  NEXT  NOTE
    files  ok  0-0-0 0:0:0  0 s  0 s ago  -
    wiki  failed  0-0-0 0:0:0  0 s  -  -  no space left (exit code 0)
    ");
    assert_snapshot!(steady(&world, &world.govern(["history"]).stdout), @r"
    RUN  JOB  ACTION  STARTED  STATE  TOOK  READ  WROTE  WHY
    RUN  wiki  exec  0-0-0 0:0:0  failed  0 s  0 B  0 B  no space left (exit code 0)
    RUN  files  backup  0-0-0 0:0:0  ok  0 s  0 KiB  0 B
    ");
}

#[test]
fn the_phases_of_a_command() {
    let world = World::new();
    world.govern(["exec", "--name", "wiki", "--", "true"]).expect(0);
    let screen = steady(&world, &world.govern(["log", "wiki", "--phases"]).stdout);
    let heads = screen.lines().nth(2).unwrap();
    assert_eq!(
        heads,
        "PHASE  STARTED  STATE  WALL  ACTIVE  WAITING  THROTTLED  PAUSED  READ  WROTE  CPU  MEMORY  NOTE"
    );
    let names: Vec<&str> = screen.lines().skip(3).map(|line| line.split("  ").next().unwrap()).collect();
    assert_eq!(names, ["wait", "prepare", "command"]);
}

#[test]
fn the_plan_of_a_run() {
    let world = world();
    world.govern(["run", "files", "--quiet"]).expect(0);
    let before = world.history().len();
    let plan = world.govern(["run", "files", "--dry-run", "--json"]).expect(0).json();
    let phases: Vec<&str> = plan["phases"].as_array().unwrap().iter().map(|p| p["phase"].as_str().unwrap()).collect();
    assert_eq!(phases, ["wait", "prepare", "archive", "flush", "verify", "publish", "retain"]);
    let screen = world.govern(["run", "files", "--dry-run"]).expect(0).stdout;
    assert!(screen.contains("tar --create --file=-"), "{screen}");
    assert!(screen.contains("would publish "), "{screen}");
    assert!(screen.contains("no rule keeps it"), "{screen}");
    assert_eq!(world.history().len(), before, "a plan is no run");
    assert_eq!(world.artifacts("files").len(), 1);
}

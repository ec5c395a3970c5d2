//! A run says `ok` only where what was to be saved is in the artifact, and no good artifact gives way to one that is not.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::clock::shifted;
use crate::harness::{Ended, World, can, has_program, is_root, list};

/// A job `files` whose last artifact alone is kept, with more in `[filesystem]` and more sections.
fn files(world: &World, in_filesystem: &str, more: &str) {
    world.job(
        "files",
        &format!(
            "kind = \"filesystem\"\n[filesystem]\nsources = [\"{{source}}\"]\n{in_filesystem}\n[artifact]\ntarget = \"{{target}}\"\n\
             [retention]\nkeep_last = 1\n{more}\n"
        ),
    );
}

/// A job `dump` that keeps what a shell line prints, the last one alone.
fn capture(world: &World, line: &str, more: &str) {
    world.job(
        "dump",
        &format!(
            "kind = \"command\"\n[command]\nline = \"{line}\"\nshell = true\ncapture = \"dump.sql\"\n\
             [artifact]\ntarget = \"{{target}}\"\n[retention]\nkeep_last = 1\n{more}\n"
        ),
    );
}

/// Writes this into `source/f`.
fn content(world: &World, text: &str) {
    fs::write(world.path("source/f"), text).unwrap();
}

/// What `f` is in the newest good artifact.
fn comes_back(world: &World) -> String {
    fs::remove_dir_all(world.path("restored-files")).ok();
    fs::read_to_string(world.restored("files", &world.path("source")).join("f")).unwrap()
}

fn last_good(world: &World, job: &str) -> Value {
    let status = world.govern(["status", job, "--json"]).expect(0).json();
    status["jobs"][0]["last_good"]["run"].clone()
}

/// The only run in this state, and why it is in it.
fn only_run(world: &World, state: &str) -> (String, String) {
    let runs: Vec<Value> = world.history().into_iter().filter(|run| run["state"] == state).collect();
    assert_eq!(runs.len(), 1, "{runs:#?}");
    let text = |key: &str| runs[0][key].as_str().unwrap().to_owned();
    (text("run"), text("reason"))
}

#[test]
fn with_an_exclude_that_leaves_out_the_source_no_run_begins() {
    let world = World::new();
    content(&world, "precious");
    files(&world, "", "");
    world.govern(["run", "files"]).expect(0);
    let own_name = world.path("").file_name().unwrap().to_str().unwrap().to_owned();
    for pattern in ["source", "*", "sour*/", "**/source", &own_name, world.path("source").to_str().unwrap()] {
        files(&world, &format!("exclude = [\"{pattern}\"]"), "");
        let said = world.govern(["check"]).expect(0);
        let why = format!("pattern `{pattern}` leaves out source `{}` itself", world.path("source").display());
        assert!(said.stderr.contains(&why), "{}", said.stderr);
        world.govern(["run", "files"]).one_error(78).says(&[&why], "from the root of the machine");
        assert_eq!(comes_back(&world), "precious");
    }
}

#[test]
fn an_exclude_that_leaves_out_what_the_source_is_a_link_to_ends_the_run() {
    let world = World::new();
    fs::create_dir(world.path("build")).unwrap();
    symlink(world.path("build"), world.path("link")).unwrap();
    let job = "kind = \"filesystem\"\n[filesystem]\nsources = [\"{world}/link\"]\nexclude = [\"build\"]\n[artifact]\ntarget = \"{target}\"\n";
    world.job("linked", job);
    world.govern(["check"]).expect(0);
    world.govern(["run", "linked"]).one_error(78).says(&["pattern `build` leaves out", "itself"], "is a link to");
    assert_eq!(world.artifacts("linked").len(), 0);
}

#[test]
fn brackets_in_an_exclude_are_part_of_a_name() {
    let world = World::new();
    for name in ["[old]", "o", "l", "d", "{a,b}", "a", "keep"] {
        fs::create_dir(world.path("source").join(name)).unwrap();
        fs::write(world.path("source").join(name).join("f"), name).unwrap();
    }
    for (pattern, gone) in [("[old]", "[old]"), ("{source}/[old]", "[old]"), ("{a,b}", "{a,b}"), ("[?ld]", "[old]")] {
        files(&world, &format!("exclude = [\"{pattern}\"]"), "");
        world.govern(["check"]).expect(0);
        world.govern(["run", "files"]).expect(0);
        fs::remove_dir_all(world.path("restored-files")).ok();
        let back = list(&world.restored("files", &world.path("source")));
        let names: Vec<String> =
            back.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
        assert!(names.len() == 6 && !names.contains(&gone.to_owned()), "{pattern}: {names:?}");
    }
}

#[test]
fn a_source_that_shrank_by_far_is_suspect_and_displaces_nothing() {
    let world = World::new();
    files(&world, "", "");
    content(&world, "precious");
    (0..9).for_each(|n| fs::write(world.path(format!("source/{n}")), "x").unwrap());
    world.govern(["run", "files"]).expect(0);
    let good = last_good(&world, "files");
    // As where the file system below the source is not mounted.
    (0..9).for_each(|n| fs::remove_file(world.path(format!("source/{n}"))).unwrap());
    fs::remove_file(world.path("source/f")).unwrap();
    for _ in 0..2 {
        let said = world.govern(["run", "files"]).expect(3);
        assert!(
            said.stderr.contains("suspect: ") && said.stderr.contains("has shrunk by more than 50%: 1 entry"),
            "{}",
            said.stderr
        );
        assert!(said.stderr.contains("`govern accept "), "{}", said.stderr);
    }
    assert_eq!(world.artifacts("files").len(), 2, "the good one, and the newest that is suspect");
    assert_eq!(last_good(&world, "files"), good);
    let screen = world.govern(["status"]).expect(0).stdout;
    assert!(screen.contains("suspect"), "{screen}");
    assert_eq!(comes_back(&world), "precious");

    // The next good one takes the place of both.
    (0..9).for_each(|n| fs::write(world.path(format!("source/{n}")), "x").unwrap());
    content(&world, "precious again");
    world.govern(["run", "files"]).expect(0);
    assert_eq!(world.artifacts("files").len(), 1);
    assert_eq!(comes_back(&world), "precious again");
}

#[test]
fn an_empty_output_is_suspect_until_somebody_accepts_it() {
    let world = World::new();
    capture(&world, "echo precious", "");
    world.govern(["run", "dump"]).expect(0);
    let good = last_good(&world, "dump");
    capture(&world, "false | cat", "");
    let said = world.govern(["run", "dump"]).expect(3);
    assert!(said.stderr.contains("suspect: `dump.sql.zst` holds nothing"), "{}", said.stderr);
    let (run, why) = only_run(&world, "suspect");
    assert_eq!((last_good(&world, "dump"), why.as_str()), (good, "`dump.sql.zst` holds nothing"));
    let manifest = world.manifest("dump");
    assert_eq!(
        (&manifest["state"], &manifest["suspicion"]),
        (&"suspect".into(), &"`dump.sql.zst` holds nothing".into())
    );
    world.govern(["restore", "dump", "--to", world.path("back").to_str().unwrap()]).expect(0);
    assert_eq!(fs::read_to_string(world.path("back/dump.sql")).unwrap(), "precious\n");
    let verified = world.govern(["verify", "dump"]).expect(3);
    assert!(verified.stderr.contains("it is suspect all the same"), "{}", verified.stderr);

    world
        .govern(["accept", "no-such-run"])
        .one_error(2)
        .says(&["no artifact of a run `no-such-run`"], "govern history");
    for _ in 0..2 {
        let said = world.govern(["accept", &run[..16]]).expect(0);
        assert!(said.stderr.contains("counts as good"), "{}", said.stderr);
    }
    assert_eq!(last_good(&world, "dump"), run.as_str());
    world.govern(["verify", "dump"]).expect(0);
    world.govern(["run", "dump"]).expect(3);
}

#[test]
fn what_a_policy_expects_decides() {
    let world = World::new();
    capture(&world, "true", "[expect]\nmin_size = \"0B\"\n");
    world.govern(["run", "dump"]).expect(0);
    capture(&world, "echo 0123456789", "[expect]\nmin_size = \"1KiB\"\n");
    assert!(world.govern(["run", "dump"]).expect(3).stderr.contains("and `min_size` is 1KiB"));
    capture(&world, "true", "[expect]\nmin_entries = 3\n");
    assert!(world.govern(["check"]).expect(78).stderr.contains("`min_entries` needs a job of kind `filesystem`"));
    fs::remove_file(world.path("config/jobs/dump.toml")).unwrap();
    content(&world, "one");
    files(&world, "", "[expect]\nmin_entries = 3\nshrink = \"any\"\n");
    assert!(world.govern(["run", "files"]).expect(3).stderr.contains("it has 2 entries, and `min_entries` is 3"));
    fs::write(world.path("source/g"), "").unwrap();
    world.govern(["run", "files"]).expect(0);
}

#[test]
fn without_a_good_artifact_a_suspect_one_comes_back_by_its_name_alone() {
    let world = World::new();
    capture(&world, "true", "");
    world.govern(["run", "dump"]).expect(3);
    let (run, _) = only_run(&world, "suspect");
    let to = world.path("back");
    let restore = |more: &[&str]| -> Ended {
        let words = ["restore", "dump", "--to", to.to_str().unwrap()];
        world.govern(words.iter().chain(more))
    };
    restore(&[]).one_error(1).says(&["counts as good", "`dump.sql.zst` holds nothing"], &format!("--run {run}"));
    restore(&["--run", &run]).expect(0);
    assert_eq!(fs::read_to_string(to.join("dump.sql")).unwrap(), "");
}

#[test]
fn one_run_with_the_clock_ahead_costs_nothing_of_what_comes_later() {
    let world = World::new();
    files(&world, "", "");
    for (days, text) in [(0, "before"), (365, "ahead"), (0, "after"), (-400, "behind"), (0, "at last")] {
        content(&world, text);
        let ended: Ended = shifted(world.command(["run", "files"]), days).output().unwrap().into();
        let said = ended.expect(0).stderr;
        assert_eq!(said.contains("which lies in the future"), matches!(text, "after" | "behind"), "{said}");
        assert_eq!(comes_back(&world), text);
        let kept = world.artifacts("files");
        assert_eq!(kept.len(), 1, "{kept:?}");
        assert_eq!(last_good(&world, "files"), kept[0].file_name().unwrap().to_str().unwrap());
    }
    assert_eq!(world.manifest("files")["sequence"], 5);
}

#[test]
fn artifacts_of_older_programs_come_before_all_others() {
    let world = World::new();
    files(&world, "", "");
    content(&world, "old");
    world.govern(["run", "files"]).expect(0);
    let path = world.artifacts("files").remove(0).join("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    manifest.as_object_mut().unwrap().remove("sequence");
    fs::write(&path, manifest.to_string()).unwrap();
    content(&world, "new");
    let ended: Ended = shifted(world.command(["run", "files"]), -30).output().unwrap().into();
    ended.expect(0);
    assert_eq!(comes_back(&world), "new");
    assert_eq!(world.artifacts("files").len(), 1);
}

#[test]
fn an_artifact_that_cannot_be_removed_stops_no_later_run() {
    if !can("chattr +i", is_root() && has_program("chattr")) {
        return;
    }
    let world = World::new();
    files(&world, "", "");
    content(&world, "1");
    world.govern(["run", "files"]).expect(0);
    let immutable =
        list(&world.artifacts("files")[0]).into_iter().find(|path| path.extension().is_some_and(|e| e == "zst"));
    let chattr = |flag: &str, path: &Path| Command::new("chattr").arg(flag).arg(path).status().unwrap().success();
    assert!(chattr("+i", &immutable.unwrap()));
    for text in ["2", "3"] {
        content(&world, text);
        let said = world.govern(["run", "files"]).expect(3);
        assert!(said.stderr.contains(".tar.zst`: operation not permitted"), "{}", said.stderr);
        assert_eq!(comes_back(&world), text);
    }
    for left in world.temporaries("files").iter().flat_map(|path| list(path)) {
        assert!(chattr("-i", &left));
    }
    world.govern(["run", "files"]).expect(0);
    assert_eq!((world.artifacts("files").len(), world.temporaries("files").len()), (1, 0));
}

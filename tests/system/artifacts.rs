//! What lies in the target: whole, private, verified, and kept as long as the policy says.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::harness::{Ended, NOBODY, World, can, has_program, is_root, list, noise, phase};

const KEEP: &str = "kind = \"filesystem\"\n[filesystem]\nsources = [\"{source}\"]\n[artifact]\ntarget = \"{target}\"\n";

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn b3sum(path: &Path) -> String {
    let output = Command::new("b3sum").arg(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
}

fn run_of(artifact: &Path) -> String {
    artifact.file_name().unwrap().to_string_lossy().into_owned()
}

fn last_good(world: &World, job: &str) -> Value {
    let status = world.govern(["status", job, "--json"]).expect(0).json();
    status["jobs"][0]["last_good"]["run"].clone()
}

/// Changes one bit in the middle.
fn flip_a_bit(path: &Path) {
    let mut file = File::options().read(true).write(true).open(path).unwrap();
    let at = SeekFrom::Start(file.metadata().unwrap().len() / 2);
    let mut byte = [0];
    file.seek(at).unwrap();
    file.read_exact(&mut byte).unwrap();
    file.seek(at).unwrap();
    file.write_all(&[byte[0] ^ 1]).unwrap();
}

/// The only file of an artifact beside its manifest.
fn content(artifact: &Path) -> PathBuf {
    list(artifact).into_iter().find(|path| !path.ends_with("manifest.json")).unwrap()
}

#[test]
fn the_manifest_tells_what_lies_beside_it() {
    let world = World::new();
    fs::create_dir(world.path("second")).unwrap();
    fs::write(world.path("source/noise"), noise(5, 3_000_000)).unwrap();
    fs::write(world.path("second/text"), "x".repeat(100_000)).unwrap();
    let job = KEEP.replace("[\"{source}\"]", "[\"{source}\", \"{world}/second\"]");
    world.job("two", &job).govern(["run", "two"]).expect(0);
    let artifact = world.artifacts("two").pop().unwrap();
    let manifest = world.manifest("two");
    let expected = [("job", "two"), ("kind", "filesystem"), ("state", "ok"), ("verified", "list")];
    for (key, value) in expected {
        assert_eq!(manifest[key], value, "{key}");
    }
    assert_eq!(manifest["run"], run_of(&artifact));
    let tar = Command::new("tar").arg("--version").output().unwrap();
    let tar = String::from_utf8(tar.stdout).unwrap();
    assert_eq!(manifest["versions"]["tar"], tar.lines().next().unwrap());
    let files = manifest["files"].as_array().unwrap();
    assert_eq!(files.len(), 2);
    assert_eq!(list(&artifact).len(), 3);
    for file in files {
        let path = artifact.join(file["name"].as_str().unwrap());
        assert_eq!(file["stored"].as_u64().unwrap(), fs::metadata(&path).unwrap().len());
        assert_eq!(file["blake3"], b3sum(&path));
        let plain = Command::new("zstd").args(["-dcq", "--"]).arg(&path).output().unwrap();
        assert_eq!(file["plain"].as_u64().unwrap(), plain.stdout.len() as u64);
    }
    let phases: Vec<&str> =
        manifest["phases"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(phases, ["wait", "prepare", "archive", "archive", "flush", "verify", "verify"]);
    assert!(manifest["phases"].as_array().unwrap().iter().all(|p| p["state"] == "ok" && p["started"].is_string()));
    let run = world.closed_run("two");
    assert_eq!(phase(&run, "archive")["usage"]["read"], files[0]["plain"]);
}

#[test]
fn everything_is_private_and_no_temporary_name_stays() {
    let world = World::new();
    fs::write(world.path("source/file"), "x").unwrap();
    // Whatever the caller's umask and the target's own mode.
    fs::set_permissions(world.target(), fs::Permissions::from_mode(0o777)).unwrap();
    world.files_job();
    world.shell("umask 0; govern run files").expect(0);
    assert_eq!(mode(&world.target().join("files")), 0o700);
    let artifact = world.artifacts("files").pop().unwrap();
    assert_eq!(mode(&artifact), 0o700);
    for file in list(&artifact) {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    assert_eq!(world.temporaries("files"), Vec::<PathBuf>::new());
    let mut below = vec![world.path("state")];
    while let Some(path) = below.pop() {
        let found = fs::symlink_metadata(&path).unwrap();
        if found.is_dir() {
            below.extend(list(&path));
        }
        assert_eq!(mode(&path) & 0o077, 0, "{} is open to others", path.display());
    }
}

#[test]
fn a_directory_that_others_can_write_is_not_trusted() {
    let world = World::new();
    fs::write(world.path("source/file"), "x").unwrap();
    world.files_job().govern(["run", "files"]).expect(0);
    let below = world.target().join("files");
    let to = world.path("restored");
    let refused = |why: &str, hint: &str| {
        let restore = ["restore", "files", "--to", to.to_str().unwrap()];
        for arguments in [&["run", "files"][..], &["verify", "files"], &restore, &["run", "files", "--dry-run"]] {
            let told = world.govern(arguments).one_error(77);
            told.says(&[&format!("`{}` cannot be trusted", below.display()), why], hint);
        }
        assert!(!to.exists());
    };
    for mode in [0o770, 0o702] {
        fs::set_permissions(&below, fs::Permissions::from_mode(mode)).unwrap();
        refused(&format!("can be written by others (mode {mode:04o})"), "chmod");
    }
    fs::set_permissions(&below, fs::Permissions::from_mode(0o755)).unwrap();
    if can("another account: root", is_root()) {
        std::os::unix::fs::chown(&below, Some(NOBODY), None).unwrap();
        refused("belongs to `nobody`", "chown root");
        std::os::unix::fs::chown(&below, Some(0), None).unwrap();
    }
    fs::rename(&below, world.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink(world.path("elsewhere"), &below).unwrap();
    refused("is not a directory", "link");
    fs::remove_file(&below).unwrap();
    fs::rename(world.path("elsewhere"), &below).unwrap();
    world.govern(["verify", "files"]).expect(0);
}

#[test]
fn what_an_earlier_run_left_behind_is_removed_by_the_next() {
    let world = World::new();
    fs::write(world.path("source/file"), "x").unwrap();
    for name in [".20200101T000000Z-0001.partial", ".20200101T000000Z-0002.removing"] {
        fs::create_dir_all(world.target().join("files").join(name)).unwrap();
        fs::write(world.target().join("files").join(name).join("half"), "x").unwrap();
    }
    world.files_job().govern(["run", "files"]).expect(0);
    assert_eq!(world.temporaries("files"), Vec::<PathBuf>::new());
    assert_eq!(world.artifacts("files").len(), 1);
}

#[test]
fn retention_keeps_what_the_rules_say_and_says_so_before() {
    let world = World::new();
    fs::write(world.path("source/file"), "x").unwrap();
    world.files_job();
    for _ in 0..4 {
        world.govern(["run", "files"]).expect(0);
    }
    let before = world.artifacts("files");
    assert_eq!(before.len(), 4, "without rules everything stays");
    world.job("files", &format!("{KEEP}[retention]\nkeep_last = 2\nkeep_daily = 1\n"));
    let inventory = || (list(&world.target().join("files")), list(&world.path("state/runs")), world.history().len());
    let untouched = inventory();
    let plan = world.govern(["run", "files", "--dry-run", "--json"]).expect(0).json();
    let text = world.govern(["run", "files", "--dry-run"]).expect(0).stdout;
    assert_eq!(inventory(), untouched, "a dry run writes nothing");
    let fates = plan["retention"].as_array().unwrap();
    assert_eq!(fates.len(), 5, "the coming one is counted");
    let reasons: Vec<String> = fates.iter().map(|f| f["kept_by"].to_string()).collect();
    assert!(reasons[0].contains("last 1") && reasons[0].contains("daily ") && reasons[0].contains("minimum 1"));
    // At midnight the newest of the day before is kept by no rule but this.
    assert!(reasons[1].contains("last 2"), "{reasons:?}");
    for (fate, artifact) in fates[2..].iter().zip(before.iter().rev().skip(1)) {
        assert_eq!(
            (fate["run"].as_str().unwrap(), &fate["kept_by"]),
            (run_of(artifact).as_str(), &serde_json::json!([]))
        );
        assert!(text.contains(&format!("would remove {}", run_of(artifact))), "{text}");
    }
    for step in ["wait", "prepare", "archive", "flush", "verify", "publish", "retain"] {
        assert!(plan["phases"].as_array().unwrap().iter().any(|p| p["phase"] == step), "{step}");
    }
    world.govern(["run", "files"]).expect(0);
    let after = world.artifacts("files");
    assert_eq!(after.len(), 2);
    assert_eq!(after[0], before[3]);
    assert_eq!(world.temporaries("files"), Vec::<PathBuf>::new());
    let run = world.closed_run("files");
    assert_eq!(phase(&run, "retain")["message"], "2 kept, 3 removed");
    assert!(world.log("files").contains(&format!("retention removes `{}`", before[0].display())));
}

#[test]
fn the_last_good_artifact_outlives_broken_ones() {
    let world = World::new();
    fs::write(world.path("source/file"), noise(1, 100_000)).unwrap();
    world.files_job();
    world.govern(["run", "files"]).expect(0);
    world.govern(["run", "files"]).expect(0);
    let [good, broken] = world.artifacts("files").try_into().unwrap();
    assert_eq!(last_good(&world, "files"), run_of(&broken));
    flip_a_bit(&content(&broken));
    let told = world.govern(["verify", "files"]).one_error(1);
    told.says(&["hash", &content(&broken).file_name().unwrap().to_string_lossy()], &broken.display().to_string());
    assert_eq!(world.closed_run("files")["action"], "verify");
    assert_eq!(last_good(&world, "files"), run_of(&good));
    // The next run fails before it publishes: nothing is removed.
    world.job("files", &format!("{KEEP}[retention]\nkeep_last = 1\n"));
    fs::rename(world.path("source"), world.path("away")).unwrap();
    world.govern(["run", "files"]).one_error(69);
    assert_eq!(world.artifacts("files"), [good.clone(), broken.clone()]);
    fs::rename(world.path("away"), world.path("source")).unwrap();
    // Were there no coming one, the good one would be the last.
    world.job("files", &format!("{KEEP}[retention]\nkeep_last = 2\n"));
    world.govern(["run", "files"]).expect(0);
    let after = world.artifacts("files");
    assert_eq!(after.len(), 2, "a broken one takes nobody's place");
    assert_eq!(after[0], good);
    world.govern(["verify", "files", "--run", &run_of(&good)]).expect(0);
}

#[test]
fn a_broken_artifact_that_is_found_whole_again_counts_again() {
    let world = World::new();
    fs::write(world.path("source/file"), noise(1, 100_000)).unwrap();
    world.files_job().govern(["run", "files"]).expect(0);
    let artifact = world.artifacts("files").pop().unwrap();
    flip_a_bit(&content(&artifact));
    world.govern(["verify", "files"]).expect(1);
    assert_eq!(last_good(&world, "files"), Value::Null);
    flip_a_bit(&content(&artifact));
    world.govern(["verify", "files"]).expect(0);
    assert_eq!(last_good(&world, "files"), run_of(&artifact));
}

#[test]
fn an_artifact_that_could_not_be_looked_at_counts_as_before() {
    let world = World::new();
    fs::write(world.path("source/file"), noise(1, 100_000)).unwrap();
    world.files_job().govern(["run", "files"]).expect(0);
    let artifact = world.artifacts("files").pop().unwrap();
    // No tar, one that does not start, one that is killed.
    let bin = world.path("bin");
    fs::create_dir(&bin).unwrap();
    let verify = || world.command(["verify", "files"]).env("PATH", &bin).output().unwrap().into();
    let told = |ended: Ended| ended.one_error(1);
    told(verify());
    for script in ["#!/bin/sh\nexit 127\n", "#!/bin/sh\nkill -9 $$\n"] {
        fs::write(bin.join("tar"), script).unwrap();
        fs::set_permissions(bin.join("tar"), fs::Permissions::from_mode(0o755)).unwrap();
        told(verify()).says(&["verifying"], "counts as before");
        assert_eq!(last_good(&world, "files"), run_of(&artifact), "{script}");
    }
    let manifest = fs::read_to_string(artifact.join("manifest.json")).unwrap();
    fs::write(artifact.join("manifest.json"), manifest.replace("\"format\": 1,", "\"format\": 99,")).unwrap();
    world.govern(["verify", "files"]).one_error(1).says(&["format 99"], "newer");
    fs::write(artifact.join("manifest.json"), manifest).unwrap();
    assert_eq!(last_good(&world, "files"), run_of(&artifact));
    world.job("files", &format!("{KEEP}[retention]\nkeep_last = 2\n"));
    world.govern(["run", "files"]).expect(0);
    world.govern(["run", "files"]).expect(0);
    assert!(!artifact.exists(), "it takes a place like any other");
    // One that has read it and does not like it condemns it.
    fs::write(bin.join("tar"), "#!/bin/sh\n/bin/cat >/dev/null\necho 'tar: no archive' >&2\nexit 2\n").unwrap();
    told(verify()).says(&["no archive"], "make a new one");
    assert_eq!(last_good(&world, "files"), run_of(&world.artifacts("files")[0]));
}

#[test]
fn an_artifact_removed_by_hand_is_not_the_last_good_one() {
    let world = World::new();
    fs::write(world.path("source/file"), noise(1, 100_000)).unwrap();
    world.files_job();
    for _ in 0..3 {
        world.govern(["run", "files"]).expect(0);
    }
    let [first, second, third] = world.artifacts("files").try_into().unwrap();
    assert_eq!(last_good(&world, "files"), run_of(&third));
    fs::remove_dir_all(&third).unwrap();
    assert_eq!(last_good(&world, "files"), run_of(&second));
    fs::remove_file(content(&second)).unwrap();
    assert_eq!(last_good(&world, "files"), run_of(&first));
    // A disk that is not mounted takes nothing away.
    fs::rename(world.target().join("files"), world.path("away")).unwrap();
    assert_eq!(last_good(&world, "files"), run_of(&third));
}

#[test]
fn a_cut_or_missing_file_is_named() {
    let world = World::new();
    fs::write(world.path("source/file"), noise(1, 1_000_000)).unwrap();
    world.files_job().govern(["run", "files"]).expect(0);
    let file = content(&world.artifacts("files").pop().unwrap());
    let length = fs::metadata(&file).unwrap().len();
    File::options().write(true).open(&file).unwrap().set_len(length / 2).unwrap();
    let told = world.govern(["verify", "files"]).one_error(1);
    told.says(&[&file.file_name().unwrap().to_string_lossy(), &length.to_string()], "make a new one");
    let to = world.path("restored");
    world.govern(["restore", "files", "--to", to.to_str().unwrap()]).one_error(1);
    fs::remove_file(&file).unwrap();
    let told = world.govern(["verify", "files"]).one_error(1);
    told.says(&[&file.display().to_string(), "no such file"], "make a new one");
    assert_eq!(world.closed_run("files")["state"], "failed");
}

#[test]
fn a_flipped_bit_is_found_whatever_the_compression() {
    for compression in ["none", "zstd:1"] {
        let world = World::new();
        fs::write(world.path("source/file"), noise(1, 1_000_000)).unwrap();
        let job = format!("{KEEP}compression = \"{compression}\"\n");
        world.job("files", &job).govern(["run", "files"]).expect(0);
        flip_a_bit(&content(&world.artifacts("files").pop().unwrap()));
        world.govern(["verify", "files"]).one_error(1).says(&["hash"], "make a new one");
    }
}

#[test]
fn what_is_stored_can_be_read_without_this_program() {
    if !can("reading artifacts by hand: zstd", has_program("zstd")) {
        return;
    }
    for (compression, suffix) in [("none", ".tar"), ("zstd:9", ".tar.zst"), ("zstd", ".tar.zst")] {
        let world = World::new();
        fs::write(world.path("source/file"), noise(2, 500_000)).unwrap();
        let job = format!("{KEEP}compression = \"{compression}\"\n");
        world.job("files", &job).govern(["run", "files"]).expect(0);
        let file = content(&world.artifacts("files").pop().unwrap());
        assert!(file.to_string_lossy().ends_with(suffix), "{}", file.display());
        let by_hand = world.path("by-hand");
        fs::create_dir(&by_hand).unwrap();
        let reader = if compression == "none" { "cat" } else { "zstd -dcq" };
        // Not through a pipe: tar leaves at the end of the archive, before the padding of the last record, and who writes it may get
        // a SIGPIPE.
        let plain = by_hand.join("plain.tar");
        let line = format!(
            "{reader} '{}' >'{2}' && tar -x -C '{}' -f '{2}'",
            file.display(),
            by_hand.display(),
            plain.display()
        );
        world.shell(&line).expect(0);
        let below = by_hand.join(world.path("source").strip_prefix("/").unwrap()).join("file");
        assert_eq!(fs::read(below).unwrap(), noise(2, 500_000));
    }
}

#[test]
fn the_output_of_a_command_is_kept() {
    let world = World::new();
    let job = "kind = \"command\"\n[command]\nargv = [\"seq\", \"100000\"]\ncapture = \"numbers.txt\"
        [artifact]\ntarget = \"{target}\"\n";
    world.job("numbers", job).govern(["run", "numbers"]).expect(0);
    let manifest = world.manifest("numbers");
    assert_eq!((&manifest["kind"], &manifest["files"][0]["name"]), (&"command".into(), &"numbers.txt.zst".into()));
    assert_eq!(manifest["verified"], "hash");
    let to = world.path("restored");
    world.govern(["restore", "numbers", "--to", to.to_str().unwrap()]).expect(0);
    let numbers = fs::read_to_string(to.join("numbers.txt")).unwrap();
    assert_eq!(numbers.lines().count(), 100_000);
    assert_eq!(mode(&to.join("numbers.txt")), 0o600);
    // A command that fails leaves nothing under a name, and the one before.
    let failing = job.replace("\"seq\", \"100000\"", "\"sh\", \"-c\", \"echo half; echo no more >&2; exit 3\"");
    world.job("numbers", &failing).govern(["run", "numbers"]).expect(1);
    assert_eq!(world.artifacts("numbers").len(), 1);
    assert_eq!(world.temporaries("numbers"), Vec::<PathBuf>::new());
    assert!(world.closed_run("numbers")["reason"].as_str().unwrap().contains("no more"));
}

#[test]
fn an_older_artifact_can_be_chosen() {
    let world = World::new();
    world.files_job();
    for text in ["first", "second"] {
        fs::write(world.path("source/file"), text).unwrap();
        world.govern(["run", "files"]).expect(0);
    }
    let runs: Vec<String> = world.artifacts("files").iter().map(|path| run_of(path)).collect();
    for (run, text) in runs.iter().zip(["first", "second"]) {
        let to = world.path(text);
        world.govern(["restore", "files", "--run", run, "--to", to.to_str().unwrap()]).expect(0);
        let file = to.join(world.path("source").strip_prefix("/").unwrap()).join("file");
        assert_eq!(fs::read_to_string(file).unwrap(), text);
    }
    let told = world.govern(["restore", "files", "--run", "1999", "--to", "/nonexistent"]).one_error(2);
    told.says(&["`1999`"], &runs[1]);
    world.govern(["verify", "files", "--run", "1999"]).one_error(2);
    assert!(!Path::new("/nonexistent").exists());
}

#[test]
fn a_copy_beside_the_artifacts_takes_no_place_and_is_not_removed() {
    let world = World::new();
    fs::write(world.path("source/file"), "x").unwrap();
    world.job("files", &format!("{KEEP}[retention]\nkeep_last = 2\n"));
    world.govern(["run", "files"]).expect(0);
    let first = world.artifacts("files").pop().unwrap();
    let copy = first.with_file_name(format!("{}-keep", run_of(&first)));
    let line = format!("cp -a '{}' '{}'", first.display(), copy.display());
    world.shell(&line).expect(0);
    world.govern(["run", "files"]).expect(0);
    assert!(first.exists() && copy.exists(), "the copy takes no place");
    world.govern(["run", "files"]).expect(0);
    assert!(!first.exists() && copy.exists(), "the copy is nobody's but its maker's");
    fs::write(copy.join("manifest.json"), "{").unwrap();
    world.govern(["verify", "files"]).expect(0);
}

#[test]
fn an_artifact_that_lost_a_file_takes_no_place() {
    let world = World::new();
    fs::write(world.path("source/file"), noise(1, 100_000)).unwrap();
    world.job("files", &format!("{KEEP}[retention]\nkeep_last = 2\n"));
    world.govern(["run", "files"]).expect(0);
    world.govern(["run", "files"]).expect(0);
    let [whole, broken] = world.artifacts("files").try_into().unwrap();
    fs::remove_file(content(&broken)).unwrap();
    let to = world.path("restored");
    let told = world.govern(["restore", "files", "--to", to.to_str().unwrap()]).one_error(1);
    told.says(&[&format!("artifact `{}` is broken", broken.display()), "no such file"], &run_of(&whole));
    assert!(!to.exists(), "nothing was begun");
    world.govern(["run", "files"]).expect(0);
    assert!(whole.exists() && !broken.exists());
    assert_eq!(world.artifacts("files").len(), 2);
    // The last of all is broken: it stays, for what it is worth.
    for artifact in world.artifacts("files") {
        File::options().write(true).open(content(&artifact)).unwrap().set_len(10).unwrap();
    }
    let told = world.govern(["verify", "files"]).one_error(1);
    told.says(&["is broken", "has 10 bytes"], "make a new one");
    let plan = world.govern(["run", "files", "--dry-run", "--json"]).expect(0).json();
    assert_eq!(plan["retention"][0]["kept_by"][0], "last 1");
}

#[test]
fn a_restore_overwrites_nothing() {
    let world = World::new();
    fs::write(world.path("source/file"), "x").unwrap();
    world.files_job().govern(["run", "files"]).expect(0);
    let to = world.path("to");
    fs::create_dir(&to).unwrap();
    fs::write(to.join("mine"), "precious").unwrap();
    let told = world.govern(["restore", "files", "--to", to.to_str().unwrap()]).one_error(2);
    told.says(&[&format!("`{}` is not an empty directory", to.display())], "restore into a new directory");
    assert_eq!(list(&to), [to.join("mine")]);
    world.govern(["restore", "files", "--to", to.join("mine").to_str().unwrap()]).one_error(2);
    assert_eq!(fs::read_to_string(to.join("mine")).unwrap(), "precious");
    fs::remove_file(to.join("mine")).unwrap();
    world.govern(["restore", "files", "--to", to.to_str().unwrap()]).expect(0);
}

#[test]
fn what_others_put_into_the_target_is_left_alone() {
    let world = World::new();
    fs::write(world.path("source/file"), "x").unwrap();
    world.job("files", &format!("{KEEP}[retention]\nkeep_last = 1\n"));
    let directory = world.target().join("files");
    // Another job's artifact, no manifest, one that is none, and names that look like ours.
    fs::create_dir_all(directory.join("other")).unwrap();
    world.govern(["run", "files"]).expect(0);
    let own = world.artifacts("files").into_iter().find(|path| path.join("manifest.json").exists()).unwrap();
    let mut foreign = world.manifest_of(&own);
    foreign["job"] = "else".into();
    let manifests = [
        ("20990101T000000Z-0001", foreign.to_string()),
        ("20990101T000000Z-0002", "{}".into()),
        ("mine", "no json".into()),
    ];
    for (name, text) in manifests {
        fs::create_dir_all(directory.join(name)).unwrap();
        fs::write(directory.join(name).join("manifest.json"), text).unwrap();
    }
    fs::write(directory.join("note.txt"), "x").unwrap();
    fs::write(directory.join(".hidden"), "x").unwrap();
    world.govern(["run", "files"]).expect(0);
    assert!(!own.exists(), "retention does its work");
    for name in ["other", "20990101T000000Z-0001", "20990101T000000Z-0002", "mine", "note.txt", ".hidden"] {
        assert!(directory.join(name).exists(), "{name}");
    }
    // One that looks like the newest of ours and cannot be read is not passed over in silence.
    let told = world.govern(["verify", "files"]).one_error(1);
    assert!(told.message.contains("20990101T000000Z-0002/manifest.json` is not a manifest"), "{}", told.whole);
    fs::remove_dir_all(directory.join("20990101T000000Z-0002")).unwrap();
    world.restored("files", &world.path("source"));
}

#[test]
fn a_manifest_cannot_lead_out_of_its_directory() {
    let world = World::new();
    fs::write(world.path("source/file"), "x").unwrap();
    world.files_job().govern(["run", "files"]).expect(0);
    let artifact = world.artifacts("files").pop().unwrap();
    let mut manifest = world.manifest_of(&artifact);
    manifest["files"][0]["name"] = "../../secret".into();
    fs::write(artifact.join("manifest.json"), manifest.to_string()).unwrap();
    let told = world.govern(["verify", "files"]).one_error(1);
    assert!(told.message.contains("names `../../secret`, which is no plain file name"), "{}", told.whole);
    fs::write(artifact.join("manifest.json"), "{").unwrap();
    let told = world.govern(["verify", "files"]).one_error(1);
    let path = artifact.join("manifest.json").display().to_string();
    assert!(told.message.contains(&format!("`{path}` is not a manifest")), "{}", told.whole);
}

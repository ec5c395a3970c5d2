//! What can go wrong: one clear error, the documented exit code, and nothing lost.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::harness::{
    Ended, Mount, World, being_read, can, can_mount, finish, in_german, is_root, list, noise, phase, wait_for,
};

const MIB: u64 = 1 << 20;

/// A world with one good artifact of the job `files`.
fn with_a_backup() -> World {
    let world = World::new();
    fs::write(world.path("source/file"), "precious").unwrap();
    world.files_job().govern(["run", "files"]).expect(0);
    world
}

/// The artifact of before, which must be the only one, whole, and shown as the last good one.
#[track_caller]
fn nothing_is_lost(world: &World) {
    assert_eq!(world.artifacts("files").len(), 1);
    assert_eq!(world.temporaries("files"), Vec::<PathBuf>::new());
    let status = world.govern(["status", "files", "--json"]).expect(0).json();
    assert_eq!(status["jobs"][0]["last_good"]["run"], world.manifest("files")["run"]);
    world.files_job().govern(["verify", "files"]).expect(0);
}

fn job(keys: &str) -> String {
    format!(
        "kind = \"filesystem\"\n{keys}\n[filesystem]\nsources = [\"{{source}}\"]\n[artifact]\ntarget = \"{{target}}\"\n"
    )
}

fn command(argv: &str) -> String {
    format!("kind = \"command\"\n[command]\nargv = [{argv}]\n")
}

#[test]
fn a_missing_source() {
    let world = with_a_backup();
    fs::rename(world.path("source"), world.path("away")).unwrap();
    let told = world.govern(["run", "files"]).one_error(69);
    told.says(&[&format!("source `{}` cannot be read", world.path("source").display()), "no such file"], "mounted");
    let run = world.closed_run("files");
    assert_eq!((&run["state"], &phase(&run, "prepare")["state"]), (&"failed".into(), &"failed".into()));
    assert_eq!(run["exit_code"], 69);
    nothing_is_lost(&world);
    let told = world.govern(["run", "files", "--dry-run"]).one_error(69);
    told.says(&["cannot be read"], "mounted");
}

#[test]
fn a_missing_target_is_not_created() {
    let world = World::new();
    world.files_job();
    fs::remove_dir(world.target()).unwrap();
    let told = world.govern(["run", "files"]).one_error(69);
    told.says(&[&format!("target `{}` is not a directory", world.target().display())], "mount the backup disk");
    assert!(!world.target().exists());
    world.closed_run("files");
}

#[test]
fn a_target_that_must_not_be_written() {
    if !can("another account: root", is_root()) {
        return;
    }
    let world = World::of_nobody();
    world.files_job();
    fs::set_permissions(world.target(), fs::Permissions::from_mode(0o555)).unwrap();
    let told = world.govern(["run", "files"]).one_error(77);
    told.says(&[&format!("cannot write into `{}`", world.target().display()), "permission denied"], "writable");
    assert_eq!(world.closed_run("files")["state"], "failed");
    // The same a level below, with an artifact in it.
    fs::set_permissions(world.target(), fs::Permissions::from_mode(0o755)).unwrap();
    world.govern(["run", "files"]).expect(0);
    let below = world.target().join("files");
    fs::set_permissions(&below, fs::Permissions::from_mode(0o555)).unwrap();
    let told = world.govern(["run", "files"]).one_error(77);
    told.says(&[&format!("cannot write into `{}`", below.display())], "writable");
    nothing_is_lost(&world);
}

#[test]
fn two_state_directories_with_one_target() {
    let world = World::new();
    let job = "kind = \"command\"\n[command]\nline = \"echo begun; while ! [ -e {world}/go ]; do sleep 0.05; done\"
        shell = true\ncapture = \"text\"\n[artifact]\ntarget = \"{target}\"\n";
    world.job("slow", job);
    let first = world.start(["run", "slow"]);
    let partial = wait_for("an unfinished artifact", || world.temporaries("slow").pop());
    let (config, state) = (world.path("config"), world.path("other"));
    let other = |arguments: &[&str]| -> Ended {
        let mut command = world.bare_command();
        command.arg("--config").arg(&config).arg("--state").arg(&state).args(arguments).output().unwrap().into()
    };
    let run = world.last_run("slow")["run"].as_str().unwrap().to_owned();
    let to = world.path("to");
    for arguments in [&["run", "slow"][..], &["verify", "slow"], &["restore", "slow", "--to", to.to_str().unwrap()]] {
        let told = other(arguments).one_error(75);
        let below = world.target().join("slow");
        told.says(&[&format!("`{}` is busy: run {run} on host ", below.display())], "`target` each");
    }
    assert!(partial.exists(), "it is no leftover");
    fs::write(world.path("go"), "").unwrap();
    finish(first).expect(0);
    assert_eq!(world.artifacts("slow").len(), 1);
    other(&["run", "slow"]).expect(0);
    assert_eq!(world.artifacts("slow").len(), 2);
    other(&["verify", "slow"]).expect(0);
}

#[test]
fn an_artifact_comes_back_from_a_disk_that_cannot_be_written() {
    if !can("another account: root", is_root()) {
        return;
    }
    let world = World::of_nobody();
    fs::write(world.path("source/file"), "x").unwrap();
    world.files_job().govern(["run", "files"]).expect(0);
    let below = world.target().join("files");
    fs::remove_file(below.join(".lock")).unwrap();
    fs::set_permissions(&below, fs::Permissions::from_mode(0o555)).unwrap();
    world.govern(["verify", "files"]).expect(0);
    assert_eq!(fs::read_to_string(world.restored("files", &world.path("source")).join("file")).unwrap(), "x");
}

#[test]
fn a_source_that_must_not_be_read() {
    if !can("another account: root", is_root()) {
        return;
    }
    let world = World::of_nobody();
    fs::write(world.path("source/secret"), "x").unwrap();
    world.files_job();
    fs::set_permissions(world.path("source/secret"), fs::Permissions::from_mode(0o000)).unwrap();
    let told = world.govern(["run", "files"]).expect(1);
    assert!(told.stderr.contains("source/secret: Cannot open: Permission denied"), "{}", told.stderr);
    assert_eq!(phase(&world.closed_run("files"), "archive")["state"], "failed");
    assert!(world.artifacts("files").is_empty() && world.temporaries("files").is_empty());
    fs::set_permissions(world.path("source"), fs::Permissions::from_mode(0o000)).unwrap();
    let told = world.govern(["run", "files"]).one_error(77);
    assert!(told.whole.contains(&world.path("source").display().to_string()), "{}", told.whole);
}

#[test]
fn a_target_inside_a_source() {
    let world = World::new();
    world.job("files", &job("").replace("{source}", "{world}"));
    let ended = world.govern(["run", "files"]).expect(78);
    assert!(ended.stderr.contains("inside"), "{}", ended.stderr);
    // Through a link it shows only when the run starts.
    let world = with_a_backup();
    symlink(world.path(""), world.path("link")).unwrap();
    world.job("files", &job("").replace("{source}", "{world}/link"));
    let told = world.govern(["run", "files"]).one_error(69);
    told.says(&["is inside source", "the backup would read itself"], "exclude");
    world.closed_run("files");
    world.job(
        "other",
        &job("")
            .replace("{source}", "{world}/link")
            .replace("sources", "exclude = [\"{world}/link/target\", \"{world}/link/state\"]\nsources"),
    );
    world.govern(["run", "other"]).expect(0);
    nothing_is_lost(&world);
}

#[test]
fn a_full_disk() {
    if !can("mounts: root", is_root() && can_mount()) {
        return;
    }
    for compression in ["none", "zstd"] {
        let world = World::new();
        let _disk = Mount::tmpfs(world.target(), 8 * MIB);
        fs::write(world.path("source/file"), "precious").unwrap();
        world.files_job().govern(["run", "files"]).expect(0);
        fs::write(world.path("source/large"), noise(1, 32 * MIB as usize)).unwrap();
        world.job("files", &format!("{}compression = \"{compression}\"\n", job("")));
        let told = world.govern(["run", "files"]).one_error(1);
        told.says(&[".tar", "no space left", world.target().to_str().unwrap()], "room");
        let run = world.closed_run("files");
        assert_eq!(phase(&run, "archive")["state"], "failed");
        assert_eq!(run["exit_code"], 1);
        nothing_is_lost(&world);
        let restored = world.restored("files", &world.path("source"));
        assert_eq!(fs::read_to_string(restored.join("file")).unwrap(), "precious");
        // With room again the next run is as any other.
        fs::remove_file(world.path("source/large")).unwrap();
        world.govern(["run", "files"]).expect(0);
        assert_eq!(world.artifacts("files").len(), 2);
    }
}

#[test]
fn too_little_room_is_seen_before_anything_is_written() {
    let world = with_a_backup();
    world.job("files", &format!("{}min_free = \"100000TiB\"\n", job("")));
    let told = world.govern(["run", "files"]).one_error(69);
    told.says(&["free", "`min_free`", &format!("`{}`", world.target().display())], "make room");
    nothing_is_lost(&world);
}

#[test]
fn a_full_disk_below_the_state_directory_at_the_start() {
    if !can("mounts: root", is_root() && can_mount()) {
        return;
    }
    let world = World::new();
    let _disk = Mount::tmpfs(world.path("state"), 2 * MIB);
    fs::write(world.path("source/file"), "precious").unwrap();
    world.files_job().govern(["run", "files"]).expect(0);
    fill(&world.path("state/filler"));
    let told = world.govern(["run", "files"]).one_error(1);
    told.says(&[world.path("state").to_str().unwrap()], "make room");
    // What there is can still be read.
    world.govern(["history"]).expect(0);
    world.govern(["status"]).expect(0);
    world.govern(["log", "files"]).expect(0);
    fs::remove_file(world.path("state/filler")).unwrap();
    world.closed_run("files");
    nothing_is_lost(&world);
    world.govern(["run", "files"]).expect(0);
}

#[test]
fn a_disk_that_fills_up_below_the_state_directory_does_not_cost_the_backup() {
    if !can("mounts: root", is_root() && can_mount()) {
        return;
    }
    let world = World::new();
    let _disk = Mount::tmpfs(world.path("state"), 4 * MIB);
    let source = world.path("source").canonicalize().unwrap().join("file");
    fs::write(&source, noise(1, 64 * MIB as usize)).unwrap();
    world.job("files", &job("rate = \"8MiB/s\""));
    let run = world.start(["run", "files"]);
    being_read(&[source]);
    // The pace is set by hand while there is room to write down that it was.
    world.govern(["throttle", "files", "unlimited"]).expect(0);
    fill(&world.path("state/filler"));
    let ended = finish(run).expect(0);
    assert!(ended.stderr.contains("could not be recorded: cannot write `"), "{}", ended.stderr);
    assert_eq!(world.artifacts("files").len(), 1, "{}", ended.stderr);
    fs::remove_file(world.path("state/filler")).unwrap();
    world.closed_run("files");
    world.files_job().govern(["verify", "files"]).expect(0);
}

/// Takes all room of a file system.
fn fill(path: &Path) {
    use std::io::Write;
    let mut file = File::create(path).unwrap();
    // Down to the last byte: what fails in large pieces may still go in small ones.
    for size in [64 * 1024, 1024, 1] {
        while file.write_all(&vec![b'x'; size]).is_ok() {}
    }
}

#[test]
fn a_job_name_that_is_a_path() {
    let world = World::new();
    world.files_job();
    let told = world.govern(["run", "../x"]).one_error(2);
    assert!(told.message.contains("`../x`"), "{}", told.whole);
    for arguments in [
        vec!["verify", "../x"],
        vec!["restore", "../x", "--to", "/nonexistent"],
        vec!["cancel", "../x"],
        vec!["status", "../x"],
    ] {
        let told = world.govern(&arguments).one_error(2);
        assert!(told.message.contains("`../x`"), "{arguments:?}: {}", told.whole);
    }
    let told = world.govern(["exec", "--name", "../x", "--", "true"]).one_error(2);
    assert!(told.message.contains("job name `../x` is not allowed"), "{}", told.whole);
    world.job("bad", &job("name = \"../x\""));
    let ended = world.govern(["check"]).expect(78);
    assert!(ended.stderr.contains("../x") && ended.stderr.contains("bad.toml"), "{}", ended.stderr);
    world.govern(["run", "../x"]).expect(78);
    world.govern(["run", "bad"]).expect(2);
    assert!(!world.path("x").exists() && list(&world.target()).is_empty());
}

#[test]
fn two_jobs_of_one_name() {
    let world = World::new();
    world.job("one", &job("name = \"same\"")).job("two", &job("name = \"same\"")).files_job();
    let ended = world.govern(["run", "same"]).expect(78);
    for file in ["one.toml", "two.toml"] {
        assert!(ended.stderr.contains(file), "{}", ended.stderr);
    }
    assert!(list(&world.target()).is_empty());
    world.govern(["run", "files"]).expect(0);
}

#[test]
fn an_unknown_job() {
    let world = World::new();
    world.files_job();
    world.govern(["run", "fils"]).one_error(2).says(&["there is no job `fils`"], "did you mean `files`?");
    world.govern(["run", "zzz"]).one_error(2).says(&["`zzz`"], "files");
    assert!(list(&world.path("state/runs")).is_empty());
}

#[test]
fn no_configuration_at_all() {
    let world = World::new();
    fs::remove_dir_all(world.path("config")).unwrap();
    world.govern(["run", "files"]).one_error(78).says(&[&format!("`{}`", world.path("config").display())], "--config");
}

#[test]
fn a_broken_policy_of_another_job_is_none_of_its_business() {
    let world = World::new();
    world.files_job().job("broken", "kind = \"filesystem\"\n[filesystem\nsources = ");
    world.govern(["run", "files"]).expect(0);
    world.govern(["check"]).expect(78);
    let ended = world.govern(["run", "broken"]).expect(78);
    assert!(ended.stderr.contains("broken.toml:2:"), "{}", ended.stderr);
    let ended = world.govern(["status"]).expect(0);
    assert!(ended.stderr.contains("1 policy has errors"), "{}", ended.stderr);
}

#[test]
fn an_account_that_does_not_exist() {
    let world = with_a_backup();
    world.job("files", &job("user = \"no-such-account\""));
    world.govern(["run", "files"]).one_error(69).says(&["account `no-such-account` does not exist"], "`user`");
    world.closed_run("files");
    nothing_is_lost(&world);
}

#[test]
fn another_account_without_the_right_to_it() {
    if !can("another account: root", is_root()) {
        return;
    }
    let world = World::of_nobody();
    world.job("files", &job("user = \"root\""));
    world.govern(["run", "files"]).one_error(77).says(&["only root can run a payload as `root`"], "`user`");
    world.govern(["run", "files", "--dry-run"]).one_error(77);
    assert!(list(&world.target()).is_empty());
}

#[test]
fn a_command_that_is_not_there() {
    let world = World::new();
    let told = world.govern(["exec", "--", "no-such-command"]).one_error(127);
    told.says(&["command `no-such-command` was not found"], "install");
    world.job("gone", &command("\"no-such-command\""));
    world.govern(["run", "gone"]).one_error(127).says(&["command `no-such-command` was not found"], "install");
    assert_eq!(world.closed_run("gone")["state"], "failed");
    // There, but not to be executed.
    fs::write(world.path("script"), "#!/no/such/interpreter\n").unwrap();
    let script = world.path("script").display().to_string();
    world.govern(["exec", "--", &script]).one_error(127);
    fs::set_permissions(world.path("script"), fs::Permissions::from_mode(0o755)).unwrap();
    let told = world.govern(["exec", "--", &script]).one_error(127);
    assert!(told.whole.contains(&format!("`{script}`")), "{}", told.whole);
    world.govern(["exec", "--timeout", "soon", "--", "true"]).one_error(2);
}

#[test]
fn a_directory_that_is_not_there() {
    let world = World::new();
    world.job("lost", &format!("{}directory = \"/no/such/directory\"\n", command("\"true\"")));
    world.govern(["run", "lost"]).one_error(69).says(&["directory `/no/such/directory` does not exist"], "`directory`");
}

/// As if somebody worked in German.
fn german(world: &World, arguments: &[&str]) -> Command {
    let mut command = world.command(arguments);
    in_german(&mut command, &world.path("locales"));
    command
}

#[test]
fn a_foreign_language_changes_no_outcome() {
    let world = World::new();
    let paths = ["one", "two"].map(|name| world.path("source").canonicalize().unwrap().join(name));
    for path in &paths {
        fs::write(path, noise(1, 64 * MIB as usize)).unwrap();
    }
    world.job("files", &format!("{}compression = \"none\"\n", job("rate = \"4MiB/s\"")));
    let child = german(&world, &["run", "files"]);
    let run = { child }.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let read = being_read(&paths);
    fs::remove_file(paths.iter().find(|path| **path != read).unwrap()).unwrap();
    german(&world, &["throttle", "files", "unlimited"]).output().unwrap();
    let ended = finish(run).expect(3);
    assert!(ended.stderr.contains("File removed before we read it"), "{}", ended.stderr);
    // The language is the caller's own affair where a program is only handed on.
    let ended: Ended = german(&world, &["exec", "--", "sh", "-c", "echo $LC_ALL $LANGUAGE"]).output().unwrap().into();
    assert_eq!(ended.expect(0).stdout, "de_DE.UTF-8 de\n");
    fs::rename(world.path("source"), world.path("away")).unwrap();
    let ended: Ended = german(&world, &["run", "files"]).output().unwrap().into();
    ended.one_error(69).says(&["no such file or directory"], "mounted");
}

#[test]
fn without_a_home() {
    let world = with_a_backup();
    let without = |arguments: &[&str]| -> Ended {
        let mut command = world.command(arguments);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).output().unwrap().into()
    };
    for arguments in [vec!["run", "files"], vec!["status"], vec!["history"], vec!["exec", "--", "true"]] {
        without(&arguments).expect(0);
    }
    if !can("another account: root", is_root()) {
        return;
    }
    let world = World::of_nobody();
    let output = world.bare_command().arg("status").env_clear().output().unwrap();
    let told = Ended::from(output).one_error(2);
    assert!(told.whole.contains("HOME") && told.hint.is_some(), "{}", told.whole);
}

#[test]
fn nobody_reads_or_listens() {
    let world = with_a_backup();
    for line in [
        "govern history | head -c0",
        "govern history --json | head -c1 >&2",
        "govern status | true",
        "govern log files | head -n1 >&2",
        "govern run files --dry-run | head -c0",
        "govern history >&-",
        "govern status >&- 2>&-",
        "govern run files >&- 2>&-",
        "govern run files 2>&1 | true",
        "govern run files <&- >&- 2>&-",
    ] {
        world.shell(&format!("{line}; exit ${{PIPESTATUS[0]}}")).expect(0);
    }
    assert!(world.history().iter().all(|run| run["state"] == "ok"));
    assert_eq!(world.artifacts("files").len(), 4);
    // A program that is only handed on ends as it would have without us.
    let ended = world.shell("govern exec -- yes | head -n1; exit ${PIPESTATUS[0]}").expect(128 + libc::SIGPIPE);
    assert_eq!(ended.stdout, "y\n");
}

#[test]
fn a_second_run_at_the_same_time() {
    let world = with_a_backup();
    let source = world.path("source").canonicalize().unwrap().join("large");
    fs::write(&source, noise(1, 64 * MIB as usize)).unwrap();
    world.job("files", &job("rate = \"4MiB/s\""));
    let run = world.start(["run", "files"]);
    being_read(&[source]);
    world.govern(["run", "files"]).one_error(75).says(&["job `files` is busy"], "cancel");
    world.govern(["cancel", "files", "--now"]).expect(0);
    finish(run).expect(130);
    for run in world.history() {
        assert!(["ok", "skipped", "cancelled"].contains(&run["state"].as_str().unwrap()), "{run:#}");
    }
    nothing_is_lost(&world);
}

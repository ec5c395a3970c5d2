//! `govern exec`: what a command sees and says is what it would see and say without govern.

use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::thread;

use crate::harness::{Ended, UNGOVERNED, World, finish, phase, processes_of, wait_for};

/// `govern exec -- sh -c SCRIPT`, as a command that is not started yet.
fn exec(world: &World, script: &str) -> Command {
    world.command(["exec", "--", "/bin/sh", "-c", script])
}

/// Bytes without any pattern: xorshift.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> = std::iter::repeat_with(&mut next).take(length / 8 + 1).flatten().collect();
    bytes.truncate(length);
    bytes
}

#[test]
fn the_exit_code_is_the_commands() {
    let world = World::new();
    for (script, code) in
        [("exit 0", 0), ("exit 3", 3), ("exit 255", 255), ("kill -KILL $$", 137), ("kill -TERM $$", 143)]
    {
        let ended: Ended = exec(&world, script).output().unwrap().into();
        let ended = ended.expect(code);
        assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""), "`{script}`: govern has nothing to add");
        let run = &world.history()[0];
        assert_eq!(run["exit_code"], code);
        assert_eq!(run["state"], if code == 0 { "ok" } else { "failed" });
        assert_eq!(run["action"], "exec");
    }
    assert_eq!(processes_of(&world), vec![]);
}

#[test]
fn output_is_handed_on_byte_for_byte_with_nothing_added() {
    let world = World::new();
    let data = noise(10 * 1024 * 1024);
    fs::write(world.path("data"), &data).unwrap();
    let copy = format!("cat {0} & cat {0} >&2; wait", world.path("data").display());
    let output = exec(&world, &copy).output().unwrap();
    assert!(output.stdout == data && output.stderr == data, "through pipes");
    let into = fs::File::create(world.path("copy")).unwrap();
    let status = exec(&world, &format!("cat {}", world.path("data").display())).stdout(into).status().unwrap();
    assert!(status.success());
    assert!(fs::read(world.path("copy")).unwrap() == data, "into a file");
}

#[test]
fn a_slow_reader_holds_the_command_back() {
    let world = World::new();
    let data = noise(10 * 1024 * 1024);
    fs::write(world.path("data"), &data).unwrap();
    let mut child = world
        .command([OsStr::new("exec"), OsStr::new("--"), OsStr::new("cat"), world.path("data").as_os_str()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Nobody reads: the command comes to a stop, long before its end.
    let written = || -> Option<u64> {
        let (pid, _) = processes_of(&world).into_iter().find(|(_, line)| line.starts_with("cat "))?;
        let io = fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
        io.lines().find_map(|l| l.strip_prefix("wchar: ")?.parse().ok())
    };
    let mut last = (0, 0);
    let stuck = wait_for("a command that waits", || {
        let now = written()?;
        last = if now > 0 && now == last.0 { (now, last.1 + 1) } else { (now, 0) };
        (last.1 == 20).then_some(now)
    });
    assert!(stuck < 4 * 1024 * 1024, "{stuck} bytes are in flight");
    let mut stdout = child.stdout.take().unwrap();
    let (mut seen, mut buffer) = (Vec::new(), [0; 10_000]);
    loop {
        let read = stdout.read(&mut buffer).unwrap();
        if read == 0 {
            break;
        }
        seen.extend_from_slice(&buffer[..read]);
        thread::yield_now();
    }
    assert!(seen == data);
    finish(child).expect(0);
}

#[test]
fn text_goes_into_the_log_and_data_does_not() {
    let world = World::new();
    exec(&world, "echo to the log; echo and this >&2; printf 'no end'").output().unwrap();
    let log = world.log("sh");
    for line in ["stdout| to the log", "stderr| and this", "stdout| no end"] {
        assert!(log.contains(line), "{line}\n{log}");
    }
    fs::write(world.path("data"), noise(1024 * 1024)).unwrap();
    exec(&world, &format!("cat {}; echo said >&2", world.path("data").display())).output().unwrap();
    let log = world.log("sh");
    assert!(log.len() < 8192, "{} bytes of log", log.len());
    assert!(log.contains("stderr| said") && log.contains("is data, and not logged"), "{log}");
}

#[test]
fn standard_input_is_the_callers() {
    let world = World::new();
    let data = noise(1024 * 1024);
    let mut child = exec(&world, "cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let sent = data.clone();
    let writer = thread::spawn(move || stdin.write_all(&sent).unwrap());
    let mut seen = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut seen).unwrap();
    writer.join().unwrap();
    assert!(seen == data);
    finish(child).expect(0);
}

#[test]
fn a_command_whose_reader_went_away_ends_as_it_would_without_govern() {
    let world = World::new();
    let mut child = world.start(["exec", "--", "yes"]);
    let mut first = [0; 2];
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut first).unwrap();
    drop(stdout);
    let ended = finish(child).expect(141);
    assert_eq!(ended.stderr, "");
    assert_eq!(processes_of(&world), vec![]);
    // Closed from the beginning.
    let mut command = Command::new("/bin/sh");
    let inner = exec(&world, "echo lost; true");
    command.args(["-c", "exec \"$0\" \"$@\" >&-"]).arg(inner.get_program()).args(inner.get_args());
    let ended: Ended = command.stdin(Stdio::null()).output().unwrap().into();
    assert!(world.history()[0]["state"] == "ok", "{} {}", ended.code, ended.stderr);
}

#[test]
fn what_cannot_be_started_is_one_clear_error() {
    let world = World::new();
    let ended = world.govern(["exec", "--", "no-such-command"]).expect(127);
    assert!(ended.stderr.contains("`no-such-command` was not found"), "{}", ended.stderr);
    assert_eq!(ended.stderr.matches("error").count(), 1, "{}", ended.stderr);
    let script = world.path("script");
    fs::write(&script, "#!/bin/sh\necho hello\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o644)).unwrap();
    let script = script.to_str().unwrap();
    let ended = world.govern(["exec", "--", script]).expect(127);
    assert!(ended.stderr.contains(script), "{}", ended.stderr);
    fs::set_permissions(script, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(world.govern(["exec", "--", script]).expect(0).stdout, "hello\n");
    fs::write(script, "#!/no/such/interpreter\n").unwrap();
    let ended = world.govern(["exec", "--", script]).expect(127);
    assert!(ended.stderr.contains(script), "{}", ended.stderr);
    world.govern(["exec"]).expect(2);
    world.govern(["exec", "--name", "../x", "--", "true"]).expect(2);
    assert!(world.history().iter().all(|r| r["state"] != "running"));
}

#[test]
fn a_name_is_exclusive_and_no_name_is_not() {
    let world = World::new();
    let waits = format!("echo $1 >> {0}/ready; while [ ! -e {0}/go ]; do sleep 0.02; done", world.path("").display());
    let begun = |count: usize| {
        wait_for("the commands", || {
            let text = fs::read_to_string(world.path("ready")).ok()?;
            (text.lines().count() == count).then_some(())
        });
    };
    let named = world.start(["exec", "--name", "nightly", "--", "/bin/sh", "-c", &waits]);
    begun(1);
    let refused = world.govern(["exec", "--name", "nightly", "--", "true"]).expect(75);
    assert!(refused.stderr.contains("job `nightly` is busy: run "), "{}", refused.stderr);
    assert_eq!(world.history()[0]["state"], "skipped");
    let one = world.start(["exec", "--", "/bin/sh", "-c", &waits]);
    let two = world.start(["exec", "--", "/bin/sh", "-c", &waits]);
    begun(3);
    fs::write(world.path("go"), "").unwrap();
    for child in [named, one, two] {
        finish(child).expect(0);
    }
    assert_eq!(world.history().iter().filter(|r| r["job"] == "sh" && r["state"] == "ok").count(), 2);
}

#[test]
fn one_word_in_front_of_a_crontab_line() {
    let world = World::new();
    let govern = world.command(["exec", "--name", "x"]);
    let words: Vec<String> = std::iter::once(govern.get_program())
        .chain(govern.get_args())
        .map(|w| format!("'{}'", w.to_str().unwrap()))
        .collect();
    let line = format!("{} -- printf 'one\\ntwo\\n' | gzip > {}", words.join(" "), world.path("f").display());
    // As cron does it: no terminal, its own short environment.
    let output = Command::new("/bin/sh")
        .args(["-c", &line])
        .env_clear()
        .envs([("PATH", "/usr/bin:/bin"), ("HOME", "/"), ("SHELL", "/bin/sh"), ("LOGNAME", "root")])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
    let text = Command::new("zcat").arg(world.path("f")).output().unwrap().stdout;
    assert_eq!(text, b"one\ntwo\n");
}

#[test]
fn the_environment_is_the_callers_and_may_be_empty() {
    let world = World::new();
    let search = "/usr/bin:/bin";
    let run = world.command(["exec", "--", "env"]);
    let output = Command::new(run.get_program())
        .args(run.get_args())
        .env_clear()
        .env("PATH", search)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].starts_with("GOVERN_RUN=2") && lines[1] == format!("PATH={search}"), "{text}");
    let output = exec(&world, "printf '%s' \"$ODD\"").env("ODD", OsStr::from_bytes(b"a\xff b\n")).output().unwrap();
    assert_eq!(output.stdout, b"a\xff b\n");
}

#[test]
fn the_working_directory_is_kept() {
    let world = World::new();
    let odd = world.path(OsStr::from_bytes("with blank \u{e9}".as_bytes()));
    fs::create_dir(&odd).unwrap();
    let output = world.command(["exec", "--", "pwd"]).current_dir(&odd).output().unwrap();
    assert_eq!(output.stdout.trim_ascii_end(), odd.as_os_str().as_bytes());
    fs::write(odd.join("here"), "#!/bin/sh\necho from here\n").unwrap();
    fs::set_permissions(odd.join("here"), fs::Permissions::from_mode(0o755)).unwrap();
    let output = world.command(["exec", "--", "./here"]).current_dir(&odd).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.stdout, b"from here\n");
}

#[test]
fn arguments_arrive_as_they_were_given() {
    let world = World::new();
    let odd = [
        "",
        " ",
        "a b",
        "it's",
        "\"",
        "$HOME",
        "*",
        "new\nline",
        "tab\t",
        "\\",
        "--",
        "-x",
        "gr\u{fc}n \u{1f331}",
        "%s",
    ];
    let ended = world.govern(["exec", "--", "printf", "%s\\0"].iter().copied().chain(odd)).expect(0);
    let seen: Vec<&str> = ended.stdout.split_terminator('\0').collect();
    assert_eq!(seen, odd);
    // A name that is no text is handed on as it is, or refused before anything begins.
    let mut command = world.command(["exec", "--", "printf", "%s"]);
    let output = command.arg(OsStr::from_bytes(b"a\xffb")).output().unwrap();
    match output.status.code() {
        Some(0) => assert_eq!(output.stdout, b"a\xffb"),
        code => {
            assert_eq!(code, Some(2));
            assert!(String::from_utf8_lossy(&output.stderr).contains("UTF-8"), "{output:?}");
        }
    }
}

#[test]
fn a_timeout_ends_a_command_with_124() {
    let world = World::new();
    let ended = world.govern(["exec", "--timeout", "1s", "--", "sleep", "1000"]).expect(124);
    assert!(ended.stderr.contains("timeout"), "{}", ended.stderr);
    let run = world.last_run("sleep");
    assert_eq!((&run["state"], &phase(&run, "command")["state"]), (&"failed".into(), &"failed".into()));
    assert_eq!(processes_of(&world), vec![]);
}

#[test]
fn control_characters_reach_neither_the_log_nor_the_terminal() {
    let world = World::new();
    exec(&world, "printf 'red\\033[31m\\n'\ntrue # \u{7}").output().unwrap();
    let log = world.log("sh");
    assert!(log.contains(r"stdout| red\u{1b}[31m") && log.contains(r"\ntrue # \u{7}'"), "{log}");
    assert!(log.lines().all(|line| line.starts_with("20")), "a time on every line\n{log}");
    let ended = world.govern(["exec", "--name", "odd", "--", "no\u{1b}[2J\nsuch"]).expect(127);
    assert!(ended.stderr.contains(r"`no\u{1b}[2J\nsuch` was not found"), "{}", ended.stderr);
    let log = world.log("odd");
    assert!(!(ended.stderr + &log).contains('\u{1b}'), "{log}");
}

#[test]
fn a_run_keeps_the_limits_it_was_started_with() {
    let world = World::new();
    let kept = |world: &World| -> serde_json::Value {
        world.govern(["exec", "--", "true"]).expect(0);
        let run = world.last_run("true")["run"].as_str().unwrap().to_owned();
        let request = fs::read(world.path("state/runs").join(run).join("request.json")).unwrap();
        serde_json::from_slice::<serde_json::Value>(&request).unwrap()["policy"].take()
    };
    let policy = kept(&world);
    assert_eq!(policy["limits"]["memory"]["high"], serde_json::json!({ "percent": 25 }), "without any file");
    assert_eq!(policy["slice"]["io"]["weight"], 10);
    fs::create_dir_all(world.path("config")).unwrap();
    fs::write(world.path("config/govern.toml"), format!("[slice]\nio_weight = 3\n{UNGOVERNED}")).unwrap();
    assert_eq!(kept(&world)["slice"]["io"]["weight"], 3);
    fs::write(world.path("config/govern.toml"), "[slice]\nio_weight = \"low\"\n").unwrap();
    let told = world.govern(["exec", "--", "true"]).expect(78).stderr;
    assert!(told.contains("govern.toml:2:13"), "a mistyped limit must not become none\n{told}");
}

//! `govern exec --ssh`: a backup that another machine pulls through sshd, with a key that may do nothing else.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::harness::{self, Ended, World, wait_for};

/// It re-executes itself by this name.
const SSHD: &str = "/usr/sbin/sshd";

/// A server of the machine's packages, on a port of its own, and a key of a client.
struct Server {
    dir: PathBuf,
    port: u16,
    sshd: Child,
}

fn can_start() -> bool {
    let programs = Path::new(SSHD).exists() && Path::new("/usr/bin/rsync").exists();
    // Without root sshd lets in its own account alone, and in containers of a build not even that.
    harness::can("root, openssh-server and rsync", harness::is_root() && programs)
}

fn key(path: &Path) {
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path).status().unwrap();
    assert!(made.success());
}

impl Server {
    /// One that lets in one key, for what `options` of its line say. `{govern}` is the program in this world.
    fn start(world: &World, options: &str) -> Server {
        let dir = world.path("ssh");
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
        key(&dir.join("host"));
        key(&dir.join("client"));
        let govern = format!(
            "{} --config {} --state {}",
            env!("CARGO_BIN_EXE_govern"),
            world.path("config").display(),
            world.path("state").display()
        );
        let public = fs::read_to_string(dir.join("client.pub")).unwrap();
        fs::write(dir.join("authorized_keys"), format!("{} {public}", options.replace("{govern}", &govern))).unwrap();
        // Where sshd locks its children in; the package's unit makes it.
        fs::create_dir_all("/run/sshd").unwrap();
        loop {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let config = format!(
                "Port {port}\nListenAddress 127.0.0.1\nHostKey {0}/host\nAuthorizedKeysFile {0}/authorized_keys\nPidFile none\n\
                 StrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\n\
                 Subsystem sftp /usr/lib/openssh/sftp-server\n",
                dir.display()
            );
            fs::write(dir.join("sshd_config"), config).unwrap();
            let log = fs::File::create(dir.join("log")).unwrap();
            let mut sshd = Command::new(SSHD)
                .args(["-D", "-e", "-f"])
                .arg(dir.join("sshd_config"))
                .stdin(Stdio::null())
                .stderr(log)
                .spawn()
                .unwrap();
            // Somebody else may have taken the port in between: then it ends.
            let up = wait_for("sshd", || match sshd.try_wait().unwrap() {
                Some(_) => Some(false),
                None => TcpStream::connect(("127.0.0.1", port)).is_ok().then_some(true),
            });
            if up {
                return Server { dir, port, sshd };
            }
            let said = fs::read_to_string(dir.join("log")).unwrap();
            assert!(said.contains("Address already in use"), "{said}");
        }
    }

    /// As `-e` of rsync takes it.
    fn ssh(&self) -> Vec<String> {
        let option = |text: String| ["-o".to_owned(), text];
        let mut words = vec!["ssh".to_owned(), "-F".into(), "none".into(), "-p".into(), self.port.to_string()];
        words.extend(["-i".to_owned(), self.dir.join("client").display().to_string()]);
        for text in ["BatchMode=yes", "IdentitiesOnly=yes", "StrictHostKeyChecking=no", "LogLevel=ERROR"] {
            words.extend(option(text.to_owned()));
        }
        words.extend(option(format!("UserKnownHostsFile={}", self.dir.join("known_hosts").display())));
        words
    }

    fn ask(&self, command: &str) -> Ended {
        let words = self.ssh();
        let mut ssh = Command::new(&words[0]);
        ssh.args(&words[1..]).args(["root@127.0.0.1", "--", command]).stdin(Stdio::null());
        ssh.output().unwrap().into()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.sshd.kill().unwrap();
        self.sshd.wait().unwrap();
    }
}

const FORCED: &str = "command=\"{govern} exec --name pull --ssh --allow rsync --allow printf\",restrict";

fn differs(a: &Path, b: &Path) -> String {
    let said = Command::new("diff").args(["--recursive", "--no-dereference"]).args([a, b]).output().unwrap();
    String::from_utf8_lossy(&said.stdout).into_owned()
}

#[test]
fn a_tree_is_pulled_as_it_is_and_the_log_says_by_whom() {
    if !can_start() {
        return;
    }
    let world = World::new();
    let server = Server::start(&world, FORCED);
    let source = world.path("source");
    fs::create_dir_all(source.join("a b/it's")).unwrap();
    fs::write(source.join("a b/it's/$(id) *.txt"), "x".repeat(3 << 20)).unwrap();
    fs::write(source.join("plain"), [0_u8, 255, 10, 13, 0]).unwrap();
    std::os::unix::fs::symlink("plain", source.join("link")).unwrap();
    let pull = |from: &str, to: &str| -> Ended {
        let mut rsync = Command::new("rsync");
        rsync.args(["-a", "-e", &server.ssh().join(" ")]).arg(format!("root@127.0.0.1:{from}")).arg(world.path(to));
        rsync.output().unwrap().into()
    };
    pull(&format!("{}/", source.display()), "copy/").expect(0);
    assert_eq!(differs(&source, &world.path("copy")), "");
    let run = &world.history()[0];
    assert_eq!((&run["job"], &run["state"]), (&"pull".into(), &"ok".into()));
    let log = world.govern(["log", "pull"]).expect(0).stdout;
    assert!(log.contains("asked for over ssh by 127.0.0.1") && log.contains("$ rsync --server --sender"), "{log}");
    // A name with everything in it that a shell would stumble over: rsync escapes it.
    pull(&format!("{}/a b", source.display()), "part/").expect(0);
    assert_eq!(differs(&source.join("a b"), &world.path("part/a b")), "");
    // The other way, the client writes.
    let mut push = Command::new("rsync");
    push.args(["-a", "-e", &server.ssh().join(" ")]).arg(format!("{}/", source.display()));
    let pushed: Ended =
        push.arg(format!("root@127.0.0.1:{}/", world.path("pushed").display())).output().unwrap().into();
    pushed.expect(0);
    assert_eq!(differs(&source, &world.path("pushed")), "");
    assert_eq!(world.history().len(), 3);
}

#[test]
fn a_key_runs_what_its_line_allows_and_nothing_else() {
    if !can_start() {
        return;
    }
    let world = World::new();
    let server = Server::start(&world, FORCED);
    let said = server.ask(r"printf '%s|' a\ b 'c;d'").expect(0);
    assert_eq!(said.stdout, "a b|c;d|");
    let runs = world.history().len();
    server.ask("id -un").one_error(77).says(&["program `id` is not allowed"], "--allow id");
    server.ask("/tmp/rsync --server").one_error(77).says(&["`/tmp/rsync` is not allowed"], "--allow /tmp/rsync");
    for (line, shown) in [("rsync --version; id", "`;`"), ("printf $HOME", "`$`"), ("rsync --server /srv/*", "`*`")] {
        let told = server.ask(line).one_error(2);
        told.says(&[&format!("may not hold {shown} outside of quotes")], "one program");
    }
    let words = server.ssh();
    let bare: Ended =
        Command::new(&words[0]).args(&words[1..]).arg("root@127.0.0.1").stdin(Stdio::null()).output().unwrap().into();
    bare.one_error(2).says(&["`SSH_ORIGINAL_COMMAND` is not set"], "name a command");
    assert_eq!(world.history().len(), runs, "what is refused is no run");
}

#[test]
fn sftp_goes_through_too() {
    if !can_start() {
        return;
    }
    let world = World::new();
    let server = Server::start(
        &world,
        "command=\"{govern} exec --name pull --ssh --allow /usr/lib/openssh/sftp-server\",restrict",
    );
    fs::write(world.path("source/file"), "content").unwrap();
    let mut scp = Command::new("scp");
    let options = server.ssh();
    // Its option for the port is a capital.
    let options = options[1..].iter().map(|word| if word == "-p" { "-P" } else { word });
    scp.arg("-s").args(options).arg(format!("root@127.0.0.1:{}", world.path("source/file").display()));
    let copied: Ended = scp.arg(world.path("copied")).output().unwrap().into();
    copied.expect(0);
    assert_eq!(fs::read_to_string(world.path("copied")).unwrap(), "content");
    assert_eq!(world.history()[0]["job"], "pull");
}

#[test]
fn without_ssh_there_is_nothing_to_run() {
    let world = World::new();
    world.govern(["exec", "--ssh"]).one_error(2).says(&["`--ssh` found no command"], "authorized_keys");
    world.govern(["exec", "--ssh", "--", "true"]).expect(2);
    world.govern(["exec", "--allow", "rsync", "--", "true"]).expect(2);
}

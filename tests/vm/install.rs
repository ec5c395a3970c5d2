//! What a package would install: the program, and what is in `systemd/`.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::machine::Machine;

/// Where things go in the machine, from here. A directory below `systemd/` is one of /usr/lib.
const SCRIPT: &str = r#"
    stage=$1/stage
    rm -rf "$stage"
    mkdir -p "$stage/usr/bin" "$stage/usr/lib/systemd/system"
    strip -o "$stage/usr/bin/govern" "$2"
    for path in systemd/*; do
        if [ -d "$path" ]; then cp -r "$path" "$stage/usr/lib/"; else cp "$path" "$stage/usr/lib/systemd/system/"; fi
    done
    tar --create --zstd --owner=root --group=root --sort=name --mtime=@0 --directory="$stage" . >"$1/stage.tar"
"#;

/// Names another build of the program: what is measured is the optimised one.
const PROGRAM: &str = "GOVERN_VM_PROGRAM";

/// Installs this checkout where it is not there already.
pub fn everything(machine: &Machine) {
    let dir = machine.dir().to_owned();
    let made = Command::new("bash")
        .args(["-euc", SCRIPT, "install"])
        .arg(&dir)
        .arg(std::env::var_os(PROGRAM).unwrap_or(env!("CARGO_BIN_EXE_govern").into()))
        .stdout(Stdio::null())
        .status();
    assert!(made.unwrap().success(), "the files to install");
    let (made, installed) = (fs::read(dir.join("stage.tar")).unwrap(), dir.join("installed.tar"));
    if same(&made, &installed) {
        return;
    }
    let unpack = "tar --extract --zstd --no-overwrite-dir --directory=/";
    machine.remote().piped("root", unpack, &made).expect(0);
    machine.ok("systemd-sysusers; systemd-tmpfiles --create; systemctl daemon-reload; sync");
    fs::write(installed, made).unwrap();
}

fn same(content: &[u8], path: &Path) -> bool {
    fs::read(path).is_ok_and(|there| there == content)
}

//! The emulator: what a machine is made of, and its monitor.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use chrono::{TimeDelta, Utc};

/// Data disks, empty at boot: `/dev/disk/by-id/virtio-NAME`. All but `spare` belong to a stack of `disks.rs`.
pub const DISKS: [&str; 12] =
    ["partition", "lvm", "luks", "luks-lvm", "raid-a", "raid-b", "loop", "btrfs", "btrfs-a", "btrfs-b", "xfs", "spare"];

/// The disk of the incident, with a large database; only some machines have it.
pub const FORUM: &str = "forum";

/// Bytes of a data disk; they take no room before they are written.
const DISK_SIZE: u64 = 384 << 20;

/// Everything that can be emulated, but for three things. `rep movsb` is slow under emulation; without `erms` and `fsrm` the kernel and
/// the C library use other moves, and a page is cleared in a quarter of the time. A fifth level of page tables costs each walk.
const CPU: &str = "max,-erms,-fsrm,-la57";

/// What the kernel is told. Without `tsc=reliable` it finds that its processors' counters differ, and asks an emulated chip for the time:
/// 10 µs a look. With addresses that differ from process to process (no `norandmaps`) the emulator translates each program anew each
/// time it starts: a run takes twice as long.
const KERNEL: &str = "root=/dev/vda rw console=ttyS0 psi=1 mitigations=off net.ifnames=0 tsc=reliable norandmaps quiet";

/// What a monitor answers within.
const PATIENCE: Duration = Duration::from_secs(60);

/// How fast a disk may be; 0 is unlimited.
#[derive(Clone, Copy, Debug, Default)]
pub struct Speed {
    /// Bytes a second, both directions together.
    pub bytes: u64,
    /// Requests a second, both directions together.
    pub requests: u64,
}

/// Who the emulator belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// To this process: it ends with it, even by `kill -9`.
    Ours,
    /// To itself.
    Its,
}

/// Makes the disks of a machine in `dir`: an overlay on the root file system, which stays as it was built, and empty ones.
pub fn make_disks(image: &Path, dir: &Path) {
    make_overlay(&image.join("root.img"), dir, "root");
    for name in DISKS {
        std::fs::File::create(dir.join(format!("{name}.img"))).unwrap().set_len(DISK_SIZE).unwrap();
    }
}

/// Makes the disk [`FORUM`] of a machine in `dir`: an overlay on what `tests/vm/incident/disk` built.
pub fn make_forum(built: &Path, dir: &Path) {
    make_overlay(built, dir, FORUM);
}

fn make_overlay(base: &Path, dir: &Path, name: &str) {
    let made = Command::new("qemu-img")
        .args(["create", "-q", "-f", "qcow2", "-F", "raw", "-b"])
        .args([&base.canonicalize().unwrap(), &dir.join(format!("{name}.qcow2"))])
        .status()
        .unwrap();
    assert!(made.success(), "qemu-img create");
}

/// Starts the emulator on the disks in `dir`; ssh is forwarded from this port of 127.0.0.1. Nothing else of the machine's
/// network leaves it. Its clock is so many seconds ahead of the host's.
pub fn start(image: &Path, dir: &Path, port: u16, life: Life, ahead: i64) -> Child {
    let mut command = match life {
        Life::Ours => Command::new("setpriv"),
        Life::Its => Command::new("setsid"),
    };
    if life == Life::Ours {
        command.args(["--pdeathsig", "KILL"]);
    }
    let file = |name: &str| dir.join(name).display().to_string();
    command
        .arg("qemu-system-x86_64")
        .args(["-accel", "tcg,thread=multi", "-cpu", CPU, "-smp", "2", "-m", "1G"])
        .args(["-rtc", &format!("base={}", (Utc::now() + TimeDelta::seconds(ahead)).format("%FT%T"))])
        .args(["-nodefaults", "-display", "none", "-no-reboot"])
        .arg("-kernel")
        .arg(image.join("vmlinuz"))
        .arg("-initrd")
        .arg(image.join("initrd"))
        .args(["-append", KERNEL])
        .args(["-serial", &format!("file:{}", file("console"))])
        .args(["-monitor", &format!("unix:{},server=on,wait=off", file("monitor"))])
        .args(["-netdev", &format!("user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:22")])
        .args(["-device", "virtio-net-pci,netdev=net,romfile="]);
    // The guest's flushes reach the overlay's file, so that it is readable after a power cut. A raw file needs none for that:
    // what was written stays in the page cache of the host.
    let root = format!("file={},format=qcow2,if=none,id=root,cache=writeback", file("root.qcow2"));
    command.args(["-drive", &root, "-device", "virtio-blk-pci,drive=root,serial=root"]);
    for name in DISKS {
        let image = file(&format!("{name}.img"));
        let drive = format!("file={image},format=raw,if=none,id={name},cache=unsafe,discard=unmap");
        command.args(["-drive", &drive, "-device", &format!("virtio-blk-pci,drive={name},serial={name}")]);
    }
    if dir.join("forum.qcow2").exists() {
        let drive = format!("file={},format=qcow2,if=none,id={FORUM},cache=unsafe,discard=unmap", file("forum.qcow2"));
        command.args(["-drive", &drive, "-device", &format!("virtio-blk-pci,drive={FORUM},serial={FORUM}")]);
    }
    let errors = std::fs::File::create(dir.join("qemu.log")).unwrap();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
    spawn_from_a_lasting_thread(command).unwrap()
}

/// Starts a program. What shall end with the process that starts it is told so when the thread that started it ends (prctl(2),
/// `PR_SET_PDEATHSIG`), and threads of tests end early.
fn spawn_from_a_lasting_thread(command: Command) -> io::Result<Child> {
    type Order = (Command, Sender<io::Result<Child>>);
    static ORDERS: LazyLock<Sender<Order>> = LazyLock::new(|| {
        let (orders, queue) = channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in queue {
                drop(answer.send(command.spawn()));
            }
        });
        orders
    });
    let (answer, started) = channel();
    ORDERS.send((command, answer)).map_err(io::Error::other)?;
    started.recv().map_err(io::Error::other)?
}

/// Whether there is a machine in `dir`.
pub fn is_running(dir: &Path) -> bool {
    UnixStream::connect(dir.join("monitor")).is_ok()
}

/// Gives the monitor a command and returns what it says.
pub fn monitor(dir: &Path, command: &str) -> String {
    let mut stream = UnixStream::connect(dir.join("monitor")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    until_prompt(&mut stream);
    writeln!(stream, "{command}").unwrap();
    // The line is echoed, a character at a time and with escape sequences, up to the first line end.
    let said = until_prompt(&mut stream);
    said.split_once("\r\n").map_or(String::new(), |(_, answer)| answer.trim().to_owned())
}

fn until_prompt(stream: &mut UnixStream) -> String {
    let (mut all, mut some) = (Vec::new(), [0; 4096]);
    while !all.ends_with(b"(qemu) ") {
        match stream.read(&mut some).unwrap() {
            0 => break,
            n => all.extend_from_slice(&some[..n]),
        }
    }
    String::from_utf8_lossy(&all).trim_end_matches("(qemu) ").to_owned()
}

//! Trees of every sort of file: what comes back is what was there.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{CString, OsStr, OsString};
use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{Mode, SFlag, UtimensatFlags, mknod, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{Whence, lseek};

use crate::harness::{Mount, World, being_read, can, can_mount, finish, has_program, is_root, noise, phase};

const MIB: usize = 1 << 20;

/// Everything about a file but its content and its place on the disk.
#[derive(Debug, PartialEq, Eq)]
struct Facts {
    kind: u32,
    mode: u32,
    owner: (u32, u32),
    modified: (i64, i64),
    size: Option<u64>,
    device: Option<u64>,
    link: Option<PathBuf>,
    /// The first name of the same inode.
    twin: PathBuf,
    links: u64,
    attributes: BTreeMap<OsString, Vec<u8>>,
}

/// All files below a directory, and the directory itself as ``.
fn survey(root: &Path) -> BTreeMap<PathBuf, Facts> {
    let mut names = vec![PathBuf::new()];
    let mut at = 0;
    while at < names.len() {
        let path = root.join(&names[at]);
        if fs::symlink_metadata(&path).unwrap().is_dir() {
            let mut below: Vec<_> =
                fs::read_dir(&path).unwrap().map(|e| names[at].join(e.unwrap().file_name())).collect();
            names.append(&mut below);
        }
        at += 1;
    }
    names.sort();
    let mut first: HashMap<(u64, u64), PathBuf> = HashMap::new();
    let look = |name: PathBuf| {
        let path = root.join(&name);
        let meta = fs::symlink_metadata(&path).unwrap();
        let kind = meta.file_type();
        let facts = Facts {
            kind: meta.mode() & libc::S_IFMT,
            mode: meta.mode() & 0o7777,
            owner: (meta.uid(), meta.gid()),
            modified: (meta.mtime(), meta.mtime_nsec()),
            size: meta.is_file().then_some(meta.size()),
            device: (kind.is_char_device() || kind.is_block_device()).then_some(meta.rdev()),
            link: meta.is_symlink().then(|| fs::read_link(&path).unwrap()),
            twin: first.entry((meta.dev(), meta.ino())).or_insert_with(|| name.clone()).clone(),
            links: if meta.is_dir() { 0 } else { meta.nlink() },
            attributes: attributes(&path),
        };
        (name, facts)
    };
    names.into_iter().map(look).collect()
}

/// Extended attributes of a file itself, access control lists among them.
fn attributes(path: &Path) -> BTreeMap<OsString, Vec<u8>> {
    let c_path = CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: the paths end with NUL, and the buffers are as long as they are said to be.
    let names = filled(|buffer, size| unsafe { libc::llistxattr(c_path.as_ptr(), buffer.cast(), size) });
    let value = |name: &[u8]| {
        let c_name = CString::new(name).unwrap();
        // SAFETY: as above.
        filled(|buffer, size| unsafe { libc::lgetxattr(c_path.as_ptr(), c_name.as_ptr(), buffer.cast(), size) })
    };
    let names = names.split(|b| *b == 0).filter(|name| !name.is_empty());
    names.map(|name| (OsStr::from_bytes(name).to_owned(), value(name))).collect()
}

/// What a call that reports its size and then fills a buffer has to say; nothing where the file system has no such thing.
fn filled(call: impl Fn(*mut u8, usize) -> isize) -> Vec<u8> {
    let Ok(size) = usize::try_from(call(std::ptr::null_mut(), 0)) else { return vec![] };
    let mut bytes = vec![0; size];
    let size = call(bytes.as_mut_ptr(), size);
    bytes.truncate(usize::try_from(size).unwrap());
    bytes
}

/// Fails the test unless both trees are the same in everything but the places on the disk.
#[track_caller]
fn assert_same(source: &Path, restored: &Path) {
    let (before, after) = (survey(source), survey(restored));
    let names = |tree: &BTreeMap<PathBuf, Facts>| tree.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&before), names(&after));
    for (name, facts) in &before {
        assert_eq!(*facts, after[name], "{name:?}");
        if facts.size.is_some() && facts.twin == *name {
            assert_same_content(&source.join(name), &restored.join(name));
        }
    }
}

/// Reads both, but nothing where both have a hole.
#[track_caller]
fn assert_same_content(one: &Path, other: &Path) {
    let files = [File::open(one).unwrap(), File::open(other).unwrap()];
    let [left_size, right_size] = files.each_ref().map(|file| file.metadata().unwrap().len());
    assert_eq!(left_size, right_size, "{}", one.display());
    let (mut left, mut right) = (vec![0; MIB], vec![0; MIB]);
    let mut at = 0;
    loop {
        // The kernel says ENXIO where no data follows.
        let data = files.each_ref().map(|file| lseek(file, at, Whence::SeekData).unwrap_or(i64::MAX));
        at = data[0].min(data[1]);
        if at == i64::MAX {
            return;
        }
        let length = (left_size - at as u64).min(MIB as u64) as usize;
        files[0].read_exact_at(&mut left[..length], at as u64).unwrap();
        files[1].read_exact_at(&mut right[..length], at as u64).unwrap();
        assert!(left[..length] == right[..length], "{} differs from {at} on", one.display());
        at += length as i64;
    }
}

fn set_attribute(path: &Path, name: &str, value: &[u8]) -> bool {
    let path = CString::new(path.as_os_str().as_bytes()).unwrap();
    let name = CString::new(name).unwrap();
    // SAFETY: both strings end with NUL, the value is as long as it is said to be.
    unsafe { libc::lsetxattr(path.as_ptr(), name.as_ptr(), value.as_ptr().cast(), value.len(), 0) == 0 }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn set_time(path: &Path, seconds: i64, nanos: i64) {
    let time = TimeSpec::new(seconds, nanos);
    utimensat(AT_FDCWD, path, &time, &time, UtimensatFlags::NoFollowSymlink).unwrap();
}

fn special(path: &Path, kind: SFlag, device: u64) {
    mknod(path, kind, Mode::from_bits_truncate(0o640), device).unwrap();
}

fn setfacl(arguments: &[&str], path: &Path) {
    assert!(Command::new("setfacl").args(arguments).arg("--").arg(path).status().unwrap().success());
}

/// Names nobody would choose.
fn plant_names(root: &Path) {
    let names: [&[u8]; 16] = [
        b"caf\xe9 \xff\xfe",
        b"new\nline",
        b"\n",
        b"tab\tbell\x07escape\x1b[31m",
        b"quote'double\"back\\slash\\n",
        b" leading and trailing ",
        b"-rf",
        b"--exclude=*",
        b"a=b%3D:c",
        b"*?[x]{a,b}",
        b".hidden",
        b"...",
        b"trailing.",
        "\u{fc}n\u{ef}c\u{f6}d\u{e9} \u{1f600}".as_bytes(),
        b"tar: x: file changed as we read it",
        b"@\x80",
    ];
    for name in names {
        fs::write(root.join(OsStr::from_bytes(name)), name).unwrap();
    }
    fs::write(root.join(OsString::from_vec(vec![0xe4; 255])), "long").unwrap();
    let deep = (0..12).fold(root.to_path_buf(), |path, depth| path.join(format!("{depth}-{}", "d".repeat(190))));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("bottom"), "deep").unwrap();
    symlink(&deep, root.join("long target")).unwrap();
    fs::create_dir_all(root.join("empty\ndirectory")).unwrap();
}

/// Sizes and holes.
fn plant_contents(root: &Path) {
    for size in [0, 1, 511, 512, 513, 10 * 1024, 64 * 1024 - 1, 3 * MIB + 7] {
        fs::write(root.join(format!("size {size}")), noise(size as u64, size)).unwrap();
    }
    fs::write(root.join("zeroes"), vec![0; MIB]).unwrap();
    let mut sparse = File::create(root.join("sparse")).unwrap();
    sparse.write_all(b"head").unwrap();
    sparse.seek(SeekFrom::Start(1 << 30)).unwrap();
    sparse.write_all(b"tail").unwrap();
    File::create(root.join("only a hole")).unwrap().set_len(1 << 30).unwrap();
    let mut ends_in_a_hole = File::create(root.join("ends in a hole")).unwrap();
    ends_in_a_hole.write_all(&noise(1, 8192)).unwrap();
    ends_in_a_hole.set_len(64 << 20).unwrap();
}

/// Names that lead to other names.
fn plant_links(root: &Path) {
    fs::create_dir_all(root.join("elsewhere")).unwrap();
    fs::write(root.join("first"), "one inode").unwrap();
    for name in ["second", "elsewhere/third"] {
        fs::hard_link(root.join("first"), root.join(name)).unwrap();
    }
    for (to, name) in [
        ("b", "a"),
        ("a", "b"),
        ("self", "self"),
        ("gone", "dangling"),
        ("/etc/passwd", "absolute"),
        (".", "here"),
        ("..", "up"),
    ] {
        symlink(to, root.join(name)).unwrap();
    }
    symlink(OsStr::from_bytes(b"\xff\n\xfe"), root.join("to no text")).unwrap();
    fs::hard_link(root.join("dangling"), root.join("twin of a link")).unwrap();
    special(&root.join("fifo"), SFlag::S_IFIFO, 0);
    set_time(&root.join("dangling"), 1_000_000_000, 123_456_789);
}

/// Owners, modes, attributes and times.
fn plant_rights(root: &Path) {
    for mode in [0o000, 0o400, 0o444, 0o600, 0o4755, 0o2755, 0o6711, 0o1644, 0o7777] {
        let path = root.join(format!("mode {mode:o}"));
        fs::write(&path, "x").unwrap();
        if is_root() {
            // Not an account of any machine.
            lchown(&path, Some(54321), Some(54322)).unwrap();
        }
        set_mode(&path, if is_root() { mode } else { mode | 0o400 });
    }
    for mode in [0o555, 0o700, 0o1777, 0o2775, 0o3770] {
        let path = root.join(format!("directory {mode:o}"));
        fs::create_dir(&path).unwrap();
        fs::write(path.join("inside"), "x").unwrap();
        set_mode(&path, mode);
    }
    let attributed = root.join("attributes");
    fs::create_dir(&attributed).unwrap();
    for name in ["file", "directory/inside"] {
        let path = attributed.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "x").unwrap();
    }
    for path in [attributed.join("file"), attributed.join("directory")] {
        assert!(set_attribute(&path, "user.binary", b"\x00\xff\n=\x00"), "a file system with extended attributes");
        assert!(set_attribute(&path, "user.with=sign%25", b"value"));
        assert!(set_attribute(&path, "user.long", &noise(7, 2000)));
    }
    for (name, nanos) in [("mtime 1", 1), ("mtime 999999999", 999_999_999), ("mtime 100000000", 100_000_000)] {
        fs::write(root.join(name), "x").unwrap();
        set_time(&root.join(name), 1_700_000_000, nanos);
    }
    for (name, seconds) in [("mtime of 1970", 0), ("mtime of 1960", -300_000_000), ("mtime of 2100", 4_102_444_800)] {
        fs::write(root.join(name), "x").unwrap();
        set_time(&root.join(name), seconds, 5);
    }
    if is_root() {
        special(&root.join("null"), SFlag::S_IFCHR, nix::sys::stat::makedev(1, 3));
        special(&root.join("loop"), SFlag::S_IFBLK, nix::sys::stat::makedev(7, 250));
        symlink("nowhere", root.join("link of a stranger")).unwrap();
        lchown(root.join("link of a stranger"), Some(54321), Some(54322)).unwrap();
        assert!(set_attribute(&attributed.join("file"), "trusted.govern", b"root only"));
        // cap_net_raw=ep: struct vfs_cap_data of revision 2, linux/capability.h.
        let capability = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let program = attributed.join("with a capability");
        fs::write(&program, "x").unwrap();
        lchown(&program, Some(54321), Some(54322)).unwrap();
        set_mode(&program, 0o755);
        assert!(set_attribute(&program, "security.capability", &capability));
    }
}

fn plant_lists(root: &Path) {
    let shared = root.join("shared");
    fs::create_dir(&shared).unwrap();
    fs::write(shared.join("before the default"), "x").unwrap();
    fs::create_dir(shared.join("directory before")).unwrap();
    setfacl(&["-m", "u:54321:rwx,g:54322:r-x,d:u:54321:rw-,d:g::---,d:o::---"], &shared);
    fs::write(shared.join("after the default"), "x").unwrap();
    fs::create_dir(shared.join("directory after")).unwrap();
    let masked = shared.join("masked");
    fs::write(&masked, "x").unwrap();
    setfacl(&["-b"], &masked);
    setfacl(&["-m", "u:54321:rwx,m::r--"], &masked);
    let plain = shared.join("without");
    fs::write(&plain, "x").unwrap();
    setfacl(&["-b"], &plain);
}

type Plant = fn(&Path);

#[test]
fn every_sort_of_file_comes_back_as_it_was() {
    let world = World::new();
    let source = world.path("source");
    let plots: [(&str, Plant); 5] = [
        ("names", plant_names),
        ("contents", plant_contents),
        ("links", plant_links),
        ("rights", plant_rights),
        ("lists", plant_lists),
    ];
    for (name, plant) in plots {
        if name == "lists" && !can("access control lists: setfacl", has_program("setfacl")) {
            continue;
        }
        fs::create_dir(source.join(name)).unwrap();
        plant(&source.join(name));
        set_time(&source.join(name), 1_234_567_890, 987_654_321);
    }
    can("owners, devices and trusted attributes: root", is_root());
    set_mode(&source, 0o2751);
    set_time(&source, 1_111_111_111, 111_111_111);
    world.files_job().govern(["run", "files"]).expect(0);
    let restored = world.restored("files", &source);
    assert_same(&source, &restored);
    for name in ["sparse", "only a hole", "ends in a hole"] {
        let blocks = fs::metadata(restored.join("contents").join(name)).unwrap().blocks();
        assert!(blocks * 512 <= MIB as u64, "{name} has become {blocks} blocks");
    }
    let manifest = world.manifest("files");
    assert!(manifest["files"][0]["plain"].as_u64().unwrap() < 64 * MIB as u64, "holes are stored as holes");
    assert_eq!(manifest["warnings"].as_array().unwrap().len(), 0);
    assert_eq!(world.closed_run("files")["state"], "ok");
}

#[test]
fn a_socket_is_named_as_left_out() {
    let world = World::new();
    let source = world.path("source");
    special(&source.join("a b"), SFlag::S_IFSOCK, 0);
    fs::write(source.join("file"), "x").unwrap();
    world.files_job().govern(["run", "files"]).expect(0);
    let manifest = world.manifest("files");
    let socket = source.join("a b");
    let name = socket.strip_prefix("/").unwrap().display();
    assert_eq!(manifest["left_out"], serde_json::json!([format!("{name} (socket ignored)")]));
    assert_eq!(manifest["state"], "ok");
    let restored = world.restored("files", &source);
    assert!(restored.join("file").exists() && !restored.join("a b").exists());
}

#[test]
fn a_file_of_3_gib_comes_back() {
    let world = World::new();
    let source = world.path("source/large");
    let block = noise(3, 128 * 1024);
    let mut file = File::create(&source).unwrap();
    for number in 0..3 * 8192_u64 {
        // No two blocks are the same, and no piece may be missing without a trace.
        file.write_all(&number.to_le_bytes()).unwrap();
        file.write_all(&block[8..]).unwrap();
    }
    drop(file);
    assert_eq!(fs::metadata(&source).unwrap().len(), 3 << 30);
    let job = "kind = \"filesystem\"\n[filesystem]\nsources = [\"{source}\"]\n[artifact]\ntarget = \"{target}\"
        compression = \"zstd:1\"\nverify = \"hash\"\n";
    world.job("large", job).govern(["run", "large"]).expect(0);
    let manifest = world.manifest("large");
    assert!(manifest["files"][0]["plain"].as_u64().unwrap() > 3 << 30);
    assert_same(&world.path("source"), &world.restored("large", &world.path("source")));
}

#[test]
fn several_sources_are_archives_of_their_own() {
    let world = World::new();
    for name in ["one", "two/deeper", "two-deeper"] {
        fs::create_dir_all(world.path("source").join(name)).unwrap();
        fs::write(world.path("source").join(name).join("file"), name).unwrap();
    }
    fs::write(world.path("source/single"), "a file as a source").unwrap();
    world.job(
        "several",
        "kind = \"filesystem\"\n[filesystem]
        sources = [\"{source}/two/deeper\", \"{source}/one\", \"{source}/two-deeper\", \"{source}/single\"]
        [artifact]\ntarget = \"{target}\"\n",
    );
    world.govern(["run", "several"]).expect(0);
    let run = world.closed_run("several");
    let archived: Vec<&str> = run["phases"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|p| p["name"] == "archive")
        .map(|p| p["detail"].as_str().unwrap())
        .collect();
    let label = |name: &str| world.path("source").join(name).display().to_string();
    assert_eq!(archived, ["two/deeper", "one", "two-deeper", "single"].map(label));
    let manifest = world.manifest("several");
    assert_eq!(manifest["files"].as_array().unwrap().len(), 4);
    let restored = world.restored("several", &world.path("source"));
    for name in ["one", "two/deeper", "two-deeper"] {
        assert_same(&world.path("source").join(name), &restored.join(name));
    }
    assert_eq!(fs::read_to_string(restored.join("single")).unwrap(), "a file as a source");
    let only = world.path("only");
    world.govern(["restore", "several", "--only", &label("one"), "--to", only.to_str().unwrap()]).expect(0);
    let below = only.join(world.path("source").canonicalize().unwrap().strip_prefix("/").unwrap());
    assert_eq!(fs::read_dir(&below).unwrap().count(), 1);
    assert_same(&world.path("source/one"), &below.join("one"));
}

/// The files of the source that come back with these patterns.
fn kept_with(files: &[&str], exclude: &str) -> Vec<String> {
    let world = World::new();
    let source = world.path("source");
    for file in files {
        let path = source.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, file).unwrap();
    }
    world.job(
        "some",
        &format!(
            "kind = \"filesystem\"\n[filesystem]\nsources = [\"{{source}}\"]\nexclude = [{exclude}]
            [artifact]\ntarget = \"{{target}}\"\n"
        ),
    );
    world.govern(["run", "some"]).expect(0);
    let restored = world.restored("some", &source);
    files.iter().filter(|file| restored.join(file).exists()).map(|file| (*file).to_owned()).collect()
}

#[test]
fn a_pattern_without_a_slash_in_front_applies_at_any_depth() {
    let files = ["a.o", "a.old", "x/b.o", "x/y/c.o", "x/cache/f", "cache/f", "x/cached/f", "x/y/cache", "mycache/f"];
    assert_eq!(kept_with(&files, r#""*.o", "cache""#), ["a.old", "x/cached/f", "mycache/f"]);
    assert_eq!(kept_with(&files, r#""**/cache/", "x/y""#), ["a.o", "a.old", "x/b.o", "x/cached/f", "mycache/f"]);
    // A star does not cross a slash, whatever else the pattern holds.
    assert_eq!(kept_with(&["x/1/z", "x/1/2/z", "z"], r#""x/*/z""#), ["x/1/2/z", "z"]);
    let files = ["x/1/z/f", "x/1/z/.f/g", "x/1/2/z/f", "z/f"];
    assert_eq!(kept_with(&files, r#""x/*/z/**""#), ["x/1/2/z/f", "z/f"]);
    assert_eq!(kept_with(&files, r#""**/z/**""#), [""; 0]);
    assert_eq!(kept_with(&["ab", "a/b", "a?b", "acb"], r#""a?b""#), ["ab", "a/b"]);
}

#[test]
fn a_pattern_with_a_slash_in_front_applies_from_the_root_of_the_machine() {
    let files = ["tmp/a", "tmp/b/c", "x/tmp/a", "tmpfile"];
    assert_eq!(kept_with(&files, r#""{source}/tmp""#), ["x/tmp/a", "tmpfile"]);
    assert_eq!(kept_with(&files, r#""{source}/tmp/""#), ["x/tmp/a", "tmpfile"]);
    assert_eq!(kept_with(&files, r#""{source}/tmp/*""#), ["x/tmp/a", "tmpfile"]);
    assert_eq!(kept_with(&files, r#""{source}/*/a""#), ["tmp/b/c", "x/tmp/a", "tmpfile"]);
    assert_eq!(kept_with(&files, r#""{source}/tmp/**""#), ["x/tmp/a", "tmpfile"]);
    assert_eq!(kept_with(&files, r#""/tmp/a", "/tmpfile""#), files);
}

#[test]
fn what_is_no_pattern_is_taken_at_its_word() {
    assert_eq!(kept_with(&["a b", "a", "b"], r#""a b""#), ["a", "b"]);
    assert_eq!(kept_with(&["--all", "-x", "y"], r#""--all", "-x""#), ["y"]);
    assert_eq!(kept_with(&["{a,b}", "a", "b"], r#""{a,b}""#), ["a", "b"]);
    assert_eq!(kept_with(&["a[1]", "a1"], r#""a\\[1]""#), ["a1"]);
}

#[test]
fn a_source_may_be_a_link_to_a_directory() {
    let world = World::new();
    fs::create_dir_all(world.path("source/real/cache")).unwrap();
    fs::write(world.path("source/real/file"), "x").unwrap();
    fs::write(world.path("source/real/cache/file"), "x").unwrap();
    symlink("source/real", world.path("link")).unwrap();
    world.job(
        "linked",
        "kind = \"filesystem\"\n[filesystem]\nsources = [\"{world}/link\"]\nexclude = [\"{world}/link/cache\"]
        [artifact]\ntarget = \"{target}\"\n",
    );
    world.govern(["run", "linked"]).expect(0);
    assert_eq!(world.manifest("linked")["files"][0]["label"], world.path("link").display().to_string());
    let restored = world.restored("linked", &world.path("source/real"));
    assert!(restored.join("file").exists());
    assert!(!restored.join("cache").exists(), "a pattern follows the link like its source does");
}

#[test]
fn other_file_systems_are_left_out_unless_wanted() {
    if !can("mounts: root", is_root() && can_mount()) {
        return;
    }
    let world = World::new();
    let mount = world.path("source/mounted");
    fs::write(world.path("source/file"), "x").unwrap();
    let _mounted = Mount::tmpfs(mount.clone(), 1 << 20);
    fs::write(mount.join("inside"), "x").unwrap();
    world.files_job().govern(["run", "files"]).expect(0);
    // The directory it is mounted on stays, empty.
    let restored = world.restored("files", &world.path("source"));
    assert!(restored.join("file").exists() && restored.join("mounted").is_dir());
    assert!(!restored.join("mounted/inside").exists());
    world.job(
        "all",
        "kind = \"filesystem\"\n[filesystem]\nsources = [\"{source}\"]\none_file_system = false
        [artifact]\ntarget = \"{target}\"\n",
    );
    world.govern(["run", "all"]).expect(0);
    let restored = world.restored("all", &world.path("source"));
    assert!(restored.join("mounted/inside").exists());
    assert_eq!(world.manifest("all")["left_out"], serde_json::json!([]));
}

/// A source with two files that take long to read, and the one of them that is being read; the run is under way.
struct UnderWay {
    world: World,
    run: std::process::Child,
    read: PathBuf,
    unread: PathBuf,
}

/// Much more than all that pipes and the pump take in ahead of the pace.
const LONG: usize = 64 * MIB;

const AT_ITS_OWN_PACE: &str = "kind = \"filesystem\"\n[filesystem]\nsources = [\"{source}\"]
    [artifact]\ntarget = \"{target}\"\ncompression = \"none\"\n";

fn under_way() -> UnderWay {
    let world = World::new();
    let directory = world.path("source").canonicalize().unwrap();
    let paths = [directory.join("one"), directory.join("two")];
    for path in &paths {
        fs::write(path, noise(11, LONG)).unwrap();
    }
    world.job("slow", &format!("rate = \"4MiB/s\"\n{AT_ITS_OWN_PACE}"));
    let run = world.start(["run", "slow"]);
    let read = being_read(&paths);
    let unread = paths.into_iter().find(|path| *path != read).unwrap();
    UnderWay { world, run, read, unread }
}

impl UnderWay {
    /// Lets it go on at full speed, to a warning that says this about a file.
    #[track_caller]
    fn ends_with(self, file: &Path, what: &str) -> World {
        self.world.govern(["throttle", "slow", "unlimited"]).expect(0);
        let ended = finish(self.run).expect(3);
        let name = file.strip_prefix("/").unwrap().display().to_string();
        let expected = format!("{name}: {what}");
        assert!(ended.stderr.contains("warning: "), "{}", ended.stderr);
        assert!(ended.stderr.contains(&expected), "`{expected}` is missing in {}", ended.stderr);
        let run = self.world.closed_run("slow");
        assert_eq!((&run["state"], &run["exit_code"]), (&"warning".into(), &3.into()));
        assert_eq!(phase(&run, "archive")["state"], "warning");
        assert_eq!(phase(&run, "publish")["state"], "ok");
        let manifest = self.world.manifest("slow");
        assert_eq!(manifest["state"], "warning");
        assert!(manifest["warnings"].to_string().contains(what), "{}", manifest["warnings"]);
        let status = self.world.govern(["status", "--json"]).expect(0).json();
        assert_eq!(status["jobs"][0]["last_good"]["run"], manifest["run"]);
        self.world.job("slow", AT_ITS_OWN_PACE).govern(["verify", "slow"]).expect(0);
        self.world
    }
}

#[test]
fn a_file_that_grows_while_it_is_read_is_a_warning() {
    let run = under_way();
    let (read, unread) = (run.read.clone(), run.unread.clone());
    File::options().append(true).open(&read).unwrap().write_all(b"more").unwrap();
    let world = run.ends_with(&read, "file changed as we read it");
    let restored = world.restored("slow", &world.path("source"));
    assert_same_content(&unread, &restored.join(unread.file_name().unwrap()));
    assert_eq!(fs::metadata(restored.join(read.file_name().unwrap())).unwrap().len(), LONG as u64);
}

#[test]
fn a_file_that_shrinks_while_it_is_read_is_a_warning() {
    let run = under_way();
    let read = run.read.clone();
    File::options().write(true).open(&read).unwrap().set_len(LONG as u64 - 1000).unwrap();
    run.ends_with(&read, "File shrank by 1000 bytes");
}

#[test]
fn a_file_that_goes_before_it_is_read_is_a_warning() {
    let run = under_way();
    let unread = run.unread.clone();
    fs::remove_file(&unread).unwrap();
    let world = run.ends_with(&unread, "File removed before we read it");
    let restored = world.restored("slow", &world.path("source"));
    assert_eq!(fs::read_dir(restored).unwrap().count(), 1);
}

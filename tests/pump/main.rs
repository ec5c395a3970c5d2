//! The pump as a process: what goes in comes out, and every way to fail is told.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::indexing_slicing)]

mod harness;

use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use govern::config::policy::Compression;
use govern::config::units::Rate;
use govern::run::pump::protocol::{Expected, Word};
use govern::run::pump::{ALONE, FAILED};

use harness::{Pump, SmallDisk, ZSTD, bytes, expected, load, places, store, zeroes};

fn blake3(data: &[u8]) -> String {
    ::blake3::hash(data).to_hex().to_string()
}

#[test]
fn comes_back_identical() {
    const BLOCK: usize = 256 << 10;
    for place in places() {
        for size in [0, 1, 4095, 4096, 4097, BLOCK - 1, BLOCK, BLOCK + 1, 3_141_593, 10 << 20] {
            let data = bytes(size);
            for compression in [Compression::None, ZSTD, Compression::Zstd { level: 1 }] {
                let path = place.path().join(format!("{size}{}", compression.suffix()));
                let report = store(&path, compression, &data);
                let stored = fs::read(&path).unwrap();
                assert_eq!(report.counters.plain, size as u64);
                assert_eq!(report.counters.stored, stored.len() as u64);
                assert_eq!(report.blake3, blake3(&stored));
                assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
                let plain = if compression == Compression::None { stored } else { zstd::decode_all(&*stored).unwrap() };
                assert!(plain == data, "{size} bytes are stored differently");
                let (back, again) = load(&path, compression, expected(&report));
                assert!(back == data, "{size} bytes come back differently");
                assert_eq!((again.blake3, again.counters.plain), (report.blake3, size as u64));
                fs::remove_file(&path).unwrap();
            }
        }
    }
}

#[test]
fn the_command_line_tool_reads_what_is_stored() {
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = place.path().join("out.zst");
    store(&path, ZSTD, &bytes(5_000_000));
    match std::process::Command::new("zstd").arg("-tq").arg(&path).status() {
        Ok(status) => assert!(status.success()),
        Err(error) => println!("not tested: no zstd: {error}"),
    }
}

#[test]
fn an_existing_file_is_not_touched() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("out");
    fs::write(&path, "precious").unwrap();
    let (message, errno) = Pump::store(&path, ZSTD, None, zeroes()).failed();
    assert_eq!(errno, Some(libc::EEXIST));
    assert!(message.contains(path.to_str().unwrap()), "{message}");
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    let link = place.path().join("link");
    std::os::unix::fs::symlink(place.path().join("elsewhere"), &link).unwrap();
    assert_eq!(Pump::store(&link, ZSTD, None, zeroes()).failed().1, Some(libc::EEXIST));
}

#[test]
fn the_rate_holds_and_changes_at_once() {
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = place.path().join("out");
    let mut pump = Pump::store(&path, Compression::None, Rate::per_second(1), zeroes());
    let begun = Instant::now();
    let past = |pump: &mut Pump, least: u64| loop {
        let Some(Word::Progress(counters)) = pump.word() else { panic!("no progress") };
        assert!(begun.elapsed() < Duration::from_secs(180), "stuck at {counters:?}");
        if counters.plain >= least {
            return counters;
        }
    };
    // At one byte a second the pump sleeps nearly all the time: the change must reach it in its sleep.
    past(&mut pump, 1);
    pump.order(Some(100 << 20));
    let fast = past(&mut pump, 20 << 20);
    pump.order(Some(10_000));
    // It is heard when several words in a row tell of far less than the former rate brings between two of them, 10 MB.
    let (mut last, mut calm) = (fast, 0);
    while calm < 5 {
        let now = past(&mut pump, 0);
        calm = if now.plain - last.plain < 100_000 { calm + 1 } else { 0 };
        last = now;
    }
    let heard = last;
    assert!(heard.plain - fast.plain < 100 << 20, "it went on for a second, as long as it is at work");
    for _ in 0..10 {
        last = past(&mut pump, 0);
    }
    assert!(last.plain - heard.plain < 1 << 20, "{} bytes at 10 kB/s", last.plain - heard.plain);
    assert!(last.throttled_us > 100_000);
    pump.order(None);
    past(&mut pump, last.plain + (50 << 20));
    pump.child.kill().unwrap();
    pump.child.wait().unwrap();
}

#[test]
fn a_slow_or_ragged_payload_is_no_problem() {
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = place.path().join("out.zst");
    let mut pump = Pump::store(&path, ZSTD, Rate::per_second(1 << 20), Stdio::piped());
    let mut input = pump.child.stdin.take().unwrap();
    for count in [1, 7, 4000, 2, 65_000] {
        input.write_all(&vec![b'x'; count]).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(input);
    assert_eq!(pump.done().counters.plain, 69_010);
}

#[test]
fn a_reader_that_leaves_does_not_end_the_verification() {
    for place in places() {
        for compression in [Compression::None, ZSTD] {
            let path = place.path().join("out");
            let report = store(&path, compression, &bytes(8 << 20));
            let mut pump = Pump::load(&path, compression, expected(&report), Stdio::piped());
            let mut output = pump.child.stdout.take().unwrap();
            output.read_exact(&mut [0; 1000]).unwrap();
            drop(output);
            let again = pump.done();
            assert_eq!((again.counters.plain, again.blake3), (8 << 20, report.blake3));
            fs::remove_file(&path).unwrap();
        }
    }
}

#[test]
fn damage_is_found_and_named() {
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = place.path().join("out.zst");
    let report = store(&path, ZSTD, &bytes(3 << 20));
    let good = fs::read(&path).unwrap();
    let load = |expect: Option<Expected>| Pump::load(&path, ZSTD, expect, Stdio::null()).failed().0;
    let name = path.to_str().unwrap();

    let mut file = OpenOptions::new().write(true).open(&path).unwrap();
    file.seek(SeekFrom::Start(good.len() as u64 / 2)).unwrap();
    file.write_all(&[!good[good.len() / 2]]).unwrap();
    let message = load(expected(&report));
    let found = blake3(&fs::read(&path).unwrap());
    assert_eq!(message, format!("{name}: stored hash differs: expected {}, found {found}", report.blake3));
    assert!(load(None).starts_with(&format!("{name}: zstd stream is damaged")));

    fs::write(&path, &good[..good.len() - 5]).unwrap();
    let (wanted, left) = (good.len(), good.len() - 5);
    let sizes = format!("{name}: stored size differs: expected {wanted} bytes, found {left}");
    assert_eq!(load(expected(&report)), sizes);
    assert_eq!(load(None), format!("{name}: zstd stream is truncated"));
    fs::write(&path, "").unwrap();
    assert_eq!(load(None), format!("{name}: zstd stream is truncated"));

    for tail in [&b"x"[..], &good[..]] {
        fs::write(&path, [&good, tail].concat()).unwrap();
        assert_eq!(load(None), format!("{name}: garbage behind the end of the zstd stream"));
    }
    fs::write(&path, "no zstd at all").unwrap();
    assert!(load(None).contains("zstd stream is damaged"));

    let absent = place.path().join("absent");
    let (message, errno) = Pump::load(&absent, ZSTD, None, Stdio::null()).failed();
    assert_eq!(errno, Some(libc::ENOENT));
    assert!(message.contains("cannot open") && message.contains("absent"), "{message}");
    assert_eq!(Pump::load(place.path(), ZSTD, None, Stdio::null()).failed().1, Some(libc::EINVAL));
}

#[test]
fn a_full_disk_is_told() {
    let Some(disk) = SmallDisk::mount(5_000_000) else { return };
    for compression in [Compression::None, Compression::Zstd { level: 1 }] {
        let path = disk.file();
        let noise = std::fs::File::open("/dev/urandom").unwrap();
        let (message, errno) = Pump::store(&path, compression, None, Stdio::from(noise)).failed();
        assert_eq!(errno, Some(libc::ENOSPC));
        assert!(message.contains(path.to_str().unwrap()), "{message}");
        assert!(message.contains("no space left"), "{message}");
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn it_ends_when_the_worker_is_gone() {
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    // Once in the middle of the stream, once asleep in the bucket, once waiting for a payload that writes nothing.
    let inputs = [(zeroes(), None), (zeroes(), Rate::per_second(1)), (Stdio::piped(), None)];
    for (round, (input, rate)) in inputs.into_iter().enumerate() {
        let path = place.path().join(format!("{round}"));
        let mut pump = Pump::store(&path, Compression::None, rate, input);
        assert!(matches!(pump.word(), Some(Word::Progress(_))));
        let Pump { mut child, socket, .. } = pump;
        socket.shutdown(std::net::Shutdown::Both).unwrap();
        let begun = Instant::now();
        while child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < Duration::from_secs(180), "still there");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(child.wait().unwrap().code(), Some(i32::from(ALONE)));
    }
}

#[test]
fn nonsense_on_the_socket_is_told() {
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut pump = Pump::store(&place.path().join("out"), Compression::None, None, Stdio::piped());
    pump.send("{\"faster\":1}");
    assert!(pump.failed().0.starts_with("control socket: "));
    let status = std::process::Command::new(env!("CARGO_BIN_EXE_govern")).arg("pump").stdin(Stdio::null()).status();
    assert!(matches!(status.unwrap().code(), Some(code) if code == i32::from(ALONE) || code == i32::from(FAILED)));
}

//! Probes against servers that behave, and against those that do not.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{Felt, Probes, Stands};
use crate::config::governor::{Probe, SocketState, Target, Threshold};
use crate::governor::readings::Signal;
use crate::kernel::procfs::{self, PROC};

/// A server whose every connection is handled by `behave`.
async fn server<F: Future<Output = ()> + Send + 'static>(behave: impl Fn(TcpStream) -> F + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(behave(stream));
        }
    });
    address
}

/// One that answers every question alike.
async fn answering(answer: &'static [u8]) -> String {
    server(move |mut stream| async move {
        let _question = stream.read(&mut [0; 4096]).await;
        let _sent = stream.write_all(answer).await;
    })
    .await
}

fn probe(target: Target, timeout_ms: u64) -> Probe {
    Probe {
        name: "page".into(),
        target,
        interval: Duration::from_millis(50),
        timeout: Duration::from_millis(timeout_ms),
        throttle: Threshold::Count(1),
        pause: None,
        absent_after: Duration::from_secs(3600),
    }
}

fn http(address: &str, contains: Option<&str>) -> Target {
    Target::Http { url: format!("http://{address}/"), status: 200, contains: contains.map(str::to_owned) }
}

async fn until<T>(probes: &Probes, mut reached: impl FnMut(&Felt) -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        let felt = probes.latest(Instant::now());
        if let Some(found) = felt.first().and_then(&mut reached) {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(180), "never: {felt:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn failure(target: Target, timeout_ms: u64) -> String {
    let probes = Probes::start(&[probe(target, timeout_ms)]);
    until(&probes, |felt| match &felt.stands {
        Stands::Failing { why, .. } => {
            assert_eq!(felt.sample.signal, Signal::NoAnswer);
            Some(why.to_string())
        }
        _ => None,
    })
    .await
}

async fn value(target: Target) -> (Signal, f64) {
    let probes = Probes::start(&[probe(target, 30_000)]);
    until(&probes, |felt| (felt.stands == Stands::Fresh).then_some((felt.sample.signal, felt.sample.value))).await
}

#[tokio::test]
async fn answers_are_taken_for_what_they_are() {
    let page =
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nfor\r\n2\r\num\r\n0\r\n\r\n").await;
    assert_eq!(value(http(&page, Some("forum"))).await.0, Signal::Latency);
    assert_eq!(value(Target::Tcp { address: page }).await.0, Signal::Latency);
    let stats = "STAT curr_connections 5\r\nSTAT max_connections 10\r\nSTAT listen_disabled_num 0\r\nEND\r\n";
    let memcached = answering(stats.as_bytes()).await;
    assert_eq!(value(Target::Memcached { address: memcached }).await, (Signal::Occupancy, 0.5));
    assert_eq!(value(Target::Command { argv: vec!["true".into()] }).await.0, Signal::Latency);
}

#[tokio::test]
async fn what_is_no_answer_is_a_failure_with_its_reason() {
    let error = answering(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").await;
    assert_eq!(failure(http(&error, None), 30_000).await, "status 502, not 200");
    let other = answering(b"HTTP/1.1 200 OK\r\n\r\nan error page").await;
    assert_eq!(failure(http(&other, Some("forum")), 30_000).await, "its body does not hold what it must");
    let rubbish = answering(b"220 mail ESMTP\r\n").await;
    assert_eq!(failure(http(&rubbish, None), 30_000).await, "the answer is no HTTP");
    assert_eq!(failure(Target::Memcached { address: rubbish.clone() }, 30_000).await, "the answer is not memcached's");
    let fpm = Target::PhpFpm { address: rubbish.clone(), status_path: "/status".into() };
    assert_eq!(failure(fpm, 30_000).await, "the answer is no FastCGI");
    let short = answering(b"HTTP/1.1 200 OK\r\n").await;
    assert_eq!(failure(http(&short, None), 30_000).await, "the answer ends before its head does");
    assert_eq!(failure(Target::Command { argv: vec!["false".into()] }, 30_000).await, "it ended with exit code 1");
    let none = Target::Command { argv: vec!["/nonexistent".into()] };
    assert!(failure(none, 30_000).await.starts_with("cannot start `/nonexistent`"));
}

#[tokio::test]
async fn a_refused_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let why = failure(Target::Tcp { address: address.clone() }, 30_000).await;
    assert_eq!(why, format!("cannot connect to `{address}`: Connection refused (os error 111)"));
}

#[tokio::test]
async fn an_answer_without_end_ends() {
    let endless = server(|mut stream| async move {
        let mut sent = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while sent.is_ok() {
            sent = stream.write_all(&[b'x'; 65536]).await;
        }
    })
    .await;
    assert_eq!(failure(http(&endless, None), 30_000).await, "the answer is longer than 8 MiB");
    assert_eq!(failure(Target::Memcached { address: endless }, 30_000).await, "the answer is not memcached's");
    let stats = server(|mut stream| async move { while stream.write_all(b"STAT a 1\r\n").await.is_ok() {} }).await;
    assert_eq!(failure(Target::Memcached { address: stats }, 30_000).await, "the answer is longer than 64 KiB");
}

#[tokio::test]
async fn a_server_that_hangs_is_felt_before_the_answer_is_given_up_and_asked_once_at_a_time() {
    let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counters = (open.clone(), most.clone());
    let hanging = server(move |mut stream| {
        let (open, most) = counters.clone();
        async move {
            most.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let mut question = [0; 4096];
            while stream.read(&mut question).await.is_ok_and(|count| count > 0) {}
            open.fetch_sub(1, Ordering::SeqCst);
        }
    })
    .await;
    let probes = Probes::start(&[probe(http(&hanging, None), 4000)]);
    // So long it has not answered, and that is known already.
    until(&probes, |felt| (felt.stands == Stands::Fresh && felt.sample.value > 0.3).then_some(())).await;
    let why = until(&probes, |felt| match &felt.stands {
        Stands::Failing { why, .. } if felt.sample.value > 8.0 => Some(why.clone()),
        _ => None,
    })
    .await;
    assert_eq!(&*why, "no answer after 4 s");
    drop(probes);
    while open.load(Ordering::SeqCst) > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // The one that was given up may be noticed after the next has come.
    assert!(most.load(Ordering::SeqCst) <= 2, "{most:?}");
}

#[tokio::test]
async fn a_program_ends_with_its_probe() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    let script = format!("sleep 1000 & echo $! >{}.new; mv {0}.new {0}; wait", file.display());
    let target = Target::Command { argv: vec!["sh".into(), "-c".into(), script] };
    let probes = Probes::start(&[probe(target, 3_600_000)]);
    let sleeper = until(&probes, |_| std::fs::read_to_string(&file).ok()).await;
    let sleeper: procfs::Pid = sleeper.trim().parse().unwrap();
    let shell = probes.pids()[0];
    assert_eq!(procfs::stat(Path::new(PROC), sleeper).unwrap().parent, shell);
    drop(probes);
    // Its orphan is reaped by whoever adopts it.
    let gone = |pid| procfs::stat(Path::new(PROC), pid).is_none_or(|stat| stat.state == 'Z');
    while !gone(sleeper) || procfs::stat(Path::new(PROC), shell).is_some() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn sockets_at_a_port() {
    let held = server(|mut stream| async move { drop(stream.read(&mut [0; 1]).await) }).await;
    let mut clients = vec![];
    for _ in 0..7 {
        clients.push(TcpStream::connect(&held).await.unwrap());
    }
    let port = clients[0].peer_addr().unwrap().port();
    let target = |state| Target::Connections { port, state };
    assert_eq!(value(target(SocketState::Established)).await, (Signal::Count, 7.0));
    assert_eq!(value(target(SocketState::SynSent)).await, (Signal::Count, 0.0));
}

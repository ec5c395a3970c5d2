//! The server with real sockets and a loop that the test plays.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader as StdReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as StdStream;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::*;
use crate::daemon::client::{Client, Unanswered};
use crate::daemon::facts::InForce;
use crate::daemon::protocol::{Ask, Reply};
use crate::kernel::clock::Stamp;
use crate::report::snapshot::{Agenda, Daemon};

/// What does not come within this time will not come.
const PATIENCE: Duration = Duration::from_secs(180);

/// Of a group nobody is in.
const READING: u32 = 424_242;

/// A server, and the ends of it that the loop has.
struct World {
    dir: tempfile::TempDir,
    _server: Server,
    facts: watch::Sender<Arc<Facts>>,
    orders: mpsc::Receiver<Asked>,
}

fn facts(troubles: &[&str]) -> Arc<Facts> {
    let at = Stamp { us: 1_795_408_143_000_000, offset: 3600 };
    let daemon = Daemon {
        pid: 4711,
        since: at,
        version: "0.1.0".to_owned(),
        running: 0,
        max_running: 2,
        troubles: troubles.iter().map(|text| (*text).to_owned()).collect(),
    };
    let agenda = BTreeMap::from([("etc".to_owned(), Agenda { next: Some(at), ..Agenda::default() })]);
    Arc::new(Facts { policies: Arc::new(InForce::default()), daemon, agenda, holds: vec![] })
}

fn quick() -> Limits {
    Limits { pause: Duration::from_millis(1), ..Limits::default() }
}

impl World {
    fn new(limits: Limits) -> World {
        World::open_to(None, limits)
    }

    fn open_to(group: Option<u32>, limits: Limits) -> World {
        let dir = tempfile::tempdir().unwrap();
        let door = socket::door(dir.path(), NAME, group).unwrap();
        let (facts, watched) = watch::channel(facts(&[]));
        let (sender, orders) = mpsc::channel(4);
        let server = Server::start_with(limits, door, dir.path().to_path_buf(), watched, sender).unwrap();
        World { dir, _server: server, facts, orders }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    async fn raw(&self) -> Raw {
        let (read, write) = socket::connect(self.path(), NAME).await.unwrap().into_split();
        Raw { read: BufReader::new(read), write }
    }

    async fn client(&self) -> Client {
        Client::connect(self.path()).await.unwrap()
    }

    /// The next order, answered by the test.
    async fn asked(&mut self) -> Asked {
        tokio::time::timeout(PATIENCE, self.orders.recv()).await.unwrap().unwrap()
    }
}

/// A client that may say anything.
struct Raw {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
}

impl Raw {
    async fn say(&mut self, text: &str) {
        self.write.write_all(text.as_bytes()).await.unwrap();
    }

    /// The next line; `None` where the server hung up.
    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = tokio::time::timeout(PATIENCE, self.read.read_line(&mut line)).await.unwrap();
        // A server that hangs up before everything was read resets the connection.
        (read.unwrap_or(0) > 0).then_some(line)
    }

    async fn reply(&mut self) -> Reply {
        serde_json::from_str(&self.line().await.expect("an answer")).unwrap()
    }

    async fn refusal(&mut self) -> String {
        match self.reply().await.answer {
            Answer::Refused { failure } => failure.one_line(),
            other => panic!("{other:?}"),
        }
    }
}

const STATUS: &str = "{\"v\":1,\"id\":7,\"ask\":\"status\"}\n";

#[tokio::test]
async fn status_is_answered_though_the_loop_does_nothing() {
    let world = World::new(quick());
    let mut client = world.client().await;
    let Answer::Status(snapshot) = client.one(Ask::Status { jobs: vec![] }).await.unwrap() else { panic!() };
    assert_eq!(snapshot.daemon.unwrap().pid, 4711);
    // Facts that changed are in the next answer, however soon it is asked for.
    world.facts.send(facts(&["a policy with errors"])).unwrap();
    let Answer::Status(snapshot) = client.one(Ask::Status { jobs: vec![] }).await.unwrap() else { panic!() };
    assert_eq!(snapshot.daemon.unwrap().troubles, ["a policy with errors"]);
    let unknown = client.one(Ask::Status { jobs: vec!["nope".to_owned()] }).await.unwrap_err();
    assert!(
        matches!(&unknown, Unanswered::Refused(f) if f.message.starts_with("there is no job `nope`")),
        "{unknown:?}"
    );
}

#[tokio::test]
async fn a_watch_goes_on_until_the_client_hangs_up() {
    let world = World::new(Limits { of_one_account: 1, connections: 1, ..quick() });
    let mut raw = world.raw().await;
    raw.say("{\"v\":1,\"id\":3,\"ask\":\"watch\",\"every_ms\":250}\n").await;
    for _ in 0..3 {
        assert!(matches!(raw.reply().await, Reply { id: 3, answer: Answer::Status(_), .. }));
    }
    drop(raw);
    // Its place is free again.
    served(&world).await;
}

/// Waits until somebody new is served.
async fn served(world: &World) {
    let look = async {
        loop {
            let mut raw = world.raw().await;
            // Whoever is turned away may be hung up on before it has spoken.
            raw.write.write_all(STATUS.as_bytes()).await.ok();
            match raw.line().await {
                Some(line) if line.contains("\"answer\":\"status\"") => return,
                _ => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, look).await.unwrap();
}

#[tokio::test]
async fn orders_of_one_client_come_one_at_a_time() {
    let mut world = World::new(quick());
    let mut raw = world.raw().await;
    raw.say("{\"v\":1,\"id\":1,\"ask\":\"run\",\"job\":\"a\"}\n{\"v\":1,\"id\":2,\"ask\":\"run\",\"job\":\"b\"}\n")
        .await;
    let first = world.asked().await;
    assert_eq!(first.order, Order::Run { job: "a".to_owned() });
    assert!(world.orders.try_recv().is_err(), "the second waits for the answer to the first");
    first.replies.try_send(Answer::Done { text: "queued".to_owned() }).unwrap();
    drop(first);
    assert_eq!(raw.reply().await.id, 1);
    let second = world.asked().await;
    assert_eq!(second.order, Order::Run { job: "b".to_owned() });
    // A loop that ends before it answers is no silence.
    drop(second);
    assert_eq!(raw.refusal().await, "the daemon ended before it answered");
}

#[tokio::test]
async fn whoever_waits_for_its_turn_hears_why_and_gives_it_up_by_hanging_up() {
    let mut world = World::new(quick());
    let mut client = world.client().await;
    client.ask(Ask::Order(Order::Admit { job: "etc".to_owned(), at_once: false })).await.unwrap();
    let asked = world.asked().await;
    for why in ["other is under way on /dev/vda", "load is 4.00"] {
        asked.replies.try_send(Answer::Waiting { why: why.to_owned() }).unwrap();
        assert_eq!(client.answer().await.unwrap(), Answer::Waiting { why: why.to_owned() });
    }
    asked.replies.try_send(Answer::Admitted { run: "r".to_owned() }).unwrap();
    assert_eq!(client.answer().await.unwrap(), Answer::Admitted { run: "r".to_owned() });
    assert!(!asked.replies.is_closed(), "it holds its place while its run goes on");
    drop(client);
    tokio::time::timeout(PATIENCE, asked.replies.closed()).await.unwrap();
}

#[tokio::test]
async fn a_client_that_has_said_all_it_wants_is_still_answered() {
    let mut world = World::new(quick());
    let mut raw = world.raw().await;
    raw.say("{\"v\":1,\"ask\":\"reload\"}\n").await;
    raw.write.shutdown().await.unwrap();
    let asked = world.asked().await;
    asked.replies.try_send(Answer::Done { text: "read again".to_owned() }).unwrap();
    drop(asked);
    assert!(matches!(raw.reply().await.answer, Answer::Done { .. }));
    assert_eq!(raw.line().await, None);
}

#[tokio::test]
async fn rubbish_gets_a_refusal_a_line_and_then_the_door() {
    let world = World::new(Limits { refusals: 5, ..quick() });
    let mut raw = world.raw().await;
    raw.say("hello\n\n{}\n\u{0}\n[1,2]\n").await;
    for _ in 0..5 {
        raw.refusal().await;
    }
    assert_eq!(raw.line().await, None);
    served(&world).await;
}

#[tokio::test]
async fn another_version_is_told_which_one_is_spoken() {
    let world = World::new(quick());
    let mut raw = world.raw().await;
    raw.say("{\"v\":2,\"id\":9,\"ask\":\"everything\"}\n").await;
    let reply = raw.reply().await;
    assert_eq!((reply.v, reply.id), (1, 9));
    let Answer::Refused { failure } = reply.answer else { panic!() };
    assert_eq!(failure.message, "version 2 is not spoken here, version 1 is");
    // The same client may go on in this one.
    raw.say(STATUS).await;
    assert_eq!(raw.reply().await.id, 7);
}

#[tokio::test]
async fn half_a_line_is_waited_for_and_one_too_long_is_not() {
    let world = World::new(quick());
    let mut raw = world.raw().await;
    let (half, rest) = STATUS.split_at(9);
    raw.say(half).await;
    served(&world).await;
    raw.say(rest).await;
    assert_eq!(raw.reply().await.id, 7);
    raw.say(&format!("{{\"v\":1,\"ask\":\"{}\"}}\n", "x".repeat(65_536))).await;
    assert_eq!(raw.refusal().await, "a line is longer than 65536 bytes");
    assert_eq!(raw.line().await, None);
}

#[tokio::test]
async fn whoever_is_silent_is_dropped() {
    let world = World::new(Limits { silent: Duration::from_millis(50), ..quick() });
    assert_eq!(world.raw().await.line().await, None);
}

#[tokio::test]
async fn the_sixty_fifth_connection_is_told_so() {
    let world = World::new(Limits { of_one_account: usize::MAX, ..quick() });
    let mut held = vec![];
    for _ in 0..64 {
        let mut raw = world.raw().await;
        raw.say(STATUS).await;
        assert_eq!(raw.reply().await.id, 7);
        held.push(raw);
    }
    let mut late = world.raw().await;
    assert_eq!(late.refusal().await, "64 connections are open, and there are no more");
    assert_eq!(late.line().await, None);
    held.pop();
    served(&world).await;
}

#[tokio::test]
async fn whoever_does_not_read_is_dropped() {
    let world = World::new(Limits { unread: Duration::from_millis(100), connections: 1, ..quick() });
    let mut raw = world.raw().await;
    // Answers are never taken: first the socket is full, then the server has enough.
    let flood = async { while raw.write.write_all(STATUS.as_bytes()).await.is_ok() {} };
    tokio::time::timeout(PATIENCE, flood).await.unwrap();
    served(&world).await;
    let mut answers = vec![];
    raw.read.read_to_end(&mut answers).await.ok();
}

#[tokio::test]
async fn a_flood_reaches_neither_the_loop_nor_others() {
    let mut world = World::new(quick());
    let mut floods = vec![];
    for number in 0..32 {
        let Raw { mut read, mut write } = world.raw().await;
        let line = if number % 2 == 0 { STATUS } else { "rubbish\n" };
        let asks = async move { while write.write_all(line.as_bytes()).await.is_ok() {} };
        let takes = async move {
            let mut line = String::new();
            while read.read_line(&mut line).await.is_ok_and(|length| length > 0) {
                line.clear();
            }
        };
        floods.extend([tokio::spawn(asks), tokio::spawn(takes)]);
    }
    for _ in 0..5 {
        served(&world).await;
    }
    assert!(world.orders.try_recv().is_err(), "no question comes to the loop");
    let mut client = world.client().await;
    client.ask(Ask::Order(Order::Reload)).await.unwrap();
    assert_eq!(world.asked().await.order, Order::Reload);
    floods.iter().for_each(tokio::task::JoinHandle::abort);
}

/// Says a line as another account, and returns the answer. Credentials are those of the thread that connects.
fn as_account(socket: &Path, uid: u32, groups: &[u32], line: &str) -> Reply {
    let (socket, groups, line) = (socket.to_path_buf(), groups.to_vec(), line.to_owned());
    let work = move || {
        // SAFETY: these calls change the credentials of this thread alone, which ends with this function.
        unsafe {
            assert_eq!(libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()), 0);
            assert_eq!(libc::syscall(libc::SYS_setresgid, uid, uid, uid), 0);
            assert_eq!(libc::syscall(libc::SYS_setresuid, uid, uid, uid), 0);
        }
        let mut stream = StdStream::connect(socket).unwrap();
        // A stranger may be hung up on before it has spoken.
        stream.write_all(line.as_bytes()).ok();
        let mut answer = String::new();
        StdReader::new(stream).read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap()
    };
    std::thread::spawn(work).join().unwrap()
}

#[tokio::test]
async fn the_group_reads_and_strangers_do_not() {
    if account::own_uid() != 0 {
        assert!(std::env::var_os("CI").is_none(), "CI must not skip this");
        eprintln!("skipped: only root can be somebody else");
        return;
    }
    let world = World::open_to(Some(READING), quick());
    let socket = world.path().join(NAME);
    let everybody = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    everybody(world.path(), 0o755);
    let order = "{\"v\":1,\"id\":7,\"ask\":\"reload\"}\n";
    let member = |line| as_account(&socket, 65_534, &[READING], line).answer;
    assert!(matches!(member(STATUS), Answer::Status(_)));
    let Answer::Refused { failure } = member(order) else { panic!() };
    assert_eq!(failure.message, "you may read the status, and not give orders");
    // The mode keeps strangers out; should it be changed by somebody, the credentials do.
    everybody(&socket, 0o666);
    let Answer::Refused { failure } = as_account(&socket, 65_534, &[], STATUS).answer else { panic!() };
    assert_eq!((failure.message.as_str(), failure.code), ("you may not ask this daemon", 77));
}

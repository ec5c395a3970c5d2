//! What the governor sees of a server while a dump is at it. A psql stands in for the dump: it holds what a dump holds.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use govern::config::governor::{Probe, Target, Threshold};
use govern::config::policy::Connection;
use govern::governor::database::{Sight, View, Watcher};
use govern::governor::probe::{Probes, Stands};
use govern::kernel::account::Account;
use govern::kernel::procfs;

use super::cluster::{Cluster, can_start};
use crate::harness;

/// A client that keeps its session as long as its standard input is open. Nobody reads what it puts out.
struct Client(Child);

impl Client {
    fn start(cluster: &Cluster, name: &str, script: &str) -> Client {
        let mut child = Command::new("psql")
            .args(["-X", "-q", "-A", "-t", "-U", "postgres", "-d", "postgres", "-h", cluster.host()])
            .env("PGAPPNAME", name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.as_mut().unwrap().write_all(script.as_bytes()).unwrap();
        Client(child)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn connection(cluster: &Cluster, user: &str) -> Connection {
    Connection { host: Some(cluster.host().to_owned()), user: Some(user.to_owned()), ..Connection::default() }
}

/// Waits until the watcher sees what is asked for.
async fn until<T>(watcher: &mut Watcher, what: &str, mut reached: impl FnMut(&Sight) -> Option<T>) -> T {
    let wait = async {
        loop {
            let found = reached(&watcher.sight());
            match found {
                Some(found) => return found,
                None => watcher.changed().await,
            }
        }
    };
    match tokio::time::timeout(Duration::from_secs(180), wait).await {
        Ok(found) => found,
        Err(_) => panic!("never saw {what}: {:?}", *watcher.sight()),
    }
}

fn seen(sight: &Sight, reached: impl FnOnce(&View) -> bool) -> Option<View> {
    match sight {
        Sight::Seen(view) if reached(view) => Some(view.clone()),
        _ => None,
    }
}

#[tokio::test]
async fn a_dump_its_clients_and_who_waits_for_it() {
    if !can_start() {
        return;
    }
    let cluster = Cluster::start();
    cluster.sql("postgres", "CREATE TABLE posts (id int)");
    let mut watcher = Watcher::start(&connection(&cluster, "postgres"), None, "x");
    let alone = until(&mut watcher, "an idle server", |sight| seen(sight, |_| true)).await;
    assert_eq!((alone.agents.len(), alone.active, alone.waiting, alone.lock_wait), (0, 0, 0, None));

    // A dump whose run does not take what it sends.
    let rows = "COPY (SELECT repeat('x', 1000) FROM generate_series(1, 1000000)) TO STDOUT;";
    let dump = Client::start(&cluster, "govern/x", &format!("BEGIN; LOCK posts IN ACCESS SHARE MODE; {rows}\n"));
    let _other_run = Client::start(&cluster, "govern/other", "SELECT pg_sleep(1000);\n");
    let _visitor = Client::start(&cluster, "forum", "SELECT pg_sleep(1000);\n");
    let calm = |view: &View| (view.agents.len(), view.active, view.waiting) == (1, 1, 0);
    let busy = until(&mut watcher, "a dump beside a visitor", |s| seen(s, calm)).await;
    until(&mut watcher, "its wait", |s| seen(s, |v| v.agent_wait.as_deref() == Some("ClientWrite"))).await;
    assert_eq!(procfs::stat(procfs::PROC.as_ref(), busy.agents[0]).unwrap().state, 'S', "the server's process");

    let _alter = Client::start(&cluster, "admin", "ALTER TABLE posts ADD COLUMN title text;\n");
    until(&mut watcher, "who waits for a lock", |s| seen(s, |v| v.waiting == 1 && v.lock_wait.is_some())).await;
    // Whoever reads now queues behind the one that waits for the dump.
    let _reader = Client::start(&cluster, "forum", "SELECT * FROM posts;\n");
    let queue = until(&mut watcher, "the queue behind it", |s| seen(s, |v| v.waiting == 2)).await;
    assert_eq!((queue.active, queue.agents.len()), (3, 1));
    assert!(queue.lock_waiter.as_ref().unwrap().ends_with("in database `postgres`"), "{queue:?}");
    let longer = queue.lock_wait.unwrap() + Duration::from_millis(500);
    until(&mut watcher, "a longer wait", |s| seen(s, |v| v.lock_wait > Some(longer))).await;

    drop(dump);
    until(&mut watcher, "its end", |s| seen(s, |v| v.agents.is_empty() && v.lock_wait.is_none() && v.active == 1))
        .await;

    cluster.stop();
    until(&mut watcher, "that the server is gone", |s| matches!(s, Sight::Blind { part: None, .. }).then_some(()))
        .await;
}

#[tokio::test]
async fn a_role_without_rights_sees_the_dump_and_its_locks_alone() {
    if !can_start() {
        return;
    }
    let cluster = Cluster::start();
    cluster.sql("postgres", "CREATE ROLE blind LOGIN; CREATE TABLE posts (id int); GRANT SELECT ON posts TO blind");
    let mut watcher = Watcher::start(&connection(&cluster, "blind"), None, "x");
    let _dump = Client::start(
        &cluster,
        "govern/x",
        "SET ROLE blind; SET application_name = 'govern/x'; BEGIN; SELECT * FROM posts; SELECT pg_sleep(1000);\n",
    );
    let _visitor = Client::start(&cluster, "forum", "SELECT pg_sleep(1000);\n");
    let (why, view) = until(&mut watcher, "a dump", |sight| match sight {
        Sight::Blind { why, part: Some(view) } if !view.agents.is_empty() => Some((why.clone(), view.clone())),
        _ => None,
    })
    .await;
    assert_eq!(why, "the role sees its own sessions alone; it needs `pg_monitor`");
    assert_eq!((view.agents.len(), view.active, view.lock_wait), (1, 0, None));
    let _alter = Client::start(&cluster, "admin", "ALTER TABLE posts ADD COLUMN title text;\n");
    until(&mut watcher, "who waits for a lock", |sight| match sight {
        Sight::Blind { part: Some(view), .. } => view.lock_wait,
        _ => None,
    })
    .await;
}

#[tokio::test]
async fn a_peer_is_the_account_of_the_payload() {
    if !can_start() || !harness::can("root's rights", harness::is_root()) {
        return;
    }
    let cluster = Cluster::start_with("local all all peer");
    let postgres = Account::find("postgres").unwrap().unwrap();
    let host = Connection { host: Some(cluster.host().to_owned()), ..Connection::default() };
    let mut as_postgres = Watcher::start(&host, Some(&postgres), "x");
    until(&mut as_postgres, "the server", |sight| seen(sight, |_| true)).await;
    let mut as_root = Watcher::start(&connection(&cluster, "postgres"), None, "x");
    let why = until(&mut as_root, "a refusal", |sight| match sight {
        Sight::Blind { why, .. } => Some(why.clone()),
        _ => None,
    })
    .await;
    assert_eq!(why, "the server says: Peer authentication failed for user \"postgres\"");
}

#[tokio::test]
async fn a_probe_keeps_its_session_and_finds_the_server_again() {
    if !can_start() {
        return;
    }
    let cluster = Cluster::start();
    cluster.sql("postgres", "CREATE TABLE posts (id int)");
    let target = |query: &str| Target::Postgres {
        connection: connection(&cluster, "postgres"),
        user: None,
        query: query.to_owned(),
    };
    let probe = |query: &str| Probe {
        name: "forum".into(),
        target: target(query),
        interval: Duration::from_millis(50),
        timeout: Duration::from_secs(30),
        throttle: Threshold::Time(Duration::from_millis(300)),
        pause: None,
        absent_after: Duration::from_secs(600),
    };
    let probes = Probes::start(&[probe("SELECT count(*) FROM posts"), probe("INSERT INTO posts VALUES (1)")]);
    let until = async |what: &str, query: usize, reached: &dyn Fn(&Stands) -> bool| {
        let begun = Instant::now();
        loop {
            let felt = probes.latest(Instant::now());
            if felt.get(query).is_some_and(|felt| reached(&felt.stands)) {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(180), "never saw {what}: {felt:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    until("an answer", 0, &|stands| *stands == Stands::Fresh).await;
    until("a refusal", 1, &|stands| {
        let why = "the server says: cannot execute INSERT in a read-only transaction";
        matches!(stands, Stands::Failing { why: said, .. } if &**said == why)
    })
    .await;
    let of_probe = "FROM pg_stat_activity WHERE application_name = 'govern/probe' AND query LIKE 'SELECT count%'";
    let question = || cluster.sql("postgres", &format!("SELECT pid, query_start {of_probe}"));
    let mut questions = vec![];
    while questions.len() < 3 {
        questions.push(question());
        questions.dedup();
        questions.retain(|question| !question.is_empty());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut sessions: Vec<&str> = questions.iter().filter_map(|question| question.split('|').next()).collect();
    sessions.dedup();
    assert_eq!(sessions.len(), 1, "one session for all questions: {questions:?}");
    cluster.sql("postgres", &format!("SELECT pg_terminate_backend(pid) {of_probe}"));
    until("a broken session", 0, &|stands| matches!(stands, Stands::Failing { .. })).await;
    until("an answer again", 0, &|stands| *stands == Stands::Fresh).await;
}

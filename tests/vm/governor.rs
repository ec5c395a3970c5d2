//! The governor on a real machine: it hears others, not itself.

use crate::Test;
use crate::disks::Stack;
use crate::machine::Machine;
use crate::qemu::Speed;

pub const TESTS: &[Test] = &[
    ("a_job_on_an_idle_machine_is_never_held_back", a_job_on_an_idle_machine_is_never_held_back),
    ("a_dump_on_an_idle_machine_is_never_held_back", a_dump_on_an_idle_machine_is_never_held_back),
    ("clients_beside_a_dump_are_heard", clients_beside_a_dump_are_heard),
    ("a_command_without_a_pipe_is_held_by_caps_on_its_reads", a_command_without_a_pipe_is_held_by_caps),
    ("a_unit_that_vanishes_and_pressure_that_is_switched_off_end_nothing", what_vanishes_ends_nothing),
];

/// A disk on which waiting is easy.
const SLOW: Speed = Speed { bytes: 10 << 20, requests: 100 };

const NOTHING: &str = "no decisions: nothing harmed others as far as it was looked at";

/// Writes a policy whose governor is as it comes.
fn policy(machine: &Machine, name: &str, text: &str) {
    let governor = if text.contains("[governor]") { "" } else { "[governor]\n" };
    machine.policy(name, &format!("{text}{governor}"));
}

fn decisions(machine: &Machine, job: &str) -> String {
    machine.ok(&format!("govern log {job} --decisions"))
}

/// What the machine as a whole says of itself: µs in which some task waited for a disk.
fn waited(machine: &Machine) -> u64 {
    machine.ok("sed -n 's/^some.*total=//p' /proc/pressure/io").parse().unwrap()
}

/// Lets the files of the slow disk be read from it, and nothing else: every service whose program had to be read again would wait, too. What
/// the governor's connection reads of the server stays in memory: on a busy host the server would end its first question, and others would
/// steer.
const COLD: &str = "sync; cd /
    python3 -c '
import os
for top, _, names in os.walk(\"/mnt/partition\"):
    for name in names:
        file = os.open(os.path.join(top, name), os.O_RDONLY)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(file)
'
    ! pg_lsclusters --no-header | grep -q '^15.governed.*online' ||
        runuser -u postgres -- psql -p 5499 -Atqc 'select count(*) from pg_stat_activity, pg_locks, pg_roles' >/dev/null";

/// Share of the time in which some task of the machine waited for a disk while a job ran.
fn pressure_of(machine: &Machine, job: &str) -> f64 {
    machine.ok(COLD);
    let before = waited(machine);
    let took: f64 = machine
        .ok(&format!(
            "begun=$EPOCHREALTIME; govern run {job} --quiet; echo \"$EPOCHREALTIME $begun\" | awk '{{ print $1 - $2 }}'"
        ))
        .parse()
        .unwrap();
    (waited(machine) - before) as f64 / 1e6 / took
}

fn files(machine: &mut Machine, name: &str, top: &str) {
    Stack::Partition.mount(machine);
    if machine.sh("test -e /mnt/partition/tree/done").code != 0 {
        Stack::Partition.mount_empty(machine);
    }
    machine.ok("mkdir -p /mnt/partition/tree /mnt/partition/backup; test -e /mnt/partition/tree/done || { for n in $(seq 60); do head -c 1M /dev/urandom >/mnt/partition/tree/$n; done; touch /mnt/partition/tree/done; }");
    let artifact = "[artifact]\ntarget = \"/mnt/partition/backup\"\ncompression = \"none\"\nverify = \"none\"\n[retention]\nkeep_last = 1\n";
    let text = format!("kind = \"filesystem\"\n{top}\n[filesystem]\nsources = [\"/mnt/partition/tree\"]\n{artifact}");
    policy(machine, name, &text);
}

fn a_job_on_an_idle_machine_is_never_held_back(machine: &mut Machine) {
    files(machine, "full-speed", "");
    files(machine, "by-hand", "rate = \"4MB/s\"");
    machine.throttle("partition", SLOW);
    for job in ["full-speed", "by-hand"] {
        let pressure = pressure_of(machine, job);
        println!("  {job}: some task of the machine waited for a disk in {:.0} % of the time", pressure * 100.0);
        assert_eq!(decisions(machine, job), NOTHING, "{}", machine.ok(&format!("govern log {job}")));
        // The test of the test: what the machine as a whole reads would have held the one back that nothing holds.
        assert!(
            job == "by-hand" || pressure > 0.05,
            "{job}: without any wait there is nothing to be misled by: {pressure}"
        );
    }
    machine.throttle("partition", Speed::default());
}

/// A database on a slow disk, in a cluster of its own.
fn database(machine: &mut Machine) {
    Stack::Partition.mount(machine);
    machine.ok(
        "cd /
        rm -rf /mnt/partition/backup/* /mnt/partition/tree
        # Another test may have made the disk empty since.
        pg_lsclusters --no-header | grep -q ^15.governed && test -s /mnt/partition/pg/data/PG_VERSION || {
            systemctl stop postgresql@15-governed || true
            systemctl reset-failed postgresql@15-governed 2>/dev/null || true
            rm -rf /etc/postgresql/15/governed /mnt/partition/pg; install -d -o postgres /mnt/partition/pg; mkdir -p /mnt/partition/backup
            pg_createcluster 15 governed --start-conf manual --datadir /mnt/partition/pg/data --port 5499 >/dev/null
            echo \"shared_buffers = 16MB
wal_level = minimal
max_wal_senders = 0
max_wal_size = 64MB
min_wal_size = 32MB\" >>/etc/postgresql/15/governed/postgresql.conf
        }
        systemctl daemon-reload
        systemctl start postgresql@15-governed
        until runuser -u postgres -- psql -p 5499 -c 'select 1' >/dev/null 2>&1; do sleep 0.2; done
        runuser -u postgres -- psql -p 5499 -Atc \"select 1 from pg_database where datname = 'shop'\" | grep -q 1 || {
            runuser -u postgres -- createdb -p 5499 shop
            runuser -u postgres -- pgbench -p 5499 --quiet --initialize --init-steps=dtg --scale=5 shop >/dev/null 2>&1
            runuser -u postgres -- psql -p 5499 -q -d shop -c 'alter table pgbench_accounts add primary key (aid)' -c 'checkpoint'
        }",
    );
    policy(
        machine,
        "shop",
        "kind = \"pg_dump\"\nuser = \"postgres\"\n[pg_dump]\ndatabases = [\"shop\"]\nglobals = \"none\"\n[pg_dump.connection]\nport = 5499\n\
         [artifact]\ntarget = \"/mnt/partition/backup\"\ncompression = \"none\"\nverify = \"none\"\n[retention]\nkeep_last = 1\n",
    );
}

fn a_dump_on_an_idle_machine_is_never_held_back(machine: &mut Machine) {
    database(machine);
    machine.throttle("partition", SLOW);
    let stalled = "sed -n 's/^some.*total=//p' /sys/fs/cgroup/system.slice/system-postgresql.slice/postgresql@15-governed.service/io.pressure";
    let before: u64 = machine.ok(stalled).parse().unwrap();
    pressure_of(machine, "shop");
    let stall = machine.ok(stalled).parse::<u64>().unwrap() - before;
    machine.throttle("partition", Speed::default());
    assert_eq!(decisions(machine, "shop"), NOTHING, "{}", machine.ok("govern log shop"));
    println!("  the server waited {:.1} s for its disk, for nobody but the dump", stall as f64 / 1e6);
    assert!(stall > 1_000_000, "its own stall would have been a reason: {stall} µs");
}

fn clients_beside_a_dump_are_heard(machine: &mut Machine) {
    database(machine);
    machine.throttle("partition", SLOW);
    machine.ok(&format!("{COLD}\nnohup govern run shop --quiet >/tmp/shop.out 2>&1 </dev/null &"));
    machine.until("pgrep -f '[p]g_dump.*format=custom' >/dev/null");
    let cgroup = "cat /proc/$(runuser -u postgres -- psql -p 5499 -Atc \"select pid from pg_stat_activity where application_name like 'govern/%' and query ilike 'copy%' limit 1\")/cgroup";
    machine.ok(
        "systemd-run --quiet --collect --unit=clients --uid=postgres -- pgbench -p 5499 -n -c 6 -j 2 -T 60 -S shop",
    );
    machine.until("govern log shop --decisions | grep -q 'throttle.*waiting sessions of postgres:5499'");
    let home = machine.until(cgroup);
    assert!(home.contains("postgresql@15-governed.service"), "the backend stays where it is: {home}");
    let server = "/sys/fs/cgroup/system.slice/system-postgresql.slice/postgresql@15-governed.service";
    assert_eq!(machine.ok(&format!("cat {server}/cgroup.freeze")), "0");
    assert_eq!(
        machine.ok(&format!("if test -e {server}/io.max; then cat {server}/io.max; fi")),
        "",
        "nothing of the server is limited"
    );
    let told = decisions(machine, "shop");
    println!("{told}");
    machine.ok("systemctl stop clients 2>/dev/null || true");
    machine.throttle("partition", Speed::default());
    machine.until("! pgrep -f '[g]overn run shop' >/dev/null");
}

fn a_command_without_a_pipe_is_held_by_caps(machine: &mut Machine) {
    files(machine, "unused", "");
    machine.throttle("partition", SLOW);
    policy(
        machine,
        "reader",
        "kind = \"command\"\n[command]\nshell = true\n\
         line = '''while ! test -e /run/enough; do for f in /mnt/partition/tree/*; do dd if=$f of=/dev/null bs=64K iflag=direct status=none; done; done'''\n\
         [governor]\nprotect = [\"nobody.service\"]\nfloor = \"256KiB/s\"\n\
         [governor.probes.users]\ncommand = [\"/bin/sh\", \"-c\", \"! test -e /run/harm\"]\ninterval = \"200ms\"\ntimeout = \"10s\"\nthrottle = \"8s\"\npause = \"9s\"\n",
    );
    machine.ok("rm -f /run/enough /run/harm; nohup govern run reader --quiet >/tmp/reader.out 2>&1 </dev/null &");
    let payload = "/sys/fs/cgroup/govern.slice/govern-reader-*/payload";
    machine.until(&format!(
        "awk '{{ split($2, read, \"=\"); if (read[2] > 8000000) found = 1 }} END {{ exit !found }}' {payload}/io.stat"
    ));
    machine.ok(&format!("! grep -q 'rbps=[0-9]' {payload}/io.max"));
    machine.ok("touch /run/harm");
    machine.until(&format!("grep -q 'rbps=[0-9]' {payload}/io.max"));
    machine.until("govern log reader --decisions | grep -q 'throttle .* → .*: no answer of users'");
    machine.ok("rm /run/harm");
    machine.until(&format!("! grep -q 'rbps=[0-9]' {payload}/io.max"));
    machine.ok("touch /run/enough");
    machine.until("! pgrep -f '[g]overn run reader' >/dev/null");
    machine.throttle("partition", Speed::default());
}

fn what_vanishes_ends_nothing(machine: &mut Machine) {
    files(machine, "witnessed", "rate = \"4MB/s\"");
    machine.ok("systemd-run --quiet --collect --unit=witness-a -- sleep infinity; systemd-run --quiet --collect --unit=witness-b -- sleep infinity");
    machine.ok("nohup govern run witnessed --quiet >/tmp/witnessed.out 2>&1 </dev/null &");
    machine.until("govern log witnessed | grep -q 'gives way to .*witness-a.service.*witness-b.service'");
    machine.until("govern log witnessed | grep -q '\\[. archive .*begins'");
    machine.ok("systemctl stop witness-a; echo 0 >/sys/fs/cgroup/system.slice/witness-b.service/cgroup.pressure");
    machine.until("govern log witnessed | grep -q '`witness-a.service` has gone'");
    machine.until("! pgrep -f '[g]overn run witnessed' >/dev/null");
    let log = machine.ok("govern log witnessed");
    assert_eq!(log.matches("`witness-a.service` has gone").count(), 1, "{log}");
    assert!(log.contains(" ok after "), "{log}");
    // Rounds came in time, also with a disk that was busy: the goal is 50 ms, and a host that does other things is forgiven a hundred times
    // that.
    let late: u64 = machine
        .ok("govern log witnessed | sed -n 's/.*99 of 100 at most \\([0-9]*\\) ms late.*/\\1/p'")
        .parse()
        .unwrap();
    println!("  99 of 100 rounds were at most {late} ms late");
    assert!(late < 5000, "{log}");
    machine.ok("systemctl stop witness-b");
}

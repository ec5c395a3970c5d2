//! Command lines taken apart, as a screen of what was understood.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::prefix::Setting;
use super::*;

/// `program argument | program > file`, words in brackets.
fn shown(line: &Line) -> String {
    let steps = line.steps.iter().map(|(join, pipeline)| {
        let programs: Vec<String> = pipeline.iter().map(simple).collect();
        let join = match join {
            Join::Then => "",
            Join::And => "&& ",
            Join::Or => "|| ",
        };
        format!("{join}{}", programs.join(" | "))
    });
    let text = steps.collect::<Vec<_>>().join(" ; ");
    if line.background { format!("{text} &") } else { text }
}

fn simple(simple: &Simple) -> String {
    let assigned = simple.assignments.iter().map(|(name, word)| format!("{name}:={}", word.shown()));
    let words = simple.words.iter().map(|word| format!("[{}]", word.shown()));
    let redirections = simple.redirections.iter().map(|redirection| {
        let stream = redirection.stream;
        match &redirection.to {
            Target::File(word) => format!("{stream}>{}", word.shown()),
            Target::Append(word) => format!("{stream}>>{}", word.shown()),
            Target::Both(word) => format!("&>{}", word.shown()),
            Target::From(word) => format!("{stream}<{}", word.shown()),
            Target::Stream(other) => format!("{stream}>&{other}"),
        }
    });
    assigned.chain(words).chain(redirections).collect::<Vec<_>>().join(" ")
}

fn parsed(text: &str) -> String {
    match parse(text) {
        Ok(line) => shown(&line),
        Err(beyond) => format!("beyond: {beyond}"),
    }
}

#[test]
fn lines_are_taken_apart_as_a_shell_would() {
    let lines = [
        "tar czf /b/etc.tgz /etc",
        "pg_dump 'my db' | gzip -9 > \"/b/x $(date +%F).gz\" 2>> /var/log/x",
        "cd /a && b; c || d",
        "A=b C='d e' x f=g \"h=i\"",
        "x >/dev/null 2>&1",
        "x &> log",
        "x 2>err <in &",
        "echo a\\ b 'c\"d' \"e\\\"f\\g\" # comment",
        "x ${A}b$C'd' `date +%F` ~ ~/x a~ *.c {} {a} {a,b}",
        "x; y;",
        "find . -name '*.gz' -exec rm {} \\;",
        "a=1 b",
        "2x 3 > f",
    ];
    insta::assert_snapshot!(lines.map(parsed).join("\n"), @r#"
    [tar] [czf] [/b/etc.tgz] [/etc]
    [pg_dump] [my db] | [gzip] [-9] 1>/b/x $(date +%F).gz 2>>/var/log/x
    [cd] [/a] ; && [b] ; [c] ; || [d]
    A:=b C:=d e [x] [f=g] [h=i]
    [x] 1>/dev/null 2>&1
    [x] &>log
    [x] 2>err 0<in &
    [echo] [a b] [c"d] [e"f\g]
    [x] [${A}b${C}d] [$(date +%F)] [~] [~/x] [a~] [*.c] [{}] [{a}] [{a,b}]
    [x] ; [y]
    [find] [.] [-name] [*.gz] [-exec] [rm] [{}] [;]
    a:=1 [b]
    [2x] [3] 1>f
    "#);
}

#[test]
fn what_is_more_than_simple_is_told() {
    let lines = [
        "(a; b)",
        "{ a; }",
        "if a; then b; fi",
        "! a",
        "[[ -f a ]]",
        "x ${A%b}",
        "x $((1+1))",
        "x $'a'",
        "cat << END",
        "x 2>&-",
        "x |& y",
        "x <(y)",
        "x 'y",
        "x \"y",
        "x $(y",
        "x \\",
        "",
        "  # nothing",
        "x |",
        "&& x",
        "x >",
        "a & b",
        "x 5>f",
        "x >| f",
    ];
    insta::assert_snapshot!(lines.map(|line| format!("{line:20} {}", parsed(line))).join("\n"), @r#"
    (a; b)               beyond: commands in brackets
    { a; }               beyond: commands in brackets
    if a; then b; fi     beyond: `if`, `for` and the like
    ! a                  beyond: `if`, `for` and the like
    [[ -f a ]]           beyond: `if`, `for` and the like
    x ${A%b}             beyond: an expansion such as `${x%y}`
    x $((1+1))           beyond: an expansion such as `${x%y}`
    x $'a'               beyond: an expansion such as `${x%y}`
    cat << END           beyond: a here-document or an unusual redirection
    x 2>&-               beyond: a here-document or an unusual redirection
    x |& y               beyond: a here-document or an unusual redirection
    x <(y)               beyond: a here-document or an unusual redirection
    x 'y                 beyond: a quote without its end
    x "y                 beyond: a quote without its end
    x $(y                beyond: a quote without its end
    x \                  beyond: a quote without its end
                         beyond: a piece that is missing
      # nothing          beyond: a piece that is missing
    x |                  beyond: a piece that is missing
    && x                 beyond: a piece that is missing
    x >                  beyond: a piece that is missing
    a & b                beyond: commands in brackets
    x 5>f                beyond: a here-document or an unusual redirection
    x >| f               beyond: a here-document or an unusual redirection
    "#);
}

fn unwrapped(text: &str) -> String {
    let locks = BTreeSet::from(["/run/shared".to_owned()]);
    let home = |name: Option<&str>| Some(format!("/home/{}", name.unwrap_or("me")));
    let value = |name: &str| (name == "B").then(|| "/backup".to_owned());
    let setting = Setting { is_root: true, shared_locks: &locks };
    match understand(text, Known { home: &home, value: &value }, setting) {
        Err(beyond) => format!("beyond: {beyond}"),
        Ok(work) => {
            let Prefixes { nice, io_class, overlap, timeout, grace, account, login, shell, .. } = &work.prefixes;
            let mut said = vec![];
            said.extend(nice.map(|n| format!("nice {n}")));
            said.extend(io_class.map(|class| format!("io {class:?}")));
            said.extend(overlap.map(|overlap| format!("overlap {overlap:?}")));
            said.extend(timeout.map(|length| format!("timeout {length:?}")));
            said.extend(grace.map(|length| format!("grace {length:?}")));
            said.extend(account.iter().map(|name| format!("as {name}")));
            said.extend(login.then(|| "login".to_owned()));
            said.extend(shell.iter().map(|shell| format!("by {shell}")));
            said.extend(work.directory.iter().map(|path| format!("in {}", path.display())));
            said.extend((work.text != text).then(|| "from a line within".to_owned()));
            let line = Line { steps: work.steps, background: work.background };
            format!("{} ({})", shown(&line), said.join(", "))
        }
    }
}

#[test]
fn prefixes_are_taken_off() {
    let lines = [
        "nice tar c /etc",
        "nice -n 5 ionice -c2 -n7 tar c /etc",
        "nice -15 ionice -c idle x",
        "nice --adjustment=3 x",
        "/usr/bin/nice -n x y",
        "flock -n /run/x x -a",
        "flock -w 5 /run/x x",
        "flock --nonblock /run/x -c 'x | y'",
        "flock -s /run/x x",
        "flock -n /run/shared x",
        "flock 9",
        "timeout 90m x",
        "timeout -k 10 --signal=KILL 1.5h x",
        "timeout 0 x",
        "timeout forever x",
        "chrt -i 0 x",
        "chrt -f 10 x",
        "time -p nohup chronic x",
        "/usr/bin/env A=b x",
        "env -i x",
        "sudo -u www -H A=b x ~/y",
        "sudo -g www x",
        "su - postgres -c 'pg_dumpall > ~/all'",
        "su postgres -s /bin/bash -c x",
        "runuser -u a -- x",
        "runuser -l a -c x",
        "sh -c 'x && y' > /dev/null",
        "bash -c 'x; y' > out",
        "sh -c 'x | y' > out",
        "sh -c \"sh -c 'sh -c \\\"sh -c x\\\"'\"",
        "cd /srv && nice x",
        "cd $B; x \"$B\" $C",
        "cd srv && x",
        "nice",
        "nice x | nice y",
        "exec x",
        "command -v x",
    ];
    insta::assert_snapshot!(lines.map(|line| format!("{line:44} {}", unwrapped(line))).join("\n"), @r#"
    nice tar c /etc                              [tar] [c] [/etc] (nice 10)
    nice -n 5 ionice -c2 -n7 tar c /etc          [tar] [c] [/etc] (nice 5, io BestEffort)
    nice -15 ionice -c idle x                    [x] (nice 15, io Idle)
    nice --adjustment=3 x                        [x] (nice 3)
    /usr/bin/nice -n x y                         [/usr/bin/nice] [-n] [x] [y] ()
    flock -n /run/x x -a                         [x] [-a] (overlap Skip)
    flock -w 5 /run/x x                          [x] (overlap Queue)
    flock --nonblock /run/x -c 'x | y'           [x] | [y] (overlap Skip, from a line within)
    flock -s /run/x x                            [flock] [-s] [/run/x] [x] ()
    flock -n /run/shared x                       [flock] [-n] [/run/shared] [x] ()
    flock 9                                      [flock] [9] ()
    timeout 90m x                                [x] (timeout 5400s)
    timeout -k 10 --signal=KILL 1.5h x           [x] (timeout 5400s, grace 10s)
    timeout 0 x                                  [x] ()
    timeout forever x                            [timeout] [forever] [x] ()
    chrt -i 0 x                                  [x] ()
    chrt -f 10 x                                 [chrt] [-f] [10] [x] ()
    time -p nohup chronic x                      [x] ()
    /usr/bin/env A=b x                           [x] ()
    env -i x                                     [env] [-i] [x] ()
    sudo -u www -H A=b x ~/y                     [x] [/home/me/y] (as www)
    sudo -g www x                                [sudo] [-g] [www] [x] ()
    su - postgres -c 'pg_dumpall > ~/all'        [pg_dumpall] 1>/home/postgres/all (as postgres, login, from a line within)
    su postgres -s /bin/bash -c x                [x] (as postgres, by /bin/bash, from a line within)
    runuser -u a -- x                            [x] (as a)
    runuser -l a -c x                            [x] (as a, login, from a line within)
    sh -c 'x && y' > /dev/null                   [x] ; && [y] (by /bin/sh, from a line within)
    bash -c 'x; y' > out                         beyond: a here-document or an unusual redirection
    sh -c 'x | y' > out                          [x] | [y] 1>out (by /bin/sh)
    sh -c "sh -c 'sh -c \"sh -c x\"'"            beyond: commands within commands
    cd /srv && nice x                            [x] (nice 10, in /srv)
    cd $B; x "$B" $C                             [x] [/backup] [${C}] (in /backup)
    cd srv && x                                  [cd] [srv] ; && [x] ()
    nice                                         [nice] ()
    nice x | nice y                              [x] | [y] (nice 10)
    exec x                                       [x] ()
    command -v x                                 [command] [-v] [x] ()
    "#);
}

#[test]
fn only_root_becomes_another_account() {
    let setting = Setting { is_root: false, shared_locks: &BTreeSet::new() };
    let none = Known { home: &|_| None, value: &|_| None };
    let work = understand("sudo -u www x", none, setting).unwrap();
    assert_eq!(shown(&Line { steps: work.steps, background: false }), "[sudo] [-u] [www] [x]");
}

proptest! {
    #[test]
    fn no_line_panics(text in "(?s)([ a-c'\"$(){}|&;<>=~*#\\\\`\n-]|nice |flock |sh -c |su |timeout |\\PC){0,30}") {
        let locks = BTreeSet::new();
        let setting = Setting { is_root: true, shared_locks: &locks };
        understand(&text, Known { home: &|_| Some("/h".into()), value: &|name| (name == "a").then(|| "v".into()) }, setting).ok();
    }

    /// A shell splits words in the same way.
    #[test]
    fn words_are_those_of_a_shell(words in prop::collection::vec("[a-z \"'\\\\$*;|]{0,6}", 1..5)) {
        let text = format!("x {}", shell_words::join(&words));
        let line = parse(&text).unwrap();
        let found = line.steps[0].1[0].literal().unwrap();
        prop_assert_eq!(&found[1..], words.as_slice());
    }
}

//! Text nobody would type: nothing panics, nothing secret is shown.

use proptest::prelude::*;

use super::loaded;

const SAMPLES: [&str; 4] = [
    include_str!("../../../jobs/etc.toml"),
    include_str!("../../../jobs/forum-database.toml"),
    include_str!("../../../jobs/wiki.toml"),
    include_str!("../../../jobs/defaults/govern.toml"),
];

/// Loads a text as both kinds of file, and renders in every way.
fn survive(text: &str) {
    let (loaded, screen) = loaded(&[("govern.toml", text), ("jobs/a.toml", text), ("jobs/b.toml", text)]);
    loaded.diagnostics.render(true);
    loaded.diagnostics.to_json();
    assert_eq!(screen.is_empty(), loaded.diagnostics.is_empty());
    for job in &loaded.jobs {
        super::super::print::merged(job);
    }
    loaded.slice.iter().for_each(|slice| drop(super::super::print::slice(slice)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_text_panics(text in "(?s).{0,200}") {
        survive(&text);
    }

    #[test]
    fn no_toml_like_text_panics(parts in prop::collection::vec(
        prop_oneof![
            Just("["), Just("]"), Just("\n"), Just("="), Just("\""), Just("'"), Just("\"\"\""), Just("{"), Just("}"), Just("."),
            Just(","), Just("#"), Just("\r\n"), Just("kind"), Just("filesystem"), Just("sources"), Just("artifact"), Just("-1"),
            Just("defaults"), Just("[pg_dump]\n"), Just("uri = "), Just("\"postgres://u:p@h\""), Just("1e9"), Just("é"), Just("\t"),
            Just("env"), Just("[[command]]"), Just("retention."), Just("1979-05-27"), Just("\\u0000"), Just(" = [\"/etc\"]\n"),
            Just("[limits]\n"), Just("[slice]\n"), Just("io_read = \"1MB/s\"\n"), Just("require = [\"io\"]\n"), Just("memory_max = \"1%\"\n"),
            Just("[governor]\n"), Just("[governor.probes.a]\n"), Just("[governor.probes."), Just("probes"), Just("connection]\n"),
            Just("http = \"http://h/\"\n"), Just("connections = 1\n"), Just("postgres = \"select 1\"\n"), Just("throttle = "), Just("pause = "),
            Just("\"3x\"\n"), Just("\"80%\"\n"), Just("deadline = \"6:30\"\n"), Just("above_usual = 1.5\n"), Just("io_stall = "), Just("0.1"),
        ], 0..40)
    ) {
        survive(&parts.concat());
    }

    #[test]
    fn no_changed_sample_panics(
        which in 0..SAMPLES.len(), at in any::<prop::sample::Index>(), length in 0usize..30, put in "(?s).{0,6}|\\PC{0,3}|[\\[\\]=\"\n#.{}]{0,4}",
    ) {
        let mut text: Vec<char> = SAMPLES[which].chars().collect();
        let from = at.index(text.len());
        let to = (from + length).min(text.len());
        text.splice(from..to, put.chars());
        survive(&text.into_iter().collect::<String>());
    }

    #[test]
    fn no_password_is_shown(before in "[a-z/:]{0,6}", quote in "\"|'|", key in "uri|host|line|argv|user|sources|nosuch|http|tcp|memcached|command|postgres", end in "\"|'||@h|\n") {
        let text = format!("kind = \"pg_dump\"\n[pg_dump]\ndatabases = 1\n{key} = {quote}postgres://u{before}:hunter2@h/{end}\n[pg_dump.connection]\n{key} = [{quote}postgresql://u:hunter2@h/{end}\n[governor.probes.a]\n{key} = {quote}http://u{before}:hunter2@h/{end}\n");
        let (loaded, screen) = loaded(&[("jobs/a.toml", text.as_str())]);
        prop_assert!(!screen.contains("hunter2"), "{}", screen);
        prop_assert!(!loaded.diagnostics.to_json().to_string().contains("hunter2"));
    }
}

use super::super::diagnostic::Diagnostics;
use super::*;
use std::path::Path;

fn shape(r: &mut Reader<'_>) -> (Field<String>, Section<Field<Vec<String>>>) {
    (r.key("name", value::text), r.section("filesystem", |r| r.key("sources", value::list(value::text))))
}

fn screen(text: &str) -> String {
    let mut all = Diagnostics::default();
    let file = all.add_file(Path::new("etc.toml"), Some(text));
    let known = Reading::known(file, shape);
    let other = Reading::known(file, |r| r.section("defaults", |r| r.key("rate", value::text)));
    let root = DeTable::parse(text).unwrap();
    let (_, outcome) = Reading::file(file, root.get_ref(), known, (other, "`govern.toml`"), shape);
    outcome.errors.into_iter().for_each(|error| all.push(error));
    outcome.covered.iter().for_each(|place| all.cover(place));
    all.render(false)
}

#[test]
fn what_is_asked_for_is_known() {
    let mut all = Diagnostics::default();
    let known = Reading::known(all.add_file(Path::new("x"), None), shape);
    assert_eq!(known.keys().collect::<Vec<_>>(), ["name", "filesystem.sources"]);
}

#[test]
fn an_unknown_key_is_told_where_it_belongs() {
    insta::assert_snapshot!(screen("nam = \"a\"\nsources = [\"/etc\"]\nsorces = []\nrate = 3\nbanana = 1\n[defaults]\n[filesystem]\nname = \"a\"\ntoken = \"hunter2\"\n"), @r#"
    error: unknown key `nam`
     --> etc.toml:1:1
      |
    1 | nam = "a"
      | ^^^
    hint: did you mean `name`?

    error: unknown key `sources`
     --> etc.toml:2:1
      |
    2 | sources = ["/etc"]
      | ^^^^^^^
    hint: `sources` belongs in `[filesystem]`

    error: unknown key `sorces`
     --> etc.toml:3:1
      |
    3 | sorces = []
      | ^^^^^^
    hint: did you mean `sources`? `sources` belongs in `[filesystem]`

    error: unknown key `rate`
     --> etc.toml:4:1
      |
    4 | rate = 3
      | ^^^^
    hint: `rate` belongs in `govern.toml`

    error: unknown key `banana`
     --> etc.toml:5:1
      |
    5 | banana = 1
      | ^^^^^^
    hint: known here: `name`, `filesystem`

    error: unknown section `[defaults]`
     --> etc.toml:6:2
      |
    6 | [defaults]
      |  ^^^^^^^^
    hint: `defaults` belongs in `govern.toml`

    error: unknown key `name`
     --> etc.toml:8:1
      |
    8 | name = "a"
      | ^^^^
    hint: `name` belongs at the top of the file, above the first section

    error: unknown key `token`
     --> etc.toml:9:1
      |
    9 | token = *********
      | ^^^^^
    hint: known here: `sources`
    "#);
}

#[test]
fn a_value_of_another_type_is_shown() {
    insta::assert_snapshot!(screen("name = 3\nfilesystem = \"/etc\"\n"), @r#"
    error: `name` must be a string, not an integer
     --> etc.toml:1:8
      |
    1 | name = 3
      |        ^

    error: `filesystem` must be a section, not a string
     --> etc.toml:2:14
      |
    2 | filesystem = "/etc"
      |              ^^^^^^
    hint: its keys go below a line `[filesystem]`
    "#);
    insta::assert_snapshot!(screen("[filesystem]\nsources = [\"/etc\", 3]\n"), @r#"
    error: an item of `sources` must be a string, not an integer
     --> etc.toml:2:20
      |
    2 | sources = ["/etc", 3]
      |                    ^
    "#);
}

//! The difference that would comment lines out, as patch(1) reads it.

/// Lines of a hunk around a change.
const CONTEXT: usize = 3;
/// What is put in front of a line.
const MARK: &str = "# now run by govern: ";

/// A unified diff that comments out the lines of these numbers, counted from 1; empty where there are none. `name` stands behind `a/`
/// and `b/`, without the `/` in front: `patch -p1 -d /` applies it.
pub fn comment_out(name: &str, text: &str, numbers: &[usize]) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let hunks = hunks(numbers, lines.len());
    let name = name.trim_start_matches('/');
    let mut out = String::new();
    if !hunks.is_empty() {
        out.push_str(&format!("--- a/{name}\n+++ b/{name}\n"));
    }
    for (first, last) in hunks {
        let count = last - first + 1;
        out.push_str(&format!("@@ -{first},{count} +{first},{count} @@\n"));
        // Neighbours that change go together: first the old ones, then the new ones.
        let (mut old, mut new) = (String::new(), String::new());
        for (number, line) in (1..).zip(&lines).skip(first - 1).take(count) {
            if numbers.contains(&number) {
                push(&mut old, '-', line);
                push(&mut new, '+', &format!("{MARK}{line}"));
                continue;
            }
            out.push_str(&std::mem::take(&mut old));
            out.push_str(&std::mem::take(&mut new));
            push(&mut out, ' ', line);
        }
        out.push_str(&old);
        out.push_str(&new);
    }
    out
}

/// First and last line of each hunk.
fn hunks(numbers: &[usize], count: usize) -> Vec<(usize, usize)> {
    let mut hunks: Vec<(usize, usize)> = Vec::new();
    for number in numbers.iter().copied().filter(|number| (1..=count).contains(number)) {
        let (first, last) = (number.saturating_sub(CONTEXT).max(1), (number + CONTEXT).min(count));
        match hunks.last_mut() {
            Some((_, end)) if first <= *end + 1 => *end = last.max(*end),
            _ => hunks.push((first, last)),
        }
    }
    hunks
}

fn push(out: &mut String, sign: char, line: &str) {
    out.push(sign);
    out.push_str(line);
    if !line.ends_with('\n') {
        out.push_str("\n\\ No newline at end of file\n");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_are_commented_out() {
        let text = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj";
        insta::assert_snapshot!(comment_out("/etc/crontab", text, &[1, 10]), @r"
        --- a/etc/crontab
        +++ b/etc/crontab
        @@ -1,4 +1,4 @@
        -a
        +# now run by govern: a
         b
         c
         d
        @@ -7,4 +7,4 @@
         g
         h
         i
        -j
        \ No newline at end of file
        +# now run by govern: j
        \ No newline at end of file
        ");
        assert_eq!(comment_out("x", text, &[]), "");
        assert_eq!(comment_out("x", "", &[1]), "");
    }

    proptest! {
        /// The real program agrees.
        #[test]
        fn patch_applies_it(lines in prop::collection::vec("[a-c\r]{0,3}", 1..20), ends in any::<bool>(), chosen in prop::collection::btree_set(1usize..20, 0..6)) {
            if std::process::Command::new("patch").arg("--version").output().is_err() {
                return Ok(());
            }
            let mut text = lines.join("\n");
            if ends || lines.last().is_some_and(String::is_empty) {
                text.push('\n');
            }
            let count = text.split_inclusive('\n').count();
            let numbers: Vec<usize> = chosen.into_iter().filter(|number| *number <= count).collect();
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("tab"), &text).unwrap();
            std::fs::write(dir.path().join("diff"), comment_out("tab", &text, &numbers)).unwrap();
            let patched = std::process::Command::new("patch")
                .args(["--binary", "-s", "-p1", "-i", "diff"]).current_dir(dir.path()).output().unwrap();
            prop_assert!(numbers.is_empty() || patched.status.success(), "{:?}", patched);
            let expected: String = (1..).zip(text.split_inclusive('\n'))
                .map(|(number, line)| if numbers.contains(&number) { format!("{MARK}{line}") } else { line.to_owned() }).collect();
            prop_assert_eq!(std::fs::read_to_string(dir.path().join("tab")).unwrap(), expected);
        }
    }
}

//! Tables: columns without lines between them, for eyes and for awk.

use anstyle::Style;
use comfy_table::presets;
use comfy_table::{CellAlignment, ContentArrangement, Table};

/// A table with these column heads; those in `right` are aligned to the right.
pub fn table(heads: &[&str], right: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(heads);
    for (number, column) in table.column_iter_mut().enumerate() {
        // Two blanks between columns, none at the left edge.
        column.set_padding((0, 2));
        if right.contains(&number) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// A table as text. Each `(word, style)` is coloured wherever it stands as a whole cell: after the layout, which would count
/// the invisible bytes.
pub fn paint(table: &Table, words: impl IntoIterator<Item = (String, Style)>) -> String {
    paint_within(table, words, None)
}

/// The same with lines cut to so many characters.
pub fn paint_within(table: &Table, words: impl IntoIterator<Item = (String, Style)>, width: Option<usize>) -> String {
    let words: Vec<(String, Style)> = words.into_iter().collect();
    let mut text = String::new();
    for line in table.lines() {
        let mut line = shortened(line.trim_end(), width.unwrap_or(usize::MAX));
        for (word, style) in &words {
            if let Some(at) = find_cell(&line, word) {
                line.replace_range(at..at + word.len(), &format!("{style}{word}{style:#}"));
                break;
            }
        }
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// At most so many characters of a text; what is cut off is shown by a `…`.
pub fn shortened(text: &str, most: usize) -> String {
    match (text.char_indices().nth(most), most.checked_sub(1)) {
        (Some(_), Some(kept)) => format!("{}…", text.chars().take(kept).collect::<String>().trim_end()),
        (Some(_), None) => String::new(),
        (None, _) => text.to_owned(),
    }
}

fn find_cell(line: &str, word: &str) -> Option<usize> {
    line.match_indices(word).map(|(at, _)| at).find(|&at| {
        line.get(..at).is_some_and(|b| b.is_empty() || b.ends_with("  "))
            && line.get(at + word.len()..).is_some_and(|a| a.is_empty() || a.starts_with("  "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_cut_and_keeps_its_colour() {
        let mut table = table(&["A", "B"], &[]);
        table.add_row(["ok", "größer"]);
        let green = anstyle::AnsiColor::Green.on_default();
        let text = paint_within(&table, [("ok".to_owned(), green)], Some(8));
        assert_eq!(text, format!("A   B\n{green}ok{green:#}  grö…\n"));
        for (most, expected) in [(0, ""), (1, "…"), (3, "ab…"), (4, "abcd"), (9, "abcd")] {
            assert_eq!(shortened("abcd", most), expected);
        }
    }
}

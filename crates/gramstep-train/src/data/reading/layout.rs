//! The mark between cells, found over the first lines with quotes respected.

use super::cells::reader;
use super::separator::Separator;

/// Lines that are looked at.
const LINES: usize = 100;

/// Bytes that are looked at.
const BYTES: usize = 1 << 18;

/// Marks that may separate cells. Of two that cut all lines into as many cells it is the one that stands first: a comma
/// may be a decimal mark, a space stands in text.
const MARKS: [u8; 5] = [b'\t', b';', b'|', b',', b' '];

/// How the lines of a file are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) separator: u8,
    /// Where the table begins: after the line `sep=;` of spreadsheet programs.
    pub(super) start: usize,
    /// Lines before it.
    pub(super) skipped: u64,
    /// Whether the first line has one cell fewer than all others: the name of the first column.
    pub(super) unnamed: bool,
    /// Whether all others have one more because they end with a mark, and the first line does not.
    pub(super) trailing: bool,
}

impl Layout {
    /// Of the bytes of a file. `earlier` is what was said of the table that a model was learned from, `usual` the mark that
    /// the name of the file tells.
    pub(super) fn of(bytes: &[u8], said: Separator, earlier: Option<Separator>, usual: Option<u8>) -> Self {
        let (start, own) = declared(bytes);
        let sample = &bytes[start..];
        let first = sample.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let separator = match (said, earlier) {
            (Separator::Mark(mark), _) => mark,
            (Separator::Auto, Some(Separator::Mark(mark))) if first.contains(&mark) => mark,
            (Separator::Auto, _) => own.or(usual).unwrap_or_else(|| found(sample)),
        };
        let lines = counts(sample, separator);
        let one_more = match lines[..] {
            [(first, _), ref others @ ..] if first > 0 => {
                !others.is_empty() && others.iter().all(|&(count, _)| count == first + 1)
            }
            _ => false,
        };
        let trailing = one_more && lines[1..].iter().all(|&(_, is_open)| is_open);
        Self { separator, start, skipped: u64::from(start > 0), unnamed: one_more && !trailing, trailing }
    }
}

/// The length of a first line `sep=;`, and its mark.
fn declared(bytes: &[u8]) -> (usize, Option<u8>) {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match text {
        [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', mark, rest @ ..]
            if matches!(rest, [b'\n', ..] | [b'\r', b'\n', ..]) =>
        {
            let end = if rest[0] == b'\r' { 2 } else { 1 };
            (bytes.len() - rest.len() + end, Some(*mark))
        }
        _ => (0, None),
    }
}

/// How many cells the first lines have, and whether the last of them is empty.
fn counts(bytes: &[u8], separator: u8) -> Vec<(usize, bool)> {
    let cut = &bytes[..bytes.len().min(BYTES)];
    let mut records = reader(cut, separator).into_byte_records();
    let is_open = |record: &csv::ByteRecord| record.iter().next_back().is_some_and(|cell| cell.trim_ascii().is_empty());
    let mut counts: Vec<(usize, bool)> =
        (records.by_ref().take(LINES).map_while(Result::ok)).map(|record| (record.len(), is_open(&record))).collect();
    // The last line of a piece is cut somewhere.
    if cut.len() < bytes.len() && counts.len() < LINES && counts.len() > 1 {
        counts.pop();
    }
    counts
}

/// The mark that cuts all lines into as many cells, more than one; if none does, the one that does so for most lines.
fn found(bytes: &[u8]) -> u8 {
    let agreement = |mark: u8| -> f64 {
        let counts: Vec<usize> = counts(bytes, mark).into_iter().map(|(count, _)| count).collect();
        let alike = |count: usize| counts.iter().filter(|&&other| other == count).count();
        let (most, cells) = counts.iter().map(|&count| (alike(count), count)).max().unwrap_or((0, 0));
        let share = most as f64 / counts.len().max(1) as f64;
        // A first line that lacks one name is no fault.
        let unnamed = counts.len() > 2 && most + 1 == counts.len() && counts[0] + 1 == cells && counts[0] > 1;
        let whole = if quotes_begin_cells(bytes, mark) { 1.0 } else { 0.5 };
        let full = if unnamed { whole } else { whole * share };
        let fits = cells > 1 && (mark != b' ' || full == 1.0);
        if fits { full } else { 0.0 }
    };
    let mut best = (b',', 0.0);
    for mark in MARKS {
        let agreement = agreement(mark);
        if agreement > best.1 {
            best = (mark, agreement);
        }
    }
    best.0
}

/// Whether no cell has text before its first quote, as far as is looked at.
fn quotes_begin_cells(bytes: &[u8], mark: u8) -> bool {
    let mut quoted = false;
    let mut begins = true;
    for &byte in &bytes[..bytes.len().min(BYTES)] {
        if byte == b'"' {
            if !quoted && !begins {
                return false;
            }
            quoted = !quoted;
            // A second quote within a cell is one that is written twice.
            begins = !quoted;
        } else if !quoted {
            begins = byte == mark || byte.is_ascii_whitespace();
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn separator(text: &str) -> char {
        char::from(Layout::of(text.as_bytes(), Separator::Auto, None, None).separator)
    }

    #[test]
    fn the_mark_that_cuts_all_lines_alike_separates_cells() {
        for (text, mark) in [
            ("a,b\n1,2\n", ','),
            ("a;b, in mm;y\n1;2;3\n4;5;6\n", ';'),
            ("a;b\n1,5;2,5\n", ';'),
            ("1,5;2,5\n2,5;3,5\n", ';'),
            ("a|b|y\n1|2|3\n", '|'),
            ("a\tb, c\n1\t2\n", '\t'),
            ("a b y\n1 2 3\n", ' '),
            ("a,\"b;c;d\"\n1,\"2;3;4\"\n", ','),
            ("a,b\n\"x;y\",2\n\"x\n;y\",2\n", ','),
            ("a,b,y\n1,2,3\n1,2\n4,5,6\n", ','),
            ("y\n1\n2\n", ','),
            ("text\nsome words\nother words here\n", ','),
            ("sep=|\na|b\n1|2\n", '|'),
        ] {
            assert_eq!(separator(text), mark, "{text}");
        }
    }

    #[test]
    fn a_first_line_with_one_name_fewer_lacks_that_of_the_first_column() {
        let layout = Layout::of(b"\"a\" \"y\"\n\"1\" 2 3\n\"2\" 4 5\n", Separator::Auto, None, None);
        assert!(layout.unnamed && layout.separator == b' ');
        assert!(!Layout::of(b"a,y\n1,2\n3,4,5\n", Separator::Auto, None, None).unnamed);
    }

    #[test]
    fn a_mark_at_the_end_of_all_lines_but_the_first_begins_no_cell() {
        for text in ["a,b\n1,2,\n3,4,\n", "a;b\r\n1;2;\r\n3;4; \r\n"] {
            let layout = Layout::of(text.as_bytes(), Separator::Auto, None, None);
            assert!(layout.trailing && !layout.unnamed, "{text}");
        }
        assert!(Layout::of(b"a,y\n1,2,\n3,4,5\n", Separator::Auto, None, None).unnamed);
    }
}

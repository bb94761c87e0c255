//! Names of columns from what a user writes: names, ranges of them and patterns.

use std::collections::HashSet;
use std::ops::Range;

/// Names of columns from parts of a list that was cut at commas. Where a part is no column, it may be one together with
/// the parts after it; else it may be a range, `x0..x67`, or a pattern with `*`, `*_x`, of which all columns are named
/// that are not named before, in the order of the table. What is none of these stays as it is.
pub(crate) fn resolved<S: AsRef<str>>(parts: &[String], columns: &[S]) -> Vec<String> {
    if parts.is_empty() {
        return Vec::new();
    }
    let there: HashSet<&str> = columns.iter().map(AsRef::as_ref).collect();
    let mut names: Vec<String> = Vec::new();
    let mut at = 0;
    while at < parts.len() {
        let joined = |end: usize| parts[at..end].join(",");
        if let Some(end) = (at + 1..=parts.len()).find(|&end| there.contains(joined(end).as_str())) {
            names.push(joined(end));
            at = end;
            continue;
        }
        let found = meant(&parts[at], columns);
        let before: HashSet<String> = names.iter().cloned().collect();
        names.extend(found.iter().filter(|&&name| !before.contains(name)).map(|&name| name.to_owned()));
        if found.is_empty() {
            names.push(parts[at].clone());
        }
        at += 1;
    }
    names
}

/// The columns of a range or a pattern.
fn meant<'a, S: AsRef<str>>(part: &str, columns: &'a [S]) -> Vec<&'a str> {
    let names = || columns.iter().map(AsRef::as_ref);
    if part.contains('*') {
        return names().filter(|name| matches(part, name)).collect();
    }
    let Some((first, last)) = part.split_once("..") else { return Vec::new() };
    let place = |end: &str| names().position(|name| name == end);
    let (Some(from), Some(to)) = (place(first), place(last)) else { return Vec::new() };
    if let Some((number, from, to)) = numbered(first, last) {
        let (prefix, suffix) = (&first[..number.start], &first[number.end..]);
        let value = |name: &str| -> Option<u64> {
            let digits = name.strip_prefix(prefix)?.strip_suffix(suffix)?;
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
        };
        return names().filter(|name| value(name).is_some_and(|value| (from..=to).contains(&value))).collect();
    }
    names().skip(from).take((to + 1).saturating_sub(from)).collect()
}

/// Where the number stands in the first one of two names that differ in one number alone, and both numbers.
fn numbered(first: &str, last: &str) -> Option<(Range<usize>, u64, u64)> {
    let alike = first.bytes().zip(last.bytes()).take_while(|(a, b)| a == b).count();
    let digits = |text: &str| text.bytes().rev().take_while(u8::is_ascii_digit).count();
    // The number begins where digits do, which may be before the first that differs.
    let start = alike - digits(first.get(..alike)?);
    let length = |text: &str| text[start..].bytes().take_while(u8::is_ascii_digit).count();
    let (one, other) = (length(first), length(last));
    let is_rest = first[start + one..] == last[start + other..];
    let value = |text: &str, length: usize| text[start..start + length].parse().ok();
    is_rest.then_some((start..start + one, value(first, one)?, value(last, other)?))
}

/// Whether a name is what a pattern says, in which `*` stands for any text.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let (first, last) = (parts.next().unwrap_or_default(), parts.next_back().unwrap_or_default());
    let Some(inner) = name.strip_prefix(first).and_then(|rest| rest.strip_suffix(last)) else { return false };
    let mut rest = inner;
    parts.all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str, columns: &[&str]) -> Vec<String> {
        resolved(&text.split(',').map(str::to_owned).collect::<Vec<_>>(), columns)
    }

    #[test]
    fn names_with_commas_are_put_together_again() {
        let columns = ["a", "b, in mm", "c,d,e"];
        assert_eq!(names("a,b, in mm,c,d,e", &columns), ["a", "b, in mm", "c,d,e"]);
        assert_eq!(names("x,a", &columns), ["x", "a"]);
    }

    #[test]
    fn a_range_is_of_numbers_where_names_differ_in_one_and_else_of_places() {
        let keypoints = ["id", "x0", "y0", "x1", "y1", "x10", "y10", "x2", "y2"];
        assert_eq!(names("x0..x2", &keypoints), ["x0", "x1", "x2"]);
        assert_eq!(names("x1..x10", &keypoints), ["x1", "x10", "x2"]);
        assert_eq!(names("y0..x10", &keypoints), ["y0", "x1", "y1", "x10"]);
        assert_eq!(names("p1_x..p3_x", &["p1_x", "p1_y", "p2_x", "p3_x"]), ["p1_x", "p2_x", "p3_x"]);
        assert_eq!(names("a10..a12", &["a1", "a10", "a11", "a12", "a100"]), ["a10", "a11", "a12"]);
        for wrong in ["x0..x3", "x2..x0", "x0..", "..", "..x1", "y2..id"] {
            assert_eq!(names(wrong, &keypoints), [wrong], "{wrong}");
        }
    }

    #[test]
    fn a_star_stands_for_any_text_and_columns_are_named_once() {
        let columns = ["0_x", "0_y", "1_x", "name", "a*b"];
        assert_eq!(names("*_x", &columns), ["0_x", "1_x"]);
        assert_eq!(names("1_x,*_x,0_y", &columns), ["1_x", "0_x", "0_y"]);
        assert_eq!(names("n*m*", &columns), ["name"]);
        assert_eq!(names("*", &columns), columns);
        assert_eq!(names("a*b", &columns), ["a*b"]);
        assert_eq!(names("aa*aa", &["aaa"]), ["aa*aa"], "no letter counts twice");
    }
}

//! Whether the first line names the columns, and their names.

use std::collections::HashSet;

use super::evidence::{Evidence, Rules};
use super::options::{Header, ReadOptions};

/// The names of the columns.
pub(super) struct Names {
    pub(super) columns: Vec<String>,
    /// Whether the first line is a row.
    pub(super) headless: bool,
    pub(super) notes: Vec<String>,
}

impl Names {
    /// From the cells of the first line, and what is known of the columns below it.
    pub(super) fn of(first: &[String], below: &[Evidence], options: &ReadOptions, rules: Rules<'_>) -> Self {
        let mut notes = Vec::new();
        let known: HashSet<&String> = options.wanted.iter().collect();
        let wanted = first.iter().any(|cell| known.contains(cell));
        let earlier = options.earlier.as_ref();
        let headless = match options.header {
            Header::Yes => false,
            Header::No => true,
            Header::Auto if wanted => false,
            Header::Auto if earlier.is_some_and(|earlier| earlier.headless) => true,
            Header::Auto => looks_like_a_row(first, below, rules),
        };
        if headless {
            let (names, last) = ((1..=first.len()).map(numbered).collect(), first.len());
            let how = if options.header == Header::No { "" } else { "; --header yes takes the first line for names" };
            notes.push(format!("no header; the columns are called column_1 to column_{last}{how}"));
            return Self { columns: names, headless, notes };
        }
        let numbers = first.iter().filter(|cell| Evidence::of(cell, rules).numbers > 0).count();
        if numbers > 0 && options.header == Header::Auto && !wanted {
            notes
                .push("the first line is the header, though it has numbers; --header no takes it for a row".to_owned());
        }
        let taken: HashSet<&str> = first.iter().map(String::as_str).collect();
        let mut seen = HashSet::new();
        let mut names: Vec<String> = Vec::new();
        let (mut nameless, mut repeated) = (Vec::new(), Vec::new());
        for (j, cell) in first.iter().enumerate() {
            let name = if cell.is_empty() { numbered(j + 1) } else { cell.clone() };
            // A column without a name and without cells is left away.
            if cell.is_empty() && !below[j].is_empty() {
                nameless.push(j + 1);
            }
            // Other columns keep the names that they have.
            let is_free = |name: &str| !seen.contains(name) && (name == cell || !taken.contains(name));
            let free = (2..).map(|number| format!("{name}_{number}"));
            let name = std::iter::once(name.clone()).chain(free).find(|name| is_free(name)).unwrap_or_default();
            if !cell.is_empty() && name != *cell {
                repeated.push(format!("`{name}`"));
            }
            seen.insert(name.clone());
            names.push(name);
        }
        match nameless[..] {
            [] => {}
            [only] => notes.push(format!("column {only} has no name and is called {}", names[only - 1])),
            [one, ..] => {
                let more = nameless.len() - 1;
                notes.push(format!("column {one} and {more} more have no name and are called {}, ..", names[one - 1]));
            }
        }
        if !repeated.is_empty() {
            let shown = repeated.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
            let more = repeated.len().saturating_sub(3);
            let others = if more > 0 { format!(" and {more} more") } else { String::new() };
            notes.push(format!("names that are there twice have got numbers: {shown}{others}"));
        }
        Self { columns: names, headless, notes }
    }
}

/// What the column in a place is called, counted from 1.
pub(in crate::data) fn numbered(column: usize) -> String {
    format!("column_{column}")
}

/// Whether the first line looks like the lines below it. It does
///
/// * never, if it has text over a column of numbers or dates, or of more of these than of text: files that were put together
///   repeat their header;
/// * if all of it is numbers, dates or gaps, unless it counts 0, 1, 2, .. over numbers that do not;
/// * if a number with decimals or a sign stands over a column of numbers;
/// * if it has numbers, and one of its texts comes again in its column;
/// * if it is text alone, and every cell comes again in its column.
fn looks_like_a_row(first: &[String], below: &[Evidence], rules: Rules<'_>) -> bool {
    let cells: Vec<Evidence> = first.iter().map(|cell| Evidence::of(cell, rules)).collect();
    let is_text = |cell: &Evidence| cell.texts > 0;
    let measured = |column: &Evidence| column.texts == 0 && column.numbers + column.dates > 0;
    let pairs = || cells.iter().zip(below);
    let mostly_measured = |column: &Evidence| column.numbers + column.dates > column.texts;
    if pairs().any(|(cell, below)| is_text(cell) && mostly_measured(below)) {
        return false;
    }
    let texts = || pairs().filter(|(cell, _)| is_text(cell));
    let has_values = cells.iter().any(|cell| cell.numbers + cell.dates > 0);
    if texts().next().is_none() {
        // Names that a program made, perhaps beside a column of row numbers that has none.
        let made = if first[0].is_empty() { &first[1..] } else { first };
        let counts = first.len() > 2 && made.iter().zip(0..).all(|(cell, j)| *cell == j.to_string());
        return has_values && !(counts && below.iter().any(|column| column.whole < column.numbers));
    }
    if !has_values {
        return first.len() > 1 && texts().all(|(_, below)| below.first_again);
    }
    pairs().any(|(cell, below)| cell.whole < cell.numbers && measured(below))
        || texts().any(|(_, below)| below.first_again)
}

#[cfg(test)]
mod tests {
    use crate::data::table_of;

    fn names(text: &str) -> Vec<String> {
        table_of(text).columns().iter().map(|column| column.name.clone()).collect()
    }

    #[test]
    fn a_first_line_that_is_like_the_others_is_a_row() {
        for text in [
            "1,2\n3,4\n",
            "5.0,3.1,seto\n6.1,3.5,versi\n",
            "5,3,seto\n6,3,versi\n5,4,seto\n",
            "p,x\ne,y\np,x\n",
            "2020-01-01,5\n2020-01-02,6\n",
            ",5\n3,4\n",
        ] {
            assert!(names(text)[0] == "column_1" && table_of(text).rows() == text.lines().count(), "{text}");
        }
    }

    #[test]
    fn a_first_line_of_names_is_a_header_though_names_be_numbers() {
        for (text, last) in [
            ("a,b\n1,2\n", "b"),
            ("country,1990,1991\nfr,1,2\nde,3,4\n", "1991"),
            ("0,1,2\n0.5,1.5,7\n0.1,0.2,0.3\n", "2"),
            (",0,1\n0,0.5,7\n1,0.1,0.3\n", "1"),
            ("name,kind\nann,x\nbob,y\n", "kind"),
            ("a,b\n1,2\n3,4\na,b\n5,6\n", "b"),
            (",y\n0,5\n1,6\n", "y"),
        ] {
            assert_eq!(names(text).last().map(String::as_str), Some(last), "{text}");
        }
    }

    #[test]
    fn names_that_are_there_twice_get_numbers() {
        assert_eq!(names("a,a,a_2,a\n1,2,3,4\n"), ["a", "a_3", "a_2", "a_4"]);
        assert!(table_of("a,a\n1,2\n").notes().iter().any(|note| note.contains("`a_2`")));
    }
}

//! Columns that number the rows: programs write them beside the data, and there is nothing to learn from them. On a sorted
//! file they foretell the target all the same, and nonsense for new rows.

use std::collections::HashSet;

use super::{Cells, Column, Table};

/// What such columns are called, in lower case.
const NAMES: [&str; 13] =
    ["index", "id", "row", "rowid", "row_id", "rownames", "row_number", "nr", "no", "no.", "#", "x1", "...1"];

/// The columns that number the rows, but for those that the user speaks of.
pub(super) fn index_columns(table: &Table, spoken_of: &[String]) -> Vec<String> {
    let others: HashSet<&String> = spoken_of.iter().collect();
    // Of an array no column has a name.
    let nameless = table.columns().iter().all(|column| column.name.starts_with("column_"));
    let open = table.columns().iter().enumerate().filter(|(_, column)| !others.contains(&column.name));
    let mut found: Vec<String> = open
        .filter(|(j, column)| numbers_rows(column, (!nameless).then_some(*j)))
        .map(|(_, column)| column.name.clone())
        .collect();
    if found.len() + 1 >= table.columns().len() {
        // What little there is may be meant.
        found.clear();
    }
    found
}

/// `place` is where the column stands, if names are there at all.
fn numbers_rows(column: &Column, place: Option<usize>) -> bool {
    let Cells::Numbers(values) = &column.cells else { return false };
    let name = column.name.to_lowercase();
    let unnamed = place.is_some_and(|place| name == format!("column_{}", place + 1)) || name.starts_with("unnamed: ");
    if values.len() < 3 || !(unnamed || NAMES.contains(&name.as_str())) {
        return false;
    }
    let counts = |from: f64| values.iter().enumerate().all(|(row, &value)| value == from + row as f64);
    // Without a name also the numbers of rows that were mixed or chosen: whole, each once, in no order.
    counts(0.0) || counts(1.0) || (name.starts_with("unnamed: ") && are_numbers_of_rows(values))
}

fn are_numbers_of_rows(values: &[f64]) -> bool {
    let mut seen = HashSet::with_capacity(values.len());
    values.iter().all(|&value| value >= 0.0 && value.fract() == 0.0 && seen.insert(value.to_bits()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::table_of;

    #[test]
    fn columns_that_count_the_rows_are_found_by_name_and_values() {
        let found = |text: &str, spoken_of: &[&str]| {
            index_columns(&table_of(text), &spoken_of.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(found(",a,y\n0,5,1\n1,3,1\n2,4,2\n", &[]), ["column_1"]);
        assert_eq!(found("Unnamed: 0,a,y\n7,5,1\n1,3,1\n2,4,2\n", &[]), ["Unnamed: 0"]);
        assert_eq!(found("id,a,y\n1,5,1\n2,3,1\n3,4,2\n", &[]), ["id"]);
        assert!(found("id,a,y\n1,5,1\n2,3,1\n4,4,2\n", &[]).is_empty());
        assert!(found("t,a,y\n1,5,1\n2,3,1\n3,4,2\n", &[]).is_empty());
        assert!(found("id,a,y\n1,5,1\n2,3,1\n3,4,2\n", &["id"]).is_empty());
        assert!(found("id,y\n1,5\n2,3\n3,4\n", &[]).is_empty());
    }
}

//! Reading NPY and NPZ: one array or an archive of several, side by side; a missing value is NaN.

use std::io::Cursor;

use zip::ZipArchive;

use super::reading::numbered;
use super::{Cells, Column, Table};
use crate::error::{Error, Result};
use crate::format::bounded::{check_numbers, read_all};
use crate::format::npy::Array;

/// The array of an archive that is learned unless the user names another.
const TARGET: &str = "y";

/// The columns of an NPY file are called `column_1` and so on.
pub(super) fn npy(origin: &str, bytes: &[u8]) -> Result<Table> {
    let mut columns = Vec::new();
    append(origin, bytes, |j, _| numbered(j + 1), &mut columns)?;
    let mut table = Table::from_columns(origin, columns)?;
    table.reading.places = table.columns.len();
    Ok(table)
}

/// The columns of an NPZ file are called as its arrays: `y`, or `X_1` and so on for an array of several columns.
pub(super) fn npz(origin: &str, file: &[u8]) -> Result<Table> {
    let fail = |origin: &str, reason: String| Error::Array { origin: origin.to_owned(), reason };
    let mut archive =
        ZipArchive::new(Cursor::new(file)).map_err(|error| fail(origin, format!("not an NPZ file: {error}")))?;
    let mut columns: Vec<Column> = Vec::new();
    let mut targets = Vec::new();
    let mut first: Option<(String, usize)> = None;
    for number in 0..archive.len() {
        let mut member = archive.by_index(number).map_err(|error| fail(origin, error.to_string()))?;
        let file = member.name().map_err(|error| fail(origin, error.to_string()))?;
        let Some(name) = file.strip_suffix(".npy").map(str::to_owned) else { continue };
        let within = format!("{origin}: array `{name}`");
        let bytes = read_all(&mut member, |error| fail(&within, error.to_string()))?;
        let named = |j: usize, all: usize| if all == 1 { name.clone() } else { format!("{name}_{}", j + 1) };
        let start = columns.len();
        let rows = append(&within, &bytes, named, &mut columns)?;
        if name == TARGET {
            targets = columns[start..].iter().map(|column| column.name.clone()).collect();
        }
        let (of, expected) = first.get_or_insert_with(|| (name.clone(), rows));
        if rows != *expected {
            return Err(fail(&within, format!("{rows} rows where `{of}` has {expected}; every row is one sample")));
        }
    }
    if first.is_none() {
        return Err(Error::EmptyFile { origin: origin.to_owned() });
    }
    let mut table = Table::from_columns(origin, columns)?;
    table.targets = targets;
    Ok(table)
}

/// Adds the columns of an array; returns its rows.
fn append(
    origin: &str,
    bytes: &[u8],
    name: impl Fn(usize, usize) -> String,
    columns: &mut Vec<Column>,
) -> Result<usize> {
    let fail = |reason| Error::Array { origin: origin.to_owned(), reason };
    let array = Array::parse(bytes).map_err(fail)?;
    let (rows, width) = array.matrix_shape().ok_or_else(|| {
        fail(format!(
            "an array of {} axes; a table has one or two, the first one for samples",
            array.header.shape.len()
        ))
    })?;
    if rows == 0 || width == 0 {
        return Err(Error::EmptyFile { origin: origin.to_owned() });
    }
    check_numbers("the array", rows, width)?;
    columns.extend((0..width).map(|j| Column { name: name(j, width), cells: Cells::Numbers(array.column(j)) }));
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use gramstep::Matrix;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn array(rows: usize, columns: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let value = |i: usize, j: usize| if (i, j) == (1, 0) { f64::NAN } else { (10 * i + j) as f64 };
        crate::format::npy::write(&Matrix::from_fn(rows, columns, value), &mut bytes).unwrap();
        bytes
    }

    fn archive(arrays: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in arrays {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn names(table: &Table) -> Vec<&str> {
        table.columns().iter().map(|column| column.name.as_str()).collect()
    }

    #[test]
    fn the_columns_of_an_array_are_numbered_and_nan_is_missing() {
        let table = npy("a.npy", &array(3, 2)).unwrap();
        assert_eq!((table.rows(), names(&table)), (3, vec!["column_1", "column_2"]));
        assert!(table.columns()[0].is_missing(1) && !table.columns()[1].is_missing(1));
        assert_eq!(table.columns()[1].text(2).as_deref(), Some("21"));
    }

    #[test]
    fn the_arrays_of_an_archive_are_columns_under_their_names_and_y_is_the_target() {
        let file = archive(&[("y.npy", array(3, 1)), ("X.npy", array(3, 2)), ("notes.txt", b"-".to_vec())]);
        let table = npz("a.npz", &file).unwrap();
        assert_eq!(names(&table), ["y", "X_1", "X_2"]);
        assert_eq!((table.targets.as_slice(), table.rows()), (["y".to_owned()].as_slice(), 3));
        let table = npz("a.npz", &archive(&[("y.npy", array(3, 2)), ("X.npy", array(3, 1))])).unwrap();
        assert_eq!(table.targets, ["y_1", "y_2"]);
    }

    #[test]
    fn arrays_that_do_not_fit_together_are_refused_by_name() {
        let error = |arrays: &[(&str, Vec<u8>)]| npz("a.npz", &archive(arrays)).unwrap_err();
        let message = error(&[("X_train.npy", array(3, 2)), ("X_test.npy", array(2, 2))]).to_string();
        assert!(message.contains("`X_test`") && message.contains("`X_train` has 3"), "{message}");
        assert!(matches!(error(&[]), Error::EmptyFile { .. }));
        assert!(matches!(error(&[("X.npy", array(0, 2))]), Error::EmptyFile { .. }));
        assert!(matches!(error(&[("a.npy", array(3, 2)), ("a_1.npy", array(3, 1))]), Error::DuplicateColumn { .. }));
        assert!(error(&[("X.npy", b"noise".to_vec())]).to_string().contains("`X`"));
        let noise = npz("a.npz", b"noise").unwrap_err();
        assert!(noise.to_string().starts_with("a.npz: not an NPZ file"), "{noise}");
    }
}

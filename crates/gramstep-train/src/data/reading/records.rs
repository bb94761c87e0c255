//! Walking the lines of a delimited file.

use super::cells::reader;
use super::layout::Layout;
use crate::error::{Error, Result};

/// Calls `visit` with the line and the cells of every record, the first one included. A first line that has one name
/// fewer than the others have cells lacks the name of the first column, unless the others end with a mark.
pub(super) fn walk(
    layout: Layout,
    origin: &str,
    bytes: &[u8],
    mut visit: impl FnMut(u64, &csv::StringRecord) -> Result<()>,
) -> Result<()> {
    let mut reader = reader(&bytes[layout.start..], layout.separator);
    let mut record = csv::StringRecord::new();
    let mut cells = None;
    loop {
        match reader.read_record(&mut record) {
            Ok(false) => return Ok(()),
            Ok(true) => {}
            Err(error) => {
                let line = layout.skipped + error.position().map_or(0, csv::Position::line);
                return Err(Error::NotText { origin: origin.to_owned(), line });
            }
        }
        let line = layout.skipped + record.position().map_or(0, csv::Position::line);
        if cells.is_none() && layout.unnamed {
            let named = std::iter::once("").chain(record.iter());
            record = named.collect();
        }
        let expected = *cells.get_or_insert(record.len());
        if layout.trailing && record.len() == expected + 1 && record[expected].trim().is_empty() {
            record.truncate(expected);
        }
        if record.len() != expected {
            return Err(Error::Ragged { origin: origin.to_owned(), line, expected, found: record.len() });
        }
        visit(line, &record)?;
    }
}

//! Lines cut into cells.

/// The reader that cuts lines into cells, which are not trimmed: `csv` would copy every record for it.
pub(super) fn reader(bytes: &[u8], separator: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(separator).from_reader(bytes)
}

/// The cells of a record without spaces at their ends.
pub(super) fn cells(record: &csv::StringRecord) -> impl Iterator<Item = &str> {
    record.iter().map(str::trim)
}

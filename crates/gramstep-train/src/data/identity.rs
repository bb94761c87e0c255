//! What data are known by: a hash of their contents.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::keys::bits;
use super::{Cells, Table};

/// A BLAKE3 hash of names and values: the same for the same data, wherever they are and however their file is laid out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DataHash(String);

impl fmt::Display for DataHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Hashes tables and numbers, one after another.
#[derive(Default)]
pub(crate) struct DataHasher(blake3::Hasher);

impl DataHasher {
    /// Adds a table: names, kinds and values of its columns.
    pub(crate) fn table(&mut self, table: &Table) {
        self.count(table.rows());
        for column in table.columns() {
            self.text(&column.name);
            match &column.cells {
                Cells::Numbers(values) | Cells::Dates(values) => self.numbers(values.iter().copied()),
                Cells::Text(text) => {
                    self.count(text.values.len());
                    self.texts(&text.values);
                    text.codes.chunks(1 << 12).for_each(|chunk| {
                        self.0.update(&chunk.iter().flat_map(|code| code.to_le_bytes()).collect::<Vec<_>>());
                    });
                }
                Cells::Images(images) => {
                    let geometry = images.geometry;
                    for extent in [geometry.height, geometry.width, geometry.channels] {
                        self.count(extent);
                    }
                    self.0.update(&images.pixels);
                }
            }
        }
    }

    /// Adds numbers.
    pub(crate) fn numbers(&mut self, values: impl Iterator<Item = f64>) {
        let mut buffer = Vec::with_capacity(1 << 15);
        for value in values {
            buffer.extend(bits(value).to_le_bytes());
            if buffer.len() == 1 << 15 {
                self.0.update(&buffer);
                buffer.clear();
            }
        }
        self.0.update(&buffer);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.update(text.as_bytes());
    }

    pub(crate) fn texts(&mut self, texts: &[String]) {
        for text in texts {
            self.text(text);
        }
    }

    pub(crate) fn count(&mut self, count: usize) {
        self.0.update(&(count as u64).to_le_bytes());
    }

    pub(crate) fn finish(&self) -> DataHash {
        DataHash(self.0.finalize().to_hex().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::table_of;

    fn hash(text: &str) -> DataHash {
        let mut hasher = DataHasher::default();
        hasher.table(&table_of(text));
        hasher.finish()
    }

    #[test]
    fn any_value_or_name_changes_the_hash_and_the_layout_of_the_file_does_not() {
        let own = hash("a,c,y\n1,x,2\n3,z,4\n");
        assert_eq!(own, hash("a;c;y\n1.0;x;2\n3;z;4e0\n"));
        for other in
            ["a,c,y\n1,x,2\n3,z,5\n", "b,c,y\n1,x,2\n3,z,4\n", "a,c,y\n1,x,2\n3,x,4\n", "a,c,y\n3,z,4\n1,x,2\n"]
        {
            assert_ne!(own, hash(other), "{other}");
        }
    }
}

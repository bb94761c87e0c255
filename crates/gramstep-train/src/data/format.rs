//! The formats that data come in, said by the user or guessed from names.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::images;
use crate::error::{Error, Result};
use crate::format::words::words;

words! {
    /// How data are laid out in a file or a folder.
    Format as "format" {
        /// A file of columns separated by commas, or by `;`, tabs, `|` or spaces, as the lines show; also compressed (gzip).
        Csv = "csv",
        /// A file of columns separated by tabs.
        Tsv = "tsv",
        /// A file with one array of numbers, as NumPy writes it: a row for each sample.
        Npy = "npy",
        /// An archive of such arrays.
        Npz = "npz",
        /// A folder of images, `<age>/<111|112>/*`, as AFAD: 111 is male, 112 female.
        Afad = "afad",
        /// A `.csv` and a folder of images, as the bone-age set of the RSNA.
        Rsna = "rsna",
        /// A folder of images for each class.
        Classes = "classes",
        /// Images and labels as IDX files, as MNIST: the file of images, or a folder with both.
        Idx = "idx",
    }
}

impl Format {
    /// The format of a file by its name; none for a folder, whose layout is seen when it is read.
    pub(super) fn of_file(path: &Path) -> Option<Self> {
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().to_ascii_lowercase());
        let plain = name.strip_suffix(".gz").unwrap_or(&name);
        match plain.rsplit_once('.').map_or("", |(_, extension)| extension) {
            "csv" => Some(Self::Csv),
            "tsv" => Some(Self::Tsv),
            "npy" => Some(Self::Npy),
            "npz" => Some(Self::Npz),
            _ => images::is_idx(path).then_some(Self::Idx),
        }
    }
}

//! Images as bytes.

/// Pixels of equally large images, row by row, channels innermost.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct Images {
    /// Size and channels of every image.
    pub geometry: Geometry,
    /// One after another.
    pub pixels: Vec<u8>,
    /// Rows of the source that have no image among these.
    pub gaps: Vec<Gap>,
}

/// A row of the source whose image cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct Gap {
    /// Its place among all rows of the source.
    pub row: usize,
    /// The name of its file, or of the image that it asks for.
    pub name: String,
}

/// Size and channels of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct Geometry {
    /// Rows of pixels.
    pub height: usize,
    /// Pixels of a row.
    pub width: usize,
    /// 1 for grey, 3 for colour.
    pub channels: usize,
    /// The value of a channel of 16 bits that becomes 255.
    #[serde(default = "full", skip_serializing_if = "is_full")]
    pub white: u16,
}

fn full() -> u16 {
    u16::MAX
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde calls it
fn is_full(white: &u16) -> bool {
    *white == u16::MAX
}

impl Geometry {
    /// Of images of 8 bits a channel, or of 16 that are all used.
    #[must_use]
    pub fn new(height: usize, width: usize, channels: usize) -> Self {
        Self { height, width, channels, white: full() }
    }

    /// Numbers of one image.
    #[must_use]
    #[allow(clippy::len_without_is_empty)]
    pub fn len(self) -> usize {
        // A damaged model file may ask for more than there can be.
        self.height.saturating_mul(self.width).saturating_mul(self.channels)
    }
}

impl Images {
    /// The bytes of one image.
    #[must_use]
    pub fn image(&self, row: usize) -> &[u8] {
        let length = self.geometry.len();
        &self.pixels[row * length..(row + 1) * length]
    }
}

/// Keeps the entries of some rows.
pub(in crate::data) fn retain<V>(values: &mut Vec<V>, keep: impl Fn(usize) -> bool) {
    let mut row = 0;
    values.retain(|_| {
        row += 1;
        keep(row - 1)
    });
}

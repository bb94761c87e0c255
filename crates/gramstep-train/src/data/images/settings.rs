//! How images are read: size, colour, and what becomes of broken ones.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Geometry;
use crate::error::{Error, Result};
use crate::format::text_or_number::TextOrNumber;
use crate::format::words::words;

/// The settings of reading images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImageSettings {
    /// The size that every image is brought to; `None` is that of the first image, at most 32×32.
    pub size: Option<ImageSize>,
    /// Grey or colour.
    pub colour: Colour,
    /// What becomes of an image that cannot be read.
    pub broken: BrokenImages,
    /// Threads that decode.
    pub threads: usize,
    /// The value of a channel of 16 bits that becomes 255; `None` is the least that all files suggest.
    pub white: Option<u16>,
    /// Whether rows without image stay, as [gaps](super::Images::gaps), where broken ones are skipped.
    pub gaps: bool,
}

impl Default for ImageSettings {
    fn default() -> Self {
        Self { size: None, colour: Colour::Auto, broken: BrokenImages::Refuse, threads: 1, white: None, gaps: false }
    }
}

impl ImageSettings {
    /// For images that have to be of this size and these channels, where they are known.
    pub(crate) fn of(geometry: Option<Geometry>, broken: BrokenImages, threads: usize) -> Self {
        let known = geometry.map(|Geometry { height, width, channels, .. }| {
            (ImageSize { height, width }, if channels == 1 { Colour::Grey } else { Colour::Rgb })
        });
        let (size, colour) = known.map_or((None, Colour::Auto), |(size, colour)| (Some(size), colour));
        Self { size, colour, broken, threads, white: geometry.map(|geometry| geometry.white), gaps: false }
    }
}

/// Height and width, written `32` or `64x48`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "TextOrNumber", into = "TextOrNumber")]
#[allow(clippy::exhaustive_structs)]
pub struct ImageSize {
    /// Rows of pixels.
    pub height: usize,
    /// Pixels of a row.
    pub width: usize,
}

/// The largest side: a slip of the finger should not fill the memory.
const LARGEST_SIDE: usize = 4096;

impl FromStr for ImageSize {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let side = |text: &str| text.parse().ok().filter(|side| (1..=LARGEST_SIDE).contains(side));
        let sides = match text.split_once('x') {
            Some((height, width)) => side(height).zip(side(width)),
            None => side(text).map(|side| (side, side)),
        };
        sides.map(|(height, width)| Self { height, width }).ok_or_else(|| Error::Setting {
            name: "image-size",
            value: text.to_owned(),
            range: "a side such as 32, or HEIGHTxWIDTH such as 64x48, in pixels up to 4096".to_owned(),
        })
    }
}

impl fmt::Display for ImageSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.height == self.width {
            return write!(f, "{}", self.height);
        }
        write!(f, "{}x{}", self.height, self.width)
    }
}

impl TryFrom<TextOrNumber> for ImageSize {
    type Error = Error;
    fn try_from(value: TextOrNumber) -> Result<Self> {
        value.to_string().parse()
    }
}

impl From<ImageSize> for TextOrNumber {
    fn from(size: ImageSize) -> Self {
        Self::Text(size.to_string())
    }
}

words! {
    /// Grey or colour.
    Colour as "colour" {
        /// As the first image is.
        Auto = "auto",
        /// One channel.
        Grey = "grey",
        /// Red, green and blue.
        Rgb = "rgb",
    }
}

words! {
    /// What becomes of an image that cannot be read, and of a row without image.
    BrokenImages as "broken-images" {
        /// An error that names it.
        Refuse = "refuse",
        /// It is left out, and named.
        Skip = "skip",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_back_and_nonsense_is_refused() {
        for text in ["32", "64x48"] {
            assert_eq!(text.parse::<ImageSize>().unwrap().to_string(), text);
        }
        for text in ["", "0", "x", "32x", "5000", "-3", "1x1x1"] {
            assert!(text.parse::<ImageSize>().is_err(), "{text}");
        }
    }
}

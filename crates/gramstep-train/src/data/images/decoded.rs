//! What became of a list of image files.

use super::{Geometry, Images};

/// What is said of images that do not fit in memory.
pub(super) const FEWER: &str = "give fewer images, or make them smaller with --image-size";

/// The images of a list of files.
#[derive(Debug)]
pub(super) struct Decoded {
    /// The readable ones, in order.
    pub(super) images: Images,
    /// The others, and why.
    pub(super) broken: Vec<(usize, String)>,
    /// How many were of another size and were resized.
    pub(super) resized: usize,
    /// How many were of another colour and were converted.
    pub(super) converted: usize,
    /// How many were transparent in part.
    pub(super) transparent: usize,
    /// How many had 16 bits a channel.
    pub(super) deep: usize,
    /// The largest value in these.
    pub(super) deepest: u16,
}

impl Decoded {
    /// What was read and repaired, in sentences; `passed` are the files that were not read.
    pub(super) fn notes(&self, origin: &str, passed: Option<&str>) -> Vec<String> {
        let Geometry { height, width, channels, white } = self.images.geometry;
        let colour = if channels == 1 { "grey" } else { "colour" };
        let count = self.images.pixels.len() / self.images.geometry.len().max(1);
        let passed = passed.map_or_else(String::new, |passed| format!("; {passed}"));
        let mut notes = vec![format!("{origin}: {count} images of {height}×{width}, {colour}{passed}")];
        if self.transparent > 0 {
            notes.push(format!(
                "{origin}: {} transparent in part, laid over white (over black what is white itself)",
                self.transparent
            ));
        }
        if self.deep > 0 {
            let clipped = if self.deepest > white { ", larger ones too" } else { "" };
            notes.push(format!(
                "{origin}: {} of 16 bits a channel, made 8: the value {white} becomes 255{clipped}",
                self.deep
            ));
        }
        if self.resized > 0 {
            notes.push(format!("{origin}: {} of another size, resized to fit", self.resized));
        }
        if self.converted > 0 {
            notes.push(format!("{origin}: {} of another colour, made {colour}", self.converted));
        }
        notes
    }
}

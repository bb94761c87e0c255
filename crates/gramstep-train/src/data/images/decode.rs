//! From the bytes of image files to pixels of one size and colour.

use image::imageops::{self, FilterType};
use image::{ColorType, DynamicImage, GrayImage, ImageReader, RgbImage};
use std::io::Cursor;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::{Colour, Geometry, ImageSettings, ImageSize, Images, Progress};
use crate::error::{Error, Result};

/// Without another wish, images are brought to this size: that of the networks in the literature on small images.
const DEFAULT_SIDE: usize = 32;
/// So many files are decoded between two signs of progress.
const AT_ONCE: usize = 256;

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
}

/// One decoded file.
struct Decode {
    pixels: Vec<u8>,
    resized: bool,
    converted: bool,
}

impl Decoded {
    /// What was repaired, in sentences.
    pub(super) fn notes(&self, origin: &str) -> Vec<String> {
        let Geometry { height, width, channels } = self.images.geometry;
        let colour = if channels == 1 { "grey" } else { "colour" };
        let mut notes = vec![format!("{origin}: images of {height}×{width}, {colour}")];
        if self.resized > 0 {
            notes.push(format!("{origin}: {} of another size, resized to fit", self.resized));
        }
        if self.converted > 0 {
            notes.push(format!("{origin}: {} of another colour, made {colour}", self.converted));
        }
        notes
    }
}

/// Size and colour of all images: what the settings say, else what the first readable file suggests.
pub(super) fn geometry(files: &[PathBuf], settings: &ImageSettings) -> Result<Geometry> {
    if let (Some(size), Colour::Grey | Colour::Rgb) = (settings.size, settings.colour) {
        return Ok(chosen(size, settings.colour == Colour::Rgb));
    }
    let mut first_fault = None;
    for path in files {
        match bytes(path).and_then(|bytes| open(&bytes)) {
            Ok(image) => {
                let fitting = |side: u32| (side as usize).min(DEFAULT_SIDE);
                let own = ImageSize { height: fitting(image.height()), width: fitting(image.width()) };
                let larger = image.height().max(image.width()) as usize > DEFAULT_SIDE;
                let square = ImageSize { height: DEFAULT_SIDE, width: DEFAULT_SIDE };
                let size = settings.size.unwrap_or(if larger { square } else { own });
                let colour = match settings.colour {
                    Colour::Auto => image.color().has_color(),
                    colour => colour == Colour::Rgb,
                };
                return Ok(chosen(size, colour));
            }
            Err(reason) => _ = first_fault.get_or_insert(Error::Image { path: path.clone(), reason }),
        }
    }
    Err(first_fault.unwrap_or(Error::NoData))
}

fn chosen(size: ImageSize, colour: bool) -> Geometry {
    Geometry { height: size.height, width: size.width, channels: if colour { 3 } else { 1 } }
}

/// Decodes files on several threads.
pub(super) fn decode(
    files: &[PathBuf],
    geometry: Geometry,
    threads: usize,
    progress: &mut Progress<'_>,
) -> Result<Decoded> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|error| Error::Threads { reason: error.to_string() })?;
    let images = Images { geometry, pixels: Vec::with_capacity(files.len() * geometry.len()) };
    let mut decoded = Decoded { images, broken: Vec::new(), resized: 0, converted: 0 };
    let all = files.len();
    for (start, files) in (0..).step_by(AT_ONCE).zip(files.chunks(AT_ONCE)) {
        let fit_one = |path: &PathBuf| bytes(path).and_then(|bytes| Ok(fit(&open(&bytes)?, geometry)));
        let results: Vec<_> = pool.install(|| files.par_iter().map(fit_one).collect());
        for (at, result) in results.into_iter().enumerate() {
            match result {
                Ok(one) => {
                    decoded.images.pixels.extend_from_slice(&one.pixels);
                    decoded.resized += usize::from(one.resized);
                    decoded.converted += usize::from(one.converted);
                }
                Err(reason) => decoded.broken.push((start + at, reason)),
            }
        }
        progress(start + files.len(), all);
    }
    Ok(decoded)
}

fn bytes(path: &Path) -> std::result::Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| error.to_string())
}

/// The kind of file is known by its first bytes, not by its name.
fn open(bytes: &[u8]) -> std::result::Result<DynamicImage, String> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|error| error.to_string())?;
    if reader.format().is_none() {
        return Err("not a JPEG or PNG image".to_owned());
    }
    reader.decode().map_err(|error| error.to_string())
}

/// An image in the given size (scaled as a whole, in the middle of black) and colour, eight bits a channel.
fn fit(image: &DynamicImage, geometry: Geometry) -> Decode {
    let colour = geometry.channels == 3;
    let converted = image.color().has_color() != colour;
    let (height, width) = (geometry.height as u32, geometry.width as u32);
    let resized = (image.height(), image.width()) != (height, width);
    let eight_bits = if colour { DynamicImage::from(image.to_rgb8()) } else { DynamicImage::from(image.to_luma8()) };
    let image = if resized { eight_bits.resize(width, height, FilterType::Triangle) } else { eight_bits };
    let (left, top) = (i64::from((width - image.width()) / 2), i64::from((height - image.height()) / 2));
    let pixels = if (image.height(), image.width()) == (height, width) {
        image.into_bytes()
    } else if image.color() == ColorType::Rgb8 {
        let mut canvas = RgbImage::new(width, height);
        imageops::replace(&mut canvas, &image.into_rgb8(), left, top);
        canvas.into_raw()
    } else {
        let mut canvas = GrayImage::new(width, height);
        imageops::replace(&mut canvas, &image.into_luma8(), left, top);
        canvas.into_raw()
    };
    Decode { pixels, resized, converted }
}

/// One image of raw grey pixels in the given size and colour.
pub(super) fn fit_grey(pixels: &[u8], height: u32, width: u32, geometry: Geometry) -> Vec<u8> {
    GrayImage::from_raw(width, height, pixels.to_vec())
        .map_or_else(Vec::new, |image| fit(&DynamicImage::from(image), geometry).pixels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_keeps_its_proportions_in_the_middle_of_black() {
        let wide = DynamicImage::from(GrayImage::from_pixel(40, 20, image::Luma([200])));
        let square = fit(&wide, Geometry { height: 10, width: 10, channels: 3 });
        assert!(square.resized && square.converted);
        let row = |y: usize| &square.pixels[y * 30..(y + 1) * 30];
        assert!(row(0).iter().chain(row(9)).all(|&v| v == 0), "{:?}", row(0));
        assert!(row(5).iter().all(|&v| v == 200), "{:?}", row(5));
        let same = fit(&wide, Geometry { height: 20, width: 40, channels: 1 });
        assert!(!same.resized && !same.converted && same.pixels == vec![200; 800]);
    }

    #[test]
    fn sixteen_bits_become_eight() {
        let deep = DynamicImage::ImageLuma16(image::ImageBuffer::from_pixel(2, 2, image::Luma([0x8080])));
        assert_eq!(fit(&deep, Geometry { height: 2, width: 2, channels: 1 }).pixels, [0x80; 4]);
    }

    #[test]
    fn bytes_that_are_no_image_are_told_apart_from_a_cut_off_one() {
        assert!(open(b"hello").unwrap_err().contains("not a JPEG or PNG"));
        let mut png = Vec::new();
        let image = DynamicImage::from(GrayImage::from_fn(16, 16, |x, y| image::Luma([(x * y) as u8])));
        image.write_to(&mut Cursor::new(&mut png), image::ImageFormat::Png).unwrap();
        assert!(open(&png).is_ok());
        assert!(open(&png[..png.len() / 2]).is_err());
    }
}

//! From the bytes of image files to pixels of one size and colour.

use image::imageops::{self, FilterType};
use image::{ColorType, DynamicImage, GrayImage, ImageBuffer, Luma, Rgb, RgbImage};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::open::{Opened, open};
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
    /// How many were transparent in part.
    pub(super) transparent: usize,
    /// How many had 16 bits a channel.
    pub(super) deep: usize,
    /// The largest value in these.
    pub(super) deepest: u16,
}

/// One decoded file.
struct Decode {
    pixels: Vec<u8>,
    resized: bool,
    converted: bool,
    transparent: bool,
    deepest: Option<u16>,
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

/// Size and colour of all images: what the settings say, else what the first readable file suggests.
pub(super) fn geometry(files: &[PathBuf], settings: &ImageSettings) -> Result<Geometry> {
    let white = settings.white.unwrap_or(u16::MAX);
    let chosen = |size: ImageSize, colour: bool| {
        let channels = if colour { 3 } else { 1 };
        Geometry { height: size.height, width: size.width, channels, white }
    };
    if let (Some(size), Colour::Grey | Colour::Rgb) = (settings.size, settings.colour) {
        return Ok(chosen(size, settings.colour == Colour::Rgb));
    }
    let mut first_fault = None;
    for path in files {
        match bytes(path).and_then(|bytes| open(&bytes)) {
            Ok(Opened { image, .. }) => {
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

/// Decodes files. Without a wish for the value of white it is the least 2ᵇ − 1 that no value exceeds: cameras write 10 or
/// 12 bits into 16.
pub(super) fn decode(
    files: &[PathBuf],
    geometry: Geometry,
    settings: &ImageSettings,
    progress: &mut Progress<'_>,
) -> Result<Decoded> {
    let decoded = decode_as(files, geometry, settings.threads, progress)?;
    let white = u16::MAX.checked_shr(decoded.deepest.leading_zeros()).unwrap_or(u16::MAX);
    if settings.white.is_some() || decoded.deep == 0 || white >= geometry.white {
        return Ok(decoded);
    }
    decode_as(files, Geometry { white, ..geometry }, settings.threads, progress)
}

/// Decodes files on several threads.
fn decode_as(files: &[PathBuf], geometry: Geometry, threads: usize, progress: &mut Progress<'_>) -> Result<Decoded> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|error| Error::Threads { reason: error.to_string() })?;
    let pixels = Vec::with_capacity(files.len() * geometry.len());
    let mut decoded = Decoded {
        images: Images { geometry, pixels, gaps: Vec::new() },
        broken: Vec::new(),
        resized: 0,
        converted: 0,
        transparent: 0,
        deep: 0,
        deepest: 0,
    };
    let all = files.len();
    for (start, files) in (0..).step_by(AT_ONCE).zip(files.chunks(AT_ONCE)) {
        let fit_one = |path: &PathBuf| bytes(path).and_then(|bytes| Ok(fit(open(&bytes)?, geometry)));
        let results: Vec<_> = pool.install(|| files.par_iter().map(fit_one).collect());
        for (at, result) in results.into_iter().enumerate() {
            match result {
                Ok(one) => {
                    decoded.images.pixels.extend_from_slice(&one.pixels);
                    decoded.resized += usize::from(one.resized);
                    decoded.converted += usize::from(one.converted);
                    decoded.transparent += usize::from(one.transparent);
                    decoded.deep += usize::from(one.deepest.is_some());
                    decoded.deepest = decoded.deepest.max(one.deepest.unwrap_or(0));
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

/// An image in the given size (scaled as a whole, in the middle of black) and colour, eight bits a channel.
fn fit(Opened { image, transparent, deepest }: Opened, geometry: Geometry) -> Decode {
    let colour = geometry.channels == 3;
    let converted = image.color().has_color() != colour;
    let (height, width) = (geometry.height as u32, geometry.width as u32);
    let resized = (image.height(), image.width()) != (height, width);
    let image = if deepest.is_some() { shallow(&image, geometry.white) } else { image };
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
    Decode { pixels, resized, converted, transparent, deepest }
}

/// An image of 16 bits a channel with 8, `white` as 255.
fn shallow(image: &DynamicImage, white: u16) -> DynamicImage {
    let (white, width, height) = (u32::from(white.max(1)), image.width(), image.height());
    let eight = |value: u16| ((u32::from(value).min(white) * 255 + white / 2) / white) as u8;
    match image {
        DynamicImage::ImageLuma16(image) => {
            ImageBuffer::from_fn(width, height, |x, y| Luma([eight(image.get_pixel(x, y)[0])])).into()
        }
        image => {
            let image = image.to_rgb16();
            ImageBuffer::from_fn(width, height, |x, y| Rgb(image.get_pixel(x, y).0.map(eight))).into()
        }
    }
}

/// The bytes of an image in the given size and colour.
pub(super) fn pixels(opened: Opened, geometry: Geometry) -> Vec<u8> {
    fit(opened, geometry).pixels
}

/// One image of raw grey pixels in the given size and colour.
pub(super) fn fit_grey(pixels: &[u8], height: u32, width: u32, geometry: Geometry) -> Vec<u8> {
    GrayImage::from_raw(width, height, pixels.to_vec())
        .map_or_else(Vec::new, |image| fit(Opened::plain(image.into()), geometry).pixels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_keeps_its_proportions_in_the_middle_of_black() {
        let wide = || Opened::plain(GrayImage::from_pixel(40, 20, Luma([200])).into());
        let square = fit(wide(), Geometry::new(10, 10, 3));
        assert!(square.resized && square.converted);
        let row = |y: usize| &square.pixels[y * 30..(y + 1) * 30];
        assert!(row(0).iter().chain(row(9)).all(|&v| v == 0), "{:?}", row(0));
        assert!(row(5).iter().all(|&v| v == 200), "{:?}", row(5));
        let same = fit(wide(), Geometry::new(20, 40, 1));
        assert!(!same.resized && !same.converted && same.pixels == vec![200; 800]);
    }

    #[test]
    fn sixteen_bits_become_eight_and_those_that_are_used_keep_their_contrast() {
        let folder = tempfile::tempdir().unwrap();
        for (largest, white, expected) in [
            (0x8080, u16::MAX, [0, 0x40, 0x80]),
            (63, 63, [0, 125, 255]),
            (4000, 4095, [0, 125, 249]),
            (4095, 4095, [0, 127, 255]),
            (4096, 8191, [0, 64, 128]),
            (u16::MAX, u16::MAX, [0, 127, 255]),
        ] {
            let path = folder.path().join(format!("{largest}.png"));
            let image = ImageBuffer::from_fn(3, 1, |x, _| Luma([(u32::from(largest) * x / 2) as u16]));
            DynamicImage::ImageLuma16(image).save(&path).unwrap();
            let read = |settings: &ImageSettings| {
                let files = std::slice::from_ref(&path);
                decode(files, geometry(files, settings).unwrap(), settings, &mut |_, _| {}).unwrap()
            };
            let found = read(&ImageSettings::default());
            assert_eq!((found.images.geometry.white, &found.images.pixels[..]), (white, &expected[..]), "{largest}");
            assert!(found.notes("x", None).iter().any(|note| note.contains("16 bits")));
            // As a model reads images that it has not seen.
            let known = ImageSettings::of(
                Some(Geometry { white: 63, ..Geometry::new(1, 3, 1) }),
                super::super::BrokenImages::Skip,
                1,
            );
            assert_eq!(read(&known).images.pixels[2], 255);
        }
    }
}

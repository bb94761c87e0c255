//! From the bytes of image files to pixels of one size and colour.

use image::codecs::png::PngEncoder;
use image::imageops::{self, FilterType};
use image::{ColorType, DynamicImage, ExtendedColorType, GrayImage, ImageBuffer, ImageEncoder, Luma, Rgb, RgbImage};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::decoded::{Decoded, FEWER};
use super::open::{Opened, open};
use super::{Colour, Geometry, ImageSettings, ImageSize, Images, Progress};
use crate::error::{Error, Result};
use crate::format::memory::check_memory;

/// Without another wish, images are brought to this size: that of the networks in the literature on small images.
const DEFAULT_SIDE: usize = 32;
/// Files that are decoded between two signs of progress.
const AT_ONCE: usize = 256;

/// One decoded file.
struct Decode {
    pixels: Vec<u8>,
    resized: bool,
    converted: bool,
    transparent: bool,
    deepest: Option<u16>,
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
    let needed = files.len().saturating_mul(geometry.len());
    check_memory("the pixels of all images", needed, FEWER)?;
    let pixels = Vec::with_capacity(needed);
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

/// Size and colour of the image in some bytes, which is decoded in small to see that it is whole.
pub(super) fn measure(bytes: &[u8]) -> std::result::Result<Geometry, String> {
    let opened = open(bytes)?;
    let channels = if opened.image.color().has_color() { 3 } else { 1 };
    let own = Geometry::new(opened.image.height() as usize, opened.image.width() as usize, channels);
    let small = Geometry::new(own.height.min(8), own.width.min(8), channels);
    match fit(opened, small).pixels.len() {
        length if length == small.len() => Ok(own),
        length => Err(format!("{length} values make no image")),
    }
}

/// One image of raw grey pixels in the given size and colour.
pub(super) fn fit_grey(
    pixels: &[u8],
    height: u32,
    width: u32,
    geometry: Geometry,
) -> std::result::Result<Vec<u8>, String> {
    let image = GrayImage::from_raw(width, height, pixels.to_vec()).ok_or("too few pixels")?;
    Ok(fit(Opened::plain(image.into()), geometry).pixels)
}

/// Grey (1 channel) or coloured (3) pixels as a PNG file.
pub(super) fn png(pixels: &[u8], geometry: Geometry) -> std::result::Result<Vec<u8>, String> {
    let colour = if geometry.channels == 1 { ExtendedColorType::L8 } else { ExtendedColorType::Rgb8 };
    let side = |pixels: usize| u32::try_from(pixels).unwrap_or(u32::MAX);
    let mut file = Vec::new();
    PngEncoder::new(&mut file)
        .write_image(pixels, side(geometry.width), side(geometry.height), colour)
        .map_err(|error| error.to_string())?;
    Ok(file)
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

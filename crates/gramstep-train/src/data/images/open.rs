//! From the bytes of an image file to an opaque, upright picture.

use std::io::Cursor;

use image::{DynamicImage, GrayImage, ImageBuffer, ImageDecoder, ImageFormat, ImageReader, Luma, Rgb, Rgba};

use super::jpeg;

/// A picture as people see it.
pub(super) struct Opened {
    /// Grey or colour without transparency, of 8 or 16 bits a channel.
    pub(super) image: DynamicImage,
    /// Whether some of it was transparent, and laid over a ground.
    pub(super) transparent: bool,
    /// The largest value of an image of 16 bits.
    pub(super) deepest: Option<u16>,
}

impl Opened {
    /// A picture that needs nothing.
    pub(super) fn plain(image: DynamicImage) -> Self {
        Self { image, transparent: false, deepest: None }
    }
}

/// The kind of file is known by its first bytes, not by its name. It is turned as its camera says, and what is
/// transparent lies on white; on black where all that can be seen is white itself.
pub(super) fn open(bytes: &[u8]) -> Result<Opened, String> {
    let words = |error: image::ImageError| error.to_string();
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|error| error.to_string())?;
    match reader.format() {
        Some(ImageFormat::Jpeg) => jpeg::fault(bytes).map_or(Ok(()), |fault| Err(fault.to_owned()))?,
        Some(ImageFormat::Png) => {}
        _ => return Err("not a JPEG or PNG image".to_owned()),
    }
    let mut decoder = reader.into_decoder().map_err(words)?;
    // A file of some bytes may say that it unpacks to gigabytes.
    let mut limits = image::Limits::default();
    limits.reserve(decoder.total_bytes()).map_err(words)?;
    decoder.set_limits(limits).map_err(words)?;
    let orientation = decoder.orientation();
    let mut image = DynamicImage::from_decoder(decoder).map_err(words)?;
    // A file whose notes on itself are damaged still has its pixels.
    if let Ok(orientation) = orientation {
        image.apply_orientation(orientation);
    }
    let deep = image.color().bytes_per_pixel() / image.color().channel_count() > 1;
    let (image, transparent) = opaque(image, deep);
    let deepest = deep.then(|| match &image {
        DynamicImage::ImageLuma16(image) => image.iter().copied().max(),
        DynamicImage::ImageRgb16(image) => image.iter().copied().max(),
        _ => None,
    });
    Ok(Opened { image, transparent, deepest: deepest.flatten() })
}

/// The image without its transparency, and whether it had any.
fn opaque(image: DynamicImage, deep: bool) -> (DynamicImage, bool) {
    const FULL: u16 = u16::MAX;
    /// Nearer to white than this nothing can be told from it.
    const WHITE: u16 = 0xf000;
    let colour = image.color().has_color();
    if !image.color().has_alpha() {
        return (image, false);
    }
    let mut pixels = image.to_rgba16();
    let transparent = pixels.pixels().any(|pixel| pixel[3] < FULL);
    if transparent {
        let is_white = |pixel: &Rgba<u16>| pixel[3] == 0 || pixel.0[..3].iter().all(|&value| value >= WHITE);
        let visible = pixels.pixels().any(|pixel| pixel[3] > 0);
        let ground = u32::from(if visible && pixels.pixels().all(is_white) { 0 } else { FULL });
        for Rgba([red, green, blue, alpha]) in pixels.pixels_mut() {
            for value in [red, green, blue] {
                let (own, share, full) = (u64::from(*value), u64::from(*alpha), u64::from(FULL));
                *value = ((own * share + u64::from(ground) * (full - share) + full / 2) / full) as u16;
            }
        }
    }
    let (width, height) = pixels.dimensions();
    let eight = |value: u16| ((u32::from(value) + 128) / 257) as u8;
    let image = match (colour, deep) {
        (true, true) => DynamicImage::ImageRgb16(ImageBuffer::from_fn(width, height, |x, y| {
            let [red, green, blue, _] = pixels.get_pixel(x, y).0;
            Rgb([red, green, blue])
        })),
        (true, false) => DynamicImage::ImageRgb8(ImageBuffer::from_fn(width, height, |x, y| {
            let [red, green, blue, _] = pixels.get_pixel(x, y).0;
            Rgb([eight(red), eight(green), eight(blue)])
        })),
        (false, true) => {
            DynamicImage::ImageLuma16(ImageBuffer::from_fn(width, height, |x, y| Luma([pixels.get_pixel(x, y)[0]])))
        }
        (false, false) => {
            DynamicImage::from(GrayImage::from_fn(width, height, |x, y| Luma([eight(pixels.get_pixel(x, y)[0])])))
        }
    };
    (image, transparent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Vec::new();
        image.into().write_to(&mut Cursor::new(&mut bytes), format).unwrap();
        bytes
    }

    #[test]
    fn bytes_that_are_no_image_are_told_apart_from_cut_off_ones() {
        let fault = |bytes: &[u8]| open(bytes).err().unwrap();
        assert!(fault(b"hello").contains("not a JPEG or PNG"));
        let image = GrayImage::from_fn(16, 16, |x, y| Luma([(x * y) as u8]));
        for format in [ImageFormat::Png, ImageFormat::Jpeg] {
            let whole = bytes(image.clone(), format);
            assert!(open(&whole).is_ok());
            assert!((8..whole.len() - 12).all(|length| open(&whole[..length]).is_err()), "{format:?}");
        }
    }

    #[test]
    fn an_image_that_claims_to_be_huge_is_refused_before_there_is_memory_for_it() {
        let mut whole = bytes(GrayImage::from_pixel(8, 8, Luma([7])), ImageFormat::Jpeg);
        let frame = whole.windows(2).position(|mark| mark == [0xff, 0xc0]).unwrap();
        // Height and width, after the mark, the length and the number of bits.
        whole[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xdc, 0xff, 0xdc]);
        assert!(open(&whole).err().unwrap().contains("limit"));
    }

    #[test]
    fn what_is_transparent_lies_on_white_and_on_black_where_white_would_hide_all() {
        let drawn = |value: u8| {
            let image = ImageBuffer::from_fn(4, 1, |x, _| Rgba([value, value, value, if x < 2 { 255 } else { 0 }]));
            let opened = open(&bytes(DynamicImage::ImageRgba8(image), ImageFormat::Png)).unwrap();
            assert!(opened.transparent);
            opened.image.to_luma8().into_raw()
        };
        assert_eq!(drawn(0), [0, 0, 255, 255]);
        assert_eq!(drawn(100), [100, 100, 255, 255]);
        assert_eq!(drawn(255), [255, 255, 0, 0]);
        let half = ImageBuffer::from_pixel(1, 1, image::LumaA([0_u8, 51]));
        let opened = open(&bytes(DynamicImage::ImageLumaA8(half), ImageFormat::Png)).unwrap();
        assert_eq!((opened.image.to_luma8().into_raw(), opened.image.color().has_color()), (vec![204], false));
        let opaque = ImageBuffer::from_pixel(1, 1, Rgba([9_u8, 8, 7, 255]));
        let opened = open(&bytes(DynamicImage::ImageRgba8(opaque), ImageFormat::Png)).unwrap();
        assert_eq!((opened.image.into_bytes(), opened.transparent), (vec![9, 8, 7], false));
    }

    #[test]
    fn a_photograph_is_turned_as_its_camera_says() {
        let image = GrayImage::from_fn(16, 8, |x, _| Luma([if x < 8 { 0 } else { 255 }]));
        let plain = bytes(image, ImageFormat::Jpeg);
        // EXIF with one entry, orientation 6: a quarter turn to the right.
        let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0".to_vec();
        let length = (exif.len() as u16 + 2).to_be_bytes();
        exif.splice(0..0, [0xff, 0xe1, length[0], length[1]]);
        let turned = [&plain[..2], &exif, &plain[2..]].concat();
        let image = open(&turned).unwrap().image.to_luma8();
        assert_eq!(image.dimensions(), (8, 16));
        assert!(image.get_pixel(4, 2)[0] < 20 && image.get_pixel(4, 13)[0] > 235);
    }
}

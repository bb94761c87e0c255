//! Whether a JPEG file is whole: decoders fill what is missing with grey and say nothing.

/// What is missing of a file that begins as a JPEG file does; none if it has its end.
pub(super) fn fault(bytes: &[u8]) -> Option<&'static str> {
    const CUT: Option<&str> = Some("the JPEG file is cut off: its end is missing");
    let mut at = 2; // after the mark of the start
    loop {
        // Marks are 0xff, perhaps repeated, and a byte that says which.
        at += bytes.get(at..)?.iter().take_while(|&&byte| byte == 0xff).count();
        let Some(&mark) = bytes.get(at) else { return CUT };
        at += 1;
        match mark {
            0xd9 => return None,
            // Marks without contents.
            0x01 | 0xd0..=0xd8 => continue,
            _ => {}
        }
        let Some(length) = bytes.get(at..at + 2) else { return CUT };
        at += usize::from(u16::from_be_bytes([length[0], length[1]])).max(2);
        if mark == 0xda {
            // Compressed pixels, until a mark other than a stuffed zero or a restart.
            let is_end = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xd0..=0xd7 | 0xff);
            match bytes.get(at..).and_then(|pixels| pixels.windows(2).position(is_end)) {
                Some(length) => at += length,
                None => return CUT,
            }
        }
        if at >= bytes.len() {
            return CUT;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{DynamicImage, GrayImage, ImageFormat, Luma};

    use super::*;

    #[test]
    fn a_whole_file_has_no_fault_and_every_cut_one_has() {
        let mut bytes = Vec::new();
        let image = GrayImage::from_fn(24, 24, |x, y| Luma([(x * 11 + y * y) as u8]));
        DynamicImage::from(image).write_to(&mut Cursor::new(&mut bytes), ImageFormat::Jpeg).unwrap();
        assert_eq!(fault(&bytes), None);
        for length in 2..bytes.len() - 1 {
            assert!(fault(&bytes[..length]).is_some(), "{length} of {}", bytes.len());
        }
        // Cameras write their own words after the end.
        assert_eq!(fault(&[&bytes[..], b"maker's notes"].concat()), None);
        // A small picture within the file has an end of its own.
        let mut comment = vec![0xff, 0xd8, 0xff, 0xe1, 0, 6, 0xff, 0xd8, 0xff, 0xd9];
        comment.extend(&bytes[2..bytes.len() - 2]);
        assert!(fault(&comment).is_some());
        comment.extend([0xff, 0xd9]);
        assert_eq!(fault(&comment), None);
    }
}

//! The encodings of text: UTF-8, UTF-16 behind its mark, else Windows-1252, in which older programs of the West write.

use std::borrow::Cow;

/// What the bytes from 0x80 on stand for; none for five of them.
const WINDOWS_1252: [Option<char>; 32] = {
    let marks = [
        '€', '\0', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\0', 'Ž', '\0', '\0', '‘', '’', '“', '”',
        '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\0', 'ž', 'Ÿ',
    ];
    let mut table = [None; 32];
    let mut at = 0;
    while at < 32 {
        if marks[at] != '\0' {
            table[at] = Some(marks[at]);
        }
        at += 1;
    }
    table
};

/// The bytes of a text in UTF-8, and the name of the encoding where it was another; none of what is no text.
pub(crate) fn utf8(bytes: &[u8]) -> Option<(Cow<'_, [u8]>, Option<&'static str>)> {
    let sixteen = |of: fn([u8; 2]) -> u16, bytes: &[u8]| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| of([pair[0], pair[1]])).collect();
        String::from_utf16(&units).ok().filter(|_| bytes.len().is_multiple_of(2))
    };
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] if rest.contains(&0) => (sixteen(u16::from_le_bytes, rest)?, "UTF-16"),
        [0xfe, 0xff, rest @ ..] if rest.contains(&0) => (sixteen(u16::from_be_bytes, rest)?, "UTF-16"),
        _ if bytes.contains(&0) => return None,
        _ if std::str::from_utf8(bytes).is_ok() => return Some((Cow::Borrowed(bytes), None)),
        _ => (bytes.iter().map(|&byte| windows(byte)).collect::<Option<String>>()?, "Windows-1252"),
    };
    Some((Cow::Owned(text.0.into_bytes()), Some(text.1)))
}

fn windows(byte: u8) -> Option<char> {
    match byte {
        b'\t' | b'\n' | b'\r' | 0x20..=0x7e | 0xa0.. => Some(char::from(byte)),
        0x80..=0x9f => WINDOWS_1252[usize::from(byte - 0x80)],
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Option<(String, Option<&'static str>)> {
        utf8(bytes).map(|(text, encoding)| (String::from_utf8(text.into_owned()).unwrap(), encoding))
    }

    #[test]
    fn text_of_older_programs_is_read_and_named() {
        assert_eq!(read("größe".as_bytes()), Some(("größe".to_owned(), None)));
        assert_eq!(read(b"gr\xf6\xdfe \x80 5"), Some(("größe € 5".to_owned(), Some("Windows-1252"))));
        let sixteen = |text: &str, bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
        let expected = Some(("a,ß\n".to_owned(), Some("UTF-16")));
        assert_eq!(read(&sixteen("\u{feff}a,ß\n", u16::to_le_bytes)), expected);
        assert_eq!(read(&sixteen("\u{feff}a,ß\n", u16::to_be_bytes)), expected);
    }

    #[test]
    fn what_is_no_text_is_refused() {
        for bytes in [b"a\0b".as_slice(), b"a\x81b\xff", b"\xff\x01", b"\xff\xfea\0b", b"\x1b\xff"] {
            assert_eq!(read(bytes), None, "{bytes:?}");
        }
    }
}

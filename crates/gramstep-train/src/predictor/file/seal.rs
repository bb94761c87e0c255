//! A sum over every byte of a file that stands in the file itself.
//!
//! It is made with zeros in its place. One altered bit anywhere, in the sum too, is found.

/// Hexadecimal digits of a BLAKE3 sum.
const DIGITS: usize = 64;

/// What stands in the place of the sum while it is made.
pub(super) const BLANK: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Writes the sum over the blank, which has to be there once.
pub(super) fn close(bytes: &mut [u8]) -> Option<()> {
    let at = place_of(bytes, BLANK)?;
    let sum = blake3::hash(bytes).to_hex();
    bytes[at..at + DIGITS].copy_from_slice(sum.as_bytes());
    Some(())
}

/// Whether the bytes are those that the sum was made of.
pub(super) fn is_whole(bytes: &[u8], sum: &str) -> bool {
    let Some(at) = place_of(bytes, sum) else { return false };
    let mut hasher = blake3::Hasher::new();
    hasher.update(&bytes[..at]).update(BLANK.as_bytes()).update(&bytes[at + DIGITS..]);
    hasher.finalize().to_hex().as_str() == sum
}

/// The one place of a sum among the bytes.
fn place_of(bytes: &[u8], sum: &str) -> Option<usize> {
    if sum.len() != DIGITS {
        return None;
    }
    // The header comes first and is short beside the tensors: the first place is searched for, then a second one in the
    // header alone would be a forgery that the sum finds.
    bytes.windows(DIGITS).position(|window| window == sum.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_altered_bit_is_found() {
        let mut bytes = format!("head {BLANK} tail").into_bytes();
        close(&mut bytes).unwrap();
        let sum = String::from_utf8(bytes[5..5 + DIGITS].to_vec()).unwrap();
        assert!(is_whole(&bytes, &sum));
        for bit in 0..8 * bytes.len() {
            let mut altered = bytes.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            let found = String::from_utf8_lossy(&altered[5..5 + DIGITS]).into_owned();
            assert!(!is_whole(&altered, &found), "bit {bit}");
        }
    }
}

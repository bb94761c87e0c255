//! Small random changes of training images: the same picture for a person, another one for the network.

use std::fmt;
use std::str::FromStr;

use gramstep::random::{Purpose, stream};
use gramstep::{Matrix, Scalar};
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::Geometry;
use crate::error::{Error, Result};
use crate::format::words::as_text;

/// What may happen to a training image in every epoch, written `none`, `flip`, `shift:2` or `flip,shift:2`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[allow(clippy::exhaustive_structs)]
pub struct Augmentation {
    /// Left and right are exchanged, every other time.
    pub flip: bool,
    /// Most pixels of a move, each way; what comes in is the mean colour.
    pub shift: usize,
}

impl Augmentation {
    /// Whether nothing happens.
    #[must_use]
    pub fn is_none(self) -> bool {
        self == Self::default()
    }

    /// Changes standardised images in place. `samples` names the rows; with seed and epoch it decides what happens.
    pub(crate) fn apply<T: Scalar>(
        self,
        inputs: &mut Matrix<T>,
        geometry: Geometry,
        samples: impl Iterator<Item = usize>,
        (seed, epoch): (u64, usize),
    ) {
        let mut before = vec![T::ZERO; geometry.len()];
        for (row, sample) in samples.enumerate() {
            let mut random = stream(seed, Purpose::Perturbation, sample as u64, epoch as u64);
            let mut draw = |choices: usize| ((u128::from(random.next_u64()) * choices as u128) >> 64) as usize;
            let flip = draw(2) == 1 && self.flip;
            let (down, right) = (draw(2 * self.shift + 1), draw(2 * self.shift + 1));
            let image = &mut inputs.row_mut(row)[..geometry.len()];
            before.copy_from_slice(image);
            transform(&before, image, geometry, flip, (down, right), self.shift);
        }
    }
}

/// Writes the image moved by `(down, right) − shift` pixels, flipped first.
fn transform<T: Scalar>(
    from: &[T],
    to: &mut [T],
    geometry: Geometry,
    flip: bool,
    (down, right): (usize, usize),
    shift: usize,
) {
    let Geometry { height, width, channels, .. } = geometry;
    let source =
        |place: usize, moved: usize, length: usize| (place + shift).checked_sub(moved).filter(|&at| at < length);
    for y in 0..height {
        for x in 0..width {
            let to = &mut to[(y * width + x) * channels..][..channels];
            match source(y, down, height).zip(source(x, right, width)) {
                Some((y, x)) => {
                    let x = if flip { width - 1 - x } else { x };
                    to.copy_from_slice(&from[(y * width + x) * channels..][..channels]);
                }
                None => to.fill(T::ZERO),
            }
        }
    }
}

impl FromStr for Augmentation {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut augmentation = Self::default();
        for part in text.split(',') {
            match part.split_once(':').map(|(word, number)| (word, number.parse())) {
                None if part == "none" => {}
                None if part == "flip" => augmentation.flip = true,
                Some(("shift", Ok(pixels @ 0..=64))) => augmentation.shift = pixels,
                _ => {
                    return Err(Error::Setting {
                        name: "augment",
                        value: text.to_owned(),
                        range: "none, flip, shift:PIXELS, or flip,shift:PIXELS with up to 64 pixels".to_owned(),
                    });
                }
            }
        }
        Ok(augmentation)
    }
}

impl fmt::Display for Augmentation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.flip, self.shift) {
            (false, 0) => f.write_str("none"),
            (true, 0) => f.write_str("flip"),
            (false, shift) => write!(f, "shift:{shift}"),
            (true, shift) => write!(f, "flip,shift:{shift}"),
        }
    }
}

as_text!(Augmentation);

#[cfg(test)]
mod tests {
    use super::*;

    const GEOMETRY: Geometry = Geometry { height: 2, width: 3, channels: 1, white: u16::MAX };

    #[test]
    fn a_flip_exchanges_left_and_right_and_a_shift_brings_in_zeros() {
        let image = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let mut out = [0.0; 6];
        transform(&image, &mut out, GEOMETRY, true, (0, 0), 0);
        assert_eq!(out, [3.0, 2.0, 1.0, 6.0, 5.0, 4.0]);
        transform(&image, &mut out, GEOMETRY, false, (2, 0), 1);
        assert_eq!(out, [0.0, 0.0, 0.0, 2.0, 3.0, 0.0]);
    }

    #[test]
    fn what_happens_depends_on_seed_sample_and_epoch_and_leaves_side_inputs_alone() {
        let augmentation: Augmentation = "flip,shift:1".parse().unwrap();
        let original = Matrix::from_fn(8, 7, |i, j| (10 * i + j) as f64 + 1.0);
        let run = |seed, epoch| {
            let mut inputs = original.clone();
            augmentation.apply(&mut inputs, GEOMETRY, 0..8, (seed, epoch));
            inputs
        };
        assert_eq!(run(1, 1), run(1, 1));
        assert!(run(1, 1) != run(1, 2) && run(1, 1) != run(2, 1));
        assert!((0..8).all(|i| run(3, 4)[(i, 6)] == original[(i, 6)]));
    }

    #[test]
    fn text_is_read_back_and_nonsense_is_refused() {
        for text in ["none", "flip", "shift:2", "flip,shift:3"] {
            assert_eq!(text.parse::<Augmentation>().unwrap().to_string(), text);
        }
        for text in ["", "flop", "shift", "shift:", "shift:-1", "shift:65"] {
            assert!(text.parse::<Augmentation>().is_err(), "{text}");
        }
    }
}

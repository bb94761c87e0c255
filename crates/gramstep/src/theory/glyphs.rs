//! Small images that a program can draw: a three or an eight, no two alike.
//!
//! An eight is two circles, one above the other; a three is the same without their left sides. Place, size, slant, stroke
//! and opening are drawn at random.

use rand_distr::{Distribution, StandardUniform};

use super::ground::Points;
use crate::random::{Purpose, stream};
use crate::solve::norm;
use crate::view::Matrix;

/// Height of the centre and radius of the two circles, in a square from −1 to 1.
const CIRCLES: [(f64, f64); 2] = [(-0.38, 0.32), (0.4, 0.36)];

/// What is drawn at random of an image.
struct Hand {
    place: [f64; 2],
    size: f64,
    slant: f64,
    stroke: f64,
    /// The largest angle from the right at which there is a line.
    opening: f64,
}

/// Images of side×side pixels as rows, eights (1) and threes (−1) in turn: pixels less their mean over the images, divided
/// by the length of the row.
pub(super) fn threes_and_eights(seed: u64, samples: usize, side: usize) -> Points {
    let mut images = Matrix::from_fn(samples, side * side, |_, _| 0.0);
    for i in 0..samples {
        let hand = Hand::new(seed, i, i % 2 == 0);
        for (pixel, ink) in images.row_mut(i).iter_mut().enumerate() {
            *ink = hand.ink([pixel % side, pixel / side], side);
        }
    }
    let mean: Vec<f64> = (0..side * side).map(|j| (0..samples).map(|i| images[(i, j)]).sum::<f64>()).collect();
    for i in 0..samples {
        let row = images.row_mut(i);
        for (x, sum) in row.iter_mut().zip(&mean) {
            *x -= sum / samples as f64;
        }
        let length = norm(row);
        for x in row {
            *x /= length;
        }
    }
    Points { inputs: images, targets: Matrix::from_fn(samples, 1, |i, _| if i % 2 == 0 { 1.0 } else { -1.0 }) }
}

impl Hand {
    fn new(seed: u64, image: usize, eight: bool) -> Self {
        let mut generator = stream(seed, Purpose::Data, image as u64, 0);
        let mut between = |low: f64, high: f64| {
            let share: f64 = StandardUniform.sample(&mut generator);
            low + share * (high - low)
        };
        let place = [between(-0.15, 0.15), between(-0.15, 0.15)];
        let (size, slant, stroke) = (between(0.85, 1.1), between(-0.3, 0.3), between(0.1, 0.16));
        let open = between(0.75, 0.85);
        Self { place, size, slant, stroke, opening: std::f64::consts::PI * if eight { 1.0 } else { open } }
    }

    /// How dark a pixel is, from 0 to 1: edges are as wide as a pixel.
    fn ink(&self, [column, row]: [usize; 2], side: usize) -> f64 {
        let middle = |pixel: usize| (2 * pixel + 1) as f64 / side as f64 - 1.0;
        let y = (middle(row) - self.place[1]) / self.size;
        let x = (middle(column) - self.place[0]) / self.size + self.slant * y;
        let off = CIRCLES.iter().map(|&(centre, radius)| self.distance(x, y - centre, radius)).fold(f64::MAX, f64::min);
        ((self.stroke - off) * side as f64 / 2.0 + 0.5).clamp(0.0, 1.0)
    }

    /// Distance of (x, y) from the arc around 0.
    fn distance(&self, x: f64, y: f64, radius: f64) -> f64 {
        if y.atan2(x).abs() <= self.opening {
            return (x.hypot(y) - radius).abs();
        }
        let end = [radius * self.opening.cos(), radius * self.opening.sin()];
        (x - end[0]).hypot(y.abs() - end[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_lie_on_the_sphere_and_no_two_are_alike() {
        let points = threes_and_eights(5, 12, 10);
        assert!(points.off_sphere() < 1e-12);
        assert_eq!(points, threes_and_eights(5, 12, 10));
        assert_ne!(points, threes_and_eights(6, 12, 10));
        for i in 0..12 {
            for j in 0..i {
                let apart: Vec<f64> =
                    points.inputs.row(i).iter().zip(points.inputs.row(j)).map(|(a, b)| a - b).collect();
                assert!(norm(&apart) > 0.2, "{i} {j}");
            }
        }
    }

    #[test]
    fn a_three_is_an_eight_that_is_open_on_the_left() {
        let mut eight = Hand { place: [0.0; 2], size: 1.0, slant: 0.0, stroke: 0.1, opening: std::f64::consts::PI };
        // The pixels at (±0.32, −0.38), on the upper circle.
        let (right, left) = ([42, 19], [21, 19]);
        assert_eq!([eight.ink(right, 64), eight.ink(left, 64), eight.ink([32, right[1]], 64)], [1.0, 1.0, 0.0]);
        eight.opening *= 0.8;
        assert_eq!([eight.ink(right, 64), eight.ink(left, 64)], [1.0, 0.0]);
    }
}

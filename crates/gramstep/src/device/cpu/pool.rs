//! Sums over windows and their largest values, channel by channel, without unfolding.

use super::super::window::Window;
use super::elementwise;
use super::vector::vectorized;
use crate::scalar::Scalar;

/// Calls `visit` with (window, pixel) of the image for every pixel inside it that a window covers, window by window.
#[inline(always)]
fn covered(window: &Window, mut visit: impl FnMut(usize, usize)) {
    let ((rows, columns), (height, width)) = (window.output(), window.image());
    // From a corner in the image with its border to what of the window is inside the image.
    let inside = |corner: usize, length: usize, size: usize| {
        corner.saturating_sub(window.padding())..(corner + length).saturating_sub(window.padding()).min(size)
    };
    for place in 0..rows * columns {
        let (row, column) = (place / columns * window.stride(), place % columns * window.stride());
        for y in inside(row, window.kernel().0, height) {
            for x in inside(column, window.kernel().1, width) {
                visit(place, y * width + x);
            }
        }
    }
}

/// out_t += α·(sum over window t).
pub(super) fn forward<T: Scalar>(window: &Window, out: &mut [T], alpha: T, image: &[T]) {
    let channels = window.channels();
    covered(window, |place, pixel| {
        let out = &mut out[place * channels..][..channels];
        elementwise::axpby(out, T::ONE, alpha, &image[pixel * channels..][..channels]);
    });
}

/// into += α·(the deltas of all windows over a pixel).
pub(super) fn backward<T: Scalar>(window: &Window, into: &mut [T], alpha: T, delta: &[T]) {
    let channels = window.channels();
    covered(window, |place, pixel| {
        let into = &mut into[pixel * channels..][..channels];
        elementwise::axpby(into, T::ONE, alpha, &delta[place * channels..][..channels]);
    });
}

/// Where in the image each window is largest, channel by channel: the first of several, and a value that is not a
/// number counts as the largest.
pub(super) fn largest<T: Scalar>(window: &Window, image: &[T]) -> Vec<usize> {
    let channels = window.channels();
    let mut largest = vec![0; window.places() * channels];
    let mut bests = vec![T::ZERO; channels];
    let mut current = None;
    vectorized(
        #[inline(always)]
        || {
            covered(window, |place, pixel| {
                let first = current != Some(place);
                current = Some(place);
                let values = &image[pixel * channels..][..channels];
                let places = &mut largest[place * channels..][..channels];
                for (((at, best), &value), here) in
                    places.iter_mut().zip(&mut bests).zip(values).zip(pixel * channels..)
                {
                    let larger = first | ((value > *best) | (value.is_nan() & !best.is_nan()));
                    *best = if larger { value } else { *best };
                    *at = if larger { here } else { *at };
                }
            });
        },
    );
    largest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_value_of_a_window_is_the_first_of_equals_and_never_the_border() {
        let window = Window::new((2, 4, 1), (2, 2), 2, 0).unwrap();
        assert_eq!(largest(&window, &[1.0, 3.0, 5.0, 5.0, 3.0, 2.0, 4.0, 5.0]), [1, 2]);
        let with_border = Window::new((2, 2, 1), (2, 2), 2, 1).unwrap();
        assert_eq!(largest(&with_border, &[-1.0, -2.0, -3.0, -4.0]), [0, 1, 2, 3]);
        let channels = Window::new((1, 2, 2), (1, 2), 1, 0).unwrap();
        assert_eq!(largest(&channels, &[1.0, 9.0, 2.0, 8.0]), [2, 1]);
    }

    #[test]
    fn a_value_that_is_not_a_number_is_passed_on() {
        let window = Window::new((1, 3, 1), (1, 3), 1, 0).unwrap();
        assert_eq!(largest(&window, &[1.0, f64::NAN, 2.0]), [1]);
    }
}

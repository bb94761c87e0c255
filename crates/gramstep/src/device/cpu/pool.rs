//! Sums over windows, channel by channel, without unfolding.

use super::super::window::Window;
use super::elementwise;
use crate::scalar::Scalar;

/// Calls `visit` with (window, pixel) of the image for every pixel inside it that a window covers.
fn covered(window: &Window, mut visit: impl FnMut(usize, usize)) {
    let ((rows, columns), (height, width)) = (window.output(), window.image());
    for place in 0..rows * columns {
        let (row, column) = (place / columns * window.stride(), place % columns * window.stride());
        for y in row..row + window.kernel().0 {
            for x in column..column + window.kernel().1 {
                let inside = (window.padding()..height + window.padding()).contains(&y)
                    && (window.padding()..width + window.padding()).contains(&x);
                if inside {
                    visit(place, (y - window.padding()) * width + x - window.padding());
                }
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

//! Means over windows of an image.

use super::{Call, Layer};
use crate::device::{Product, Tile, TileMut, Window};
use crate::scalar::Scalar;

/// The mean over every window, channel by channel; zeros of the border count.
#[derive(Clone, Debug)]
pub struct AveragePool {
    window: Window,
}

impl AveragePool {
    /// Pools over the windows.
    #[must_use]
    pub fn new(window: Window) -> Self {
        Self { window }
    }

    fn factor<T: Scalar>(&self) -> T {
        T::from_f64(1.0 / (self.window.kernel().0 * self.window.kernel().1) as f64)
    }
}

impl<T: Scalar> Layer<T> for AveragePool {
    fn output_len(&self) -> usize {
        self.window.places() * self.window.channels()
    }

    fn forward(&self, call: &Call<'_, T>, inputs: &[Tile<'_, T>], out: TileMut<'_, T>, _: bool, mode: Product) {
        call.operations.pool(out, mode, self.factor(), &self.window, inputs[0]);
    }

    fn backward(&self, call: &Call<'_, T>, _which: usize, delta: Tile<'_, T>, into: TileMut<'_, T>, mode: Product) {
        call.operations.pool_backward(into, mode, self.factor(), &self.window, delta);
    }
}

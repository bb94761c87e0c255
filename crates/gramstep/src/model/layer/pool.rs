//! Means and largest values over windows of an image.

use super::{Call, Layer, Nonlinear};
use crate::device::{Operations, Tile, TileMut, Window, WriteMode};
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

    fn forward(&self, call: &Call<'_, T>, inputs: &[Tile<'_, T>], out: TileMut<'_, T>, _: bool, mode: WriteMode) {
        call.operations.pool(out, mode, self.factor(), &self.window, inputs[0]);
    }

    fn backward(
        &self,
        call: &Call<'_, T>,
        _: &[Tile<'_, T>],
        _which: usize,
        delta: Tile<'_, T>,
        into: TileMut<'_, T>,
        mode: WriteMode,
    ) {
        call.operations.pool_backward(into, mode, self.factor(), &self.window, delta);
    }
}

/// The largest value of every window, channel by channel; the border does not count.
#[derive(Clone, Debug)]
pub struct MaxPool {
    window: Window,
}

impl MaxPool {
    /// Pools over the windows.
    #[must_use]
    pub fn new(window: Window) -> Self {
        Self { window }
    }
}

impl<T: Scalar> Nonlinear<T> for MaxPool {
    fn output_len(&self) -> usize {
        self.window.places() * self.window.channels()
    }

    /// It compares, and multiplies nothing.
    fn cost(&self) -> usize {
        0
    }

    fn is_piecewise_linear(&self) -> bool {
        true
    }

    fn value(&self, operations: &dyn Operations<T>, x: Tile<'_, T>, out: TileMut<'_, T>) {
        operations.max_pool(out, &self.window, x, x);
    }

    fn jvp(&self, operations: &dyn Operations<T>, x: Tile<'_, T>, tangent: Tile<'_, T>, out: TileMut<'_, T>) {
        operations.max_pool(out, &self.window, x, tangent);
    }

    fn vjp(
        &self,
        operations: &dyn Operations<T>,
        x: Tile<'_, T>,
        cotangents: Tile<'_, T>,
        into: TileMut<'_, T>,
        mode: WriteMode,
    ) {
        operations.max_pool_backward(into, mode, &self.window, x, cotangents);
    }

    /// Linear piece by piece.
    fn second_order(
        &self,
        _: &dyn Operations<T>,
        _x: Tile<'_, T>,
        _tangent: Tile<'_, T>,
        _cotangent: Tile<'_, T>,
        _into: TileMut<'_, T>,
    ) {
    }
}

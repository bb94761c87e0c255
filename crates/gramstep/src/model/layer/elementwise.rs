//! φ applied number by number.

use std::sync::Arc;

use super::{Call, Layer};
use crate::device::{Pointwise, Product, Tile, TileMut};
use crate::scalar::Scalar;

/// A pointwise function as a layer: an [`Activation`](crate::Activation) or a function of the user's.
#[derive(Clone, Debug)]
pub struct Elementwise<T> {
    length: usize,
    function: Arc<dyn Pointwise<T>>,
}

impl<T: Scalar> Elementwise<T> {
    /// `function` on each of `length` values.
    #[must_use]
    pub fn new(length: usize, function: Arc<dyn Pointwise<T>>) -> Self {
        Self { length, function }
    }
}

impl<T: Scalar> Layer<T> for Elementwise<T> {
    fn kind(&self) -> &'static str {
        "activation"
    }

    fn output_len(&self) -> usize {
        self.length
    }

    fn pointwise(&self) -> Option<&dyn Pointwise<T>> {
        Some(&*self.function)
    }

    fn forward(&self, _: &Call<'_, T>, _: &[Tile<'_, T>], _: TileMut<'_, T>, _: bool, _: Product) {
        unreachable!("the driver applies pointwise functions itself");
    }

    fn backward(&self, _: &Call<'_, T>, _: usize, _: Tile<'_, T>, _: TileMut<'_, T>, _: Product) {
        unreachable!("the driver applies pointwise functions itself");
    }
}

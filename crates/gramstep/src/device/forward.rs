//! Operations behind a pointer are operations.

use std::ops::Range;

use super::operations::{AdamUpdate, Operations, Order, Pointwise, WriteMode};
use super::tile::{Tile, TileMut};
use super::window::Window;
use crate::scalar::Scalar;

macro_rules! forward {
    ($(fn $name:ident($($argument:ident: $type:ty),+) $(-> $out:ty)?;)+) => {
        impl<T: Scalar> Operations<T> for Box<dyn Operations<T>> {
            $(fn $name(&self, $($argument: $type),+) $(-> $out)? {
                (**self).$name($($argument),+)
            })+
        }
    };
}

forward! {
    fn product(out: TileMut<'_, T>, mode: WriteMode, alpha: T, a: Tile<'_, T>, b: Tile<'_, T>);
    fn fill_rows(out: TileMut<'_, T>, row: Tile<'_, T>);
    fn pointwise(f: &dyn Pointwise<T>, order: Order, z: Tile<'_, T>, out: TileMut<'_, T>);
    fn pointwise_in_place(f: &dyn Pointwise<T>, z: TileMut<'_, T>);
    fn pointwise_backward(f: &dyn Pointwise<T>, z: Tile<'_, T>, delta: TileMut<'_, T>);
    fn multiply(out: TileMut<'_, T>, factor: Tile<'_, T>);
    fn axpby(out: TileMut<'_, T>, beta: T, alpha: T, x: Tile<'_, T>);
    fn combine_outputs(out: TileMut<'_, T>, c: Tile<'_, T>, deltas: Tile<'_, T>);
    fn row_dots(out: TileMut<'_, T>, y: Tile<'_, T>, deltas: Tile<'_, T>);
    fn column_sums(out: TileMut<'_, T>, alpha: T, rows: Tile<'_, T>);
    fn convolve(out: TileMut<'_, T>, mode: WriteMode, alpha: T, window: &Window, images: Tile<'_, T>, weight: Tile<'_, T>);
    fn convolve_backward(into: TileMut<'_, T>, mode: WriteMode, alpha: T, window: &Window, deltas: Tile<'_, T>, weight: Tile<'_, T>);
    fn convolve_gradients(out: TileMut<'_, T>, window: &Window, images: Tile<'_, T>, deltas: Tile<'_, T>);
    fn convolve_gradient_sum(out: TileMut<'_, T>, alpha: T, window: &Window, images: Tile<'_, T>, deltas: Tile<'_, T>);
    fn unfold(out: TileMut<'_, T>, window: &Window, images: Tile<'_, T>);
    fn pool(out: TileMut<'_, T>, mode: WriteMode, alpha: T, window: &Window, images: Tile<'_, T>);
    fn pool_backward(into: TileMut<'_, T>, mode: WriteMode, alpha: T, window: &Window, deltas: Tile<'_, T>);
    fn max_pool(out: TileMut<'_, T>, window: &Window, images: Tile<'_, T>, x: Tile<'_, T>);
    fn max_pool_backward(into: TileMut<'_, T>, mode: WriteMode, window: &Window, images: Tile<'_, T>, deltas: Tile<'_, T>);
    fn copy_columns(out: TileMut<'_, T>, mode: WriteMode, to: usize, x: Tile<'_, T>, columns: Range<usize>);
    fn scale_shift(out: TileMut<'_, T>, mode: WriteMode, scale: T, shift: T, x: Tile<'_, T>);
    fn gram_accumulate(out: TileMut<'_, T>, scale: T, shift: T, aa: Tile<'_, T>, dd: Tile<'_, T>);
    fn has_row_products(rows: usize, length: usize) -> bool;
    fn add_row_products(out: TileMut<'_, T>, alpha: T, a: Tile<'_, T>);
    fn momentum_update(theta: TileMut<'_, T>, velocity: TileMut<'_, T>, learning_rate: T, momentum: T);
    fn adam_update(state: AdamUpdate<'_, T>, gradient: Tile<'_, T>);
}

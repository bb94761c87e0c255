//! Every operation of a device on the processor: its rows cut into blocks for the threads.

use std::ops::Range;

use super::convolution::{self, Convolution};
use super::threads::CpuOperations;
use super::winograd::{Shape, Way};
use super::{elementwise, pool, product, row_products};
use crate::device::operations::{AdamUpdate, Operations, Order, Pointwise, WriteMode};
use crate::device::tile::{Tile, TileMut};
use crate::device::window::Window;
use crate::scalar::Scalar;

/// Images of one partial sum of gradients.
const SUMMED_IMAGES: usize = 8;

impl<T: Scalar> Operations<T> for CpuOperations {
    fn product(&self, out: TileMut<'_, T>, mode: WriteMode, alpha: T, a: Tile<'_, T>, b: Tile<'_, T>) {
        product::product(self, out, mode, alpha, a, b);
    }

    fn fill_rows(&self, out: TileMut<'_, T>, row: Tile<'_, T>) {
        assert_eq!(row.columns(), out.columns(), "columns of fill_rows");
        self.by_rows(out, 1, |_, mut out| {
            for line in out.host().chunks_exact_mut(row.columns().max(1)) {
                line.copy_from_slice(row.host());
            }
        });
    }

    fn pointwise(&self, f: &dyn Pointwise<T>, order: Order, z: Tile<'_, T>, out: TileMut<'_, T>) {
        assert_eq!((z.rows(), z.columns()), (out.rows(), out.columns()), "shape of pointwise");
        self.by_rows(out, 4, |first, mut out| {
            let z = z.row_range(first..first + out.rows());
            f.evaluate(order, z.host(), out.host());
        });
    }

    fn pointwise_in_place(&self, f: &dyn Pointwise<T>, z: TileMut<'_, T>) {
        self.by_rows(flatten(z), 4, |_, mut z| {
            let mut copy = [T::ZERO; 512];
            for z in z.host().chunks_mut(copy.len()) {
                let copy = &mut copy[..z.len()];
                copy.copy_from_slice(z);
                f.evaluate(Order::Value, copy, z);
            }
        });
    }

    fn pointwise_backward(&self, f: &dyn Pointwise<T>, z: Tile<'_, T>, delta: TileMut<'_, T>) {
        let repeat = repeats(delta.rows(), z.rows());
        self.by_rows(delta, 4, |first, mut delta| {
            let (rows, columns) = (delta.rows(), delta.columns());
            if repeat == 1 {
                f.backward(z.row_range(first..first + rows).host(), delta.host());
                return;
            }
            // The slope of a sample is computed once and serves all its outputs.
            let mut slope = vec![T::ZERO; columns];
            let mut sample = usize::MAX;
            for (at, line) in delta.host().chunks_exact_mut(columns.max(1)).enumerate() {
                let i = (first + at) / repeat;
                if i != sample {
                    sample = i;
                    f.evaluate(Order::First, z.row_range(i..i + 1).host(), &mut slope);
                }
                elementwise::multiply(line, &slope);
            }
        });
    }

    fn multiply(&self, out: TileMut<'_, T>, factor: Tile<'_, T>) {
        let repeat = repeats(out.rows(), factor.rows());
        self.by_rows(out, 1, |first, mut out| {
            let columns = out.columns();
            for (at, line) in out.host().chunks_exact_mut(columns.max(1)).enumerate() {
                let i = (first + at) / repeat;
                elementwise::multiply(line, factor.row_range(i..i + 1).host());
            }
        });
    }

    fn axpby(&self, out: TileMut<'_, T>, beta: T, alpha: T, x: Tile<'_, T>) {
        let (x, mut flat) = (x.host(), flatten(out));
        assert_eq!(flat.rows(), x.len(), "elements of axpby");
        self.by_rows(flat.reborrow(), 1, |first, mut out| {
            let length = out.rows();
            elementwise::axpby(out.host(), beta, alpha, &x[first..first + length]);
        });
    }

    fn combine_outputs(&self, out: TileMut<'_, T>, c: Tile<'_, T>, deltas: Tile<'_, T>) {
        let outputs = repeats(deltas.rows(), out.rows());
        assert_eq!(c.rows() * c.columns(), deltas.rows(), "weights of combine_outputs");
        self.by_rows(out, outputs, |first, mut out| {
            let columns = out.columns();
            for (at, line) in out.host().chunks_exact_mut(columns.max(1)).enumerate() {
                let rows = (first + at) * outputs..(first + at + 1) * outputs;
                let rows_of_sample = deltas.row_range(rows.clone()).host();
                elementwise::weighted_sum(line, &c.host()[rows], rows_of_sample);
            }
        });
    }

    fn row_dots(&self, out: TileMut<'_, T>, y: Tile<'_, T>, deltas: Tile<'_, T>) {
        let outputs = repeats(deltas.rows(), y.rows());
        assert_eq!((out.rows(), out.columns()), (y.rows(), outputs), "shape of row_dots");
        self.by_rows(out, y.columns(), |first, mut out| {
            for (at, value) in out.host().iter_mut().enumerate() {
                let row = first * outputs + at;
                let (i, d) = (row / outputs, deltas.row_range(row..row + 1));
                *value += elementwise::dot(y.row_range(i..i + 1).host(), d.host());
            }
        });
    }

    fn column_sums(&self, mut out: TileMut<'_, T>, alpha: T, rows: Tile<'_, T>) {
        assert_eq!(out.columns(), rows.columns(), "columns of column_sums");
        elementwise::column_sums(out.host(), alpha, rows.host());
    }

    fn convolve(
        &self,
        out: TileMut<'_, T>,
        mode: WriteMode,
        alpha: T,
        window: &Window,
        images: Tile<'_, T>,
        weight: Tile<'_, T>,
    ) {
        assert_eq!((images.rows(), images.columns()), (out.rows(), window.image_len()), "images of convolve");
        assert_eq!((weight.rows() * window.places(), weight.columns()), (out.columns(), window.len()), "weight");
        if let Some(shape) = Shape::new::<T>(self, window, weight.rows()) {
            return shape.convolve(self, out, (mode, alpha), images, weight, Way::Forward);
        }
        self.by_rows(out, window.len(), |first, mut out| {
            let columns = out.columns();
            let mut convolution = Convolution::new(window, weight.rows());
            let images = images.row_range(first..first + out.rows()).host();
            for (out, image) in out.host().chunks_exact_mut(columns).zip(images.chunks_exact(window.image_len())) {
                convolution.forward(out, mode, alpha, image, weight.host());
            }
        });
    }

    fn convolve_backward(
        &self,
        into: TileMut<'_, T>,
        mode: WriteMode,
        alpha: T,
        window: &Window,
        deltas: Tile<'_, T>,
        weight: Tile<'_, T>,
    ) {
        assert_eq!((deltas.rows(), window.image_len()), (into.rows(), into.columns()), "shape of convolve_backward");
        if let Some(shape) = Shape::new::<T>(self, window, weight.rows()) {
            return shape.convolve(self, into, (mode, alpha), deltas, weight, Way::Backward);
        }
        if window.stride() == 1 {
            let transposed = convolution::transposed_weight(window, weight.host());
            let window = window.transposed(weight.rows());
            let weight = Tile::new(&transposed, transposed.len() / window.len(), window.len());
            return self.convolve(into, mode, alpha, &window, deltas, weight);
        }
        self.by_rows(into, window.len(), |first, mut into| {
            let (columns, width) = (into.columns(), deltas.columns());
            let mut convolution = Convolution::new(window, weight.rows());
            let deltas = deltas.row_range(first..first + into.rows()).host();
            for (into, delta) in into.host().chunks_exact_mut(columns).zip(deltas.chunks_exact(width)) {
                convolution.backward(into, mode, alpha, delta, weight.host());
            }
        });
    }

    fn convolve_gradients(&self, out: TileMut<'_, T>, window: &Window, images: Tile<'_, T>, deltas: Tile<'_, T>) {
        let (outputs, q) = (deltas.columns() / window.places(), repeats(deltas.rows(), images.rows()));
        assert_eq!((out.rows(), out.columns()), (deltas.rows(), outputs * window.len()), "shape of convolve_gradients");
        // One row for each image, so that its windows serve all its cotangents.
        let out = out.reshape(q * outputs * window.len());
        let shape = Shape::new::<T>(self, window, outputs);
        self.by_rows(out, window.places(), |first, mut out| {
            let (rows, columns) = (out.rows(), out.columns());
            if let Some(shape) = shape {
                let images = images.row_range(first..first + rows).host();
                let deltas = deltas.row_range(first * q..(first + rows) * q).host();
                return shape.gradients(self, (out.host(), false), images, deltas, q);
            }
            let mut convolution = Convolution::new(window, outputs);
            for (i, out) in (first..first + rows).zip(out.host().chunks_exact_mut(columns)) {
                let deltas = deltas.row_range(i * q..(i + 1) * q).host();
                convolution.gradients(out, WriteMode::Replace, images.row_range(i..i + 1).host(), deltas, outputs);
            }
        });
    }

    fn convolve_gradient_sum(
        &self,
        mut out: TileMut<'_, T>,
        alpha: T,
        window: &Window,
        images: Tile<'_, T>,
        deltas: Tile<'_, T>,
    ) {
        let (outputs, q) = (deltas.columns() / window.places(), repeats(deltas.rows(), images.rows()));
        assert_eq!(out.rows() * out.columns(), outputs * window.len(), "shape of convolve_gradient_sum");
        let length = out.rows() * out.columns();
        // Partial sums over fixed blocks, added in order.
        let shape = Shape::new::<T>(self, window, outputs);
        let block = shape.map_or(SUMMED_IMAGES, |shape| shape.summed_images(SUMMED_IMAGES));
        let threads = self.threads_for(deltas.rows() * deltas.columns() * window.len());
        self.scratch(images.rows().div_ceil(block) * length, |partial: &mut [T]| {
            self.pieces(threads, partial.chunks_mut(length).enumerate().collect(), |(at, partial)| {
                let range = at * block..((at + 1) * block).min(images.rows());
                if let Some(shape) = shape {
                    let deltas = deltas.row_range(range.start * q..range.end * q).host();
                    return shape.gradients(self, (partial, true), images.row_range(range).host(), deltas, q);
                }
                let mut convolution = Convolution::new(window, outputs);
                partial.fill(T::ZERO);
                for i in range {
                    let (image, deltas) = (images.row_range(i..i + 1), deltas.row_range(i * q..(i + 1) * q));
                    convolution.gradients(partial, WriteMode::Accumulate, image.host(), deltas.host(), outputs);
                }
            });
            elementwise::column_sums(out.host(), alpha, partial);
        });
    }

    fn unfold(&self, out: TileMut<'_, T>, window: &Window, images: Tile<'_, T>) {
        let rows = TileMut::new(out.into_host(), images.rows(), window.places() * window.len());
        self.by_rows(rows, 1, |first, mut out| {
            let columns = out.columns();
            let mut convolution = Convolution::new(window, 0);
            for (at, out) in out.host().chunks_exact_mut(columns).enumerate() {
                convolution.unfold(images.row_range(first + at..first + at + 1).host(), out);
            }
        });
    }

    fn pool(&self, out: TileMut<'_, T>, mode: WriteMode, alpha: T, window: &Window, images: Tile<'_, T>) {
        self.by_rows(out, window.kernel().0 * window.kernel().1, |first, mut out| {
            let columns = out.columns();
            for (at, out) in out.host().chunks_exact_mut(columns).enumerate() {
                if mode == WriteMode::Replace {
                    out.fill(T::ZERO);
                }
                pool::forward(window, out, alpha, images.row_range(first + at..first + at + 1).host());
            }
        });
    }

    fn pool_backward(&self, into: TileMut<'_, T>, mode: WriteMode, alpha: T, window: &Window, deltas: Tile<'_, T>) {
        self.by_rows(into, 1, |first, mut into| {
            let columns = into.columns();
            for (at, into) in into.host().chunks_exact_mut(columns).enumerate() {
                if mode == WriteMode::Replace {
                    into.fill(T::ZERO);
                }
                pool::backward(window, into, alpha, deltas.row_range(first + at..first + at + 1).host());
            }
        });
    }

    fn max_pool(&self, out: TileMut<'_, T>, window: &Window, images: Tile<'_, T>, x: Tile<'_, T>) {
        assert_eq!((images.rows(), images.columns()), (x.rows(), x.columns()), "shapes of max_pool");
        self.by_rows(out, window.len(), |first, mut out| {
            let columns = out.columns();
            for (at, out) in out.host().chunks_exact_mut(columns).enumerate() {
                let sample = first + at..first + at + 1;
                let largest = pool::largest(window, images.row_range(sample.clone()).host());
                elementwise::gather(out, x.row_range(sample).host(), &largest);
            }
        });
    }

    fn max_pool_backward(
        &self,
        into: TileMut<'_, T>,
        mode: WriteMode,
        window: &Window,
        images: Tile<'_, T>,
        deltas: Tile<'_, T>,
    ) {
        let q = repeats(deltas.rows(), images.rows());
        // One row for each image, so that its largest pixels serve all its cotangents.
        self.by_rows(into.reshape(q * window.image_len()), window.len(), |first, mut into| {
            let columns = into.columns();
            for (at, into) in into.host().chunks_exact_mut(columns).enumerate() {
                let i = first + at;
                let largest = pool::largest(window, images.row_range(i..i + 1).host());
                if mode == WriteMode::Replace {
                    into.fill(T::ZERO);
                }
                let deltas = deltas.row_range(i * q..(i + 1) * q).host();
                for (into, delta) in into.chunks_exact_mut(window.image_len()).zip(deltas.chunks_exact(largest.len())) {
                    elementwise::scatter(into, delta, &largest);
                }
            }
        });
    }

    fn copy_columns(&self, out: TileMut<'_, T>, mode: WriteMode, to: usize, x: Tile<'_, T>, columns: Range<usize>) {
        assert_eq!(out.rows(), x.rows(), "rows of copy_columns");
        self.by_rows(out, 1, |first, mut out| {
            let width = out.columns();
            let x = x.row_range(first..first + out.rows()).host().chunks_exact(x.columns());
            for (out, x) in out.host().chunks_exact_mut(width).zip(x) {
                elementwise::put(&mut out[to..to + columns.len()], mode, &x[columns.clone()]);
            }
        });
    }

    fn scale_shift(&self, out: TileMut<'_, T>, mode: WriteMode, scale: T, shift: T, x: Tile<'_, T>) {
        let (x, mut flat) = (x.host(), flatten(out));
        assert_eq!(flat.rows(), x.len(), "elements of scale_shift");
        self.by_rows(flat.reborrow(), 1, |first, mut out| {
            let length = out.rows();
            elementwise::scale_shift(
                out.host(),
                mode == WriteMode::Accumulate,
                scale,
                shift,
                &x[first..first + length],
            );
        });
    }

    fn gram_accumulate(&self, out: TileMut<'_, T>, scale: T, shift: T, aa: Tile<'_, T>, dd: Tile<'_, T>) {
        assert_eq!((dd.rows(), dd.columns()), (out.rows(), out.columns()), "shape of gram_accumulate");
        let (k, q) = (repeats(out.rows(), aa.rows()), repeats(out.columns(), aa.columns()));
        self.by_rows(out, 1, |first, mut out| {
            let columns = out.columns();
            for (at, line) in out.host().chunks_exact_mut(columns.max(1)).enumerate() {
                let row = first + at;
                let aa = aa.row_range(row / k..row / k + 1).host();
                elementwise::gram_accumulate(line, scale, shift, aa, q, dd.row_range(row..row + 1).host());
            }
        });
    }

    fn has_row_products(&self, rows: usize, length: usize) -> bool {
        row_products::fits::<T>(rows, length)
    }

    fn add_row_products(&self, mut out: TileMut<'_, T>, alpha: T, a: Tile<'_, T>) {
        let n = a.rows();
        assert!(row_products::fits::<T>(n, a.columns()), "a form for so many rows");
        assert_eq!((out.rows(), out.columns()), (n, n), "shape of add_row_products");
        let (out, alpha) = (bytemuck::cast_slice_mut(out.host()), alpha.to_f64() as f32);
        row_products::add(self, out, alpha, bytemuck::cast_slice(a.host()), n);
    }

    fn momentum_update(&self, theta: TileMut<'_, T>, velocity: TileMut<'_, T>, learning_rate: T, momentum: T) {
        let (theta, velocity) = (theta.into_host(), velocity.into_host());
        let threads = self.threads_for(velocity.len());
        let block = velocity.len().div_ceil(threads).max(1);
        let pieces = theta.chunks_mut(block).zip(velocity.chunks_mut(block)).collect();
        self.pieces(threads, pieces, |(theta, velocity)| {
            elementwise::momentum_update(theta, velocity, learning_rate, momentum);
        });
    }

    fn adam_update(&self, state: AdamUpdate<'_, T>, gradient: Tile<'_, T>) {
        let AdamUpdate { theta, first, second, decay, correction, learning_rate, epsilon } = state;
        let gradient = gradient.host();
        let threads = self.threads_for(gradient.len() * 4);
        let block = gradient.len().div_ceil(threads).max(1);
        let constants = elementwise::AdamConstants { decay, correction, learning_rate, epsilon };
        let moments = first.into_host().chunks_mut(block).zip(second.into_host().chunks_mut(block));
        let pieces = theta.into_host().chunks_mut(block).zip(moments).zip(gradient.chunks(block)).collect();
        self.pieces(threads, pieces, |((theta, (first, second)), gradient)| {
            elementwise::adam_update(theta, first, second, gradient, &constants);
        });
    }
}

/// A matrix as one column, so that element-wise work is cut anywhere.
fn flatten<T: Scalar>(tile: TileMut<'_, T>) -> TileMut<'_, T> {
    let data = tile.into_host();
    let length = data.len();
    TileMut::new(data, length, 1)
}

/// How many rows of the larger matrix belong to one of the smaller.
fn repeats(rows: usize, samples: usize) -> usize {
    assert!(samples == 0 || rows.is_multiple_of(samples), "{rows} rows for {samples} samples");
    rows.checked_div(samples).unwrap_or(1).max(1)
}

//! Convolutions, image by image.
//!
//! With stride 1, the rows of windows that start in one row of the padded image lie at a distance of one pixel from
//! each other, and go on without a break from one image row to the next. So each kernel row is *one* product of
//! overlapping rows, with nothing copied but the border; the windows across the image's edge are computed for nothing.
//! Where these would be many (small images) or the stride is larger, the windows are written out instead.

use std::ops::Range;

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

use super::super::operations::WriteMode;
use super::super::window::Window;
use super::elementwise;
use super::product::accumulate;
use crate::scalar::Scalar;

/// A convolution of one image at a time, with the memory that it needs.
pub(super) struct Convolution<T> {
    window: Window,
    form: Form,
    /// The image with its border.
    padded: Vec<T>,
    /// Windows written out, or results with the windows across the edge.
    work: Vec<T>,
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    /// Overlapping rows of the padded image.
    Overlapping,
    /// Windows written out.
    Unfolded,
}

impl<T: Scalar> Convolution<T> {
    /// Memory for images seen through `window`, with results of `outputs` channels.
    pub(super) fn new(window: &Window, outputs: usize) -> Self {
        let ((height, width), (rows, columns)) = (window.padded(), window.output());
        // More than a seventh for nothing costs more than writing the windows out.
        let form =
            if window.stride() == 1 && 7 * (width - columns) <= columns { Form::Overlapping } else { Form::Unfolded };
        let work = match form {
            Form::Overlapping => rows * width * outputs,
            Form::Unfolded => window.places() * window.len(),
        };
        Self {
            window: *window,
            form,
            padded: vec![T::ZERO; height * width * window.channels()],
            work: vec![T::ZERO; work],
        }
    }

    /// Takes an image in.
    fn load(&mut self, image: &[T]) {
        for (row, inside) in image.chunks_exact(image_line(&self.window)).zip(inside(&self.window)) {
            self.padded[inside].copy_from_slice(row);
        }
    }

    /// Writes out the windows of an image, T×window length.
    pub(super) fn unfold(&mut self, image: &[T], out: &mut [T]) {
        self.load(image);
        unfold(&self.window, &self.padded, out);
    }

    /// Number of overlapping rows, from the first window to the last.
    fn overlapping_rows(&self) -> usize {
        let (rows, columns) = self.window.output();
        (rows - 1) * self.window.padded().1 + columns
    }

    /// The part of all windows that lies in their row `y`, overlapping.
    fn kernel_row(&self, y: usize) -> MatRef<'_, T> {
        let channels = self.window.channels();
        let from = &self.padded[y * self.window.padded().1 * channels..];
        let length = self.window.kernel().1 * channels;
        MatRef::from_row_major_slice_with_stride(from, self.overlapping_rows(), length, channels)
    }

    /// out (T×d_out) (+)= α·windows·Wᵀ.
    pub(super) fn forward(&mut self, out: &mut [T], mode: WriteMode, alpha: T, image: &[T], weight: &[T]) {
        self.load(image);
        let (places, length) = (self.window.places(), self.window.len());
        let outputs = out.len() / places;
        if self.form == Form::Unfolded {
            unfold(&self.window, &self.padded, &mut self.work);
            let windows = MatRef::from_row_major_slice(&self.work, places, length);
            let weight = MatRef::from_row_major_slice(weight, outputs, length).transpose();
            let out = MatMut::from_row_major_slice_mut(out, places, outputs);
            return matmul(out, accumulate(mode), windows, weight, alpha, Par::Seq);
        }
        let line = length / self.window.kernel().0;
        let mut work = std::mem::take(&mut self.work);
        let rows = self.overlapping_rows();
        for y in 0..self.window.kernel().0 {
            let weight = MatRef::from_row_major_slice_with_stride(&weight[y * line..], outputs, line, length);
            let out = MatMut::from_row_major_slice_mut(&mut work[..rows * outputs], rows, outputs);
            let mode = if y == 0 { Accum::Replace } else { Accum::Add };
            matmul(out, mode, self.kernel_row(y), weight.transpose(), alpha, Par::Seq);
        }
        let (columns, pitch) = (self.window.output().1 * outputs, self.window.padded().1 * outputs);
        for (out, row) in out.chunks_exact_mut(columns).zip(work.chunks(pitch)) {
            elementwise::put(out, mode, &row[..columns]);
        }
        self.work = work;
    }

    /// into (image) (+)= α·∂⟨δ, W ∗ x⟩/∂x, through windows written out: for strides other than 1.
    pub(super) fn backward(&mut self, into: &mut [T], mode: WriteMode, alpha: T, delta: &[T], weight: &[T]) {
        let (places, length) = (self.window.places(), self.window.len());
        let outputs = delta.len() / places;
        self.work.resize(places * length, T::ZERO);
        let windows = MatMut::from_row_major_slice_mut(&mut self.work, places, length);
        let delta = MatRef::from_row_major_slice(delta, places, outputs);
        let weight = MatRef::from_row_major_slice(weight, outputs, length);
        matmul(windows, Accum::Replace, delta, weight, alpha, Par::Seq);
        self.padded.fill(T::ZERO);
        fold(&self.window, &self.work, &mut self.padded);
        for (row, inside) in into.chunks_exact_mut(image_line(&self.window)).zip(inside(&self.window)) {
            elementwise::put(row, mode, &self.padded[inside]);
        }
    }

    /// out (d_out×window length) (+)= Σ_t δ_t ⊗ x_t for several deltas (T×d_out) of one image; `out` has one block
    /// for each of them, or one for all.
    pub(super) fn gradients(&mut self, out: &mut [T], mut mode: WriteMode, image: &[T], deltas: &[T], outputs: usize) {
        self.load(image);
        let (places, length) = (self.window.places(), self.window.len());
        let mut work = std::mem::take(&mut self.work);
        if self.form == Form::Unfolded {
            unfold(&self.window, &self.padded, &mut work);
        }
        let several = out.len() > outputs * length;
        for (a, delta) in deltas.chunks_exact(places * outputs).enumerate() {
            let out = if several { &mut out[a * outputs * length..][..outputs * length] } else { &mut *out };
            match self.form {
                Form::Unfolded => {
                    let windows = MatRef::from_row_major_slice(&work, places, length);
                    let delta = MatRef::from_row_major_slice(delta, places, outputs).transpose();
                    let out = MatMut::from_row_major_slice_mut(out, outputs, length);
                    matmul(out, accumulate(mode), delta, windows, T::ONE, Par::Seq);
                }
                Form::Overlapping => self.overlapping_gradient(out, mode, delta, outputs, &mut work),
            }
            if !several {
                mode = WriteMode::Accumulate;
            }
        }
        self.work = work;
    }

    /// The same for one delta, with 0 as the delta of windows across the edge.
    fn overlapping_gradient(&self, out: &mut [T], mode: WriteMode, delta: &[T], outputs: usize, work: &mut [T]) {
        let (columns, pitch) = (self.window.output().1 * outputs, self.window.padded().1 * outputs);
        for (row, delta) in work.chunks_exact_mut(pitch).zip(delta.chunks_exact(columns)) {
            row[..columns].copy_from_slice(delta);
            row[columns..].fill(T::ZERO);
        }
        let (rows, length) = (self.overlapping_rows(), self.window.len());
        let line = length / self.window.kernel().0;
        let delta = MatRef::from_row_major_slice(&work[..rows * outputs], rows, outputs).transpose();
        for y in 0..self.window.kernel().0 {
            // By columns and transposed: faer 0.24's constructor of strided mutable rows swaps the strides.
            let out = MatMut::from_column_major_slice_with_stride_mut(&mut out[y * line..], line, outputs, length);
            matmul(out.transpose_mut(), accumulate(mode), delta, self.kernel_row(y), T::ONE, Par::Seq);
        }
    }
}

/// Numbers in one row of an image.
fn image_line(window: &Window) -> usize {
    window.image().1 * window.channels()
}

/// Where the rows of an image lie in the padded image.
fn inside(window: &Window) -> impl Iterator<Item = Range<usize>> {
    let (line, padded_line) = (image_line(window), window.padded().1 * window.channels());
    let first = window.padding() * (padded_line + window.channels());
    (0..window.image().0).map(move |y| first + y * padded_line..first + y * padded_line + line)
}

/// Calls `visit` with the start of every kernel row of every window, in the unfolded and in the padded image.
fn kernel_rows(window: &Window, mut visit: impl FnMut(usize, usize, usize)) {
    let ((rows, columns), (_, width)) = (window.output(), window.padded());
    let line = window.kernel().1 * window.channels();
    let mut at = 0;
    for row in 0..rows {
        for column in 0..columns {
            for y in 0..window.kernel().0 {
                let pixel = (row * window.stride() + y) * width + column * window.stride();
                visit(at, pixel * window.channels(), line);
                at += line;
            }
        }
    }
}

fn unfold<T: Scalar>(window: &Window, padded: &[T], out: &mut [T]) {
    kernel_rows(window, |at, from, length| out[at..at + length].copy_from_slice(&padded[from..from + length]));
}

fn fold<T: Scalar>(window: &Window, windows: &[T], padded: &mut [T]) {
    kernel_rows(window, |at, to, length| {
        for (sum, value) in padded[to..to + length].iter_mut().zip(&windows[at..at + length]) {
            *sum += *value;
        }
    });
}

/// The weight of the transposed convolution, channels×(k·k·d_out): kernel turned by half a circle, channels exchanged.
pub(super) fn transposed_weight<T: Scalar>(window: &Window, weight: &[T]) -> Vec<T> {
    let (channels, length) = (window.channels(), window.len());
    let (taps, outputs) = (length / channels, weight.len() / length);
    let mut transposed = vec![T::ZERO; weight.len()];
    for (o, filter) in weight.chunks_exact(length).enumerate() {
        for (tap, values) in filter.chunks_exact(channels).enumerate() {
            for (c, &value) in values.iter().enumerate() {
                transposed[(c * taps + (taps - 1 - tap)) * outputs + o] = value;
            }
        }
    }
    transposed
}

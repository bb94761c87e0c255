//! What planes ask of an image, or of a cell of images: variances of every pixel, in front of every operation.

use super::super::dual::Dual;
use super::cells::{Cells, LANES};
use super::geometry::{Grid, Windows};
use super::program::{Convolution, Op, Program, Stage};
use crate::device::Device;
use crate::scalar::Scalar;

/// One number of every pixel, or a cell of them, with a border of zeros; on a torus the columns stand there twice.
#[derive(Debug)]
pub(super) struct Table<T> {
    values: Cells<T>,
    /// Numbers a pixel: 1, or those of a cell.
    each: usize,
    margin: usize,
    /// Pixels from one row to the next.
    pitch: usize,
}

impl<T: Scalar> Table<T> {
    fn fill(grid: Grid, program: &Program, each: usize, value: impl Fn(usize) -> T) -> Self {
        let margin = program.table_margin;
        let columns = if program.torus { 2 * grid.width } else { grid.width };
        let pitch = columns + 2 * margin;
        let mut values = Cells::new((grid.height + 2 * margin) * pitch * each);
        for row in 0..grid.height {
            let line = &mut values[((row + margin) * pitch + margin) * each..][..columns * each];
            for (column, pixel) in line.chunks_exact_mut(each).enumerate() {
                let from = (row * grid.width + column % grid.width) * each;
                pixel.iter_mut().zip(from..).for_each(|(out, at)| *out = value(at));
            }
        }
        Self { values, each, margin, pitch }
    }

    /// `width` pixels of a row; rows and columns may lie in the border.
    #[inline(always)]
    pub(super) fn row(&self, row: isize, column: isize, width: usize) -> &[T] {
        if width == 0 {
            return &[];
        }
        let row = self.margin.wrapping_add_signed(row);
        let column = self.margin.wrapping_add_signed(column);
        &self.values[(row * self.pitch + column) * self.each..][..width * self.each]
    }

    /// The numbers of one image.
    fn lane(&self, lane: usize) -> Self {
        let mut values = Cells::new(self.values.len() / self.each);
        values.iter_mut().zip(self.values.iter().skip(lane).step_by(self.each)).for_each(|(out, &value)| *out = value);
        Self { values, each: 1, ..*self }
    }
}

/// What is known in front of an operation.
#[derive(Debug)]
pub(super) struct State<T> {
    /// v/2
    pub(super) half: Table<T>,
    /// √v and 1/√v, in front of an activation.
    pub(super) roots: Option<(Table<T>, Table<T>)>,
}

/// Below it 1/√v is not finite in `f32`.
const SMALLEST: f64 = 1e-18;

impl<T: Scalar> State<T> {
    fn new(program: &Program, grid: Grid, each: usize, variances: &[f64], rooted: bool) -> Self {
        let table =
            |value: &dyn Fn(f64) -> f64| Table::fill(grid, program, each, |at| T::from_f64(value(variances[at])));
        let inverse = |v: f64| if v.sqrt() > SMALLEST { 1.0 / v.sqrt() } else { 0.0 };
        Self { half: table(&|v| 0.5 * v), roots: rooted.then(|| (table(&f64::sqrt), table(&inverse))) }
    }

    fn lane(&self, lane: usize) -> Self {
        let roots = self.roots.as_ref().map(|(root, inverse)| (root.lane(lane), inverse.lane(lane)));
        Self { half: self.half.lane(lane), roots }
    }
}

/// One image, or a cell of images, with its states in every stage that has been prepared.
#[derive(Debug)]
pub(super) struct Side<T> {
    /// Pixels, channels innermost, then images.
    pub(super) pixels: Cells<T>,
    /// In front of every operation of every stage, and after the last one.
    pub(super) stages: Vec<Vec<State<T>>>,
}

impl<T: Scalar> Side<T> {
    /// A cell of images, each of `length` numbers; the last one fills what is left of the cell.
    pub(super) fn new(images: &[T], length: usize) -> Self {
        let each = LANES;
        let count = images.len() / length.max(1);
        let mut pixels = Cells::new(length * each);
        for (at, cell) in pixels.chunks_exact_mut(each).enumerate() {
            for (lane, value) in cell.iter_mut().enumerate() {
                *value = images[lane.min(count - 1) * length + at];
            }
        }
        Self { pixels, stages: Vec::new() }
    }

    /// The variances of the pixels themselves.
    pub(super) fn input_variances(&self, channels: usize) -> Vec<f64> {
        let each = LANES;
        let mut variances = vec![0.0; self.pixels.len() / channels];
        for (cell, pixel) in variances.chunks_exact_mut(each).zip(self.pixels.chunks_exact(each * channels)) {
            for channel in pixel.chunks_exact(each) {
                cell.iter_mut().zip(channel).for_each(|(v, x)| *v += x.to_f64() * x.to_f64() / channels as f64);
            }
        }
        variances
    }

    /// Prepares the next stage from the variances at its start; returns those at its end.
    pub(super) fn prepare(&mut self, program: &Program, device: &Device, start: Vec<f64>) -> Vec<f64> {
        let stage = &program.stages[self.stages.len()];
        let each = LANES;
        let (mut now, mut stack) = (start, Vec::new());
        let mut states = Vec::with_capacity(stage.ops.len() + 1);
        for (at, op) in stage.ops.iter().enumerate() {
            let rooted = matches!(op, Op::Activation(_));
            states.push(State::new(program, stage.grids[at], each, &now, rooted));
            now = match op {
                Op::Convolution(convolution) => window_sums(convolution, stage.grids[at], each, &now),
                Op::Activation(dual) => moments::<T>(*dual, device, &now),
                Op::Pixels { stride, share } => every_pixel(stage, at, *stride, *share, each, &now),
                Op::Split => {
                    stack.push(now.clone());
                    now
                }
                Op::Swap => stack.last_mut().map_or_else(Vec::new, |top| std::mem::replace(top, now)),
                Op::Join => {
                    let input = stack.pop().unwrap_or_default();
                    now.iter().zip(input).map(|(a, b)| a + b).collect()
                }
            };
        }
        states.push(State::new(program, stage.end, each, &now, false));
        self.stages.push(states);
        now
    }

    /// One image of a cell.
    pub(super) fn lane(&self, lane: usize) -> Self {
        let mut pixels = Cells::new(self.pixels.len() / LANES);
        let values = self.pixels.iter().skip(lane).step_by(LANES);
        pixels.iter_mut().zip(values).for_each(|(out, &value)| *out = value);
        let stages = self.stages.iter().map(|states| states.iter().map(|state| state.lane(lane)).collect());
        Self { pixels, stages: stages.collect() }
    }
}

/// E\[φ²\]; not a number where there is none, which is noticed when points are prepared.
fn moments<T: Scalar>(dual: Dual, device: &Device, variances: &[f64]) -> Vec<f64> {
    dual.prepare::<T>(device, variances).map_or_else(|_| vec![f64::NAN; variances.len()], |(moments, _)| moments)
}

/// w·Σ v + b over windows.
fn window_sums(convolution: &Convolution, grid: Grid, each: usize, variances: &[f64]) -> Vec<f64> {
    let Convolution { rows, columns, stride, kernel, torus, weight, bias, .. } = *convolution;
    let place = |out: usize, tap: usize, windows: Windows, size: usize| {
        let at = (out * stride + tap).checked_sub(windows.low);
        if torus { Some((out * stride + tap + size - windows.low) % size) } else { at.filter(|&at| at < size) }
    };
    let mut sums = vec![0.0; rows.count * columns.count * each];
    for (at, cell) in sums.chunks_exact_mut(each).enumerate() {
        let (i, j) = (at / columns.count, at % columns.count);
        for row in (0..kernel).filter_map(|tap| place(i, tap, rows, grid.height)) {
            for column in (0..kernel).filter_map(|tap| place(j, tap, columns, grid.width)) {
                let from = &variances[(row * grid.width + column) * each..][..each];
                cell.iter_mut().zip(from).for_each(|(sum, v)| *sum += v);
            }
        }
        for sum in cell {
            *sum = weight.mul_add(*sum, bias);
        }
    }
    sums
}

fn every_pixel(stage: &Stage, at: usize, stride: usize, share: f64, each: usize, variances: &[f64]) -> Vec<f64> {
    let (from, to) = (stage.grids[at], stage.grids[at + 1]);
    let places = (0..to.height).flat_map(|i| (0..to.width).map(move |j| stride * (i * from.width + j)));
    places.flat_map(|place| variances[place * each..][..each].iter().map(|v| share * v)).collect()
}

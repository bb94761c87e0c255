//! What planes ask of an image, or of a cell of images: variances of every pixel, in front of every operation.

use super::super::dual::Dual;
use super::cells::{Cells, LANES, Spare};
use super::geometry::{Grid, Windows};
use super::program::{Convolution, Op, Program, Stage};
use crate::device::{Device, vectorized, vectorized_body};
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

impl<T: Scalar> Default for Table<T> {
    /// Nothing.
    fn default() -> Self {
        Self { values: Cells::new(0), each: LANES, margin: 0, pitch: 0 }
    }
}

impl<T: Scalar> Table<T> {
    /// A number made of each variance, for a cell of images.
    fn of(grid: Grid, program: &Program, variances: &[f64], spare: &mut Spare<T>, value: impl Fn(f64) -> f64) -> Self {
        let margin = program.table_margin;
        let copies = if program.torus { 2 } else { 1 };
        let pitch = copies * grid.width + 2 * margin;
        let mut values = spare.cells((grid.height + 2 * margin) * pitch * LANES);
        let width = grid.width * LANES;
        vectorized(
            #[inline(always)]
            || {
                for (row, variances) in variances.chunks_exact(width).enumerate() {
                    let line = &mut values[((row + margin) * pitch + margin) * LANES..][..copies * width];
                    for copy in line.chunks_exact_mut(width) {
                        for (out, &v) in copy.iter_mut().zip(variances) {
                            *out = T::from_f64(value(v));
                        }
                    }
                }
            },
        );
        Self { values, each: LANES, margin, pitch }
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
    fn lane(&self, lane: usize, spare: &mut Spare<T>) -> Self {
        let mut values = spare.cells(self.values.len() / self.each);
        values.iter_mut().zip(self.values.iter().skip(lane).step_by(self.each)).for_each(|(out, &value)| *out = value);
        Self { values, each: 1, ..*self }
    }
}

/// What is known in front of an operation, or after the last one.
#[derive(Debug)]
pub(super) struct State<T> {
    /// v/2 where the stage says that planes ask for it, else nothing.
    pub(super) half: Table<T>,
    /// In front of an activation.
    pub(super) lengths: Option<Lengths<T>>,
}

/// Lengths r = √v below it count as 0: products of their inverses are numbers in `f32` too.
const SMALLEST: f64 = 1e-18;

/// r = √v and 1/r, 0 where there is none.
#[derive(Debug)]
pub(super) struct Lengths<T> {
    pub(super) root: Table<T>,
    pub(super) inverse: Table<T>,
}

impl<T: Scalar> State<T> {
    fn new(program: &Program, stage: usize, at: usize, variances: &[f64], spare: &mut Spare<T>) -> Self {
        let stage = &program.stages[stage];
        let mut table = |value: fn(f64) -> f64| Table::of(stage.grids[at], program, variances, spare, value);
        let inverse = |v: f64| if v > SMALLEST * SMALLEST { 1.0 / v.sqrt() } else { 0.0 };
        let half = stage.halves[at].then(|| table(|v| 0.5 * v)).unwrap_or_default();
        let lengths = matches!(stage.ops.get(at), Some(Op::Activation { .. }))
            .then(|| Lengths { root: table(f64::sqrt), inverse: table(inverse) });
        Self { half, lengths }
    }

    fn lane(&self, lane: usize, spare: &mut Spare<T>) -> Self {
        let half = self.half.lane(lane, spare);
        let mut lengths =
            |of: &Lengths<T>| Lengths { root: of.root.lane(lane, spare), inverse: of.inverse.lane(lane, spare) };
        Self { half, lengths: self.lengths.as_ref().map(&mut lengths) }
    }

    fn keep(self, spare: &mut Spare<T>) {
        spare.keep(self.half.values);
        if let Some(Lengths { root, inverse }) = self.lengths {
            spare.keep(root.values);
            spare.keep(inverse.values);
        }
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
    pub(super) fn new(images: &[T], length: usize, spare: &mut Spare<T>) -> Self {
        let each = LANES;
        let count = images.len() / length.max(1);
        let mut pixels = spare.cells(length * each);
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
    pub(super) fn prepare(
        &mut self,
        program: &Program,
        device: &Device,
        start: Vec<f64>,
        spare: &mut Spare<T>,
    ) -> Vec<f64> {
        let stage = self.stages.len();
        let mut states = Vec::with_capacity(program.stages[stage].ops.len() + 1);
        let end = follow::<T>(&program.stages[stage], device, start, |at, variances| {
            states.push(State::new(program, stage, at, variances, spare));
        });
        self.stages.push(states);
        end
    }

    /// One image of a cell.
    pub(super) fn lane(&self, lane: usize, spare: &mut Spare<T>) -> Self {
        let mut pixels = spare.cells(self.pixels.len() / LANES);
        let values = self.pixels.iter().skip(lane).step_by(LANES);
        pixels.iter_mut().zip(values).for_each(|(out, &value)| *out = value);
        let mut stage = |states: &Vec<State<T>>| states.iter().map(|state| state.lane(lane, spare)).collect();
        Self { pixels, stages: self.stages.iter().map(&mut stage).collect() }
    }

    /// Its memory, for others.
    pub(super) fn keep(self, spare: &mut Spare<T>) {
        spare.keep(self.pixels);
        for state in self.stages.into_iter().flatten() {
            state.keep(spare);
        }
    }
}

/// Variances of a cell of images through the operations of a stage; `see` is told those in front of every operation, and
/// those at the end.
pub(super) fn follow<T: Scalar>(
    stage: &Stage,
    device: &Device,
    start: Vec<f64>,
    mut see: impl FnMut(usize, &[f64]),
) -> Vec<f64> {
    let (mut now, mut stack) = (start, Vec::new());
    for (at, op) in stage.ops.iter().enumerate() {
        see(at, &now);
        now = match op {
            Op::Convolution(convolution) => window_sums(convolution, stage.grids[at], &now),
            Op::Activation { dual, .. } => moments::<T>(dual, device, &now),
            Op::Pixels { stride, share } => every_pixel(stage, at, *stride, *share, &now),
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
    see(stage.ops.len(), &now);
    now
}

/// E\[φ²\]; not a number where there is none, which is noticed when points are prepared.
fn moments<T: Scalar>(dual: &Dual, device: &Device, variances: &[f64]) -> Vec<f64> {
    dual.prepare::<T>(device, variances).map_or_else(|_| vec![f64::NAN; variances.len()], |(moments, _)| moments)
}

/// w·Σ v + b over windows.
fn window_sums(convolution: &Convolution, grid: Grid, variances: &[f64]) -> Vec<f64> {
    let Convolution { rows, columns, stride, kernel, torus, weight, bias, .. } = *convolution;
    let place = |out: usize, tap: usize, windows: Windows, size: usize| {
        let at = (out * stride + tap).checked_sub(windows.low);
        if torus { Some((out * stride + tap + size - windows.low) % size) } else { at.filter(|&at| at < size) }
    };
    let pixels = variances.as_chunks::<LANES>().0;
    let mut sums = vec![0.0; rows.count * columns.count * LANES];
    let mut line = vec![[0.0; LANES]; grid.width];
    vectorized_body(
        #[inline(always)]
        || {
            for (i, out) in sums.as_chunks_mut::<LANES>().0.chunks_exact_mut(columns.count).enumerate() {
                line.fill([0.0; LANES]);
                for row in (0..kernel).filter_map(|tap| place(i, tap, rows, grid.height)) {
                    add_cells(line.as_flattened_mut(), pixels[row * grid.width..][..grid.width].as_flattened());
                }
                for (j, sum) in out.iter_mut().enumerate() {
                    for column in (0..kernel).filter_map(|tap| place(j, tap, columns, grid.width)) {
                        add_cells(sum, &line[column]);
                    }
                    for sum in sum {
                        *sum = weight.mul_add(*sum, bias);
                    }
                }
            }
        },
    );
    sums
}

#[inline(always)]
fn add_cells(sums: &mut [f64], values: &[f64]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += value;
    }
}

fn every_pixel(stage: &Stage, at: usize, stride: usize, share: f64, variances: &[f64]) -> Vec<f64> {
    let (from, to) = (stage.grids[at], stage.grids[at + 1]);
    let places = (0..to.height).flat_map(|i| (0..to.width).map(move |j| stride * (i * from.width + j)));
    places.flat_map(|place| variances[place * LANES..][..LANES].iter().map(|v| share * v)).collect()
}

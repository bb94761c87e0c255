//! What planes ask of an image, or of a cell of images: variances of every pixel, in front of every operation.

use super::super::dual::{Coefficients, Dual};
use super::cells::{Cells, LANES, Spare};
use super::geometry::{Grid, Windows};
use super::program::{Convolution, Op, Program, Stage};
use super::series::Terms;
use super::table::Table;
use crate::device::{Device, vectorized_body};
use crate::error::Result;
use crate::scalar::Scalar;

/// What is known in front of an operation, or after the last one.
#[derive(Debug)]
pub(super) struct State<T> {
    /// v/2 where the stage says that planes ask for it, else nothing.
    pub(super) half: Table<T>,
    /// √v, in front of an activation.
    pub(super) root: Option<Table<T>>,
    /// In front of one that has no closed form.
    pub(super) terms: Option<Terms<T>>,
}

impl<T: Scalar> State<T> {
    fn new(program: &Program, stage: usize, at: usize, found: &Found<'_, T>, spare: &mut Spare<T>) -> Self {
        let (stage, grid) = (&program.stages[stage], program.stages[stage].grids[at]);
        let half = if stage.halves[at] {
            Table::of(
                grid,
                program,
                found.variances,
                spare,
                #[inline(always)]
                |v| 0.5 * v,
            )
        } else {
            Table::default()
        };
        let root = matches!(stage.ops.get(at), Some(Op::Activation { .. }))
            .then(|| Table::of(grid, program, found.variances, spare, f64::sqrt));
        let terms = (!found.coefficients.is_empty()).then(|| Terms::of(grid, program, found.coefficients, spare));
        Self { half, root, terms }
    }

    fn lane(&self, lane: usize, spare: &mut Spare<T>) -> Self {
        let half = self.half.lane(lane, spare);
        let root = self.root.as_ref().map(|root| root.lane(lane, spare));
        Self { half, root, terms: self.terms.as_ref().map(|terms| terms.lane(lane, spare)) }
    }

    fn keep(self, spare: &mut Spare<T>) {
        self.half.keep(spare);
        if let Some(root) = self.root {
            root.keep(spare);
        }
        if let Some(terms) = self.terms {
            terms.keep(spare);
        }
    }
}

/// What is found in front of an operation, of a cell of images.
pub(super) struct Found<'a, T> {
    variances: &'a [f64],
    /// Of an activation without closed form, those of every image.
    coefficients: &'a [Coefficients<T>],
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
    ) -> Result<Vec<f64>> {
        let stage = self.stages.len();
        let mut states = Vec::with_capacity(program.stages[stage].ops.len() + 1);
        let end = follow::<T>(&program.stages[stage], device, start, |at, found| {
            states.push(State::new(program, stage, at, &found, spare));
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

/// Variances of a cell of images through the operations of a stage; `see` is told what is found in front of every operation,
/// and at the end. Where an activation has no kernel of such variances, all later ones are no numbers.
pub(super) fn follow<T: Scalar>(
    stage: &Stage,
    device: &Device,
    start: Vec<f64>,
    mut see: impl FnMut(usize, Found<'_, T>),
) -> Result<Vec<f64>> {
    let (mut now, mut stack, mut failure) = (start, Vec::new(), Ok(()));
    for (at, op) in stage.ops.iter().enumerate() {
        let activated = match op {
            Op::Activation { dual, .. } => moments::<T>(dual, device, &now).unwrap_or_else(|error| {
                failure = std::mem::replace(&mut failure, Ok(())).and(Err(error));
                (vec![f64::NAN; now.len()], Vec::new())
            }),
            _ => (Vec::new(), Vec::new()),
        };
        see(at, Found { variances: &now, coefficients: &activated.1 });
        now = match op {
            Op::Convolution(convolution) => window_sums(convolution, stage.grids[at], &now),
            Op::Activation { .. } => activated.0,
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
    see(stage.ops.len(), Found { variances: &now, coefficients: &[] });
    failure.map(|()| now)
}

/// E\[φ²\], and of a series the coefficients of every image, found for each by itself.
fn moments<T: Scalar>(dual: &Dual, device: &Device, variances: &[f64]) -> Result<(Vec<f64>, Vec<Coefficients<T>>)> {
    if !matches!(dual, Dual::Series(_)) {
        return Ok((dual.prepare::<T>(device, variances)?.0, Vec::new()));
    }
    let (mut all, mut images) = (vec![0.0; variances.len()], Vec::with_capacity(LANES));
    for lane in 0..LANES {
        let own: Vec<f64> = variances.iter().skip(lane).step_by(LANES).copied().collect();
        let (moments, coefficients) = dual.prepare::<T>(device, &own)?;
        all.iter_mut().skip(lane).step_by(LANES).zip(moments).for_each(|(out, moment)| *out = moment);
        images.extend(coefficients);
    }
    Ok((all, images))
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

//! A set of points as an infinitely wide network sees it, and the kernels between two such sets.

use std::ops::Range;
use std::sync::Arc;

use super::dual::{Coefficients, Tables};
use super::kernel::InfiniteKernel;
use super::pairs::{Pairs, RUN, Scales};
use super::steps::Step;
use crate::device::{Device, Operations, Product, Tile, TileMut, vectorized};
use crate::error::{Error, Result, check_extent};
use crate::kernel::tiles::check_tile;
use crate::kernel::{Kernels, Which};
use crate::scalar::Scalar;
use crate::tangent::mirror;
use crate::view::{Matrix, MatrixView};

/// Rows of a panel, and columns that it meets at a time.
const PANEL: usize = 128;
pub(super) const STRIPE: usize = 768;
/// Distance of a correlation from ±1 below which it is computed again from the difference of the points.
const NEAR: f64 = 1.0 / 64.0;
/// Cost of a layer for one pair, in multiplications.
const LAYER_COST: f64 = 40.0;

/// Points prepared for an [`InfiniteKernel`]: their directions, and their variances after every layer.
#[derive(Clone, Debug)]
pub struct InfinitePoints<T> {
    pub(super) kernel: InfiniteKernel,
    pub(super) device: Device,
    pub(super) samples: usize,
    pub(super) inputs: usize,
    /// x/|x|, n×d; 0 stays 0.
    directions: Vec<T>,
    /// √K(x, x) of every point, for every state.
    pub(super) scales: Vec<Vec<T>>,
    /// What series need, for every step.
    pub(super) coefficients: Vec<Option<Arc<Coefficients<T>>>>,
}

/// Where the kernels of one panel or tile go: rows of `width` numbers. An absent kernel is not written.
struct Target<'a, T> {
    ntk: Option<&'a mut [T]>,
    nngp: Option<&'a mut [T]>,
}

/// Memory of one task.
pub(super) struct Work<T> {
    pairs: Pairs<T>,
    saved: Vec<Pairs<T>>,
}

impl<T: Scalar> Work<T> {
    pub(super) fn new() -> Self {
        Self { pairs: Pairs::new(), saved: Vec::new() }
    }
}

impl InfiniteKernel {
    /// Prepares a set of points, n×d, for kernels among themselves and with other sets.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if the specification asks for another d,
    /// [`Error::NonFinite`](crate::Error::NonFinite) if a value or a variance is not finite,
    /// [`Error::Setting`](crate::Error::Setting) if a variance is too large for the series of an activation.
    pub fn points<'x, T: Scalar>(&self, x: impl Into<MatrixView<'x, T>>, device: &Device) -> Result<InfinitePoints<T>> {
        InfinitePoints::new(self, x.into(), device)
    }
}

impl<T: Scalar> InfinitePoints<T> {
    pub(super) fn new(kernel: &InfiniteKernel, x: MatrixView<'_, T>, device: &Device) -> Result<Self> {
        if let Some(expected) = kernel.inputs.filter(|&inputs| inputs != x.columns()) {
            return Err(Error::Shape { what: "columns of the input", expected, got: x.columns() });
        }
        let (samples, inputs) = (x.rows(), x.columns());
        let mut directions = x.to_vec();
        let mut variances = Vec::with_capacity(samples);
        for row in directions.chunks_exact_mut(inputs.max(1)) {
            variances.push(normalise(row)? / inputs as f64);
        }
        variances.resize(samples, 0.0);
        let mut points = Self {
            kernel: kernel.clone(),
            device: device.clone(),
            samples,
            inputs,
            directions,
            scales: Vec::new(),
            coefficients: Vec::new(),
        };
        points.follow(variances)?;
        Ok(points)
    }

    /// Takes the variances of all points through the layers.
    fn follow(&mut self, variances: Vec<f64>) -> Result<()> {
        let roots = |variances: &[f64]| variances.iter().map(|v| T::from_f64(v.sqrt())).collect();
        let mut states = vec![variances];
        for step in &*self.kernel.steps {
            let now = &states[states.len() - 1];
            let mut coefficients = None;
            let next = match step {
                Step::Dense(layer) => now.iter().map(|v| layer.weight.mul_add(*v, layer.bias)).collect(),
                Step::Activation(dual) => {
                    let (moments, table) = dual.prepare(&self.device, now)?;
                    coefficients = table.map(Arc::new);
                    moments
                }
                Step::Split => now.clone(),
                Step::Join { from } => now.iter().zip(&states[*from]).map(|(a, b)| a + b).collect(),
            };
            self.coefficients.push(coefficients);
            states.push(next);
        }
        self.scales = states.iter().map(|state| roots(state)).collect();
        if states.iter().flatten().all(|v| v.is_finite()) {
            Ok(())
        } else {
            Err(Error::NonFinite { what: "variance of a layer of the infinitely wide network", layer: None })
        }
    }

    /// n, the number of points.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// d, the number of values of a point.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The kernel.
    #[must_use]
    pub fn kernel(&self) -> &InfiniteKernel {
        &self.kernel
    }

    /// Where it computes.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Multiplications of one pair, about.
    pub(crate) fn pair_cost(&self) -> f64 {
        self.cost(1.0)
    }

    /// NTK and NNGP kernel of the points among themselves, n×n each, symmetric to the bit.
    #[must_use]
    pub fn kernels(&self) -> Kernels<T> {
        let (mut ntk, mut nngp) =
            (Matrix::zeros(self.samples, self.samples), Matrix::zeros(self.samples, self.samples));
        self.symmetric(Some(&mut ntk), Some(&mut nngp));
        Kernels { ntk, nngp }
    }

    /// One kernel of the points among themselves, n×n, symmetric to the bit.
    #[must_use]
    pub fn gram(&self, which: Which) -> Matrix<T> {
        let mut gram = Matrix::zeros(self.samples, self.samples);
        match which {
            Which::Ntk => self.symmetric(Some(&mut gram), None),
            Which::Nngp => self.symmetric(None, Some(&mut gram)),
        }
        gram
    }

    /// NTK and NNGP kernel between these points (rows) and others (columns), n×n′ each.
    ///
    /// # Errors
    /// [`Error::Shape`] if the points differ in length, [`Error::State`] if they are prepared for different kernels.
    pub fn cross_kernels(&self, other: &Self) -> Result<Kernels<T>> {
        self.check(other)?;
        let zeros = || vec![T::ZERO; self.samples * other.samples];
        let (mut ntk, mut nngp) = (zeros(), zeros());
        self.rectangle(other, 0..self.samples, 0..other.samples, Some(&mut ntk), Some(&mut nngp));
        let matrix = |values| Matrix::from_vec(self.samples, other.samples, values);
        Ok(Kernels { ntk: matrix(ntk)?, nngp: matrix(nngp)? })
    }

    /// One kernel between these points (rows) and others (columns), n×n′.
    ///
    /// # Errors
    /// Those of [`cross_kernels`](Self::cross_kernels).
    pub fn cross_gram(&self, other: &Self, which: Which) -> Result<Matrix<T>> {
        self.tile(0..self.samples, other, 0..other.samples, which)
    }

    /// One kernel between some of these points and some others: a tile of the whole matrix, nothing else in memory.
    ///
    /// # Errors
    /// Those of [`cross_kernels`](Self::cross_kernels), and [`Error::Shape`] if a range is too long.
    pub fn tile(&self, rows: Range<usize>, other: &Self, columns: Range<usize>, which: Which) -> Result<Matrix<T>> {
        self.check(other)?;
        check_tile((self.samples, other.samples), &rows, &columns)?;
        let mut values = vec![T::ZERO; rows.len() * columns.len()];
        let (height, width) = (rows.len(), columns.len());
        match which {
            Which::Ntk => self.rectangle(other, rows, columns, Some(&mut values), None),
            Which::Nngp => self.rectangle(other, rows, columns, None, Some(&mut values)),
        }
        Matrix::from_vec(height, width, values)
    }

    /// K(x, x) of every point.
    #[must_use]
    pub fn diagonal(&self, which: Which) -> Vec<T> {
        let mut work = Work::new();
        let mut diagonal = vec![T::ZERO; self.samples];
        for (i, value) in diagonal.iter_mut().enumerate() {
            let (out, mut rest) = (std::slice::from_mut(value), Target { ntk: None, nngp: None });
            match which {
                Which::Ntk => rest.ntk = Some(out),
                Which::Nngp => rest.nngp = Some(out),
            }
            self.run(self, i, i..i + 1, &[T::ONE], &mut work, rest);
        }
        diagonal
    }

    pub(super) fn check(&self, other: &Self) -> Result<()> {
        check_extent("columns of the other points", self.inputs, other.inputs)?;
        if self.kernel == other.kernel {
            Ok(())
        } else {
            Err(Error::State { expected: "points of one kernel".to_owned(), found: "points of another".to_owned() })
        }
    }

    pub(super) fn cost(&self, pairs: f64) -> f64 {
        pairs * (self.inputs as f64 + LAYER_COST * self.kernel.steps.len() as f64)
    }

    /// Rows of a panel: enough panels for all threads.
    pub(super) fn panel(&self, rows: usize) -> usize {
        rows.div_ceil(2 * self.device.threads()).clamp(1, PANEL)
    }

    fn symmetric(&self, ntk: Option<&mut Matrix<T>>, nngp: Option<&mut Matrix<T>>) {
        let n = self.samples;
        let panel = self.panel(n);
        let cost = self.cost((n * n) as f64 / 2.0);
        let mut ntk = ntk.map(Matrix::as_mut_slice);
        let mut nngp = nngp.map(Matrix::as_mut_slice);
        // The last panels are the longest: they go first.
        let mut items = panels(n, panel, n, ntk.as_deref_mut(), nngp.as_deref_mut());
        items.reverse();
        self.device.for_each(cost, items, |operations, (rows, mut target): (Range<usize>, Target<'_, T>)| {
            self.fill(self, operations, rows, 0..n, true, &mut target);
        });
        self.device.enter(cost, |threads| {
            for kernel in [ntk, nngp].into_iter().flatten() {
                mirror(kernel, n, 0..n, threads);
            }
        });
    }

    fn rectangle(
        &self,
        other: &Self,
        rows: Range<usize>,
        columns: Range<usize>,
        ntk: Option<&mut [T]>,
        nngp: Option<&mut [T]>,
    ) {
        let cost = self.cost((rows.len() * columns.len()) as f64);
        let items = panels(rows.len(), self.panel(rows.len()), columns.len(), ntk, nngp);
        self.device.for_each(cost, items, |operations, (panel, mut target): (Range<usize>, Target<'_, T>)| {
            let panel = rows.start + panel.start..rows.start + panel.end;
            self.fill(other, operations, panel, columns.clone(), false, &mut target);
        });
    }

    /// Rows × columns of the kernels; of a triangle only what is on and below the diagonal.
    fn fill(
        &self,
        other: &Self,
        operations: &dyn Operations<T>,
        rows: Range<usize>,
        columns: Range<usize>,
        lower: bool,
        target: &mut Target<'_, T>,
    ) {
        let width = columns.len();
        let end = if lower { rows.end } else { columns.end };
        let (mut work, mut correlations) = (Work::new(), Vec::new());
        for left in (columns.start..end).step_by(STRIPE) {
            let stripe = left..(left + STRIPE).min(end);
            self.correlate(other, operations, rows.clone(), stripe.clone(), &mut correlations);
            for (row, i) in rows.clone().enumerate() {
                let stop = if lower { stripe.end.min(i + 1) } else { stripe.end };
                for (start, run) in runs(stripe.start..stop) {
                    let from = row * stripe.len() + start;
                    let correlations = &correlations[from..from + run.len()];
                    let place = row * width + run.start - columns.start;
                    let place = place..place + run.len();
                    let out = Target {
                        ntk: target.ntk.as_deref_mut().map(|ntk| &mut ntk[place.clone()]),
                        nngp: target.nngp.as_deref_mut().map(|nngp| &mut nngp[place.clone()]),
                    };
                    self.run(other, i, run, correlations, &mut work, out);
                }
            }
        }
    }

    /// Correlations between some of these points and some others, row by row.
    pub(super) fn correlate(
        &self,
        other: &Self,
        operations: &dyn Operations<T>,
        rows: Range<usize>,
        columns: Range<usize>,
        correlations: &mut Vec<T>,
    ) {
        correlations.resize(rows.len() * columns.len(), T::ZERO);
        operations.product(
            TileMut::new(correlations, rows.len(), columns.len()),
            Product::Replace,
            T::ONE,
            self.directions_of(&rows),
            other.directions_of(&columns).t(),
        );
    }

    pub(super) fn directions_of(&self, points: &Range<usize>) -> Tile<'_, T> {
        let values = &self.directions[points.start * self.inputs..points.end * self.inputs];
        Tile::new(values, points.len(), self.inputs)
    }

    /// The kernels of a run of pairs (i, j).
    fn run(
        &self,
        other: &Self,
        i: usize,
        columns: Range<usize>,
        correlations: &[T],
        work: &mut Work<T>,
        out: Target<'_, T>,
    ) {
        let last = self.kernel.steps.len();
        let scales = Scales { row: self.scales[last][i], columns: &other.scales[last][columns.clone()] };
        self.walk(other, i, columns, correlations, work, |_, _, _, _, _| ());
        self.write(&mut work.pairs, scales, out);
    }

    /// Takes a run of pairs (i, j) through all layers. `visit` sees every step with its number, the pairs in front of it,
    /// their scales, and what its series knows.
    pub(super) fn walk(
        &self,
        other: &Self,
        i: usize,
        columns: Range<usize>,
        correlations: &[T],
        Work { pairs, saved }: &mut Work<T>,
        mut visit: impl FnMut(usize, &Step, &Pairs<T>, Scales<'_, T>, Option<Tables<'_, T>>),
    ) {
        let scales =
            |state: usize| Scales { row: self.scales[state][i], columns: &other.scales[state][columns.clone()] };
        pairs.start(correlations);
        self.refine(other, i, columns.start, correlations, pairs);
        saved.clear();
        for (at, step) in self.kernel.steps.iter().enumerate() {
            let tables = self.coefficients[at].as_deref().zip(other.coefficients[at].as_deref());
            let tables = tables.map(|(ours, theirs)| Tables { row: (ours, i), columns: (theirs, columns.start) });
            visit(at, step, pairs, scales(at), tables);
            match step {
                Step::Dense(layer) => pairs.dense(*layer, scales(at), scales(at + 1)),
                Step::Activation(dual) => dual.apply(pairs, scales(at), scales(at + 1), tables),
                Step::Split => saved.push(pairs.clone()),
                Step::Join { from } => {
                    if let Some(input) = saved.pop() {
                        pairs.join(&input, scales(at), scales(*from), scales(at + 1));
                    }
                }
            }
        }
    }

    /// Correlations near ±1 once more, without cancellation: 1 ∓ ρ = |x̂ ∓ x̂′|²/2.
    fn refine(&self, other: &Self, i: usize, start: usize, correlations: &[T], pairs: &mut Pairs<T>) {
        let near = T::ONE - T::from_f64(NEAR);
        let largest = vectorized(
            #[inline(always)]
            || correlations.iter().fold(T::ZERO, |largest, c| largest.max(c.abs())),
        );
        if largest <= near {
            return;
        }
        let half = T::from_f64(0.5);
        for (at, &c) in correlations.iter().enumerate() {
            if c.abs() > near {
                let x = self.directions_of(&(i..i + 1));
                let y = other.directions_of(&(start + at..start + at + 1));
                let sign = if c > T::ZERO { T::ONE } else { -T::ONE };
                let distance = half * squared_distance(x.host(), y.host(), sign);
                let rest = T::ONE + T::ONE - distance;
                (pairs.u[at], pairs.v[at]) = if c > T::ZERO { (distance, rest) } else { (rest, distance) };
            }
        }
    }

    fn write(&self, pairs: &mut Pairs<T>, scales: Scales<'_, T>, out: Target<'_, T>) {
        let factor = T::from_f64(self.kernel.output_scale * self.kernel.output_scale);
        let nngp_factor = if self.kernel.centred { T::ZERO } else { T::from_f64(0.5) * factor * scales.row };
        let (u, v, theta) = pairs.slices(scales.columns.len());
        vectorized(
            #[inline(always)]
            || {
                if let Some(ntk) = out.ntk {
                    for (out, &theta) in ntk.iter_mut().zip(&*theta) {
                        *out = factor * theta;
                    }
                }
                if let Some(nngp) = out.nngp {
                    for (((out, &u), &v), &rj) in nngp.iter_mut().zip(&*u).zip(&*v).zip(scales.columns) {
                        *out = nngp_factor * rj * (v - u);
                    }
                }
            },
        );
    }
}

/// A stripe of columns in runs, each with its distance from the first column.
pub(super) fn runs(stripe: Range<usize>) -> impl Iterator<Item = (usize, Range<usize>)> {
    let Range { start, end } = stripe;
    (start..end).step_by(RUN).map(move |left| (left - start, left..(left + RUN).min(end)))
}

/// The panels of a rectangle with their rows of the results.
fn panels<'a, T>(
    rows: usize,
    panel: usize,
    width: usize,
    ntk: Option<&'a mut [T]>,
    nngp: Option<&'a mut [T]>,
) -> Vec<(Range<usize>, Target<'a, T>)> {
    let mut ntk = ntk.map(|ntk| ntk.chunks_mut((panel * width).max(1)));
    let mut nngp = nngp.map(|nngp| nngp.chunks_mut((panel * width).max(1)));
    (0..rows)
        .step_by(panel)
        .map(|start| {
            let target =
                Target { ntk: ntk.as_mut().and_then(Iterator::next), nngp: nngp.as_mut().and_then(Iterator::next) };
            (start..(start + panel).min(rows), target)
        })
        .collect()
}

/// Divides a row by its length, and returns the square of that; safe against overflow and underflow.
fn normalise<T: Scalar>(row: &mut [T]) -> Result<f64> {
    let largest = row.iter().fold(0.0, |largest, v| f64::max(largest, v.to_f64().abs()));
    if !row.iter().all(|v| v.is_finite()) {
        return Err(Error::NonFinite { what: "input", layer: None });
    }
    if largest == 0.0 {
        return Ok(0.0);
    }
    let length = row.iter().map(|v| (v.to_f64() / largest).powi(2)).sum::<f64>().sqrt() * largest;
    for value in row {
        *value = T::from_f64(value.to_f64() / length);
    }
    Ok(length * length)
}

/// Σ (x − sign·y)², in sixteen sums.
fn squared_distance<T: Scalar>(x: &[T], y: &[T], sign: T) -> T {
    vectorized(
        #[inline(always)]
        || {
            let mut sums = [T::ZERO; 16];
            for (x, y) in x.chunks(16).zip(y.chunks(16)) {
                for ((sum, &x), &y) in sums.iter_mut().zip(x).zip(y) {
                    let difference = x - sign * y;
                    *sum = difference.mul_add(difference, *sum);
                }
            }
            sums.into_iter().sum()
        },
    )
}

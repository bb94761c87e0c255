//! The kernels between two sets of points, panel by panel.

use std::ops::Range;

use super::images::{Head, IMAGE_PANEL, ImagePoints, heads};
use super::pairs::{Pairs, Scales};
use super::points::InfinitePoints;
use super::walk::{STRIPE, Start, Work, runs};
use crate::device::{Operations, vectorized};
use crate::error::Result;
use crate::kernel::tiles::check_tile;
use crate::kernel::{Kernels, Which};
use crate::scalar::Scalar;
use crate::tangent::mirror;
use crate::view::Matrix;

/// Rows of a panel.
const PANEL: usize = 128;

/// Where the kernels of one panel or tile go: rows of `width` numbers. An absent kernel is not written.
struct Target<'a, T> {
    ntk: Option<&'a mut [T]>,
    nngp: Option<&'a mut [T]>,
}

impl<T> Target<'_, T> {
    /// `length` numbers of it.
    fn part(&mut self, start: usize, length: usize) -> Target<'_, T> {
        Target {
            ntk: self.ntk.as_deref_mut().map(|ntk| &mut ntk[start..start + length]),
            nngp: self.nngp.as_deref_mut().map(|nngp| &mut nngp[start..start + length]),
        }
    }
}

impl<T: Scalar> InfinitePoints<T> {
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
    /// [`Error::Shape`](crate::Error::Shape) if the points differ in length,
    /// [`Error::Conflict`](crate::Error::Conflict) if they are prepared for different kernels.
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
    /// Those of [`cross_kernels`](Self::cross_kernels), and [`Error::OutOfRange`](crate::Error::OutOfRange) if a range
    /// is too long.
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
        let (mut work, same) = (Work::new(), [T::ONE]);
        let mut diagonal = vec![T::ZERO; self.samples];
        for (i, value) in diagonal.iter_mut().enumerate() {
            let (out, mut rest) = (std::slice::from_mut(value), Target { ntk: None, nngp: None });
            match which {
                Which::Ntk => rest.ntk = Some(out),
                Which::Nngp => rest.nngp = Some(out),
            }
            let own = self.images.as_ref().map(|images| [images.own_head(i)]);
            let start = own.as_ref().map_or(Start::Correlations(&same), |own| Start::Heads(own));
            self.run(self, i, i..i + 1, start, &mut work, rest);
        }
        diagonal
    }

    /// Rows of a panel: enough panels for all threads.
    pub(super) fn panel(&self, rows: usize) -> usize {
        let most = if self.images.is_some() { IMAGE_PANEL } else { PANEL };
        rows.div_ceil(2 * self.device.threads()).clamp(1, most)
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
        if let (Some(x), Some(y)) = (&self.images, &other.images) {
            return self.fill_images((x, y), other, rows, columns, lower, target);
        }
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
                    let correlations = Start::Correlations(&correlations[from..from + run.len()]);
                    let out = target.part(row * width + run.start - columns.start, run.len());
                    self.run(other, i, run, correlations, &mut work, out);
                }
            }
        }
    }

    /// The same where both are images.
    fn fill_images(
        &self,
        (x, y): (&ImagePoints<T>, &ImagePoints<T>),
        other: &Self,
        rows: Range<usize>,
        columns: Range<usize>,
        lower: bool,
        target: &mut Target<'_, T>,
    ) {
        let (width, first) = (columns.len(), rows.start);
        let mut work = Work::new();
        heads(x, rows, y, columns.clone(), lower, |i, run: Range<usize>, heads: &[Head<T>]| {
            let end = if lower { run.end.min(i + 1).max(run.start) } else { run.end };
            let run = run.start..end;
            let out = target.part((i - first) * width + run.start - columns.start, run.len());
            self.run(other, i, run.clone(), Start::Heads(&heads[..run.len()]), &mut work, out);
        });
    }

    /// The kernels of a run of pairs (i, j).
    fn run(
        &self,
        other: &Self,
        i: usize,
        columns: Range<usize>,
        start: Start<'_, T>,
        work: &mut Work<T>,
        out: Target<'_, T>,
    ) {
        let last = self.kernel.steps.len();
        let scales = Scales { row: self.scales[last][i], columns: &other.scales[last][columns.clone()] };
        self.walk(other, i, columns, start, work, |_, _, _, _, _| ());
        self.write(&mut work.pairs, scales, out);
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

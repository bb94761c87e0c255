//! B(x₀) for a tile of samples: exact projection on it, steepest steps and uniform draws within it, sizes in its norm.

use std::borrow::Cow;

use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use super::threat_model::{Norm, ThreatModel};
use crate::device::vectorized;
use crate::error::{Error, Result};
use crate::scalar::Scalar;

/// The allowed inputs around the rows of x₀ (n×d).
///
/// Everything is in the coordinates u = (x − x₀) ⊘ s of the norm: the ball is ‖u‖ ≤ ε, the projection takes the nearest
/// point in ‖·‖₂ of u, and a steepest step is the one that gains most for its length in the norm of u.
#[derive(Debug)]
pub(super) struct Region<'a, T> {
    norm: Norm,
    /// ε of every sample.
    radii: Vec<f64>,
    columns: usize,
    centre: &'a [T],
    /// s_j, 0 where frozen.
    scales: Vec<T>,
    /// 1/s_j, 0 where frozen.
    inverse_scales: Vec<f64>,
    /// The columns of every sample that are gaps: frozen in it alone.
    gaps: Vec<Vec<usize>>,
    /// Steps that columns move by, 0 where by any amount; none if all do.
    grid: Option<Vec<f64>>,
    /// The box of every sample, cut with the ball for ℓ∞; the sample itself where frozen. n×d.
    lower: Vec<T>,
    upper: Vec<T>,
}

impl<'a, T: Scalar> Region<'a, T> {
    /// The regions around `centre`, whose first row is row `first` of the batch; `radii` are those of the batch.
    pub(super) fn new(
        threat: &ThreatModel,
        radii: &[f64],
        centre: &'a [T],
        columns: usize,
        first: usize,
    ) -> Result<Self> {
        let (norm, wide) = (threat.norm(), threat.scales(columns)?);
        let radii = radii[first..first + centre.len() / columns.max(1)].to_vec();
        let (mut lower, mut upper) = (Vec::with_capacity(centre.len()), Vec::with_capacity(centre.len()));
        let limits: Vec<_> = (0..columns).map(|column| threat.limits(column)).collect();
        let gaps: Vec<Vec<usize>> =
            centre.chunks_exact(columns.max(1)).map(|sample| threat.gaps_of(sample).collect()).collect();
        for (row, sample) in centre.chunks_exact(columns.max(1)).enumerate() {
            for (column, (&x, &scale)) in sample.iter().zip(&wide).enumerate() {
                let scale = if gaps[row].contains(&column) { 0.0 } else { scale };
                let (value, (low, high)) = (x.to_f64(), limits[column]);
                if !value.is_finite() {
                    return Err(Error::NonFinite { what: "input", layer: None });
                }
                // A frozen column may lie outside the box; data rounded to the model's type may miss it by a rounding.
                if scale > 0.0 && (x < T::from_f64(low) || x > T::from_f64(high)) {
                    return Err(Error::OutsideBox { sample: first + row, column, value, lower: low, upper: high });
                }
                let radius = radii[row];
                let reach = match norm {
                    Norm::Linf => radius * scale,
                    Norm::L2 if scale > 0.0 => f64::INFINITY,
                    Norm::L2 => 0.0,
                };
                if reach == 0.0 || radius == 0.0 {
                    lower.push(x);
                    upper.push(x);
                } else {
                    lower.push(T::from_f64((value - reach).max(low)));
                    upper.push(T::from_f64((value + reach).min(high)));
                }
            }
        }
        let inverse_scales = wide.iter().map(|&s| if s > 0.0 { 1.0 / s } else { 0.0 }).collect();
        let scales = wide.into_iter().map(T::from_f64).collect();
        let grid = threat.grid(columns)?;
        Ok(Self { norm, radii, columns, centre, scales, inverse_scales, gaps, grid, lower, upper })
    }

    /// x₀, n×d.
    pub(super) fn centre(&self) -> &'a [T] {
        self.centre
    }

    pub(super) fn samples(&self) -> usize {
        self.radii.len()
    }

    /// Whether no sample may move.
    pub(super) fn is_fixed(&self) -> bool {
        self.radii.iter().all(|&radius| radius == 0.0)
    }

    /// Whether no step along this gradient moves anything in a row.
    pub(super) fn is_flat(&self, row: usize, gradient: &[T]) -> bool {
        self.of_movable(row, gradient).iter().zip(&self.scales).all(|(&g, &s)| g * s == T::ZERO)
    }

    /// The gradient of a row, 0 in its gaps: what cannot move has no part in the length of a step.
    fn of_movable<'g>(&self, row: usize, gradient: &'g [T]) -> Cow<'g, [T]> {
        if self.gaps[row].is_empty() {
            return Cow::Borrowed(gradient);
        }
        let mut own = gradient.to_vec();
        self.gaps[row].iter().for_each(|&column| own[column] = T::ZERO);
        Cow::Owned(own)
    }

    /// Points of the regions with every column that moves by whole steps a number of these from the sample: the nearest
    /// that the region allows for ℓ∞, the next one towards the sample for ℓ2.
    pub(super) fn settled<'x>(&self, x: &'x [T]) -> Cow<'x, [T]> {
        let Some(grid) = &self.grid else { return Cow::Borrowed(x) };
        let (mut settled, slack) = (x.to_vec(), T::EPSILON.to_f64().sqrt());
        for (at, x) in settled.iter_mut().enumerate() {
            let (step, centre) = (grid[at % self.columns], self.centre[at].to_f64());
            if step > 0.0 {
                let inside = |steps: f64| {
                    let (low, high) = (self.lower[at].to_f64(), self.upper[at].to_f64());
                    (low - slack * step..=high + slack * step).contains(&(centre + steps * step))
                };
                let steps = (x.to_f64() - centre) / step;
                let nearest = steps.round();
                let towards = steps.signum() * (steps.abs() + slack).floor();
                let steps = if self.norm == Norm::Linf && inside(nearest) { nearest } else { towards };
                *x = T::from_f64(centre + steps * step);
            }
        }
        Cow::Owned(settled)
    }

    /// Replaces every row of x by the nearest point of its region.
    pub(super) fn project(&self, x: &mut [T]) {
        for (row, x) in x.chunks_exact_mut(self.columns.max(1)).enumerate() {
            self.project_row(row, x);
        }
    }

    /// Replaces one row by the nearest point of its region.
    pub(super) fn project_row(&self, row: usize, x: &mut [T]) {
        let at = row * self.columns..(row + 1) * self.columns;
        let (low, high) = (&self.lower[at.clone()], &self.upper[at.clone()]);
        if self.norm == Norm::L2 {
            let t = shrinkage(x, &self.centre[at.clone()], low, high, &self.inverse_scales, self.radii[row]);
            if t < 1.0 {
                shrink(x, &self.centre[at], T::from_f64(t));
            }
        }
        clamp(x, low, high);
    }

    /// Every row of x ← projection of x + α·(the step of length 1 in the norm of u along which a function with this
    /// gradient rises fastest); α in units of the radius, one for each row.
    pub(super) fn step(&self, x: &mut [T], gradient: &[T], lengths: &[f64]) {
        let d = self.columns.max(1);
        let rows = x.chunks_exact_mut(d).zip(gradient.chunks_exact(d)).zip(lengths).enumerate();
        for (row, ((x, g), &length)) in rows {
            let length = length * self.radii[row];
            match self.norm {
                Norm::Linf => {
                    let (low, high) = (&self.lower[row * d..][..d], &self.upper[row * d..][..d]);
                    sign_step(x, g, &self.scales, T::from_f64(length), low, high);
                }
                Norm::L2 => {
                    let g = self.of_movable(row, g);
                    let norm = scaled_square(&g, &self.scales).sqrt();
                    if norm > 0.0 {
                        scaled_step(x, &g, &self.scales, T::from_f64(length / norm));
                    }
                    self.project_row(row, x);
                }
            }
        }
    }

    /// A point drawn uniformly from the ball, then projected on the box.
    pub(super) fn draw(&self, row: usize, generator: &mut impl Rng, x: &mut [T]) {
        let d = self.columns;
        let centre = &self.centre[row * d..(row + 1) * d];
        match self.norm {
            Norm::Linf => {
                for ((x, &c), &s) in x.iter_mut().zip(centre).zip(&self.scales) {
                    let u = 2.0 * uniform(generator.next_u32()) - 1.0;
                    *x = c + T::from_f64(u * self.radii[row]) * s;
                }
            }
            Norm::L2 => {
                let is_free = |column: usize| self.scales[column] > T::ZERO && !self.gaps[row].contains(&column);
                let free = (0..d).filter(|&column| is_free(column)).count();
                let mut u: Vec<f64> = (0..d).map(|_| StandardNormal.sample(generator)).collect();
                u.iter_mut().enumerate().filter(|(column, _)| !is_free(*column)).for_each(|(_, u)| *u = 0.0);
                let norm = u.iter().map(|u| u * u).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
                let share = uniform(generator.next_u32()).powf(1.0 / free.max(1) as f64);
                for (((x, &c), &s), u) in x.iter_mut().zip(centre).zip(&self.scales).zip(u) {
                    *x = c + T::from_f64(u * share * self.radii[row] / norm) * s;
                }
            }
        }
        self.project_row(row, x);
    }

    /// ‖(x − x₀) ⊘ s‖ of one row.
    pub(super) fn size(&self, row: usize, x: &[T]) -> f64 {
        let centre = &self.centre[row * self.columns..(row + 1) * self.columns];
        let moves = x.iter().zip(centre).zip(&self.inverse_scales);
        let moves = moves.map(|((&x, &c), &inverse)| (x.to_f64() - c.to_f64()).abs() * inverse);
        match self.norm {
            Norm::Linf => moves.fold(0.0, f64::max),
            Norm::L2 => moves.map(|u| u * u).sum::<f64>().sqrt(),
        }
    }
}

fn clamp<T: Scalar>(x: &mut [T], low: &[T], high: &[T]) {
    vectorized(
        #[inline(always)]
        || {
            for ((x, &low), &high) in x.iter_mut().zip(low).zip(high) {
                *x = x.max(low).min(high);
            }
        },
    );
}

/// x ← clamp(x + α·s·sign(g)).
fn sign_step<T: Scalar>(x: &mut [T], g: &[T], scales: &[T], alpha: T, low: &[T], high: &[T]) {
    vectorized(
        #[inline(always)]
        || {
            for ((((x, &g), &s), &low), &high) in x.iter_mut().zip(g).zip(scales).zip(low).zip(high) {
                let step = alpha * s;
                let up = if g > T::ZERO { step } else { T::ZERO };
                let down = if g < T::ZERO { step } else { T::ZERO };
                *x = (*x + (up - down)).max(low).min(high);
            }
        },
    );
}

/// x ← x + α·s²·g.
fn scaled_step<T: Scalar>(x: &mut [T], g: &[T], scales: &[T], alpha: T) {
    vectorized(
        #[inline(always)]
        || {
            for ((x, &g), &s) in x.iter_mut().zip(g).zip(scales) {
                *x += alpha * s * s * g;
            }
        },
    );
}

/// ‖s ∘ g‖², summed in f64 in eight lanes.
fn scaled_square<T: Scalar>(g: &[T], scales: &[T]) -> f64 {
    vectorized(
        #[inline(always)]
        || {
            let mut sums = [0.0; 8];
            for (g, s) in g.chunks(8).zip(scales.chunks(8)) {
                for ((sum, &g), &s) in sums.iter_mut().zip(g).zip(s) {
                    let value = g.to_f64() * s.to_f64();
                    *sum += value * value;
                }
            }
            sums.iter().sum()
        },
    )
}

/// x ← x₀ + t·(x − x₀).
fn shrink<T: Scalar>(x: &mut [T], centre: &[T], t: T) {
    vectorized(
        #[inline(always)]
        || {
            for (x, &c) in x.iter_mut().zip(centre) {
                *x = c + t * (*x - c);
            }
        },
    );
}

/// The t ≤ 1 for which clamping x₀ + t·(x − x₀) to the box gives the nearest point of ball and box.
///
/// With v = |x − x₀| ⊘ s and c the room up to the box in the same units, the nearest point has the coordinates
/// min(t·v_j, c_j) and the norm ε: the multiplier of the ball scales, the box cuts. Each round solves for t with the
/// coordinates that the t before cut. t only rises and every round but the last cuts more, so the solution is exact
/// after at most d rounds; a few in practice.
fn shrinkage<T: Scalar>(x: &[T], centre: &[T], low: &[T], high: &[T], inverse_scales: &[f64], radius: f64) -> f64 {
    // Σ of c² over cut coordinates, of v² over the others, and the number of cut ones, at some t.
    let sums = |t: f64| {
        vectorized(
            #[inline(always)]
            || {
                let (mut cut, mut free, mut count) = (0.0, 0.0, 0.0);
                for ((((&x, &c), &low), &high), &inverse) in x.iter().zip(centre).zip(low).zip(high).zip(inverse_scales)
                {
                    let move_ = x.to_f64() - c.to_f64();
                    let room = if move_ > 0.0 { high.to_f64() - c.to_f64() } else { c.to_f64() - low.to_f64() };
                    let (v, room) = (move_.abs() * inverse, room.max(0.0));
                    let room = if inverse > 0.0 { room * inverse } else { 0.0 };
                    let is_cut = t * v >= room;
                    cut += if is_cut { room * room } else { 0.0 };
                    free += if is_cut { 0.0 } else { v * v };
                    count += if is_cut { 1.0 } else { 0.0 };
                }
                (cut, free, count)
            },
        )
    };
    let target = radius * radius;
    let (cut, free, _) = sums(1.0);
    if cut + free <= target {
        return 1.0;
    }
    let mut t = 0.0;
    let mut count = -1.0;
    loop {
        let (cut, free, now) = sums(t);
        if now == count || free == 0.0 {
            return t;
        }
        count = now;
        t = ((target - cut).max(0.0) / free).sqrt().clamp(t, 1.0);
    }
}

/// A random number of 32 bits as one strictly between 0 and 1.
fn uniform(bits: u32) -> f64 {
    (f64::from(bits) + 0.5) / 4_294_967_296.0
}

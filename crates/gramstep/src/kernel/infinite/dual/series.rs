//! Any smooth activation: with the normalised Hermite polynomials h_k (daniely2016)
//!
//! ```text
//! E[φφ] = Σ_k c_k(a) c_k(b) ρᵏ,    c_k(a) = E[φ(√a z) h_k(z)],    E[φ′φ′] alike with φ′
//! ```
//!
//! Derivatives, for fixed ρ: E[φ″φ″] alike with φ″, and c_k′(a) = E[xφ′(x) h_k(z)]/(2a), x = √a z.
//!
//! Coefficients belong to points, not to pairs; they come from one product of matrices, by the trapezoidal rule, which
//! converges geometrically for these integrands. Terms are taken until what is left is rounding.

use std::sync::{Arc, OnceLock};

use super::super::pairs::{Pairs, RUN, Scales};
use super::partials::{Partials, inverse};
use super::smooth::normalised;
use crate::device::{Device, Operations as _, Order, Pointwise, Tile, TileMut, WriteMode, vectorized};
use crate::error::{Error, Result};
use crate::scalar::Scalar;

/// Nodes reach from −EDGE to EDGE; what lies beyond is below e^(−EDGE²/4) = 1e-17.
const EDGE: f64 = 12.5;
const NODES: usize = 1001;
/// The largest number of terms: tanh up to a variance of about 15.
const TERMS: usize = 2000;
/// What may be left of a second moment after the last term, relative to it.
const ENOUGH: f64 = 1e-16;
/// The same as the sum of the squares shows it, which is rounded.
const VISIBLE: f64 = 1e-13;
/// Relative size below which coefficients are rounding.
const ROUNDING: f64 = 1e-13;
/// Points at a time.
const BLOCK: usize = 256;

/// Hermite coefficients of φ(√a z) and φ′(√a z) for the variances a of a set of points.
#[derive(Clone, Debug)]
pub(in super::super) struct Coefficients<T> {
    function: Arc<dyn Pointwise<f64>>,
    variances: Vec<f64>,
    values: Expansion<T>,
    slopes: Expansion<T>,
    derivatives: OnceLock<Derivatives<T>>,
}

/// What the series of an activation knows of the two sets of points; the row's coefficients come first.
#[derive(Clone, Copy)]
pub(in super::super) struct Tables<'a, T> {
    pub(in super::super) row: (&'a Coefficients<T>, usize),
    pub(in super::super) columns: (&'a Coefficients<T>, usize),
}

/// What gradients need beside them.
#[derive(Clone, Debug)]
struct Derivatives<T> {
    /// Of φ″.
    bends: Expansion<T>,
    /// ∂c_k/∂a for φ and for φ′.
    values: Expansion<T>,
    slopes: Expansion<T>,
}

/// What is expanded, at a variance a.
#[derive(Clone, Copy, Debug)]
enum Function {
    /// φ, φ′ or φ″.
    Plain(Order),
    /// ∂φ(√a z)/∂a or ∂φ′(√a z)/∂a, by the derivative.
    Grown(Order),
}

/// The series of one function.
#[derive(Clone, Debug)]
pub(in super::super) struct Expansion<T> {
    points: usize,
    /// k of every term; odd and even functions have every other one.
    degrees: Vec<usize>,
    /// c_k, terms×points, so that a run of points is contiguous.
    coefficients: Vec<T>,
    /// √(Σ c_k²) over this term and all later ones, the largest of any point.
    remainders: Vec<f64>,
    /// Σ_k c_k² of every point.
    squares: Vec<f64>,
}

impl<T: Scalar> Coefficients<T> {
    pub(super) fn new(device: &Device, function: &Arc<dyn Pointwise<f64>>, variances: &[f64]) -> Result<Self> {
        let expansion = |order| Expansion::new(device, &**function, Function::Plain(order), variances);
        let (values, slopes) = (expansion(Order::Value)?, expansion(Order::First)?);
        let (function, variances) = (Arc::clone(function), variances.to_vec());
        Ok(Self { function, variances, values, slopes, derivatives: OnceLock::new() })
    }

    /// Prepares what [`partials`] needs.
    pub(in super::super) fn differentiate(&self, device: &Device) -> Result<()> {
        if self.derivatives.get().is_none() {
            let expansion = |function| Expansion::new(device, &*self.function, function, &self.variances);
            let derivatives = Derivatives {
                bends: expansion(Function::Plain(Order::Second))?,
                values: expansion(Function::Grown(Order::First))?,
                slopes: expansion(Function::Grown(Order::Second))?,
            };
            self.derivatives.get_or_init(|| derivatives);
        }
        Ok(())
    }

    /// The series of φ and of φ′.
    pub(in super::super) fn expansions(&self) -> [&Expansion<T>; 2] {
        [&self.values, &self.slopes]
    }

    /// E[φ(√a z)²] of every point.
    pub(super) fn second_moments(&self) -> &[f64] {
        &self.values.squares
    }
}

impl<T: Scalar> Expansion<T> {
    /// k and the c_k of all points, k ascending.
    pub(in super::super) fn terms(&self) -> impl Iterator<Item = (usize, &[T])> {
        self.degrees.iter().copied().zip(self.coefficients.chunks_exact(self.points.max(1)))
    }

    fn new(device: &Device, activation: &dyn Pointwise<f64>, function: Function, variances: &[f64]) -> Result<Self> {
        let (degrees, weights) = terms(activation, function, variances.iter().copied().fold(0.0, f64::max))?;
        let (points, count) = (variances.len(), degrees.len());
        let mut coefficients = vec![T::ZERO; count * points];
        let mut tails = vec![0.0; count * points];
        for start in (0..points).step_by(BLOCK) {
            let block = &variances[start..(start + BLOCK).min(points)];
            let values: Vec<f64> = block.iter().flat_map(|&a| samples(activation, function, a)).collect();
            let mut expanded = vec![0.0; count * block.len()];
            let (left, right) = (Tile::new(&weights, count, NODES), Tile::new(&values, block.len(), NODES));
            let target = TileMut::new(&mut expanded, count, block.len());
            device.operations::<f64>().product(target, WriteMode::Replace, 1.0, left, right.t());
            for (t, row) in expanded.chunks_exact(block.len()).enumerate() {
                let place = t * points + start..t * points + start + row.len();
                let targets = coefficients[place.clone()].iter_mut().zip(&mut tails[place]);
                for ((coefficient, tail), &value) in targets.zip(row) {
                    *coefficient = T::from_f64(value);
                    *tail = value * value;
                }
            }
        }
        let mut squares = vec![0.0; points];
        let mut remainders = vec![0.0; count];
        for t in (0..count).rev() {
            for (sum, tail) in squares.iter_mut().zip(&tails[t * points..(t + 1) * points]) {
                *sum += tail;
            }
            remainders[t] = squares.iter().copied().fold(0.0, f64::max).sqrt();
        }
        Ok(Self { points, degrees, coefficients, remainders, squares })
    }
}

/// Values of a function at the nodes times √variance.
fn samples(activation: &dyn Pointwise<f64>, function: Function, variance: f64) -> Vec<f64> {
    let arguments: Vec<f64> = (0..NODES).map(|q| variance.sqrt() * node(q)).collect();
    let mut values = vec![0.0; NODES];
    let (Function::Plain(order) | Function::Grown(order)) = function;
    activation.evaluate(order, &arguments, &mut values);
    if matches!(function, Function::Grown(_)) {
        let factor = 0.5 * inverse(variance);
        values.iter_mut().zip(arguments).for_each(|(value, x)| *value *= factor * x);
    }
    values
}

fn node(q: usize) -> f64 {
    EDGE * (2.0 * q as f64 / (NODES - 1) as f64 - 1.0)
}

/// The degrees that matter up to a variance, and for each of them h_k(z_q)·(density at z_q)·(distance of nodes).
fn terms(activation: &dyn Pointwise<f64>, function: Function, variance: f64) -> Result<(Vec<usize>, Vec<f64>)> {
    let step = 2.0 * EDGE / (NODES - 1) as f64;
    let values = samples(activation, function, variance);
    // √density; h_k times it stays bounded.
    let roots: Vec<f64> =
        (0..NODES).map(|q| (-0.25 * node(q).powi(2)).exp() * (2.0 * std::f64::consts::PI).powf(-0.25)).collect();
    let total: f64 = values.iter().zip(&roots).map(|(f, root)| (f * root).powi(2) * step).sum();
    let (mut left, mut last) = (total, total);
    let (mut before, mut now) = (vec![0.0; NODES], roots.clone());
    let (mut degrees, mut weights) = (Vec::new(), Vec::new());
    let mut largest = [0.0_f64; 2];
    for k in 0..TERMS {
        let row: Vec<f64> = now.iter().zip(&roots).map(|(h, root)| h * root * step).collect();
        let coefficient: f64 = row.iter().zip(&values).map(|(weight, f)| weight * f).sum();
        let square = coefficient * coefficient;
        left -= square;
        // |c_k| falls like exp(−y√k), y the distance of φ's nearest pole: the squares after c_k² sum to about c_k²·√k/y.
        let rest = (square + last) * (1.0 + (k as f64 * variance).sqrt());
        last = square;
        if k >= 2 {
            largest[k % 2] = largest[k % 2].max(coefficient.abs());
        }
        degrees.push(k);
        weights.push(row);
        if left <= VISIBLE * total && rest <= ENOUGH * total {
            let vanishes = largest.map(|largest| largest <= ROUNDING * total.sqrt());
            let kept = |k: &usize| *k < 2 || !vanishes[k % 2];
            let weights = degrees.iter().filter(|k| kept(k)).flat_map(|&k| weights[k].iter().copied()).collect();
            return Ok((degrees.into_iter().filter(kept).collect(), weights));
        }
        let degree = k as f64;
        for ((before, now), q) in before.iter_mut().zip(&mut now).zip(0..) {
            let next = (node(q) * *now - degree.sqrt() * *before) / (degree + 1.0).sqrt();
            (*before, *now) = (*now, next);
        }
    }
    Err(Error::Setting {
        name: "variance of the input of an activation without closed form",
        value: variance.to_string(),
        range: "small enough for the activation's series to converge; standardise the data",
    })
}

/// K ← E[φφ], Θ ← Θ·E[φ′φ′].
pub(super) fn apply<T: Scalar>(
    pairs: &mut Pairs<T>,
    before: Scales<'_, T>,
    after: Scales<'_, T>,
    Tables { row: (ours, i), columns: (theirs, start) }: Tables<'_, T>,
) {
    let length = before.columns.len();
    let (u, v, theta) = pairs.slices(length);
    let half = T::from_f64(0.5);
    let mut rho = [T::ZERO; RUN];
    rho[..length].iter_mut().zip(u.iter().zip(&*v)).for_each(|(rho, (&u, &v))| *rho = half * (v - u));
    let mut sums = [[T::ZERO; RUN]; 2];
    let [values, slopes] = &mut sums;
    accumulate(&mut values[..length], &rho[..length], (&ours.values, i), (&theirs.values, start));
    accumulate(&mut slopes[..length], &rho[..length], (&ours.slopes, i), (&theirs.slopes, start));
    vectorized(
        #[inline(always)]
        || {
            let scales = before.columns.iter().zip(after.columns);
            let sums = values.iter().zip(&*slopes);
            for ((((u, v), theta), (&value, &slope)), (&rj, &norm)) in
                u.iter_mut().zip(v).zip(theta).zip(sums).zip(scales)
            {
                let same = before.row == rj && *u * *v == T::ZERO;
                *theta *= slope;
                (*u, *v) = normalised(value, after.row * norm, same);
            }
        },
    );
}

/// Derivatives. Those in a are for fixed k: F_a = ∂_aF − S·ρ√(b/a)/2, S_a = ∂_aS − S_k·ρ√(b/a)/2, ∂_a for fixed ρ.
pub(super) fn partials<T: Scalar>(
    into: &mut Partials<T>,
    pairs: &Pairs<T>,
    before: Scales<'_, T>,
    Tables { row: (ours, i), columns: (theirs, start) }: Tables<'_, T>,
) {
    let (Some(our), Some(their)) = (ours.derivatives.get(), theirs.derivatives.get()) else {
        debug_assert!(false, "derivatives are prepared first");
        return;
    };
    let length = before.columns.len();
    let half = T::from_f64(0.5);
    let mut rho = [T::ZERO; RUN];
    rho[..length].iter_mut().zip(pairs.u.iter().zip(&pairs.v)).for_each(|(rho, (&u, &v))| *rho = half * (v - u));
    for (sums, left, right) in [
        (&mut into.f_k, &ours.slopes, &theirs.slopes),
        (&mut into.f_a, &our.values, &theirs.values),
        (&mut into.s_k, &our.bends, &their.bends),
        (&mut into.s_a, &our.slopes, &theirs.slopes),
    ] {
        sums[..length].fill(T::ZERO);
        accumulate(&mut sums[..length], &rho[..length], (left, i), (right, start));
    }
    let per_row = half * inverse(before.row);
    let Partials { f_k, f_a, s_k, s_a } = into;
    let sums = f_a.iter_mut().zip(s_a).zip(f_k.iter().zip(&*s_k));
    for (((f_a, s_a), (&f_k, &s_k)), (&rho, &rj)) in sums.zip(rho.iter().zip(before.columns)) {
        let turn = rho * rj * per_row;
        *f_a -= turn * f_k;
        *s_a -= turn * s_k;
    }
}

/// sums_j = Σ_k c_ik c_jk ρ_jᵏ, until what is left is rounding (Cauchy–Schwarz).
fn accumulate<T: Scalar>(
    sums: &mut [T],
    rho: &[T],
    (ours, i): (&Expansion<T>, usize),
    (theirs, start): (&Expansion<T>, usize),
) {
    let furthest = rho.iter().fold(0.0, |largest, rho| f64::max(largest, rho.to_f64().abs()));
    let mut powers = [T::ONE; RUN];
    let powers = &mut powers[..rho.len()];
    let enough = f64::EPSILON / 4.0 * ours.remainders[0] * theirs.remainders[0];
    let (mut degree, mut t, mut u) = (0, 0, 0);
    // A function may be odd, or even, to rounding on one of the two sets alone.
    while let (Some(&k), Some(&other)) = (ours.degrees.get(t), theirs.degrees.get(u)) {
        if k != other {
            *(if k < other { &mut t } else { &mut u }) += 1;
            continue;
        }
        if ours.remainders[t] * theirs.remainders[u] * furthest.powi(i32::try_from(k).unwrap_or(i32::MAX)) <= enough {
            return;
        }
        let columns = &theirs.coefficients[u * theirs.points + start..][..rho.len()];
        let c = ours.coefficients[t * ours.points + i];
        let (single, double) = (k == degree + 1, k == degree + 2);
        (degree, t, u) = (k, t + 1, u + 1);
        vectorized(
            #[inline(always)]
            || {
                for (((sum, power), &rho), &cj) in sums.iter_mut().zip(&mut *powers).zip(rho).zip(columns) {
                    let factor = if double { rho * rho } else { rho };
                    *power = if single || double { *power * factor } else { *power };
                    *sum = (c * cj).mul_add(*power, *sum);
                }
            },
        );
    }
}

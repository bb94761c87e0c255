//! What an activation does to a pair of pixels.

use super::super::dual::smooth::Closed;
use super::super::dual::{normalising_factor, squared_relu_pair};
use crate::scalar::Scalar;

/// Products of lengths below it count as 0: what is divided by them need not be a number in `f32`.
const SMALLEST: f64 = 1e-36;

/// A pair of pixels in front of an activation.
#[derive(Clone, Copy)]
pub(super) struct Pair<T> {
    /// √v of the pixel of x, and of that of x′.
    pub(super) ri: T,
    pub(super) rj: T,
    /// r r′
    pub(super) norm: T,
    /// (v + v′)/2 after the activation.
    pub(super) after: T,
    /// r − r′, and half of it.
    difference: T,
    half_difference: T,
    /// r r′ − K, the gap (v + v′)/2 − K less (r − r′)²/2, the part that belongs to the lengths.
    rest: T,
}

impl<T: Scalar> Pair<T> {
    #[inline(always)]
    pub(super) fn new(ri: T, rj: T, gap: T, after: T) -> Self {
        let difference = ri - rj;
        let half_difference = T::from_f64(0.5) * difference;
        let rest = (-half_difference).mul_add(difference, gap);
        Self { ri, rj, norm: ri * rj, after, difference, half_difference, rest }
    }

    /// K
    #[inline(always)]
    pub(super) fn covariance(self) -> T {
        self.norm - self.rest
    }

    /// 1 − ρ, no less than 0; 0 where a variance is 0.
    #[inline(always)]
    pub(super) fn deficit(self) -> T {
        let small = self.norm <= T::from_f64(SMALLEST);
        let deficit = self.rest.max(T::ZERO) / if small { T::ONE } else { self.norm };
        if small { T::ZERO } else { deficit }
    }

    /// The same, no more than 2.
    #[inline(always)]
    pub(super) fn bounded_deficit(self) -> T {
        self.deficit().min(T::ONE + T::ONE)
    }

    /// The gap of two pixels of these lengths and another deficit: r r′·deficit + (r − r′)²/2.
    #[inline(always)]
    pub(super) fn gap(self, deficit: T) -> T {
        self.half_difference.mul_add(self.difference, self.norm * deficit)
    }
}

/// (gap after, E[φ′φ′]) of a pair.
pub(super) trait Map<T>: Copy {
    fn map(&self, pair: Pair<T>) -> (T, T);
}

/// max(z, 0)²: r ← √(3/2)·r².
#[derive(Clone, Copy)]
pub(super) struct SquaredRelu;

impl<T: Scalar> Map<T> for SquaredRelu {
    #[inline(always)]
    fn map(&self, pair: Pair<T>) -> (T, T) {
        let u = pair.bounded_deficit();
        let norm = pair.norm;
        let (deficit, slope) = squared_relu_pair(u, T::ONE + T::ONE - u);
        let difference = (pair.ri - pair.rj) * (pair.ri + pair.rj);
        let gap = T::from_f64(1.5) * (norm * norm).mul_add(deficit, T::from_f64(0.5) * difference * difference);
        (gap, slope * norm)
    }
}

/// A smooth function with a closed form.
pub(super) struct Smooth<'a, D>(pub(super) &'a D);

impl<D> Clone for Smooth<'_, D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D> Copy for Smooth<'_, D> {}

impl<T: Scalar, D: Closed> Map<T> for Smooth<'_, D> {
    #[inline(always)]
    fn map(&self, pair: Pair<T>) -> (T, T) {
        let u = pair.bounded_deficit();
        let (value, slope) = self.0.pair(pair.ri, pair.rj, u, T::ONE + T::ONE - u);
        let same = u == T::ZERO && pair.ri == pair.rj;
        (if same { T::ZERO } else { pair.after - value }, slope)
    }
}

/// z/√(v + ε), ε given.
#[derive(Clone, Copy)]
pub(super) struct Normalisation<T>(pub(super) T);

impl<T: Scalar> Map<T> for Normalisation<T> {
    #[inline(always)]
    fn map(&self, pair: Pair<T>) -> (T, T) {
        let (fi, fj) = (normalising_factor(pair.ri, self.0), normalising_factor(pair.rj, self.0));
        let slope = fi * fj;
        let difference = pair.ri * fi - pair.rj * fj;
        ((pair.norm * slope).mul_add(pair.bounded_deficit(), T::from_f64(0.5) * difference * difference), slope)
    }
}

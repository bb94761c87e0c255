//! What an activation does to a pair of pixels.

use super::super::dual::smooth::Closed;
use super::super::dual::{normalising_factor, squared_relu_pair};
use crate::scalar::Scalar;

/// A pair of pixels in front of an activation.
#[derive(Clone, Copy)]
pub(super) struct Pair<T> {
    /// √v of the pixel of x, and of that of x′.
    pub(super) ri: T,
    pub(super) rj: T,
    /// 1/(r r′), 0 where a variance is 0.
    pub(super) inverse: T,
    /// (v + v′)/2 − K
    pub(super) gap: T,
    /// (v + v′)/2 after the activation.
    pub(super) after: T,
}

impl<T: Scalar> Pair<T> {
    /// r r′
    #[inline(always)]
    pub(super) fn norm(self) -> T {
        self.ri * self.rj
    }

    /// (r − r′)²/2, the part of the gap that belongs to the lengths.
    #[inline(always)]
    pub(super) fn twist(self) -> T {
        let difference = self.ri - self.rj;
        T::from_f64(0.5) * difference * difference
    }

    /// K
    #[inline(always)]
    pub(super) fn covariance(self) -> T {
        self.norm() + self.twist() - self.gap
    }

    /// 1 − ρ
    #[inline(always)]
    pub(super) fn deficit(self) -> T {
        ((self.gap - self.twist()) * self.inverse).max(T::ZERO).min(T::ONE + T::ONE)
    }
}

/// (gap after, E[φ′φ′]) of a pair.
pub(super) trait Map<T> {
    fn map(&self, pair: Pair<T>) -> (T, T);
}

/// max(z, 0)²: r ← √(3/2)·r².
pub(super) struct SquaredRelu;

impl<T: Scalar> Map<T> for SquaredRelu {
    #[inline(always)]
    fn map(&self, pair: Pair<T>) -> (T, T) {
        let u = pair.deficit();
        let norm = pair.norm();
        let (deficit, slope) = squared_relu_pair(u, T::ONE + T::ONE - u);
        let difference = (pair.ri - pair.rj) * (pair.ri + pair.rj);
        let gap = T::from_f64(1.5) * (norm * norm).mul_add(deficit, T::from_f64(0.5) * difference * difference);
        (gap, slope * norm)
    }
}

/// A smooth function with a closed form.
pub(super) struct Smooth<D>(pub(super) std::marker::PhantomData<D>);

impl<T: Scalar, D: Closed> Map<T> for Smooth<D> {
    #[inline(always)]
    fn map(&self, pair: Pair<T>) -> (T, T) {
        let u = pair.deficit();
        let (value, slope) = D::pair(pair.ri, pair.rj, u, T::ONE + T::ONE - u);
        let same = u == T::ZERO && pair.ri == pair.rj;
        (if same { T::ZERO } else { pair.after - value }, slope)
    }
}

/// z/√(v + ε), ε given.
pub(super) struct Normalisation<T>(pub(super) T);

impl<T: Scalar> Map<T> for Normalisation<T> {
    #[inline(always)]
    fn map(&self, pair: Pair<T>) -> (T, T) {
        let (fi, fj) = (normalising_factor(pair.ri, self.0), normalising_factor(pair.rj, self.0));
        let slope = fi * fj;
        let difference = pair.ri * fi - pair.rj * fj;
        ((pair.norm() * slope).mul_add(pair.deficit(), T::from_f64(0.5) * difference * difference), slope)
    }
}

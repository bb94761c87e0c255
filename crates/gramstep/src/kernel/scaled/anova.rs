//! Products over columns, k = Π_j f_j with f_j = (1 − c_j) + c_j·k₁(r_j²).
//!
//! A derivative needs the product of all other factors: those before come from a walk forwards, those behind are
//! gathered on the walk back, so that nothing is divided by a factor that may be 0.

use std::marker::PhantomData;
use std::ops::Range;

use super::pairs::Pairs;
use super::points::{Points, sum};
use super::profile::Profile;
use crate::device::vectorized;
use crate::scalar::Scalar;

/// A product of functions of one column each.
#[derive(Debug)]
pub(super) struct Anova<'a, T, P> {
    a: &'a Points<T>,
    b: &'a Points<T>,
    /// c
    shares: &'a [f64],
    profile: PhantomData<P>,
}

impl<'a, T, P> Anova<'a, T, P> {
    pub(super) fn new(a: &'a Points<T>, b: &'a Points<T>, shares: &'a [f64]) -> Self {
        Self { a, b, shares, profile: PhantomData }
    }
}

/// f = 1 + c·(k₁ − 1): 1 to the bit where the column is the same.
#[inline(always)]
fn factor<T: Scalar>(share: T, k: T) -> T {
    share.mul_add(k - T::ONE, T::ONE)
}

impl<T: Scalar, P: Profile> Anova<'_, T, P> {
    /// Calls `visit(j, k₁ − 1, ∂k₁/∂r_j², m·Π_{l≠j} f_l)` for every column from the last to the first.
    #[inline(always)]
    fn walk(
        &self,
        i: usize,
        run: &Range<usize>,
        m: &mut [T],
        work: &mut Vec<T>,
        mut visit: impl FnMut(usize, &[T], &[T], &mut [T]),
    ) {
        let (d, length) = (self.shares.len(), run.len());
        // Per column: k₁ − 1, its slope, the product of the factors before. Then a row for what is visited.
        work.resize((3 * d + 1) * length, T::ZERO);
        let (columns, others) = work.split_at_mut(3 * d * length);
        let mut columns: Vec<_> = columns.chunks_exact_mut(3 * length).collect();
        for j in 0..d {
            let (before, rest) = columns.split_at_mut(j);
            let (k, rest) = rest[0].split_at_mut(length);
            let (slope, product) = rest.split_at_mut(length);
            match before.last() {
                None => product.fill(T::ONE),
                Some(last) => {
                    let share = T::from_f64(self.shares[j - 1]);
                    let (k, product_before) = (&last[..length], &last[2 * length..]);
                    for ((product, &k), &before) in product.iter_mut().zip(k).zip(product_before) {
                        *product = before * share.mul_add(k, T::ONE);
                    }
                }
            }
            let a = self.a.at(i, j);
            for ((k, slope), &b) in k.iter_mut().zip(slope).zip(self.b.run(j, run)) {
                let value = P::at((a - b) * (a - b));
                (*k, *slope) = (value.0 - T::ONE, value.1);
            }
        }
        for (j, column) in columns.iter().enumerate().rev() {
            let (k, slope, before) = (&column[..length], &column[length..2 * length], &column[2 * length..]);
            for ((others, &m), &before) in others.iter_mut().zip(&*m).zip(before) {
                *others = m * before;
            }
            visit(j, k, slope, others);
            let share = T::from_f64(self.shares[j]);
            for (m, &k) in m.iter_mut().zip(k) {
                *m *= share.mul_add(k, T::ONE);
            }
        }
    }
}

impl<T: Scalar, P: Profile> Pairs<T> for Anova<'_, T, P> {
    fn points(&self) -> (&Points<T>, &Points<T>) {
        (self.a, self.b)
    }

    fn parameters(&self) -> usize {
        2 * self.shares.len()
    }

    fn cost(&self) -> f64 {
        16.0 * self.shares.len() as f64
    }

    fn values(&self, i: usize, run: Range<usize>, out: &mut [T]) {
        vectorized(
            #[inline(always)]
            || {
                out.fill(T::ONE);
                for (j, &share) in self.shares.iter().enumerate() {
                    let (a, share) = (self.a.at(i, j), T::from_f64(share));
                    for (out, &b) in out.iter_mut().zip(self.b.run(j, &run)) {
                        *out *= factor(share, P::at((a - b) * (a - b)).0);
                    }
                }
            },
        );
    }

    fn add_parameter_slopes(&self, i: usize, run: Range<usize>, m: &mut [T], work: &mut Vec<T>, into: &mut [T]) {
        let (in_weights, in_shares) = into.split_at_mut(self.shares.len());
        vectorized(
            #[inline(always)]
            || {
                self.walk(
                    i,
                    &run,
                    m,
                    work,
                    #[inline(always)]
                    |j, k, slope, others| {
                        let (a, share) = (self.a.at(i, j), T::from_f64(self.shares[j]));
                        let by_share = sum(
                            others,
                            k,
                            #[inline(always)]
                            |others, k| others * k,
                        );
                        in_shares[j] += share * (T::ONE - share) * by_share;
                        for (others, &slope) in others.iter_mut().zip(slope) {
                            *others *= slope;
                        }
                        in_weights[j] += share
                            * sum(
                                others,
                                self.b.run(j, &run),
                                #[inline(always)]
                                |others, b| others * (a - b) * (a - b),
                            );
                    },
                );
            },
        );
    }

    fn add_input_slopes(&self, i: usize, run: Range<usize>, m: &mut [T], work: &mut Vec<T>, into: &mut [T]) {
        let two = T::ONE + T::ONE;
        vectorized(
            #[inline(always)]
            || {
                self.walk(
                    i,
                    &run,
                    m,
                    work,
                    #[inline(always)]
                    |j, _, slope, others| {
                        let (a, share) = (self.a.at(i, j), T::from_f64(self.shares[j]));
                        for (others, &slope) in others.iter_mut().zip(slope) {
                            *others *= slope;
                        }
                        into[j] += two
                            * share
                            * sum(
                                others,
                                self.b.run(j, &run),
                                #[inline(always)]
                                |others, b| others * (a - b),
                            );
                    },
                );
            },
        );
    }
}

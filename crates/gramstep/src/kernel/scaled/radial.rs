//! Functions of the scaled distance of two points: k(r²), r² = Σ_j (a_j − b_j)².

use std::marker::PhantomData;
use std::ops::Range;

use super::pairs::Pairs;
use super::points::{Points, sum};
use super::profile::Profile;
use crate::device::vectorized;
use crate::scalar::Scalar;

/// A function of distance between two sets of scaled points.
#[derive(Debug)]
pub(super) struct Radial<'a, T, P> {
    a: &'a Points<T>,
    b: &'a Points<T>,
    profile: PhantomData<P>,
}

impl<'a, T, P> Radial<'a, T, P> {
    pub(super) fn new(a: &'a Points<T>, b: &'a Points<T>) -> Self {
        Self { a, b, profile: PhantomData }
    }
}

impl<T: Scalar, P: Profile> Radial<'_, T, P> {
    /// m_k ← m_k·∂k/∂r²
    #[inline(always)]
    fn weigh(&self, i: usize, run: &Range<usize>, m: &mut [T], work: &mut Vec<T>) {
        work.resize(m.len(), T::ZERO);
        self.a.squares(i, self.b, run, work);
        for (m, &square) in m.iter_mut().zip(&*work) {
            *m *= P::at(square).1;
        }
    }
}

impl<T: Scalar, P: Profile> Pairs<T> for Radial<'_, T, P> {
    fn points(&self) -> (&Points<T>, &Points<T>) {
        (self.a, self.b)
    }

    fn parameters(&self) -> usize {
        self.a.width()
    }

    fn cost(&self) -> f64 {
        self.a.width() as f64 + 16.0
    }

    fn values(&self, i: usize, run: Range<usize>, out: &mut [T]) {
        vectorized(
            #[inline(always)]
            || {
                self.a.squares(i, self.b, &run, out);
                for out in out {
                    *out = P::at(*out).0;
                }
            },
        );
    }

    fn add_parameter_slopes(&self, i: usize, run: Range<usize>, m: &mut [T], work: &mut Vec<T>, into: &mut [T]) {
        vectorized(
            #[inline(always)]
            || {
                self.weigh(i, &run, m, work);
                for (j, into) in into.iter_mut().enumerate() {
                    let a = self.a.at(i, j);
                    *into += sum(
                        m,
                        self.b.run(j, &run),
                        #[inline(always)]
                        |m, b| m * (a - b) * (a - b),
                    );
                }
            },
        );
    }

    fn add_input_slopes(&self, i: usize, run: Range<usize>, m: &mut [T], work: &mut Vec<T>, into: &mut [T]) {
        let two = T::ONE + T::ONE;
        vectorized(
            #[inline(always)]
            || {
                self.weigh(i, &run, m, work);
                for (j, into) in into.iter_mut().enumerate() {
                    let a = self.a.at(i, j);
                    *into += two
                        * sum(
                            m,
                            self.b.run(j, &run),
                            #[inline(always)]
                            |m, b| m * (a - b),
                        );
                }
            },
        );
    }
}

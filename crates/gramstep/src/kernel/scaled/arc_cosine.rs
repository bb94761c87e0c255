//! The kernel of an infinitely wide ReLU layer, K = |a||b|·(sin θ + (π − θ)cos θ)/π, θ the angle of a and b.
//!
//! ```text
//! ∂K/∂(a·b) = (π − θ)/π,   ∂K/∂|a|² = |b|/|a|·sin θ/(2π)
//! ```
//!
//! 1 − cos θ is half the squared distance of the directions: nothing is lost where two points are alike.

use std::f64::consts::PI;
use std::ops::Range;

use super::pairs::Pairs;
use super::points::Points;
use crate::device::vectorized;
use crate::scalar::{Scalar, elementary::angles};

/// The arc-cosine kernel of order 1 between two sets of directions with lengths.
#[derive(Debug)]
pub(super) struct ArcCosine<'a, T> {
    a: &'a Points<T>,
    b: &'a Points<T>,
}

impl<'a, T> ArcCosine<'a, T> {
    pub(super) fn new(a: &'a Points<T>, b: &'a Points<T>) -> Self {
        Self { a, b }
    }
}

/// (cos θ, sin θ, π − θ) from 1 − cos θ.
#[inline(always)]
fn angle<T: Scalar>(distance: T) -> (T, T, T) {
    let (two, pi) = (T::ONE + T::ONE, T::from_f64(PI));
    let other = two - distance;
    let cosine = T::ONE - distance;
    let sine = (distance * other).max(T::ZERO).sqrt();
    let (_, acute) = angles(cosine, distance.min(other).max(T::ZERO));
    (cosine, sine, if cosine < T::ZERO { acute } else { pi - acute })
}

impl<T: Scalar> ArcCosine<'_, T> {
    /// 1 − cos θ of a run, into `out`.
    #[inline(always)]
    fn distances(&self, i: usize, run: &Range<usize>, out: &mut [T]) {
        self.a.squares(i, self.b, run, out);
        for out in out {
            *out *= T::from_f64(0.5);
        }
    }

    /// m_k ← m_k·∂K/∂(a·b), `bend`_k ← m_k·|b_k|·sin θ/(2π).
    #[inline(always)]
    fn weigh<'w>(&self, i: usize, run: &Range<usize>, m: &mut [T], work: &'w mut Vec<T>) -> &'w mut [T] {
        work.resize(m.len(), T::ZERO);
        self.distances(i, run, work);
        let (per_pi, half) = (T::from_f64(1.0 / PI), T::from_f64(0.5));
        for ((m, bend), &length) in m.iter_mut().zip(work.iter_mut()).zip(&self.b.lengths()[run.clone()]) {
            let (_, sine, rest) = angle(*bend);
            *bend = *m * half * per_pi * sine * length;
            *m *= per_pi * rest;
        }
        work
    }
}

impl<T: Scalar> Pairs<T> for ArcCosine<'_, T> {
    fn points(&self) -> (&Points<T>, &Points<T>) {
        (self.a, self.b)
    }

    fn parameters(&self) -> usize {
        self.a.width()
    }

    fn cost(&self) -> f64 {
        self.a.width() as f64 + 40.0
    }

    fn values(&self, i: usize, run: Range<usize>, out: &mut [T]) {
        let (length, per_pi) = (self.a.lengths()[i], T::from_f64(1.0 / PI));
        vectorized(
            #[inline(always)]
            || {
                self.distances(i, &run, out);
                for (out, &other) in out.iter_mut().zip(&self.b.lengths()[run.clone()]) {
                    let (cosine, sine, rest) = angle(*out);
                    // The same bits for (i, k) and (k, i).
                    *out = length * other * (per_pi * rest.mul_add(cosine, sine));
                }
            },
        );
    }

    fn add_parameter_slopes(&self, i: usize, run: Range<usize>, m: &mut [T], work: &mut Vec<T>, into: &mut [T]) {
        // ∂(a·b)/∂log w_j = a_j b_j, ∂|a|²/∂log w_j = a_j².
        let length = self.a.lengths()[i];
        vectorized(
            #[inline(always)]
            || {
                let bend = self.weigh(i, &run, m, work);
                for ((m, bend), &other) in m.iter_mut().zip(bend.iter_mut()).zip(&self.b.lengths()[run.clone()]) {
                    *m *= length * other;
                    *bend *= length;
                }
                for (j, into) in into.iter_mut().enumerate() {
                    let a = self.a.at(i, j);
                    for ((&m, &bend), &b) in m.iter().zip(&*bend).zip(self.b.run(j, &run)) {
                        *into += m * a * b + bend * (a * a + b * b);
                    }
                }
            },
        );
    }

    fn add_input_slopes(&self, i: usize, run: Range<usize>, m: &mut [T], work: &mut Vec<T>, into: &mut [T]) {
        let two = T::ONE + T::ONE;
        vectorized(
            #[inline(always)]
            || {
                let bend = self.weigh(i, &run, m, work);
                for (m, &other) in m.iter_mut().zip(&self.b.lengths()[run.clone()]) {
                    *m *= other;
                }
                for (j, into) in into.iter_mut().enumerate() {
                    let a = self.a.at(i, j);
                    for ((&m, &bend), &b) in m.iter().zip(&*bend).zip(self.b.run(j, &run)) {
                        *into += m * b + two * bend * a;
                    }
                }
            },
        );
    }
}

//! Element-wise loops on slices, compiled for every vector unit and chosen at run time.

use super::super::operations::WriteMode;
use super::vector::vectorized;
use crate::scalar::Scalar;

pub(super) fn multiply<T: Scalar>(out: &mut [T], factor: &[T]) {
    vectorized(
        #[inline(always)]
        || {
            for (o, &f) in out.iter_mut().zip(factor) {
                *o *= f;
            }
        },
    );
}

/// out_j = x_(at_j).
pub(super) fn gather<T: Scalar>(out: &mut [T], x: &[T], at: &[usize]) {
    for (out, &at) in out.iter_mut().zip(at) {
        *out = x[at];
    }
}

/// out_(at_j) += x_j.
pub(super) fn scatter<T: Scalar>(out: &mut [T], x: &[T], at: &[usize]) {
    for (&x, &at) in x.iter().zip(at) {
        out[at] += x;
    }
}

/// out (+)= x.
pub(super) fn put<T: Scalar>(out: &mut [T], mode: WriteMode, x: &[T]) {
    match mode {
        WriteMode::Replace => out.copy_from_slice(x),
        WriteMode::Accumulate => axpby(out, T::ONE, T::ONE, x),
    }
}

pub(super) fn axpby<T: Scalar>(out: &mut [T], beta: T, alpha: T, x: &[T]) {
    vectorized(
        #[inline(always)]
        || {
            if beta == T::ZERO {
                for (o, &x) in out.iter_mut().zip(x) {
                    *o = alpha * x;
                }
            } else {
                for (o, &x) in out.iter_mut().zip(x) {
                    // Not fused: ½a − ½a has to be 0 to the bit (symmetric starts).
                    *o = alpha * x + beta * *o;
                }
            }
        },
    );
}

/// out = scale·x + shift, or out += scale·x + shift.
pub(super) fn scale_shift<T: Scalar>(out: &mut [T], add: bool, scale: T, shift: T, x: &[T]) {
    vectorized(
        #[inline(always)]
        || {
            for (o, &x) in out.iter_mut().zip(x) {
                let value = scale.mul_add(x, shift);
                *o = if add { *o + value } else { value };
            }
        },
    );
}

/// out = Σ_a c_a · rows_a, where `rows` holds the rows one after the other.
pub(super) fn weighted_sum<T: Scalar>(out: &mut [T], c: &[T], rows: &[T]) {
    let width = out.len();
    vectorized(
        #[inline(always)]
        || {
            for (a, &c) in c.iter().enumerate() {
                let row = &rows[a * width..(a + 1) * width];
                if a == 0 {
                    for (o, &r) in out.iter_mut().zip(row) {
                        *o = c * r;
                    }
                } else {
                    for (o, &r) in out.iter_mut().zip(row) {
                        *o = c.mul_add(r, *o);
                    }
                }
            }
        },
    );
}

/// x·y with sixteen partial sums, combined in fixed order.
pub(super) fn dot<T: Scalar>(x: &[T], y: &[T]) -> T {
    vectorized(
        #[inline(always)]
        || {
            let mut sums = [T::ZERO; 16];
            let (head, tail) = x.as_chunks::<16>();
            let (other, rest) = y.as_chunks::<16>();
            for (x, y) in head.iter().zip(other) {
                for lane in 0..16 {
                    sums[lane] = x[lane].mul_add(y[lane], sums[lane]);
                }
            }
            let mut total: T = tail.iter().zip(rest).map(|(&x, &y)| x * y).sum();
            for sum in sums {
                total += sum;
            }
            total
        },
    )
}

/// out += α Σ_i rows_i.
pub(super) fn column_sums<T: Scalar>(out: &mut [T], alpha: T, rows: &[T]) {
    let width = out.len().max(1);
    vectorized(
        #[inline(always)]
        || {
            for row in rows.chunks_exact(width) {
                for (o, &r) in out.iter_mut().zip(row) {
                    *o = alpha.mul_add(r, *o);
                }
            }
        },
    );
}

/// out_(j,b) += (scale·aa_j + shift)·dd_(j,b), with q outputs b for each j.
pub(super) fn gram_accumulate<T: Scalar>(out: &mut [T], scale: T, shift: T, aa: &[T], q: usize, dd: &[T]) {
    vectorized(
        #[inline(always)]
        || {
            if q == 1 {
                for ((o, &a), &d) in out.iter_mut().zip(aa).zip(dd) {
                    *o = scale.mul_add(a, shift).mul_add(d, *o);
                }
            } else {
                for ((out, &a), dd) in out.chunks_exact_mut(q).zip(aa).zip(dd.chunks_exact(q)) {
                    let factor = scale.mul_add(a, shift);
                    for (o, &d) in out.iter_mut().zip(dd) {
                        *o = factor.mul_add(d, *o);
                    }
                }
            }
        },
    );
}

pub(super) fn momentum_update<T: Scalar>(theta: &mut [T], velocity: &mut [T], learning_rate: T, momentum: T) {
    vectorized(
        #[inline(always)]
        || {
            for (t, v) in theta.iter_mut().zip(velocity) {
                *t = (-learning_rate).mul_add(*v, *t);
                *v *= momentum;
            }
        },
    );
}

pub(super) struct AdamConstants<T> {
    pub(super) decay: (T, T),
    pub(super) correction: (T, T),
    pub(super) learning_rate: T,
    pub(super) epsilon: T,
}

pub(super) fn adam_update<T: Scalar>(
    theta: &mut [T],
    first: &mut [T],
    second: &mut [T],
    gradient: &[T],
    constants: &AdamConstants<T>,
) {
    let &AdamConstants { decay: (b1, b2), correction: (c1, c2), learning_rate, epsilon } = constants;
    let (rate, second_scale) = (learning_rate / c1, T::ONE / c2);
    vectorized(
        #[inline(always)]
        || {
            for (((t, m), v), &g) in theta.iter_mut().zip(first).zip(second).zip(gradient) {
                *m = b1.mul_add(*m, (T::ONE - b1) * g);
                *v = b2.mul_add(*v, (T::ONE - b2) * g * g);
                *t -= rate * *m / ((*v * second_scale).sqrt() + epsilon);
            }
        },
    );
}

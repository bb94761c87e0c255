//! The products that every pass is made of, blocked for registers: R rows of broadcast numbers meet N vectors.
//!
//! Each result is one chain of fused multiply-adds in the order of the inner index, however rows are cut into blocks;
//! what was there before is added last, which rounds less than one long sum.

use pulp::Simd;

use super::transform::Lanes;

/// What the number of rows has to be a multiple of.
pub(super) const EVEN: usize = 2;

/// Rows of the next block, where so many are left: a full one if the rest can be full too, else a smaller one.
#[inline(always)]
fn rows_of_block<S: Simd>(left: usize) -> usize {
    let many = S::REGISTER_COUNT >= 32;
    if many && left.is_multiple_of(12) {
        12
    } else if many && left >= 8 {
        8
    } else if left.is_multiple_of(6) {
        6
    } else if left >= 4 {
        4
    } else {
        2
    }
}

/// c[r][0..N] = Σ_i a[r·k + i]·b[i][0..N] for `rows` rows.
#[inline(always)]
pub(super) fn by_rows<S: Simd, const N: usize>(
    o: Lanes<S>,
    k: usize,
    mut a: &[f32],
    b: &[S::f32s],
    c: &mut [S::f32s],
    rows: usize,
) {
    let (mut c, b) = (&mut c[..rows * N], &b.as_chunks::<N>().0[..k]);
    while !c.is_empty() {
        let block = rows_of_block::<S>(c.len() / N);
        let (here, rest) = c.split_at_mut(block * N);
        match block {
            12 => rows_block::<S, 12, N>(o, k, a, b, here),
            8 => rows_block::<S, 8, N>(o, k, a, b, here),
            6 => rows_block::<S, 6, N>(o, k, a, b, here),
            4 => rows_block::<S, 4, N>(o, k, a, b, here),
            _ => rows_block::<S, 2, N>(o, k, a, b, here),
        }
        (a, c) = (&a[block * k..], rest);
    }
}

#[inline(always)]
fn rows_block<S: Simd, const R: usize, const N: usize>(
    o: Lanes<S>,
    k: usize,
    a: &[f32],
    b: &[[S::f32s; N]],
    c: &mut [S::f32s],
) {
    let mut rows = [&a[..k]; R];
    for r in 0..R {
        rows[r] = &a[r * k..][..k];
    }
    let mut sums = [[o.zero(); N]; R];
    for (i, b) in b.iter().enumerate() {
        for r in 0..R {
            for v in 0..N {
                sums[r][v] = o.fma(rows[r][i], b[v], sums[r][v]);
            }
        }
    }
    c.as_chunks_mut::<N>().0[..R].copy_from_slice(&sums);
}

/// A matrix whose rows lie `step` apart.
#[derive(Clone, Copy)]
pub(super) struct Strided<'a, V> {
    pub(super) values: &'a [V],
    pub(super) step: usize,
}

/// c[r][0..N] (+)= Σ_t a[t][r]·b[t][0..N] over t < k, for `rows` rows.
#[inline(always)]
pub(super) fn over_rows<S: Simd, const N: usize>(
    o: Lanes<S>,
    k: usize,
    a: Strided<'_, f32>,
    b: Strided<'_, S::f32s>,
    c: &mut [S::f32s],
    (add, rows): (bool, usize),
) {
    let mut c = &mut c[..rows * N];
    let mut values = a.values;
    while !c.is_empty() {
        let block = rows_of_block::<S>(c.len() / N);
        let (here, rest) = c.split_at_mut(block * N);
        let a = Strided { values, ..a };
        match block {
            12 => outer_block::<S, 12, N>(o, k, a, b, here, add),
            8 => outer_block::<S, 8, N>(o, k, a, b, here, add),
            6 => outer_block::<S, 6, N>(o, k, a, b, here, add),
            4 => outer_block::<S, 4, N>(o, k, a, b, here, add),
            _ => outer_block::<S, 2, N>(o, k, a, b, here, add),
        }
        (values, c) = (&values[block..], rest);
    }
}

#[inline(always)]
fn outer_block<S: Simd, const R: usize, const N: usize>(
    o: Lanes<S>,
    k: usize,
    a: Strided<'_, f32>,
    b: Strided<'_, S::f32s>,
    c: &mut [S::f32s],
    add: bool,
) {
    let mut sums = [[o.zero(); N]; R];
    for t in 0..k {
        let (a, b) = (&a.values[t * a.step..][..R], &b.values[t * b.step..][..N]);
        for r in 0..R {
            for v in 0..N {
                sums[r][v] = o.fma(a[r], b[v], sums[r][v]);
            }
        }
    }
    let c = &mut c.as_chunks_mut::<N>().0[..R];
    for r in 0..R {
        for v in 0..N {
            c[r][v] = if add { o.add(c[r][v], sums[r][v]) } else { sums[r][v] };
        }
    }
}

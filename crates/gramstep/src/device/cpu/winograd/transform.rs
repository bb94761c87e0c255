//! The transforms of F(4×4, 3×3) on the points 0, ±√½, ±√2, ∞, a vector of channels at a time.
//!
//! ```text
//! y  = Aᵀ[(G g Gᵀ) ∘ (Bᵀ d B)]A      4×4 results of the 6×6 pixels d and the 3×3 weights g
//! dW = Gᵀ[(A δ Aᵀ) ∘ (Bᵀ d B)]G      its adjoint in the weights
//! ```
//!
//! These points keep all constants near 1 (P² = ½, Q² = 2, P²Q² = 1) where 0, ±1, ±2, ∞ (lavin2016) reach
//! 8, which keeps rounding small.
//! Entry (i, j) of a transformed tile is its frequency 6i + j; frequencies lie `step` vectors apart. Rows of a result are
//! made in pairs and read again what they need: no 6×6 intermediate has to leave the registers.
//!
//! Everything is `inline(always)` and without closures: what is not inlined is compiled for the baseline.

use pulp::Simd;

/// Side of a tile of results.
pub(super) const SIDE: usize = 4;
/// Side of the tile of pixels that they see.
pub(super) const REACH: usize = 6;
/// Number of frequencies.
pub(super) const AREA: usize = REACH * REACH;

const P: f32 = std::f32::consts::FRAC_1_SQRT_2;
const Q: f32 = std::f32::consts::SQRT_2;
const P2: f32 = 0.5;
const Q2: f32 = 2.0;
/// 1/(2P²(P² − Q²)) and 1/(2Q²(Q² − P²)), the factors of the taps.
const GP: f32 = -2.0 / 3.0;
const GQ: f32 = 1.0 / 6.0;

/// Arithmetic on vectors of one kind.
#[derive(Clone, Copy)]
pub(super) struct Lanes<S>(pub(super) S);

impl<S: Simd> Lanes<S> {
    /// a·x + y
    #[inline(always)]
    pub(super) fn fma(self, a: f32, x: S::f32s, y: S::f32s) -> S::f32s {
        self.0.mul_add_e_f32s(self.0.splat_f32s(a), x, y)
    }

    #[inline(always)]
    pub(super) fn add(self, x: S::f32s, y: S::f32s) -> S::f32s {
        self.0.add_f32s(x, y)
    }

    #[inline(always)]
    fn sub(self, x: S::f32s, y: S::f32s) -> S::f32s {
        self.0.sub_f32s(x, y)
    }

    #[inline(always)]
    pub(super) fn scale(self, a: f32, x: S::f32s) -> S::f32s {
        self.0.mul_f32s(self.0.splat_f32s(a), x)
    }

    #[inline(always)]
    pub(super) fn zero(self) -> S::f32s {
        self.0.splat_f32s(0.0)
    }

    /// Rows 0 and 5 of Bᵀ: the same numbers, one place apart.
    #[inline(always)]
    fn ends(self, a: S::f32s, b: S::f32s, c: S::f32s) -> S::f32s {
        self.add(a, self.fma(-(P2 + Q2), b, c))
    }

    /// Rows of Bᵀ for the points ±p; `other` is the square of the other pair.
    #[inline(always)]
    fn pair(self, d: [S::f32s; 4], p: f32, other: f32) -> [S::f32s; 2] {
        let (even, odd) = (self.fma(-other, d[1], d[3]), self.fma(-other, d[0], d[2]));
        [self.fma(p, odd, even), self.fma(-p, odd, even)]
    }

    /// Bᵀd
    #[inline(always)]
    fn pixels(self, d: [S::f32s; 6]) -> [S::f32s; 6] {
        let middle = [d[1], d[2], d[3], d[4]];
        let ([a, b], [c, e]) = (self.pair(middle, P, Q2), self.pair(middle, Q, P2));
        [self.ends(d[0], d[2], d[4]), a, b, c, e, self.ends(d[1], d[3], d[5])]
    }

    /// Aᵀm
    #[inline(always)]
    fn results(self, m: [S::f32s; 6]) -> [S::f32s; 4] {
        let (even_p, odd_p) = (self.add(m[1], m[2]), self.sub(m[1], m[2]));
        let (even_q, odd_q) = (self.add(m[3], m[4]), self.sub(m[3], m[4]));
        [
            self.add(m[0], self.add(even_p, even_q)),
            self.fma(Q, odd_q, self.scale(P, odd_p)),
            self.fma(Q2, even_q, self.scale(P2, even_p)),
            self.fma(Q * Q2, odd_q, self.fma(P * P2, odd_p, m[5])),
        ]
    }

    /// Rows of A for the points ±p.
    #[inline(always)]
    fn delta_pair(self, d: [S::f32s; 4], p: f32, p2: f32) -> [S::f32s; 2] {
        let (even, odd) = (self.fma(p2, d[2], d[0]), self.fma(p2, d[3], d[1]));
        [self.fma(p, odd, even), self.fma(-p, odd, even)]
    }

    /// Aδ
    #[inline(always)]
    fn deltas(self, d: [S::f32s; 4]) -> [S::f32s; 6] {
        let ([a, b], [c, e]) = (self.delta_pair(d, P, P2), self.delta_pair(d, Q, Q2));
        [d[0], a, b, c, e, d[3]]
    }

    /// Gg
    #[inline(always)]
    fn taps(self, g: [S::f32s; 3]) -> [S::f32s; 6] {
        let (even_p, odd_p) = (self.scale(GP, self.fma(P2, g[2], g[0])), self.scale(P * GP, g[1]));
        let (even_q, odd_q) = (self.scale(GQ, self.fma(Q2, g[2], g[0])), self.scale(Q * GQ, g[1]));
        [g[0], self.add(even_p, odd_p), self.sub(even_p, odd_p), self.add(even_q, odd_q), self.sub(even_q, odd_q), g[2]]
    }

    /// Gᵀs
    #[inline(always)]
    fn taps_adjoint(self, s: [S::f32s; 6]) -> [S::f32s; 3] {
        let (even_p, odd_p) = (self.add(s[1], s[2]), self.sub(s[1], s[2]));
        let (even_q, odd_q) = (self.add(s[3], s[4]), self.sub(s[3], s[4]));
        [
            self.fma(GP, even_p, self.fma(GQ, even_q, s[0])),
            self.fma(P * GP, odd_p, self.scale(Q * GQ, odd_q)),
            self.fma(P2 * GP, even_p, self.fma(Q2 * GQ, even_q, s[5])),
        ]
    }
}

/// Bᵀ d B of pixel (i, j) at `rows[i][j·pixel + at]`, to `out[frequency·step + at]`, for all `at` below `pixel`.
#[inline(always)]
pub(super) fn input<S: Simd>(o: Lanes<S>, rows: [&[S::f32s]; 6], pixel: usize, out: &mut [S::f32s], step: usize) {
    let out = &mut out[..(AREA - 1) * step + pixel];
    let [r0, r1, r2, r3, r4, r5] = rows;
    let length = REACH * pixel;
    let (r0, r1, r2) = (&r0[..length], &r1[..length], &r2[..length]);
    let (r3, r4, r5) = (&r3[..length], &r4[..length], &r5[..length]);
    for at in 0..pixel {
        let (mut t, mut u) = ([o.zero(); 6], [o.zero(); 6]);
        for j in 0..6 {
            let k = j * pixel + at;
            t[j] = o.ends(r0[k], r2[k], r4[k]);
        }
        put_six(o.pixels(t), &mut out[at..], step);
        for j in 0..6 {
            let k = j * pixel + at;
            [t[j], u[j]] = o.pair([r1[k], r2[k], r3[k], r4[k]], P, Q2);
        }
        put_six(o.pixels(t), &mut out[6 * step + at..], step);
        put_six(o.pixels(u), &mut out[12 * step + at..], step);
        for j in 0..6 {
            let k = j * pixel + at;
            [t[j], u[j]] = o.pair([r1[k], r2[k], r3[k], r4[k]], Q, P2);
        }
        put_six(o.pixels(t), &mut out[18 * step + at..], step);
        put_six(o.pixels(u), &mut out[24 * step + at..], step);
        for j in 0..6 {
            let k = j * pixel + at;
            t[j] = o.ends(r1[k], r3[k], r5[k]);
        }
        put_six(o.pixels(t), &mut out[30 * step + at..], step);
    }
}

/// A δ Aᵀ of result (i, j) at `rows[i][j·pixel + at]`, to `out[frequency·step + at]`, for all `at` below `pixel`.
#[inline(always)]
pub(super) fn delta<S: Simd>(o: Lanes<S>, rows: [&[S::f32s]; 4], pixel: usize, out: &mut [S::f32s], step: usize) {
    let out = &mut out[..(AREA - 1) * step + pixel];
    let length = SIDE * pixel;
    let [r0, r1, r2, r3] = rows;
    let (r0, r1, r2, r3) = (&r0[..length], &r1[..length], &r2[..length], &r3[..length]);
    for at in 0..pixel {
        let (mut t, mut u) = ([o.zero(); 4], [o.zero(); 4]);
        for j in 0..4 {
            t[j] = r0[j * pixel + at];
        }
        put_six(o.deltas(t), &mut out[at..], step);
        for j in 0..4 {
            let k = j * pixel + at;
            [t[j], u[j]] = o.delta_pair([r0[k], r1[k], r2[k], r3[k]], P, P2);
        }
        put_six(o.deltas(t), &mut out[6 * step + at..], step);
        put_six(o.deltas(u), &mut out[12 * step + at..], step);
        for j in 0..4 {
            let k = j * pixel + at;
            [t[j], u[j]] = o.delta_pair([r0[k], r1[k], r2[k], r3[k]], Q, Q2);
        }
        put_six(o.deltas(t), &mut out[18 * step + at..], step);
        put_six(o.deltas(u), &mut out[24 * step + at..], step);
        for j in 0..4 {
            t[j] = r3[j * pixel + at];
        }
        put_six(o.deltas(t), &mut out[30 * step + at..], step);
    }
}

#[inline(always)]
fn put_six<V: Copy>(values: [V; 6], out: &mut [V], step: usize) {
    let out = &mut out[..=5 * step];
    for j in 0..6 {
        out[j * step] = values[j];
    }
}

/// Aᵀ m A of the frequencies at `m[frequency·step]`, 4×4 results.
#[inline(always)]
pub(super) fn output<S: Simd>(o: Lanes<S>, m: &[S::f32s], step: usize) -> [[S::f32s; 4]; 4] {
    let m = &m[..=(AREA - 1) * step];
    let (mut t, mut u) = ([o.zero(); 6], [o.zero(); 6]);
    for j in 0..6 {
        let (even_p, even_q) =
            (o.add(m[(6 + j) * step], m[(12 + j) * step]), o.add(m[(18 + j) * step], m[(24 + j) * step]));
        t[j] = o.add(m[j * step], o.add(even_p, even_q));
        u[j] = o.fma(Q2, even_q, o.scale(P2, even_p));
    }
    let (first, third) = (o.results(t), o.results(u));
    for j in 0..6 {
        let (odd_p, odd_q) =
            (o.sub(m[(6 + j) * step], m[(12 + j) * step]), o.sub(m[(18 + j) * step], m[(24 + j) * step]));
        t[j] = o.fma(Q, odd_q, o.scale(P, odd_p));
        u[j] = o.fma(Q * Q2, odd_q, o.fma(P * P2, odd_p, m[(30 + j) * step]));
    }
    [first, o.results(t), third, o.results(u)]
}

/// G g Gᵀ of the taps g, to `out[frequency·step]`.
#[inline(always)]
pub(super) fn weight<S: Simd>(o: Lanes<S>, g: [[S::f32s; 3]; 3], out: &mut [S::f32s], step: usize) {
    let mut columns = [[o.zero(); 6]; 3];
    for j in 0..3 {
        columns[j] = o.taps([g[0][j], g[1][j], g[2][j]]);
    }
    for i in 0..6 {
        put_six(o.taps([columns[0][i], columns[1][i], columns[2][i]]), &mut out[6 * i * step..], step);
    }
}

/// Gᵀ s G of the sums at `s[frequency·step]`, 3×3 taps.
#[inline(always)]
pub(super) fn gradient<S: Simd>(o: Lanes<S>, s: &[S::f32s], step: usize) -> [[S::f32s; 3]; 3] {
    let s = &s[..=(AREA - 1) * step];
    let mut t = [[o.zero(); 6]; 3];
    for j in 0..6 {
        let mut column = [o.zero(); 6];
        for i in 0..6 {
            column[i] = s[(6 * i + j) * step];
        }
        let column = o.taps_adjoint(column);
        for i in 0..3 {
            t[i][j] = column[i];
        }
    }
    [o.taps_adjoint(t[0]), o.taps_adjoint(t[1]), o.taps_adjoint(t[2])]
}

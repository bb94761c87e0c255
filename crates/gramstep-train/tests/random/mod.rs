//! Numbers that look random and are the same in every run: of row i and column j.
#![allow(dead_code)] // not every file of tests needs all of them

/// In (0, 1): the bits of i and j mixed (splitmix64).
pub(crate) fn uniform(i: usize, j: usize) -> f64 {
    let mut bits = ((i as u64) << 32 | j as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (((bits ^ (bits >> 31)) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

/// Normal, of columns j and j + 1 (Box and Muller).
pub(crate) fn normal(i: usize, j: usize) -> f64 {
    (-2.0 * uniform(i, j).ln()).sqrt() * (std::f64::consts::TAU * uniform(i, j + 1)).cos()
}

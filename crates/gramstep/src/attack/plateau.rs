//! The way out where a goal rests: the squared loss of a prediction against itself has no gradient, and rises both ways.

use super::search::Search;
use super::way_out::WayOut;
use crate::error::Result;
use crate::scalar::Scalar;

/// Finds the ways out of the samples that want one: of one full step along ±∂f_a/∂x for every output a, the best.
///
/// Afterwards the search stands at the samples themselves with its gradients, as it did before.
pub(super) fn leave<T: Scalar>(search: &mut Search<'_, T>) -> Result<()> {
    let resting: Vec<bool> = search.ways_out().iter().map(|way| *way == WayOut::Wanted).collect();
    if !resting.contains(&true) {
        return Ok(());
    }
    let lengths: Vec<f64> = resting.iter().map(|&resting| f64::from(u8::from(resting))).collect();
    let mut best: Vec<Option<(bool, f64)>> = vec![None; resting.len()];
    for output in 0..search.outputs() {
        search.slope(output)?;
        let mut gradient = search.gradient().to_vec();
        for sign in [1.0, -1.0] {
            let mut x = search.clean().to_vec();
            search.step(&mut x, &gradient, &lengths);
            search.evaluate_some(&x, |row| resting[row])?;
            for row in (0..resting.len()).filter(|&row| resting[row]) {
                let rank = Some((search.met()[row], search.values()[row]));
                if rank > best[row] {
                    best[row] = rank;
                    search.ways_out()[row] = WayOut::Along(output, sign);
                }
            }
            for g in &mut gradient {
                *g = T::ZERO - *g;
            }
        }
    }
    search.ascend(search.clean())
}

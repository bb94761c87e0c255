//! Which networks of an ensemble are far worse than the others.
//!
//! Losses are compared as shares of the loss of the constant on the same rows, since the rows differ between networks.
//! A network is far worse than the others if it is no better than the constant while half of them make at most half of
//! its error; or if its error alone, of which an average of M networks takes the part 1/M² (of a squared one), is more
//! than the whole error of the median, and worth a word.

use gramstep::{Matrix, Model, Scalar};

use crate::data::{Dataset, Targets};
use crate::error::Result;
use crate::outcome::deciding::deciding_loss;
use crate::outcome::metrics;

/// A smaller share of the error of the constant is not worth another training.
const NOTICEABLE: f64 = 1e-3;

/// The loss of a network on some rows [that decides](crate::outcome::deciding), as a share of that of the constant that suits the training rows best.
pub(super) fn share<T: Scalar>(
    model: &Model<T>,
    train: &Dataset<T>,
    judging: &Dataset<T>,
    targets: &Targets,
) -> Result<f64> {
    let loss = |outputs: &Matrix<f64>| deciding_loss(outputs, judging, targets);
    Ok(loss(&metrics::outputs(model, &judging.inputs)?) / loss(&metrics::constant(train, judging.rows(), targets)))
}

/// The networks that are far worse than the others, by such shares.
pub(super) fn far_worse(shares: &[f64]) -> Vec<usize> {
    let mut sorted = shares.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(&median) = sorted.get(shares.len().saturating_sub(1) / 2) else { return Vec::new() };
    let networks = shares.len() as f64;
    let far = |share: f64| {
        (share >= 1.0 && median <= 0.5) || share > (networks * networks * median).max(NOTICEABLE) || share.is_nan()
    };
    (0..shares.len()).filter(|&number| shares.len() > 1 && far(shares[number])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_among_networks_is_far_worse_and_networks_that_all_learnt_little_are_not() {
        assert_eq!(far_worse(&[1e-6, 1.0, 2e-6, 1e-6, 3e-6]), [1]);
        assert_eq!(far_worse(&[0.3, 0.4, 1.0, 0.3, 1.2]), [2, 4]);
        assert_eq!(far_worse(&[1e-3, f64::NAN]), [1]);
        assert_eq!(far_worse(&[1e-6, 1e-5, 2e-6, 1e-6, 1e-2]), [4]);
        for alike in [&[0.9, 1.1, 0.95][..], &[0.2, 0.7, 0.3], &[1e-9, 1e-5, 2e-9], &[2.0], &[]] {
            assert!(far_worse(alike).is_empty(), "{alike:?}");
        }
    }
}

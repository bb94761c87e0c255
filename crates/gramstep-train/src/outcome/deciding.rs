//! The loss by which training is ended and networks are compared: a few rows cannot own it.
//!
//! ```text
//! mean of min(|r|, c)²,    c = max(quantile of |r| at 0.975, 6·median|r|/0.6745)
//! ```
//!
//! over each output by itself: of a squared loss the largest residuals of at most 2.5 % of the rows count no more than
//! c where they lie beyond six standard deviations, as the median tells these of normal residuals. Fewer than 40 rows cannot
//! tell, and count as they are. Without such rows, and of other losses, it is the loss itself.

use gramstep::{Matrix, Scalar};

use super::metrics::loss_of_outputs;
use crate::data::quantile::quantile;
use crate::data::{Dataset, Targets};

/// Rows beyond this quantile are few.
const FEW: f64 = 0.975;
/// Standard deviations beyond which residuals are wild.
const WILD: f64 = 6.0;
/// The median of |r| of a standard normal r.
const MEDIAN: f64 = 0.674_489_750_196_081_7;

/// c: the size beyond which residuals of these sizes are those of a few rows, and more than so many standard deviations.
pub(crate) fn bound(sizes: &[f64], weights: Option<&[f64]>, wild: f64) -> f64 {
    quantile(sizes, weights, FEW).max(wild * quantile(sizes, weights, 0.5) / MEDIAN)
}

/// The loss of outputs that decides, by the weights of the rows.
pub(crate) fn deciding_loss<T: Scalar>(outputs: &Matrix<f64>, rows: &Dataset<T>, targets: &Targets) -> f64 {
    let squared = matches!(targets, Targets::Regression { loss, .. } if loss.is_squared());
    let (n, k) = (outputs.rows(), outputs.columns());
    if !squared || n == 0 {
        return loss_of_outputs(outputs, rows, targets);
    }
    let weights = rows.weights.as_deref();
    let mut kept = outputs.clone();
    for a in 0..k {
        let residual = |i: usize| outputs[(i, a)] - rows.targets[(i, a)].to_f64();
        let sizes: Vec<f64> = (0..n).map(|i| residual(i).abs()).collect();
        let most = bound(&sizes, weights, WILD);
        for i in (0..n).filter(|&i| sizes[i] > most && sizes[i].is_finite()) {
            kept[(i, a)] = rows.targets[(i, a)].to_f64() + most * residual(i).signum();
        }
    }
    loss_of_outputs(&kept, rows, targets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Standardisation, Targets};

    fn loss(outputs: &[f64], targets: &[f64], weights: Option<Vec<f64>>) -> (f64, f64) {
        let column = |values: &[f64]| Matrix::from_vec(values.len(), 1, values.to_vec()).unwrap();
        let rows = Dataset::new(column(targets), column(targets)).unwrap().with_weights(weights).unwrap();
        let (transform, loss) = Default::default();
        let standardisation = Standardisation::fit([&[0.0, 1.0][..]]);
        let of = Targets::Regression { columns: vec!["y".to_owned()], standardisation, transform, loss };
        (deciding_loss(&column(outputs), &rows, &of), loss_of_outputs(&column(outputs), &rows, &of))
    }

    #[test]
    fn a_few_wild_rows_count_little_however_wild_and_tame_ones_as_they_are() {
        let tame: Vec<f64> = (0..200).map(|i| (f64::from(i) * 0.7).sin()).collect();
        let zeros = vec![0.0; 200];
        let (decides, plain) = loss(&tame, &zeros, None);
        assert_eq!(decides, plain);
        for wildness in [30.0, 1e3, 1e9] {
            let mut targets = zeros.clone();
            (targets[3], targets[77], targets[150]) = (wildness, -wildness, wildness);
            let (wild, _) = loss(&tame, &targets, None);
            assert!(wild > decides && wild < 2.5 * decides, "{wildness}: {wild} and {decides}");
        }
    }

    #[test]
    fn the_loss_scales_with_residuals_and_knows_numbers_that_are_none() {
        let (f, zeros): (Vec<f64>, _) =
            ((0..100).map(|i| f64::from(i * i % 17) + 1e4 * f64::from(i / 99)).collect(), vec![0.0; 100]);
        let (one, plain) = loss(&f, &zeros, None);
        assert!(one < plain);
        let scaled: Vec<f64> = f.iter().map(|f| 1e-6 * f).collect();
        assert!((loss(&scaled, &zeros, None).0 / one - 1e-12).abs() < 1e-24);
        let lost = |value: f64| f.iter().enumerate().map(|(i, &f)| if i == 9 { value } else { f }).collect::<Vec<_>>();
        assert!(loss(&lost(f64::NAN), &zeros, None).0.is_nan());
        assert!(loss(&lost(f64::INFINITY), &zeros, None).0.is_infinite());
    }

    #[test]
    fn a_whole_weight_is_that_many_rows() {
        let f: Vec<f64> = (0..60).map(|i| (f64::from(i) * 0.9).sin() + 50.0 * f64::from(u8::from(i == 7))).collect();
        let weights: Vec<f64> = (0..60).map(|i| f64::from(1 + i % 3)).collect();
        let copies: Vec<f64> = (0..60).flat_map(|i| vec![f[i]; 1 + i % 3]).collect();
        let weighted = loss(&f, &[0.0; 60], Some(weights)).0;
        assert!((weighted / loss(&copies, &vec![0.0; copies.len()], None).0 - 1.0).abs() < 1e-12);
    }
}

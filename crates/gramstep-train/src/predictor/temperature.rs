//! From the outputs of a regression on one-hot targets, or on labels, to logits.

use gramstep::Matrix;
use gramstep::loss::{LogisticLoss, Loss};
use gramstep::solve::golden_section;

use crate::data::Dataset;
use crate::outcome::metrics::log_sum_exp;

/// β of least negative log-likelihood of softmax(β·f) for outputs of rows that f has not seen: that is convex in β, so a
/// golden section over log β between 1e-3 and 1e3 finds it.
///
/// As in platt1999 every row counts a little for all classes alike, together as one row more: rows that are all told right
/// would make β infinite, and the first one that is not would be sure to be wrong.
pub(crate) fn inverse_temperature(unseen: &Matrix<f64>, rows: &Dataset<f64>) -> f64 {
    let y = &rows.targets;
    let total: f64 = (0..y.rows()).map(|i| rows.weight(i)).sum();
    let doubt = 1.0 / (total + 1.0);
    best(|beta| {
        (0..y.rows())
            .map(|i| {
                let scaled: Vec<f64> = unseen.row(i).iter().map(|f| beta * f).collect();
                let own: f64 = scaled.iter().zip(y.row(i)).map(|(f, y)| f * y).sum();
                let mean = scaled.iter().sum::<f64>() / scaled.len() as f64;
                rows.weight(i) * (log_sum_exp(&scaled) - (1.0 - doubt) * own - doubt * mean)
            })
            .sum()
    })
}

/// The same for labels of 0 and 1, of which outputs above 0 are for 1.
pub(crate) fn inverse_temperature_of_labels(unseen: &Matrix<f64>, rows: &Dataset<f64>) -> f64 {
    let y = &rows.targets;
    best(|beta| {
        let loss = |i: usize| {
            let scaled: Vec<f64> = unseen.row(i).iter().map(|f| beta * f).collect();
            rows.weight(i) * LogisticLoss.value(&scaled, y.row(i))
        };
        (0..y.rows()).map(loss).sum()
    })
}

/// The β of least loss between 1e-3 and 1e3.
fn best(loss: impl Fn(f64) -> f64) -> f64 {
    10_f64.powf(golden_section(|exponent: f64| loss(10_f64.powf(exponent)), -3.0, 3.0, 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_all_right_leave_as_much_doubt_as_one_row_more() {
        for n in [10, 1000] {
            let y = Matrix::from_fn(n, 2, |i, a| f64::from(u8::from(i % 2 == a)));
            let f = Matrix::from_fn(n, 2, |i, a| y[(i, a)] - 0.5);
            let beta = inverse_temperature(&f, &Dataset::new(f.clone(), y).unwrap());
            let wrong = 1.0 / (1.0 + beta.exp());
            assert!((wrong * 2.0 * (n + 1) as f64 - 1.0).abs() < 1e-3, "{n}: {beta}");
        }
    }

    #[test]
    fn a_share_of_wrong_rows_is_the_probability_of_the_other_class() {
        let y = Matrix::from_fn(1000, 2, |i, a| f64::from(u8::from(i % 2 == a)));
        let f = Matrix::from_fn(1000, 2, |i, a| if i < 200 { 0.5 - y[(i, a)] } else { y[(i, a)] - 0.5 });
        let beta = inverse_temperature(&f, &Dataset::new(f.clone(), y).unwrap());
        assert!((1.0 / (1.0 + beta.exp()) - 0.2).abs() < 1e-3, "{beta}");
    }
}

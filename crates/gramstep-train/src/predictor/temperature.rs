//! From the outputs of a regression on one-hot targets, or on labels, to logits.

use gramstep::Matrix;
use gramstep::loss::{LogisticLoss, Loss};
use gramstep::solve::golden_section;

use crate::data::Dataset;
use crate::outcome::metrics::log_sum_exp;

/// β of least negative log-likelihood of softmax(β·f) for outputs of rows that f has not seen: that is convex in β, so a
/// golden section over log β between 1e-3 and 1e3 finds it.
pub(crate) fn inverse_temperature(unseen: &Matrix<f64>, rows: &Dataset<f64>) -> f64 {
    let y = &rows.targets;
    let weight = |i: usize| rows.weights.as_ref().map_or(1.0, |weights| weights[i]);
    best(|beta| {
        (0..y.rows())
            .map(|i| {
                let scaled: Vec<f64> = unseen.row(i).iter().map(|f| beta * f).collect();
                let own: f64 = scaled.iter().zip(y.row(i)).map(|(f, y)| f * y).sum();
                weight(i) * (log_sum_exp(&scaled) - own)
            })
            .sum()
    })
}

/// The same for labels of 0 and 1, of which outputs above 0 are for 1.
pub(crate) fn inverse_temperature_of_labels(unseen: &Matrix<f64>, rows: &Dataset<f64>) -> f64 {
    let y = &rows.targets;
    let weight = |i: usize| rows.weights.as_ref().map_or(1.0, |weights| weights[i]);
    best(|beta| {
        let loss = |i: usize| {
            let scaled: Vec<f64> = unseen.row(i).iter().map(|f| beta * f).collect();
            weight(i) * LogisticLoss.value(&scaled, y.row(i))
        };
        (0..y.rows()).map(loss).sum()
    })
}

/// The β of least loss between 1e-3 and 1e3.
fn best(loss: impl Fn(f64) -> f64) -> f64 {
    10_f64.powf(golden_section(|exponent: f64| loss(10_f64.powf(exponent)), -3.0, 3.0, 60))
}

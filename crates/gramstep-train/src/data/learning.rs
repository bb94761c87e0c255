//! How a regression learns its targets: by which loss, and they themselves or their logarithms.

use super::{LossChoice, Standardisation, Transform, TransformChoice};
use crate::error::{Error, Result};

/// A target has a heavy tail if 1 % of the rows carry more than this share of the squared deviation: 0.08 for normal
/// numbers, 0.5 for lognormal ones (σ = 1).
pub(super) const HEAVY_TAIL: f64 = 1.0 / 3.0;

/// What a user asks for.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Learning {
    /// The loss; none for r², or the cross-entropy of classes.
    pub loss: Option<LossChoice>,
    /// What is learned of the targets.
    pub transform: Option<TransformChoice>,
}

impl Learning {
    /// What is learned of columns of finite numbers.
    ///
    /// # Errors
    /// When numbers do not fit loss or transform.
    pub(super) fn settle(
        &self,
        columns: &[String],
        values: &[Vec<f64>],
        weights: Option<&[f64]>,
    ) -> Result<(Standardisation, Transform, LossChoice)> {
        let loss = self.loss.clone().unwrap_or_default();
        let counts = loss == LossChoice::Poisson;
        let transform = match self.transform {
            Some(TransformChoice::Log) => Transform::Log,
            Some(TransformChoice::Auto) if !counts && values.iter().any(|column| gains(column, weights)) => {
                Transform::Log
            }
            _ => Transform::None,
        };
        let wrong = |column: usize, reason: String| Error::Target { column: columns[column].clone(), reason };
        if counts && transform == Transform::Log {
            let reason = "--loss poisson learns the logarithm of the mean: leave --target-transform out".to_owned();
            return Err(wrong(0, reason));
        }
        let mut standardisation = Standardisation::default();
        for (a, column) in values.iter().enumerate() {
            let least = column.iter().copied().fold(f64::INFINITY, f64::min);
            if let Some(reason) = refusal(transform, &loss, least) {
                return Err(wrong(a, reason));
            }
            let learned: Vec<f64> = column.iter().map(|&value| transform.apply(value)).collect();
            standardisation.push(&learned, weights);
            if counts {
                // In units of their mean, so that an output of 0 is the mean.
                let last = standardisation.mean.len() - 1;
                standardisation.scale[last] = standardisation.mean[last].max(f64::MIN_POSITIVE);
                standardisation.mean[last] = 0.0;
            }
        }
        Ok((standardisation, transform, loss))
    }

    /// The same for rows of which these are all targets, those that judge included: what is open is decided by all of them.
    pub(crate) fn of_all(&self, mut values: impl Iterator<Item = f64>) -> Self {
        let open = self.transform == Some(TransformChoice::Auto);
        let plain = open && values.any(|value| value <= 0.0);
        let transform = if plain { Some(TransformChoice::None) } else { self.transform };
        Self { transform, ..self.clone() }
    }

    /// That it is no setting of a classification.
    pub(crate) fn refused(&self, columns: &[String]) -> Error {
        let given = match (&self.loss, self.transform) {
            (Some(loss), _) => format!("--loss {loss}"),
            (None, transform) => format!("--target-transform {}", transform.unwrap_or(TransformChoice::None)),
        };
        let reason = format!("{given} is a setting of regressions, and these are classes");
        Error::Target { column: columns.join(", "), reason }
    }
}

/// Why a number cannot be learned; none where it can.
pub(super) fn refusal(transform: Transform, loss: &LossChoice, value: f64) -> Option<String> {
    let needs = |what: &str| Some(format!("{what}, and there is {value}"));
    if transform == Transform::Log && value <= 0.0 {
        return needs("--target-transform log needs numbers above 0");
    }
    if *loss == LossChoice::Poisson && value < 0.0 {
        return needs("--loss poisson needs numbers of at least 0");
    }
    None
}

/// Whether the logarithm of a column has a lighter tail where it has a heavy one.
fn gains(column: &[f64], weights: Option<&[f64]>) -> bool {
    let positive = column.iter().all(|&value| value > 0.0);
    let logarithms = || column.iter().map(|value| value.ln()).collect::<Vec<f64>>();
    let share = tail(column, weights);
    positive && share > HEAVY_TAIL && tail(&logarithms(), weights) < share
}

/// The share of the squared deviation that 1 % of the rows carry.
pub(super) fn tail(values: &[f64], weights: Option<&[f64]>) -> f64 {
    let mut fitted = Standardisation::default();
    fitted.push(values, weights);
    let weight = |at: usize| weights.map_or(1.0, |weights| weights[at]);
    let square = |(at, value): (usize, &f64)| weight(at) * (value - fitted.mean[0]).powi(2);
    let mut squares: Vec<f64> = values.iter().enumerate().map(square).collect();
    squares.sort_by(|a, b| b.total_cmp(a));
    squares[..values.len() / 100].iter().sum::<f64>() / squares.iter().sum::<f64>()
}

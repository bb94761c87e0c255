//! Weights of training rows, apart from their common scale.

use std::borrow::Cow;

use crate::error::{Result, check_positive};

/// W = w̄·Ŵ, where the diagonal Ŵ has the mean 1.
#[derive(Clone, Debug)]
pub(super) struct RowWeights {
    /// w̄.
    mean: f64,
    /// √ŵ of every row; none where all are 1.
    roots: Option<Vec<f64>>,
}

impl RowWeights {
    /// Every row counts 1.
    pub(super) fn equal() -> Self {
        Self { mean: 1.0, roots: None }
    }

    /// Rows that count w > 0 each.
    pub(super) fn new(weights: &[f64]) -> Result<Self> {
        weights.iter().try_for_each(|&weight| check_positive("sample weight", weight))?;
        let mean: f64 = weights.iter().map(|weight| weight / weights.len() as f64).sum();
        let all_alike = weights.iter().all(|weight| *weight == weights[0]);
        let roots = (!all_alike).then(|| weights.iter().map(|weight| (weight / mean).sqrt()).collect());
        Ok(Self { mean: if all_alike { weights.first().copied().unwrap_or(1.0) } else { mean }, roots })
    }

    /// w̄.
    pub(super) fn mean(&self) -> f64 {
        self.mean
    }

    /// √ŵ of a row.
    pub(super) fn root(&self, row: usize) -> f64 {
        self.roots.as_ref().map_or(1.0, |roots| roots[row])
    }

    /// Numbers of all rows, each times its √ŵ.
    pub(super) fn weigh<'a>(&self, values: &'a [f64]) -> Cow<'a, [f64]> {
        match &self.roots {
            None => Cow::Borrowed(values),
            Some(roots) => Cow::Owned(values.iter().zip(roots).map(|(value, root)| value * root).collect()),
        }
    }

    /// log|Ŵ|.
    pub(super) fn log_determinant(&self) -> f64 {
        self.roots.iter().flatten().map(|root| 2.0 * root.ln()).sum()
    }
}

//! Targets between what a network says and their own units.

use gramstep::Matrix;

use super::{LossChoice, Targets, Transform};

impl Targets {
    /// Writes a number of target `a` where a network is to say it: to all levels of a quantile.
    pub(crate) fn place(&self, a: usize, value: f64, out: &mut [f64]) {
        if let Self::Regression { standardisation, transform, loss, .. } = self {
            let learned = (transform.apply(value) - standardisation.mean[a]) / standardisation.scale[a];
            out[a * loss.outputs()..(a + 1) * loss.outputs()].fill(learned);
        }
    }

    /// A standardised target `a` in its own units.
    pub(crate) fn own(&self, a: usize, learned: f64) -> f64 {
        match self {
            Self::Regression { standardisation, transform, .. } => {
                transform.invert(learned.mul_add(standardisation.scale[a], standardisation.mean[a]))
            }
            Self::Classification { .. } | Self::MultiLabel { .. } => learned,
        }
    }

    /// A deviation in the target's own units about a prediction f, of one of what is learned: f·σ of logarithms.
    pub(crate) fn own_deviation(&self, f: f64, learned: f64) -> f64 {
        if self.is_logarithm() { f * learned } else { learned }
    }

    /// The ends of an interval about a prediction f, of its half width in what is learned and of another one in the
    /// target's own units: e^±h·f of logarithms.
    pub(crate) fn interval(&self, f: f64, learned: f64, own: f64) -> [f64; 2] {
        if self.is_logarithm() {
            let half = learned.hypot(own / f).exp();
            return [f / half, f * half];
        }
        let half = learned.hypot(own);
        [f - half, f + half]
    }

    /// A value in the target's own units, moved so far: e^(shift/f)·f of logarithms, as in [`interval`](Self::interval).
    pub(crate) fn shifted(&self, f: f64, shift: f64) -> f64 {
        if self.is_logarithm() { f * (shift / f).exp() } else { f + shift }
    }

    /// Whether logarithms are learned.
    pub(crate) fn is_logarithm(&self) -> bool {
        matches!(self, Self::Regression { transform: Transform::Log, .. })
    }

    /// What expected outputs stand for: a number of each target in its own units, or the one-hot class of each target.
    pub(crate) fn truth(&self, expected: &Matrix<f64>) -> Matrix<f64> {
        match self {
            Self::Regression { columns, loss, .. } => {
                Matrix::from_fn(expected.rows(), columns.len(), |i, a| self.own(a, expected[(i, a * loss.outputs())]))
            }
            Self::Classification { .. } => expected.clone(),
            Self::MultiLabel { .. } => in_pairs(expected, |y| [1.0 - y, y]),
        }
    }

    /// Names of the columns of predictions: of every target, or of every level of its quantiles; of the class of every
    /// target and the probabilities of all classes.
    pub(crate) fn predicted_names(&self) -> Vec<String> {
        match self {
            Self::Regression { columns, loss, .. } => {
                let levels: Vec<String> = match loss.levels() {
                    [] => vec![String::new()],
                    levels => levels.iter().map(|level| format!("_{level}")).collect(),
                };
                let pairs = columns.iter().flat_map(|name| levels.iter().map(move |level| (name, level)));
                pairs.map(|(name, level)| format!("predicted_{name}{level}")).collect()
            }
            Self::Classification { column, classes, .. } => std::iter::once(format!("predicted_{column}"))
                .chain(classes.iter().map(|class| format!("probability_{class}")))
                .collect(),
            Self::MultiLabel { columns, classes, .. } => {
                let both =
                    columns.iter().zip(classes).flat_map(|(name, two)| two.iter().map(move |value| (name, value)));
                (columns.iter().map(|name| format!("predicted_{name}")))
                    .chain(both.map(|(name, value)| format!("probability_{name}_{value}")))
                    .collect()
            }
        }
    }

    /// Outputs of a network in the targets' own units, in place: of quantiles in ascending order, so that none crosses
    /// another (chernozhukov2010).
    pub(crate) fn own_outputs(&self, outputs: &mut [f64]) {
        let Self::Regression { loss, .. } = self else { return };
        let counts = *loss == LossChoice::Poisson;
        for (a, levels) in outputs.chunks_mut(loss.outputs()).enumerate() {
            levels.sort_by(f64::total_cmp);
            for level in levels {
                *level = self.own(a, if counts { level.exp() } else { *level });
            }
        }
    }
}

/// A column for each value of every label.
pub(crate) fn in_pairs(values: &Matrix<f64>, of: impl Fn(f64) -> [f64; 2]) -> Matrix<f64> {
    Matrix::from_fn(values.rows(), 2 * values.columns(), |i, j| of(values[(i, j / 2)])[j % 2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Learning;
    use crate::error::Result;

    fn learning(loss: &str, transform: &str) -> Learning {
        let loss = Some(loss.parse().unwrap());
        Learning { loss, transform: Some(transform.parse().unwrap()) }
    }

    fn fit(learning: &Learning, values: &[f64]) -> Result<Targets> {
        Targets::regression(vec!["y".to_owned()], &[values.to_vec()], None, learning)
    }

    #[test]
    fn outputs_come_back_as_the_targets_that_they_were() {
        let values = [1.0, 4.0, 2.0, 9.0, 3.0];
        for (loss, transform) in [("squared", "none"), ("absolute", "log"), ("quantile:0.1,0.9", "log")] {
            let targets = fit(&learning(loss, transform), &values).unwrap();
            let mut row = vec![0.0; targets.outputs()];
            for value in values {
                targets.place(0, value, &mut row);
                targets.own_outputs(&mut row);
                assert!(row.iter().all(|own| (own - value).abs() < 1e-12), "{loss} {transform}: {row:?} {value}");
            }
        }
        let counts = fit(&learning("poisson", "none"), &values).unwrap();
        let mut mean = [0.0];
        counts.own_outputs(&mut mean);
        assert!((mean[0] - 3.8).abs() < 1e-12);
    }

    #[test]
    fn quantiles_do_not_cross() {
        let targets = fit(&learning("quantile:0.1,0.5,0.9", "none"), &[0.0, 1.0]).unwrap();
        let mut row = [0.3, -1.0, 0.1];
        targets.own_outputs(&mut row);
        assert!(row[0] <= row[1] && row[1] <= row[2]);
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused_and_auto_takes_the_logarithm_of_heavy_tails_alone() {
        assert!(fit(&learning("squared", "log"), &[1.0, 0.0]).unwrap_err().to_string().contains("above 0"));
        assert!(fit(&learning("poisson", "none"), &[1.0, -2.0]).unwrap_err().to_string().contains("at least 0"));
        assert!(fit(&learning("poisson", "log"), &[1.0, 2.0]).is_err());
        let normal = |i: i32| 3.0 * ((f64::from(i) + 0.5) / 500.0 - 1.0);
        let heavy: Vec<f64> = (0..1000).map(|i| (6.0 * normal(i)).exp()).collect();
        let light: Vec<f64> = (0..1000).map(|i| normal(i) + 4.0).collect();
        let transform = |values: &[f64]| match fit(&learning("squared", "auto"), values).unwrap() {
            Targets::Regression { transform, .. } => transform,
            Targets::Classification { .. } | Targets::MultiLabel { .. } => Transform::None,
        };
        assert_eq!([transform(&heavy), transform(&light)], [Transform::Log, Transform::None]);
        let below: Vec<f64> = heavy.iter().map(|value| value - 0.5).collect();
        assert_eq!(transform(&below), Transform::None, "no logarithm of what is below 0");
    }
}

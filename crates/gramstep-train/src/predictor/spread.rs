//! How far predictions are off, and where: σ(x) from the errors on rows that a model has not seen, and intervals that
//! hold a new value with a given probability.
//!
//! ```text
//! √σ(x) = m + Matérn regression of √|e| − m on x         m the mean of √|e|
//! interval   f(x) ± q·σ(x), q the ⌈(n + 1)·level⌉-th smallest of sᵢ = |eᵢ|/σ₋ᵢ(xᵢ)      (vovk2005)
//! deviation  σ(x)·√(mean of sᵢ²)
//! ```
//!
//! Roots keep a few wild errors from deciding, and on sets whose noise differs fourfold from half to half they held the
//! level in both halves where logarithms and posteriors did not.

use gramstep::Matrix;
use gramstep::kernel::{ScaleOptions, ScaledKind, ScaledRegression, fit_scales};
use gramstep::random::Purpose;

use super::conformal::{by_weight, quantile};
use crate::data::permutation::{choice, permutation};
use crate::error::Result;
use crate::outcome::{HeldOut, by_number, weighted_mean};

/// Rows × targets of the regression, at most.
const MOST: usize = 1000;
/// Numbers of its inputs, at most: 32 MB.
const NUMBERS: usize = 1 << 22;
/// With fewer rows σ is a constant: one that depends on x fits chance. On 40 rows intervals of 0.9 held 0.07 less, on 100
/// rows 0.03.
const FEWEST: usize = 250;
/// So it is with fewer rows a column: a scale for every pixel of an image says nothing, and took longer than a training.
const FEWEST_PER_COLUMN: usize = 2;
/// κ of the regression, at least: single errors say little.
const LEAST_RIDGE: f64 = 0.05;
/// √σ(x) is at least this share of its mean.
const LEAST: f64 = 0.2;

/// The size of errors over the inputs.
#[derive(Debug)]
pub struct Spread {
    /// Mean of √|e| of every target.
    pub(super) mean: Vec<f64>,
    /// Of √|e| less its mean; none where the rows are few.
    pub(super) regression: Option<ScaledRegression>,
    /// |e|/σ of every target, ascending.
    pub(super) scores: Vec<Vec<f64>>,
    /// Root mean squares of the scores: the standard deviation in units of σ.
    factors: Vec<f64>,
}

impl Spread {
    /// From predictions of rows that the model has not seen, in standardised units; none where there are none.
    pub(crate) fn fit(unseen: &HeldOut<f64>, seed: u64, threads: usize) -> Result<Option<Self>> {
        let (y, f) = (&unseen.rows.targets, &unseen.outputs);
        let (n, k) = (y.rows(), y.columns());
        if n == 0 || f.columns() != k {
            return Ok(None);
        }
        let roots = Matrix::from_fn(n, k, |i, a| (y[(i, a)] - f[(i, a)]).abs().sqrt());
        let weights = unseen.rows.weights.as_deref();
        let mean: Vec<f64> = (0..k).map(|a| weighted_mean(n, weights, |i| roots[(i, a)])).collect();
        let most = (MOST / k).max(FEWEST).min(NUMBERS / unseen.rows.inputs.columns().max(1)).max(2);
        let places = match &unseen.sets {
            None => choice(n, most, seed, Purpose::Split, 3),
            Some(sets) => whole_sets(sets, most, seed),
        };
        let mut spread = Self { mean, regression: None, scores: Vec::new(), factors: Vec::new() };
        let mut scales = Matrix::from_fn(n, k, |_, a| spread.mean[a].powi(2));
        if places.len() >= FEWEST.max(FEWEST_PER_COLUMN * unseen.rows.inputs.columns()) {
            let x = unseen.rows.inputs.select_rows(&places).into_matrix();
            let off = Matrix::from_fn(places.len(), k, |i, a| roots[(places[i], a)] - spread.mean[a]);
            let mut options = ScaleOptions::default();
            (options.threads, options.seed) = (threads, seed);
            let own: Option<Vec<f64>> = weights.map(|weights| places.iter().map(|&place| weights[place]).collect());
            let fit = fit_scales(ScaledKind::Matern52, &x, &off, own.as_deref(), &options, &|| false)?;
            let ridge = fit.ridge.max(LEAST_RIDGE);
            let regression = ScaledRegression::fit(fit.kernel, ridge, x, &off, own.as_deref(), threads)?;
            let sets = unseen.sets.as_ref().map(|sets| places.iter().map(|&place| sets[place]).collect());
            let others = by_others(&regression, &off, sets)?;
            spread.regression = Some(regression);
            scales = spread.scale(&unseen.rows.inputs)?;
            for (at, &place) in places.iter().enumerate() {
                for a in 0..k {
                    scales[(place, a)] = spread.square(a, others[(at, a)]);
                }
            }
        }
        let tiny = f64::MIN_POSITIVE;
        let of = |a: usize| {
            let scores: Vec<f64> = (0..n).map(|i| (y[(i, a)] - f[(i, a)]).abs() / scales[(i, a)].max(tiny)).collect();
            by_weight(scores, weights)
        };
        let Self { mean, regression, .. } = spread;
        Ok(Some(Self::assemble(mean, regression, (0..k).map(of).collect())))
    }

    /// Of its parts: means, regression and ascending scores of every target.
    pub(super) fn assemble(mean: Vec<f64>, regression: Option<ScaledRegression>, scores: Vec<Vec<f64>>) -> Self {
        let root_mean_square = |scores: &Vec<f64>| {
            (scores.iter().map(|score| score * score).sum::<f64>() / scores.len().max(1) as f64).sqrt()
        };
        let factors = scores.iter().map(root_mean_square).collect();
        Self { mean, regression, scores, factors }
    }

    /// σ from √|e| less its mean.
    fn square(&self, target: usize, root: f64) -> f64 {
        let mean = self.mean[target];
        (mean + root).max(LEAST * mean).powi(2)
    }

    /// σ(x) of every target in standardised units, m×targets; x preprocessed.
    ///
    /// # Errors
    /// If x has another number of columns.
    pub fn scale(&self, x: &Matrix<f64>) -> Result<Matrix<f64>> {
        let roots = self.regression.as_ref().map(|regression| regression.predict(x)).transpose()?;
        let root = |i: usize, a: usize| roots.as_ref().map_or(0.0, |roots| roots[(i, a)]);
        Ok(Matrix::from_fn(x.rows(), self.mean.len(), |i, a| self.square(a, root(i, a))))
    }

    /// The standard deviation of a new observation, m×targets.
    ///
    /// # Errors
    /// Those of [`scale`](Self::scale).
    pub fn deviation(&self, x: &Matrix<f64>) -> Result<Matrix<f64>> {
        let mut scale = self.scale(x)?;
        for i in 0..scale.rows() {
            scale.row_mut(i).iter_mut().zip(&self.factors).for_each(|(scale, factor)| *scale *= factor);
        }
        Ok(scale)
    }

    /// q: the half width, in σ(x), of the interval that holds a new value with this probability.
    #[must_use]
    pub fn half_width(&self, target: usize, level: f64) -> f64 {
        quantile(&self.scores[target], level, self.factors[target])
    }

    /// |e| over the standard deviation, ascending.
    pub(super) fn relative_scores(&self) -> Vec<Vec<f64>> {
        let of = |(scores, factor): (&Vec<f64>, &f64)| {
            scores.iter().map(|score| score / factor.max(f64::MIN_POSITIVE)).collect()
        };
        self.scores.iter().zip(&self.factors).map(of).collect()
    }
}

/// The rows of sets in a seeded order, as many sets as have no more rows than these; the rows of the first one are taken as
/// far as they go. A set is seen as a whole or not at all.
fn whole_sets(sets: &[usize], most: usize, seed: u64) -> Vec<usize> {
    let all = by_number(&(0..sets.len()).collect::<Vec<_>>(), sets);
    let mut chosen: Vec<usize> = Vec::new();
    for set in permutation(all.len(), seed, Purpose::Split, 3) {
        if chosen.is_empty() || chosen.len() + all[set].len() <= most {
            chosen.extend(&all[set][..all[set].len().min(most)]);
        }
    }
    chosen.sort_unstable();
    chosen
}

/// What the regression says of each of its rows without this row, or without any of its set.
fn by_others(regression: &ScaledRegression, y: &Matrix<f64>, sets: Option<Vec<usize>>) -> Result<Matrix<f64>> {
    let (n, k) = (y.rows(), y.columns());
    let Some(sets) = sets else {
        let off = regression.leave_one_out()?;
        return Ok(Matrix::from_fn(n, k, |i, a| y[(i, a)] + off[(i, a)]));
    };
    let sets = by_number(&(0..n).collect::<Vec<_>>(), &sets);
    let mut values = Matrix::zeros(n, k);
    for (set, of_set) in sets.iter().zip(regression.leave_out(&sets)?) {
        set.iter().enumerate().for_each(|(at, &i)| values.row_mut(i).copy_from_slice(of_set.row(at)));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Dataset;
    use gramstep::random::stream;
    use rand::RngExt as _;

    /// Rows that were not seen: noise four times as large where the first column is above 0.
    fn unseen(rows: usize, columns: usize) -> HeldOut<f64> {
        let mut generator = stream(7, Purpose::Split, 0, 0);
        let x = Matrix::from_fn(rows, columns, |_, _| generator.random_range(-1.0..1.0));
        let mut noise = |x: f64| generator.random_range(-1.0..1.0) * if x > 0.0 { 4.0 } else { 1.0 };
        let targets = Matrix::from_fn(rows, 1, |i, _| noise(x[(i, 0)]));
        HeldOut {
            outputs: Matrix::from_fn(rows, 1, |_, _| 0.0),
            rows: Dataset { inputs: x.into(), targets, weights: None },
            fold_of: vec![0; rows],
            places: (0..rows).collect(),
            sets: None,
        }
    }

    #[test]
    fn a_set_is_told_without_any_of_its_rows() {
        let mut rows = unseen(300, 2);
        let sets: Vec<usize> = (0..300).map(|i| i / 10).collect();
        let x = Matrix::from_fn(300, 2, |i, j| (sets[i] as f64 * 0.61 * (j + 1) as f64).sin());
        rows.rows.inputs = x.clone().into();
        // The size of the errors is that of the set, and says nothing of others.
        let size = |set: usize| if (set * 7).is_multiple_of(3) { 4.0 } else { 0.5 };
        rows.rows.targets = Matrix::from_fn(300, 1, |i, _| size(sets[i]) * (1.0 + 0.1 * (i % 2) as f64));
        let scores = |rows: &HeldOut<f64>| Spread::fit(rows, 0, 1).unwrap().unwrap().half_width(0, 0.9);
        let alone = scores(&rows);
        rows.sets = Some(sets);
        let together = scores(&rows);
        assert!(together > 1.5 * alone, "{together} {alone}");
    }

    #[test]
    fn sets_are_chosen_as_a_whole() {
        let sets: Vec<usize> = (0..100).map(|i| i / 7).collect();
        for seed in 0..5 {
            let chosen = whole_sets(&sets, 40, seed);
            assert!(chosen.is_sorted() && (34..=40).contains(&chosen.len()), "{}", chosen.len());
            let rows = |of: &[usize], set| of.iter().filter(|&&row| sets[row] == set).count();
            let all: Vec<usize> = (0..100).collect();
            assert!((0..15).all(|set| [0, rows(&all, set)].contains(&rows(&chosen, set))));
        }
        assert_eq!(whole_sets(&[0; 50], 40, 0), (0..40).collect::<Vec<_>>());
    }

    /// Rows that count four times are as four rows.
    #[test]
    fn errors_count_by_the_weights_of_their_rows() {
        let mut rows = unseen(200, 1);
        rows.rows.targets = Matrix::from_fn(200, 1, |i, _| if i % 2 == 0 { 1.0 } else { 3.0 + i as f64 / 1e3 });
        let width = |rows: &HeldOut<f64>| {
            let spread = Spread::fit(rows, 0, 1).unwrap().unwrap();
            spread.half_width(0, 0.75) * spread.mean[0].powi(2)
        };
        assert!(width(&rows) > 2.9);
        rows.rows.weights = Some((0..200).map(|i| if i % 2 == 0 { 1.6 } else { 0.4 }).collect());
        assert!((width(&rows) - 1.0).abs() < 1e-9, "{}", width(&rows));
    }

    #[test]
    fn errors_depend_on_the_inputs_where_each_column_has_two_rows() {
        for (rows, columns, depends) in [(249, 2, false), (250, 2, true), (250, 125, true), (250, 126, false)] {
            let rows = unseen(rows, columns);
            let spread = Spread::fit(&rows, 0, 1).unwrap().unwrap();
            assert_eq!(spread.regression.is_some(), depends, "{columns} columns");
            let scale = spread.scale(&rows.rows.inputs.clone().into_matrix()).unwrap();
            let constant = (1..scale.rows()).all(|i| scale[(i, 0)] == scale[(0, 0)]);
            assert!(depends || constant);
            // The scores of all rows hold the level either way.
            let held = (0..scale.rows())
                .filter(|&i| rows.rows.targets[(i, 0)].abs() <= spread.half_width(0, 0.9) * scale[(i, 0)])
                .count();
            assert!(held as f64 >= 0.85 * scale.rows() as f64, "{held} of {}", scale.rows());
        }
    }
}

//! What a network says of the rows that end its training, as if it had been kept without their say.
//!
//! The epoch that is kept is the best one for these rows, so their loss at it is too low: the more so, the fewer they are.
//! They are dealt out to [`PARTS`] parts, and a part is told by the epoch at which all others had their lowest loss.

use gramstep::{Matrix, Scalar};
use serde::{Deserialize, Serialize};

use crate::data::{Dataset, Targets};
use crate::error::Result;
use crate::outcome::deciding::deciding_loss;

/// Each part is judged by four fifths of the rows.
const PARTS: usize = 5;

/// The rows of one training, in parts.
pub(super) struct Parted<'a> {
    targets: &'a Targets,
    parts: Vec<PartOfRows>,
}

struct PartOfRows {
    own: Vec<usize>,
    others: Vec<usize>,
    /// Targets and weights of the others.
    deciding: Dataset<f64>,
}

/// What is told of them so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Unseen {
    /// The lowest loss of all rows but those of each part; none before there is one.
    lowest: Vec<Option<f64>>,
    /// A row for every row.
    outputs: Vec<f64>,
}

impl<'a> Parted<'a> {
    /// None of fewer rows than two, which have no others.
    pub(super) fn of<T: Scalar>(rows: &Dataset<T>, targets: &'a Targets) -> Result<Option<Self>> {
        let n = rows.rows();
        if n < 2 {
            return Ok(None);
        }
        let bare = Dataset::new(Matrix::<f64>::zeros(n, 0), rows.targets.cast())?.with_weights(rows.weights.clone())?;
        let count = PARTS.min(n);
        let part = |number: usize| {
            let (own, others): (Vec<usize>, Vec<usize>) = (0..n).partition(|i| i % count == number);
            PartOfRows { deciding: bare.select(&others), own, others }
        };
        Ok(Some(Self { targets, parts: (0..count).map(part).collect() }))
    }
}

impl Unseen {
    /// Before the first epoch.
    pub(super) fn before(parted: &Parted<'_>) -> Self {
        Self { lowest: vec![None; parted.parts.len()], outputs: Vec::new() }
    }

    /// Looks at an epoch: `judged` are the outputs by which it is judged (under attack, if there is one), `plain` those
    /// that are told.
    pub(super) fn look(&mut self, parted: &Parted<'_>, judged: &Matrix<f64>, plain: &Matrix<f64>) {
        let k = plain.columns();
        self.outputs.resize(plain.rows() * k, 0.0);
        for (part, lowest) in parted.parts.iter().zip(&mut self.lowest) {
            let loss = deciding_loss(&judged.select_rows(&part.others), &part.deciding, parted.targets);
            if loss.is_finite() && lowest.is_none_or(|lowest| loss < lowest) {
                *lowest = Some(loss);
                for &row in &part.own {
                    self.outputs[row * k..(row + 1) * k].copy_from_slice(plain.row(row));
                }
            }
        }
    }

    /// What is told of every row; none if no epoch could be judged.
    pub(super) fn outputs(self, columns: usize) -> Option<Matrix<f64>> {
        let told = self.lowest.iter().all(Option::is_some);
        let rows = self.outputs.len() / columns.max(1);
        Matrix::from_vec(rows, columns, self.outputs).ok().filter(|_| told)
    }
}

#[cfg(test)]
mod tests {
    use gramstep::random::{Purpose, stream};
    use rand::RngExt as _;

    use super::*;
    use crate::data::Standardisation;
    use crate::outcome::metrics::loss_of_outputs;

    fn regression() -> Targets {
        let (transform, loss) = Default::default();
        let standardisation = Standardisation::fit([&[0.0, 1.0][..]]);
        Targets::Regression { columns: vec!["y".to_owned()], standardisation, transform, loss }
    }

    fn rows(y: &[f64]) -> Dataset<f64> {
        Dataset::new(Matrix::zeros(y.len(), 1), Matrix::from_vec(y.len(), 1, y.to_vec()).unwrap()).unwrap()
    }

    fn told(epochs: &[Matrix<f64>], y: &[f64]) -> Matrix<f64> {
        let targets = regression();
        let parted = Parted::of(&rows(y), &targets).unwrap().expect("parts");
        let mut unseen = Unseen::before(&parted);
        for outputs in epochs {
            unseen.look(&parted, outputs, outputs);
        }
        unseen.outputs(1).expect("an epoch")
    }

    /// Epochs that differ by chance alone.
    fn epochs(n: usize, seed: u64) -> (Vec<Matrix<f64>>, Vec<f64>) {
        let mut generator = stream(seed, Purpose::Data, 0, 0);
        let mut draw = || generator.random_range(-1.0..1.0);
        let epochs = (0..30).map(|_| Matrix::from_fn(n, 1, |_, _| draw())).collect();
        (epochs, (0..n).map(|_| draw()).collect())
    }

    #[test]
    fn what_is_told_of_a_row_does_not_depend_on_its_target() {
        let (epochs, y) = epochs(17, 1);
        let before = told(&epochs, &y);
        let (mut moved, mut own) = (0, 0);
        for i in 0..y.len() {
            let mut other = y.clone();
            other[i] += 3.0;
            let after = told(&epochs, &other);
            assert_eq!(after.row(i), before.row(i), "row {i}");
            moved += (0..y.len()).filter(|&j| after.row(j) != before.row(j)).count();
            own += 1;
        }
        assert!(moved > own, "other rows follow it: {moved}");
    }

    #[test]
    fn chance_gains_nothing_and_the_best_epoch_does() {
        let targets = regression();
        let (mut of_best, mut of_told, mut of_all) = (0.0, 0.0, 0.0);
        for seed in 0..400 {
            let (epochs, y) = epochs(20, seed);
            let rows = rows(&y);
            let losses: Vec<f64> = epochs.iter().map(|f| loss_of_outputs(f, &rows, &targets)).collect();
            of_best += losses.iter().copied().fold(f64::INFINITY, f64::min);
            of_all += losses.iter().sum::<f64>() / losses.len() as f64;
            of_told += loss_of_outputs(&told(&epochs, &y), &rows, &targets);
        }
        assert!(of_best < 0.75 * of_all, "{of_best} {of_all}");
        assert!((of_told / of_all - 1.0).abs() < 0.05, "{of_told} {of_all}");
    }

    #[test]
    fn where_one_epoch_is_best_for_all_rows_it_is_told_whole() {
        let y: Vec<f64> = (0..11).map(f64::from).collect();
        let epochs = [3.0, 1.0, 0.5, 2.0].map(|off| Matrix::from_fn(11, 1, |i, _| y[i] + off));
        assert_eq!(told(&epochs, &y), epochs[2]);
        let lost = [epochs[1].clone(), Matrix::from_fn(11, 1, |_, _| f64::NAN)];
        assert_eq!(told(&lost, &y), epochs[1], "numbers that are none are no epoch");
    }
}

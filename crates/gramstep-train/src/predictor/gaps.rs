//! How far a prediction is open where a value is missing that no training row lacks.
//!
//! The gap is filled with the values of rows that the predictor remembers, all gaps of a row from the same one. What the
//! predictions spread around that of the row with medians is a variance of its own beside that of the error bars:
//!
//! ```text
//! Var_gap f(x) = mean over remembered rows r of (f(x with the gaps filled by r) − f(x))²
//! deviation      √(σ² + Var_gap)
//! interval       f(x) ± √(q²σ² + z² Var_gap),   q as without a gap, z of a normal distribution
//! ```

use gramstep::{Matrix, MatrixView, Scalar};

use super::{Learned, Predictor};
use crate::data::{RowGaps, Table};
use crate::error::Result;
use crate::outcome::metrics::in_own_units;

/// Remembered rows that fill a gap.
const DONORS: usize = 64;

impl Predictor {
    /// The deviation that unforeseen gaps leave open in each row of a table (0 without a gap) and each target, in its own
    /// units; `x` are the inputs of the rows.
    pub(super) fn open_by_gaps(&self, table: &Table, x: &Matrix<f64>) -> Result<Matrix<f64>> {
        let gaps = self.preprocessing().inputs.unforeseen_gaps(table);
        self.open_rows(x.rows(), gaps, |row| Ok(x.row(row).to_vec()))
    }

    /// The same for the rows of an array.
    pub(super) fn open_by_gaps_of_array<T: Scalar>(&self, x: MatrixView<'_, T>) -> Result<Matrix<f64>> {
        let gaps = self.preprocessing().inputs.unforeseen_gaps_of_array(x);
        self.open_rows(x.rows(), gaps, |row| Ok(self.inputs(x.row_range(row..row + 1))?.into_f64().into_vec()))
    }

    /// The same for rows whose inputs are told by their numbers.
    fn open_rows(
        &self,
        rows: usize,
        gaps: Vec<RowGaps>,
        inputs: impl Fn(usize) -> Result<Vec<f64>>,
    ) -> Result<Matrix<f64>> {
        let mut deviation = Matrix::zeros(rows, self.preprocessing().targets.outputs());
        let Some(donors) = self.donors().filter(|_| !gaps.is_empty()) else { return Ok(deviation) };
        let step = (donors.rows() as f64 / DONORS as f64).max(1.0);
        #[allow(clippy::cast_sign_loss)] // a row
        let chosen: Vec<usize> = (0..donors.rows().min(DONORS)).map(|i| (i as f64 * step) as usize).collect();
        for (row, places) in gaps {
            // The row as it is, then filled by each donor.
            let own = inputs(row)?;
            let mut filled = Matrix::from_fn(chosen.len() + 1, own.len(), |_, j| own[j]);
            for (i, &donor) in chosen.iter().enumerate() {
                for j in places.iter().cloned().flatten() {
                    filled[(i + 1, j)] = donors[(donor, j)];
                }
            }
            let mut outputs = self.learned().outputs(&filled)?;
            in_own_units(&mut outputs, &self.preprocessing().targets);
            for a in 0..deviation.columns() {
                let square = |i: usize| (outputs[(i + 1, a)] - outputs[(0, a)]).powi(2);
                let open = (0..chosen.len()).map(square).sum::<f64>() / chosen.len().max(1) as f64;
                deviation[(row, a)] = open.sqrt();
            }
        }
        Ok(deviation)
    }

    /// Inputs of the rows that it remembers.
    fn donors(&self) -> Option<&Matrix<f64>> {
        match self.learned() {
            Learned::Kernel(kernel) => Some(&*kernel.train().inputs),
            Learned::Combination(combination) => Some(&*combination.train.inputs),
            Learned::F32(_) | Learned::F64(_) => self.known().map(|known| &*known.rows.inputs),
        }
        .filter(|donors| donors.rows() > 0)
    }
}

#[cfg(test)]
mod tests {
    use gramstep::kernel::Ridge;
    use gramstep::{Device, Matrix};

    use crate::data::{DataOptions, Format, Problem, ReadOptions, Table, table_of};
    use crate::predictor::{ErrorBars, KernelModel, Learned, Predictor};

    /// y = 3 a + b over a ∈ {−1, 1} and b, learned by a kernel.
    fn predictor() -> Predictor {
        let row = |i: usize| {
            let (a, b) = ([-1.0, 1.0][i % 2], (i as f64 * 0.37).sin());
            format!("{a},{b},{}\n", 3.0 * a + b)
        };
        let text = format!("a,b,y\n{}", (0..60).map(row).collect::<String>());
        let problem = Problem::of_table(&table_of(&text), &DataOptions::of("csv:t".parse().unwrap())).unwrap();
        let kernel = "ntk:depth=1:relu".parse().unwrap();
        let (rows, task) = (problem.train.clone(), problem.preprocessing.targets.task());
        let kernel = KernelModel::fit(rows, task, kernel, Ridge::LeaveOneOut, &Device::cpu(1)).unwrap();
        let learned = Learned::Kernel(std::sync::Arc::new(kernel));
        Predictor::new(learned, ("ntk:depth=1:relu".to_owned(), None), &problem.preprocessing, &problem.hash, None)
    }

    #[test]
    fn a_gap_that_training_rows_do_not_have_widens_the_bars_by_what_the_column_moves() {
        let predictor = predictor();
        let bars = |text: &str| {
            let options = predictor.preprocessing().read_options(&ReadOptions::default());
            let table = Table::parse_with("new", text.as_bytes(), Format::Csv, &options).unwrap();
            let bars = ErrorBars { deviation: true, interval: Some(0.9), ..ErrorBars::default() };
            let predictions = predictor.predict_with(&table, bars).unwrap();
            (predictions.values.row(0).to_vec(), predictions.notes)
        };
        let (whole, notes) = bars("a,b\n1,0.5\n");
        assert!(whole[1] < 0.5 && notes.is_empty(), "{whole:?} {notes:?}");
        let (open, notes) = bars("a,b\n,0.5\n");
        // From the middle of a to either side it is 3.
        assert!((2.0..4.5).contains(&open[1]), "{open:?}");
        assert!(open[3] - open[2] > 5.0 && notes.iter().any(|note| note.contains("1 row lacks a value")), "{notes:?}");
        let (same, _) = bars("a,b\n-1,\n");
        assert!((0.4..1.5).contains(&same[1]), "b moves y less: {same:?}");
        // An array says what a table does.
        let x = Matrix::from_vec(3, 2, vec![1.0, 0.5, f64::NAN, 0.5, -1.0, f64::NAN]).unwrap();
        let (deviation, ends) = (predictor.deviation_array(x.view()).unwrap(), predictor.interval_array(x.view(), 0.9));
        let ends = ends.unwrap();
        for (i, bars) in [whole, open, same].iter().enumerate() {
            let found = [deviation[(i, 0)], ends[(i, 0)], ends[(i, 1)]];
            found
                .iter()
                .zip(&bars[1..])
                .for_each(|(a, b)| assert!((a - b).abs() < 1e-9, "row {i}: {found:?} {bars:?}"));
        }
    }
}

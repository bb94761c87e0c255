//! How much the errors of a class count.

use std::fmt;
use std::str::FromStr;

use gramstep::Scalar;
use serde::{Deserialize, Serialize};

use super::{Dataset, Problem, Targets};
use crate::error::{Error, Result, conflict, out_of_range};
use crate::format::words::as_text;

/// Factors on the weights of rows by their class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum ClassWeights {
    /// All classes together count alike: w/(k·w_c), w the weight of all training rows, w_c that of a class.
    Balanced,
    /// A factor for each class that is named; 1 for the others.
    Given(Vec<(String, f64)>),
}

impl FromStr for ClassWeights {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "balanced" {
            return Ok(Self::Balanced);
        }
        let read = |part: &str| {
            let (class, factor) = part.rsplit_once('=')?;
            let factor = factor.trim().parse::<f64>().ok()?;
            (factor > 0.0 && factor.is_finite() && !class.is_empty()).then(|| (class.to_owned(), factor))
        };
        let range = "balanced, or CLASS=FACTOR,.. with factors above 0";
        text.split(',')
            .map(read)
            .collect::<Option<Vec<_>>>()
            .map(Self::Given)
            .ok_or_else(|| out_of_range("class-weight", &text, range))
    }
}

impl fmt::Display for ClassWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Balanced => f.write_str("balanced"),
            Self::Given(factors) => {
                let parts: Vec<String> = factors.iter().map(|(class, factor)| format!("{class}={factor}")).collect();
                f.write_str(&parts.join(","))
            }
        }
    }
}

as_text!(ClassWeights);

impl<T: Scalar> Problem<T> {
    /// Weighs the rows of training and validation by their class; test rows count as they did.
    ///
    /// # Errors
    /// For a regression, for several targets, and for a class that there is not.
    pub fn weigh_classes(&mut self, by: &ClassWeights) -> Result<()> {
        let (column, classes) = match &self.preprocessing.targets {
            Targets::Classification { column, classes, .. } => (column, classes),
            Targets::Regression { .. } => {
                return Err(conflict("class-weight", "a regression", "it is a setting of classifications alone"));
            }
            Targets::MultiLabel { .. } => {
                let reason = "a row has a class of each of them: weigh rows by --weights";
                return Err(conflict("class-weight", "several targets", reason));
            }
        };
        let factors = match by {
            ClassWeights::Balanced => {
                let shares = self.train.mean_targets();
                shares
                    .iter()
                    .map(|share| if *share > 0.0 { 1.0 / (share * shares.len() as f64) } else { 1.0 })
                    .collect()
            }
            ClassWeights::Given(given) => {
                let mut factors = vec![1.0; classes.len()];
                for (class, factor) in given {
                    let at = classes.iter().position(|name| name == class).ok_or_else(|| Error::Target {
                        column: column.clone(),
                        reason: format!("--class-weight names `{class}`; the classes are {}", classes.join(", ")),
                    })?;
                    factors[at] = *factor;
                }
                factors
            }
        };
        weigh(&mut self.train, &factors);
        let unit = self.train.total_weight() / self.train.rows() as f64;
        self.validation.iter_mut().for_each(|rows| weigh(rows, &factors));
        for rows in std::iter::once(&mut self.train).chain(self.validation.as_mut()) {
            rows.weights.iter_mut().flatten().for_each(|weight| *weight /= unit);
        }
        self.weight_unit *= unit;
        Ok(())
    }
}

/// Weights times the factor of the class.
fn weigh<T: Scalar>(rows: &mut Dataset<T>, factors: &[f64]) {
    let of = |row: &[T]| row.iter().zip(factors).map(|(y, factor)| y.to_f64() * factor).sum::<f64>();
    let own: Vec<f64> = (0..rows.rows()).map(|i| of(rows.targets.row(i))).collect();
    rows.weights = Some(match rows.weights.take() {
        None => own,
        Some(weights) => weights.iter().zip(&own).map(|(weight, own)| weight * own).collect(),
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{DataOptions, table_of};

    fn problem() -> Problem {
        let row = |i: usize| format!("{},{}\n", i * i, if i.is_multiple_of(10) { "rare" } else { "usual" });
        let text = format!("a,y\n{}", (0..100).map(row).collect::<String>());
        Problem::of_table(&table_of(&text), &DataOptions::of("csv:t".parse().unwrap())).unwrap()
    }

    #[test]
    fn balanced_classes_count_alike_and_their_mean_is_1() {
        let mut problem = problem();
        let before = (problem.test.clone(), problem.weight_unit);
        problem.weigh_classes(&ClassWeights::Balanced).unwrap();
        let shares = problem.train.mean_targets();
        assert!((shares[0] - 0.5).abs() < 1e-12 && (shares[1] - 0.5).abs() < 1e-12, "{shares:?}");
        assert!((problem.train.total_weight() / problem.train.rows() as f64 - 1.0).abs() < 1e-12);
        assert_eq!(problem.test, before.0);
    }

    #[test]
    fn factors_are_read_and_classes_that_there_are_not_are_refused() {
        let mut problem = problem();
        let given: ClassWeights = "rare=9".parse().unwrap();
        assert_eq!(given.to_string(), "rare=9");
        problem.weigh_classes(&given).unwrap();
        let weights = problem.train.weights.clone().unwrap();
        let of = |class: usize| (0..weights.len()).find(|&i| problem.train.targets[(i, class)] == 1.0).unwrap();
        assert!((weights[of(0)] / weights[of(1)] - 9.0).abs() < 1e-12);
        assert!(problem.weigh_classes(&"other=2".parse().unwrap()).unwrap_err().to_string().contains("rare, usual"));
        for text in ["", "rare", "rare=0", "rare=-1", "=3", "rare=x"] {
            assert!(text.parse::<ClassWeights>().is_err(), "{text}");
        }
    }
}

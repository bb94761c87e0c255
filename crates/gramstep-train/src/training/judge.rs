//! The loss of a network on rows: its own, or under attack; of all processes together, each of which judges its share.

use gramstep::communicator::{agree, all_reduce_sum};
use gramstep::loss::Loss;
use gramstep::{Matrix, Model, Scalar};

use super::adversarial::Opponent;
use super::processes::Processes;
use crate::data::{Dataset, Targets};
use crate::error::{Error, Result};
use crate::outcome::deciding::deciding_loss;
use crate::outcome::metrics::{self, Metrics};

/// What a network is judged by.
#[derive(Clone, Copy)]
pub(super) struct Judge<'a> {
    pub(super) loss: &'a dyn Loss,
    /// By which metrics are made; the loss alone where there are none.
    pub(super) targets: Option<&'a Targets>,
    pub(super) processes: Processes<'a>,
    /// Who changes the rows before.
    pub(super) opponent: Option<&'a Opponent>,
}

impl Judge<'_> {
    /// The mean loss by the weights of the rows.
    pub(super) fn loss<T: Scalar>(&self, model: &Model<T>, data: &Dataset<T>) -> Result<f64> {
        Ok(self.losses(model, data, false)?.0)
    }

    /// The mean loss by the weights of the rows, and the one that decides.
    pub(super) fn losses<T: Scalar>(&self, model: &Model<T>, data: &Dataset<T>, decides: bool) -> Result<(f64, f64)> {
        let both = |outputs: &Matrix<f64>| {
            let loss = metrics::mean_of(self.loss, outputs, data);
            (loss, self.targets.filter(|_| decides).map_or(loss, |targets| deciding_loss(outputs, data, targets)))
        };
        if self.processes.count() == 1 {
            return Ok(both(&self.outputs(model, data, 0)?));
        }
        let share = self.processes.share(data.rows());
        let own = data.select(&share.clone().collect::<Vec<_>>());
        let weight = own.total_weight();
        let outputs = if weight == 0.0 {
            Ok(Matrix::zeros(own.rows(), model.outputs()))
        } else {
            self.outputs(model, &own, share.start)
        };
        let outputs = match outputs {
            Ok(outputs) => Ok(outputs),
            Err(Error::Core(error)) => Err(error),
            Err(error) => Err(gramstep::Error::Communication(error.to_string())),
        };
        let communicator = self.processes.communicator();
        let outputs = agree(communicator, outputs)?;
        if decides {
            let bytes: Vec<u8> = outputs.as_slice().iter().flat_map(|value| value.to_le_bytes()).collect();
            let all = communicator.all_gather(&bytes)?.concat();
            let (numbers, _) = all.as_chunks::<8>();
            let numbers = numbers.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
            return Ok(both(&Matrix::from_vec(data.rows(), model.outputs(), numbers)?));
        }
        let loss = if weight == 0.0 { 0.0 } else { metrics::mean_of(self.loss, &outputs, &own) };
        let mut sums = [loss * weight, weight];
        all_reduce_sum(communicator, &mut sums)?;
        Ok((sums[0] / sums[1], sums[0] / sums[1]))
    }

    /// The outputs for rows of which the first has this number.
    fn outputs<T: Scalar>(&self, model: &Model<T>, data: &Dataset<T>, first: usize) -> Result<Matrix<f64>> {
        match self.opponent {
            None => metrics::outputs(model, &data.inputs),
            Some(opponent) => {
                let attacked = opponent.attack_from(first, model, data, self.loss)?;
                metrics::outputs(model, &attacked.inputs)
            }
        }
    }

    /// The quality on rows that are watched.
    pub(super) fn metrics<T: Scalar>(&self, model: &Model<T>, data: &Dataset<T>) -> Result<Option<Metrics>> {
        let Some(targets) = self.targets else { return Ok(None) };
        let outputs = metrics::outputs(model, &data.inputs)?;
        Ok(Some(metrics::watch(&outputs, &data.targets.cast(), data.weights.as_deref(), targets)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::data::{DataOptions, Portion, Problem, table_of};
    use crate::outcome::event::Silent;
    use crate::settings::{Config, Settings};
    use crate::training::optimizer::build;
    use crate::training::trainer::Trainer;

    #[test]
    fn three_wild_rows_of_two_hundred_hardly_move_the_epoch_that_is_kept() {
        let noise = |i: usize, j: usize| ((i * 7919 + j * 104_729 + 17) as f64 * 12.9898).sin() * 43_758.545_3;
        let uniform = |i: usize, j: usize| noise(i, j) - noise(i, j).floor();
        let row = |i: usize| {
            let x: Vec<f64> = (0..3).map(|j| 2.0 * uniform(i, j) - 1.0).collect();
            let noise = uniform(i, 5) + uniform(i, 6) + uniform(i, 7) - 1.5;
            format!("{},{},{},{}\n", x[0], x[1], x[2], (3.0 * x[0]).sin() + x[1] * x[2] + noise)
        };
        let text = format!("a,b,c,y\n{}", (0..1400).map(row).collect::<String>());
        let none = Some(Portion::Fraction(0.0));
        let options = DataOptions { test: none.clone(), validation: none, ..DataOptions::of("csv:t".parse().unwrap()) };
        let problem = Problem::of_table(&table_of(&text), &options).unwrap();
        let rows = |from: usize, to: usize| problem.train.select(&(from..to).collect::<Vec<_>>());
        let (train, judging, clean) = (rows(0, 200), rows(200, 400), rows(400, 1400));
        for (seed, wildness) in [(1, 30.0), (2, -30.0), (3, 1e4)] {
            let mut config = Config { data: Some("csv:t".to_owned()), threads: Some(1), ..Config::default() };
            for (name, value) in [("model", "mlp:30:tanh"), ("epochs", "60"), ("batch-size", "full")] {
                config.set(name, value).unwrap();
            }
            let settings = Settings { seed, ..Settings::resolve(&config, &problem).unwrap() };
            let kept = |validation: &Dataset<f64>| {
                let specification = settings.model.specification(problem.preprocessing.inputs.shape(), 1);
                let mut model = Model::builder(specification).seed(seed).build().unwrap();
                let mut optimizer = build(&settings, 200, 1).unwrap();
                let never = AtomicBool::new(false);
                let trainer = Trainer::new(&settings, &problem.preprocessing.targets, &never);
                trainer.fit(&mut model, optimizer.as_mut(), &train, Some(validation), &mut Silent).unwrap();
                metrics::loss(&model, &clean, &problem.preprocessing.targets).unwrap()
            };
            let mut wild = judging.clone();
            for i in [20, 90, 155] {
                wild.targets[(i, 0)] += wildness;
            }
            let (tame, wild) = (kept(&judging), kept(&wild));
            assert!(wild < 1.1 * tame, "seed {seed}: {wild} and {tame}");
        }
    }
}

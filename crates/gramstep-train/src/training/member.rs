//! The training of one network.

use gramstep::optim::Optimizer;
use gramstep::{Model, Scalar};

use super::checkpoint::{Checkpoint, Checkpoints};
use super::ensemble::Ensemble;
use crate::data::Inputs;
use crate::error::Result;
use crate::format::memory::room_for;
use crate::outcome::Fit;
use crate::outcome::event::{Event, Observer, Start};
use crate::settings::Settings;
use crate::training::adversarial::{AdversarialOptimizer, Opponent};
use crate::training::optimizer::{self, build};
use crate::training::trainer::{Parts, Trainer};
use crate::training::watching::Watch;

impl<T: Scalar> Ensemble<'_, T> {
    /// A network before training.
    pub(super) fn network(&self, number: usize) -> Result<Model<T>> {
        let Self { settings, preprocessing, .. } = self;
        let specification = settings.model.specification(preprocessing.inputs.shape(), preprocessing.targets.outputs());
        let seed = settings.seed.wrapping_add(number as u64);
        Ok(Model::builder(specification).seed(seed).device(self.workers.device().clone()).build()?)
    }

    /// How many of so many networks are trained side by side: as many as there are threads and memory is for, but not those of
    /// images, of which a step keeps much, nor those of several processes, which decide together. What is learned does not
    /// depend on it.
    pub(super) fn at_once(&self, networks: usize) -> Result<usize> {
        let most = networks.min(self.workers.places());
        if most <= 1 || self.processes.count() > 1 || self.preprocessing.inputs.geometry().is_some() {
            return Ok(1);
        }
        let (model, rows) = (self.network(0)?, self.parts.train.rows());
        let system = optimizer::system(self.settings, &model, rows)?.map_or(0, |plan| plan.bytes);
        // θ, the best so far, what the optimiser keeps, a direction; the rows.
        let own = (4 * model.parameter_count() + rows * (model.inputs() + model.outputs())) * size_of::<T>();
        Ok(most.min(room_for(system.saturating_add(own))).max(1))
    }

    /// Trains one network.
    pub(super) fn member(
        &self,
        settings: &Settings,
        number: usize,
        model: &mut Model<T>,
        parts: Parts<'_, T>,
        (checkpoint, keeper): (Option<Checkpoint>, Option<&mut dyn Checkpoints>),
        observer: &mut dyn Observer,
    ) -> Result<Fit> {
        let inputs = &self.preprocessing.inputs;
        let samples = parts.train.rows();
        let (mut optimizer, opponent) = method(settings, inputs, samples, model)?;
        if let Some(plan) = optimizer::plan(settings, model, samples)?.filter(|_| number == 0) {
            observer.note(&plan)?;
        }
        observer.observe(&Event::Start(&Start {
            settings,
            member: number,
            samples,
            parameters: model.parameter_count(),
            steps_per_epoch: settings.batch_size.batches(samples),
        }))?;
        let mut trainer = Trainer::new(settings, &self.preprocessing.targets, self.processes)
            .with_tolerance(self.tolerance)
            .of_member(number);
        if let Some(watch) = Watch::of(settings).filter(|_| number == 0) {
            trainer = trainer.watching(watch);
        }
        if self.exact_train_loss {
            trainer = trainer.with_exact_train_loss();
        }
        if let (Some(augmentation), Some(geometry)) = (settings.augment, inputs.geometry()) {
            trainer = trainer.with_augmentation(augmentation, geometry);
        }
        if let Some(opponent) = opponent {
            trainer = trainer.with_opponent(opponent);
        }
        trainer.go_on(model, optimizer.as_mut(), parts, observer, checkpoint, keeper)
    }
}

/// What makes the steps of some settings on so many rows, and whom they are made against.
pub(crate) fn method<T: Scalar>(
    settings: &Settings,
    inputs: &Inputs,
    samples: usize,
    model: &Model<T>,
) -> Result<(Box<dyn Optimizer<T>>, Option<Opponent>)> {
    let optimizer = build::<T>(settings, samples, model.outputs())?;
    let Some(adversary) = settings.adversarial else { return Ok((optimizer, None)) };
    let opponent = Opponent::new(&adversary, inputs, settings.seed)?;
    let warm_up = settings.warm_up.unwrap_or(0).saturating_mul(settings.batch_size.batches(samples));
    let against = AdversarialOptimizer::new(optimizer, &opponent, settings.ball, warm_up as u64, model)?;
    Ok((Box::new(against), Some(opponent)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::on_a_sine::OnASine;
    use crate::training::workers::Workers;

    #[test]
    fn the_damping_follows_the_schedule() {
        let own = [("model", "mlp:4:tanh"), ("epochs", "5"), ("batch-size", "8"), ("damping", "0.5")];
        let (sine, workers) =
            (OnASine::new(1, own.iter().chain(&[("schedule", "step:0.4:damping=0.01")])), Workers::new(1));
        let mut dampings = Vec::new();
        let mut watch = |event: &Event<'_>| {
            if let Event::Step(step) = event {
                dampings.extend(step.info.damping);
            }
            Ok(())
        };
        sine.ensemble(&workers).train(None, None, None, &mut watch).unwrap();
        let all = dampings.len();
        assert!(all >= 20);
        for (made, damping) in dampings.into_iter().enumerate() {
            // At a tenth of the rate nine tenths of the way are gone.
            let expected = if made as f64 / (all as f64) < 0.4 { 0.5 } else { 0.5 * 0.01_f64.powf(0.9) };
            assert!((damping / expected - 1.0).abs() < 1e-9, "step {made} of {all}: {damping}");
        }
    }

    #[test]
    fn the_learning_rate_of_every_method_follows_the_schedule() {
        for (method, batch) in [("gram-gauss-newton", "full"), ("gram-gauss-newton", "8"), ("sgd", "8"), ("adamw", "8")]
        {
            let own = [("model", "mlp:4:tanh"), ("epochs", "5"), ("learning-rate", "0.01"), ("momentum", "0")];
            let more = [("optimizer", method), ("batch-size", batch), ("schedule", "step:0.4")];
            let (sine, workers) = (OnASine::new(1, own.iter().chain(&more)), Workers::new(1));
            let ensemble = sine.ensemble(&workers);
            let mut rates = Vec::new();
            let mut watch = |event: &Event<'_>| {
                if let Event::Step(step) = event {
                    rates.push(step.info.learning_rate);
                }
                Ok(())
            };
            ensemble.train(None, None, None, &mut watch).unwrap();
            let all = rates.len();
            assert!(all >= 5, "no patience before the end");
            for (made, rate) in rates.into_iter().enumerate() {
                let expected = if made as f64 / (all as f64) < 0.4 { 0.01 } else { 0.001 };
                assert!((rate / expected - 1.0).abs() < 1e-9, "{method}, step {made} of {all}: {rate}");
            }
        }
    }
}

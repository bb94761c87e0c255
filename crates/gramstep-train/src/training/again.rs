//! Networks that left the finite numbers, or that are far worse than the others: trained again, or left out where the
//! user ended training.
//!
//! That one network is lost ends none of the others. It is trained from other seeds on its own rows; all of them are lost
//! only where every one is, or where one comes to nothing from any seed.

use gramstep::{Model, Scalar};

use super::course::{Course, Gathered};
use super::far;
use super::finished::Finished;
use crate::error::Result;
use crate::outcome::event::Observer;
use crate::outcome::{Fit, StopReason};
use crate::training::trainer::Parts;

/// So many other seeds are tried for a network that left the finite numbers.
const MOST_SEEDS: usize = 3;

impl<T: Scalar> Course<'_, T> {
    /// Trains networks again, from another seed, that left the finite numbers; the better one counts.
    pub(super) fn train_the_lost_again(&self, gathered: &mut Gathered<T>, observer: &mut dyn Observer) -> Result<()> {
        let lost: Vec<usize> = (0..gathered.fits.len()).filter(|&number| gathered.fits[number].is_lost()).collect();
        if lost.len() == gathered.fits.len() {
            return Ok(());
        }
        let begin = |number: usize, seed: usize| self.start_of(number).map_or_else(|| self.of.network(seed), Ok);
        for number in lost {
            for attempt in 1..=MOST_SEEDS {
                let hopeless = gathered.fits[number].is_hopeless();
                let seed = attempt * self.of.settings.ensemble + number;
                // Without one of these there is no average.
                if self.of.processes.is_stopped()? || !(hopeless || self.may_begin(seed)?) {
                    break;
                }
                let what = format!("network {} left the finite numbers", number + 1);
                observer.note(&format!("{what}; it is trained again from another seed"))?;
                let (fit, model) = self.again(number, seed, begin(number, seed)?, observer)?;
                let before = if hopeless { f64::NAN } else { self.share(number, &gathered.models[number])? };
                let found = fit.failure.is_none();
                self.take_the_better(gathered, number, (fit, model), before)?;
                if found {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Trains networks again, from another seed, that are far worse than the others; the better one counts. No
    /// checkpoint is written meanwhile: a run that is cut off here comes back by the last one.
    pub(super) fn train_the_worst_again(&self, gathered: &mut Gathered<T>, observer: &mut dyn Observer) -> Result<()> {
        let shares = self.shares(&gathered.models)?;
        for number in far::far_worse(&shares) {
            let another = self.of.settings.ensemble + number;
            if !self.may_begin(another)? {
                break;
            }
            let what = format!("network {} is far worse than the others", number + 1);
            observer.note(&format!("{what}; it is trained again from another seed"))?;
            let trained = self.again(number, another, self.of.network(another)?, observer)?;
            let now = self.take_the_better(gathered, number, trained, shares[number])?;
            if far::far_worse(&with(&shares, number, now)).contains(&number) {
                observer.note(&format!("{what} from this seed too: its rows may be harder to predict"))?;
            }
        }
        Ok(())
    }

    /// Trains a network on the rows of its number, from another seed.
    fn again(
        &self,
        number: usize,
        seed: usize,
        mut model: Model<T>,
        observer: &mut dyn Observer,
    ) -> Result<(Fit, Model<T>)> {
        let _place = self.of.workers.place();
        let (settings, fold) = (self.settings_of(seed), self.fold(number));
        let parts = self.of.parts_of(fold.as_ref());
        let fit = self.of.member(&settings, seed, &mut model, parts, (None, None), observer)?;
        Ok((fit, model))
    }

    /// Keeps the better one of a network and of the same trained again; returns its share.
    fn take_the_better(
        &self,
        gathered: &mut Gathered<T>,
        number: usize,
        (fit, model): (Fit, Model<T>),
        before: f64,
    ) -> Result<f64> {
        let usable = fit.failure.is_none() || fit.best_epoch.is_some();
        let now = if usable { self.share(number, &model)? } else { f64::INFINITY };
        let better = usable && (now < before || before.is_nan());
        gathered.fits[number].trained_again(&Finished::of(&fit, &model), better);
        if better {
            gathered.models[number] = model;
        }
        Ok(if better { now } else { before })
    }

    /// Takes networks out that the user ended before they were as good as the others, from the last one on.
    pub(super) fn leave_out_what_had_only_begun(
        &self,
        gathered: &mut Gathered<T>,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let Gathered { models, fits, .. } = gathered;
        if let Some(hopeless) = fits.iter().position(Finished::is_hopeless).filter(|&hopeless| hopeless > 0) {
            // The rows of a network are told by its place.
            models.truncate(hopeless);
            let number = hopeless + 1;
            observer.note(&format!("network {number} left the finite numbers; the average is of those before it"))?;
        }
        let shares = self.shares(models)?;
        let far = far::far_worse(&shares);
        while let Some(last) = models.len().checked_sub(1).filter(|last| *last > 0 && far.contains(last)) {
            if fits[last].stop_reason != StopReason::Interrupted {
                break;
            }
            models.pop();
            let number = last + 1;
            observer.note(&format!("network {number} had only begun, and is no part of the average"))?;
        }
        Ok(())
    }

    /// The losses of networks as [shares](far::share).
    fn shares(&self, models: &[Model<T>]) -> Result<Vec<f64>> {
        models.iter().enumerate().map(|(number, model)| self.share(number, model)).collect()
    }

    fn share(&self, number: usize, model: &Model<T>) -> Result<f64> {
        let fold = self.fold(number);
        let Parts { train, validation, .. } = self.of.parts_of(fold.as_ref());
        far::share(model, train, validation.unwrap_or(train), &self.of.preprocessing.targets)
    }
}

/// Numbers of which one is another.
fn with(numbers: &[f64], at: usize, value: f64) -> Vec<f64> {
    numbers.iter().enumerate().map(|(i, &number)| if i == at { value } else { number }).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::outcome::event::{Event, Silent};
    use crate::training::on_a_sine::OnASine;
    use crate::training::workers::Workers;

    /// A network that is far worse than others, all of them trained in an earlier session.
    #[test]
    fn after_all_networks_are_trained_none_is_begun_again_where_time_or_user_say_no() {
        let given = [("model", "mlp:8:tanh"), ("ensemble", "3"), ("epochs", "40")];
        let limited = given.iter().chain(&[("time-limit", "1ms")]);
        for (sine, is_called_off) in
            [(OnASine::new(1, &given), false), (OnASine::new(1, &given), true), (OnASine::new(1, limited), true)]
        {
            let workers = Workers::new(1);
            let ensemble = sine.ensemble(&workers);
            let plain = OnASine::new(1, &given);
            let trained = plain.ensemble(&workers).train(None, None, None, &mut Silent).unwrap();
            let mut models = trained.networks.members().to_vec();
            let nothing = vec![0.0; models[0].parameter_count()];
            models[0].set_theta(&nothing).unwrap();
            let mut gathered = Gathered {
                fits: models.iter().map(|model| Finished::of(&trained.fit, model)).collect(),
                models,
                failure: None,
            };
            let folds = ensemble.folds().unwrap();
            let course = Course::new(&ensemble, None, folds.as_ref(), (&gathered.fits, None)).unwrap();
            sine.stop.store(is_called_off, Ordering::Relaxed);
            let mut again = 0;
            let mut hear = |event: &Event<'_>| {
                again += usize::from(matches!(event, Event::Note(note) if note.contains("it is trained again")));
                Ok(())
            };
            course.train_the_worst_again(&mut gathered, &mut hear).unwrap();
            assert_eq!(again, usize::from(!is_called_off));
        }
    }

    /// Steps so long that networks leave the finite numbers from some seeds and not from others.
    #[test]
    fn a_network_that_is_lost_is_trained_again_from_another_seed_and_the_others_stay() {
        let (mut again, mut never) = (0, 0);
        for step in 0..24 {
            let rate = (0.02 * 1.25_f64.powi(step)).to_string();
            let given = [
                ("model", "mlp:6:squared-relu"),
                ("ensemble", "4"),
                ("epochs", "4"),
                ("optimizer", "sgd"),
                ("momentum", "0"),
                ("batch-size", "4"),
                ("learning-rate", &rate),
            ];
            let (sine, workers) = (OnASine::new(2, &given), Workers::new(2));
            let mut lost = Vec::new();
            let mut hear = |event: &Event<'_>| {
                if let Event::Note(note) = event
                    && let Some((network, _)) = note.split_once(" left the finite numbers; it is trained again")
                {
                    lost.push(network.trim_start_matches("network ").parse::<usize>().unwrap() - 1);
                }
                Ok(())
            };
            let trained = sine.ensemble(&workers).train(None, None, None, &mut hear).unwrap();
            let Fit { failure, stop_reason, steps, .. } = &trained.fit;
            if failure.is_some() {
                assert_eq!(*stop_reason, StopReason::NonFinite);
                never += usize::from(!lost.is_empty());
                continue;
            }
            let members = trained.networks.members();
            assert_eq!(members.len(), 4, "rate {rate}");
            for (number, member) in members.iter().enumerate() {
                assert!(member.theta().iter().all(|value| value.is_finite()), "rate {rate}, network {number}");
                // Its rows are those of its number, its start that of a seed which no network has.
                let own = !lost.contains(&number);
                assert!(!own || member.seed() == number as u64, "rate {rate}, network {number}: another seed");
            }
            if !lost.is_empty() {
                let one = OnASine::new(1, given.iter().chain(&[("ensemble", "1")]));
                let alone =
                    one.ensemble(&Workers::new(1)).train(None, None, None, &mut |_: &Event<'_>| Ok(())).unwrap();
                assert!(*steps > 4 * alone.fit.steps / 2, "the steps of all trainings count");
                again += usize::from(lost.iter().any(|&number| members[number].seed() >= 4));
            }
        }
        assert!(again > 0, "no rate at which one is lost and comes back; {never} at which none comes back");
    }
}

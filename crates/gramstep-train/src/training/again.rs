//! Networks that are far worse than the others: trained again, or left out where the user ended training.

use gramstep::{Model, Scalar};

use super::course::{Course, Gathered};
use super::far;
use super::finished::Finished;
use crate::error::Result;
use crate::outcome::StopReason;
use crate::outcome::event::Observer;
use crate::training::trainer::Parts;

impl<T: Scalar> Course<'_, T> {
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
            let _place = self.of.workers.place();
            let (mut model, settings, fold) = (self.of.network(another)?, self.settings_of(another), self.fold(number));
            let parts = self.of.parts_of(fold.as_ref());
            let fit = self.of.member(&settings, another, &mut model, parts, (None, None), observer)?;
            let now = if fit.failure.is_none() { self.share(number, &model)? } else { f64::INFINITY };
            let better = now < shares[number] || shares[number].is_nan();
            gathered.fits[number].trained_again(&Finished::of(&fit, &model), better);
            if better {
                gathered.models[number] = model;
            }
            let now = if better { now } else { shares[number] };
            if far::far_worse(&with(&shares, number, now)).contains(&number) {
                observer.note(&format!("{what} from this seed too: its rows may be harder to predict"))?;
            }
        }
        Ok(())
    }

    /// Takes networks out that the user ended before they were as good as the others, from the last one on.
    pub(super) fn leave_out_what_had_only_begun(
        &self,
        gathered: &mut Gathered<T>,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let Gathered { models, fits, .. } = gathered;
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

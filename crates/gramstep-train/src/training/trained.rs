//! All networks of a run, trained.

use std::time::Duration;

use gramstep::model::{Average, Differentiable as _};
use gramstep::{Matrix, Scalar};

use super::course::{Course, Gathered};
use super::ensemble::Ensemble;
use super::finished::Finished;
use super::folds::Folds;
use crate::error::{Error, Result};
use crate::outcome::event::Observer;
use crate::outcome::metrics;
use crate::outcome::{Fit, HeldOut, StopReason};
use crate::training::checkpoint::{Checkpoint, Keeper};

/// The networks, and how they came about.
#[derive(Debug)]
pub(crate) struct Trained<T> {
    /// Fewer than wanted if training was ended.
    pub(crate) networks: Average<T>,
    /// Of the network; of several the sums, the lowest loss, and why training ended.
    pub(crate) fit: Fit,
    /// All rows of training and validation, where several networks shared them out.
    pub(crate) shared: Option<Folds<T>>,
}

impl<T: Scalar> Ensemble<'_, T> {
    /// Trains every network, from those of `start` if there are any, all from the checkpoint on if there is one. A
    /// network that leaves the finite numbers does not end the others: see [`super::again`].
    ///
    /// # Errors
    /// When a step or an observer fails.
    pub(crate) fn train(
        &self,
        start: Option<&Average<T>>,
        mut checkpoint: Option<Checkpoint>,
        keeper: Option<&mut Keeper>,
        observer: &mut dyn Observer,
    ) -> Result<Trained<T>> {
        let folds = self.folds()?;
        let fits = checkpoint.as_mut().map(|point| std::mem::take(&mut point.finished)).unwrap_or_default();
        let course = Course::new(self, start, folds.as_ref(), (&fits, checkpoint.as_ref()))?;
        let mut gathered = Gathered { models: Vec::new(), fits, failure: None };
        for (number, finished) in gathered.fits.iter().enumerate() {
            let mut model = course.untrained(number)?;
            model.set_theta(&finished.theta.iter().map(|&value| T::from_f64(value)).collect::<Vec<_>>())?;
            gathered.models.push(model);
        }
        course.train(&mut gathered, checkpoint, keeper, observer)?;
        let (trained, wanted) = (gathered.models.len(), self.settings.ensemble);
        let mut missing = None;
        if trained < wanted {
            // Those that ran may have come to their end just then.
            let by_user = gathered.is_interrupted() || self.processes.is_stopped()?;
            missing = Some(if by_user { StopReason::Interrupted } else { StopReason::TimeLimit });
            let what = if by_user { "had begun when it was ended" } else { "were trained in the time" };
            observer.note(&format!("{trained} of {wanted} networks {what}"))?;
        }
        if gathered.is_interrupted() {
            course.leave_out_what_had_only_begun(&mut gathered, observer)?;
        } else {
            course.train_the_lost_again(&mut gathered, observer)?;
            if start.is_none() && !gathered.is_lost() && trained == wanted {
                course.train_the_worst_again(&mut gathered, observer)?;
            }
        }
        let is_lost = gathered.is_lost();
        let Gathered { mut models, fits, failure } = gathered;
        let failure = is_lost.then(|| failure.unwrap_or_else(|| lost_before(&fits)));
        if is_lost {
            // The first, which alone has the rows of the split: others have learned from those that judge.
            models.truncate(1);
        }
        let mut fit = total(&fits, failure, missing, course.elapsed());
        if is_lost {
            fit.best_epoch = fits.first().and_then(|first| first.best_epoch);
        }
        let shared = folds.filter(|_| models.len() > 1);
        Ok(Trained { networks: Average::new(models)?, fit, shared })
    }
}

impl<T: Scalar> Trained<T> {
    /// What the validation rows are predicted by networks that were not trained on them, and these rows; none where
    /// there are none of the networks' own.
    pub(crate) fn held_out(&self) -> Result<Option<HeldOut<T>>> {
        let Some(folds) = &self.shared else { return Ok(None) };
        let n = folds.rows.rows();
        let (mut sum, mut judges) = (Matrix::<f64>::zeros(n, self.networks.outputs()), vec![0_u32; n]);
        let mut first_judge = vec![usize::MAX; n];
        for (number, model) in self.networks.members().iter().enumerate() {
            let fold = folds.fold(number);
            let outputs = metrics::outputs(model, &fold.validation.inputs)?;
            for (i, &row) in fold.judged.iter().enumerate() {
                judges[row] += 1;
                first_judge[row] = first_judge[row].min(number);
                sum.row_mut(row).iter_mut().zip(outputs.row(i)).for_each(|(sum, value)| *sum += value);
            }
        }
        for (i, &judges) in judges.iter().enumerate() {
            sum.row_mut(i).iter_mut().for_each(|value| *value /= f64::from(judges.max(1)));
        }
        let places: Vec<usize> = (0..n).filter(|&i| judges[i] > 0).collect();
        let (outputs, rows) = (sum.select_rows(&places), folds.rows.select(&places));
        let fold_of = places.iter().map(|&place| first_judge[place]).collect();
        Ok(Some(HeldOut { outputs, rows, places, fold_of, sets: None }))
    }
}

/// What is left to say of networks that an earlier session lost.
fn lost_before(fits: &[Finished]) -> Error {
    let (step, epoch) = fits.iter().find(|fit| fit.is_lost()).map_or((0, 0), |fit| (fit.steps, fit.epochs));
    Error::NonFinite { step, epoch, what: "the loss".to_owned(), kept: None }
}

/// All trainings as one; `missing` says why some networks were not trained.
fn total(fits: &[Finished], failure: Option<Error>, missing: Option<StopReason>, elapsed: Duration) -> Fit {
    let early = |fit: &&Finished| fit.stop_reason.is_early();
    let deciding = fits.iter().rfind(early).or(fits.iter().rfind(|fit| !fit.is_lost()));
    Fit {
        epochs: fits.iter().map(|fit| fit.epochs).sum(),
        steps: fits.iter().map(|fit| fit.steps).sum(),
        // Of one network what it says of itself: judging may not count.
        seconds: if let [only] = fits { only.seconds } else { elapsed.as_secs_f64() },
        stop_reason: match &failure {
            Some(_) => StopReason::NonFinite,
            None => missing.or(deciding.map(|fit| fit.stop_reason)).unwrap_or(StopReason::Interrupted),
        },
        best_epoch: fits.iter().find_map(|fit| fit.best_epoch),
        kernel_watch: fits.first().map(|fit| fit.kernel_watch.clone()).unwrap_or_default(),
        lowest_train_loss: fits.iter().map(|fit| fit.lowest_train_loss).fold(f64::INFINITY, f64::min),
        failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Dataset;
    use crate::outcome::event::Silent;
    use crate::training::on_a_sine::OnASine;
    use crate::training::workers::Workers;

    #[test]
    fn networks_differ_in_start_and_rows_and_judge_rows_that_they_have_not_seen() {
        let given = [("model", "mlp:4:tanh"), ("ensemble", "3"), ("epochs", "2")];
        let (sine, workers) = (OnASine::new(1, &given), Workers::new(1));
        let (problem, ensemble) = (&sine.problem, sine.ensemble(&workers));
        let trained = ensemble.train(None, None, None, &mut Silent).unwrap();
        let members = trained.networks.members();
        assert_eq!((members.len(), trained.fit.epochs), (3, 6));
        assert_ne!(members[0].theta(), members[1].theta());
        let judging = problem.validation.as_ref().map_or(0, Dataset::rows);
        let HeldOut { outputs, rows, .. } = trained.held_out().unwrap().expect("rows of the networks' own");
        assert_eq!((outputs.rows(), rows.rows()), (3 * judging, 3 * judging));
        let own = metrics::outputs(&members[0], &rows.inputs).unwrap();
        assert_eq!(outputs.row(0), own.row(0), "the first rows are judged by the first network");
    }
}

//! The course of one training as lists of numbers.

use super::event::{Event, Observer};
use crate::error::Result;
use crate::settings::OptimizerName;

/// Losses of one training over its epochs and its time. Of an ensemble the first network.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Curve {
    /// The method.
    pub optimizer: Option<OptimizerName>,
    /// Epochs, counted from 1.
    pub epoch: Vec<usize>,
    /// Steps by then.
    pub step: Vec<usize>,
    /// Seconds of training by then; in a comparison without those of judging.
    pub seconds: Vec<f64>,
    /// Loss on the training rows.
    pub train_loss: Vec<f64>,
    /// Loss on the validation rows; not a number where there are none.
    pub validation_loss: Vec<f64>,
    /// Loss on the test rows; not a number where they are not watched.
    pub test_loss: Vec<f64>,
    /// Of the test rows the mean absolute error in the target's own units, of classes the share that is wrong; not a number
    /// where they are not watched.
    pub test_error: Vec<f64>,
}

impl Observer for Curve {
    fn observe(&mut self, event: &Event<'_>) -> Result<()> {
        match event {
            Event::Start(start) if start.member == 0 => {
                *self = Self { optimizer: Some(start.settings.optimizer), ..Self::default() };
            }
            Event::Epoch(epoch) if epoch.member == 0 => {
                self.epoch.push(epoch.epoch);
                self.step.push(epoch.step);
                self.seconds.push(epoch.seconds);
                self.train_loss.push(epoch.train_loss);
                self.validation_loss.push(epoch.validation_loss.unwrap_or(f64::NAN));
                let test = epoch.test.as_ref();
                self.test_loss.push(test.map_or(f64::NAN, |metrics| metrics.loss));
                let absolute = test.and_then(|metrics| Some(metrics.regression.as_ref()?.mae));
                let wrong = test.and_then(|metrics| Some(1.0 - metrics.classification.as_ref()?.accuracy));
                self.test_error.push(absolute.or(wrong).unwrap_or(f64::NAN));
            }
            _ => {}
        }
        Ok(())
    }
}

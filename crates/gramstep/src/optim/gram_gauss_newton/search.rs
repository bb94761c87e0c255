//! Which step is taken: the one at a fixed damping, or the first at rising damping by which the loss falls.

use super::{Before, GramGaussNewton};
use crate::communicator::agree;
use crate::device::Buffer;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::optim::batch::LossValue;
use crate::optim::direction::Direction;
use crate::optim::system::System;
use crate::optim::{AdaptiveDamping, Batch, StepInfo};
use crate::scalar::Scalar;
use crate::solve::dot;

/// How the loss fell in a tried step, and how its quadratic model said that it would.
struct Fall {
    actual: f64,
    predicted: f64,
    /// What rounding makes of a loss of this size.
    noise: f64,
}

impl Fall {
    fn ratio(&self) -> f64 {
        self.actual / self.predicted
    }

    /// Whether nothing was left to gain but rounding.
    fn is_noise(&self) -> bool {
        self.predicted.abs() <= self.noise && self.actual >= -self.noise
    }

    fn is_real(&self) -> bool {
        self.actual > 0.0 && self.predicted > 0.0
    }
}

impl<T: Scalar> GramGaussNewton<T> {
    pub(super) fn fixed_step(
        &mut self,
        model: &mut Model<T>,
        system: &System<'_, T>,
        before: &Before,
    ) -> Result<StepInfo> {
        let damping = self.damping().value(self.level, system.mean_diagonal());
        let mut direction = self.direction(model, system, damping)?;
        let length = self.length(system, &mut direction, before.reach)?;
        if self.config.momentum > 0.0 {
            direction.vector(system)?;
        }
        direction.add_to(system, T::from_f64(-length), model.theta_buffer_mut())?;
        let solve = direction.solve;
        self.remember(system, direction)?;
        Ok(StepInfo {
            loss: before.reported,
            loss_after: None,
            learning_rate: length,
            damping: relative(damping, system.mean_diagonal()),
            gain_ratio: None,
            accepted: true,
            solve: Some(solve),
        })
    }

    /// Tries steps at rising damping until the loss falls. The first that fails forgets φ: μφ does not fall with rising
    /// damping, and may lead uphill.
    pub(super) fn searched_step(
        &mut self,
        model: &mut Model<T>,
        batch: &Batch<'_, T>,
        system: &System<'_, T>,
        before: &Before,
        rule: AdaptiveDamping,
    ) -> Result<StepInfo> {
        let mean = system.mean_diagonal();
        loop {
            let used = self.level;
            let mut direction = match self.direction(model, system, used * mean) {
                Err(Error::Solve { .. }) if used < rule.ceiling => {
                    self.level = rule.raised(used);
                    continue;
                }
                direction => direction?,
            };
            let length = self.length(system, &mut direction, before.reach)?;
            let (after, fall, start) = self.attempt(model, batch, system, before, &mut direction, length)?;
            let converged = fall.is_noise();
            let accepted = after.objective.is_finite() && (converged || fall.is_real());
            if !converged {
                self.level = rule.after(used, accepted, fall.ratio());
            }
            if !accepted {
                *model.theta_buffer_mut() = start;
                self.momentum = None;
                if used < rule.ceiling {
                    continue;
                }
            }
            let solve = direction.solve;
            if accepted {
                self.remember(system, direction)?;
            }
            return Ok(StepInfo {
                loss: before.reported,
                loss_after: Some(if accepted { after.reported } else { before.reported }),
                learning_rate: length,
                damping: relative(used * mean, mean),
                gain_ratio: (!converged).then_some(fall.ratio()).filter(|gain| gain.is_finite()),
                accepted,
                solve: Some(solve),
            });
        }
    }

    /// Moves the model by −ηφ: the loss there, what that did to it, and θ of before.
    ///
    /// # Errors
    /// Those of the products and of the loss; the model is left as it was.
    fn attempt(
        &self,
        model: &mut Model<T>,
        batch: &Batch<'_, T>,
        system: &System<'_, T>,
        before: &Before,
        direction: &mut Direction<T>,
        length: f64,
    ) -> Result<(LossValue, Fall, Buffer<T>)> {
        let moved = direction.image(system)?;
        if self.config.momentum > 0.0 {
            direction.vector(system)?;
        }
        let start = self.penalty(model);
        let mut theta = model.theta_buffer().clone();
        direction.add_to(system, T::from_f64(-length), &mut theta)?;
        std::mem::swap(model.theta_buffer_mut(), &mut theta);
        let after = match evaluate(model, batch) {
            Ok(after) => after,
            Err(error) => {
                *model.theta_buffer_mut() = theta;
                return Err(error);
            }
        };
        let (penalty, all) = (self.penalty(model), before.objective + start);
        let z = &system.linear().z;
        // The model of the loss: ½‖z − ηJ̃φ‖² in place of ½‖z‖².
        let predicted =
            length * dot(z, &moved) - 0.5 * length * length * dot(&moved, &moved) + (all - before.objective - penalty);
        let noise = 8.0 * T::EPSILON.to_f64() * all.abs();
        Ok((after, Fall { actual: all - after.objective - penalty, predicted, noise }, theta))
    }
}

/// The batch's loss with the parameters as they are now, over all processes.
fn evaluate<T: Scalar>(model: &Model<T>, batch: &Batch<'_, T>) -> Result<LossValue> {
    let outputs = match model.predict(batch.inputs()) {
        Err(Error::NonFinite { .. }) => Ok(None),
        outputs => outputs.map(Some),
    };
    let outputs = batch.check(model).and_then(|targets| Ok((outputs?, targets)));
    match agree(batch.communicator(), outputs)? {
        (Some(outputs), targets) => batch.evaluate(&outputs.cast(), &targets),
        (None, _) => batch.infinite(),
    }
}

fn relative(damping: f64, mean_diagonal: f64) -> Option<f64> {
    (mean_diagonal > 0.0).then(|| damping / mean_diagonal)
}

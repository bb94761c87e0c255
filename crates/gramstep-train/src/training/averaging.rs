//! The mean of the parameters over the steps of an epoch, which is judged and kept in place of the last ones: steps on
//! mini-batches circle a minimum, and their mean lies nearer to it than any of them.

use gramstep::{Model, Result, Scalar};

/// The parameters after every step of one epoch.
#[derive(Debug)]
pub(crate) struct Averaging<T> {
    sum: Vec<f64>,
    steps: usize,
    /// Those of the last step, while the model has their mean.
    last: Vec<T>,
}

impl<T: Scalar> Averaging<T> {
    pub(crate) fn of(model: &Model<T>) -> Self {
        Self { sum: vec![0.0; model.parameter_count()], steps: 0, last: Vec::new() }
    }

    /// Counts the parameters that a step led to.
    pub(crate) fn add(&mut self, model: &Model<T>) {
        self.steps += 1;
        self.sum.iter_mut().zip(model.theta()).for_each(|(sum, value)| *sum += value.to_f64());
    }

    /// Gives the model the mean.
    pub(crate) fn enter(&mut self, model: &mut Model<T>) -> Result<()> {
        self.last = model.theta();
        let steps = self.steps.max(1) as f64;
        model.set_theta(&self.sum.iter().map(|sum| T::from_f64(sum / steps)).collect::<Vec<_>>())
    }

    /// Gives the model the parameters of the last step again.
    pub(crate) fn leave(self, model: &mut Model<T>) -> Result<()> {
        model.set_theta(&self.last)
    }
}

#[cfg(test)]
mod tests {
    use gramstep::Activation;

    use super::*;

    #[test]
    fn the_model_has_the_mean_until_it_is_left() {
        let mut model = Model::<f64>::mlp(&[1, 3, 1], Activation::Tanh).seed(1).build().unwrap();
        let mut averaging = Averaging::of(&model);
        for value in [1.0, 2.0, 6.0] {
            model.set_theta(&vec![value; model.parameter_count()]).unwrap();
            averaging.add(&model);
        }
        averaging.enter(&mut model).unwrap();
        assert!(model.theta().iter().all(|&value| value == 3.0));
        averaging.leave(&mut model).unwrap();
        assert!(model.theta().iter().all(|&value| value == 6.0));
    }
}

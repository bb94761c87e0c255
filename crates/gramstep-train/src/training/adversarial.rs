//! Adversarial training as an optimiser around an optimiser: every step looks at the attacked batch.

use gramstep::attack::{
    AdversarialTraining, Attack, Criterion, LargestLoss, NamedAttack, Norm, ParameterBall, Problem, ThreatModel,
};
use gramstep::loss::Loss;
use gramstep::optim::{Batch, Factors, Optimizer, OptimizerState, StepInfo};
use gramstep::{Model, Scalar};
use serde::{Deserialize, Serialize};

use crate::data::{Dataset, Inputs};
use crate::error::Result;
use crate::settings::Adversary;

/// An adversary that knows how the network's input is made.
#[derive(Clone, Debug)]
pub struct Opponent {
    attack: NamedAttack,
    threat: ThreatModel,
}

impl Opponent {
    /// The adversary of inputs that are made from a table by `inputs`: the radius is in the units of the data, columns
    /// that mark categories and gaps are left whole.
    ///
    /// # Errors
    /// If the radius is out of range.
    pub fn new(adversary: &Adversary, inputs: &Inputs, seed: u64) -> Result<Self> {
        let threat = threat_model(inputs, adversary.norm, adversary.radius, unit_sizes(inputs, Unit::Data))?;
        Ok(Self { attack: adversary.attack.with_seed(seed), threat })
    }

    /// The same rows with the inputs of largest loss.
    ///
    /// # Errors
    /// When the model cannot be evaluated.
    pub fn attack<T: Scalar>(&self, model: &Model<T>, data: &Dataset<T>, loss: &dyn Loss) -> Result<Dataset<T>> {
        self.attack_from(0, model, data, loss)
    }

    /// The same for rows of which the first has this number: random starts go by the number.
    pub(crate) fn attack_from<T: Scalar>(
        &self,
        first: usize,
        model: &Model<T>,
        data: &Dataset<T>,
        loss: &dyn Loss,
    ) -> Result<Dataset<T>> {
        let goal = LargestLoss(loss);
        let numbers: Vec<u64> = (first..first + data.rows()).map(|row| row as u64).collect();
        let problem = Problem::new(model, &data.inputs, &data.targets).with_goal(&goal).with_numbers(&numbers);
        let attacked = self.attack.run(&problem.with_criterion(Criterion::None), &self.threat)?;
        Dataset::new(attacked.inputs, data.targets.clone())?.with_weights(data.weights.clone())
    }
}

/// What the radius is measured in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// The units of the data.
    #[default]
    Data,
    /// Standard deviations of each column over the training rows.
    Deviation,
}

/// Sizes of inputs that are one unit of the radius: δ of the data is δ/scale of the network's input.
pub(crate) fn unit_sizes(inputs: &Inputs, unit: Unit) -> Vec<f64> {
    match unit {
        Unit::Data => inputs.standardisation.scale.iter().map(|scale| 1.0 / scale).collect(),
        Unit::Deviation => vec![1.0; inputs.width()],
    }
}

/// The threat model for inputs that are standardised, with sizes that are one unit of the radius; what stands in a gap is left
/// as it is.
pub(crate) fn threat_model(inputs: &Inputs, norm: Norm, radius: f64, sizes: Vec<f64>) -> Result<ThreatModel> {
    let fixed = inputs.places().flat_map(|(column, places)| places.skip(column.encoding.measured()));
    let frozen: Vec<usize> = fixed.collect();
    let mut threat = ThreatModel::new(norm, radius)?.with_scales(sizes)?.with_frozen(&frozen);
    for (column, places) in inputs.places() {
        if let Some(mark) = column.encoding.mark() {
            let mark = places.start + mark;
            // Between 0 and 1, as these are standardised.
            let above = (0.5 - inputs.standardisation.mean[mark]) / inputs.standardisation.scale[mark];
            threat = threat.with_gaps(places.start, mark, above);
        }
    }
    Ok(threat)
}

/// An optimiser whose every step is taken on the attacked batch, then projected on a ball around the start if there is
/// one. The loss of a step is the robust one.
pub struct AdversarialOptimizer<T> {
    inner: Box<dyn Optimizer<T>>,
    training: AdversarialTraining<T>,
    /// Steps against the attack: more than the inner optimiser's where that has begun again.
    attacks: u64,
}

/// The name of their number in a saved state.
const ATTACKS: &str = "attacks";

impl<T: Scalar> AdversarialOptimizer<T> {
    /// The adversarial form of an optimiser. `ball` is R: layers stay within R/√m of where `model` is now, m its
    /// largest number of hidden units (gao2019). The radius rises over the first `warm_up` steps.
    ///
    /// # Errors
    /// If R is negative or NaN.
    pub fn new(
        inner: Box<dyn Optimizer<T>>,
        opponent: &Opponent,
        ball: Option<f64>,
        warm_up: u64,
        model: &Model<T>,
    ) -> Result<Self> {
        let mut training = AdversarialTraining::new(opponent.attack, opponent.threat.clone()).with_warm_up(warm_up);
        if let Some(radius) = ball {
            let rows = model.spans().iter().filter(|span| span.shape.len() > 1).map(|span| span.shape[0]);
            let width = rows.max().unwrap_or(1) as f64;
            training = training.within(ParameterBall::around(model, radius / width.sqrt())?);
        }
        Ok(Self { inner, training, attacks: 0 })
    }
}

impl<T: Scalar> Optimizer<T> for AdversarialOptimizer<T> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn set_factors(&mut self, factors: Factors) {
        self.inner.set_factors(factors);
    }

    fn step(&mut self, model: &mut Model<T>, batch: &Batch<'_, T>) -> gramstep::Result<StepInfo> {
        let info = self.training.step(self.inner.as_mut(), model, batch)?.step;
        self.attacks += 1;
        Ok(info)
    }

    fn state(&self) -> OptimizerState {
        let mut state = self.inner.state();
        state.counts.push((ATTACKS.to_owned(), self.attacks));
        state
    }

    fn restore(&mut self, state: OptimizerState) -> gramstep::Result<()> {
        let counted = state.counts.iter().find(|(name, _)| name == ATTACKS).map(|(_, attacks)| *attacks);
        self.attacks = counted.unwrap_or(state.step);
        self.training.set_step(self.attacks);
        self.inner.restore(state)
    }
}

#[cfg(test)]
mod tests {
    use gramstep::attack::Pgd;
    use gramstep::optim::{Sgd, SgdConfig};
    use gramstep::{Activation, Matrix};

    use super::*;

    /// Begins again after five steps, as a ridge path may.
    struct BeginsAgain(Sgd<f64>);

    impl Optimizer<f64> for BeginsAgain {
        fn name(&self) -> &'static str {
            self.0.name()
        }

        fn step(&mut self, model: &mut Model<f64>, batch: &Batch<'_, f64>) -> gramstep::Result<StepInfo> {
            if self.0.state().step == 5 {
                self.0 = Sgd::new(SgdConfig::default())?;
            }
            self.0.step(model, batch)
        }

        fn state(&self) -> OptimizerState {
            self.0.state()
        }

        fn restore(&mut self, state: OptimizerState) -> gramstep::Result<()> {
            self.0.restore(state)
        }
    }

    #[test]
    fn attacks_are_counted_also_where_the_optimiser_begins_again() {
        let x = Matrix::from_fn(20, 1, |i, _| i as f64 / 10.0 - 1.0);
        let mut model = Model::<f64>::mlp(&[1, 8, 1], Activation::Tanh).seed(1).build().unwrap();
        let (attack, threat) = (NamedAttack::Pgd(Pgd::new(2)), ThreatModel::new(Norm::Linf, 0.5).unwrap());
        let (opponent, begin, batch) = (Opponent { attack, threat }, model.clone(), Batch::new(&x, &x));
        let new = || {
            let inner = BeginsAgain(Sgd::new(SgdConfig::default()).unwrap());
            AdversarialOptimizer::new(Box::new(inner), &opponent, None, 40, &begin).unwrap()
        };
        let mut optimizer = new();
        for step in 0..8 {
            let (mut copy, mut other) = (model.clone(), new());
            other.restore(optimizer.state()).unwrap();
            optimizer.step(&mut model, &batch).unwrap();
            other.step(&mut copy, &batch).unwrap();
            assert_eq!(model.theta(), copy.theta(), "step {step}");
        }
        assert_eq!(optimizer.state().step, 3, "the inner optimiser has begun again");
    }
}

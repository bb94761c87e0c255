//! The layers of an infinitely wide network as operations on the kernels of pairs, one after the other.

use super::dual::Dual;
use super::layers::{DenseVariances, InfiniteLayer, fault};
use crate::error::Result;
use crate::model::Activation;

/// One operation on the kernels of all pairs.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Dense(DenseVariances),
    Activation(Dual),
    /// Remembers the kernels in front of a residual branch.
    Split,
    /// Exchanges the kernels with what was remembered, which is state number `from`.
    Swap {
        from: usize,
    },
    /// Adds what was remembered, which is state number `from`.
    Join {
        from: usize,
    },
}

/// What is known of the values after some layers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow {
    /// Normally distributed, as an activation needs its input.
    pub(super) normal: bool,
    /// Independent, with mean 0, of the input of the innermost residual branch.
    pub(super) fresh: bool,
}

impl Flow {
    /// What is known of the inputs.
    pub(super) const INPUT: Self = Self { normal: false, fresh: false };

    /// Through an activation, which needs normally distributed values.
    pub(super) fn through(self, activation: &str) -> Result<Self> {
        if self.normal {
            return Ok(Self { normal: false, fresh: false });
        }
        let reason = "in an infinitely wide network an activation needs a dense layer or a convolution right before it";
        Err(fault(activation, reason))
    }
}

/// The layers as operations one after the other; state s is what operation s starts from.
pub(super) fn steps(layers: &[InfiniteLayer], flow: Flow) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    append(layers, &mut steps, flow)?;
    if steps.iter().any(|step| matches!(step, Step::Dense(_))) {
        Ok(steps)
    } else {
        Err(fault("layers", "an infinitely wide network needs at least one dense layer"))
    }
}

fn append(layers: &[InfiniteLayer], steps: &mut Vec<Step>, mut flow: Flow) -> Result<Flow> {
    for layer in layers {
        match layer {
            InfiniteLayer::Dense(variances) => {
                steps.push(Step::Dense(variances.check()?));
                flow = Flow { normal: true, fresh: true };
            }
            InfiniteLayer::Activation(Activation::Identity) | InfiniteLayer::Flatten => {}
            InfiniteLayer::Activation(activation) => {
                flow = flow.through(activation.name())?;
                steps.push(Step::Activation(Dual::from(*activation)));
            }
            InfiniteLayer::Function(function) => {
                flow = flow.through(function.name())?;
                steps.push(Step::Activation(Dual::of(function)?));
            }
            InfiniteLayer::LayerNorm { epsilon } => steps.push(Step::Activation(Dual::normalise(*epsilon)?)),
            InfiniteLayer::Residual { layers, shortcut } => flow = residual(layers, shortcut, steps, flow)?,
            InfiniteLayer::Convolution(_)
            | InfiniteLayer::AveragePool { .. }
            | InfiniteLayer::SumPool { .. }
            | InfiniteLayer::Pixels { .. }
            | InfiniteLayer::GlobalAveragePool => {
                return Err(fault("layers", "convolutions and pools need images, and stand before the dense layers"));
            }
        }
    }
    Ok(flow)
}

fn residual(branch: &[InfiniteLayer], shortcut: &[InfiniteLayer], steps: &mut Vec<Step>, flow: Flow) -> Result<Flow> {
    let input = steps.len();
    steps.push(Step::Split);
    let end = append(branch, steps, Flow { fresh: false, ..flow })?;
    if !end.fresh {
        return Err(fault("residual", "the branch of an infinitely wide network ends in a dense layer"));
    }
    let (mut from, mut flow) = (input, Flow { fresh: false, ..flow });
    if !shortcut.is_empty() {
        from = steps.len();
        steps.push(Step::Swap { from: input });
        flow = append(shortcut, steps, flow)?;
    }
    steps.push(Step::Join { from });
    Ok(Flow { normal: flow.normal && end.normal, fresh: flow.fresh })
}

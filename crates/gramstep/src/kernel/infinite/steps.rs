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
    /// Adds what was remembered, which is state number `from`.
    Join {
        from: usize,
    },
}

/// What is known of the values after some layers.
#[derive(Clone, Copy)]
struct Flow {
    /// Normally distributed, as an activation needs its input.
    normal: bool,
    /// Independent, with mean 0, of the input of the innermost residual branch.
    fresh: bool,
}

/// The layers as operations one after the other; state s is what operation s starts from.
pub(super) fn steps(layers: &[InfiniteLayer]) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    append(layers, &mut steps, Flow { normal: false, fresh: false })?;
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
            InfiniteLayer::Activation(Activation::Identity) => {}
            InfiniteLayer::Activation(activation) if flow.normal => {
                steps.push(Step::Activation(Dual::from(*activation)));
                flow = Flow { normal: false, fresh: false };
            }
            InfiniteLayer::Activation(activation) => {
                let reason = "in an infinitely wide network an activation needs a dense layer right before it";
                return Err(fault(activation.name(), reason));
            }
            InfiniteLayer::Residual(branch) => {
                let from = steps.len();
                steps.push(Step::Split);
                let end = append(branch, steps, Flow { normal: flow.normal, fresh: false })?;
                if !end.fresh {
                    return Err(fault("residual", "the branch of an infinitely wide network ends in a dense layer"));
                }
                steps.push(Step::Join { from });
                flow.normal &= end.normal;
            }
        }
    }
    Ok(flow)
}

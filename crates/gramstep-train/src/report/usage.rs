//! How to use a model: commands, and a script that rebuilds the network from its file with NumPy alone.

/// What a network's file holds.
pub(super) const NETWORK: &str = "model.safetensors holds one tensor for each weight (shape out × in) and bias, and as metadata the network and the \
     preprocessing. This script rebuilds the network with NumPy alone:";

/// What a kernel regression's file holds.
pub(super) const KERNEL: &str = "model.safetensors holds the training rows (inputs X and targets, preprocessed) and the coefficients c, and as metadata \
     the kernel and the preprocessing. The standardised prediction is f(x) = K(x, X)·c; in Python gramstep.ntk and \
     gramstep.nngp compute K of infinitely wide networks, gramstep.load_run predicts with any kernel.";

/// What the file of a combination holds.
pub(super) const COMBINATION: &str = "model.safetensors holds the tensors of every part (weights of networks, training rows and coefficients of kernels), \
     and as metadata the parts, their weights and the preprocessing. From Python, gramstep.load_run predicts with it; \
     trained with --candidates networks, a model is networks alone, which a few lines of NumPy rebuild.";

/// Rebuilds the network in Python with NumPy.
pub(super) const NUMPY: &str = include_str!("rebuild.py");

/// Commands for a run folder.
pub(super) fn commands(run: &str) -> String {
    format!(
        "gramstep predict {run} --data new.csv --out predictions.csv\n\
         gramstep info {run}\n\
         gramstep train --config {run}/config.toml      # the same run once more",
    )
}

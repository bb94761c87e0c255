//! How to use a model: commands, and a script that rebuilds the network from its file with NumPy alone.

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

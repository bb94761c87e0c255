//! Times of operations, taken in turn.

use std::time::Instant;

use serde_json::{Value, json};

/// An operation to be timed.
pub(crate) struct Operation<'a> {
    /// For example `step-mlp/sgd`.
    pub(crate) name: String,
    pub(crate) config: Value,
    pub(crate) run: Box<dyn FnMut() + 'a>,
}

/// Runs the operations in turn, twice unmeasured and `repeats` times measured, and prints a line for each.
pub(crate) fn measure(repeats: usize, mut operations: Vec<Operation<'_>>) {
    let mut seconds = vec![Vec::with_capacity(repeats); operations.len()];
    for round in 0..repeats + 2 {
        for (operation, seconds) in operations.iter_mut().zip(&mut seconds) {
            let start = Instant::now();
            (operation.run)();
            if round >= 2 {
                seconds.push(start.elapsed().as_secs_f64());
            }
        }
    }
    for (operation, mut seconds) in operations.into_iter().zip(seconds) {
        seconds.sort_by(f64::total_cmp);
        let line = json!({
            "op": operation.name,
            "config": operation.config,
            "median_s": seconds[seconds.len() / 2],
            "min_s": seconds[0],
            "max_s": seconds[seconds.len() - 1],
            "repeats": repeats,
        });
        println!("{line}");
    }
}

//! Whether what was learned is worth more than a constant.

use gramstep::Scalar;

use crate::data::{Problem, Targets};
use crate::outcome::metrics::Metrics;

/// A sentence for the user where a model is no better than the mean of the target, or the shares of the classes, on rows
/// that it has not seen; on its training rows where there are no others.
pub(super) fn note<T: Scalar>(problem: &Problem<T>, train: &Metrics, unseen: Option<&Metrics>) -> Option<String> {
    let (metrics, rows) = unseen.map_or((train, "training"), |unseen| (unseen, "validation"));
    let (lost, constant) = match &problem.preprocessing.targets {
        Targets::Regression { .. } => {
            let r2 = metrics.regression.as_ref()?.r2?;
            (r2 <= 0.0, format!("the mean of the target (R² {r2:.3})"))
        }
        Targets::Classification { .. } => {
            let entropy = entropy(problem);
            (
                metrics.loss >= entropy,
                format!("the shares of the classes (loss {:.3}, theirs {entropy:.3})", metrics.loss),
            )
        }
    };
    let advice = "do the inputs tell anything of the target? else try --epochs, --model or --optimizer";
    // What is not a number is no better either.
    (lost || !metrics.loss.is_finite())
        .then(|| format!("on the {rows} rows the model is no better than {constant}: {advice}"))
}

/// −Σ p log p of the classes' shares of the training rows, in nats.
fn entropy<T: Scalar>(problem: &Problem<T>) -> f64 {
    let shares = problem.train.mean_targets().into_iter().filter(|share| *share > 0.0);
    shares.map(|share| -share * share.ln()).sum()
}

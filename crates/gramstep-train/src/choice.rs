//! The model where the user names none: on small data a full-batch run takes seconds, so each candidate is trained and
//! the one with the lowest validation loss is taken. Test rows are not looked at.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::data::Problem;
use crate::error::{Error, Result};
use crate::observer::Silent;
use crate::run::{Keep, train_on};
use crate::settings::{Config, FULL_BATCH_ROWS, Facts, OptimizerName};

/// From few to many parameters; a tie goes to the smaller one.
pub(crate) const CANDIDATES: [&str; 3] = ["mlp:50:tanh", "mlp:50,50:gelu", "mlp:256,256:gelu"];

/// The best candidate; none where there is no choice, or where the user ends it.
pub(crate) fn model(problem: &Problem, config: &Config, stop: &AtomicBool) -> Result<Option<&'static str>> {
    if !applies(Facts::of(problem), config) {
        return Ok(None);
    }
    // The test rows are no business of the choice.
    let problem = Problem { test: None, ..problem.clone() };
    let mut best: Option<(f64, &'static str)> = None;
    for candidate in CANDIDATES {
        let config = Config { model: Some(candidate.to_owned()), ..config.clone() };
        match train_on(&problem, &config, Keep::Nothing, false, stop, &mut Silent) {
            Ok(report) => {
                let loss = report.validation.map_or(f64::INFINITY, |metrics| metrics.loss);
                if best.is_none_or(|(lowest, _)| loss < lowest) {
                    best = Some((loss, candidate));
                }
            }
            Err(Error::NonFinite { .. }) => {}
            Err(error) => return Err(error),
        }
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
    }
    Ok(best.map(|(_, candidate)| candidate))
}

/// Whether there is a choice: not where the user chose the model or limits, where the data are large, or where no rows
/// can judge.
pub(crate) fn applies(facts: Facts, config: &Config) -> bool {
    let limited = config.epochs.is_some() || config.time_limit.is_some() || config.batch_size.is_some();
    let second_order = config.optimizer.is_none_or(|name| name == OptimizerName::GramGaussNewton);
    let small = facts.samples * facts.outputs <= FULL_BATCH_ROWS && facts.image.is_none();
    config.model.is_none() && !limited && second_order && small && facts.validation
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choice_is_the_candidate_of_lowest_validation_loss_and_the_users_where_there_is_one() {
        let mut config = Config { data: Some("builtin:diabetes".to_owned()), ..Config::default() };
        let problem = Problem::load(&config).unwrap();
        let go_on = AtomicBool::new(false);
        let chosen = model(&problem, &config, &go_on).unwrap().unwrap();
        let loss = |name: &str| {
            let config = Config { model: Some(name.to_owned()), ..config.clone() };
            train_on(&problem, &config, Keep::Nothing, false, &go_on, &mut Silent).unwrap().validation.unwrap().loss
        };
        assert!(CANDIDATES.iter().all(|name| loss(chosen) <= loss(name)));
        config.model = Some("linear".to_owned());
        assert_eq!(model(&problem, &config, &go_on).unwrap(), None);
    }
}

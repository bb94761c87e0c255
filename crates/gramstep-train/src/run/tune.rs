//! A fair learning rate for the methods that depend on it: short runs over a grid, judged by the validation loss.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::data::Portion;
use crate::error::{Result, conflict};
use crate::format::text::number;
use crate::outcome::event::Observer;
use crate::outcome::{Report, Trial};
use crate::settings::{Config, Settings, TimeLimit};

/// Steps of the grid to each side of the method's default, three to a factor of ten.
const SIDES: i32 = 2;
/// As long as the best rate is the outermost one, the grid grows, by at most so many steps to a side.
const MOST: i32 = 6;
/// A trial gets this share of the epochs and of the time of a run.
const SHARE: usize = 5;

/// The learning rate of lowest validation loss for the method of a configuration, which completed is `settings`; `fit`
/// trains by a configuration and judges. Adds all that were tried to `trials`.
///
/// # Errors
/// When there are no validation rows, or a run fails other than by diverging.
pub(crate) fn learning_rate(
    config: &Config,
    settings: &Settings,
    fit: &mut dyn FnMut(&Config) -> Result<Report>,
    stop: &AtomicBool,
    observer: &mut dyn Observer,
    trials: &mut Vec<Trial>,
) -> Result<f64> {
    if settings.validation == Portion::Fraction(0.0) {
        let reason = "it judges by the validation loss: give --validation";
        return Err(conflict("tune", "a split without validation rows", reason));
    }
    let mut short = config.clone();
    short.epochs = config.epochs.map(|epochs| epochs.div_ceil(SHARE));
    short.time_limit = config.time_limit.map(|limit| TimeLimit(limit.0 / SHARE as u32));
    let rate = |exponent: i32| settings.learning_rate * 10_f64.powf(f64::from(exponent) / 3.0);

    let mut found: Vec<(i32, f64)> = Vec::new();
    let mut waiting: Vec<i32> = (-SIDES..=SIDES).collect();
    while let Some(exponent) = waiting.pop().filter(|_| !stop.load(Ordering::Relaxed)) {
        short.learning_rate = Some(rate(exponent));
        let loss = match fit(&short) {
            Ok(report) => report.validation.map(|metrics| metrics.loss).filter(|loss| loss.is_finite()),
            Err(error) if error.is_divergence() => None,
            Err(error) => return Err(error),
        };
        trials.push(Trial { optimizer: settings.optimizer, learning_rate: rate(exponent), validation_loss: loss });
        found.push((exponent, loss.unwrap_or(f64::INFINITY)));
        if waiting.is_empty() {
            waiting.extend(next(&found));
        }
    }
    let best = best(&found).map_or(settings.learning_rate, rate);
    observer.note(&format!("{}: learning rate {}, best of {} tried", settings.optimizer, number(best), found.len()))?;
    Ok(best)
}

fn best(found: &[(i32, f64)]) -> Option<i32> {
    found.iter().min_by(|a, b| a.1.total_cmp(&b.1)).filter(|best| best.1.is_finite()).map(|best| best.0)
}

/// The next rate outwards, if the best so far is at the edge.
fn next(found: &[(i32, f64)]) -> Option<i32> {
    let best = best(found)?;
    let (low, high) = found.iter().fold((0, 0), |(low, high), &(at, _)| (at.min(low), at.max(high)));
    let outward = if best == high { high + 1 } else { low - 1 };
    ((best == high || best == low) && outward.abs() <= MOST).then_some(outward)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Problem;
    use crate::folder::Keep;
    use crate::outcome::event::Silent;
    use crate::run::assignment::Assignment;
    use crate::settings::OptimizerName;

    #[test]
    fn the_grid_grows_while_the_best_is_at_its_edge() {
        let grid = |losses: &[f64]| (-2..).zip(losses.iter().copied()).collect::<Vec<_>>();
        assert_eq!(next(&grid(&[3.0, 2.0, 1.0, 2.0, 3.0])), None);
        assert_eq!(next(&grid(&[1.0, 2.0, 3.0, 4.0, 5.0])), Some(-3));
        assert_eq!(next(&grid(&[5.0, 4.0, 3.0, 2.0, 1.0])), Some(3));
        assert_eq!(next(&[(6, 0.0)]), None);
        assert_eq!(best(&grid(&[f64::INFINITY; 5])), None);
    }

    #[test]
    fn the_best_rate_of_the_validation_rows_is_taken() {
        let mut config = Config { data: Some("builtin:diabetes".to_owned()), ..Config::default() };
        (config.epochs, config.optimizer) = (Some(10), Some(OptimizerName::Sgd));
        config.model = Some("mlp:8:tanh".to_owned());
        let mut trials = Vec::new();
        let rate = tuned(&config, &mut trials).unwrap();
        assert!(trials.len() >= 5);
        let loss = |trial: &Trial| trial.validation_loss.unwrap_or(f64::INFINITY);
        let chosen = trials.iter().find(|trial| trial.learning_rate == rate).unwrap();
        assert!(trials.iter().all(|trial| loss(chosen) <= loss(trial)));
        config.validation = Some("0".parse().unwrap());
        assert!(tuned(&config, &mut trials).is_err());
    }

    fn tuned(config: &Config, trials: &mut Vec<Trial>) -> Result<f64> {
        let problem = Problem::load(&config.data_options().unwrap()).unwrap();
        let go_on = AtomicBool::new(false);
        let mut fit = |config: &Config| {
            let of = Assignment::new(&problem, config, (&go_on).into());
            of.learn(Keep::Nothing, &mut Silent).map(|learnt| learnt.report)
        };
        let settings = Settings::resolve(config, &problem)?;
        learning_rate(config, &settings, &mut fit, &go_on, &mut Silent, trials)
    }
}

//! What the user leaves open: the architecture and the number of networks.
//!
//! On small data a full-batch run takes seconds, so each candidate is trained and the one with the lowest validation
//! loss is taken. Test rows are not looked at.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::fitted::named;
use super::learnt::Learnt;
use crate::error::Result;
use crate::outcome::event::Observer;
use crate::outcome::{Report, StopReason};
use crate::settings::{Config, Facts, OptimizerName, Preset, TimeLimit};
use crate::training::workers::{Tell, side_by_side};

/// From few to many parameters; a tie goes to the smaller one.
const CANDIDATES: [&str; 3] = ["mlp:50:tanh", "mlp:50,50:gelu", "mlp:256,256:gelu"];
/// The architecture for small data without a choice.
const SMALL: &str = CANDIDATES[1];
/// Networks on small data.
const MEMBERS: usize = 5;
/// The same of a thorough run.
const THOROUGH_MEMBERS: usize = 10;
/// Networks on data of middle size.
const MIDDLE_MEMBERS: usize = 3;
/// Most numbers to predict of data of middle size.
const MIDDLE: usize = 20_000;
/// Networks of each architecture that is tried: with one, the choice is as much of rows and seed.
const JUDGES: usize = 3;
/// The least time that is a limit.
const LEAST: Duration = Duration::from_millis(1);

/// Trains by a configuration and judges.
pub(crate) type Fit<'a> = &'a (dyn Fn(&Config) -> Result<Learnt> + Sync);

/// Decides architecture and number of networks, where the user does not. There is no choice of architectures where the
/// user names one or limits its steps, where the data are large or no rows can judge; a limit of time is for both, choice
/// and networks, which have that `share` of what is left. `fit` trains by a configuration and judges, without the test rows.
/// Returns the best so far where the user ends the choice.
pub(crate) fn settle(
    facts: Facts,
    config: &mut Config,
    (fit, share): (Fit<'_>, f64),
    stop: &AtomicBool,
    observer: &mut dyn Observer,
) -> Result<Option<Learnt>> {
    let named_by_user = config.ensemble.is_some();
    if !decide(facts, config) {
        return Ok(None);
    }
    let judges = if config.preset == Some(Preset::Thorough) { MEMBERS } else { JUDGES };
    let began = Instant::now();
    let short = Config { ensemble: Some(judges), ..config.clone() };
    let Choice { best, tried } = choose(&short, began, fit, stop, observer)?;
    if stop.load(Ordering::Relaxed) {
        return Ok(best.map(|(_, learnt)| learnt));
    }
    let Some((best, learnt)) = best else { return Ok(None) };
    config.model = Some(best.to_owned());
    let mut members = config.ensemble.unwrap_or(1);
    if let Some(limit) = config.time_limit {
        let left = limit.0.saturating_sub(began.elapsed()).max(LEAST);
        if !named_by_user {
            members = affordable(&learnt.report, judges, left.mul_f64(share)).min(members);
        }
        (config.time_limit, config.ensemble) = (Some(TimeLimit(left)), Some(members));
    }
    let networks = named(members, best);
    observer.note(&format!("the model is {networks}, best of {tried} by the validation loss"))?;
    if tried < CANDIDATES.len() {
        let others = CANDIDATES[tried..].join(" and ");
        observer.note(&format!("there was no time to try {others}: half of --time-limit is for the choice"))?;
    }
    Ok(None)
}

/// Decides what needs no fit: the number of networks, and the model of the fast preset. Whether an architecture is to be
/// chosen.
pub(super) fn decide(facts: Facts, config: &mut Config) -> bool {
    let preset = config.preset.unwrap_or(Preset::Default);
    let small = facts.are_small();
    let second_order = config.optimizer.is_none_or(|name| name == OptimizerName::GramGaussNewton);
    let open = config.model.is_none() && facts.image.is_none() && second_order;
    let stepwise = config.epochs.is_some() || config.batch_size.is_some();
    let choosable = open && small && facts.validation && !stepwise && preset != Preset::Fast;
    let limited = stepwise || (config.time_limit.is_some() && !choosable);
    let members = match preset {
        Preset::Fast => 1,
        Preset::Thorough if !open => MEMBERS,
        _ if !open || (limited && preset == Preset::Default) => 1,
        Preset::Thorough if small => THOROUGH_MEMBERS,
        Preset::Default if facts.samples * facts.outputs > MIDDLE => 1,
        Preset::Default if !small => MIDDLE_MEMBERS,
        _ => MEMBERS,
    };
    config.ensemble.get_or_insert(members);
    if open && small && preset == Preset::Fast {
        config.model = Some(SMALL.to_owned());
    }
    choosable
}

/// How many networks of an architecture can be trained in some time, as some of it took; of one that came to no end, one.
fn affordable(report: &Report, judges: usize, time: Duration) -> usize {
    let each = report.seconds / judges as f64;
    #[allow(clippy::cast_sign_loss)] // times are not negative
    let networks = (time.as_secs_f64() / each) as usize;
    if report.stop_reason == StopReason::TimeLimit { 1 } else { networks.max(1) }
}

/// The candidate of lowest validation loss, of those that were tried until user or time ended the choice.
struct Choice {
    best: Option<(&'static str, Learnt)>,
    /// How many of the candidates, from the first on.
    tried: usize,
}

/// Tries the candidates: side by side, or, where time is limited, one after the other in half of it, each in its share of
/// what is left.
fn choose(
    config: &Config,
    began: Instant,
    fit: Fit<'_>,
    stop: &AtomicBool,
    observer: &mut dyn Observer,
) -> Result<Choice> {
    observer.note(&format!("trying {}", CANDIDATES.join(", ")))?;
    let mut lowest = f64::INFINITY;
    let (mut choice, mut failure) = (Choice { best: None, tried: 0 }, Ok(()));
    let share = |number: usize| {
        let left = |limit: TimeLimit| (limit.0 / 2).saturating_sub(began.elapsed());
        config.time_limit.map(|limit| left(limit) / (CANDIDATES.len() - number) as u32)
    };
    let task = |number: usize, tell: Tell<'_, Result<Learnt>>| {
        let share = share(number);
        let is_over = stop.load(Ordering::Relaxed) || share.is_some_and(|share| share.is_zero());
        if number == 0 || !is_over {
            let time_limit = share.map(|share| TimeLimit(share.max(LEAST)));
            tell(fit(&Config { model: Some(CANDIDATES[number].to_owned()), time_limit, ..config.clone() }));
        }
    };
    // Their networks wait for places, not they.
    let at_once = if config.time_limit.is_some() { 1 } else { CANDIDATES.len() };
    side_by_side(0..CANDIDATES.len(), at_once, None, task, |number, learnt| {
        choice.tried = number + 1;
        match learnt {
            Ok(learnt) => {
                let loss = learnt.report.validation.as_ref().map(|metrics| metrics.loss);
                let loss = loss.filter(|loss| !loss.is_nan()).unwrap_or(f64::INFINITY);
                if choice.best.is_none() || loss < lowest {
                    (lowest, choice.best) = (loss, Some((CANDIDATES[number], learnt)));
                }
            }
            Err(error) if error.is_divergence() => {}
            Err(error) => failure = Err(error),
        }
        if failure.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    failure.map(|()| choice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Problem;
    use crate::folder::Keep;
    use crate::outcome::event::Silent;
    use crate::run::assignment::Assignment;

    fn settled(problem: &Problem, config: &Config) -> Config {
        let mut config = config.clone();
        let go_on = AtomicBool::new(false);
        let fit = |config: &Config| Ok(learnt(problem, config));
        settle(Facts::of(problem), &mut config, (&fit, 1.0), &go_on, &mut Silent).unwrap();
        config
    }

    fn learnt(problem: &Problem, config: &Config) -> Learnt {
        let go_on = AtomicBool::new(false);
        let of = Assignment::new(problem, config, (&go_on).into());
        of.learn(Keep::Nothing, &mut Silent).unwrap()
    }

    #[test]
    fn the_choice_is_the_candidate_of_lowest_validation_loss_and_the_users_where_there_is_one() {
        let mut config = Config { data: Some("builtin:diabetes".to_owned()), ..Config::default() };
        let problem = Problem::load(&config.data_options().unwrap()).unwrap();
        let with = settled(&problem, &config);
        assert_eq!(with.ensemble, Some(MEMBERS));
        let loss = |name: &str| {
            let config = Config { model: Some(name.to_owned()), ensemble: Some(JUDGES), ..config.clone() };
            learnt(&problem, &config).report.validation.unwrap().loss
        };
        assert!(CANDIDATES.iter().all(|name| loss(with.model.as_deref().unwrap()) <= loss(name)));
        config.model = Some("linear".to_owned());
        assert_eq!(settled(&problem, &config), Config { ensemble: Some(1), ..config });
    }

    #[test]
    fn a_preset_decides_what_the_user_leaves_open() {
        let config = Config { data: Some("builtin:diabetes".to_owned()), ..Config::default() };
        let problem = Problem::load(&config.data_options().unwrap()).unwrap();
        let fast = Config { preset: Some(Preset::Fast), ..config.clone() };
        let with = settled(&problem, &fast);
        assert_eq!((with.ensemble, with.model.as_deref()), (Some(1), Some(SMALL)));
        assert_eq!(settled(&problem, &Config { ensemble: Some(2), ..fast }).ensemble, Some(2));
        let with = settled(&problem, &Config { epochs: Some(3), ..config });
        assert_eq!((with.ensemble, with.model), (Some(1), None));
    }
}

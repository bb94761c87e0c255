//! Fair settings for every method before they are compared: learning rate, momentum, damping and schedule by successive
//! halving (jamieson2016), judged by the validation loss.
//!
//! Every round costs as much as one run: of n settings each gets 1/n of its epochs and of its time, and the best third
//! goes on. The method's own settings go on to the last round: short runs favour bold steps, and nothing that is chosen is
//! worse than they are where runs are longest. What the user gives stays as it is.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::data::Portion;
use crate::error::{Result, conflict};
use crate::format::text::number;
use crate::outcome::Trial;
use crate::outcome::event::Observer;
use crate::settings::{Config, DampingChoice, OptimizerName, ScheduleChoice, Settings, TimeLimit};
use crate::training::optimizer::relative_damping;

/// Learning rates to each side of the method's default, three to a factor of ten.
const SIDES: i32 = 4;
/// As long as the best rate of the first round is the outermost one, rates are added, by at most so many steps to a side.
const MOST: i32 = 7;
/// Of so many settings one goes on.
const KEPT: usize = 3;
/// The momentum that is tried beside the method's own.
const MOMENTUM: f64 = 0.95;
/// The factor on the damping that is tried beside the method's own.
const DAMPING: f64 = 1.0 / 3.0;

/// Settings that are tried.
#[derive(Clone, Debug, PartialEq)]
struct Candidate {
    /// The learning rate, in steps from the default.
    exponent: i32,
    learning_rate: f64,
    momentum: f64,
    damping: Option<DampingChoice>,
    schedule: ScheduleChoice,
    /// Whether these are the method's own settings.
    own: bool,
    /// In its last round.
    loss: f64,
}

impl Candidate {
    fn enter(&self, config: &mut Config) {
        config.learning_rate = Some(self.learning_rate);
        config.momentum = Some(self.momentum);
        config.damping = self.damping;
        config.schedule = Some(self.schedule.clone());
    }

    fn describe(&self) -> String {
        let damping = match self.damping {
            Some(DampingChoice::Fixed(damping)) => format!(", damping {}", number(damping)),
            _ => String::new(),
        };
        let rate = number(self.learning_rate);
        format!("learning rate {rate}, momentum {}{damping}, schedule {}", self.momentum, self.schedule)
    }
}

/// What is tried: rates with each of the variants.
struct Grid {
    middle: f64,
    variants: Vec<(f64, Option<DampingChoice>, ScheduleChoice)>,
}

impl Grid {
    /// For a method, `settings` complete for so many training rows.
    fn of(config: &Config, settings: &Settings, samples: usize) -> Self {
        let (own, fixed) = (settings.momentum, relative_damping(settings, samples));
        let gram = settings.optimizer == OptimizerName::GramGaussNewton;
        let momenta = [own, if gram && own == 0.0 { own } else { MOMENTUM }];
        let less = fixed.map(|damping| DampingChoice::Fixed(damping * DAMPING));
        let dampings = [settings.damping, less.filter(|_| gram).or(settings.damping)];
        let schedules = [ScheduleChoice::CONSTANT, ScheduleChoice::COSINE];
        let mut variants = Vec::new();
        for (changed, cosine) in [(0, 0), (0, 1), (1, 1)] {
            let variant = (
                config.momentum.unwrap_or(momenta[changed]),
                config.damping.or(dampings[changed]),
                config.schedule.clone().unwrap_or_else(|| schedules[cosine].clone()),
            );
            if !variants.contains(&variant) {
                variants.push(variant);
            }
        }
        Self { middle: settings.learning_rate, variants }
    }

    /// All settings with one rate.
    fn at(&self, exponent: i32) -> impl Iterator<Item = Candidate> {
        let learning_rate = self.middle * 10_f64.powf(f64::from(exponent) / 3.0);
        self.variants.iter().cloned().enumerate().map(move |(variant, (momentum, damping, schedule))| Candidate {
            exponent,
            learning_rate,
            momentum,
            damping,
            schedule,
            own: exponent == 0 && variant == 0,
            loss: f64::INFINITY,
        })
    }
}

/// Enters the best settings into the configuration of a method, which completed for so many training rows is `settings`;
/// `fit` trains by a configuration and gives the validation loss. Adds all that were tried to `trials`.
///
/// # Errors
/// When there are no validation rows, or a run fails other than by diverging.
pub(crate) fn tune(
    config: &mut Config,
    (settings, samples): (&Settings, usize),
    fit: &mut dyn FnMut(&Config) -> Result<f64>,
    stop: &AtomicBool,
    observer: &mut dyn Observer,
    trials: &mut Vec<Trial>,
) -> Result<()> {
    if settings.validation == Portion::Fraction(0.0) {
        let reason = "it judges by the validation loss: give --validation";
        return Err(conflict("tune", "a split without validation rows", reason));
    }
    let grid = Grid::of(config, settings, samples);
    let mut field: Vec<Candidate> = (-SIDES..=SIDES).flat_map(|exponent| grid.at(exponent)).collect();
    let (mut rounds, mut cost, mut tried) = (0, 0.0, 0);
    while field.len() > 1 && !stop.load(Ordering::Relaxed) {
        let share = 1.0 / field.len() as f64;
        let mut at = 0;
        while at < field.len() && !stop.load(Ordering::Relaxed) {
            let mut short = Config { watch_kernel: None, ..config.clone() };
            field[at].enter(&mut short);
            short.epochs = config.epochs.map(|epochs| part(epochs, share));
            short.time_limit = config.time_limit.map(|limit| TimeLimit(limit.0.mul_f64(share)));
            field[at].loss = match fit(&short) {
                Ok(loss) => loss,
                Err(error) if error.is_divergence() => f64::INFINITY,
                Err(error) => return Err(error),
            };
            if !field[at].loss.is_finite() {
                field[at].loss = f64::INFINITY;
            }
            trials.push(trial(settings.optimizer, &field[at], share));
            cost += match (config.epochs.filter(|_| config.time_limit.is_none()), short.epochs) {
                (Some(all), Some(short)) => short as f64 / all as f64,
                _ => share,
            };
            at += 1;
            observer.count("settings", at, field.len());
            if rounds == 0 && at == field.len() {
                field.extend(next(&field).into_iter().flat_map(|exponent| grid.at(exponent)));
            }
        }
        tried = tried.max(field.len());
        rounds += 1;
        field.truncate(at.max(1));
        field = best_of(field);
    }
    let Some(best) = field.first().filter(|best| best.loss.is_finite()) else {
        return observer.note(&format!("{}: none of {tried} settings stayed finite", settings.optimizer));
    };
    best.enter(config);
    observer.note(&format!(
        "{}: {}, best of {tried} settings in {rounds} rounds, which took {cost:.1} times as long as the run",
        settings.optimizer,
        best.describe()
    ))
}

/// The settings of the next round.
fn best_of(mut field: Vec<Candidate>) -> Vec<Candidate> {
    field.sort_by(|a, b| a.loss.total_cmp(&b.loss));
    let kept = if field.len() > KEPT { field.len().div_ceil(KEPT) } else { 1 };
    let own = field.iter().position(|candidate| candidate.own && candidate.loss.is_finite());
    if let Some(own) = own.filter(|own| *own >= kept && kept > 1) {
        field.swap(kept - 1, own);
    }
    field.truncate(kept);
    field
}

/// So much of a number of epochs; at least one.
fn part(epochs: usize, share: f64) -> usize {
    #[allow(clippy::cast_sign_loss)] // both are above 0
    let part = (epochs as f64 * share - 1e-9).ceil() as usize;
    part.max(1)
}

fn trial(optimizer: OptimizerName, of: &Candidate, share: f64) -> Trial {
    Trial {
        optimizer,
        learning_rate: of.learning_rate,
        momentum: of.momentum,
        damping: of.damping,
        schedule: of.schedule.clone(),
        share,
        validation_loss: Some(of.loss).filter(|loss| loss.is_finite()),
    }
}

/// The next rate outwards, if the best so far is at the edge.
fn next(field: &[Candidate]) -> Option<i32> {
    let best = field.iter().min_by(|a, b| a.loss.total_cmp(&b.loss)).filter(|best| best.loss.is_finite())?.exponent;
    let exponents = || field.iter().map(|candidate| candidate.exponent);
    let (low, high) = (exponents().min()?, exponents().max()?);
    let outward = if best == high { high + 1 } else { low - 1 };
    ((best == high || best == low) && outward.abs() <= MOST).then_some(outward)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Problem;
    use crate::outcome::event::Event;

    /// The settings that are chosen where the loss depends on the rate alone, all trials, and what is told.
    fn tuned(config: &Config, loss: impl Fn(&Config) -> f64) -> (Config, Vec<Trial>, String) {
        let problem = Problem::load(&config.data_options().unwrap()).unwrap();
        let go_on = AtomicBool::new(false);
        let mut fit = |config: &Config| Ok(loss(config));
        let (mut config, mut trials, mut told) = (config.clone(), Vec::new(), String::new());
        let mut hear = |event: &Event<'_>| {
            if let Event::Note(note) = event {
                told += note;
            }
            Ok(())
        };
        let settings = Settings::resolve(&config, &problem).unwrap();
        let rows = problem.train.rows();
        tune(&mut config, (&settings, rows), &mut fit, &go_on, &mut hear, &mut trials).unwrap();
        (config, trials, told)
    }

    fn sgd() -> Config {
        let mut config = Config { data: Some("builtin:diabetes".to_owned()), ..Config::default() };
        (config.epochs, config.optimizer) = (Some(27), Some(OptimizerName::Sgd));
        config
    }

    #[test]
    fn the_best_settings_win_and_each_round_costs_one_run() {
        let best = 0.01 * 10_f64.powf(1.0 / 3.0);
        let loss = |config: &Config| {
            let off = (config.learning_rate.unwrap() / best).ln().abs();
            off + 0.1 * (config.momentum.unwrap() - 0.95).abs()
                + f64::from(u8::from(config.schedule != "cosine".parse().ok()))
        };
        let (config, trials, told) = tuned(&sgd(), loss);
        assert!((config.learning_rate.unwrap() / best - 1.0).abs() < 1e-12);
        assert_eq!((config.momentum, config.schedule), (Some(0.95), Some(ScheduleChoice::COSINE)));
        assert_eq!(trials.len(), 27 + 9 + 3);
        let epochs: f64 = trials.iter().map(|trial| trial.share).sum();
        assert!((epochs - 3.0).abs() < 1e-9 && told.contains("3.0 times as long as the run"), "{told}");
    }

    #[test]
    fn the_own_settings_go_on_to_the_last_round_and_win_where_runs_are_longest() {
        let epochs = 27;
        let loss = |config: &Config| {
            let (rate, share) = (config.learning_rate.unwrap(), config.epochs.unwrap() as f64 / f64::from(epochs));
            // Bold steps begin well, and end badly.
            if share < 0.3 { -rate } else { (rate / 0.01).ln().abs() }
        };
        let (config, trials, _) = tuned(&Config { epochs: Some(27), ..sgd() }, loss);
        assert_eq!(config.learning_rate, Some(0.01));
        let mut rounds: Vec<f64> = trials.iter().map(|trial| trial.share).collect();
        rounds.dedup();
        let own = |trial: &&Trial| {
            (trial.learning_rate, trial.momentum, &trial.schedule) == (0.01, 0.9, &ScheduleChoice::CONSTANT)
        };
        assert_eq!(trials.iter().filter(own).count(), rounds.len(), "one in each round");
    }

    #[test]
    fn rates_are_added_while_the_best_is_at_the_edge() {
        let (config, trials, _) = tuned(&sgd(), |config| -config.learning_rate.unwrap());
        let rate = 0.01 * 10_f64.powf(f64::from(MOST) / 3.0);
        assert!((config.learning_rate.unwrap() / rate - 1.0).abs() < 1e-12);
        assert!(trials.len() > 39);
    }

    #[test]
    fn what_the_user_gives_stays_and_what_diverges_everywhere_changes_nothing() {
        let given = Config { momentum: Some(0.5), schedule: "step:0.5".parse().ok(), ..sgd() };
        let (config, trials, _) = tuned(&given, |config| config.learning_rate.unwrap());
        assert_eq!((config.momentum, &config.schedule), (given.momentum, &given.schedule));
        assert!(trials.iter().all(|trial| trial.momentum == 0.5));
        let (config, _, told) = tuned(&sgd(), |_| f64::NAN);
        assert_eq!(config, sgd());
        assert!(told.contains("none of 27 settings stayed finite"), "{told}");
    }

    #[test]
    fn damping_is_tuned_where_it_stays_as_it_is() {
        let mut config = Config { optimizer: Some(OptimizerName::GramGaussNewton), ..sgd() };
        config.batch_size = Some("32".parse().unwrap());
        let dampings = |config: &Config| {
            let (_, trials, _) = tuned(config, |config| config.learning_rate.unwrap());
            let mut dampings: Vec<String> = trials.iter().map(|trial| format!("{:?}", trial.damping)).collect();
            dampings.sort();
            dampings.dedup();
            dampings.len()
        };
        assert_eq!(dampings(&config), 2);
        config.batch_size = Some("full".parse().unwrap());
        assert_eq!(dampings(&config), 1);
    }
}

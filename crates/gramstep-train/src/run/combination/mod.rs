//! The best of several models: networks, kernel regressions and ridge regression, weighted by what each says of rows
//! that it has not seen. Every row of training and validation has its fold; networks left it out by their validation
//! rows, kernels in closed form or by a fit without it.

mod crossed;
mod kernels;
mod many;
mod nonnegative;
mod rows;
mod views;
mod weights;

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use gramstep::kernel::ScaledKind;
use gramstep::{Device, Matrix, Scalar};

use self::crossed::crossed;
use self::kernels::{Fitting, INFINITE, MOST_DECOMPOSED, MOST_FITS, Tried};
use self::many::MANY;
use self::rows::{Rows, unseen_by};
use self::weights::weights;
use super::fitted::Fitted;
use super::judged::RIDGE;
use super::reference;
use crate::data::{Dataset, Problem, Task};
use crate::error::Result;
use crate::outcome::event::Observer;
use crate::outcome::metrics::{Metrics, loss_of_outputs, measure};
use crate::outcome::{Candidate, HeldOut};
use crate::predictor::{Combination, Learned, Part, PartModel, View, inverse_temperature};
use crate::settings::Settings;

/// Kernels that are tried on the inputs as they are.
const KINDS: [ScaledKind; 7] = [
    ScaledKind::Matern32,
    ScaledKind::AnovaMatern32,
    ScaledKind::Matern12,
    ScaledKind::AnovaMatern12,
    ScaledKind::Rbf,
    ScaledKind::AnovaRbf,
    ScaledKind::Matern52,
];
/// The architecture where there is no choice, and the one that is tried beside it on many rows.
const DEFAULT: &str = "mlp:256,256:gelu";
const SMALL: &str = "mlp:50,50:gelu";
/// Products over more columns than these take too long.
const MOST_FACTORS: usize = 64;

/// What became of it.
pub(super) struct Combined {
    pub(super) learned: Learned,
    /// What it says of the rows that judge.
    pub(super) unseen: HeldOut<f64>,
    /// On them.
    pub(super) metrics: Metrics,
    /// All that was tried, with losses and weights.
    pub(super) candidates: Vec<Candidate>,
    /// Whether user or time ended it before all was tried.
    pub(super) cut_short: bool,
    /// Seconds that it took.
    pub(super) seconds: f64,
}

/// How it is to be made.
pub(super) struct Recipe<'a> {
    pub(super) linear: bool,
    /// Whether rows that judge are apart from the others by time or group, and have to be left out together.
    pub(super) apart: bool,
    pub(super) seed: u64,
    pub(super) threads: usize,
    pub(super) stop: &'a AtomicBool,
    pub(super) until: Option<Instant>,
}

/// A candidate with what it says of the rows that judge.
struct Candidacy {
    part: Part,
    outputs: Matrix<f64>,
}

/// The settings of other networks that are worth a try beside these: of many rows, where one architecture was trained
/// without a choice.
pub(super) fn others<T: Scalar>(problem: &Problem<T>, settings: &Settings) -> Result<Option<Settings>> {
    let wanted = problem.train.rows() > MANY && settings.model.to_string() == DEFAULT;
    wanted.then(|| Ok(Settings { model: SMALL.parse()?, ..settings.clone() })).transpose()
}

/// Weighs networks, others, kernels and a line; none where no rows judge.
pub(super) fn combine<T: Scalar>(
    problem: &Problem<T>,
    (fitted, others): (&Fitted<T>, Option<&Fitted<T>>),
    recipe: &Recipe<'_>,
    observer: &mut dyn Observer,
) -> Result<Option<Combined>> {
    let clock = Instant::now();
    let Some(rows) = Rows::of(problem, fitted)? else { return Ok(None) };
    let targets = &problem.preprocessing.targets;
    let task = targets.task();
    let Some(model) = networks(&fitted.learned) else { return Ok(None) };
    let part = Part { name: fitted.what(), weight: 1.0, view: View::default(), model };
    let mut candidates = vec![Candidacy { part, outputs: rows.networks.clone() }];
    if let Some(others) = others
        && let (Some(outputs), Some(model)) = (unseen_by(others, problem, &rows.folds)?, networks(&others.learned))
    {
        let part = Part { name: others.what(), weight: 1.0, view: View::default(), model };
        candidates.push(Candidacy { part, outputs });
    }
    let alike = (0..rows.all.rows()).any(|row| rows.all.is_like_the_last(row));
    let apart = (recipe.apart || alike) && rows.folds.len() <= MOST_FITS;
    if recipe.linear
        && let Some(line) = line(problem, &rows, apart, recipe.threads)?
    {
        candidates.push(line);
    }
    let Recipe { seed, threads, stop, until, .. } = *recipe;
    let fitting = Fitting { rows: &rows, task, seed, threads, stop, until, apart, ended: Cell::new(false) };
    let (left_out, places) = if rows.all.rows() > MANY {
        let many = fitting.try_many(&kinds(&rows.all), observer)?;
        candidates.extend(many.tried.into_iter().map(|Tried { part, outputs, .. }| Candidacy { part, outputs }));
        (many.left_out, Some(many.places))
    } else {
        (kernels(problem, &fitting, &mut candidates, observer)?, None)
    };
    if !left_out.is_empty() {
        observer.note(&format!("not tried: {}", left_out.join(", ")))?;
    }
    let unseen = rows.unseen();
    let outputs: Vec<&Matrix<f64>> = candidates.iter().map(|candidate| &candidate.outputs).collect();
    let found = weights(task, &outputs, &unseen)?;
    let mut whole = crossed(task, &outputs, &unseen, &rows.blocks(), &found)?;
    let beta = if task == Task::Classification { inverse_temperature(&whole, &unseen) } else { 1.0 };
    if task == Task::Classification {
        whole.as_mut_slice().iter_mut().for_each(|f| *f *= beta);
    }
    let told = candidates.iter().zip(&found).map(|(candidate, &weight)| Candidate {
        model: candidate.part.name.clone(),
        loss: loss_of_outputs(&candidate.outputs, &unseen, targets),
        kept: weight > 0.0,
        weight: Some(weight),
    });
    let told = told.collect();
    let metrics = measure(&whole, &unseen.targets, unseen.weights.as_deref(), targets);
    let parts = candidates.into_iter().zip(&found).filter(|(_, weight)| **weight > 0.0);
    let parts = parts.map(|(candidate, &weight)| Part { weight, ..candidate.part }).collect();
    let (judging, device) = (rows.places(), Device::cpu(threads));
    let train = places.map_or_else(|| rows.all.clone(), |places| rows.all.select(&places));
    let fold_of =
        rows.folds.iter().enumerate().flat_map(|(fold, rows)| std::iter::repeat_n(fold, rows.len())).collect();
    let combination = Combination::new(task, parts, beta, train, &device);
    Ok(Some(Combined {
        learned: Learned::Combination(Arc::new(combination)),
        unseen: HeldOut { outputs: whole, rows: unseen, places: judging, fold_of, sets: rows.sets.clone() },
        metrics,
        candidates: told,
        // A kernel that has no solution is left out, too.
        cut_short: !left_out.is_empty() && fitting.ended.get(),
        seconds: clock.elapsed().as_secs_f64(),
    }))
}

fn networks(learned: &Learned) -> Option<PartModel> {
    match learned {
        Learned::F32(networks) => Some(PartModel::F32(networks.clone())),
        Learned::F64(networks) => Some(PartModel::F64(networks.clone())),
        Learned::Kernel(_) | Learned::Combination(_) => None,
    }
}

/// Ridge regression of inputs without bounds.
fn line<T: Scalar>(problem: &Problem<T>, rows: &Rows, apart: bool, threads: usize) -> Result<Option<Candidacy>> {
    let inputs = &problem.preprocessing.inputs;
    let Some((networks, mut outputs)) = reference::line(&rows.all, &rows.places(), problem, threads)? else {
        return Ok(None);
    };
    if apart {
        let without = |rest: &Dataset<f64>, fold: &[usize]| {
            let others = rows.all.inputs.select_rows(fold);
            reference::line_of_others((rest, &others), problem, threads)
        };
        outputs = rows.without_folds(without)?;
    }
    let view = View::unbounded(&inputs.bounds);
    let part = Part { name: RIDGE.to_owned(), weight: 1.0, view, model: PartModel::F64(networks) };
    Ok(Some(Candidacy { part, outputs }))
}

/// The kinds that are tried on rows like these.
fn kinds(rows: &Dataset<f64>) -> Vec<ScaledKind> {
    let few = rows.inputs.columns() <= MOST_FACTORS;
    KINDS.into_iter().filter(|kind| few || !kind.has_shares()).collect()
}

/// Tries kernels of the inputs as they are, then the best ones of other views. Returns what was left out.
fn kernels<T: Scalar>(
    problem: &Problem<T>,
    fitting: &Fitting<'_>,
    candidates: &mut Vec<Candidacy>,
    observer: &mut dyn Observer,
) -> Result<Vec<String>> {
    let kinds = kinds(&fitting.rows.all);
    let views = views::others(&problem.preprocessing.inputs, &fitting.rows.all);
    let mut left_out = Vec::new();
    let mut tried: Vec<Tried> = Vec::new();
    let all = kinds.len() + 2 * views.len();
    for (done, kind) in kinds.into_iter().enumerate() {
        observer.count("kernels", done, all);
        match fitting.try_kernel(kind, &View::default())? {
            Some(one) => tried.push(one),
            None => left_out.push(format!("kernel:{kind}")),
        }
    }
    let unseen = fitting.rows.unseen();
    let targets = &problem.preprocessing.targets;
    let loss = |tried: &Tried| loss_of_outputs(&tried.outputs, &unseen, targets);
    for (number, (what, view)) in views.iter().enumerate() {
        for shares in [false, true] {
            observer.count("kernels", all - 2 * (views.len() - number) + usize::from(shares), all);
            let like = tried.iter().filter(|tried| tried.kind.has_shares() == shares);
            let Some(best) = like.min_by(|a, b| loss(a).total_cmp(&loss(b))) else { continue };
            let name = format!("kernel:{}{what}", best.kind);
            match fitting.try_kernel(best.kind, view)? {
                Some(one) => {
                    let part = Part { name, ..one.part };
                    candidates.push(Candidacy { part, outputs: one.outputs });
                }
                None => left_out.push(name),
            }
        }
    }
    if fitting.rows.all.rows() <= MOST_DECOMPOSED {
        match fitting.try_infinite()? {
            Some((part, outputs)) => candidates.push(Candidacy { part, outputs }),
            None => left_out.push(INFINITE.to_owned()),
        }
    }
    observer.count("kernels", all, all);
    candidates.extend(tried.into_iter().map(|Tried { part, outputs, .. }| Candidacy { part, outputs }));
    Ok(left_out)
}

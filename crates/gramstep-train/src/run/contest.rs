//! What a run keeps of what it fitted, and how that does on rows that it has not seen: the model, ridge regression in its
//! place, or the combination of all.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use gramstep::{Matrix, Scalar};

use super::assignment::Assignment;
use super::combination::{Combined, Recipe, combine, others};
use super::fitted::Fitted;
use super::judged::Judged;
use super::kept::Kept;
use super::networks;
use super::plan::Plan;
use crate::data::{Dataset, Problem, Targets};
use crate::error::Result;
use crate::outcome::event::{Observer, Silent};
use crate::outcome::metrics::Metrics;
use crate::outcome::{Candidate, HeldOut, StopReason};
use crate::predictor::{ClassSets, Spread};
use crate::settings::{Candidates, Settings, TimeLimit};

/// What is kept.
pub(super) struct Winner<T> {
    pub(super) fitted: Fitted<T>,
    /// On rows that it has not seen.
    pub(super) unseen: Option<Metrics>,
    /// All that was judged by these rows.
    pub(super) candidates: Vec<Candidate>,
    /// Whether it sees inputs without bounds.
    pub(super) unbounded: bool,
    /// Its errors on rows that it has not seen.
    pub(super) errors: Errors,
    /// Whether it is what the optimiser made.
    pub(super) is_trained: bool,
}

/// What is known of errors on unseen rows: their size over the inputs, or of classes what the right ones lacked.
#[derive(Default)]
pub(super) struct Errors {
    pub(super) spread: Option<Arc<Spread>>,
    pub(super) sets: Option<ClassSets>,
}

/// Judges what was fitted beside its rivals, as far as the plan lets them take part.
pub(super) fn decide<T: Scalar>(
    of: &Assignment<'_, T>,
    plan: &Plan,
    mut fitted: Fitted<T>,
    observer: &mut dyn Observer,
) -> Result<Winner<T>> {
    let (problem, threads) = (of.problem, plan.threads());
    let targets = &problem.preprocessing.targets;
    let classes = matches!(targets, Targets::Classification { .. });
    let wanted = of.judges_test && (classes || targets.has_residuals());
    let errors = |unseen: Option<HeldOut<f64>>| {
        let Some(unseen) = unseen.filter(|_| wanted) else { return Ok::<_, crate::Error>(Errors::default()) };
        if classes {
            return Ok(Errors { sets: ClassSets::of(&unseen), spread: None });
        }
        Ok(Errors { spread: Spread::fit(&unseen, plan.seed(), threads)?.map(Arc::new), sets: None })
    };
    let combined = combination(of, plan, &mut fitted, observer)?;
    // A combination has its own line.
    let rivals = combined.is_none().then_some(threads);
    let Some(judged) = Judged::of(problem, &fitted, rivals)? else {
        let (unseen, candidates) = (None, Vec::new());
        return Ok(Winner {
            fitted,
            unseen,
            candidates,
            unbounded: false,
            errors: Errors::default(),
            is_trained: true,
        });
    };
    let rows = if problem.validation.is_some() { "validation rows" } else { "rows left out" };
    let constant = judged.constant();
    if let Some(combined) = combined {
        let mut candidates = combined.candidates;
        candidates.push(constant);
        let kept: Vec<usize> = (0..candidates.len()).filter(|&at| candidates[at].kept).collect();
        fitted.fit.seconds += combined.seconds;
        if combined.cut_short {
            let stopped = of.processes.flag().load(Ordering::Relaxed);
            fitted.fit.stop_reason = if stopped { StopReason::Interrupted } else { StopReason::TimeLimit };
        }
        if kept != [0] {
            judged
                .notes_of(rows, targets.task(), combined.metrics.loss)
                .iter()
                .try_for_each(|note| observer.note(note))?;
            fitted.combine(combined.learned);
            let errors = errors(Some(combined.unseen))?;
            let unseen = Some(combined.metrics);
            return Ok(Winner { fitted, unseen, candidates, unbounded: false, errors, is_trained: true });
        }
        let errors = errors(unseen_by(&fitted, problem)?)?;
        let unseen = Some(judged.own);
        return Ok(Winner { fitted, unseen, candidates, unbounded: false, errors, is_trained: true });
    }
    let exchanged = plan.candidates().linear && judged.is_beaten();
    judged.notes(rows, targets.task(), exchanged).iter().try_for_each(|note| observer.note(note))?;
    let candidates = judged.candidates(fitted.what(), exchanged);
    let mut held_out = if wanted { unseen_by(&fitted, problem)? } else { None };
    let mut unseen = judged.own;
    if let Some(reference) = judged.reference.filter(|_| exchanged) {
        unseen = reference.unseen.clone();
        if let Some(held_out) = &mut held_out {
            held_out.outputs.clone_from(&reference.outputs);
            problem.preprocessing.inputs.unbound(&mut held_out.rows.inputs);
        }
        fitted.exchange(reference);
    }
    let errors = errors(held_out)?;
    Ok(Winner { fitted, unseen: Some(unseen), candidates, unbounded: exchanged, errors, is_trained: !exchanged })
}

/// The combination, where the plan wants one and nobody ended the run before.
fn combination<T: Scalar>(
    of: &Assignment<'_, T>,
    plan: &Plan,
    fitted: &mut Fitted<T>,
    observer: &mut dyn Observer,
) -> Result<Option<Combined>> {
    let candidates = plan.candidates();
    let stop = of.processes.flag();
    // A kernel regression classifies one target.
    let several = matches!(of.problem.preprocessing.targets, Targets::MultiLabel { .. });
    if !candidates.kernels || several || of.processes.count() > 1 {
        return Ok(None);
    }
    if stop.load(Ordering::Relaxed) {
        // It can still go on.
        fitted.fit.stop_reason = StopReason::Interrupted;
        return Ok(None);
    }
    let left =
        plan.time_limit().map(|limit| limit.saturating_sub(Duration::from_secs_f64(fitted.fit.seconds.max(0.0))));
    // One beyond what a clock can say is none.
    let until = left.and_then(|left| Instant::now().checked_add(left));
    let more = more_networks(of, plan, left)?;
    let (seed, threads, linear) = (plan.seed(), plan.threads(), candidates.linear);
    // Rows that are left out one by one would know the others of their group, of a time near by, or of their file.
    let apart = of.problem.validation.is_some() && !plan.judges_by_chance();
    let recipe = Recipe { linear, apart, seed, threads, stop, until };
    let combined = combine(of.problem, (fitted, more.as_ref()), &recipe, observer)?;
    let spent = more.map_or(0.0, |more| more.fit.seconds);
    Ok(combined.map(|combined| Combined { seconds: combined.seconds + spent, ..combined }))
}

/// Other networks for a combination on many rows, in at most half of the time that is left; none if they fail.
fn more_networks<T: Scalar>(of: &Assignment<'_, T>, plan: &Plan, left: Option<Duration>) -> Result<Option<Fitted<T>>> {
    let Plan::Networks(settings) = plan else { return Ok(None) };
    if of.start.is_some() {
        // They would be the earlier run's networks again.
        return Ok(None);
    }
    let Some(others) = others(of.problem, settings)? else { return Ok(None) };
    let time_limit = left.map(|left| TimeLimit(left / 2));
    let settings = Settings { time_limit, candidates: Candidates::NETWORKS, ..others };
    let fitted = networks::fit(of, &settings, &mut Kept::nothing(), &mut Silent)?;
    Ok(Some(fitted).filter(|fitted| fitted.fit.failure.is_none() && fitted.fit.best_epoch.is_some()))
}

/// What a fit says of the rows that judge it.
fn unseen_by<T: Scalar>(fitted: &Fitted<T>, problem: &Problem<T>) -> Result<Option<HeldOut<f64>>> {
    let of = |rows: &Dataset<T>, outputs: Matrix<f64>| {
        let places: Vec<usize> = (0..rows.rows()).collect();
        let sets = problem.validation_sets.clone();
        HeldOut { outputs, rows: rows.cast(), fold_of: vec![0; places.len()], places, sets }
    };
    Ok(match (&fitted.held_out, &problem.validation) {
        (Some(held_out), _) => Some(held_out.cast()),
        (None, Some(rows)) => Some(of(rows, fitted.learned.outputs(&rows.inputs)?)),
        (None, None) => None,
    })
}

//! The fit of networks.

use gramstep::Scalar;
use gramstep::model::Average;

use super::assignment::Assignment;
use super::fitted::Fitted;
use super::kept::Kept;
use super::left_out;
use crate::data::Problem;
use crate::error::Result;
use crate::outcome::event::{Both, Observer, Silent};
use crate::predictor::Learned;
use crate::settings::{RidgeChoice, Settings, TimeLimit, check_memory};
use crate::training::ensemble::Ensemble;
use crate::training::trained::Trained;
use crate::training::trainer::Parts;
use crate::training::workers::Workers;

/// Trains the networks of a run.
pub(super) fn fit<T: Scalar>(
    of: &Assignment<'_, T>,
    settings: &Settings,
    kept: &mut Kept,
    observer: &mut dyn Observer,
) -> Result<Fitted<T>> {
    let Assignment { problem, processes, .. } = of;
    let start = of.start.map(|start| start.learned().networks_as::<T>()).transpose()?;
    let what = "data, settings or initial parameters";
    let advice = "do all machines see the same files, and run the same program?";
    processes.check_alike(what, || *hash(settings, problem, start.as_ref()).as_bytes(), advice)?;
    // κ is said in the units of the weights, which are relative from here on.
    let ridge = match settings.ridge {
        RidgeChoice::Fixed(ridge) => RidgeChoice::Fixed(ridge / problem.weight_unit),
        other => other,
    };
    let (shape, outputs) = (problem.preprocessing.inputs.shape(), problem.preprocessing.targets.outputs());
    let spans = settings.model.specification(shape, outputs).spans()?;
    let parameters = spans.iter().map(gramstep::model::Span::len).fold(0, usize::saturating_add);
    // θ, the best so far, what the optimiser keeps, and a direction.
    let needed = parameters.saturating_mul(4 * size_of::<T>());
    check_memory("the network with its optimiser", needed, "give a smaller --model")?;
    let limit = |limit: TimeLimit| TimeLimit(limit.0.mul_f64(settings.candidates.share_of_networks()));
    let working = Settings { ridge, time_limit: settings.time_limit.map(limit), ..settings.clone() };
    let own;
    let workers = if let Some(shared) = of.workers {
        shared
    } else {
        own = Workers::new(settings.threads);
        &own
    };
    let checkpoint = kept.checkpoint.take();
    let exact_train_loss = of.tells_exact_train_loss(checkpoint.as_ref());
    let ensemble = Ensemble {
        settings: &working,
        preprocessing: &problem.preprocessing,
        parts: parts(problem, exact_train_loss),
        exact_train_loss,
        tolerance: of.tolerance,
        processes: *processes,
        workers,
    };
    let trained = match kept.writers() {
        Some((record, keeper)) => {
            ensemble.train(start.as_ref(), checkpoint, Some(keeper), &mut Both(record, observer))?
        }
        None => ensemble.train(start.as_ref(), checkpoint, None, &mut Both(&mut Silent, observer))?,
    };
    let held_out = match trained.held_out()? {
        None if trained.fit.failure.is_none() => left_out::of(problem, &trained.networks, settings, observer)?,
        held_out => held_out,
    };
    let Trained { networks, fit, shared } = trained;
    Ok(Fitted {
        learned: Learned::networks(&networks)?,
        fit,
        name: settings.model.to_string(),
        ridge: match ridge {
            RidgeChoice::Fixed(ridge) if ridge > 0.0 => Some(ridge),
            _ => None,
        },
        circular: shared.is_some(),
        train: shared.map(|folds| folds.rows),
        held_out,
        kernel: None,
    })
}

fn parts<T>(problem: &Problem<T>, watches_test: bool) -> Parts<'_, T> {
    let test = problem.test.as_ref().filter(|_| watches_test);
    Parts { train: &problem.train, validation: problem.validation.as_ref(), test }
}

/// A hash of what all processes must have alike: settings, data, and parameters to begin with.
fn hash<T: Scalar>(settings: &Settings, problem: &Problem<T>, start: Option<&Average<T>>) -> blake3::Hash {
    let mut hash = blake3::Hasher::new();
    hash.update(format!("{settings:?}{}", problem.hash).as_bytes());
    // Which rows are learned from.
    problem.train.targets.as_slice().iter().for_each(|value| _ = hash.update(&value.to_f64().to_le_bytes()));
    for model in start.iter().flat_map(|start| start.members()) {
        for piece in model.theta().chunks(1 << 12) {
            hash.update(&piece.iter().flat_map(|value| value.to_f64().to_le_bytes()).collect::<Vec<_>>());
        }
    }
    hash.finalize()
}

//! From prepared arrays to a trained network.

use std::sync::atomic::{AtomicBool, Ordering};

use gramstep::{Device, Model, Scalar};

use super::patience::Patience;
use super::predictor::Predictor;
use super::samples::Prepared;
use crate::adversarial::{AdversarialOptimizer, Opponent};
use crate::batches::batch_count;
use crate::choice;
use crate::data::{Portion, Problem};
use crate::error::Result;
use crate::observer::{Observer, Start};
use crate::optimizer::build;
use crate::settings::{Config, Facts, Precision, RidgeChoice, Settings};
use crate::stop_reason::StopReason;
use crate::trainer::{Fit, Trainer};

/// What became of a training.
#[derive(Debug)]
#[non_exhaustive]
pub struct Training {
    /// Every setting, those that were decided too.
    pub settings: Settings,
    /// Whether the model was chosen among several.
    pub chosen: bool,
    /// Epochs, time, reason to stop.
    pub fit: Fit,
    /// Loss on the training rows, epoch by epoch.
    pub train_losses: Vec<f64>,
    /// Loss on the validation rows, epoch by epoch, where there are any.
    pub validation_losses: Vec<f64>,
}

/// Trains by a configuration, in which data, precision and split have no meaning. Nothing is decided otherwise than in
/// a [run](crate::run::train): the model too is the best of three where none is named and the data are small.
///
/// `tolerance` ≥ 0 is by how much a loss has to fall to count as better for `patience`; `from` is a network to go on
/// with. Training ends after the step during which `stop` becomes true.
///
/// # Errors
/// When a setting is outside its range, a step fails or numbers become non-finite.
pub fn train<T: Scalar>(
    prepared: &Prepared<T>,
    config: &Config,
    tolerance: f64,
    from: Option<&Predictor<T>>,
    stop: &AtomicBool,
    observer: &mut dyn Observer,
) -> Result<(Predictor<T>, Training)> {
    let (settings, chosen) = settle(prepared, config, from.is_none(), stop, observer)?;
    let Prepared { preprocessing, train, validation } = prepared;
    let mut model = if let Some(predictor) = from {
        predictor.model().clone()
    } else {
        let outputs = preprocessing.targets.outputs();
        let specification = settings.model.specification(preprocessing.inputs.width(), outputs);
        Model::builder(specification).seed(settings.seed).device(Device::cpu(settings.threads)).build()?
    };
    let mut optimizer = build::<T>(&settings, train.rows(), model.outputs())?;
    let opponent = (settings.adversarial)
        .map(|adversary| Opponent::new(&adversary, &preprocessing.inputs, settings.seed))
        .transpose()?;
    if let Some(opponent) = &opponent {
        optimizer = Box::new(AdversarialOptimizer::new(optimizer, opponent, settings.ball, &model)?);
    }
    observer.start(&Start {
        settings: &settings,
        samples: train.rows(),
        parameters: model.parameter_count(),
        steps_per_epoch: batch_count(train.rows(), settings.batch_size),
    })?;
    let end = AtomicBool::new(stop.load(Ordering::Relaxed));
    let waits = tolerance > 0.0 || validation.is_none();
    let mut patience = Patience {
        inner: observer,
        stop,
        end: &end,
        tolerance,
        epochs: settings.patience.or(config.patience).filter(|_| waits),
        best: f64::INFINITY,
        waited: 0,
        train_losses: Vec::new(),
        validation_losses: Vec::new(),
    };
    let mut trainer = Trainer::new(&settings, &preprocessing.targets, &end);
    if let Some(opponent) = opponent {
        trainer = trainer.with_opponent(opponent);
    }
    let mut fit = trainer.fit(&mut model, optimizer.as_mut(), train, validation.as_ref(), &mut patience)?;
    if let Some(failure) = fit.failure.take() {
        return Err(failure);
    }
    if fit.stop_reason == StopReason::Interrupted && patience.is_over() && !stop.load(Ordering::Relaxed) {
        fit.stop_reason = StopReason::Patience;
    }
    let (train_losses, validation_losses) = (patience.train_losses, patience.validation_losses);
    let ridge = match settings.ridge {
        RidgeChoice::Fixed(ridge) if ridge > 0.0 => Some(ridge),
        _ => None,
    };
    let predictor = Predictor::new(model, settings.model.to_string(), prepared, ridge, settings.seed)?;
    Ok((predictor, Training { settings, chosen, fit, train_losses, validation_losses }))
}

/// Every setting, and whether the model was chosen: where the user names none and there is none yet.
fn settle<T: Scalar>(
    prepared: &Prepared<T>,
    config: &Config,
    fresh: bool,
    stop: &AtomicBool,
    observer: &mut dyn Observer,
) -> Result<(Settings, bool)> {
    let Prepared { preprocessing, train, validation } = prepared;
    let share = if validation.is_some() { config.validation.clone() } else { Some(Portion::Fraction(0.0)) };
    let mut config = Config {
        data: Some("arrays".to_owned()),
        test: Some(Portion::Fraction(0.0)),
        validation: share,
        precision: Some(if T::NAME == "f32" { Precision::F32 } else { Precision::F64 }),
        ..config.clone()
    };
    let facts = Facts {
        samples: train.rows(),
        outputs: preprocessing.targets.outputs(),
        task: preprocessing.targets.task(),
        validation: validation.is_some(),
        image: preprocessing.inputs.geometry(),
    };
    let mut chosen = false;
    if fresh && choice::applies(facts, &config) {
        let problem = Problem {
            name: "arrays".to_owned(),
            preprocessing: preprocessing.clone(),
            train: train.cast(),
            validation: validation.as_ref().map(crate::data::Dataset::cast),
            test: None,
            notes: Vec::new(),
        };
        if let Some(model) = choice::model(&problem, &config, stop)? {
            observer
                .note(&format!("the model is {model}, best of {} by the validation loss", choice::CANDIDATES.len()));
            config.model = Some(model.to_owned());
            chosen = true;
        }
    }
    Ok((Settings::complete(&config, facts, preprocessing.targets.columns())?, chosen))
}

//! From prepared arrays to a trained network.

use std::sync::atomic::AtomicBool;

use gramstep::Scalar;

use super::predictor::Predictor;
use super::samples::Prepared;
use crate::data::{Dataset, Portion, Problem};
use crate::error::Result;
use crate::outcome::Fit;
use crate::outcome::metrics::Metrics;
use crate::outcome::observer::{EpochEvent, Observer, Start, StepEvent};
use crate::run::choice;
use crate::settings::{Config, Facts, Precision, RidgeChoice, Settings};
use crate::training::ensemble::{Ensemble, Trained};
use crate::training::trainer::Parts;

/// What became of a training.
#[derive(Debug)]
#[non_exhaustive]
pub struct Training {
    /// Every setting, those that were decided too.
    pub settings: Settings,
    /// Epochs, time, reason to stop.
    pub fit: Fit,
    /// Loss of the first network on the training rows, epoch by epoch.
    pub train_losses: Vec<f64>,
    /// Loss of the first network on the validation rows, epoch by epoch, where there are any.
    pub validation_losses: Vec<f64>,
    /// On the validation rows, by networks that were not trained on them.
    pub validation: Option<Metrics>,
}

/// Trains by a configuration, in which data, precision and split have no meaning. Nothing is decided otherwise than in
/// a [run](crate::run::train): architecture and number of networks too, where none are named and the data are small.
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
    let settings = settle(prepared, config, from.is_none(), stop, observer)?;
    let Prepared { preprocessing, train, validation } = prepared;
    let ensemble = Ensemble {
        settings: &settings,
        preprocessing,
        parts: Parts { train, validation: validation.as_ref(), test: None },
        exact_train_loss: false,
        tolerance,
        processes: stop.into(),
    };
    let mut losses = Losses { inner: observer, train: Vec::new(), validation: Vec::new() };
    let Trained { model, members, mut fit, validation, .. } =
        ensemble.train(from.map(|predictor| predictor.model().clone()), None, None, &mut losses)?;
    if let Some(failure) = fit.failure.take() {
        return Err(failure);
    }
    let (train_losses, validation_losses) = (losses.train, losses.validation);
    let ridge = match settings.ridge {
        RidgeChoice::Fixed(ridge) if ridge > 0.0 => Some(ridge),
        _ => None,
    };
    let predictor = Predictor::new(model, members, settings.model.to_string(), prepared, ridge, settings.seed)?;
    Ok((predictor, Training { settings, fit, train_losses, validation_losses, validation }))
}

/// Every setting; architecture and number of networks are chosen where there is none yet.
fn settle<T: Scalar>(
    prepared: &Prepared<T>,
    config: &Config,
    fresh: bool,
    stop: &AtomicBool,
    observer: &mut dyn Observer,
) -> Result<Settings> {
    let Prepared { preprocessing, train, validation } = prepared;
    let rows = validation.as_ref().map_or(0, Dataset::rows);
    let share = rows as f64 / (train.rows() + rows) as f64;
    let mut config = Config {
        data: Some("arrays".to_owned()),
        test: Some(Portion::Fraction(0.0)),
        validation: Some(Portion::Fraction(share)),
        precision: Some(if T::NAME == "f32" { Precision::F32 } else { Precision::F64 }),
        ..config.clone()
    };
    let facts = Facts {
        samples: train.rows(),
        outputs: preprocessing.targets.outputs(),
        task: preprocessing.targets.task(),
        validation: validation.is_some(),
        validation_share: share,
        image: preprocessing.inputs.geometry(),
    };
    if fresh {
        let problem = || Problem {
            name: "arrays".to_owned(),
            preprocessing: preprocessing.clone(),
            train: train.cast(),
            validation: validation.as_ref().map(Dataset::cast),
            test: None,
            test_portion: Portion::Fraction(0.0),
            validation_share: share,
            notes: Vec::new(),
        };
        choice::settle(facts, problem, &mut config, stop, observer)?;
    } else if matches!(config.ridge, None | Some(RidgeChoice::Auto)) {
        // A ridge that falls from a strong one would undo the network that training goes on with.
        config.ridge = Some(RidgeChoice::Fixed(0.0));
    }
    let settings = Settings::complete(&config, facts, preprocessing.targets.columns())?;
    // Without validation rows the training loss judges, where the caller asks for it.
    let patience = settings.patience.or(config.patience);
    Ok(Settings { patience, ..settings })
}

/// An observer that keeps the losses of the first network, and passes everything on.
struct Losses<'a> {
    inner: &'a mut dyn Observer,
    train: Vec<f64>,
    validation: Vec<f64>,
}

impl Observer for Losses<'_> {
    fn note(&mut self, text: &str) {
        self.inner.note(text);
    }

    fn start(&mut self, start: &Start<'_>) -> Result<()> {
        self.inner.start(start)
    }

    fn step(&mut self, event: &StepEvent<'_>) -> Result<()> {
        self.inner.step(event)
    }

    fn epoch(&mut self, event: &EpochEvent) -> Result<()> {
        if event.member == 0 {
            self.train.push(event.train_loss);
            self.validation.extend(event.validation_loss);
        }
        self.inner.epoch(event)
    }
}

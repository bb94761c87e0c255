//! The run that another one goes on from: what it decides, and what may be said otherwise.

use std::fmt::Display;
use std::path::Path;

use gramstep::Device;

use crate::data::{BrokenImages, Portion, Problem};
use crate::error::{Error, Result, conflict};
use crate::folder::RunFolder;
use crate::predictor::{Learned, PartModel, Predictor};
use crate::settings::{Candidates, Config, InputBounds, Precision, all_processors};

/// The networks of a run that another one goes on with.
struct Networks {
    model: String,
    members: usize,
    precision: Precision,
    /// Whether they are a part of one.
    of_combination: bool,
}

impl Networks {
    /// # Errors
    /// In words, where there are none.
    fn of(model: &Predictor) -> std::result::Result<Self, &'static str> {
        let (metadata, learned) = (model.metadata(), model.learned());
        let of_combination = matches!(learned, Learned::Combination(_));
        let (model, members, precision) = match learned {
            Learned::F32(_) | Learned::F64(_) => (&*metadata.model, metadata.members, metadata.precision),
            Learned::Kernel(_) => {
                return Err("it takes the run of a network: a kernel regression has no parameters to go on from");
            }
            Learned::Combination(combination) => match combination.own_networks() {
                Some((name, PartModel::F32(networks))) => (name, networks.members().len(), Precision::F32),
                Some((name, PartModel::F64(networks))) => (name, networks.members().len(), Precision::F64),
                _ => return Err("no networks are in its combination to go on with: fit one anew to all rows"),
            },
        };
        Ok(Self { model: model.to_owned(), members, precision, of_combination })
    }
}

/// What `--init` names.
pub(super) struct Earlier {
    pub(super) model: Predictor,
    /// Its settings, where it is a folder that has them.
    settings: Option<Config>,
}

impl Earlier {
    /// None where a configuration names no run. The run decides on architecture, number type, targets and preparation of
    /// the inputs; of the same data it decides how they are shared out, unless the configuration says otherwise. One that
    /// `resumes` a run says again what was decided.
    ///
    /// # Errors
    /// When the model cannot be read, or the configuration asks for what the run decides.
    pub(super) fn of(config: &mut Config, resumes: bool) -> Result<Option<Self>> {
        let Some(run) = config.init.clone() else { return Ok(None) };
        let model = Predictor::load(&run, &Device::cpu(config.threads.unwrap_or_else(all_processors)))?;
        let networks = Networks::of(&model).map_err(|reason| conflict("init", format!("{}", run.display()), reason))?;
        if !resumes {
            check(config, (&model, &networks), &run)?;
        }
        let settings = Config::read(&RunFolder::open(&run).config()).ok();
        if let Some(settings) = settings.as_ref().filter(|settings| are_of_one_source(settings, config)) {
            config.seed = config.seed.or(settings.seed);
            config.split = config.split.take().or_else(|| settings.split.clone());
            config.test = config.test.take().or_else(|| settings.test.clone());
            config.validation = config.validation.take().or_else(|| settings.validation.clone());
        }
        config.ensemble = Some(networks.members);
        config.model = Some(networks.model);
        config.precision.get_or_insert(networks.precision);
        if networks.of_combination && config.adversarial.is_none() {
            // Its kernels are fitted anew, to the rows of now.
            config.candidates.get_or_insert(Candidates::ALL);
        }
        config.input_bounds = Some(bounds_of(&model));
        Ok(Some(Self { model, settings }))
    }

    /// What the user should know of rows that were trained on, and of weights that are not named again.
    pub(super) fn note(&self, config: &Config, problem: &Problem) -> Option<String> {
        let run = config.init.as_ref()?.display();
        let weighted = self.model.preprocessing().weights.as_ref().filter(|_| config.weights.is_none());
        let weights = weighted.map(|name| format!("; {run} weighed its rows by `{name}`, and here all count alike"));
        let known = *self.model.data()? == problem.hash;
        let shares = if !known {
            format!(
                "these data are not those of {run}: its network goes on with them; rows that it was trained on are no test of it"
            )
        } else if self.settings.as_ref().is_none_or(|settings| !are_shared_alike(settings, config)) {
            format!(
                "these are the data of {run}, shared out otherwise: rows that it was trained on may be among those that judge"
            )
        } else {
            return weights.map(|weights| weights.trim_start_matches("; ").to_owned());
        };
        Some(shares + &weights.unwrap_or_default())
    }
}

/// That a configuration asks for nothing that the run has decided otherwise.
fn check(config: &Config, (model, networks): (&Predictor, &Networks), run: &Path) -> Result<()> {
    let metadata = model.metadata();
    let preprocessing = &metadata.preprocessing;
    let init = || format!("--init {}", run.display());
    let given = |name, value: &dyn Display, own: &dyn Display| -> Error {
        let reason = format!("it is that of {}, {own}, and not {value}", run.display());
        conflict(name, init(), reason)
    };
    if let Some(folds) = config.folds {
        let reason = "folds are fits from the beginning, and the network of the earlier run has seen their rows";
        return Err(conflict("init", format!("--folds {folds}"), reason));
    }
    if let Some(other) = config.model.as_ref().filter(|&other| *other != networks.model) {
        return Err(given("model", other, &networks.model));
    }
    if let Some(task) = config.task.filter(|&task| task != metadata.task) {
        return Err(given("task", &task, &metadata.task));
    }
    let own = preprocessing.targets.columns();
    if !config.target.is_empty() && config.target != own {
        return Err(given("target", &config.target.join(","), &own.join(",")));
    }
    if let Some(count) = config.ensemble.filter(|&count| count != networks.members) {
        let words = if networks.members == 1 { "network" } else { "networks" };
        let reason = format!("the earlier run has {} {words}, and each goes on, not {count}", networks.members);
        return Err(conflict("ensemble", init(), reason));
    }
    if let Some((name, other, own)) = preprocessing.targets.otherwise(&config.learning()) {
        return Err(given(name, &other, &own));
    }
    let bounds = bounds_of(model);
    if let Some(adversary) = config.adversarial.filter(|_| bounds == InputBounds::Auto) {
        let reason = format!(
            "{} keeps its inputs within bounds, and an attack is measured in their own units: train it with --input-bounds none",
            run.display()
        );
        return Err(conflict("init", format!("--adversarial {adversary}"), reason));
    }
    if let Some(other) = config.input_bounds.filter(|&other| other != bounds) {
        return Err(given("input-bounds", &other, &bounds));
    }
    let size = preprocessing.inputs.image_settings(BrokenImages::Refuse, 1).size;
    match (config.image_size, size) {
        (Some(other), Some(own)) if other != own => Err(given("image-size", &other, &own)),
        _ => Ok(()),
    }
}

fn bounds_of(model: &Predictor) -> InputBounds {
    if model.preprocessing().inputs.bounds.is_empty() { InputBounds::None } else { InputBounds::Auto }
}

/// Whether two configurations name the same data.
fn are_of_one_source(one: &Config, other: &Config) -> bool {
    let place = |config: &Config| {
        let data = config.data.as_deref()?;
        Some(std::fs::canonicalize(data).unwrap_or_else(|_| data.into()))
    };
    place(one) == place(other)
}

/// Whether they share the same rows out in the same way.
fn are_shared_alike(one: &Config, other: &Config) -> bool {
    let share = |portion: &Option<Portion>| match portion {
        Some(Portion::File(path)) => Some(Portion::File(std::fs::canonicalize(path).unwrap_or_else(|_| path.clone()))),
        portion => portion.clone(),
    };
    let of = |config: &Config| {
        let split = config.split.clone().unwrap_or_default();
        (config.seed.unwrap_or_default(), split, share(&config.test), share(&config.validation))
    };
    of(one) == of(other)
}

//! The training of an ensemble, on one thread and on all: networks side by side.

use std::sync::atomic::AtomicBool;

use gramstep::Matrix;
use gramstep::random::{Purpose, stream};
use gramstep_train::arrays::{ArrayTargets, How, Samples, learn};
use gramstep_train::data::Problem;
use gramstep_train::outcome::event::Silent;
use gramstep_train::settings::Config;
use rand::RngExt;
use serde_json::json;

use crate::Options;
use crate::timing::{Operation, measure};

const ROWS: usize = 1000;
const INPUTS: usize = 8;

/// Five networks on 1000 rows, a fixed number of epochs each. The least time on one thread over that on all is the gain.
pub(crate) fn ensemble(name: &str, model: &str, epochs: usize, options: &Options) -> Result<(), String> {
    let problem = problem().map_err(|error| error.to_string())?;
    let operation = |threads: usize| {
        let mut config = Config { epochs: Some(epochs), patience: Some(usize::MAX / 2), ..Config::default() };
        (config.model, config.ensemble, config.threads) = (Some(model.to_owned()), Some(5), Some(threads));
        let problem = &problem;
        let run = move || {
            let never = AtomicBool::new(false);
            let learnt = learn(problem, &config, How::default(), &never, &mut Silent);
            std::hint::black_box(learnt.expect("networks learn a smooth target"));
        };
        let config = json!({ "n": ROWS, "networks": 5, "model": model, "epochs": epochs, "threads": threads });
        Operation { name: name.to_owned(), config, run: Box::new(run) }
    };
    measure(options.repeats, vec![operation(1), operation(options.threads)]);
    Ok(())
}

/// A smooth target with noise.
fn problem() -> gramstep_train::Result<Problem> {
    let mut random = stream(0, Purpose::Shuffle, 0, 0);
    let mut between = |low: f64, high: f64| random.random_range(low..high);
    let x = Matrix::from_fn(ROWS, INPUTS, |_, _| between(-1.7, 1.7));
    let y = Matrix::from_fn(ROWS, 1, |i, _| {
        let row = x.row(i);
        (2.0 * row[0]).sin() + row[1] * row[2] + 0.5 * row[3] + between(-0.3, 0.3)
    });
    Samples::new(x.view(), ArrayTargets::numbers(y)).problem(0.2, 0)
}

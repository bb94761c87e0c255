//! A loop of one's own over mini-batches, and a run folder at its end that the program reads.

use std::path::Path;

use gramstep::optim::{Batch, Damping, GramGaussNewton, GramGaussNewtonConfig, Optimizer};
use gramstep::{Activation, Device, Matrix, Model};
use gramstep_train::arrays::{ArrayTargets, Samples, keep};
use gramstep_train::run::info::RunInfo;
use gramstep_train::settings::BatchSize;
use gramstep_train::training::batches::batches;
use gramstep_train::{Predictor, Result};

pub(crate) fn main() -> Result<()> {
    // Numbers in units of their own: the problem standardises and splits them, and the run remembers how.
    let x = Matrix::from_fn(120, 1, |i, _| 20.0 + i as f64 / 4.0);
    let y = Matrix::from_fn(120, 1, |i, _| 1000.0 + 200.0 * (x[(i, 0)] / 5.0).sin());
    let problem = Samples::new(x.view(), ArrayTargets::numbers(y.clone())).problem(0.2, 0)?;
    let mut model = Model::<f64>::mlp(&[1, 64, 1], Activation::Tanh).seed(1).build()?;
    let config = GramGaussNewtonConfig::default().with_damping(Damping::Relative(1e-2));
    let mut optimizer = GramGaussNewton::new(config)?;

    let mut best = (f64::INFINITY, model.theta());
    for epoch in 1..=60 {
        for rows in batches(problem.train.rows(), BatchSize::Rows(24), 7, epoch) {
            let step = rows.map_or_else(|| problem.train.clone(), |rows| problem.train.select(&rows));
            optimizer.step(&mut model, &Batch::new(&step.inputs, &step.targets))?;
        }
        if let Some(validation) = &problem.validation {
            let loss = Batch::new(&validation.inputs, &validation.targets).loss(&model)?;
            if loss < best.0 {
                best = (loss, model.theta());
            }
        }
    }
    model.set_theta(&best.1)?;

    // `gramstep predict FOLDER --data new.csv` reads it, and so does this.
    let folder = std::env::temp_dir().join(format!("gramstep-own-loop-{}", std::process::id()));
    keep(&folder, &Predictor::of_network(&model, &problem, "mlp:64:tanh")?, None)?;
    let again = Predictor::load(&folder, &Device::cpu(1))?;
    let f = again.predict_array(x.view())?;
    let worst = (0..120).map(|i| (f[(i, 0)] - y[(i, 0)]).abs()).fold(0.0, f64::max);
    assert!(!RunInfo::load(&folder, &Device::cpu(1))?.recorded);
    println!("validation loss {:.2e}; largest error {worst:.2} of 400; kept in {}", best.0, folder.display());
    assert!(worst < 40.0);
    remove(&folder);
    Ok(())
}

fn remove(folder: &Path) {
    if let Err(error) = std::fs::remove_dir_all(folder) {
        eprintln!("{} is left: {error}", folder.display());
    }
}

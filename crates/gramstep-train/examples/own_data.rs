//! One's own arrays, trained by values: no file, no setting from a string.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use gramstep::loss::SquaredLoss;
use gramstep::optim::{AdaptiveDamping, Damping, GramGaussNewton, GramGaussNewtonConfig};
use gramstep::{Activation, Matrix, Model};
use gramstep_train::Result;
use gramstep_train::data::Dataset;
use gramstep_train::outcome::event::Event;
use gramstep_train::training::config::TrainerConfig;
use gramstep_train::training::trainer::Trainer;

/// Points of a surface: two inputs, one output.
fn points(rows: usize, shift: f64) -> Result<Dataset<f64>> {
    let x = Matrix::from_fn(rows, 2, |i, j| ((i * (7 + 12 * j)) % rows) as f64 / rows as f64 * 2.0 - 1.0 + shift);
    let y: Vec<f64> = (0..rows).map(|i| (2.0 * x[(i, 0)]).sin() + x[(i, 0)] * x[(i, 1)]).collect();
    Dataset::new(x, Matrix::from_vec(rows, 1, y)?)
}

pub(crate) fn main() -> Result<()> {
    let (train, validation) = (points(60, 0.0)?, points(29, 0.01)?);
    let mut model = Model::mlp(&[2, 64, 1], Activation::Tanh).seed(1).build()?;
    // On a full batch the damping follows how well the linearised network predicts.
    let damping = Damping::Adaptive(AdaptiveDamping::default());
    let mut optimizer = GramGaussNewton::new(GramGaussNewtonConfig::default().with_damping(damping))?;

    let config = TrainerConfig::of_epochs(100).with_patience(10).with_time_limit(Duration::from_mins(1));
    let stop = AtomicBool::new(false); // set it from a signal handler, and training ends after its step
    let mut watch = |event: &Event<'_>| {
        if let Event::Epoch(epoch) = event {
            println!("epoch {:3}  train {:.3e}", epoch.epoch, epoch.train_loss);
        }
        Ok(())
    };
    let trainer = Trainer::of(config, SquaredLoss, &stop);
    let fit = trainer.fit(&mut model, &mut optimizer, &train, Some(&validation), &mut watch)?;

    let f = model.predict(&validation.inputs)?;
    let worst = f.as_slice().iter().zip(validation.targets.as_slice()).map(|(f, y)| (f - y).abs()).fold(0.0, f64::max);
    println!("{} epochs, best {:?}; largest error on new points {worst:.1e}", fit.epochs, fit.best_epoch);
    assert!(worst < 0.1);
    Ok(())
}

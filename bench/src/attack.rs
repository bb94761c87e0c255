//! `pgd-mlp10`: PGD-20 on 784-512-512-10 relu, batch 512, ℓ∞ radius 0.1 in the unit box, steps of a quarter radius.

use gramstep::attack::{Attack, Criterion, LargestLoss, Pgd, Problem, ThreatModel};
use gramstep::loss::CrossEntropyLoss;
use gramstep::{Matrix, Model};
use serde_json::json;

use crate::Options;
use crate::networks::{MLP10, data, mlp, model};
use crate::timing::{Operation, measure};

/// The same weights, samples and settings as in `peers/pgd.py`; the mean loss in `config` has to agree.
pub(crate) fn pgd(name: &str, options: &Options) -> Result<(), String> {
    let text = |error: gramstep::Error| error.to_string();
    let mut network = model::<f32>(mlp(&MLP10), options.threads)?;
    network.set_theta(&weights(&network)).map_err(text)?;
    let samples = 512;
    let noise = data::<f32>(samples, MLP10[0]);
    let x = Matrix::from_fn(samples, MLP10[0], |i, j| 0.5 + 0.5 * noise[(i, j)]);
    let y = Matrix::from_fn(samples, 10, |i, a| if i % 10 == a { 1.0_f32 } else { 0.0 });
    let goal = LargestLoss(&CrossEntropyLoss);
    let problem = Problem::new(&network, &x, &y).with_goal(&goal).with_criterion(Criterion::None);
    let threat = ThreatModel::linf(0.1).and_then(|threat| threat.with_box(0.0, 1.0)).map_err(text)?;
    let pgd = Pgd::new(20).with_step_size(0.25);
    let attacked = pgd.run(&problem, &threat).map_err(text)?;
    let config = json!({ "network": MLP10, "n": samples, "dtype": "f32", "threads": options.threads,
                         "loss_before": attacked.before(), "loss": attacked.after() });
    let run = || {
        std::hint::black_box(pgd.run(&problem, &threat).expect("an attack on finite data succeeds"));
    };
    measure(options.repeats, vec![Operation { name: name.to_owned(), config, run: Box::new(run) }]);
    Ok(())
}

/// Weights that another program can draw, too: `data` scaled to the variance 2/fan-in, biases 0.
fn weights(model: &Model<f32>) -> Vec<f32> {
    let mut theta = vec![0.0; model.parameter_count()];
    for span in model.spans().iter().filter(|span| span.shape.len() == 2) {
        let scale = (6.0 / span.shape[1] as f32).sqrt();
        let drawn = data::<f32>(span.shape[0], span.shape[1]);
        theta[span.range()].iter_mut().zip(drawn.as_slice()).for_each(|(to, value)| *to = scale * value);
    }
    theta
}

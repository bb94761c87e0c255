//! A layer of one's own between layers of the library.

use std::sync::Arc;

use gramstep::device::{Tile, TileMut, WriteMode};
use gramstep::model::Distribution;
use gramstep::model::layer::{Call, Dense, Layer, Stage};
use gramstep::optim::{AdaptiveDamping, Batch, Damping, GramGaussNewton, GramGaussNewtonConfig, Optimizer};
use gramstep::{Activation, Matrix, Model};
use gramstep_train::Result;

/// x less its mean over the sample. It is linear and symmetric, so the backward walk is the forward walk.
#[derive(Debug)]
struct Centre(usize);

fn centre(from: Tile<'_, f64>, to: TileMut<'_, f64>, mode: WriteMode) {
    to.for_each_row(|i, to| {
        let mean = from.row(i).iter().sum::<f64>() / to.len() as f64;
        for (to, x) in to.iter_mut().zip(from.row(i)) {
            *to = if mode == WriteMode::Replace { 0.0 } else { *to } + x - mean;
        }
    });
}

impl Layer<f64> for Centre {
    fn output_len(&self) -> usize {
        self.0
    }
    fn forward(&self, _: &Call<'_, f64>, x: &[Tile<'_, f64>], out: TileMut<'_, f64>, _affine: bool, mode: WriteMode) {
        centre(x[0], out, mode);
    }
    fn backward(
        &self,
        _: &Call<'_, f64>,
        _inputs: &[Tile<'_, f64>],
        _which: usize,
        delta: Tile<'_, f64>,
        into: TileMut<'_, f64>,
        mode: WriteMode,
    ) {
        centre(delta, into, mode);
    }
}

pub(crate) fn main() -> Result<()> {
    let dense = |inputs, outputs, scale| {
        let dense = Dense::new(inputs, outputs, scale, Distribution::Normal(1.0));
        Stage::Layer(Arc::new(dense.with_bias(1.0, Distribution::Normal(1.0))))
    };
    let stages = vec![
        dense(1, 100, 3.0),
        Stage::Pointwise(Arc::new(Activation::Tanh)),
        Stage::Layer(Arc::new(Centre(100))),
        dense(100, 1, 0.1),
    ];
    let mut model = Model::from_stages(1, stages).seed(1).build()?;
    let x = Matrix::from_fn(40, 1, |i, _| i as f64 / 20.0 - 1.0);
    let y = Matrix::from_fn(40, 1, |i, _| (6.0 * x[(i, 0)]).sin());
    let batch = Batch::new(&x, &y);
    let damping = Damping::Adaptive(AdaptiveDamping::default());
    let mut optimizer = GramGaussNewton::new(GramGaussNewtonConfig::default().with_damping(damping))?;
    for _ in 0..80 {
        optimizer.step(&mut model, &batch)?;
    }
    println!("loss {:.1e}", batch.loss(&model)?);
    assert!(batch.loss(&model)? < 1e-3);
    Ok(())
}

//! The average of networks, as one network.
//!
//! ```text
//! f(x) = (1/M) Σ_m [s_m·f_m((x − μ_m) ⊘ σ_m) + t_m]
//! ```
//!
//! The hidden layers of perceptrons lie side by side, with no weights between them; standardisations (μ, σ of inputs,
//! t, s of targets) that differ from the first member's go into first and last layer.

use gramstep::model::Span;
use gramstep::{Error as CoreError, Model, Scalar, Specification};

use super::predictor::Predictor;
use crate::data::{Standardisation, Targets};
use crate::error::{Error, Result};

/// The average of regressions by perceptrons of one architecture on the same columns. Its posterior is that of the
/// first member.
///
/// # Errors
/// If there is no member, or they are not such networks.
pub fn average<T: Scalar>(members: &[&Predictor<T>]) -> Result<Predictor<T>> {
    let unfit = |reason: &str| -> Error {
        CoreError::Specification { text: "average of networks".to_owned(), reason: reason.to_owned() }.into()
    };
    let first = *members.first().ok_or_else(|| unfit("no network"))?;
    if members.len() == 1 {
        return Ok(first.duplicate());
    }
    let specification = first.model().specification().ok_or_else(|| unfit("layers of the caller's own"))?;
    let alike = |member: &&Predictor<T>| member.model().specification() == Some(specification);
    let layers = first.model().spans().len() / 2;
    let dense =
        first.model().spans().chunks(2).all(|pair| matches!(pair, [w, b] if w.shape.len() == 2 && b.shape.len() == 1));
    if !members.iter().all(alike) || !dense {
        return Err(unfit("expected perceptrons of one architecture"));
    }
    let mut wide = specification.clone();
    widen(&mut wide, members.len(), layers);
    let mut model =
        Model::<T>::builder(wide).seed(first.model().seed()).device(first.model().device().clone()).build()?;
    let mut theta = vec![0.0; model.parameter_count()];
    for (number, member) in members.iter().enumerate() {
        let place = Place { number, members: members.len(), layers };
        place.add(member, first, model.spans(), &mut theta).ok_or_else(|| unfit("expected regressions"))?;
    }
    model.set_theta(&theta.into_iter().map(T::from_f64).collect::<Vec<_>>())?;
    Ok(first.with_model(model))
}

/// Multiplies the width of every hidden layer.
fn widen(specification: &mut Specification, factor: usize, layers: usize) {
    let mut seen = 0;
    for layer in &mut specification.layers {
        if let gramstep::model::LayerSpecification::Dense(dense) = layer {
            seen += 1;
            if seen < layers {
                dense.units *= factor;
            }
        }
    }
}

/// One member's place among all.
struct Place {
    number: usize,
    members: usize,
    layers: usize,
}

impl Place {
    /// Adds a member's weights to those of the average, in the units of the first member.
    fn add<T: Scalar>(
        &self,
        member: &Predictor<T>,
        first: &Predictor<T>,
        spans: &[Span],
        theta: &mut [f64],
    ) -> Option<()> {
        let (input, base) =
            (&member.preprocessing().inputs.standardisation, &first.preprocessing().inputs.standardisation);
        let (output, reference) = (targets(member)?, targets(first)?);
        let own = member.model().theta();
        for layer in 0..self.layers {
            let (first_layer, last) = (layer == 0, layer + 1 == self.layers);
            let [w, b] = member.model().spans().get(2 * layer..2 * layer + 2)? else { return None };
            let [wide_w, wide_b] = spans.get(2 * layer..2 * layer + 2)? else { return None };
            let (rows, columns) = (w.shape[0], w.shape[1]);
            let row_start = if last { 0 } else { self.number * rows };
            let column_start = if first_layer { 0 } else { self.number * columns };
            for i in 0..rows {
                let share = if last { output.scale[i] / reference.scale[i] / self.members as f64 } else { 1.0 };
                let mut bias = own[b.offset + i].to_f64();
                for j in 0..columns {
                    let weight = own[w.offset + i * columns + j].to_f64();
                    let stretch = if first_layer { base.scale[j] / input.scale[j] } else { 1.0 };
                    if first_layer {
                        bias += weight * (base.mean[j] - input.mean[j]) / input.scale[j];
                    }
                    theta[wide_w.offset + (row_start + i) * wide_w.shape[1] + column_start + j] +=
                        share * stretch * weight;
                }
                let shift = if last {
                    (output.mean[i] - reference.mean[i]) / reference.scale[i] / self.members as f64
                } else {
                    0.0
                };
                theta[wide_b.offset + row_start + i] += share * bias + shift;
            }
        }
        Some(())
    }
}

fn targets<T: Scalar>(predictor: &Predictor<T>) -> Option<&Standardisation> {
    match &predictor.preprocessing().targets {
        Targets::Regression { standardisation, .. } => Some(standardisation),
        Targets::Classification { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use gramstep::Matrix;

    use super::*;
    use crate::arrays::{ArrayTargets, Samples, train};
    use crate::observer::Silent;
    use crate::settings::Config;

    #[test]
    fn the_average_is_one_network_that_predicts_the_mean() {
        let x = Matrix::from_fn(60, 2, |i, j| ((i * (j + 2)) % 17) as f64);
        let y = Matrix::from_fn(60, 2, |i, a| 100.0 + (x[(i, a)] / 4.0).sin() * x[(i, 1 - a)]);
        for architecture in ["linear", "mlp:7,5:tanh"] {
            let member = |seed| {
                let model = Some(architecture.to_owned());
                let config = Config { model, epochs: Some(5), seed: Some(seed), ..Config::default() };
                let samples = Samples::new(x.view(), ArrayTargets::numbers(y.clone()));
                let prepared = samples.prepare(0.2, seed).unwrap();
                train(&prepared, &config, 0.0, None, &AtomicBool::new(false), &mut Silent).unwrap().0
            };
            let members = [member(0), member(1), member(2)];
            let one = average(&members.iter().collect::<Vec<_>>()).unwrap().predict(x.view()).unwrap();
            let all: Vec<Matrix<f64>> = members.iter().map(|member| member.predict(x.view()).unwrap()).collect();
            for i in 0..60 {
                for a in 0..2 {
                    let mean = all.iter().map(|f| f[(i, a)]).sum::<f64>() / 3.0;
                    assert!((one[(i, a)] - mean).abs() < 1e-10, "{architecture}: {} {mean}", one[(i, a)]);
                }
            }
        }
    }
}

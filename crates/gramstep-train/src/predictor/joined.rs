//! The average of networks as one network, for those who want a network.
//!
//! ```text
//! f(x) = (1/M) Σ_m f_m(x)
//! ```
//!
//! The hidden layers of perceptrons lie side by side, with no weights between them, and the last layer has the mean of
//! the biases.

use gramstep::model::{LayerSpecification, Span};
use gramstep::{Error, Model, Result, Scalar, Specification};

/// The average of perceptrons of one architecture.
///
/// # Errors
/// If there is no network, or they are not such perceptrons.
pub(crate) fn joined<T: Scalar>(members: &[Model<T>]) -> Result<Model<T>> {
    let first = members.first().ok_or_else(|| unfit("no network"))?;
    if members.len() == 1 {
        return Ok(first.clone());
    }
    let specification = perceptron(first)?;
    if members.iter().any(|member| member.specification() != Some(specification)) {
        return Err(unfit("networks of several architectures"));
    }
    let wide = widened(specification.clone(), members.len());
    let mut wide = Model::<T>::builder(wide).seed(first.seed()).device(first.device().clone()).build()?;
    let mut theta = vec![0.0; wide.parameter_count()];
    for (number, member) in members.iter().enumerate() {
        add(member, Place { number, members: members.len() }, wide.spans(), &mut theta);
    }
    wide.set_theta(&theta.into_iter().map(T::from_f64).collect::<Vec<_>>())?;
    Ok(wide)
}

fn unfit(reason: &str) -> Error {
    Error::Specification { text: "average of networks".to_owned(), reason: reason.to_owned() }
}

/// The specification, where every parameter belongs to a dense layer with bias.
fn perceptron<T: Scalar>(model: &Model<T>) -> Result<&Specification> {
    let dense = |pair: &[Span]| matches!(pair, [w, b] if w.shape.len() == 2 && b.shape.len() == 1);
    let specification = model.specification().filter(|_| model.spans().chunks(2).all(dense));
    specification.ok_or_else(|| unfit("only networks of dense layers can lie side by side"))
}

/// The same with a multiple of the hidden units.
fn widened(mut specification: Specification, factor: usize) -> Specification {
    let dense = specification.layers.iter_mut().filter_map(|layer| match layer {
        LayerSpecification::Dense(dense) => Some(dense),
        _ => None,
    });
    let mut hidden: Vec<_> = dense.collect();
    hidden.pop();
    for dense in hidden {
        dense.units *= factor;
    }
    specification
}

/// One network's place among all.
#[derive(Clone, Copy, Debug)]
struct Place {
    number: usize,
    members: usize,
}

/// Adds a member's parameters to those of the average.
fn add<T: Scalar>(member: &Model<T>, place: Place, spans: &[Span], theta: &mut [f64]) {
    let own = member.theta();
    let layers = spans.len() / 2;
    for (layer, (narrow, wide)) in member.spans().chunks_exact(2).zip(spans.chunks_exact(2)).enumerate() {
        let (rows, columns) = (narrow[0].shape[0], narrow[0].shape[1]);
        let last = layer + 1 == layers;
        let share = if last { 1.0 / place.members as f64 } else { 1.0 };
        let row_start = if last { 0 } else { place.number * rows };
        let column_start = if layer == 0 { 0 } else { place.number * columns };
        for i in 0..rows {
            let row = wide[0].offset + (row_start + i) * wide[0].shape[1] + column_start;
            let weights = &own[narrow[0].offset + i * columns..][..columns];
            theta[row..].iter_mut().zip(weights).for_each(|(sum, weight)| *sum += share * weight.to_f64());
            theta[wide[1].offset + row_start + i] += share * own[narrow[1].offset + i].to_f64();
        }
    }
}

#[cfg(test)]
mod tests {
    use gramstep::{Activation, Matrix};

    use super::*;

    fn networks(widths: &[usize]) -> Vec<Model<f64>> {
        let build = |seed| Model::mlp(widths, Activation::Tanh).seed(seed).build().unwrap();
        let mut networks: Vec<Model<f64>> = (0..3).map(build).collect();
        for (m, network) in networks.iter_mut().enumerate() {
            // Biases begin at 0: others show where they go.
            let theta: Vec<f64> =
                network.theta().iter().zip(0..).map(|(t, i)| t + 0.1 * f64::from(i % 7) - m as f64 / 9.0).collect();
            network.set_theta(&theta).unwrap();
        }
        networks
    }

    #[test]
    fn the_average_is_one_network_that_predicts_the_mean() {
        let x = Matrix::from_fn(9, 2, |i, j| ((i * (j + 2)) % 5) as f64 - 2.0);
        for widths in [vec![2, 3], vec![2, 7, 5, 3]] {
            let members = networks(&widths);
            let one = joined(&members).unwrap().predict(&x).unwrap();
            let single: Vec<Matrix<f64>> = members.iter().map(|member| member.predict(&x).unwrap()).collect();
            for (i, a) in (0..9).flat_map(|i| (0..3).map(move |a| (i, a))) {
                let expected = single.iter().map(|f| f[(i, a)]).sum::<f64>() / 3.0;
                assert!((one[(i, a)] - expected).abs() < 1e-12, "{widths:?}");
            }
        }
    }

    #[test]
    fn what_cannot_lie_side_by_side_is_refused() {
        assert!(joined::<f64>(&[]).is_err());
        assert!(joined(&[networks(&[2, 3, 1]).remove(0), networks(&[2, 4, 1]).remove(0)]).is_err());
    }
}

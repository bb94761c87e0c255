//! Taylor expansions of networks: coefficients against interpolated polynomials, errors by order, training.

use std::sync::Arc;

use gramstep::kernel::{LinearisedModel, TaylorModel};
use gramstep::model::Distribution;
use gramstep::model::layer::{ChannelScale, Dense, Stage};
use gramstep::{Activation, Device, Error, Matrix, Model, Specification};

use super::cases::{Case, assert_close, cases, dot, eliminate, matrix, model, norm, normal};
use super::extensions::Swell;

fn moved(model: &Model<f64>, v: &[f64]) -> Model<f64> {
    let mut moved = model.clone();
    moved.set_theta(&model.theta().iter().zip(v).map(|(theta, v)| theta + v).collect::<Vec<_>>()).unwrap();
    moved
}

fn expanded(model: &Model<f64>, order: usize, v: &[f64]) -> TaylorModel<f64> {
    let mut taylor = TaylorModel::new(model.clone(), order).unwrap();
    taylor.set_displacement(v.to_vec()).unwrap();
    taylor
}

fn scaled(v: &[f64], by: f64) -> Vec<f64> {
    v.iter().map(|v| v * by).collect()
}

/// Those that are expanded beyond order 1.
fn expandable() -> Vec<Case> {
    cases().into_iter().filter(|case| !case.name.contains("group norm")).collect()
}

/// The coefficients of t ↦ f(θ₀ + t·v) from its values at −4, …, 4: the polynomial of degree 8 through them.
fn interpolated(model: &Model<f64>, x: &Matrix<f64>, v: &[f64]) -> Vec<Vec<f64>> {
    let times: Vec<f64> = (-4..=4).map(f64::from).collect();
    let values: Vec<Vec<f64>> =
        times.iter().map(|&t| moved(model, &scaled(v, t)).predict(x).unwrap().into_vec()).collect();
    let rows: Vec<Vec<f64>> = times.iter().map(|&t| (0..9).map(|j| t.powi(j)).collect()).collect();
    let entries = 0..values[0].len();
    let by_entry: Vec<Vec<f64>> =
        entries.map(|at| eliminate(rows.clone(), values.iter().map(|values| values[at]).collect())).collect();
    (0..5).map(|j| by_entry.iter().map(|entry| entry[j]).collect()).collect()
}

#[test]
fn terms_are_the_coefficients_of_the_polynomial_through_nearby_values() {
    for (number, case) in expandable().iter().enumerate() {
        let model = model::<f64>(case, 3);
        let x = matrix(5 + number as u64, 3, case.inputs());
        let kinks = ["relu", "abs", "max", "theory"].iter().any(|word| case.name.contains(word));
        let v = scaled(&normal(7, model.parameter_count()), if kinks { 2e-4 } else { 0.002 });
        let expected = interpolated(&model, &x, &v);
        let terms = expanded(&model, 4, &v).terms(&x).unwrap();
        let scale = norm(&expected[0]).max(1.0);
        for (j, (term, expected)) in terms.iter().zip(&expected).enumerate() {
            let off: Vec<f64> = term.as_slice().iter().zip(expected).map(|(a, b)| a - b).collect();
            assert!(norm(&off) < 2e-12 * scale, "{}, order {j}: {:e} of {:e}", case.name, norm(&off), norm(expected));
        }
        let one = norm(terms[2].as_slice());
        assert!(case.name == "linear" || one > 1e-9 * scale, "{}: nothing of order 2 to compare, {one:e}", case.name);
    }
}

#[test]
fn the_expansion_of_order_one_is_the_linearised_network() {
    for case in cases() {
        let model = model::<f64>(&case, 4);
        let (x, v) = (matrix(6, 4, case.inputs()), normal::<f64>(8, model.parameter_count()));
        let taylor = expanded(&model, 1, &v);
        let mut linear = LinearisedModel::new(model.clone());
        linear.set_displacement(v).unwrap();
        let (ours, theirs) = (taylor.predict(&x).unwrap(), linear.predict(&x).unwrap());
        assert_close(ours.as_slice(), theirs.as_slice(), 100.0, &case.name);
        let (gram, linear) = (taylor.tangent(&x).unwrap().gram(), model.tangent(&x).unwrap().gram());
        assert_close(gram.as_slice(), linear.as_slice(), 1000.0, &case.name);
    }
}

#[test]
fn a_network_of_degree_two_and_one_of_degree_four_are_their_expansions() {
    for (sizes, order) in [(&[3, 5, 2][..], 2), (&[3, 5, 4, 2], 3), (&[3, 5, 4, 4, 2], 4)] {
        let model = Model::<f64>::mlp(sizes, Activation::Identity).seed(1).build().unwrap();
        let (x, v) = (matrix(2, 5, 3), normal::<f64>(3, model.parameter_count()));
        let f = moved(&model, &v).predict(&x).unwrap();
        assert_close(expanded(&model, order, &v).predict(&x).unwrap().as_slice(), f.as_slice(), 100.0, "exact");
        let off = expanded(&model, order - 1, &v).predict(&x).unwrap();
        let off: Vec<f64> = off.as_slice().iter().zip(f.as_slice()).map(|(a, b)| a - b).collect();
        assert!(norm(&off) > 0.1, "one order less is another function");
    }
    // With fixed signs at the output max(w·x, 0)² is quadratic in w as long as no unit changes sides.
    let model = Model::<f64>::builder(Specification::two_layer(3, 32, Activation::SquaredRelu)).build().unwrap();
    let (x, mut v) = (matrix(4, 5, 3), scaled(&normal(5, model.parameter_count()), 1e-3));
    v[3 * 32..].fill(0.0);
    let f = moved(&model, &v).predict(&x).unwrap();
    assert_close(expanded(&model, 2, &v).predict(&x).unwrap().as_slice(), f.as_slice(), 100.0, "within a piece");
}

#[test]
fn the_error_of_order_k_falls_with_the_power_k_plus_one() {
    for activation in [Activation::Tanh, Activation::Gelu, Activation::Softplus, Activation::Erf] {
        let model = Model::<f64>::mlp(&[3, 20, 20, 2], activation).seed(2).build().unwrap();
        let (x, v) = (matrix(3, 6, 3), scaled(&normal(4, model.parameter_count()), 0.1));
        for order in 1..=4 {
            let error = |by: f64| {
                let v = scaled(&v, by);
                let (ours, f) =
                    (expanded(&model, order, &v).predict(&x).unwrap(), moved(&model, &v).predict(&x).unwrap());
                norm(&ours.as_slice().iter().zip(f.as_slice()).map(|(a, b)| a - b).collect::<Vec<_>>())
            };
            let slope = (error(0.5) / error(0.125)).log(4.0);
            assert!((slope - order as f64 - 1.0).abs() < 0.35, "{activation}, order {order}: slope {slope}");
        }
    }
}

/// A shift beside a factor, before and behind a function: both are there at a_0, the factor alone at later coefficients.
fn scaled_channels() -> Model<f64> {
    let dense =
        |inputs, outputs| Stage::Layer(Arc::new(Dense::new(inputs, outputs, 1.0, Distribution::Normal(0.6))) as _);
    let channels = || Stage::Layer(Arc::new(ChannelScale::new(2, 3)) as _);
    let stages = vec![dense(4, 6), channels(), Stage::Pointwise(Arc::new(Activation::Tanh)), channels(), dense(6, 2)];
    Model::from_stages(4, stages).device(Device::cpu(1)).seed(8).build().unwrap()
}

#[test]
fn features_are_those_of_the_expansion_where_it_stands() {
    let of_cases = expandable().into_iter().map(|case| (model::<f64>(&case, 5), case.name));
    for (model, name) in of_cases.chain([(scaled_channels(), "factors and shifts".to_owned())]) {
        let x = matrix(9, 3, model.inputs());
        let (v, mut w) =
            (scaled(&normal(10, model.parameter_count()), 0.1), normal::<f64>(11, model.parameter_count()));
        // Features leave frozen spans out.
        model.spans().iter().filter(|span| span.weight == 0.0).for_each(|span| w[span.range()].fill(0.0));
        for order in [2, 4] {
            let taylor = expanded(&model, order, &v);
            let tangent = taylor.tangent(&x).unwrap();
            // f̃ is a polynomial of v: its derivative along w by differences of small error.
            let at = |t: f64| {
                let v: Vec<f64> = v.iter().zip(&w).map(|(v, w)| v + t * w).collect();
                expanded(&model, order, &v).predict(&x).unwrap().into_vec()
            };
            let h = 1e-3;
            let (a, b, c, d) = (at(h), at(-h), at(2.0 * h), at(-2.0 * h));
            let slope: Vec<f64> = (0..a.len()).map(|i| (8.0 * (a[i] - b[i]) - (c[i] - d[i])) / (12.0 * h)).collect();
            let weighted = name.contains("weighted");
            let jvp = tangent.jvp(&w).unwrap();
            let off: Vec<f64> = jvp.iter().zip(&slope).map(|(a, b)| a - b).collect();
            assert!(norm(&off) < 1e-8 * norm(&slope).max(1.0), "{name}, order {order}: {:e}", norm(&off));
            let u = normal::<f64>(12, jvp.len());
            let pulled = tangent.vjp(&u).unwrap();
            let (left, right) = (dot(&pulled, &w), dot(&u, &jvp));
            assert!(weighted || (left - right).abs() < 1e-10 * right.abs().max(1.0), "{name}: {left} {right}");
            let (gram, image) = (tangent.gram(), tangent.jvp(&pulled).unwrap());
            let product: Vec<f64> = (0..u.len()).map(|i| dot(gram.row(i), &u)).collect();
            assert_close(&product, &image, 1e4, &format!("gram, {name}, order {order}"));
        }
    }
}

#[test]
fn training_reaches_the_minimum_and_order_one_does_so_in_closed_form() {
    let model = Model::<f64>::mlp(&[1, 24, 1], Activation::Tanh).seed(6).build().unwrap();
    let x = Matrix::from_fn(10, 1, |i, _| i as f64 / 4.5 - 1.0);
    let y = Matrix::from_fn(10, 1, |i, _| (4.0 * x[(i, 0)]).sin());
    for ridge in [0.0, 0.1] {
        let mut linear = LinearisedModel::new(model.clone());
        linear.fit(&x, &y, ridge).unwrap();
        let mut taylor = TaylorModel::new(model.clone(), 1).unwrap();
        taylor.fit(&x, &y, ridge, None).unwrap();
        let (ours, theirs) = (taylor.predict(&x).unwrap(), linear.predict(&x).unwrap());
        let off: Vec<f64> = ours.as_slice().iter().zip(theirs.as_slice()).map(|(a, b)| a - b).collect();
        assert!(norm(&off) < 1e-7, "{ridge}: {:e}", norm(&off));
    }
    // With weights of spans, of which one is frozen.
    let mut weighted = model.clone();
    for (span, weight) in model.spans().iter().zip([100.0, 0.0, 0.25, 1.0]) {
        weighted.set_span_weight(&span.name, weight).unwrap();
    }
    let mut linear = LinearisedModel::new(weighted.clone());
    linear.fit(&x, &y, 3.0).unwrap();
    let mut taylor = TaylorModel::new(weighted, 1).unwrap();
    let fit = taylor.fit(&x, &y, 3.0, None).unwrap();
    let off: Vec<f64> = taylor.displacement().iter().zip(linear.displacement()).map(|(a, b)| a - b).collect();
    assert!(fit.converged && norm(&off) < 1e-9 * norm(linear.displacement()), "{fit:?} {:e}", norm(&off));
    for order in [2, 3, 4] {
        let mut taylor = TaylorModel::new(model.clone(), order).unwrap();
        let fit = taylor.fit(&x, &y, 0.1, None).unwrap();
        assert!(fit.converged && fit.steps > 1, "{fit:?}");
        let f = taylor.predict(&x).unwrap();
        let residual = Matrix::from_fn(10, 1, |i, _| f[(i, 0)] - y[(i, 0)]);
        let mut gradient = taylor.gradient(&x, &residual).unwrap();
        gradient.iter_mut().zip(taylor.displacement()).for_each(|(g, v)| *g += 0.1 * v);
        assert!(norm(&gradient) < 1e-5, "order {order}: {:e}", norm(&gradient));
        let (x, y) = (x.select_rows(&[0, 2, 5, 7, 9]), y.select_rows(&[0, 2, 5, 7, 9]));
        let fit = TaylorModel::new(model.clone(), order).unwrap().fit(&x, &y, 0.0, None).unwrap();
        assert!(fit.loss < 1e-12 && fit.converged, "order {order}: {fit:?}");
    }
}

#[test]
fn what_cannot_be_expanded_is_refused_by_name() {
    let dense =
        |inputs, outputs| Stage::Layer(Arc::new(Dense::new(inputs, outputs, 1.0, Distribution::Normal(0.4))) as _);
    let stages = vec![dense(3, 4), Stage::Nonlinear(Arc::new(Swell(4))), dense(4, 2)];
    let model = Model::<f64>::from_stages(3, stages).device(Device::cpu(1)).build().unwrap();
    let v = normal::<f64>(1, model.parameter_count());
    let x = matrix(2, 4, 3);
    let mut linear = LinearisedModel::new(model.clone());
    linear.set_displacement(v.clone()).unwrap();
    let taylor = expanded(&model, 1, &v);
    assert_close(taylor.predict(&x).unwrap().as_slice(), linear.predict(&x).unwrap().as_slice(), 100.0, "order 1");
    assert_close(
        taylor.tangent(&x).unwrap().gram().as_slice(),
        model.tangent(&x).unwrap().gram().as_slice(),
        1000.0,
        "order 1",
    );
    let error = TaylorModel::new(model.clone(), 2).unwrap_err();
    assert!(matches!(&error, Error::Specification { text, .. } if text == "layers.1"), "{error}");
    for order in [0, 5] {
        assert!(matches!(TaylorModel::new(model.clone(), order), Err(Error::Setting { .. })));
    }
    let mut taylor = TaylorModel::new(model.clone(), 1).unwrap();
    assert!(taylor.set_displacement(vec![0.0; 3]).is_err());
    assert!(taylor.predict(&matrix(1, 2, 4)).is_err());
    assert!(taylor.fit(&x, &matrix(1, 4, 3), 0.0, None).is_err());
    assert!(taylor.fit(&x, &matrix(1, 4, model.outputs()), -1.0, None).is_err());
}

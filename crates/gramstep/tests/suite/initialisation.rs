//! How networks start.

use gramstep::model::{LayerSpecification, Scheme};
use gramstep::{Activation, Matrix, Model, Specification};

use super::cases::{INPUTS, assert_close, cases, matrix};

#[test]
fn a_symmetric_start_gives_zero_outputs_and_the_kernel_of_one_copy() {
    for sizes in [&[INPUTS, 8, 2][..], &[INPUTS, 8, 6, 1]] {
        let specification = Specification::mlp(sizes, Activation::Tanh);
        let x = matrix(1, 5, INPUTS);
        let one = Model::<f64>::builder(specification.clone()).seed(4).build().unwrap();
        let doubled = Model::<f64>::builder(specification.with_symmetric_start()).seed(4).build().unwrap();
        assert!(doubled.predict(&x).unwrap().as_slice().iter().all(|&f| f == 0.0));
        let (ours, theirs) = (doubled.tangent(&x).unwrap().gram(), one.tangent(&x).unwrap().gram());
        assert_close(ours.as_slice(), theirs.as_slice(), 50.0, "kernel at the start");
    }
}

/// The weight of one copy goes before that of both, wherever the names come in order.
#[test]
fn weights_of_spans_are_those_of_the_network_that_the_specification_builds() {
    for (name, weight) in [("a.layers.2.weight", 1.0), ("b.layers.2.weight", 0.5), ("a.layers.0.weight", 0.0)] {
        let specification = Specification::two_layer(INPUTS, 4, Activation::Tanh).with_symmetric_start();
        let mut model = Model::<f64>::builder(specification).build().unwrap();
        model.set_span_weight(name, weight).unwrap();
        let rebuilt = Model::<f64>::builder(model.specification().unwrap().clone()).build().unwrap();
        let cast = model.cast::<f32>().unwrap();
        let weights = model.spans().iter().map(|span| (span.name.clone(), span.weight)).collect::<Vec<_>>();
        assert!(weights.contains(&(name.to_owned(), weight)), "{weights:?}");
        for spans in [rebuilt.spans(), cast.spans()] {
            assert_eq!(spans.iter().map(|span| (span.name.clone(), span.weight)).collect::<Vec<_>>(), weights);
        }
    }
}

#[test]
fn a_zero_last_layer_gives_zero_outputs() {
    let specification = Specification::mlp(&[INPUTS, 8, 3], Activation::Relu).with_initialization(Scheme::He, true);
    let model = Model::<f32>::builder(specification).build().unwrap();
    assert!(model.predict(&matrix(1, 4, INPUTS)).unwrap().as_slice().iter().all(|&f| f == 0.0));
}

#[test]
fn weights_have_the_variance_of_their_scheme() {
    for (scheme, variance) in [(Scheme::He, 2.0 / 300.0), (Scheme::LeCun, 1.0 / 300.0), (Scheme::Xavier, 2.0 / 700.0)] {
        let specification = Specification::mlp(&[300, 400, 1], Activation::Relu).with_initialization(scheme, false);
        let model = Model::<f64>::builder(specification).seed(9).build().unwrap();
        let weights = &model.theta()[model.spans()[0].range()];
        let measured = weights.iter().map(|w| w * w).sum::<f64>() / weights.len() as f64;
        assert!((measured / variance - 1.0).abs() < 0.02, "{scheme:?}: {measured} for {variance}");
    }
}

#[test]
fn the_same_seed_gives_the_same_parameters_and_another_seed_others() {
    let theta = |seed| Model::<f64>::mlp(&[3, 4, 1], Activation::Relu).seed(seed).build().unwrap().theta();
    assert_eq!(theta(1), theta(1));
    assert_ne!(theta(1), theta(2));
}

#[test]
fn an_output_scale_multiplies_outputs_by_it_and_the_kernel_by_its_square() {
    let specification = Specification::mlp(&[INPUTS, 8, 1], Activation::Gelu);
    let x = matrix(2, 4, INPUTS);
    let plain = Model::<f64>::builder(specification.clone()).build().unwrap();
    let scaled = Model::<f64>::builder(specification.with_output_scale(4.0)).build().unwrap();
    let times = |matrix: &Matrix<f64>, factor: f64| matrix.as_slice().iter().map(|v| v * factor).collect::<Vec<_>>();
    assert_close(scaled.predict(&x).unwrap().as_slice(), &times(&plain.predict(&x).unwrap(), 4.0), 4.0, "outputs");
    let (gram, plain) = (scaled.tangent(&x).unwrap().gram(), plain.tangent(&x).unwrap().gram());
    assert_close(gram.as_slice(), &times(&plain, 16.0), 20.0, "kernel");
}

#[test]
fn specifications_are_written_and_read_back() {
    for case in cases() {
        let text = serde_json::to_string(&case.specification).unwrap();
        assert_eq!(serde_json::from_str::<Specification>(&text).unwrap(), case.specification, "{}", case.name);
    }
}

#[test]
fn specifications_that_cannot_be_built_are_refused() {
    let built = |specification| Model::<f64>::builder(specification).build().map(|_| ());
    assert!(built(Specification::mlp(&[0, 3, 1], Activation::Relu)).is_err());
    assert!(built(Specification::mlp(&[3, 0, 1], Activation::Relu)).is_err());
    assert!(built(Specification::mlp(&[3], Activation::Relu)).is_err());
    assert!(built(Specification::mlp(&[3, 1], Activation::Relu).with_output_scale(f64::NAN)).is_err());
    assert!(built(Specification::mlp(&[3, 1], Activation::Relu).with_span_weight("layers.7.weight", 0.0)).is_err());
    let only =
        Specification::new(gramstep::model::Shape::Vector(3), vec![LayerSpecification::Activation(Activation::Tanh)]);
    assert!(built(only).is_ok());
}

#[test]
fn wrong_inputs_and_non_finite_values_are_named() {
    let mut model = Model::<f64>::mlp(&[3, 4, 1], Activation::Relu).build().unwrap();
    assert!(matches!(model.predict(&Matrix::zeros(2, 4)), Err(gramstep::Error::Shape { expected: 3, got: 4, .. })));
    let x = Matrix::from_vec(1, 3, vec![1.0, f64::NAN, 0.0]).unwrap();
    assert!(model.predict(&x).unwrap_err().to_string().contains("input"));
    let huge = vec![1e200; model.parameter_count()];
    model.set_theta(&huge).unwrap();
    let error = model.predict(&Matrix::from_vec(1, 3, vec![1.0, 1.0, 1.0]).unwrap()).unwrap_err();
    assert!(error.to_string().contains("layers.2"), "{error}");
}

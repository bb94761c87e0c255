//! Identities of tangent features against the explicit Jacobian and against differences.

use gramstep::loss::CrossEntropyLoss;
use gramstep::optim::{Batch, GramGaussNewton, GramGaussNewtonConfig, Rows};
use gramstep::tangent::{ExplicitPart, LinearPart, Part, Term};
use gramstep::{Activation, Device, Error, Matrix, Model, Scalar, TangentFeatures};

use super::cases::{INPUTS, assert_close, cases, dot, matrix, model, norm, normal};

/// J S Jᵀ from the explicit Jacobian; the weights s by parameter.
fn gram_of_twin<T: Scalar>(rows: &Matrix<T>, columns: &Matrix<T>, weights: &[f64]) -> Matrix<T> {
    Matrix::from_fn(rows.rows(), columns.rows(), |i, j| {
        let products = rows.row(i).iter().zip(columns.row(j)).zip(weights);
        T::from_f64(products.map(|((a, b), s)| a.to_f64() * b.to_f64() * s).sum())
    })
}

fn weights<T: Scalar>(model: &Model<T>) -> Vec<f64> {
    model.spans().iter().flat_map(|span| vec![span.weight; span.len()]).collect()
}

fn gram_agrees_with_its_twin<T: Scalar>() {
    for case in cases() {
        for samples in [1, 2, 9, 70] {
            let model = model::<T>(&case, 3);
            let (x, other) = (matrix(5, samples, case.inputs()), matrix(6, 4, case.inputs()));
            let (tangent, theirs) = (model.tangent(&x).unwrap(), model.tangent(&other).unwrap());
            let (jacobian, s) = (tangent.jacobian(), weights(&model));
            let twin = gram_of_twin(&jacobian, &jacobian, &s);
            let gram = tangent.gram();
            assert_close(gram.as_slice(), twin.as_slice(), 200.0, &format!("{}, gram of {samples}", case.name));
            for i in 0..gram.rows() {
                for j in 0..i {
                    assert_eq!(gram[(i, j)], gram[(j, i)], "{}: symmetric to the bit", case.name);
                }
            }
            let diagonal: Vec<T> = (0..gram.rows()).map(|i| gram[(i, i)]).collect();
            assert_close(&tangent.diagonal(), &diagonal, 200.0, &format!("{}, diagonal", case.name));
            let cross = tangent.cross_gram(&theirs).unwrap();
            let twin = gram_of_twin(&jacobian, &theirs.jacobian(), &s);
            assert_close(cross.as_slice(), twin.as_slice(), 500.0, &format!("{}, cross gram", case.name));
        }
    }
}

#[test]
fn gram_is_the_product_of_explicit_jacobians_in_f64() {
    gram_agrees_with_its_twin::<f64>();
}

#[test]
fn gram_is_the_product_of_explicit_jacobians_in_f32() {
    gram_agrees_with_its_twin::<f32>();
}

fn products_agree_with_the_twin<T: Scalar>() {
    for case in cases() {
        let model = model::<T>(&case, 11);
        let x = matrix(12, 9, case.inputs());
        let tangent = model.tangent(&x).unwrap();
        let (jacobian, s) = (tangent.jacobian(), weights(&model));
        let (u, v) = (normal::<T>(13, tangent.rows()), normal::<T>(14, model.parameter_count()));
        let jvp = tangent.jvp(&v).unwrap();
        let trainable: Vec<T> = v.iter().zip(&s).map(|(&v, &s)| if s > 0.0 { v } else { T::ZERO }).collect();
        let twin: Vec<T> = (0..tangent.rows()).map(|i| T::from_f64(dot(jacobian.row(i), &trainable))).collect();
        assert_close(&jvp, &twin, 300.0, &format!("{}: jvp", case.name));
        let vjp = tangent.vjp(&u).unwrap();
        let twin: Vec<T> = (0..v.len())
            .map(|q| {
                let column = (0..u.len()).map(|i| jacobian[(i, q)].to_f64() * u[i].to_f64());
                T::from_f64(s[q] * column.sum::<f64>())
            })
            .collect();
        assert_close(&vjp, &twin, 300.0, &format!("{}: vjp", case.name));
        // ⟨u, J v⟩ = ⟨Jᵀu, v⟩, in the inner product of the span weights.
        let left = dot(&u, &jvp);
        let right: f64 =
            vjp.iter().zip(&v).zip(&s).filter(|(_, s)| **s > 0.0).map(|((a, b), s)| a.to_f64() * b.to_f64() / s).sum();
        let scale = norm(&u) * norm(&jvp) + 1e-30;
        assert!((left - right).abs() <= 300.0 * T::EPSILON.to_f64() * scale, "{}: adjoint", case.name);
        // G u = J (S Jᵀ u).
        let lifted = tangent.jvp(&vjp).unwrap();
        let gram = tangent.gram();
        let image: Vec<T> = (0..u.len()).map(|i| T::from_f64(dot(gram.row(i), &u))).collect();
        assert_close(&lifted, &image, 1000.0, &format!("{}: G = jvp∘vjp", case.name));
    }
}

#[test]
fn products_with_the_jacobian_are_adjoint_and_equal_the_twin_in_f64() {
    products_agree_with_the_twin::<f64>();
}

#[test]
fn products_with_the_jacobian_are_adjoint_and_equal_the_twin_in_f32() {
    products_agree_with_the_twin::<f32>();
}

#[test]
fn jvp_is_the_slope_of_the_network_along_a_direction() {
    for case in cases() {
        let mut model = model::<f64>(&case, 21);
        let x = matrix(22, 4, case.inputs());
        let (theta, s) = (model.theta(), weights(&model));
        let v: Vec<f64> =
            normal::<f64>(23, theta.len()).iter().zip(&s).map(|(v, &s)| if s > 0.0 { *v } else { 0.0 }).collect();
        let jvp = model.tangent(&x).unwrap().jvp(&v).unwrap();
        let (f, slope) = model.predict_tangent(&x, &v).unwrap();
        assert_close(f.as_slice(), model.predict(&x).unwrap().as_slice(), 4.0, &format!("{}: value", case.name));
        assert_close(slope.as_slice(), &jvp, 300.0, &format!("{}: forward differentiation", case.name));
        let h = 1e-5;
        let mut at = |step: f64| {
            let moved: Vec<_> = theta.iter().zip(&v).map(|(t, v)| t + step * v).collect();
            model.set_theta(&moved).unwrap();
            model.predict(&x).unwrap().into_vec()
        };
        let difference: Vec<f64> = at(h).iter().zip(at(-h)).map(|(up, down)| (up - down) / (2.0 * h)).collect();
        assert_close(&difference, &jvp, 1e-7 / f64::EPSILON, &format!("{}: central difference", case.name));
    }
}

#[test]
fn input_gradients_are_slopes_of_outputs_and_of_jvps() {
    for case in cases() {
        let model = model::<f64>(&case, 31);
        let (x, v) = (matrix(32, 4, case.inputs()), normal::<f64>(33, model.parameter_count()));
        let u = matrix(34, 4, model.outputs());
        let gradient = model.input_gradient(&x, &u).unwrap();
        let second = model.tangent_input_gradient(&x, &v, &u).unwrap();
        let h = 1e-5;
        for j in 0..case.inputs() {
            let at = |step: f64| {
                let moved = Matrix::from_fn(4, case.inputs(), |i, column| {
                    x[(i, column)] + if column == j { step } else { 0.0 }
                });
                model.predict_tangent(&moved, &v).unwrap()
            };
            let (up, down) = (at(h), at(-h));
            for i in 0..4 {
                let slope = |up: &Matrix<f64>, down: &Matrix<f64>| {
                    (dot(u.row(i), up.row(i)) - dot(u.row(i), down.row(i))) / (2.0 * h)
                };
                let (first_order, second_order) = (slope(&up.0, &down.0), slope(&up.1, &down.1));
                let close = |a: f64, b: f64| (a - b).abs() <= 1e-6 * (1.0 + a.abs());
                assert!(
                    close(gradient[(i, j)], first_order),
                    "{}: ∂f/∂x {} {first_order}",
                    case.name,
                    gradient[(i, j)]
                );
                assert!(
                    close(second[(i, j)], second_order),
                    "{}: ∂(Jv)/∂x {} {second_order}",
                    case.name,
                    second[(i, j)]
                );
            }
        }
    }
}

#[test]
fn permuting_samples_permutes_the_gram_matrix() {
    for case in cases() {
        let model = model::<f64>(&case, 41);
        let x = matrix(42, 6, case.inputs());
        let order = [3, 0, 5, 1, 4, 2];
        let (gram, permuted) =
            (model.tangent(&x).unwrap().gram(), model.tangent(&x.select_rows(&order)).unwrap().gram());
        let k = model.outputs();
        let expected = Matrix::from_fn(6 * k, 6 * k, |r, c| gram[(order[r / k] * k + r % k, order[c / k] * k + c % k)]);
        assert_close(permuted.as_slice(), expected.as_slice(), 20.0, &case.name);
    }
}

#[test]
fn a_split_batch_gives_the_blocks_of_the_whole_batch() {
    for case in cases() {
        let model = model::<f64>(&case, 51);
        let x: Matrix<f64> = matrix(52, 7, case.inputs());
        let (first, second) = (x.select_rows(&[0, 1, 2]), x.select_rows(&[3, 4, 5, 6]));
        let [whole, first, second] = [&x, &first, &second].map(|x| model.tangent(x).unwrap());
        let (gram, cross, k) = (whole.gram(), first.cross_gram(&second).unwrap(), model.outputs());
        let block: Vec<f64> = (0..3 * k).flat_map(|i| gram.row(i)[3 * k..].to_vec()).collect();
        assert_close(cross.as_slice(), &block, 20.0, &case.name);
    }
}

/// A weight used at several places: Jacobian by definition, G in both forms.
#[test]
fn shared_weights_give_the_gram_matrix_of_their_summed_gradients() {
    // (places, d_in, d_out): few places favour the position form, many favour per-sample gradients.
    for (places, d_in, d_out) in [(1, 4, 3), (2, 9, 8), (16, 2, 3), (5, 3, 3)] {
        for (n, k) in [(1, 1), (4, 1), (3, 2)] {
            let bias = Some(Term { offset: d_in * d_out, scale: 0.5, weight: 2.0 });
            let linear = LinearPart::new(
                places,
                (d_in, normal::<f64>(61, n * places * d_in)),
                (d_out, normal::<f64>(62, n * k * places * d_out)),
                Term { offset: 0, scale: 1.5, weight: 0.5 },
                bias,
            );
            let extra = ExplicitPart::new(2, normal::<f64>(63, n * k * 2), Term::at(d_in * d_out + d_out));
            let p = d_in * d_out + d_out + 2;
            let parts = vec![Part::Linear(linear), Part::Explicit(extra)];
            let tangent = TangentFeatures::from_parts(Device::cpu(1), p, matrix(64, n, k), parts).unwrap();
            let jacobian = tangent.jacobian();
            let mut s = vec![0.5; d_in * d_out];
            s.extend(vec![2.0; d_out]);
            s.extend([1.0, 1.0]);
            let name = format!("T = {places}, n = {n}, k = {k}");
            let twin = gram_of_twin(&jacobian, &jacobian, &s);
            assert_close(tangent.gram().as_slice(), twin.as_slice(), 100.0, &name);
            let diagonal: Vec<f64> = (0..n * k).map(|i| twin[(i, i)]).collect();
            assert_close(&tangent.diagonal(), &diagonal, 100.0, &name);
            let u = normal::<f64>(65, n * k);
            let v = tangent.vjp(&u).unwrap();
            let image: Vec<f64> = (0..n * k).map(|i| dot(twin.row(i), &u)).collect();
            assert_close(&tangent.jvp(&v).unwrap(), &image, 200.0, &name);
        }
    }
}

#[test]
fn parts_of_the_wrong_size_are_refused() {
    let part = |weight| Part::Linear(LinearPart::new(1, (2, vec![0.0; 6]), (3, vec![0.0; 9]), weight, None));
    let features = |p, n, part| TangentFeatures::<f64>::from_parts(Device::cpu(1), p, Matrix::zeros(n, 1), vec![part]);
    assert!(features(6, 3, part(Term::at(0))).is_ok());
    assert!(features(6, 2, part(Term::at(0))).is_err());
    let beyond = features(6, 3, part(Term::at(1))).unwrap_err();
    assert!(matches!(beyond, Error::OutOfRange { index: 6, count: 6, .. }), "{beyond}");
    let negative = Term { weight: -1.0, ..Term::at(0) };
    assert!(features(6, 3, part(negative)).is_err());
    // G would miss the products of two parts over the same parameters.
    let twice = vec![part(Term::at(0)), part(Term::at(3))];
    let refused = TangentFeatures::<f64>::from_parts(Device::cpu(1), 9, Matrix::zeros(3, 1), twice).unwrap_err();
    assert_eq!(refused.to_string(), "two parts: both use the parameters 3..6; make it one part");
}

#[test]
fn cross_grams_of_other_uses_of_the_parameters_are_refused_and_other_numbers_of_rows_are_not() {
    let features = |n: usize, k: usize, term: Term| {
        let part = LinearPart::new(4, (2, normal::<f64>(1, n * 8)), (3, normal(2, n * k * 12)), term, None);
        TangentFeatures::from_parts(Device::cpu(1), 6, Matrix::zeros(n, k), vec![Part::Linear(part)]).unwrap()
    };
    // Many rows here and few there: each side alone would take another form.
    for (n, k, m, q) in [(40, 3, 1, 1), (1, 1, 40, 3), (5, 2, 5, 1)] {
        let (ours, theirs) = (features(n, k, Term::at(0)), features(m, q, Term::at(0)));
        let cross = ours.cross_gram(&theirs).unwrap();
        let twin = gram_of_twin(&ours.jacobian(), &theirs.jacobian(), &[1.0; 6]);
        assert_close(cross.as_slice(), twin.as_slice(), 100.0, "cross gram of different numbers of rows");
    }
    let frozen = Term { weight: 0.0, ..Term::at(0) };
    let refused = features(3, 1, Term::at(0)).cross_gram(&features(3, 1, frozen)).unwrap_err();
    assert!(matches!(refused, Error::Conflict { .. }), "{refused}");
}

#[test]
fn the_gram_matrix_does_not_depend_on_the_memory_that_gradients_may_take() {
    for case in cases().iter().filter(|case| case.name.contains("resnet") || case.name.contains("cnn")) {
        let model = model::<f64>(case, 3);
        let tangent = model.tangent(&matrix(5, 9, case.inputs())).unwrap();
        let (wide, narrow) = (tangent.gram(), tangent.clone().with_memory_budget(1 << 12).gram());
        assert_close(narrow.as_slice(), wide.as_slice(), 20.0, &case.name);
    }
}

#[test]
fn results_do_not_depend_on_where_tiles_are_cut() {
    // 70 samples in tiles of different sizes on one and two threads, a network above and below the cache size.
    for sizes in [[INPUTS, 40, 1], [INPUTS, 700, 2]] {
        let of = |threads| {
            let builder = Model::<f64>::mlp(&sizes, Activation::Gelu).seed(5);
            let model = builder.device(Device::cpu(threads)).build().unwrap();
            model.tangent(&matrix(71, 300, INPUTS)).unwrap().gram().into_vec()
        };
        assert_close(&of(1), &of(2), 50.0, "one and two threads");
        assert_eq!(of(2), of(2), "same bits for the same number of threads");
    }
}

#[test]
fn the_spread_of_a_batch_is_how_far_its_gradients_are_from_their_weighted_mean() {
    const SAMPLES: usize = 9;
    for case in cases() {
        let model = model::<f64>(&case, 3);
        let k = model.outputs();
        let (x, y) = (matrix(5, SAMPLES, case.inputs()), matrix(6, SAMPLES, k));
        let rows: Vec<f64> = normal::<f64>(7, SAMPLES).iter().map(|z| z.exp()).collect();
        let (jacobian, s) = (model.tangent(&x).unwrap().jacobian(), weights(&model));
        let mut twin = 0.0;
        for (a, j) in (0..k).flat_map(|a| (0..s.len()).map(move |j| (a, j))) {
            let gradient = |i: usize| jacobian[(i * k + a, j)];
            let mean = (0..SAMPLES).map(|i| rows[i] * gradient(i)).sum::<f64>() / rows.iter().sum::<f64>();
            twin += (0..SAMPLES).map(|i| rows[i] * s[j] * (gradient(i) - mean).powi(2)).sum::<f64>();
        }
        let optimizer = GramGaussNewton::new(GramGaussNewtonConfig::default()).unwrap();
        let spread = optimizer.spread(&model, &Batch::new(&x, &y).with_weights(&rows)).unwrap();
        assert!((spread - twin).abs() <= 1e-9 * (1.0 + twin), "{}: {spread} {twin}", case.name);
    }
}

#[test]
fn gradients_of_the_last_bias_alone_have_no_spread_whatever_the_rows() {
    // At θ = 0 all samples pull a bias alike, and nothing else is pulled.
    let (x, y) = (matrix(1, 12, INPUTS), Matrix::from_fn(12, 3, |i, a| f64::from(u8::from(a == i % 3))));
    let model = Model::<f64>::mlp(&[INPUTS, 8, 8, 3], Activation::Tanh).seed(1).build().unwrap();
    for rows in [Rows::Exact, Rows::One, Rows::OneByCurvature] {
        let optimizer = GramGaussNewton::new(GramGaussNewtonConfig::default().with_rows(rows)).unwrap();
        let spread = |model: &Model<f64>| {
            let batch = Batch::new(&x, &y).with_loss(&CrossEntropyLoss);
            optimizer.spread(model, &batch).unwrap()
        };
        assert!(spread(&model) > 0.1, "{rows:?}");
        let mut lost = model.clone();
        lost.set_theta(&vec![0.0; model.parameter_count()]).unwrap();
        assert!(spread(&lost) < 1e-12, "{rows:?}: {}", spread(&lost));
    }
}

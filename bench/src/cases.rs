//! The cases by name.

use gramstep::kernel::{InfiniteKernel, Which};
use gramstep::loss::{CrossEntropyLoss, Loss, SquaredLoss};
use gramstep::optim::{Batch, Damping, GramGaussNewton, GramGaussNewtonConfig, Optimizer, Rows, Sgd, SgdConfig};
use gramstep::solve::{Damped, Solver};
use gramstep::{Activation, Device, Matrix, Model, Scalar, Specification};
use serde_json::{Value, json};

use crate::Options;
use crate::networks::{MLP, MLP10, SOFTMAX, cnn, data, mlp, model, resnet32};
use crate::timing::{Operation, measure};

/// All cases.
pub(crate) const NAMES: [&str; 16] = [
    "step-mlp",
    "step-mlp-512",
    "step-small",
    "step-resnet32",
    "step-images",
    "convolution",
    "softmax",
    "gram-mlp",
    "gram-mlp10",
    "gram-mlp-4096",
    "gram-cnn",
    "ntk-infinite",
    "ntk-images",
    "pgd-mlp10",
    "cholesky",
    "ensemble",
];

type Outcome = Result<(), String>;

/// Runs one case.
pub(crate) fn run(name: &str, options: &Options) -> Outcome {
    match name {
        "step-mlp" => step(name, mlp(&MLP), 128, options),
        "step-mlp-512" => step(name, mlp(&MLP), 512, options),
        "step-small" => step(name, mlp(&[2, 32, 32, 1]), 64, options),
        "step-resnet32" => step(name, resnet32(1), 128, options),
        "step-images" => images(name, options),
        "convolution" => crate::convolution::convolution(name, options),
        "softmax" => softmax(name, options),
        "gram-mlp" => gram(name, mlp(&MLP), 512, options),
        "gram-mlp10" => gram(name, mlp(&MLP10), 128, options),
        // For its peak memory.
        "gram-mlp-4096" => gram(name, mlp(&MLP), 4096, options),
        "gram-cnn" => gram(name, cnn(), 128, options),
        "ntk-infinite" => {
            infinite::<f32>(name, options)?;
            infinite::<f64>(name, options)
        }
        "ntk-images" => crate::images::kernels(name, options),
        "pgd-mlp10" => crate::attack::pgd(name, options),
        "cholesky" => cholesky(options),
        "ensemble" => {
            crate::ensemble::ensemble(name, "mlp:50:tanh", 40, options)?;
            crate::ensemble::ensemble(&format!("{name}-wide"), "mlp:256,256:gelu", 3, options)
        }
        _ => Err(format!("no case `{name}`; there are {}", NAMES.join(", "))),
    }
}

fn text(error: gramstep::Error) -> String {
    error.to_string()
}

fn config(samples: usize, options: &Options) -> Value {
    json!({ "n": samples, "dtype": "f32", "threads": options.threads })
}

/// SGD with momentum and Gram-Gauss-Newton with fixed damping, in turn.
fn step(name: &str, specification: Specification, samples: usize, options: &Options) -> Outcome {
    let model = model::<f32>(specification, options.threads)?;
    let (x, y) = (data::<f32>(samples, model.inputs()), data::<f32>(samples, model.outputs()));
    let ggn = GramGaussNewtonConfig::default().with_damping(Damping::Relative(0.1)).with_learning_rate(0.1);
    steps(name, &model, (&x, &y, &SquaredLoss), &[("gram-gauss-newton", ggn)], options)
}

/// ResNet-32 on classes: SGD with momentum, and Gram-Gauss-Newton as `gramstep train` has it for images.
fn images(name: &str, options: &Options) -> Outcome {
    const ROWS: usize = 64;
    let model = model::<f32>(resnet32(10), options.threads)?;
    let x = data::<f32>(ROWS, model.inputs());
    let y = Matrix::from_fn(ROWS, model.outputs(), |i, a| f32::from(u8::from(a == i % 10)));
    let ggn = GramGaussNewtonConfig::default().with_rows(Rows::One).with_damping(Damping::Absolute(2.0 * ROWS as f64));
    let ggn = ggn.with_learning_rate(0.8).with_momentum(0.95);
    steps(name, &model, (&x, &y, &CrossEntropyLoss), &[("gram-gauss-newton", ggn)], options)
}

/// 784-256-256-10 on classes: SGD with momentum, Gram-Gauss-Newton with one row a sample and with all ten, in turn.
fn softmax(name: &str, options: &Options) -> Outcome {
    let model = model::<f32>(mlp(&SOFTMAX), options.threads)?;
    let x = data::<f32>(128, model.inputs());
    let y = Matrix::from_fn(128, model.outputs(), |i, a| f32::from(u8::from(a == i % 10)));
    let one = GramGaussNewtonConfig::default().with_damping(Damping::Relative(0.5)).with_learning_rate(0.1);
    let one = one.with_rows(Rows::One);
    let carried = one.with_momentum(0.9);
    let forms = [("one-row", one), ("one-row-carried", carried), ("exact", one.with_rows(Rows::Exact))];
    steps(name, &model, (&x, &y, &CrossEntropyLoss), &forms, options)
}

/// Steps of SGD with momentum and of some forms of Gram-Gauss-Newton, in turn.
fn steps(
    name: &str,
    model: &Model<f32>,
    (x, y, loss): (&Matrix<f32>, &Matrix<f32>, &dyn Loss),
    forms: &[(&str, GramGaussNewtonConfig)],
    options: &Options,
) -> Outcome {
    let mut sgd = SgdConfig::default();
    sgd.learning_rate = 1e-4;
    let mut steppers: Vec<(&str, Box<dyn Optimizer<f32>>)> = vec![("sgd", Box::new(Sgd::new(sgd).map_err(text)?))];
    for &(form, config) in forms {
        steppers.push((form, Box::new(GramGaussNewton::new(config).map_err(text)?)));
    }
    let batch = Batch::new(x, y).with_loss(loss);
    let operations = steppers.into_iter().map(|(optimizer, mut stepper)| {
        let (mut model, batch) = (model.clone(), &batch);
        Operation {
            name: format!("{name}/{optimizer}"),
            config: config(x.rows(), options),
            run: Box::new(move || {
                stepper.step(&mut model, batch).expect("a step on finite data succeeds");
            }),
        }
    });
    measure(options.repeats, operations.collect());
    Ok(())
}

/// Tangent features and their whole Gram matrix.
fn gram(name: &str, specification: Specification, samples: usize, options: &Options) -> Outcome {
    let model = model::<f32>(specification, options.threads)?;
    let x = data::<f32>(samples, model.inputs());
    let run = || {
        let gram = model.tangent(&x).expect("finite data have tangent features").gram();
        std::hint::black_box(gram);
    };
    let operation = Operation { name: name.to_owned(), config: config(samples, options), run: Box::new(run) };
    measure(options.repeats, vec![operation]);
    Ok(())
}

/// The tangent kernel of infinite width of 2000 points with 784 values, three hidden relu layers.
fn infinite<T: Scalar>(name: &str, options: &Options) -> Outcome {
    let kernel = InfiniteKernel::mlp(3, Activation::Relu, 2.0, 0.01).map_err(text)?;
    let (x, device) = (data::<T>(2000, 784), Device::cpu(options.threads));
    let run = || {
        let points = kernel.points(&x, &device).expect("finite data have kernels");
        std::hint::black_box(points.gram(Which::Ntk));
    };
    let config = json!({ "n": 2000, "inputs": 784, "hidden_layers": 3, "dtype": T::NAME, "threads": options.threads });
    measure(options.repeats, vec![Operation { name: name.to_owned(), config, run: Box::new(run) }]);
    Ok(())
}

/// Factorisation and solve, f64.
fn cholesky(options: &Options) -> Outcome {
    for size in [512, 2048, 4096] {
        let x = data::<f64>(size, 64);
        let matrix = Matrix::from_fn(size, size, |i, j| {
            let product: f64 = x.row(i).iter().zip(x.row(j)).map(|(a, b)| a * b).sum();
            product + if i == j { 10.0 } else { 0.0 }
        });
        let rhs = vec![1.0; size];
        let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads).build().map_err(|e| e.to_string())?;
        let threads = options.threads;
        let run = || {
            let solved = pool.install(|| Damped::factor(&matrix, 0.1, threads)?.solve(&rhs, Solver::Dual));
            std::hint::black_box(solved.expect("a damped matrix is positive definite"));
        };
        let config = json!({ "n": size, "dtype": "f64", "threads": threads });
        let name = format!("cholesky/{size}");
        measure(options.repeats.min(10), vec![Operation { name, config, run: Box::new(run) }]);
    }
    Ok(())
}

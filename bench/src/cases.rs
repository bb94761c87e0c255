//! The cases by name.

use gramstep::optim::{Batch, Damping, GramGaussNewton, GramGaussNewtonConfig, Optimizer, Sgd, SgdConfig};
use gramstep::solve::{Damped, Solver};
use gramstep::{Matrix, Model};
use serde_json::{Value, json};

use crate::Options;
use crate::networks::{MLP, MLP10, data, mlp};
use crate::timing::{Operation, measure};

/// All cases.
pub(crate) const NAMES: [&str; 7] =
    ["step-mlp", "step-small", "gram-mlp", "gram-mlp10", "gram-mlp-4096", "pgd-mlp10", "cholesky"];

type Outcome = Result<(), String>;

/// Runs one case.
pub(crate) fn run(name: &str, options: &Options) -> Outcome {
    match name {
        "step-mlp" => step(name, &MLP, 128, options),
        "step-small" => step(name, &[2, 32, 32, 1], 64, options),
        "gram-mlp" => gram(name, &MLP, 512, options),
        "gram-mlp10" => gram(name, &MLP10, 128, options),
        // For its peak memory.
        "gram-mlp-4096" => gram(name, &MLP, 4096, options),
        "pgd-mlp10" => crate::attack::pgd(name, options),
        "cholesky" => cholesky(options),
        _ => Err(format!("no case `{name}`; there are {}", NAMES.join(", "))),
    }
}

fn text(error: gramstep::Error) -> String {
    error.to_string()
}

fn config(sizes: &[usize], samples: usize, options: &Options) -> Value {
    json!({ "network": sizes, "n": samples, "dtype": "f32", "threads": options.threads })
}

/// SGD with momentum and Gram-Gauss-Newton with fixed damping, in turn.
fn step(name: &str, sizes: &[usize], samples: usize, options: &Options) -> Outcome {
    let model = mlp::<f32>(sizes, options.threads)?;
    let (x, y) = (data::<f32>(samples, sizes[0]), data::<f32>(samples, sizes[sizes.len() - 1]));
    let mut sgd_config = SgdConfig::default();
    sgd_config.learning_rate = 1e-4;
    let ggn = GramGaussNewtonConfig::default().with_damping(Damping::Relative(0.1)).with_learning_rate(0.1);
    let batch = Batch::new(&x, &y);
    let timed = |optimizer: &str, mut stepper: Box<dyn Optimizer<f32>>, mut model: Model<f32>| Operation {
        name: format!("{name}/{optimizer}"),
        config: config(sizes, samples, options),
        run: Box::new(move || {
            stepper.step(&mut model, &batch).expect("a step on finite data succeeds");
        }),
    };
    let operations = vec![
        timed("sgd", Box::new(Sgd::new(sgd_config).map_err(text)?), model.clone()),
        timed("gram-gauss-newton", Box::new(GramGaussNewton::new(ggn).map_err(text)?), model),
    ];
    measure(options.repeats, operations);
    Ok(())
}

/// Tangent features and their whole Gram matrix.
fn gram(name: &str, sizes: &[usize], samples: usize, options: &Options) -> Outcome {
    let model = mlp::<f32>(sizes, options.threads)?;
    let x = data::<f32>(samples, sizes[0]);
    let run = || {
        let gram = model.tangent(&x).expect("finite data have tangent features").gram();
        std::hint::black_box(gram);
    };
    let operation = Operation { name: name.to_owned(), config: config(sizes, samples, options), run: Box::new(run) };
    measure(options.repeats, vec![operation]);
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

//! Several processes, played by threads, take the step of one process on the whole batch.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use gramstep::attack::{AdversarialTraining, Pgd, ThreatModel};
use gramstep::communicator::{Communicator, agree, all_reduce_sum};
use gramstep::loss::{CrossEntropyLoss, HuberLoss, Loss, SquaredLoss};
use gramstep::optim::{
    Adam, AdamConfig, AdaptiveDamping, Batch, Damping, GramGaussNewton, GramGaussNewtonConfig, Optimizer, Rows, Sgd,
    SgdConfig,
};
use gramstep::solve::Solver;
use gramstep::{Error, Matrix, Model, Result};

use super::cases::{Case, MakeOptimizer, assert_close, cases, matrix, model};

/// Ranks that exchange bytes through shared memory.
#[derive(Debug)]
struct Threads {
    rank: usize,
    size: usize,
    board: Arc<(Mutex<Board>, Condvar)>,
}

#[derive(Debug, Default)]
struct Board {
    round: usize,
    posted: Vec<Vec<Vec<u8>>>,
    present: usize,
    last: Arc<Vec<Vec<Vec<u8>>>>,
}

impl Threads {
    /// What every rank puts on the board in this round; an error if one of them never comes.
    fn post(&self, parts: Vec<Vec<u8>>) -> Result<Arc<Vec<Vec<Vec<u8>>>>> {
        let (board, arrived) = &*self.board;
        let mut board = board.lock().unwrap();
        board.posted.resize(self.size, Vec::new());
        board.posted[self.rank] = parts;
        board.present += 1;
        let round = board.round;
        if board.present == self.size {
            board.last = Arc::new(std::mem::take(&mut board.posted));
            (board.present, board.round) = (0, round + 1);
            arrived.notify_all();
        }
        let waiting = |board: &mut Board| board.round == round;
        let (board, late) = arrived.wait_timeout_while(board, Duration::from_secs(20), waiting).unwrap();
        if late.timed_out() {
            return Err(Error::Communication(format!("process {} waits in vain", self.rank)));
        }
        Ok(board.last.clone())
    }
}

impl Communicator for Threads {
    fn rank(&self) -> usize {
        self.rank
    }
    fn size(&self) -> usize {
        self.size
    }
    fn all_gather(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>> {
        Ok(self.post(vec![bytes.to_vec()])?.iter().map(|parts| parts[0].clone()).collect())
    }
    fn all_to_all(&self, parts: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>> {
        Ok(self.post(parts)?.iter().map(|parts| parts[self.rank].clone()).collect())
    }
    fn broadcast(&self, bytes: &mut Vec<u8>, root: usize) -> Result<()> {
        bytes.clone_from(&self.post(vec![bytes.clone()])?[root][0]);
        Ok(())
    }
}

/// What `work` returns on each of `size` ranks, in rank order.
fn on_ranks<R: Send + 'static>(size: usize, work: impl Fn(&Threads) -> R + Clone + Send + 'static) -> Vec<R> {
    let board = Arc::new((Mutex::new(Board::default()), Condvar::new()));
    let ranks = (0..size).map(|rank| {
        let (work, board) = (work.clone(), board.clone());
        std::thread::spawn(move || work(&Threads { rank, size, board }))
    });
    ranks.collect::<Vec<_>>().into_iter().map(|rank| rank.join().unwrap()).collect()
}

const SAMPLES: usize = 7;
const FIXUP: &str = "fixup resnet, odd size, side values";

/// How the samples lie on processes; one of them may have none.
fn layouts() -> [Vec<Vec<usize>>; 3] {
    let rows = |range: std::ops::Range<usize>| range.collect::<Vec<_>>();
    [
        vec![rows(0..4), rows(4..7)],
        vec![rows(0..1), rows(1..6), rows(6..7)],
        vec![rows(0..2), rows(2..3), rows(3..3), rows(3..7)],
    ]
}

/// A training of a few steps on rows of a batch.
#[derive(Clone)]
struct Training {
    model: Model<f64>,
    x: Matrix<f64>,
    y: Matrix<f64>,
    weights: Option<Vec<f64>>,
    loss: Arc<dyn Loss>,
    adversarial: bool,
    optimizer: MakeOptimizer,
}

impl Training {
    fn of(case: &Case, optimizer: MakeOptimizer) -> Self {
        let model = model::<f64>(case, 3);
        let (x, y) = (matrix(1, SAMPLES, case.inputs()), matrix(2, SAMPLES, model.outputs()));
        Self { model, x, y, weights: None, loss: Arc::new(SquaredLoss), adversarial: false, optimizer }
    }

    /// The parameters after four steps, and a number of the last loss and of how much the gradients then differ.
    fn run(&self, rows: &[usize], communicator: &dyn Communicator) -> Result<(Vec<f64>, f64)> {
        let (x, y) = (self.x.select_rows(rows), self.y.select_rows(rows));
        let weights: Option<Vec<f64>> = self.weights.as_ref().map(|w| rows.iter().map(|&row| w[row]).collect());
        let mut batch = Batch::new(&x, &y).with_loss(&*self.loss).with_communicator(communicator);
        if let Some(weights) = &weights {
            batch = batch.with_weights(weights);
        }
        let (mut model, mut optimizer, mut last) = (self.model.clone(), (self.optimizer)(), 0.0);
        let mut training = AdversarialTraining::new(Pgd::new(2), ThreatModel::linf(0.05)?);
        for _ in 0..4 {
            last = if self.adversarial {
                training.step(optimizer.as_mut(), &mut model, &batch)?.robust_loss
            } else {
                optimizer.step(&mut model, &batch)?.loss
            };
        }
        let spread = |rows| GramGaussNewton::new(damped().with_rows(rows))?.spread(&model, &batch);
        Ok((model.theta(), last + 1e-3 * (spread(Rows::Exact)? + spread(Rows::One)?)))
    }

    fn is_the_same_on_several_processes(&self, what: &str) {
        let whole: Vec<usize> = (0..SAMPLES).collect();
        let (theta, loss) = self.run(&whole, &gramstep::communicator::Serial).unwrap();
        for layout in layouts() {
            let (size, training) = (layout.len(), self.clone());
            let work = move |ranks: &Threads| training.run(&layout[ranks.rank], ranks).unwrap();
            let ends = on_ranks(size, work);
            for (own, last) in &ends {
                assert_close(own, &theta, 1e-9 / f64::EPSILON, &format!("{what} on {size} processes"));
                assert!((last - loss).abs() < 1e-9 * (1.0 + loss), "{what}: {last} {loss}");
                assert_eq!((own, last), (&ends[0].0, &ends[0].1), "{what}: the same bits on every process");
            }
        }
    }
}

fn gram_gauss_newton(config: GramGaussNewtonConfig) -> Box<dyn Optimizer<f64>> {
    Box::new(GramGaussNewton::new(config).unwrap())
}

fn damped() -> GramGaussNewtonConfig {
    GramGaussNewtonConfig::default().with_damping(Damping::Relative(0.3))
}

/// A dense network, and one of convolutions, of which G is made in both ways.
fn few() -> Vec<Case> {
    let few: Vec<_> = cases().into_iter().filter(|case| ["weighted spans", FIXUP].contains(&&*case.name)).collect();
    assert_eq!(few.len(), 2);
    few
}

#[test]
fn processes_with_rows_of_a_batch_take_the_steps_of_the_whole_batch_for_every_network() {
    for case in cases() {
        Training::of(&case, || gram_gauss_newton(damped())).is_the_same_on_several_processes(&case.name);
    }
}

#[test]
fn the_same_for_losses_weights_damping_momentum_and_ridge() {
    let losses: [Arc<dyn Loss>; 3] =
        [Arc::new(SquaredLoss), Arc::new(HuberLoss::new(0.5).unwrap()), Arc::new(CrossEntropyLoss)];
    let optimizers: [MakeOptimizer; 3] = [
        || gram_gauss_newton(damped().with_momentum(0.5).with_max_output_change(0.2)),
        || gram_gauss_newton(damped().with_damping(Damping::Absolute(0.5)).with_ridge(0.01)),
        || gram_gauss_newton(damped().with_damping(Damping::Adaptive(AdaptiveDamping::default())).with_ridge(0.01)),
    ];
    for case in few() {
        for loss in &losses {
            for optimizer in optimizers {
                let mut training = Training::of(&case, optimizer);
                let k = training.model.outputs();
                if loss.name() == "cross-entropy" {
                    training.y = Matrix::from_fn(SAMPLES, k, |i, a| f64::from(u8::from(a == i % k)));
                }
                training.loss = loss.clone();
                training.is_the_same_on_several_processes(&format!("{}, {}", case.name, loss.name()));
                training.weights = Some(vec![1.0, 0.5, 2.0, 0.0, 1.0, 3.0, 0.0]);
                training.is_the_same_on_several_processes(&format!("{}, {}, weights", case.name, loss.name()));
            }
        }
    }
}

#[test]
fn the_same_by_every_solver_and_by_first_order_methods() {
    fn by(solver: Solver) -> Box<dyn Optimizer<f64>> {
        let mut config = damped();
        config.solver = Some(solver);
        gram_gauss_newton(config)
    }
    let optimizers: [(&str, MakeOptimizer); 6] = [
        ("primal", || by(Solver::Primal)),
        ("conjugate gradients", || by(Solver::ConjugateGradient)),
        ("sgd", || Box::new(Sgd::new(SgdConfig::default()).unwrap())),
        ("nesterov", || {
            let mut config = SgdConfig::default();
            (config.momentum, config.nesterov, config.weight_decay) = (0.9, true, 0.1);
            Box::new(Sgd::new(config).unwrap())
        }),
        ("momentum", || {
            let mut config = SgdConfig::default();
            config.momentum = 0.9;
            Box::new(Sgd::new(config).unwrap())
        }),
        ("adam", || Box::new(Adam::new(AdamConfig::default()).unwrap())),
    ];
    for case in few() {
        for (name, optimizer) in optimizers {
            Training::of(&case, optimizer).is_the_same_on_several_processes(&format!("{}, {name}", case.name));
        }
    }
}

#[test]
fn the_same_where_memory_allows_one_layer_at_a_time() {
    let case = few().swap_remove(1);
    let narrow = || {
        let mut config = damped();
        config.memory_budget = 1 << 14;
        gram_gauss_newton(config)
    };
    Training::of(&case, narrow).is_the_same_on_several_processes(&case.name);
}

#[test]
fn adversarial_training_is_the_same() {
    for case in few() {
        let mut training = Training::of(&case, || gram_gauss_newton(damped()));
        training.adversarial = true;
        training.is_the_same_on_several_processes(&format!("{}, adversarial", case.name));
    }
}

#[test]
fn sums_are_in_rank_order_whatever_their_number() {
    for size in [1, 2, 3, 5] {
        for length in [0, 1, 7, 256, 257, 1000] {
            let value = |rank: usize, at: usize| 0.1 * (rank as f32 + 1.0) + at as f32;
            let expected: Vec<f32> =
                (0..length).map(|at| (1..size).fold(value(0, at), |sum, rank| sum + value(rank, at))).collect();
            let sums = on_ranks(size, move |ranks| {
                let mut values: Vec<f32> = (0..length).map(|at| value(ranks.rank, at)).collect();
                all_reduce_sum(ranks, &mut values).unwrap();
                values
            });
            assert!(sums.iter().all(|sums| *sums == expected), "{size} ranks, {length} values");
        }
    }
}

#[test]
fn an_error_of_one_process_is_an_error_of_all() {
    let outcomes = on_ranks(3, |ranks| {
        let non_finite = || Error::NonFinite { what: "output", layer: Some("layers.0".to_owned()) };
        let outcomes = [
            agree(ranks, Ok(ranks.rank)),
            agree(ranks, if ranks.rank == 1 { Err(non_finite()) } else { Ok(0) }),
            agree(ranks, if ranks.rank == 2 { Err(Error::Communication("no".to_owned())) } else { Ok(0) }),
        ];
        outcomes.map(|outcome| outcome.map_err(|error| error.to_string()))
    });
    for (rank, [fine, non_finite, other]) in outcomes.iter().enumerate() {
        assert_eq!(*fine, Ok(rank));
        assert!(non_finite.as_ref().unwrap_err().contains("of layer `layers.0`"), "{non_finite:?}");
        let named = rank == 2 || other.as_ref().unwrap_err().contains("process 2");
        assert!(other.is_err() && named, "{other:?}");
    }
    // A network that overflows on the rows of one process alone stops all, and leaves the model.
    let training = Training::of(&few()[0], || gram_gauss_newton(damped()));
    let ends = on_ranks(2, move |ranks| {
        let mut training = training.clone();
        training.x.row_mut(6)[0] = f64::INFINITY;
        let rows: Vec<usize> = if ranks.rank == 0 { (0..4).collect() } else { (4..7).collect() };
        training.run(&rows, ranks).map_err(|error| matches!(error, Error::NonFinite { .. }))
    });
    assert!(ends.iter().all(|end| *end == Err(true)), "{ends:?}");
}

#[test]
fn processes_with_different_numbers_of_threads_share_g_without_gap() {
    let specification = gramstep::Specification::mlp(&[3, 6, 1], gramstep::Activation::Tanh);
    let gradient = move |threads: usize, ranks: Option<&Threads>| {
        let serial = gramstep::communicator::Serial;
        let communicator: &dyn Communicator = ranks.map_or(&serial, |ranks| ranks);
        let rows = gramstep::communicator::share(900, communicator.rank(), communicator.size());
        let x: Matrix<f64> = Matrix::from_fn(rows.len(), 3, |i, j| ((rows.start + i) as f64 * 0.37 + j as f64).sin());
        let y = Matrix::from_fn(rows.len(), 1, |i, _| ((rows.start + i) as f64 * 0.11).cos());
        let device = gramstep::Device::cpu(threads);
        let mut model = Model::<f64>::builder(specification.clone()).seed(1).device(device).build().unwrap();
        let mut config = damped();
        config.solver = Some(Solver::Dual);
        let mut optimizer = GramGaussNewton::new(config).unwrap();
        let batch = Batch::new(&x, &y).with_communicator(communicator);
        optimizer.step(&mut model, &batch).unwrap();
        model.theta()
    };
    let whole = gradient.clone()(1, None);
    let shared = on_ranks(3, move |ranks| gradient(ranks.rank + 1, Some(ranks)));
    for theta in shared {
        assert_close(&theta, &whole, 1e-9 / f64::EPSILON, "three processes with 1, 2 and 3 threads");
    }
}

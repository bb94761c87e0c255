//! Several processes, played by threads, take the step of one process on the whole batch.

use std::sync::{Arc, Barrier, Mutex};

use gramstep::communicator::Communicator;
use gramstep::loss::{CrossEntropyLoss, HuberLoss, Loss, SquaredLoss};
use gramstep::optim::{AdaptiveDamping, Batch, Damping, GramGaussNewton, GramGaussNewtonConfig, Optimizer};
use gramstep::{Activation, Device, Matrix, Model, Result};

use super::cases::{INPUTS, assert_close, matrix};

/// Ranks that exchange bytes through shared memory.
#[derive(Debug)]
struct Threads {
    rank: usize,
    board: Arc<(Barrier, Mutex<Vec<Vec<u8>>>)>,
    size: usize,
}

impl Communicator for Threads {
    fn rank(&self) -> usize {
        self.rank
    }
    fn size(&self) -> usize {
        self.size
    }
    fn all_gather(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>> {
        self.board.1.lock().unwrap()[self.rank] = bytes.to_vec();
        self.board.0.wait();
        let all = self.board.1.lock().unwrap().clone();
        self.board.0.wait();
        Ok(all)
    }
    fn all_reduce_sum(&self, values: &mut [f64]) -> Result<()> {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        values.fill(0.0);
        for bytes in self.all_gather(&bytes)? {
            for (value, bytes) in values.iter_mut().zip(bytes.chunks_exact(8)) {
                *value += f64::from_le_bytes(bytes.try_into().unwrap());
            }
        }
        Ok(())
    }
    fn all_to_all(&self, _: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>> {
        unimplemented!("no step of this test uses it")
    }
    fn broadcast(&self, _: &mut Vec<u8>, _: usize) -> Result<()> {
        unimplemented!("no step of this test uses it")
    }
}

#[test]
fn processes_with_rows_of_a_batch_take_the_step_of_the_whole_batch() {
    let losses: [Arc<dyn Loss>; 3] =
        [Arc::new(SquaredLoss), Arc::new(HuberLoss::new(0.5).unwrap()), Arc::new(CrossEntropyLoss)];
    for loss in losses {
        for damping in [Damping::Relative(0.1), Damping::Adaptive(AdaptiveDamping::default())] {
            let config = GramGaussNewtonConfig::default().with_damping(damping).with_ridge(0.01);
            let x: Matrix<f64> = matrix(1, 9, INPUTS);
            let y: Matrix<f64> = Matrix::from_fn(9, 3, |i, a| f64::from(u8::from(a == i % 3)));
            let run = {
                let (x, y, loss) = (x.clone(), y.clone(), loss.clone());
                move |rows: &[usize], communicator: Option<Threads>| {
                    let (x, y) = (x.select_rows(rows), y.select_rows(rows));
                    let mut model =
                        Model::mlp(&[INPUTS, 8, 3], Activation::Tanh).seed(2).device(Device::cpu(1)).build().unwrap();
                    let mut optimizer = GramGaussNewton::new(config).unwrap();
                    if let Some(communicator) = communicator {
                        optimizer = optimizer.with_communicator(Arc::new(communicator));
                    }
                    let mut last = 0.0;
                    for _ in 0..5 {
                        last = optimizer.step(&mut model, &Batch::new(&x, &y).with_loss(&*loss)).unwrap().loss;
                    }
                    (model.theta(), last)
                }
            };
            let (whole, loss_of_whole) = run(&[0, 1, 2, 3, 4, 5, 6, 7, 8], None);
            for parts in
                [vec![vec![0, 1, 2, 3, 4], vec![5, 6, 7, 8]], vec![vec![0], vec![1, 2, 3, 4, 5], vec![6, 7, 8]]]
            {
                let size = parts.len();
                let board = Arc::new((Barrier::new(size), Mutex::new(vec![Vec::new(); size])));
                let ranks: Vec<_> = parts
                    .into_iter()
                    .enumerate()
                    .map(|(rank, rows)| {
                        let (run, board) = (run.clone(), board.clone());
                        std::thread::spawn(move || run(&rows, Some(Threads { rank, board, size })))
                    })
                    .collect();
                for rank in ranks {
                    let (theta, last) = rank.join().unwrap();
                    assert_close(&theta, &whole, 1e-9 / f64::EPSILON, &format!("{} on {size} ranks", loss.name()));
                    assert!((last - loss_of_whole).abs() < 1e-9 * (1.0 + loss_of_whole));
                }
            }
        }
    }
}

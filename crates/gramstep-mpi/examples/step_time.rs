//! The time of a Gram-Gauss-Newton step of the reference networks, on one process or on several:
//!
//! ```text
//! cargo build --release -p gramstep-mpi --features mpi --example step_time
//! target/release/examples/step_time mlp 512 2                                  # 1 process, 2 threads
//! mpirun --bind-to none -n 2 target/release/examples/step_time mlp 512 1       # 2 processes, 1 thread each
//! ```
//!
//! Arguments: mlp or resnet32, rows of the batch over all processes, threads of each process [, steps]. One JSON line,
//! with the time that the first process spends in messages and the bytes that arrive there, for one step.

use std::sync::Mutex;
use std::time::Instant;

use gramstep::communicator::{Communicator, share};
use gramstep::model::Shape;
use gramstep::optim::{Batch, Damping, GramGaussNewton, GramGaussNewtonConfig, Optimizer};
use gramstep::{Activation, Device, Matrix, Model, Specification};
use gramstep_mpi::World;

/// Measures what goes through a communicator.
#[derive(Debug)]
struct Measured {
    world: World,
    /// Seconds, bytes that arrived.
    sums: Mutex<(f64, usize)>,
}

impl Measured {
    fn add(&self, start: Instant, arrived: &[Vec<u8>]) {
        let mut sums = self.sums.lock().expect("no thread panics with the lock");
        sums.0 += start.elapsed().as_secs_f64();
        let others = arrived.iter().enumerate().filter(|(rank, _)| *rank != self.world.rank());
        sums.1 += others.map(|(_, bytes)| bytes.len()).sum::<usize>();
    }
}

impl Communicator for Measured {
    fn rank(&self) -> usize {
        self.world.rank()
    }
    fn size(&self) -> usize {
        self.world.size()
    }
    fn all_gather(&self, bytes: &[u8]) -> gramstep::Result<Vec<Vec<u8>>> {
        let start = Instant::now();
        let arrived = self.world.all_gather(bytes)?;
        self.add(start, &arrived);
        Ok(arrived)
    }
    fn all_to_all(&self, parts: Vec<Vec<u8>>) -> gramstep::Result<Vec<Vec<u8>>> {
        let start = Instant::now();
        let arrived = self.world.all_to_all(parts)?;
        self.add(start, &arrived);
        Ok(arrived)
    }
    fn broadcast(&self, bytes: &mut Vec<u8>, root: usize) -> gramstep::Result<()> {
        self.world.broadcast(bytes, root)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: usize| arguments.get(at).map_or(Ok(default), |text| text.parse::<usize>());
    let (samples, threads, steps) = (number(1, 128)?, number(2, 1)?, number(3, 20)?);
    let name = arguments.first().map_or("mlp", String::as_str);
    let specification = match name {
        "resnet32" => {
            Specification::fixup_resnet(Shape::Image { height: 32, width: 32, channels: 3, side: 0 }, 5, 16, 1)
        }
        _ => Specification::mlp(&[784, 1024, 1024, 1024, 1], Activation::Relu),
    };
    let world = Measured { world: World::join()?, sums: Mutex::default() };
    let own = share(samples, world.rank(), world.size());
    let value = |i: usize, j: usize| ((i * 31 + j * 17) as f32).sin();
    let x = Matrix::from_fn(own.len(), specification.input.len(), |i, j| value(own.start + i, j));
    let y = Matrix::from_fn(own.len(), 1, |i, _| value(own.start + i, 3));
    let mut model = Model::<f32>::builder(specification).seed(1).device(Device::cpu(threads)).build()?;
    let config = GramGaussNewtonConfig::default().with_damping(Damping::Relative(0.1)).with_learning_rate(0.1);
    let mut optimizer = GramGaussNewton::new(config)?;
    let batch = Batch::new(&x, &y).with_communicator(&world);
    let mut times = Vec::new();
    for step in 0..steps + 2 {
        // The first two steps fill caches and pools.
        if step == 2 {
            *world.sums.lock().expect("no thread panics with the lock") = (0.0, 0);
            times.clear();
        }
        let start = Instant::now();
        optimizer.step(&mut model, &batch)?;
        times.push(start.elapsed().as_secs_f64());
    }
    let (seconds, bytes) = *world.sums.lock().expect("no thread panics with the lock");
    times.sort_by(f64::total_cmp);
    if world.rank() == 0 {
        let (median, least) = (times[times.len() / 2], times[0]);
        println!(
            "{{\"op\":\"step-{name}\",\"samples\":{samples},\"processes\":{},\"threads\":{threads},\
             \"median_s\":{median:.5},\"min_s\":{least:.5},\"messages_s\":{:.5},\"bytes\":{}}}",
            world.size(),
            seconds / steps as f64,
            bytes / steps,
        );
    }
    Ok(())
}

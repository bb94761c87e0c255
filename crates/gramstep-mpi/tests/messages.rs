//! Every operation of the communicator on several processes, with messages whole and in pieces.

mod mpirun;

use std::process::ExitCode;

use gramstep::communicator::{Communicator, all_reduce_sum};
use gramstep_mpi::World;

/// What process `from` sends to process `to`: of lengths that differ, some 0.
fn message(from: usize, to: usize) -> Vec<u8> {
    (0..(37 * from + 11 * to) % 50).map(|at| (at + 3 * from + 5 * to) as u8).collect()
}

fn check(world: &World) {
    let (rank, size) = (world.rank(), world.size());
    assert!(rank < size);
    let gathered = world.all_gather(&message(rank, 0)).unwrap();
    assert_eq!(gathered, (0..size).map(|from| message(from, 0)).collect::<Vec<_>>());
    assert_eq!(world.all_gather(&[]).unwrap(), vec![Vec::<u8>::new(); size]);
    let exchanged = world.all_to_all((0..size).map(|to| message(rank, to)).collect()).unwrap();
    assert_eq!(exchanged, (0..size).map(|from| message(from, rank)).collect::<Vec<_>>());
    for root in 0..size {
        let mut bytes = message(rank, 7);
        world.broadcast(&mut bytes, root).unwrap();
        assert_eq!(bytes, message(root, 7));
    }
    assert!(world.broadcast(&mut Vec::new(), size).is_err());
    assert!(world.all_to_all(vec![Vec::new(); size + 1]).is_err());
    for length in [1, 1000] {
        let mut sums: Vec<f64> = (0..length).map(|at| f64::from(at) + rank as f64).collect();
        all_reduce_sum(world, &mut sums).unwrap();
        let ranks = (size * (size - 1) / 2) as f64;
        assert!((0..length).zip(&sums).all(|(at, &sum)| sum == f64::from(at) * size as f64 + ranks), "{sums:?}");
    }
}

fn main() -> ExitCode {
    if gramstep_mpi::started().is_none() {
        return mpirun::on(&[1, 2, 3, 4]);
    }
    let mut world = World::join().unwrap();
    check(&world);
    for bytes in [1, 13] {
        world = world.with_piece(bytes);
        check(&world);
    }
    ExitCode::SUCCESS
}

//! The processes of a distributed run over MPI: `World` is the [`Communicator`](gramstep::communicator::Communicator)
//! of `MPI_COMM_WORLD`.
//!
//! It needs the feature `mpi`, an MPI library and libclang (Debian: `libopenmpi-dev openmpi-bin libclang-dev clang
//! pkg-config`). Without the feature the crate is empty.
//!
//! ```no_run
//! # #[cfg(feature = "mpi")]
//! # fn main() -> gramstep::Result<()> {
//! use gramstep::communicator::{Communicator, all_reduce_sum};
//! let world = gramstep_mpi::World::join()?;
//! let mut sum = [world.rank() as f64];
//! all_reduce_sum(&world, &mut sum)?;
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "mpi"))]
//! # fn main() {}
//! ```

#[cfg(feature = "mpi")]
mod world;

#[cfg(feature = "mpi")]
pub use world::{World, started};

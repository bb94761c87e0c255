//! What the processes of a distributed run say to one another. One process is the [`Serial`] communicator; another
//! transport (MPI) is a crate of its own that implements the same trait.

use crate::error::{Error, Result};
use crate::scalar::Scalar;

/// Collective operations over all processes. Every process must call the same operation in the same order.
pub trait Communicator: Send + Sync + std::fmt::Debug {
    /// Number of this process, in `0..size`.
    fn rank(&self) -> usize;
    /// Number of processes.
    fn size(&self) -> usize;
    /// Replaces `values` by their sum over all processes, summed in rank order.
    ///
    /// # Errors
    /// When another process is gone.
    fn all_reduce_sum(&self, values: &mut [f64]) -> Result<()>;
    /// The concatenation, in rank order, of every process's bytes. Lengths may differ.
    ///
    /// # Errors
    /// When another process is gone.
    fn all_gather(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>>;
    /// Sends `parts[r]` to process r and returns what each process sent here, in rank order.
    ///
    /// # Errors
    /// When another process is gone.
    fn all_to_all(&self, parts: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>>;
    /// Replaces `bytes` by those of process `root`.
    ///
    /// # Errors
    /// When another process is gone.
    fn broadcast(&self, bytes: &mut Vec<u8>, root: usize) -> Result<()>;
}

/// The communicator of a single process: every operation returns what it was given.
#[derive(Clone, Copy, Debug, Default)]
pub struct Serial;

impl Communicator for Serial {
    fn rank(&self) -> usize {
        0
    }
    fn size(&self) -> usize {
        1
    }
    fn all_reduce_sum(&self, _values: &mut [f64]) -> Result<()> {
        Ok(())
    }
    fn all_gather(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>> {
        Ok(vec![bytes.to_vec()])
    }
    fn all_to_all(&self, parts: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>> {
        Ok(parts)
    }
    fn broadcast(&self, _bytes: &mut Vec<u8>, _root: usize) -> Result<()> {
        Ok(())
    }
}

/// All processes' numbers, in rank order.
pub(crate) fn gather_values<T: Scalar>(communicator: &dyn Communicator, values: &[T]) -> Result<Vec<T>> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_bytes()).collect();
    let size = size_of::<T>();
    let mut all = Vec::new();
    for bytes in communicator.all_gather(&bytes)? {
        if bytes.len() % size != 0 {
            return Err(Error::Communication(format!("{} bytes are no whole number of {}", bytes.len(), T::NAME)));
        }
        all.extend(bytes.chunks_exact(size).map(T::from_bytes));
    }
    Ok(all)
}

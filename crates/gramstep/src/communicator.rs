//! What the processes of a distributed run say to one another. One process is the [`Serial`] communicator; another
//! transport (MPI) is a crate of its own that implements the same trait.
//!
//! A transport moves bytes and nothing else. Sums are made here, in rank order: they are the same numbers on every
//! process, whatever the transport.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::scalar::Scalar;

/// Collective operations over all processes. Every process must call the same operation in the same order.
pub trait Communicator: Send + Sync + std::fmt::Debug {
    /// Number of this process, in `0..size`.
    fn rank(&self) -> usize;
    /// Number of processes.
    fn size(&self) -> usize;
    /// Every process's bytes, in rank order. Lengths may differ.
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

/// The share of `length` things that is process `rank`'s of `size`: shares are as large as one another, up to one.
///
/// ```
/// use gramstep::communicator::share;
/// assert_eq!([0, 1, 2].map(|rank| share(10, rank, 3)), [0..3, 3..6, 6..10]);
/// ```
#[must_use]
pub fn share(length: usize, rank: usize, size: usize) -> Range<usize> {
    length * rank / size..length * (rank + 1) / size
}

/// Replaces `values` by their sums over all processes, added in rank order: bit for bit the same on every process.
///
/// Every process adds up its share of the values and passes it on, so that each sends and receives 2(R − 1)/R of them.
///
/// # Errors
/// [`Error::Communication`] if a process is gone or gives another number of values.
pub fn all_reduce_sum<T: Scalar>(communicator: &dyn Communicator, values: &mut [T]) -> Result<()> {
    /// So few values are sent whole: one message in place of two.
    const FEW: usize = 256;
    let size = communicator.size();
    if size == 1 {
        return Ok(());
    }
    let sums = |theirs: &[Vec<u8>], length: usize| -> Result<Vec<T>> {
        let mut sums = vec![T::ZERO; length];
        for bytes in theirs {
            let values = from_bytes::<T>(bytes)?;
            if values.len() != length {
                let reason = format!("{length} values are to be added to {} of another process", values.len());
                return Err(Error::Communication(reason));
            }
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        }
        Ok(sums)
    };
    if values.len() <= FEW {
        let theirs = communicator.all_gather(bytemuck::cast_slice(values))?;
        values.copy_from_slice(&sums(&theirs, values.len())?);
        return Ok(());
    }
    let shares = (0..size).map(|rank| share(values.len(), rank, size));
    let parts = shares.map(|share| bytemuck::cast_slice(&values[share]).to_vec()).collect();
    let own = share(values.len(), communicator.rank(), size).len();
    let own = sums(&communicator.all_to_all(parts)?, own)?;
    let all = gather_values(communicator, &own)?;
    if all.len() != values.len() {
        let reason = format!("{} sums came back for {} values", all.len(), values.len());
        return Err(Error::Communication(reason));
    }
    values.copy_from_slice(&all);
    Ok(())
}

/// All processes' numbers, in rank order.
pub(crate) fn gather_values<T: Scalar>(communicator: &dyn Communicator, values: &[T]) -> Result<Vec<T>> {
    if communicator.size() == 1 {
        return Ok(values.to_vec());
    }
    let mut all = Vec::new();
    for bytes in communicator.all_gather(bytemuck::cast_slice(values))? {
        all.extend(from_bytes::<T>(&bytes)?);
    }
    Ok(all)
}

/// How many samples every process has, in rank order.
pub(crate) fn gather_counts(communicator: &dyn Communicator, own: usize) -> Result<Vec<usize>> {
    let counts = communicator.all_gather(&own.to_le_bytes())?;
    let read = |bytes: &Vec<u8>| bytes.as_slice().try_into().map(usize::from_le_bytes).ok();
    let counts: Option<Vec<usize>> = counts.iter().map(read).collect();
    counts.ok_or_else(|| Error::Communication("a process sent something else than its number of samples".to_owned()))
}

/// The numbers that another process sent.
pub(crate) fn from_bytes<T: Scalar>(bytes: &[u8]) -> Result<Vec<T>> {
    if !bytes.len().is_multiple_of(size_of::<T>()) {
        return Err(Error::Communication(format!("{} bytes are no whole number of {}", bytes.len(), T::NAME)));
    }
    Ok(bytemuck::pod_collect_to_vec(bytes))
}

/// The same outcome everywhere: where one process fails, all do, each with its own error or that of the first one.
///
/// Between here and the next message nothing may fail on one process alone: the others would wait for it.
///
/// # Errors
/// The error given, [`Error::NonFinite`] if another process has it, or [`Error::Communication`] with what another said.
pub fn agree<R>(communicator: &dyn Communicator, outcome: Result<R>) -> Result<R> {
    const FINE: u8 = 0;
    const NON_FINITE: u8 = 1;
    const OTHER: u8 = 2;
    if communicator.size() == 1 {
        return outcome;
    }
    let message = match &outcome {
        Ok(_) => vec![FINE],
        Err(Error::NonFinite { layer, .. }) => {
            std::iter::once(NON_FINITE).chain(layer.iter().flat_map(|layer| layer.bytes())).collect()
        }
        Err(error) => std::iter::once(OTHER).chain(error.to_string().into_bytes()).collect(),
    };
    let answers = communicator.all_gather(&message)?;
    let value = outcome?;
    for (rank, answer) in answers.iter().enumerate() {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match answer.split_first() {
            Some((&FINE, _)) => {}
            Some((&NON_FINITE, layer)) => {
                let layer = Some(text(layer)).filter(|layer| !layer.is_empty());
                return Err(Error::NonFinite { what: "output on another process", layer });
            }
            Some((_, reason)) => return Err(Error::Communication(format!("process {rank}: {}", text(reason)))),
            None => return Err(Error::Communication(format!("process {rank} sent nothing"))),
        }
    }
    Ok(value)
}

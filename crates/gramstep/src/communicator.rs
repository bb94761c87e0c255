//! What the processes of a distributed run say to one another. One process is the [`Serial`] communicator; another
//! transport (MPI) is a crate of its own that implements the same trait.
//!
//! A transport moves bytes and nothing else. Sums are made here, in rank order: they are the same numbers on every
//! process, whatever the transport.

use std::borrow::Cow;
use std::ops::Range;

use crate::error::{Error, Result};
use crate::scalar::Scalar;

/// Collective operations over all processes. Every process must call the same operation in the same order.
///
/// ```
/// use gramstep::communicator::{Communicator, Serial};
/// assert_eq!((Serial.rank(), Serial.size()), (0, 1));
/// assert_eq!(Serial.all_gather(b"mine")?, [b"mine"]);
/// # Ok::<(), gramstep::Error>(())
/// ```
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
/// Every process adds up its share of the values and passes it on, so that each sends and receives 2(R − 1)/R of them;
/// block by block, so that what is copied stays in cache.
///
/// # Errors
/// [`Error::Communication`] if a process is gone or gives another number of values.
pub fn all_reduce_sum<T: Scalar>(communicator: &dyn Communicator, values: &mut [T]) -> Result<()> {
    /// So few values are sent whole: one message in place of two.
    const FEW: usize = 256;
    /// Bytes of a share of a block.
    const SHARE: usize = 1 << 17;
    let (rank, size) = (communicator.rank(), communicator.size());
    if size == 1 {
        return Ok(());
    }
    if values.len() <= FEW {
        let theirs = communicator.all_gather(bytemuck::cast_slice(values))?;
        values.fill(T::ZERO);
        return theirs.iter().try_for_each(|bytes| add(values, bytes));
    }
    for block in values.chunks_mut(size * SHARE / size_of::<T>()) {
        let length = block.len();
        let shares = || (0..size).map(|rank| share(length, rank, size));
        let parts = shares().map(|share| bytemuck::cast_slice(&block[share]).to_vec()).collect();
        let own = &mut block[share(length, rank, size)];
        let theirs = communicator.all_to_all(parts)?;
        own.fill(T::ZERO);
        theirs.iter().try_for_each(|bytes| add(own, bytes))?;
        let sums = communicator.all_gather(bytemuck::cast_slice(own))?;
        for (sums, share) in sums.iter().zip(shares()) {
            let sums = numbers(sums)?;
            check_count(share.len(), sums.len())?;
            block[share].copy_from_slice(&sums);
        }
    }
    Ok(())
}

/// sums += the numbers of another process.
fn add<T: Scalar>(sums: &mut [T], bytes: &[u8]) -> Result<()> {
    let values = numbers::<T>(bytes)?;
    check_count(sums.len(), values.len())?;
    sums.iter_mut().zip(&*values).for_each(|(sum, &value)| *sum += value);
    Ok(())
}

fn check_count(expected: usize, got: usize) -> Result<()> {
    if expected == got {
        return Ok(());
    }
    Err(Error::Communication(format!("{got} numbers came from another process in place of {expected}")))
}

/// All processes' numbers, in rank order.
pub(crate) fn gather_values<T: Scalar>(communicator: &dyn Communicator, values: &[T]) -> Result<Vec<T>> {
    if communicator.size() == 1 {
        return Ok(values.to_vec());
    }
    let theirs = communicator.all_gather(bytemuck::cast_slice(values))?;
    let mut all = Vec::with_capacity(theirs.iter().map(Vec::len).sum::<usize>() / size_of::<T>());
    for bytes in &theirs {
        all.extend_from_slice(&numbers(bytes)?);
    }
    Ok(all)
}

/// Every process's counts of something, in rank order.
pub(crate) fn gather_counts<const N: usize>(
    communicator: &dyn Communicator,
    own: [usize; N],
) -> Result<Vec<[usize; N]>> {
    let counts = communicator.all_gather(bytemuck::cast_slice(&own))?;
    let read = |bytes: &Vec<u8>| bytemuck::pod_collect_to_vec(bytes).try_into().ok();
    let counts: Option<Vec<[usize; N]>> = counts.iter().map(read).collect();
    counts.ok_or_else(|| Error::Communication("a process sent something else than its counts".to_owned()))
}

/// The numbers that another process sent: where they are, if they lie as numbers must.
pub(crate) fn numbers<T: Scalar>(bytes: &[u8]) -> Result<Cow<'_, [T]>> {
    if !bytes.len().is_multiple_of(size_of::<T>()) {
        return Err(Error::Communication(format!("{} bytes are no whole number of {}", bytes.len(), T::NAME)));
    }
    Ok(match bytemuck::try_cast_slice(bytes) {
        Ok(numbers) => Cow::Borrowed(numbers),
        Err(_) => Cow::Owned(bytemuck::pod_collect_to_vec(bytes)),
    })
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

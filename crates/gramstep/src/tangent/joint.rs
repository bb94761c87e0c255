//! The tangent features of a batch whose samples lie on several processes: what a step asks of J and G, answered for
//! all samples on every process.
//!
//! J v is gathered, Jᵀc summed. G is made of two kinds of parts. Where activations and deltas make it, every process
//! gathers those of all samples and computes its share of the panels: n·(d_in + k·d_out) numbers a layer arrive. Where
//! written-out gradients make it (convolutions), each process gets all samples' gradients of its share of the
//! parameters and multiplies them: n·k·p/R numbers arrive. One sum over processes puts both together.

use std::ops::Range;
use std::sync::Arc;

use super::TangentFeatures;
use super::form::Extent;
use super::part::{ExplicitPart, LinearPart, Part};
use crate::communicator::{Communicator, agree, all_reduce_sum, gather_counts, gather_values, numbers, share};
use crate::device::{Buffer, Device, Operations};
use crate::error::{Error, Result};
use crate::scalar::Scalar;
use crate::view::Matrix;

/// A process's own features, and where its samples lie among all.
#[derive(Debug)]
pub(crate) struct JointFeatures<'c, T> {
    own: TangentFeatures<T>,
    communicator: &'c dyn Communicator,
    /// Samples of each process, in rank order.
    counts: Vec<usize>,
    /// The fewest threads of a process.
    threads: usize,
}

impl<'c, T: Scalar> JointFeatures<'c, T> {
    /// The features of a batch from each process's own; `budget`: bytes of written-out gradients.
    ///
    /// # Errors
    /// The same on all processes: that of `own`, or another process's.
    pub(crate) fn new(
        communicator: &'c dyn Communicator,
        own: Result<TangentFeatures<T>>,
        budget: usize,
    ) -> Result<Self> {
        let own = agree(communicator, own)?.with_memory_budget(budget);
        let all = gather_counts(communicator, [own.samples(), own.device().threads()])?;
        let counts: Vec<usize> = all.iter().map(|[samples, _]| *samples).collect();
        let threads = all.iter().map(|[_, threads]| *threads).min().unwrap_or(1);
        // Form and division of G must be the same on all processes: they follow from numbers that all know.
        let most = counts.iter().copied().max().unwrap_or(0);
        let own = own.with_gradients_kept(counts.iter().sum(), most);
        Ok(Self { own, communicator, counts, threads })
    }

    /// Samples of all processes.
    pub(crate) fn samples(&self) -> usize {
        self.counts.iter().sum()
    }

    /// k, the number of Jacobian rows per sample.
    pub(crate) fn outputs(&self) -> usize {
        self.own.outputs
    }

    /// Rows of J, of all processes.
    pub(crate) fn rows(&self) -> usize {
        self.samples() * self.own.outputs
    }

    pub(crate) fn parameter_count(&self) -> usize {
        self.own.parameter_count()
    }

    pub(crate) fn device(&self) -> &Device {
        self.own.device()
    }

    /// The features of this process's samples.
    pub(crate) fn own(&self) -> &TangentFeatures<T> {
        &self.own
    }

    /// This process's samples among all.
    pub(crate) fn own_samples(&self) -> Range<usize> {
        let rank = self.communicator.rank();
        let start = self.counts[..rank].iter().sum();
        start..start + self.counts[rank]
    }

    /// The sum over processes.
    ///
    /// # Errors
    /// If a process is gone.
    pub(crate) fn sum<U: Scalar>(&self, values: &mut [U]) -> Result<()> {
        all_reduce_sum(self.communicator, values)
    }

    pub(crate) fn cast<U: Scalar>(&self) -> JointFeatures<'c, U> {
        JointFeatures {
            own: self.own.cast(),
            communicator: self.communicator,
            counts: self.counts.clone(),
            threads: self.threads,
        }
    }

    /// The diagonal of G.
    ///
    /// # Errors
    /// If a process is gone.
    pub(crate) fn diagonal(&self) -> Result<Vec<T>> {
        gather_values(self.communicator, &self.own.diagonal())
    }

    /// The diagonal block of G of every sample.
    ///
    /// # Errors
    /// If a process is gone.
    pub(crate) fn diagonal_blocks(&self) -> Result<Vec<T>> {
        gather_values(self.communicator, &self.own.diagonal_blocks())
    }

    /// J v, on all processes' rows.
    ///
    /// # Errors
    /// If a process is gone.
    pub(crate) fn jvp_buffer(&self, v: &Buffer<T>) -> Result<Buffer<T>> {
        let own = self.own.jvp_buffer(v);
        if self.communicator.size() == 1 {
            return Ok(own);
        }
        Ok(Buffer::upload(gather_values(self.communicator, own.tile(0, 1, own.len()).host())?))
    }

    /// into += α·S Jᵀu with u on all processes' rows; no u means all ones.
    ///
    /// # Errors
    /// If a process is gone; `into` is left as it was.
    pub(crate) fn add_vjp(&self, alpha: T, u: Option<&[T]>, into: &mut Buffer<T>) -> Result<()> {
        if self.communicator.size() == 1 {
            self.own.add_vjp(alpha, u, into);
            return Ok(());
        }
        let (p, k, samples) = (self.parameter_count(), self.outputs(), self.own_samples());
        let mut sum = Buffer::lent(&self.own.memory, p);
        sum.tile_mut(0, 1, p).fill(T::ZERO);
        self.own.add_vjp(T::ONE, u.map(|u| &u[samples.start * k..samples.end * k]), &mut sum);
        self.sum(sum.tile_mut(0, 1, p).host())?;
        let operations = self.device().operations::<T>();
        operations.axpby(into.tile_mut(0, 1, p), T::ONE, alpha, sum.tile(0, 1, p));
        Ok(())
    }

    /// G of all samples, as [`TangentFeatures::lower_gram`].
    ///
    /// # Errors
    /// If a process is gone.
    pub(crate) fn lower_gram<U: Scalar>(&self) -> Result<Matrix<U>> {
        let (rank, size) = (self.communicator.rank(), self.communicator.size());
        if size == 1 {
            return Ok(self.own.lower_gram());
        }
        let mut gram = self.gathered()?.lower_gram_share(rank, size, self.threads);
        for group in self.exchanged_groups() {
            let share: Matrix<U> = self.exchange(&group)?.lower_gram();
            gram.as_mut_slice().iter_mut().zip(share.as_slice()).for_each(|(sum, &value)| *sum += value);
        }
        let (n, k) = (gram.rows(), self.outputs());
        let ends = || (0..n).map(|row| (row / k + 1) * k);
        let mut triangle = Vec::with_capacity(n * (n + k) / 2);
        ends().enumerate().for_each(|(row, end)| triangle.extend_from_slice(&gram.row(row)[..end]));
        self.sum(&mut triangle)?;
        let mut rest = triangle.as_slice();
        for (row, end) in ends().enumerate() {
            let (line, others) = rest.split_at(end);
            gram.row_mut(row)[..end].copy_from_slice(line);
            rest = others;
        }
        Ok(gram)
    }

    fn extent(&self) -> Extent {
        Extent { samples: self.samples(), outputs: self.outputs() }
    }

    /// The part, if activations and deltas make its G.
    fn by_positions<'p>(&self, part: &'p Part<T>) -> Option<&'p LinearPart<T>> {
        match part {
            Part::Linear(part) if part.positions_are_cheaper(self.extent(), self.extent()) => Some(part),
            Part::Linear(_) | Part::Explicit(_) => None,
        }
    }

    /// The features of all samples, in the parts whose G activations and deltas make.
    fn gathered(&self) -> Result<TangentFeatures<T>> {
        let collect = |buffer: &Buffer<T>| {
            let values = buffer.tile(0, 1, buffer.len());
            gather_values(self.communicator, values.host()).map(|values| Arc::new(Buffer::upload(values)))
        };
        let parts = self.own.parts.iter().filter_map(|part| self.by_positions(part)).filter(|part| !part.is_frozen());
        let parts = parts.map(|part| {
            let (activations, deltas) = (collect(&part.activations)?, collect(&part.deltas)?);
            Ok(Part::Linear(LinearPart { activations, deltas, ..part.clone() }))
        });
        self.of_all(parts.collect::<Result<_>>()?)
    }

    /// Features of all samples.
    fn of_all(&self, parts: Vec<Part<T>>) -> Result<TangentFeatures<T>> {
        let predictions = Matrix::zeros(self.samples(), self.outputs());
        let all = TangentFeatures::from_parts(self.device().clone(), self.parameter_count(), predictions, parts)?;
        Ok(all.with_memory_budget(self.own.memory_budget))
    }

    /// The parts that are exchanged, in groups that are exchanged together. Sizes are those of all processes, so that all
    /// come to the same groups.
    fn exchanged_groups(&self) -> Vec<Vec<&Part<T>>> {
        /// Bytes of a group: few, so that its memory is used again by the next one.
        const TOGETHER: usize = 8 << 20;
        let mut groups: Vec<Vec<&Part<T>>> = Vec::new();
        let mut used = 0;
        for part in self.own.parts.iter().filter(|part| self.by_positions(part).is_none()) {
            let length: usize = part.terms().iter().map(|(_, length)| length).sum();
            // What is sent, and what arrives.
            let bytes = 2 * self.rows().div_ceil(self.counts.len()) * length * size_of::<T>();
            match groups.last_mut() {
                Some(group) if used + bytes <= TOGETHER.min(self.own.memory_budget) => group.push(part),
                _ => {
                    groups.push(vec![part]);
                    used = 0;
                }
            }
            used += bytes;
        }
        groups
    }

    /// Samples for parameters: all samples' gradients of this process's share of the parameters.
    fn exchange(&self, parts: &[&Part<T>]) -> Result<TangentFeatures<T>> {
        let (operations, size) = (self.device().operations::<T>(), self.communicator.size());
        let extent = (self.own.samples, self.own.outputs);
        let mut explicit: Vec<ExplicitPart<T>> = Vec::new();
        for part in parts {
            match part {
                Part::Linear(part) => explicit.extend(part.gradients(&operations, &self.own.memory, extent)),
                Part::Explicit(part) if part.term.weight > 0.0 => explicit.push(part.clone()),
                Part::Explicit(_) => {}
            }
        }
        let total: usize = explicit.iter().map(|part| part.length).sum();
        // Of every part the columns that are a process's.
        let columns = |rank: usize| {
            let mut end = 0;
            let own = share(total, rank, size);
            let of_part = move |part: &ExplicitPart<T>| {
                let start = end;
                end += part.length;
                own.start.clamp(start, end) - start..own.end.clamp(start, end) - start
            };
            explicit.iter().map(of_part).collect::<Vec<_>>()
        };
        let rows = self.own.rows();
        let pack = |rank: usize| {
            let mut bytes = Vec::with_capacity(rows * share(total, rank, size).len() * size_of::<T>());
            for (part, columns) in explicit.iter().zip(columns(rank)) {
                let gradients = part.gradients.tile(0, rows, part.length).host();
                for row in gradients.chunks_exact(part.length.max(1)) {
                    bytes.extend_from_slice(bytemuck::cast_slice(&row[columns.clone()]));
                }
            }
            bytes
        };
        let arrived = self.communicator.all_to_all((0..size).map(pack).collect())?;
        let arrived = arrived.iter().map(|bytes| numbers::<T>(bytes)).collect::<Result<Vec<_>>>()?;
        let mut rest: Vec<&[T]> = arrived.iter().map(|numbers| &**numbers).collect();
        let mut parts = Vec::new();
        for (part, columns) in explicit.iter().zip(columns(self.communicator.rank())) {
            let width = self.outputs() * columns.len();
            let mut gradients = Buffer::lent(&self.own.memory, self.samples() * width);
            let mut place = gradients.tile_mut(0, self.samples(), width);
            let mut free = place.host();
            for (rest, count) in rest.iter_mut().zip(&self.counts) {
                let Some((block, others)) = rest.split_at_checked(count * width) else {
                    return Err(Error::Communication(format!(
                        "{} gradients are too few for {count}×{width}",
                        rest.len()
                    )));
                };
                let (own, behind) = free.split_at_mut(block.len());
                own.copy_from_slice(block);
                (*rest, free) = (others, behind);
            }
            let term = super::Term { offset: part.term.offset + columns.start, ..part.term };
            parts.push(Part::Explicit(ExplicitPart::from_buffer(columns.len(), gradients, term)));
        }
        if rest.iter().any(|rest| !rest.is_empty()) {
            return Err(Error::Communication("more gradients came from another process than fit".to_owned()));
        }
        self.of_all(parts)
    }
}

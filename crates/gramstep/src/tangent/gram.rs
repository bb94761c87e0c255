//! G = J S Jᵀ and its cross form K(X, X′), panel by panel of rows.
//!
//! A panel is a few samples; it is multiplied with all samples up to itself (symmetric) or with all (cross). Panels
//! are independent, so threads share them, and their temporaries stay in cache: no n×n array but the result.

use std::borrow::Cow;
use std::ops::Range;

use super::TangentFeatures;
use super::block::{Block, factors};
use super::part::{ExplicitPart, Part};
use crate::device::{Buffer, Operations as _, for_each_chunk};
use crate::error::{Error, Result, check_extent};
use crate::scalar::Scalar;
use crate::view::Matrix;

/// Rows of a panel: many, so that the columns it meets are packed rarely.
const PANEL: usize = 192;
/// Columns that a panel meets at a time.
const STRIPE: usize = 768;
/// Rows of a panel that meet its own diagonal at a time: few, since half of that square is computed for nothing.
const DIAGONAL: usize = 48;

impl<T: Scalar> TangentFeatures<T> {
    /// G = J S Jᵀ, n·k×n·k, symmetric positive semi-definite up to rounding; rows and columns (sample, output).
    #[must_use]
    pub fn gram(&self) -> Matrix<T> {
        let mut gram = self.lower_gram();
        let size = self.rows();
        self.device().enter(self.cost(), |threads| mirror(gram.as_mut_slice(), size, 0..size, threads));
        gram
    }

    /// K(X, X′) = J S J′ᵀ, n·k×n′·k, between this batch (rows) and another batch of the same network (columns).
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Conflict`] if the other features do not come from the same network.
    pub fn cross_gram(&self, other: &Self) -> Result<Matrix<T>> {
        check_extent("parts of the other features", self.parts.len(), other.parts.len())?;
        check_extent("parameters of the other features", self.parameters, other.parameters)?;
        for (at, (part, theirs)) in self.parts.iter().zip(&other.parts).enumerate() {
            if !part.is_of_the_same_parameters(theirs) {
                let reason = format!("part {at} uses its parameters otherwise than the other's part {at}");
                return Err(Error::Conflict { what: "features of two networks", reason });
            }
        }
        Ok(self.panels(other, Region::All))
    }

    /// The diagonal of G, n·k numbers, without G.
    #[must_use]
    pub fn diagonal(&self) -> Vec<T> {
        let k = self.outputs;
        let mut diagonal = vec![T::ZERO; self.rows()];
        let square = |row: &[T]| row.iter().map(|&v| v * v).sum::<T>();
        for part in &self.parts {
            match part {
                Part::Linear(part) if part.places == 1 && part.window.is_none() => {
                    let a = part.activation_rows(0..self.samples).host();
                    let d = part.delta_rows(0..self.samples, k).host();
                    let (weight, bias) = factors(part);
                    let rows = diagonal.iter_mut().zip(d.chunks_exact(part.outputs));
                    for (row, (out, d)) in rows.enumerate() {
                        let a = &a[(row / k) * part.inputs..][..part.inputs];
                        *out += (weight * square(a) + bias) * square(d);
                    }
                }
                Part::Linear(part) => {
                    let gradients = part.gradients(&self.device().operations::<T>(), &self.memory, (self.samples, k));
                    for gradients in &gradients {
                        add_squares(&mut diagonal, gradients);
                    }
                }
                Part::Explicit(part) => add_squares(&mut diagonal, part),
            }
        }
        diagonal
    }

    /// The k×k diagonal block of G of every sample, n·k·k numbers.
    pub(crate) fn diagonal_blocks(&self) -> Vec<T> {
        let k = self.outputs;
        let parts: Vec<_> = self.parts.iter().flat_map(|part| self.prepare(part, self)).collect();
        let mut blocks = vec![T::ZERO; self.samples * k * k];
        let items: Vec<_> = blocks.chunks_mut((k * k).max(1)).enumerate().collect();
        self.device().for_each(self.cost(), items, |operations, (i, out): (usize, &mut [T])| {
            let block = Block { rows: i..i + 1, columns: i..i + 1, k, q: k };
            out.copy_from_slice(&block.compute(operations, &parts, &parts));
        });
        blocks
    }

    /// G with all entries up to the end of each sample's diagonal block; what lies above is 0. Sums over parts are of
    /// type `U`.
    pub(crate) fn lower_gram<U: Scalar>(&self) -> Matrix<U> {
        self.lower_gram_share(0, 1, self.device().threads())
    }

    /// The rows of [`lower_gram`](Self::lower_gram) that are process `rank`'s of `size`, which have as much work as the
    /// others'; all other rows are 0. `threads`, the same on all processes, decides how rows are cut.
    pub(super) fn lower_gram_share<U: Scalar>(&self, rank: usize, size: usize, threads: usize) -> Matrix<U> {
        self.panels(self, Region::Lower { rank, size, threads })
    }

    fn panels<U: Scalar>(&self, columns: &Self, region: Region) -> Matrix<U> {
        let lower = matches!(region, Region::Lower { .. });
        let mut gram = Matrix::zeros(self.rows(), columns.rows());
        for parts in self.groups(columns) {
            let prepare = |features: &Self, other: &Self| {
                let parts = features.parts[parts.clone()].iter();
                parts.flat_map(|part| features.prepare(part, other)).collect::<Vec<_>>()
            };
            let mut ours = prepare(self, columns);
            if let Region::Lower { size: 1, .. } = region {
                self.add_written(&mut gram, &mut ours);
            }
            let theirs = if lower { Cow::Borrowed(&ours) } else { Cow::Owned(prepare(columns, self)) };
            self.add_panels(&mut gram, columns, region, (&ours, &theirs));
        }
        gram
    }

    /// Adds the products of written-out gradients of which the device has a form of its own, and takes these parts out.
    fn add_written<U: Scalar>(&self, gram: &mut Matrix<U>, parts: &mut Vec<Part<T>>) {
        let (n, k) = (self.rows(), self.outputs);
        let mut sums = None;
        self.device().enter(self.cost(), |_| {
            let operations = self.device().operations::<T>();
            parts.retain(|part| match part {
                Part::Explicit(part) if part.term.weight > 0.0 && operations.has_row_products(n, part.length) => {
                    let out = sums.get_or_insert_with(|| Buffer::zeros(n * n)).tile_mut(0, n, n);
                    let rows = part.gradients.tile(0, n, part.length);
                    operations.add_row_products(out, T::from_f64(part.term.in_gram()), rows);
                    false
                }
                _ => true,
            });
        });
        let Some(sums) = sums.map(Buffer::into_host) else { return };
        for i in 0..n {
            let end = (i / k + 1) * k;
            for (j, sum) in gram.row_mut(i)[..end].iter_mut().enumerate() {
                *sum += U::from_f64(sums[i.max(j) * n + i.min(j)].to_f64());
            }
        }
    }

    fn add_panels<U: Scalar>(
        &self,
        gram: &mut Matrix<U>,
        columns: &Self,
        region: Region,
        (ours, theirs): (&[Part<T>], &[Part<T>]),
    ) {
        let (k, q) = (self.outputs, columns.outputs);
        let (lower, rank, size, threads) = match region {
            Region::All => (false, 0, 1, self.device().threads()),
            Region::Lower { rank, size, threads } => (true, rank, size, threads),
        };
        let panel = panel_samples(self.samples, k, threads * size);
        let row_length = columns.rows();
        let mut panels: Vec<_> = gram
            .as_mut_slice()
            .chunks_mut((panel * k * row_length).max(1))
            .enumerate()
            .map(|(at, out)| (at * panel..((at + 1) * panel).min(self.samples), out))
            .collect();
        // The last panels of a triangle are the longest: they go first.
        panels.reverse();
        let mut turn = 0..;
        panels.retain(|_| turn.next().is_some_and(|turn| is_turn_of(rank, size, turn)));
        self.device().enter(self.cost(), |_| {
            self.device().for_each(self.cost(), panels, |operations, (rows, out): (Range<usize>, &mut [U])| {
                let left = if lower { rows.start } else { columns.samples };
                let stripes = pieces(0..left, STRIPE / q).map(|columns| (rows.clone(), columns));
                let diagonal = pieces(rows.clone(), DIAGONAL / k).map(|sub| (sub.clone(), rows.start..sub.end));
                for (sub, columns) in stripes.chain(diagonal.take_while(|_| lower)) {
                    let block = Block { rows: sub, columns, k, q };
                    let values = block.compute(operations, ours, theirs);
                    let (top, left, width) =
                        ((block.rows.start - rows.start) * k, block.columns.start * q, block.columns.len() * q);
                    let lines = out[top * row_length..].chunks_exact_mut(row_length);
                    for (line, values) in lines.zip(values.chunks_exact(width)) {
                        for (sum, &value) in line[left..left + width].iter_mut().zip(values) {
                            *sum += U::from_f64(value.to_f64());
                        }
                    }
                }
            });
        });
    }
}

/// Which blocks of a matrix of products are computed.
#[derive(Clone, Copy)]
enum Region {
    All,
    /// Those up to the diagonal, in the panels that are process `rank`'s of `size`.
    Lower {
        rank: usize,
        size: usize,
        threads: usize,
    },
}

/// Whether panels of falling size, dealt out to and fro, give this one to `rank`.
fn is_turn_of(rank: usize, size: usize, turn: usize) -> bool {
    let (round, place) = (turn / size, turn % size);
    rank == if round.is_multiple_of(2) { place } else { size - 1 - place }
}

/// Samples of a panel: enough panels to share among threads, large enough to multiply well.
fn panel_samples(samples: usize, k: usize, threads: usize) -> usize {
    let shared = (samples * k).div_ceil(2 * threads).next_multiple_of(16);
    (shared.min(PANEL) / k).max(1)
}

/// A range cut into pieces of `length` (at least 1).
fn pieces(range: Range<usize>, length: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range.step_by(length.max(1)).map(move |start| start..(start + length.max(1)).min(end))
}

fn add_squares<T: Scalar>(diagonal: &mut [T], part: &ExplicitPart<T>) {
    let factor = T::from_f64(part.term.in_gram());
    let gradients = part.gradients.tile(0, diagonal.len(), part.length).host();
    for (out, gradient) in diagonal.iter_mut().zip(gradients.chunks_exact(part.length.max(1))) {
        *out += factor * gradient.iter().map(|&g| g * g).sum::<T>();
    }
}

/// Copies the lower triangle of rows and columns `range` to the upper one. `rows` holds these rows.
pub(crate) fn mirror<T: Scalar>(rows: &mut [T], size: usize, range: Range<usize>, threads: usize) {
    const SQUARE: usize = 16;
    let (from, count) = (range.start, range.len());
    if count <= 4 * SQUARE {
        for i in 0..count {
            for j in 0..i {
                rows[j * size + from + i] = rows[i * size + from + j];
            }
        }
        return;
    }
    let half = count / 2;
    let (top, bottom) = rows.split_at_mut(half * size);
    // The rectangle right of the top half is the transpose of the one below it.
    for_each_chunk(threads, top, SQUARE * size, |chunk, lines| {
        for column in (0..count - half).step_by(SQUARE) {
            for (j, line) in lines.chunks_exact_mut(size).enumerate() {
                for i in column..(column + SQUARE).min(count - half) {
                    line[from + half + i] = bottom[i * size + from + chunk * SQUARE + j];
                }
            }
        }
    });
    mirror(top, size, from..from + half, threads);
    mirror(bottom, size, from + half..from + count, threads);
}

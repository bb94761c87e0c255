//! G = J S Jᵀ and its cross form K(X, X′), panel by panel of rows.
//!
//! A panel is a few samples; it is multiplied with all samples up to itself (symmetric) or with all (cross). Panels
//! are independent, so threads share them, and their temporaries stay in cache: no n×n array but the result.

use std::borrow::Cow;
use std::ops::Range;

use super::TangentFeatures;
use super::part::{ExplicitPart, LinearPart, Part};
use crate::device::{Operations, Product, Tile, TileMut, for_each_chunk};
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
    /// [`Error::Shape`] if the other features do not come from the same network.
    pub fn cross_gram(&self, other: &Self) -> Result<Matrix<T>> {
        check_extent("parts of the other features", self.parts.len(), other.parts.len())?;
        check_extent("parameters of the other features", self.parameters, other.parameters)?;
        for (at, (part, theirs)) in self.parts.iter().zip(&other.parts).enumerate() {
            if !part.is_of_the_same_parameters(theirs) {
                let what = "part that uses its parameters as the other's does (number of parts that agree)";
                return Err(Error::Shape { what, expected: self.parts.len(), got: at });
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
            let ours = prepare(self, columns);
            let theirs = if lower { Cow::Borrowed(&ours) } else { Cow::Owned(prepare(columns, self)) };
            self.add_panels(&mut gram, columns, region, (&ours, &theirs));
        }
        gram
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

    /// Parts in groups whose written-out gradients fit the memory budget together.
    fn groups(&self, columns: &Self) -> Vec<Range<usize>> {
        let mut groups: Vec<Range<usize>> = Vec::new();
        let mut used = 0;
        for (at, part) in self.parts.iter().enumerate() {
            let bytes = match part {
                Part::Linear(part) if !part.positions_are_cheaper(self.extent(), columns.extent()) => {
                    (self.rows() + columns.rows()) * part.weight_len() * size_of::<T>()
                }
                _ => 0,
            };
            match groups.last_mut() {
                Some(group) if used + bytes <= self.memory_budget => {
                    group.end = at + 1;
                    used += bytes;
                }
                _ => {
                    groups.push(at..at + 1);
                    used = bytes;
                }
            }
        }
        groups
    }

    /// A part in the form in which its block of G with other features is cheaper: as it is, or as gradients. Both sides
    /// come to the same decision.
    fn prepare(&self, part: &Part<T>, others: &Self) -> Vec<Part<T>> {
        let operations = self.device().operations::<T>();
        match part {
            Part::Linear(linear) if !linear.positions_are_cheaper(self.extent(), others.extent()) => {
                let gradients = linear.gradients(&operations, &self.memory, (self.samples, self.outputs));
                gradients.into_iter().map(Part::Explicit).collect()
            }
            Part::Linear(linear) if linear.window.is_some() => {
                vec![Part::Linear(linear.unfolded(&operations, self.samples).into_owned())]
            }
            _ => vec![part.clone()],
        }
    }

    fn extent(&self) -> Extent {
        Extent { samples: self.samples, outputs: self.outputs }
    }

    /// The same features with the gradients of convolutions written out and kept, as far as the memory budget goes and
    /// where `samples` samples have a G that is cheaper so: every later product with J reads them instead of convolving
    /// again. The budget is asked about `most` samples, the most that a process has.
    pub(super) fn with_gradients_kept(mut self, samples: usize, most: usize) -> Self {
        let extent = Extent { samples, outputs: self.outputs };
        let operations = self.device.operations::<T>();
        let mut left = self.memory_budget;
        let mut parts = Vec::with_capacity(self.parts.len());
        for part in std::mem::take(&mut self.parts) {
            match part {
                Part::Linear(linear) if !linear.positions_are_cheaper(extent, extent) => {
                    let bytes = most * self.outputs * linear.weight_len() * size_of::<T>();
                    if bytes <= left {
                        left -= bytes;
                        let gradients = linear.gradients(&operations, &self.memory, (self.samples, self.outputs));
                        parts.extend(gradients.into_iter().map(Part::Explicit));
                    } else {
                        parts.push(Part::Linear(linear));
                    }
                }
                other => parts.push(other),
            }
        }
        self.parts = parts;
        self
    }
}

/// How many samples there are, with how many Jacobian rows each.
#[derive(Clone, Copy)]
pub(super) struct Extent {
    pub(super) samples: usize,
    pub(super) outputs: usize,
}

impl<T: Scalar> LinearPart<T> {
    /// n·m·T²d_in/2 + (nk)(mq)T²d_out/2 against (nk + mq)/2·T·d_in·d_out + (nk)(mq)d_in·d_out/2 multiplications, for n
    /// samples with k rows here and m with q there (the same: a symmetric G).
    pub(super) fn positions_are_cheaper(&self, ours: Extent, theirs: Extent) -> bool {
        if self.places == 1 && self.window.is_none() {
            return true;
        }
        let [n, k, m, q] = [ours.samples, ours.outputs, theirs.samples, theirs.outputs].map(|v| v as f64);
        let [t, d_in, d_out] = [self.places, self.inputs, self.outputs].map(|v| v as f64);
        let (rows, columns) = (n * k, m * q);
        let positions = n * m * t * t * d_in / 2.0 + rows * columns * t * t * d_out / 2.0;
        let gradients = rows.midpoint(columns) * t * d_in * d_out + rows * columns * d_in * d_out / 2.0;
        positions < gradients
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

/// Factors of the weight's and of the bias's contribution to G.
fn factors<T: Scalar>(part: &LinearPart<T>) -> (T, T) {
    (T::from_f64(part.weight.in_gram()), T::from_f64(part.bias.map_or(0.0, super::Term::in_gram)))
}

fn add_squares<T: Scalar>(diagonal: &mut [T], part: &ExplicitPart<T>) {
    let factor = T::from_f64(part.term.in_gram());
    let gradients = part.gradients.tile(0, diagonal.len(), part.length).host();
    for (out, gradient) in diagonal.iter_mut().zip(gradients.chunks_exact(part.length.max(1))) {
        *out += factor * gradient.iter().map(|&g| g * g).sum::<T>();
    }
}

/// A rectangle of G in samples, with k and q Jacobian rows per sample.
struct Block {
    rows: Range<usize>,
    columns: Range<usize>,
    k: usize,
    q: usize,
}

impl Block {
    fn compute<T: Scalar>(&self, operations: &dyn Operations<T>, ours: &[Part<T>], theirs: &[Part<T>]) -> Vec<T> {
        let (height, width) = (self.rows.len() * self.k, self.columns.len() * self.q);
        let mut out = vec![T::ZERO; height * width];
        let mut aa = Vec::new();
        let mut dd = Vec::new();
        for (part, other) in ours.iter().zip(theirs) {
            match (part, other) {
                (Part::Linear(part), Part::Linear(other)) if !part.is_frozen() => {
                    let (weight, bias) = factors(part);
                    let (t, s) = (part.places, other.places);
                    aa.resize(self.rows.len() * t * self.columns.len() * s, T::ZERO);
                    dd.resize(height * t * width * s, T::ZERO);
                    let (a_rows, a_columns) = (self.rows.len() * t, self.columns.len() * s);
                    if weight != T::ZERO {
                        let a = part.activation_rows(self.rows.clone());
                        let b = other.activation_rows(self.columns.clone());
                        let out = TileMut::new(&mut aa, a_rows, a_columns);
                        operations.product(out, Product::Replace, T::ONE, a, b.t());
                    }
                    let a = part.delta_rows(self.rows.clone(), self.k);
                    let b = other.delta_rows(self.columns.clone(), self.q);
                    operations.product(
                        TileMut::new(&mut dd, height * t, width * s),
                        Product::Replace,
                        T::ONE,
                        a,
                        b.t(),
                    );
                    let aa = Tile::new(&aa, a_rows, a_columns);
                    if t == 1 && s == 1 {
                        let dd = Tile::new(&dd, height, width);
                        operations.gram_accumulate(TileMut::new(&mut out, height, width), weight, bias, aa, dd);
                    } else {
                        self.contract_places(&mut out, (weight, bias), (t, s), aa.host(), &dd);
                    }
                }
                (Part::Explicit(part), Part::Explicit(other)) if part.term.weight > 0.0 => {
                    let a = part.gradients.tile(self.rows.start * self.k * part.length, height, part.length);
                    let b = other.gradients.tile(self.columns.start * self.q * part.length, width, part.length);
                    let factor = T::from_f64(part.term.in_gram());
                    operations.product(TileMut::new(&mut out, height, width), Product::Accumulate, factor, a, b.t());
                }
                // Frozen.
                (Part::Linear(_), Part::Linear(_)) | (Part::Explicit(_), Part::Explicit(_)) => {}
                _ => unreachable!("both sides take the same form"),
            }
        }
        out
    }

    /// out\[(i,a),(j,b)\] += Σ_{t,s} (weight·aa\[(i,t),(j,s)\] + bias)·dd\[(i,a,t),(j,b,s)\].
    fn contract_places<T: Scalar>(
        &self,
        out: &mut [T],
        (weight, bias): (T, T),
        (t, s): (usize, usize),
        aa: &[T],
        dd: &[T],
    ) {
        let width = self.columns.len() * self.q;
        for (row, line) in out.chunks_exact_mut(width).enumerate() {
            let i = row / self.k;
            for (column, value) in line.iter_mut().enumerate() {
                let j = column / self.q;
                let mut sum = T::ZERO;
                for place in 0..t {
                    let aa = &aa[(i * t + place) * self.columns.len() * s + j * s..][..s];
                    let dd = &dd[(row * t + place) * width * s + column * s..][..s];
                    sum += aa.iter().zip(dd).map(|(&a, &d)| weight.mul_add(a, bias) * d).sum::<T>();
                }
                *value += sum;
            }
        }
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

//! A set of images as an infinitely wide convolutional network sees it.

use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::cells::{LANES, Spare};
use super::program::{Exit, Program};
use super::tables::{Side, follow};
use super::walk::{Between, Work};
use crate::device::{Device, Operations};
use crate::error::{Error, Result};
use crate::scalar::Scalar;

/// Images, and what is known of each by itself.
#[derive(Clone, Debug)]
pub(in super::super) struct ImagePoints<T> {
    pub(super) program: Arc<Program>,
    pub(super) device: Device,
    /// n×d.
    images: Vec<T>,
    /// Numbers of an image.
    length: usize,
    /// K(x, x) of every pixel at the start of every stage but the first, n×pixels.
    starts: Vec<Vec<T>>,
    /// What covariances of the vectors that images become are relative to: K(x, x) where more than sums of it follow,
    /// else the mean of the pixels' variances, which is no less and asks for no kernel of an image with itself.
    pub(in super::super) variances: Vec<f64>,
    /// Every image with itself, where that has been asked for.
    own: OnceLock<Vec<Head<T>>>,
    /// Of tasks that are done.
    memory: Arc<Mutex<Vec<Memory<T>>>>,
}

/// Memory of one task.
#[derive(Debug)]
pub(super) struct Memory<T> {
    pub(super) work: Work<T>,
    pub(super) spare: Spare<T>,
}

/// A pair of images as a pair of vectors.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Head<T> {
    /// 1 − ρ
    pub(in super::super) deficit: T,
    pub(in super::super) theta: T,
}

/// What is found out of a cell of images.
struct Found<T> {
    /// At the start of every stage but the first, pixel by pixel.
    starts: Vec<Vec<T>>,
    variances: Vec<f64>,
}

impl<T: Scalar> ImagePoints<T> {
    pub(in super::super) fn new(
        program: &Arc<Program>,
        device: &Device,
        images: Vec<T>,
        length: usize,
    ) -> Result<Self> {
        let count = images.len().checked_div(length).unwrap_or(0);
        let mut points = Self {
            program: Arc::clone(program),
            device: device.clone(),
            images,
            length,
            starts: Vec::new(),
            variances: Vec::new(),
            own: OnceLock::new(),
            memory: Arc::default(),
        };
        let each = LANES;
        let cells: Vec<Range<usize>> = (0..count).step_by(each).map(|start| start..(start + each).min(count)).collect();
        let mut found: Vec<Option<Result<Found<T>>>> = cells.iter().map(|_| None).collect();
        let items: Vec<_> = cells.iter().cloned().zip(&mut found).collect();
        let cost = program.cost() * count as f64;
        device.for_each(cost, items, |_: &dyn Operations<T>, (range, slot)| {
            *slot = Some(points.look(range));
        });
        let mut starts = vec![Vec::new(); program.stages.len() - 1];
        let mut variances = Vec::with_capacity(count);
        for (range, found) in cells.into_iter().zip(found.into_iter().flatten()) {
            let found = found?;
            for (all, start) in starts.iter_mut().zip(&found.starts) {
                for lane in 0..range.len() {
                    all.extend(start.iter().skip(lane).step_by(each));
                }
            }
            variances.extend_from_slice(&found.variances[..range.len()]);
        }
        (points.starts, points.variances) = (starts, variances);
        Ok(points)
    }

    /// Memory for a task, used before where there is any.
    pub(super) fn memory(&self) -> Memory<T> {
        let used = self.memory.lock().unwrap_or_else(PoisonError::into_inner).pop();
        used.unwrap_or_else(|| Memory { work: Work::new(&self.program), spare: Spare::new() })
    }

    pub(super) fn put_back(&self, memory: Memory<T>) {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
    }

    fn images_of(&self, range: &Range<usize>) -> &[T] {
        &self.images[range.start * self.length..range.end * self.length]
    }

    /// The variances of a cell of images, as far as needed by the kernels of each with itself.
    fn look(&self, range: Range<usize>) -> Result<Found<T>> {
        let program = &*self.program;
        let mut memory = self.memory();
        let Memory { work, spare } = &mut memory;
        let mut side = Side::new(self.images_of(&range), self.length, spare);
        let mut now = side.input_variances(program.channels);
        let mut starts = Vec::new();
        for (at, stage) in program.stages.iter().enumerate() {
            let meets = match stage.exit {
                Exit::Pool { .. } => true,
                Exit::Mean => program.goes_on,
                Exit::Flatten => false,
            };
            now = if meets {
                side.prepare(program, &self.device, now, spare)?
            } else {
                follow::<T>(stage, &self.device, now, |_, _| ())?
            };
            if !now.iter().all(|v| v.is_finite()) {
                return Err(Error::NonFinite {
                    what: "variance of a layer of the infinitely wide network",
                    layer: None,
                });
            }
            if !meets {
                continue;
            }
            Between::<T, true> { program, x: &side, y: &side }.stage(at, work);
            now = match work.pooled.get(at) {
                None => work.covariance.iter().map(|sum| sum / stage.end.pixels() as f64).collect(),
                Some(pooled) => {
                    let factor = T::from_f64(pooled.factor);
                    let start: Vec<T> = pooled.diagonal().iter().map(|&value| factor * value).collect();
                    let variances = start.iter().map(|value| value.to_f64()).collect();
                    starts.push(start);
                    variances
                }
            };
        }
        let mut variances = vec![0.0; LANES];
        for cell in now.chunks_exact(LANES) {
            variances.iter_mut().zip(cell).for_each(|(sum, value)| *sum += value);
        }
        let pixels = program.stages[program.stages.len() - 1].end.pixels() as f64;
        for sum in &mut variances {
            *sum /= pixels;
        }
        side.keep(spare);
        self.put_back(memory);
        Ok(Found { starts, variances })
    }

    /// What makes a mean of the sums that the last stage leaves.
    pub(super) fn share(&self) -> f64 {
        let last = &self.program.stages[self.program.stages.len() - 1];
        let pixels = last.end.pixels() as f64;
        if last.exit == Exit::Mean { 1.0 / (pixels * pixels) } else { 1.0 / pixels }
    }

    /// A cell of images, ready for planes.
    pub(super) fn side(&self, range: &Range<usize>, spare: &mut Spare<T>) -> Side<T> {
        let each = LANES;
        let mut side = Side::new(self.images_of(range), self.length, spare);
        // What fails was found when the points were prepared; a user's function that has changed gives no numbers.
        let mut prepare = |side: &mut Side<T>, start| {
            drop(side.prepare(&self.program, &self.device, start, spare));
        };
        let start = side.input_variances(self.program.channels);
        prepare(&mut side, start);
        for (starts, stage) in self.starts.iter().zip(self.program.stages.iter().skip(1)) {
            let pixels = stage.start.pixels();
            let variance = |at: usize| {
                let image = (range.start + at % each).min(range.end - 1);
                starts[image * pixels + at / each].to_f64()
            };
            prepare(&mut side, (0..pixels * each).map(variance).collect());
        }
        side
    }

    /// An image with itself.
    pub(in super::super) fn own_head(&self, image: usize) -> Head<T> {
        self.own.get_or_init(|| self.own_heads())[image]
    }

    fn own_heads(&self) -> Vec<Head<T>> {
        let count = self.variances.len();
        let mut heads = vec![Head { deficit: T::ZERO, theta: T::ZERO }; count];
        let cells = heads.chunks_mut(LANES).enumerate().collect();
        self.device.for_each(self.pair_cost() * count as f64, cells, |_: &dyn Operations<T>, (at, heads)| {
            let start = at * LANES;
            let mut memory = self.memory();
            let Memory { work, spare } = &mut memory;
            let side = self.side(&(start..start + heads.len()), spare);
            Between::<T, true> { program: &self.program, x: &side, y: &side }.run(work);
            for (lane, head) in heads.iter_mut().enumerate() {
                *head = self.head(start + lane, self, start + lane, work, lane);
            }
            side.keep(spare);
            self.put_back(memory);
        });
        heads
    }

    /// What a pair is after the last stage.
    pub(super) fn head(&self, i: usize, other: &Self, j: usize, work: &Work<T>, lane: usize) -> Head<T> {
        let share = self.share();
        let (vi, vj) = (self.variances[i], other.variances[j]);
        let sum = share * work.covariance[lane];
        let side_by_side = self.program.stages.last().is_some_and(|stage| stage.exit == Exit::Flatten);
        let gap = if side_by_side { sum } else { f64::midpoint(vi, vj) - sum };
        let norm = (vi * vj).sqrt();
        let twist = 0.5 * (vi.sqrt() - vj.sqrt()).powi(2);
        let deficit = if norm > 0.0 { ((gap - twist) / norm).clamp(0.0, 2.0) } else { 1.0 };
        Head { deficit: T::from_f64(deficit), theta: T::from_f64(share * work.theta[lane]) }
    }

    /// Multiplications of one pair.
    pub(in super::super) fn pair_cost(&self) -> f64 {
        self.program.cost()
    }
}

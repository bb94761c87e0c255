//! A set of images as an infinitely wide convolutional network sees it.

use std::ops::Range;
use std::sync::Arc;

use super::cells::LANES;
use super::program::{Exit, Program};
use super::tables::Side;
use super::walk::{Between, Work};
use crate::device::Device;
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
    /// K(x, x) of the vector that the last stage makes of an image.
    pub(in super::super) variances: Vec<f64>,
    /// Θ(x, x) of that vector.
    thetas: Vec<T>,
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
    thetas: Vec<f64>,
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
            thetas: Vec::new(),
        };
        let each = LANES;
        let cells: Vec<Range<usize>> = (0..count).step_by(each).map(|start| start..(start + each).min(count)).collect();
        let mut found: Vec<Option<Result<Found<T>>>> = cells.iter().map(|_| None).collect();
        let items: Vec<_> = cells.iter().cloned().zip(&mut found).collect();
        let cost = program.cost() * count as f64;
        device.for_each(cost, items, |_: &dyn crate::device::Operations<T>, (range, slot)| {
            *slot = Some(points.look(range));
        });
        let mut starts = vec![Vec::new(); program.stages.len() - 1];
        let (mut variances, mut thetas) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for (range, found) in cells.into_iter().zip(found.into_iter().flatten()) {
            let found = found?;
            for (all, start) in starts.iter_mut().zip(&found.starts) {
                for lane in 0..range.len() {
                    all.extend(start.iter().skip(lane).step_by(each));
                }
            }
            variances.extend_from_slice(&found.variances[..range.len()]);
            thetas.extend(found.thetas[..range.len()].iter().map(|&theta| T::from_f64(theta)));
        }
        (points.starts, points.variances, points.thetas) = (starts, variances, thetas);
        Ok(points)
    }

    fn images_of(&self, range: &Range<usize>) -> &[T] {
        &self.images[range.start * self.length..range.end * self.length]
    }

    /// The variances of a cell of images, by the kernels of each with itself.
    fn look(&self, range: Range<usize>) -> Result<Found<T>> {
        let (program, each) = (&*self.program, LANES);
        let mut side = Side::new(self.images_of(&range), self.length);
        let mut work = Work::new(program);
        let mut now = side.input_variances(program.channels);
        let mut starts = Vec::new();
        for (at, stage) in program.stages.iter().enumerate() {
            now = side.prepare(program, &self.device, now);
            if !now.iter().all(|v| v.is_finite()) {
                return Err(Error::NonFinite {
                    what: "variance of a layer of the infinitely wide network",
                    layer: None,
                });
            }
            Between::<T, true> { program, x: &side, y: &side }.stage(at, &mut work);
            if stage.exit == Exit::Flatten {
                continue;
            }
            now = match work.pooled.get(at) {
                None => work.covariance.clone(),
                Some(pooled) => {
                    let factor = T::from_f64(pooled.factor);
                    let start: Vec<T> = pooled.diagonal().iter().map(|&value| factor * value).collect();
                    let variances = start.iter().map(|value| value.to_f64()).collect();
                    starts.push(start);
                    variances
                }
            };
        }
        let mut variances = vec![0.0; each];
        for cell in now.chunks_exact(each) {
            variances.iter_mut().zip(cell).for_each(|(sum, value)| *sum += value);
        }
        let share = self.share();
        for sum in &mut variances {
            *sum *= share;
        }
        let thetas = work.theta.iter().map(|sum| share * sum).collect();
        Ok(Found { starts, variances, thetas })
    }

    /// What makes a mean of the sums that the last stage leaves.
    pub(super) fn share(&self) -> f64 {
        let last = &self.program.stages[self.program.stages.len() - 1];
        let pixels = last.end.pixels() as f64;
        if last.exit == Exit::Mean { 1.0 / (pixels * pixels) } else { 1.0 / pixels }
    }

    /// A cell of images, ready for planes.
    pub(super) fn side(&self, range: &Range<usize>) -> Side<T> {
        let each = LANES;
        let mut side = Side::new(self.images_of(range), self.length);
        side.prepare(&self.program, &self.device, side.input_variances(self.program.channels));
        for (starts, stage) in self.starts.iter().zip(self.program.stages.iter().skip(1)) {
            let pixels = stage.start.pixels();
            let variance = |at: usize| {
                let image = (range.start + at % each).min(range.end - 1);
                starts[image * pixels + at / each].to_f64()
            };
            side.prepare(&self.program, &self.device, (0..pixels * each).map(variance).collect());
        }
        side
    }

    /// An image with itself.
    pub(in super::super) fn own_head(&self, image: usize) -> Head<T> {
        Head { deficit: T::ZERO, theta: self.thetas[image] }
    }

    /// Multiplications of one pair.
    pub(in super::super) fn pair_cost(&self) -> f64 {
        self.program.cost()
    }
}

//! The way of a cell of pairs of images through all stages.

use super::super::dual::{Dual, closed};
use super::cells::LANES;
use super::geometry::{Grid, Offset, Region};
use super::maps::{Normalisation, Smooth, SquaredRelu};
use super::plane::{Plane, Sums};
use super::pool::Pooled;
use super::program::{Exit, Op, Program, Stage};
use super::rectifier::Rectifier;
use super::rows::{Activated, Linear, Place, RowEnd, Tables, Trained};
use super::series::Expanded;
use super::tables::{Side, State};
use crate::scalar::Scalar;

/// Memory of the way of a cell.
#[derive(Debug)]
pub(super) struct Work<T> {
    now: Plane<T>,
    next: Plane<T>,
    stack: Vec<Plane<T>>,
    sums: Sums<T>,
    /// What every stage but the first starts from.
    pub(super) pooled: Vec<Pooled<T>>,
    /// Sums over all planes of the last stage, of a cell.
    pub(super) covariance: Vec<f64>,
    pub(super) theta: Vec<f64>,
}

impl<T: Scalar> Work<T> {
    pub(super) fn new(program: &Program) -> Self {
        let margin = program.margin;
        let bordered = |grid: &Grid| (grid.height + 2 * margin) * (grid.width + 2 * margin);
        let grids = || program.stages.iter().flat_map(|stage| &stage.grids);
        let pixels = grids().map(bordered).max().unwrap_or(0);
        let width = grids().map(|grid| grid.width + 2 * margin).max().unwrap_or(0);
        let plane = || Plane::new(pixels, margin);
        Self {
            now: plane(),
            next: plane(),
            stack: (0..program.depth).map(|_| plane()).collect(),
            sums: Sums::new(width),
            pooled: program
                .stages
                .iter()
                .zip(program.stages.iter().skip(1))
                .filter_map(|(before, after)| Pooled::new(program, before, after))
                .collect(),
            covariance: vec![0.0; LANES],
            theta: vec![0.0; LANES],
        }
    }
}

/// Two sides between which planes lie. `WIDE`: x is a cell of images too.
#[derive(Clone, Copy)]
pub(super) struct Between<'a, T, const WIDE: bool> {
    pub(super) program: &'a Program,
    pub(super) x: &'a Side<T>,
    pub(super) y: &'a Side<T>,
}

impl<'a, T: Scalar, const WIDE: bool> Between<'a, T, WIDE> {
    /// All stages; leaves the sums of K (of the gap, where pixels are side by side) and of Θ in `work`.
    pub(super) fn run(self, work: &mut Work<T>) {
        for stage in 0..self.program.stages.len() {
            self.stage(stage, work);
        }
    }

    /// All planes of a stage, into the pool behind it or into the sums.
    pub(super) fn stage(self, at: usize, work: &mut Work<T>) {
        let stage = &self.program.stages[at];
        work.covariance.fill(0.0);
        work.theta.fill(0.0);
        if let Some(pooled) = work.pooled.get_mut(at) {
            pooled.clear();
        }
        for &down in &stage.offsets.0 {
            for &right in &stage.offsets.1 {
                self.start(at, Program::at_start(stage, (down, right)), work);
                self.operations(at, stage, work);
                self.finish(at, stage, work);
            }
        }
    }

    fn states(self, stage: usize, state: usize) -> (&'a State<T>, &'a State<T>) {
        (&self.x.stages[stage][state], &self.y.stages[stage][state])
    }

    /// v/2 at a place where the stage has it.
    fn halves(self, stage: usize, state: usize) -> Tables<'a, T> {
        let (x, y) = self.states(stage, state);
        (&x.half, &y.half)
    }

    fn place(self, plane: &Plane<T>, grid: Grid) -> Place {
        Place::new(plane.region, plane.offset, grid, self.program.torus)
    }

    fn start(self, at: usize, offset: Offset, work: &mut Work<T>) {
        let stage = &self.program.stages[at];
        let plane = &mut work.now;
        plane.shape(Region::new(stage.start, offset, self.program.torus), offset);
        if at == 0 {
            let place = self.place(plane, stage.start);
            let (x, y) = (&self.x.pixels, &self.y.pixels);
            plane.input::<WIDE>(x, y, self.program.channels, place, stage.start.width);
        } else {
            let pooled = &work.pooled[at - 1];
            pooled.load(offset, plane);
            let place = self.place(plane, stage.start);
            plane.turn::<WIDE>(pooled.factor, place, self.halves(at, 0));
        }
    }

    fn operations(self, at: usize, stage: &Stage, work: &mut Work<T>) {
        let (mut op, mut depth) = (0, 0);
        while let Some(operation) = stage.ops.get(op) {
            match operation {
                Op::Convolution(convolution) => {
                    self.shrink(stage.grids[op + 1], convolution.stride, work);
                    if work.next.region.height > 0 && work.next.region.width > 0 {
                        if convolution.torus {
                            work.now.wrap();
                        } else if convolution.has_border() {
                            let place = self.place(&work.now, stage.grids[op]);
                            work.now.border::<WIDE>(place, self.halves(at, op));
                        }
                    }
                    let trained = Trained::new(convolution);
                    let Work { now, next, sums, .. } = &mut *work;
                    if let Some(Op::Activation { dual, positive }) = stage.ops.get(op + 1) {
                        op += 1;
                        self.activation(
                            at,
                            op,
                            (dual, *positive),
                            trained,
                            next.region,
                            next.offset,
                            Convolved { next, now, convolution, sums },
                        );
                    } else {
                        let place = self.place(next, stage.grids[op + 1]);
                        let end = Linear::<T, WIDE> { trained, place, halves: self.halves(at, op + 1) };
                        next.convolve(now, convolution, sums, &end);
                    }
                    std::mem::swap(&mut work.now, &mut work.next);
                }
                Op::Activation { dual, positive } => {
                    let Work { now, next, .. } = &mut *work;
                    let (region, offset) = (now.region, now.offset);
                    self.activation(at, op, (dual, *positive), Trained::nothing(), region, offset, Alone { next, now });
                    std::mem::swap(now, next);
                }
                Op::Pixels { stride, share } => {
                    self.shrink(stage.grids[op + 1], *stride, work);
                    work.next.every(&work.now, *stride, *share);
                    std::mem::swap(&mut work.now, &mut work.next);
                }
                Op::Split => {
                    work.stack[depth].copy_from(&work.now);
                    depth += 1;
                }
                Op::Swap => std::mem::swap(&mut work.now, &mut work.stack[depth - 1]),
                Op::Join => {
                    depth -= 1;
                    work.now.add(&work.stack[depth]);
                }
            }
            op += 1;
        }
    }

    /// Makes the next plane as large as a stride leaves it.
    fn shrink(self, grid: Grid, stride: usize, work: &mut Work<T>) {
        let stride = stride.cast_signed();
        let offset = (work.now.offset.0 / stride, work.now.offset.1 / stride);
        work.next.shape(Region::new(grid, offset, self.program.torus), offset);
    }

    fn finish(self, at: usize, stage: &Stage, work: &mut Work<T>) {
        let place = self.place(&work.now, stage.end);
        let Work { now, pooled, covariance, theta, .. } = work;
        match stage.exit {
            Exit::Flatten => {}
            Exit::Pool { .. } | Exit::Mean => {
                now.turn::<WIDE>(1.0, place, self.halves(at, stage.ops.len()));
            }
        }
        match pooled.get_mut(at) {
            Some(pooled) => pooled.add(now, stage.end),
            None => now.total(covariance, theta),
        }
    }

    /// Does something with what an activation does to a row.
    #[expect(clippy::too_many_arguments, reason = "one place where every activation is chosen")]
    fn activation(
        self,
        at: usize,
        op: usize,
        (dual, positive): (&Dual, bool),
        trained: Trained<T>,
        region: Region,
        offset: Offset,
        rows: impl Rows<T>,
    ) {
        let (x, y) = self.states(at, op);
        let terms = x.terms.as_ref().zip(y.terms.as_ref());
        let (Some(x), Some(y)) = (&x.root, &y.root) else {
            debug_assert!(false, "states in front of an activation have roots");
            return;
        };
        let place = Place::new(region, offset, self.program.stages[at].grids[op], self.program.torus);
        let roots = (x, y);
        let after = if dual.is_smooth() { self.halves(at, op + 1) } else { roots };
        macro_rules! with {
            ($map:expr) => {
                rows.apply(&Activated::<T, _, WIDE> { trained, place, roots, after, map: $map })
            };
        }
        closed!(
            dual,
            smooth => with!(Smooth(smooth)),
            &Dual::Rectifier { linear, absolute } => {
                if positive {
                    with!(Rectifier::<T, true>::new(linear, absolute));
                } else {
                    with!(Rectifier::<T, false>::new(linear, absolute));
                }
            },
            Dual::SquaredRelu => with!(SquaredRelu),
            &Dual::Normalise { epsilon } => with!(Normalisation(T::from_f64(epsilon))),
            Dual::Series(_) => {
                if let Some(terms) = terms {
                    rows.apply(&Expanded::<T, WIDE> { trained, place, roots, terms });
                }
            },
        );
    }
}

/// Rows that an activation ends.
trait Rows<T> {
    fn apply(self, end: &impl RowEnd<T>);
}

/// Those of a convolution.
struct Convolved<'a, T> {
    next: &'a mut Plane<T>,
    now: &'a Plane<T>,
    convolution: &'a super::program::Convolution,
    sums: &'a mut Sums<T>,
}

impl<T: Scalar> Rows<T> for Convolved<'_, T> {
    fn apply(self, end: &impl RowEnd<T>) {
        self.next.convolve(self.now, self.convolution, self.sums, end);
    }
}

/// Those of a plane as they are.
struct Alone<'a, T> {
    next: &'a mut Plane<T>,
    now: &'a Plane<T>,
}

impl<T: Scalar> Rows<T> for Alone<'_, T> {
    fn apply(self, end: &impl RowEnd<T>) {
        self.next.activate(self.now, end);
    }
}

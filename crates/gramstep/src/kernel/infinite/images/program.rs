//! The layers of a convolutional network as operations on planes, in stages that end at pools.

use super::super::dual::Dual;
use super::super::layers::{ConvolutionVariances, InfiniteLayer, fault};
use super::super::padding::Padding;
use super::super::steps::Flow;
use super::geometry::{Grid, Offset, Region, Windows};
use crate::error::Result;
use crate::model::Activation;

/// One operation on a plane.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Convolution(Convolution),
    Activation {
        dual: Dual,
        /// Whether no correlation in front of it is negative.
        positive: bool,
    },
    /// Every s-th pixel, K and Θ times a share.
    Pixels {
        stride: usize,
        share: f64,
    },
    /// Puts a copy of the plane on a stack.
    Split,
    /// Exchanges the plane with the topmost of the stack.
    Swap,
    /// Adds the topmost of the stack.
    Join,
}

/// K ← w·Σ K + b, Θ ← w·Σ Θ + w′·Σ K + b′ over windows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Convolution {
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) rows: Windows,
    pub(super) columns: Windows,
    pub(super) torus: bool,
    /// w, for one pixel of a window.
    pub(super) weight: f64,
    pub(super) bias: f64,
    /// w′/w
    pub(super) ratio: f64,
    pub(super) bias_tangent: f64,
}

impl Convolution {
    /// Whether windows reach over the edge, where zeros are.
    pub(super) fn has_border(&self) -> bool {
        !self.torus && [self.rows, self.columns].iter().any(|windows| windows.low + windows.high > 0)
    }

    fn margin(&self) -> usize {
        [self.rows, self.columns].iter().map(|windows| windows.low.max(windows.high)).max().unwrap_or(0)
    }
}

/// What ends a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Squares of pixels of this side become one pixel: their mean, or their sum.
    Pool { window: usize, sum: bool },
    /// All pixels side by side: the mean of K over pairs of equal pixels.
    Flatten,
    /// The mean over pixels: of K over all pairs.
    Mean,
}

/// The operations between two pools.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    pub(super) ops: Vec<Op>,
    pub(super) start: Grid,
    pub(super) end: Grid,
    /// The grid in front of every operation and, last, of the exit.
    pub(super) grids: Vec<Grid>,
    /// At the same places, whether planes ask there for the pixels' variances.
    pub(super) halves: Vec<bool>,
    pub(super) exit: Exit,
    /// Product of the strides.
    pub(super) factor: usize,
    /// Offsets at the end that are needed, ascending: of rows, of columns. At the start they are `factor` times as far.
    pub(super) offsets: (Vec<isize>, Vec<isize>),
}

/// A convolutional network up to where its pixels become one vector.
#[derive(Clone, Debug)]
pub(in super::super) struct Program {
    pub(super) channels: usize,
    pub(super) stages: Vec<Stage>,
    pub(super) torus: bool,
    /// Border around planes, wide enough for all convolutions.
    pub(super) margin: usize,
    /// Border around the images: twice as wide where images grow, since offsets then reach beyond them.
    pub(super) table_margin: usize,
    /// The number of planes that are remembered at a time.
    pub(super) depth: usize,
    /// Whether activations come after it, which ask for the variance of the vector that an image becomes.
    pub(super) goes_on: bool,
}

impl Program {
    /// The layers up to the head, how many they are, and what is known of the values after it; none where the layers
    /// make a vector of the image before anything else.
    pub(in super::super) fn compile(
        layers: &[InfiniteLayer],
        grid: Grid,
        channels: usize,
    ) -> Result<Option<(Self, usize, Flow)>> {
        let end = layers.iter().position(|layer| {
            matches!(layer, InfiniteLayer::Dense(_) | InfiniteLayer::Flatten | InfiniteLayer::GlobalAveragePool)
        });
        let Some(end) = end else {
            return Err(fault("layers", "an infinitely wide network needs at least one dense layer"));
        };
        if end == 0 && !matches!(layers[0], InfiniteLayer::GlobalAveragePool) {
            return Ok(None);
        }
        if grid.pixels() == 0 || channels == 0 {
            return Err(fault("layers", "an image has at least one pixel and one channel"));
        }
        let mut compiler = Compiler::new(layers, grid);
        let flow = compiler.append(&layers[..end], Flow { normal: false, fresh: false }, true)?;
        let (exit, used) = match &layers[end] {
            InfiniteLayer::GlobalAveragePool => (Exit::Mean, end + 1),
            InfiniteLayer::Flatten => (Exit::Flatten, end + 1),
            _ => (Exit::Flatten, end),
        };
        compiler.close(exit);
        let Compiler { mut stages, torus, margin, depth, grows, .. } = compiler;
        let table_margin = if grows { 2 * margin } else { margin };
        find_offsets(&mut stages, torus);
        let goes_on = any_activation(&layers[used..]);
        Ok(Some((Self { channels, stages, torus, margin, table_margin, depth, goes_on }, used, flow)))
    }

    /// Multiplications of one pair of images, about.
    pub(super) fn cost(&self) -> f64 {
        let stage = |stage: &Stage| {
            let pairs = |down: isize| {
                stage.offsets.1.iter().map(move |&right| {
                    let region = Region::new(stage.end, (down, right), self.torus);
                    (region.height * region.width) as f64
                })
            };
            let pairs: f64 = stage.offsets.0.iter().flat_map(|&down| pairs(down)).sum();
            40.0 * pairs * (stage.ops.len() + 1) as f64
        };
        self.stages.iter().map(stage).sum()
    }

    /// The offset at the start of a stage of a plane that has this one at its end.
    pub(super) fn at_start(stage: &Stage, (down, right): Offset) -> Offset {
        let factor = stage.factor.cast_signed();
        (factor * down, factor * right)
    }
}

/// Where planes ask for variances: for a border, for Θ of a convolution by itself, after a smooth activation, and where
/// covariances become gaps or gaps covariances.
fn halves(ops: &[Op], exit: Exit, first: bool) -> Vec<bool> {
    let wanted = |at: usize| {
        let after = match at.checked_sub(1).map(|at| &ops[at]) {
            None => !first,
            Some(Op::Convolution(_)) => !matches!(ops.get(at), Some(Op::Activation { .. })),
            Some(Op::Activation { dual, .. }) => dual.is_smooth(),
            _ => false,
        };
        let before = match ops.get(at) {
            Some(Op::Convolution(convolution)) => convolution.has_border(),
            None => exit != Exit::Flatten,
            _ => false,
        };
        after || before
    };
    (0..=ops.len()).map(wanted).collect()
}

/// From the last stage to the first, which planes are needed.
fn find_offsets(stages: &mut [Stage], torus: bool) {
    let mut wanted: Option<[Vec<isize>; 2]> = None;
    for stage in stages.iter_mut().rev() {
        let [rows, columns] = [stage.end.height, stage.end.width].map(usize::cast_signed);
        let coarse = |axis: usize| wanted.as_ref().map(|wanted| wanted[axis].as_slice());
        stage.offsets = (needed(stage.exit, coarse(0), rows, torus), needed(stage.exit, coarse(1), columns, torus));
        let factor = stage.factor.cast_signed();
        let far = |offsets: &[isize]| offsets.iter().map(|d| factor * d).collect();
        wanted = Some([far(&stage.offsets.0), far(&stage.offsets.1)]);
    }
}

/// The offsets along one axis, ascending, that an exit needs; `coarse` are those that the next stage starts from.
fn needed(exit: Exit, coarse: Option<&[isize]>, size: isize, torus: bool) -> Vec<isize> {
    let all = if torus { 0..size } else { 1 - size..size };
    let mut offsets: Vec<isize> = match (exit, coarse) {
        (Exit::Pool { window, .. }, Some(coarse)) => {
            let window = window.cast_signed();
            coarse.iter().flat_map(|d| (1 - window..window).map(move |e| window * d + e)).collect()
        }
        (Exit::Flatten, _) => vec![0],
        _ => all.collect(),
    };
    if torus {
        for offset in &mut offsets {
            *offset = offset.rem_euclid(size);
        }
    }
    offsets.retain(|offset| offset.abs() < size);
    offsets.sort_unstable();
    offsets.dedup();
    offsets
}

struct Compiler {
    stages: Vec<Stage>,
    ops: Vec<Op>,
    grids: Vec<Grid>,
    start: Grid,
    grid: Grid,
    factor: usize,
    torus: bool,
    margin: usize,
    /// Whether more pixels come out of a convolution than go in.
    grows: bool,
    /// Whether no correlation is negative.
    positive: bool,
    /// Planes that are remembered now, and at most.
    remembered: usize,
    depth: usize,
}

impl Compiler {
    fn new(layers: &[InfiniteLayer], grid: Grid) -> Self {
        Self {
            stages: Vec::new(),
            ops: Vec::new(),
            grids: Vec::new(),
            start: grid,
            grid,
            factor: 1,
            torus: any_torus(layers),
            margin: 0,
            grows: false,
            positive: false,
            remembered: 0,
            depth: 0,
        }
    }

    fn push(&mut self, op: Op) {
        self.grids.push(self.grid);
        self.ops.push(op);
    }

    fn close(&mut self, exit: Exit) {
        self.grids.push(self.grid);
        self.stages.push(Stage {
            halves: halves(&self.ops, exit, self.stages.is_empty()),
            ops: std::mem::take(&mut self.ops),
            start: self.start,
            end: self.grid,
            grids: std::mem::take(&mut self.grids),
            exit,
            factor: std::mem::replace(&mut self.factor, 1),
            offsets: (Vec::new(), Vec::new()),
        });
    }

    /// Layers in turn; `outermost` where they are in no branch.
    fn append(&mut self, layers: &[InfiniteLayer], mut flow: Flow, outermost: bool) -> Result<Flow> {
        for layer in layers {
            match layer {
                InfiniteLayer::Convolution(convolution) => {
                    self.convolution(convolution)?;
                    flow = Flow { normal: true, fresh: true };
                }
                InfiniteLayer::Activation(Activation::Identity) => {}
                InfiniteLayer::Activation(activation) => {
                    flow = self.activation(activation.name(), Dual::from(*activation), flow)?;
                }
                InfiniteLayer::Function(function) => {
                    flow = self.activation(function.name(), Dual::of(function)?, flow)?;
                }
                InfiniteLayer::LayerNorm { epsilon } => self.map(Dual::normalise(*epsilon)?),
                InfiniteLayer::Pixels { stride, share } => self.pixels(*stride, *share)?,
                InfiniteLayer::AveragePool { window } if outermost => self.pool(*window, false)?,
                InfiniteLayer::SumPool { window } if outermost => self.pool(*window, true)?,
                InfiniteLayer::Residual { layers, shortcut } => flow = self.residual(layers, shortcut, flow)?,
                InfiniteLayer::AveragePool { .. } | InfiniteLayer::SumPool { .. } => {
                    return Err(fault("residual", "pools stand before or after a branch, not in it"));
                }
                InfiniteLayer::Dense(_) | InfiniteLayer::Flatten | InfiniteLayer::GlobalAveragePool => {
                    let reason = "a branch over pixels has convolutions (kernel 1 for each pixel by itself), not layers \
                                  over all pixels";
                    return Err(fault("residual", reason));
                }
            }
        }
        Ok(flow)
    }

    fn activation(&mut self, name: &str, dual: Dual, flow: Flow) -> Result<Flow> {
        let flow = flow.through(name)?;
        self.map(dual.of_pixels());
        Ok(flow)
    }

    fn map(&mut self, dual: Dual) {
        let positive = self.positive;
        self.positive = dual.makes_positive(positive);
        self.push(Op::Activation { dual, positive });
    }

    fn convolution(&mut self, layer: &ConvolutionVariances) -> Result<()> {
        let ConvolutionVariances { kernel, stride, padding, variances } = *layer;
        let variances = variances.check()?;
        if variances.weight == 0.0 && variances.weight_tangent > 0.0 {
            let reason = "weights that start at 0 and are trained have no kernel of infinite width here";
            return Err(fault("convolution", reason));
        }
        let rows = Windows::new(self.grid.height, kernel, stride, padding)?;
        let columns = Windows::new(self.grid.width, kernel, stride, padding)?;
        let convolution = Convolution {
            kernel,
            stride,
            rows,
            columns,
            torus: self.torus,
            weight: variances.weight / (kernel * kernel) as f64,
            bias: variances.bias,
            ratio: if variances.weight > 0.0 { variances.weight_tangent / variances.weight } else { 0.0 },
            bias_tangent: variances.bias_tangent,
        };
        let moves = kernel > 1 || convolution.margin() > 0;
        if self.torus && moves && padding != Padding::Circular {
            return Err(fault("convolution", "either all convolutions of a network are circular or none"));
        }
        self.margin = self.margin.max(convolution.margin());
        self.grows |= (rows.count - 1) * stride >= self.grid.height || (columns.count - 1) * stride >= self.grid.width;
        self.push(Op::Convolution(convolution));
        self.grid = Grid { height: rows.count, width: columns.count };
        if self.remembered == 0 {
            self.factor *= stride;
        }
        Ok(())
    }

    fn pixels(&mut self, stride: usize, share: f64) -> Result<()> {
        let windows = |size| Windows::new(size, 1, stride, if self.torus { Padding::Circular } else { Padding::Valid });
        let (rows, columns) = (windows(self.grid.height)?, windows(self.grid.width)?);
        crate::error::check_not_negative("share of the channels that a shortcut fills", share)?;
        self.push(Op::Pixels { stride, share });
        self.grid = Grid { height: rows.count, width: columns.count };
        Ok(())
    }

    fn pool(&mut self, window: usize, sum: bool) -> Result<()> {
        let Grid { height, width } = self.grid;
        let name = format!("pool {window} wide");
        if window == 0 || window > height.min(width) {
            return Err(fault(&name, &format!("a window does not fit into {height}×{width} pixels")));
        }
        if self.torus && (height % window > 0 || width % window > 0) {
            return Err(fault(&name, &format!("on a torus of {height}×{width} pixels the window divides the size")));
        }
        self.close(Exit::Pool { window, sum });
        self.grid = Grid { height: height / window, width: width / window };
        self.start = self.grid;
        Ok(())
    }

    fn residual(&mut self, branch: &[InfiniteLayer], shortcut: &[InfiniteLayer], flow: Flow) -> Result<Flow> {
        let before = self.grid;
        let mut positive = self.positive;
        self.push(Op::Split);
        let stride = stride_of(branch);
        self.remembered += 1;
        self.depth = self.depth.max(self.remembered);
        let end = self.append(branch, Flow { fresh: false, ..flow }, false)?;
        if !end.fresh {
            return Err(fault("residual", "the branch of an infinitely wide network ends in a convolution"));
        }
        let mut flow = Flow { fresh: false, normal: flow.normal };
        if !shortcut.is_empty() {
            let after = self.grid;
            self.push(Op::Swap);
            self.grid = before;
            std::mem::swap(&mut positive, &mut self.positive);
            flow = self.append(shortcut, flow, false)?;
            if self.grid != after {
                return Err(differ(after, self.grid));
            }
        } else if self.grid != before {
            return Err(differ(self.grid, before));
        }
        self.remembered -= 1;
        if self.remembered == 0 {
            self.factor *= stride;
        }
        self.positive &= positive;
        self.push(Op::Join);
        Ok(Flow { normal: flow.normal && end.normal, fresh: flow.fresh })
    }
}

/// Product of the strides of a branch.
fn stride_of(branch: &[InfiniteLayer]) -> usize {
    let stride = |layer: &InfiniteLayer| match layer {
        InfiniteLayer::Convolution(convolution) => convolution.stride,
        InfiniteLayer::Pixels { stride, .. } => *stride,
        InfiniteLayer::Residual { layers, .. } => stride_of(layers),
        _ => 1,
    };
    branch.iter().map(stride).product()
}

fn differ(branch: Grid, shortcut: Grid) -> crate::Error {
    let size = |grid: Grid| format!("{}×{} pixels", grid.height, grid.width);
    fault("residual", &format!("the branch puts out {}, the shortcut {}", size(branch), size(shortcut)))
}

fn any_activation(layers: &[InfiniteLayer]) -> bool {
    layers.iter().any(|layer| match layer {
        InfiniteLayer::Activation(_) | InfiniteLayer::Function(_) | InfiniteLayer::LayerNorm { .. } => true,
        InfiniteLayer::Residual { layers, shortcut } => any_activation(layers) || any_activation(shortcut),
        _ => false,
    })
}

fn any_torus(layers: &[InfiniteLayer]) -> bool {
    layers.iter().any(|layer| match layer {
        InfiniteLayer::Convolution(convolution) => {
            convolution.padding == Padding::Circular && (convolution.kernel > 1 || convolution.stride > 1)
        }
        InfiniteLayer::Residual { layers, shortcut } => any_torus(layers) || any_torus(shortcut),
        _ => false,
    })
}

//! Grids of pixels, windows on them, and the planes of pairs of pixels at one offset.

use crate::error::Result;
use crate::kernel::infinite::layers::fault;
use crate::kernel::infinite::padding::Padding;

/// Rows and columns of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Grid {
    pub(in super::super) height: usize,
    pub(in super::super) width: usize,
}

impl Grid {
    pub(super) fn pixels(self) -> usize {
        self.height * self.width
    }
}

/// An offset q − p between pixels: rows, columns.
pub(super) type Offset = (isize, isize);

/// Windows along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Windows {
    pub(super) count: usize,
    /// Border before the first pixel.
    pub(super) low: usize,
    /// Border after the last pixel that windows reach.
    pub(super) high: usize,
}

impl Windows {
    pub(super) fn new(size: usize, kernel: usize, stride: usize, padding: Padding) -> Result<Self> {
        let refuse = |reason: &str| Err(fault(&format!("convolution {kernel} wide, stride {stride}"), reason));
        if kernel == 0 || stride == 0 {
            return refuse("kernel and stride are at least 1");
        }
        let (count, low) = match padding {
            Padding::Same | Padding::Circular => {
                let count = size.div_ceil(stride);
                (count, ((count - 1) * stride + kernel).saturating_sub(size) / 2)
            }
            Padding::Valid | Padding::Zeros(_) => {
                let border = if let Padding::Zeros(border) = padding { border } else { 0 };
                if border >= kernel {
                    return refuse(&format!("its border of {border} is not narrower than a window"));
                }
                if kernel > size + 2 * border {
                    return refuse(&format!(
                        "a window is larger than the image, {size} pixels with a border of {border}"
                    ));
                }
                ((size + 2 * border - kernel) / stride + 1, border)
            }
        };
        if padding == Padding::Circular && (!size.is_multiple_of(stride) || kernel > size) {
            return refuse(&format!(
                "on a torus of {size} pixels the stride divides the size, and a window fits in it"
            ));
        }
        Ok(Self { count, low, high: ((count - 1) * stride + kernel).saturating_sub(size + low) })
    }
}

/// The pairs (p, p + d) of pixels of two images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Region {
    pub(super) height: usize,
    pub(super) width: usize,
    /// The first p.
    pub(super) first: (usize, usize),
}

impl Region {
    /// The pairs at an offset; on a torus offsets count from 0 to the size.
    pub(super) fn new(grid: Grid, (down, right): Offset, torus: bool) -> Self {
        if torus {
            return Self { height: grid.height, width: grid.width, first: (0, 0) };
        }
        let start = |offset: isize| offset.min(0).unsigned_abs();
        Self {
            height: grid.height.saturating_sub(down.unsigned_abs()),
            width: grid.width.saturating_sub(right.unsigned_abs()),
            first: (start(down), start(right)),
        }
    }

    /// The pixel of x′ that the first p is paired with.
    pub(super) fn partner(self, (down, right): Offset) -> (usize, usize) {
        (self.first.0.wrapping_add_signed(down), self.first.1.wrapping_add_signed(right))
    }
}

//! Kernels of infinitely wide convolutional networks (arora2019cntk).
//!
//! The kernel of two images is K\[p,q\] over pairs of pixels. A convolution
//!
//! ```text
//! K[p,q] ← w/k²·Σ_a K[s·p+a, s·q+a] + b
//! ```
//!
//! never leaves the offset d = q − p, so a kernel is a set of independent *planes*, one an offset, and a convolution is a
//! box filter on each. A plane goes through all layers up to the next pool in cache (`plane.rs`, `walk.rs`); a stride
//! asks only for offsets that it divides; a pool adds planes close to t·D into plane D (`pool.rs`). After the last plane
//! a pair of images is a pair of points, and dense layers go on as in any other network.
//!
//! Not K is carried but the gap G\[p,q\] = (v_p + v′_q)/2 − K\[p,q\], v the variances: it starts as |x_p − x′_q|²/2C, a
//! convolution is the same box filter on it, and 1 − ρ = (G − (r − r′)²/2)/(r r′), r = √v, without cancellation where two
//! pixels or two images are alike.
//!
//! The numbers of a *cell* are sixteen pairs of images: one image x with sixteen x′.

mod cells;
mod geometry;
mod kernels;
mod maps;
mod plane;
mod points;
mod pool;
mod program;
mod rectifier;
mod rows;
mod series;
mod table;
mod tables;
mod walk;

pub(super) use geometry::Grid;
pub(super) use kernels::{IMAGE_PANEL, heads};
pub(super) use points::{Head, ImagePoints};
pub(super) use program::Program;

//! What is compiled once for each number type, in this crate. Generic code is compiled by the crate that names the type,
//! so that every program on this library would compile the vector code of device and kernels again: two fifths of the
//! machine code of `gramstep-train`, before these ways round it.

use std::ops::Range;

use crate::device::{CpuOperations, Device, Operations};
use crate::error::Result;
use crate::kernel::Which;
use crate::kernel::infinite::{InfiniteKernel, InfinitePoints, Target};
use crate::kernel::scaled::{Pairs, Points, ScaledKernel};
use crate::scalar::Scalar;
use crate::view::{Matrix, MatrixView};

/// Ways into large generic code. Each leads to the function of its name, or to `…_here` where that calls it.
#[allow(private_interfaces)]
pub trait Once: Sized {
    fn operations(cpu: CpuOperations) -> Box<dyn Operations<Self>>
    where
        Self: Scalar;

    fn scaled_pairs<'a>(
        kernel: &'a ScaledKernel,
        a: &'a Points<Self>,
        b: &'a Points<Self>,
    ) -> Box<dyn Pairs<Self> + 'a>
    where
        Self: Scalar;

    fn infinite_points(
        kernel: &InfiniteKernel,
        x: MatrixView<'_, Self>,
        device: &Device,
    ) -> Result<InfinitePoints<Self>>
    where
        Self: Scalar;

    fn fill(
        points: (&InfinitePoints<Self>, &InfinitePoints<Self>),
        operations: &dyn Operations<Self>,
        rows: Range<usize>,
        columns: Range<usize>,
        lower: bool,
        target: &mut Target<'_, Self>,
    ) where
        Self: Scalar;

    fn input_gradient(
        points: (&InfinitePoints<Self>, &InfinitePoints<Self>),
        u: &Matrix<Self>,
        c: &Matrix<Self>,
        which: Which,
    ) -> Result<Matrix<Self>>
    where
        Self: Scalar;
}

macro_rules! once {
    ($($float:ty),+) => {$(
        // Never inlined: a caller of another crate would compile what is called.
        #[allow(private_interfaces)]
        impl Once for $float {
            #[inline(never)]
            fn operations(cpu: CpuOperations) -> Box<dyn Operations<Self>> {
                Box::new(cpu)
            }

            #[inline(never)]
            fn scaled_pairs<'a>(
                kernel: &'a ScaledKernel,
                a: &'a Points<Self>,
                b: &'a Points<Self>,
            ) -> Box<dyn Pairs<Self> + 'a> {
                kernel.pairs_here(a, b)
            }

            #[inline(never)]
            fn infinite_points(
                kernel: &InfiniteKernel,
                x: MatrixView<'_, Self>,
                device: &Device,
            ) -> Result<InfinitePoints<Self>> {
                InfinitePoints::new(kernel, x, device)
            }

            #[inline(never)]
            fn fill(
                (x, y): (&InfinitePoints<Self>, &InfinitePoints<Self>),
                operations: &dyn Operations<Self>,
                rows: Range<usize>,
                columns: Range<usize>,
                lower: bool,
                target: &mut Target<'_, Self>,
            ) {
                x.fill(y, operations, rows, columns, lower, target);
            }

            #[inline(never)]
            fn input_gradient(
                (x, y): (&InfinitePoints<Self>, &InfinitePoints<Self>),
                u: &Matrix<Self>,
                c: &Matrix<Self>,
                which: Which,
            ) -> Result<Matrix<Self>> {
                x.input_gradient_here(y, u, c, which)
            }
        }
    )+};
}

once!(f32, f64);

//! The processor: `faer` for products, `rayon` for threads, run-time dispatched vector code for element-wise loops.

mod convolution;
mod elementwise;
mod operations;
mod pool;
mod product;
mod row_products;
mod threads;
mod vector;
mod winograd;

use std::any::{Any, TypeId};
use std::sync::Arc;

use rayon::prelude::*;

pub(super) use self::threads::Cpu;
pub(super) use self::threads::CpuOperations;
pub(crate) use self::threads::for_each_chunk;
pub(crate) use self::vector::{vectorized, vectorized_body};
use super::operations::Operations;
use crate::scalar::Scalar;

/// What a tile may occupy: the second-level cache of the smallest machines this runs on.
pub(super) const CACHE_BYTES: usize = 1 << 20;

/// Operations on numbers of one type. They are compiled here for both, and never inlined: generic code is compiled by the
/// crate that names the type, so that every program on this library would compile all vector code of the device again.
pub(super) fn operations<T: Scalar>(cpu: CpuOperations) -> Box<dyn Operations<T>> {
    #[inline(never)]
    fn single(cpu: CpuOperations) -> Box<dyn Operations<f32>> {
        Box::new(cpu)
    }
    #[inline(never)]
    fn double(cpu: CpuOperations) -> Box<dyn Operations<f64>> {
        Box::new(cpu)
    }
    let own: Box<dyn Any> =
        if TypeId::of::<T>() == TypeId::of::<f32>() { Box::new(single(cpu)) } else { Box::new(double(cpu)) };
    *own.downcast().expect("a number is of one of the two types")
}

impl Cpu {
    /// Runs one task per item: side by side on one thread each where there are enough, else one after the other.
    pub(crate) fn for_each<T: Scalar, I: Send>(
        self: &Arc<Self>,
        threads: usize,
        items: Vec<I>,
        task: impl Fn(&dyn Operations<T>, I) + Sync,
    ) {
        if threads > 1 && items.len() >= threads {
            let alone = operations::<T>(CpuOperations::new(self, 1));
            self.install(|| items.into_par_iter().with_max_len(1).for_each(|item| task(&*alone, item)));
        } else {
            let operations = operations::<T>(CpuOperations::new(self, threads));
            for item in items {
                task(&*operations, item);
            }
        }
    }
}

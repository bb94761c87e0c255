//! The processor: `faer` for products, `rayon` for threads, run-time dispatched vector code for element-wise loops.

mod convolution;
mod elementwise;
mod operations;
mod pool;
mod product;
mod threads;
mod vector;
mod winograd;

use std::sync::Arc;

use rayon::prelude::*;

pub(super) use self::threads::Cpu;
pub(crate) use self::threads::CpuOperations;
pub(crate) use self::threads::for_each_chunk;
pub(crate) use self::vector::{vectorized, vectorized_body};
use super::operations::Operations;
use crate::scalar::Scalar;

/// What a tile may occupy: the second-level cache of the smallest machines this runs on.
pub(super) const CACHE_BYTES: usize = 1 << 20;

impl Cpu {
    /// Runs one task per item: side by side on one thread each where there are enough, else one after the other.
    pub(crate) fn for_each<T: Scalar, I: Send>(
        self: &Arc<Self>,
        threads: usize,
        items: Vec<I>,
        task: impl Fn(&dyn Operations<T>, I) + Sync,
    ) {
        if threads > 1 && items.len() >= threads {
            let alone = T::operations(CpuOperations::new(self, 1));
            self.install(|| items.into_par_iter().with_max_len(1).for_each(|item| task(&*alone, item)));
        } else {
            let operations = T::operations(CpuOperations::new(self, threads));
            for item in items {
                task(&*operations, item);
            }
        }
    }
}

//! The threads of the processor, and how work is divided among them.

use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use super::winograd::weights::Known;
use crate::device::memory::Pool;
use crate::device::tile::TileMut;
use crate::scalar::Scalar;

/// Runs a task on every chunk of `size` elements, side by side where there are threads.
pub(crate) fn for_each_chunk<T: Send>(
    threads: usize,
    data: &mut [T],
    size: usize,
    task: impl Fn(usize, &mut [T]) + Sync,
) {
    let size = size.max(1);
    if threads == 1 || data.len() <= size {
        data.chunks_mut(size).enumerate().for_each(|(at, chunk)| task(at, chunk));
    } else {
        data.par_chunks_mut(size).enumerate().for_each(|(at, chunk)| task(at, chunk));
    }
}

/// Threads, and the process that started them. One that was forked from it has none of them, would wait for them for
/// ever, and starts its own.
#[derive(Debug)]
struct Threads {
    pool: Arc<rayon::ThreadPool>,
    process: u32,
    of_fork: Mutex<Option<(u32, Arc<rayon::ThreadPool>)>>,
}

impl Threads {
    fn new(pool: Arc<rayon::ThreadPool>) -> Arc<Self> {
        Arc::new(Self { pool, process: std::process::id(), of_fork: Mutex::default() })
    }

    /// Those of this process; none where the machine refuses to start them.
    fn here(&self) -> Option<Arc<rayon::ThreadPool>> {
        let here = std::process::id();
        if here == self.process {
            return Some(self.pool.clone());
        }
        let mut own = self.of_fork.lock().unwrap_or_else(PoisonError::into_inner);
        if own.as_ref().is_none_or(|(process, _)| *process != here) {
            *own = start(self.pool.current_num_threads()).map(|pool| (here, pool));
        }
        own.as_ref().map(|(_, pool)| pool.clone())
    }
}

fn start(threads: usize) -> Option<Arc<rayon::ThreadPool>> {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().ok().map(Arc::new)
}

/// The processor as a device.
#[derive(Debug)]
pub(crate) struct Cpu {
    pool: Option<Arc<Threads>>,
    /// Memory of operations, for the time that one runs.
    pub(super) scratch: Arc<Pool<f32>>,
    /// Whether all convolutions take the direct form.
    pub(super) direct: bool,
}

impl Cpu {
    pub(crate) fn with_threads(threads: usize) -> Self {
        let threads = match threads {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            n => n,
        };
        // A machine that refuses to start threads still computes, on the caller's.
        Self::new(if threads > 1 { start(threads) } else { None })
    }

    pub(crate) fn with_pool(pool: Arc<rayon::ThreadPool>) -> Self {
        Self::new(Some(pool))
    }

    fn new(pool: Option<Arc<rayon::ThreadPool>>) -> Self {
        Self { pool: pool.map(Threads::new), scratch: Arc::default(), direct: false }
    }

    /// The same threads with convolutions in the direct form.
    pub(crate) fn direct(&self) -> Self {
        Self { pool: self.pool.clone(), scratch: self.scratch.clone(), direct: true }
    }

    pub(crate) fn threads(&self) -> usize {
        self.pool.as_ref().map_or(1, |threads| threads.pool.current_num_threads())
    }

    pub(crate) fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match self.pool.as_ref().and_then(|threads| threads.here()) {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }
}

/// Operations on some number of threads of a processor.
#[derive(Debug)]
pub(crate) struct CpuOperations {
    pub(super) cpu: Arc<Cpu>,
    pub(super) threads: usize,
    /// Weights of convolutions, transformed once for all tiles.
    pub(super) known: Known,
}

impl CpuOperations {
    pub(crate) fn new(cpu: &Arc<Cpu>, threads: usize) -> Self {
        Self { cpu: cpu.clone(), threads, known: Known::default() }
    }

    /// Runs `work` with `length` numbers of any value, in memory that is used again.
    pub(super) fn scratch<T: Scalar, R>(&self, length: usize, work: impl FnOnce(&mut [T]) -> R) -> R {
        self.cpu
            .scratch
            .lend(length * size_of::<T>() / size_of::<f32>(), |memory| work(bytemuck::cast_slice_mut(memory)))
    }

    /// Threads worth waking for this many elementary operations.
    pub(super) fn threads_for(&self, operations: usize) -> usize {
        const WORTH_A_THREAD: usize = 1 << 16;
        self.threads.min(operations / WORTH_A_THREAD).max(1)
    }

    /// Runs `work` on each piece, side by side where that is worth threads.
    pub(super) fn pieces<I: Send>(&self, threads: usize, pieces: Vec<I>, work: impl Fn(I) + Sync + Send) {
        if threads == 1 {
            pieces.into_iter().for_each(work);
        } else {
            self.cpu.install(|| pieces.into_par_iter().with_max_len(1).for_each(work));
        }
    }

    /// Runs `work` on row blocks of `out`; the block's first row comes along.
    pub(super) fn by_rows<T: Scalar>(
        &self,
        out: TileMut<'_, T>,
        cost: usize,
        work: impl Fn(usize, TileMut<'_, T>) + Sync,
    ) {
        let (rows, columns) = (out.rows(), out.columns());
        let threads = self.threads_for(rows * columns * cost).min(rows.max(1));
        if threads == 1 {
            return work(0, out);
        }
        let block = rows.div_ceil(threads);
        self.cpu.install(|| {
            out.into_host().par_chunks_mut(block * columns).enumerate().for_each(|(at, chunk)| {
                let rows = chunk.len() / columns;
                work(at * block, TileMut::new(chunk, rows, columns));
            });
        });
    }
}

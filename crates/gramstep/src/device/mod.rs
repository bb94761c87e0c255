//! Where the arithmetic runs: a device is a run-time value, its memory is opaque, and layers speak to it in operations
//! on tiles of samples.
//!
//! A *tile* is a block of consecutive samples that walks through all layers before the next one starts. The CPU takes
//! tiles that fit its caches and runs several at once, or the whole batch with parallel operations where the weights
//! are larger than the caches; a GPU would take the whole batch.

mod buffer;
mod cpu;
mod forward;
mod memory;
mod operations;
mod tile;
mod window;

pub use buffer::Buffer;
pub use operations::{AdamUpdate, Operations, Order, Pointwise, WriteMode};
pub use tile::{Tile, TileMut};
pub use window::Window;

use std::sync::Arc;

use crate::scalar::Scalar;

use cpu::CpuOperations;
pub(crate) use cpu::{for_each_chunk, vectorized, vectorized_body};
pub(crate) use memory::{Pool, carve};

/// Multiplications below which waking another thread costs more than it gains.
const WORTH_THREADS: f64 = 2e6;

/// Samples of the largest tile.
const LARGEST_TILE: usize = 1024;

/// Samples below which a tile is smaller than is good for products with a dense layer's weights.
const SMALLEST_TILE: usize = 32;

/// A place to compute.
///
/// ```
/// use gramstep::Device;
/// let device = Device::cpu(2);
/// assert_eq!(device.threads(), 2);
/// ```
#[derive(Clone, Debug)]
pub struct Device(Arc<cpu::Cpu>);

impl Device {
    /// The processor, with a number of threads (0: all that the machine offers).
    ///
    /// Results are the same bits for the same number of threads on the same machine.
    #[must_use]
    pub fn cpu(threads: usize) -> Self {
        Self(Arc::new(cpu::Cpu::with_threads(threads)))
    }

    /// The processor, on a thread pool of the caller's.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use gramstep::{Activation, Device, Matrix, Model};
    /// let pool = Arc::new(rayon::ThreadPoolBuilder::new().num_threads(2).build()?);
    /// let shared = Device::cpu_in(Arc::clone(&pool));
    /// let mlp = |device| Model::<f64>::mlp(&[3, 8, 1], Activation::Tanh).seed(1).device(device).build();
    /// let x = Matrix::from_fn(4, 3, |i, j| (i * j) as f64);
    /// assert_eq!(mlp(shared)?.predict(&x)?, mlp(Device::cpu(2))?.predict(&x)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn cpu_in(pool: Arc<rayon::ThreadPool>) -> Self {
        Self(Arc::new(cpu::Cpu::with_pool(pool)))
    }

    /// The same device with every convolution in its direct form.
    ///
    /// In single precision, 3×3 convolutions with stride 1 and a border of one pixel, from and to multiples of 16
    /// channels, are else made by Winograd's F(4×4, 3×3): a quarter of the multiplications, and a norm-wise error that
    /// tests hold below 10⁻⁶ where they hold the direct form's below 5·10⁻⁷. Double precision is always direct.
    #[must_use]
    pub fn with_direct_convolutions(&self) -> Self {
        Self(Arc::new(self.0.direct()))
    }

    /// Number of threads.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.0.threads()
    }

    /// Operations that use all threads of the device.
    #[must_use]
    pub fn operations<T: Scalar>(&self) -> impl Operations<T> + use<T> {
        cpu::operations(CpuOperations::new(&self.0, self.threads()))
    }

    /// Runs `work` among the device's threads: what it shares out is shared out among them. A process that was forked from
    /// the one that made the device starts threads of its own.
    ///
    /// ```
    /// use gramstep::{Device, Matrix, solve::{Damped, Solver}};
    /// let device = Device::cpu(2);
    /// let gram = Matrix::from_fn(300, 300, |i, j| if i == j { 2.0 } else { 0.0 });
    /// let (c, _) = device.install(|| Damped::factor(&gram, 0.0, device.threads())?.solve(&[1.0; 300], Solver::Dual))?;
    /// assert!((c[0] - 0.5).abs() < 1e-12);
    /// # Ok::<(), gramstep::Error>(())
    /// ```
    pub fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.0.install(work)
    }

    /// Runs `work` among the device's threads if it is large (`multiplications`), else right here: a small network
    /// must not pay for waking threads. `work` is told how many threads it has.
    pub(crate) fn enter<R: Send>(&self, multiplications: f64, work: impl FnOnce(usize) -> R + Send) -> R {
        let threads = self.threads();
        if threads > 1 && multiplications > WORTH_THREADS { self.0.install(|| work(threads)) } else { work(1) }
    }

    /// Runs one task per item, in any order, each on operations of its own. With at least as many items as threads
    /// the items run side by side on one thread each; fewer items run one after the other on all threads, and little
    /// work (`multiplications`) runs right here.
    pub(crate) fn for_each<T: Scalar, I: Send>(
        &self,
        multiplications: f64,
        items: Vec<I>,
        task: impl Fn(&dyn Operations<T>, I) + Sync,
    ) {
        self.0.for_each(if multiplications > WORTH_THREADS { self.threads() } else { 1 }, items, task);
    }

    /// Number of samples in a tile, for a network of `parameters` weights, `values` numbers per sample in all layers
    /// together and `widest` in the largest one.
    ///
    /// Weights beyond the second-level cache are read once per tile. Where they outweigh the values of a sample, tiles
    /// are large and each operation runs on all threads. Otherwise tiles are as large as keeps their values in that
    /// cache, or, of a deep network for images, half of a layer's: a convolution reads its weights once a tile, too.
    pub(crate) fn tile_samples<T>(&self, samples: usize, parameters: usize, values: usize, widest: usize) -> usize {
        let (largest, heavy) = largest_tile::<T>(parameters, values, widest);
        // One tile runs on all threads at once; that pays for large weights, which one thread each would read whole.
        if heavy && samples <= largest { samples.max(1) } else { self.even_tiles(samples, largest) }
    }

    /// Samples of equal tiles of at most `largest`, the same number of tiles for every thread.
    pub(crate) fn even_tiles(&self, samples: usize, largest: usize) -> usize {
        let tiles = samples.div_ceil(largest.max(1)).next_multiple_of(self.threads());
        samples.div_ceil(tiles.max(1)).max(1)
    }
}

/// Samples of equal tiles as large as [`Device::tile_samples`] makes them on one thread. Sums over such tiles are the same
/// bits for any number of threads.
pub(crate) fn equal_tiles<T>(samples: usize, parameters: usize, values: usize, widest: usize) -> usize {
    let (largest, _) = largest_tile::<T>(parameters, values, widest);
    samples.div_ceil(samples.div_ceil(largest).max(1)).max(1)
}

/// Samples of the largest tile, and whether weights outweigh values.
fn largest_tile<T>(parameters: usize, values: usize, widest: usize) -> (usize, bool) {
    let size = size_of::<T>();
    let heavy = parameters * size > cpu::CACHE_BYTES && parameters > values;
    let fitting = |values: usize| cpu::CACHE_BYTES / (values * size).max(1);
    let largest = if heavy {
        LARGEST_TILE
    } else if fitting(values) < SMALLEST_TILE {
        fitting(widest.div_ceil(2)).clamp(1, SMALLEST_TILE)
    } else {
        fitting(values).min(LARGEST_TILE)
    };
    (largest, heavy)
}

//! One kernel matrix of one data set: computed tile by tile, each tile once, and written where it belongs.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use gramstep::kernel::{
    EmpiricalKernel, InfiniteArchitecture, InfiniteTiles, KernelTiles, Outputs, Spectrum, Which, alignment,
};
use gramstep::model::Shape;
use gramstep::random::Purpose;
use gramstep::{Architecture, Device, Matrix, Model, Scalar};

use super::matrix_file::{Contents, MatrixFile};
use super::page;
use super::summary::Summary;
use crate::data::permutation::permutation;
use crate::data::{Dataset, Problem};
use crate::error::{Error, Result};
use crate::folder::check_output;
use crate::format::bounded::read_file;
use crate::format::npy::Array;
use crate::outcome::event::Observer;
use crate::settings::{Config, Precision};

/// Points of a tile.
const TILE: usize = 512;
/// The most points of which the spectrum is computed.
const SPECTRUM: usize = 3000;

/// Which kernel.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Choice {
    /// Of an infinitely wide network.
    Infinite(InfiniteArchitecture),
    /// The tangent kernel of a network at its start, the mean over its outputs.
    Finite(Architecture),
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Infinite(architecture) => architecture.fmt(f),
            Self::Finite(architecture) => architecture.fmt(f),
        }
    }
}

/// Part K of N of the rows of a matrix, written `K/N`, K from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    number: usize,
    count: usize,
}

impl FromStr for Part {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let numbers = text.split_once('/').map(|(k, n)| (k.parse(), n.parse()));
        match numbers {
            Some((Ok(number), Ok(count))) if 1 <= number && number <= count => Ok(Self { number, count }),
            _ => Err(Error::Setting {
                name: "tile",
                value: text.to_owned(),
                range: "K/N with 1 ≤ K ≤ N, such as 3/8".to_owned(),
            }),
        }
    }
}

/// What to compute and where to put it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Job {
    /// Data, columns, precision, seed and threads.
    pub config: Config,
    /// Which kernel.
    pub choice: Choice,
    /// The NPY file, if any.
    pub out: Option<PathBuf>,
    /// A part of the rows instead of all.
    pub part: Option<Part>,
    /// A page with heat map and spectrum, if any.
    pub page: Option<PathBuf>,
}

impl Job {
    /// A job without output: only its summary.
    #[must_use]
    pub fn new(config: Config, choice: Choice) -> Self {
        Self { config, choice, out: None, part: None, page: None }
    }
}

/// Computes a kernel matrix. `observer` is told the blocks done and all blocks; `stop` ends the work after a block.
///
/// The matrix is n×n, row i that of data row i among the rows with a target. Inputs are standardised over all rows.
///
/// # Errors
/// When the data cannot be read, the kernel does not exist, or a file cannot be written.
pub fn compute(job: &Job, stop: &AtomicBool, observer: &mut dyn Observer) -> Result<Summary> {
    let start = Instant::now();
    let config = &job.config;
    for output in job.out.iter().chain(&job.page) {
        check_output(output, &config.sources())?;
    }
    let problem = Problem::load(&config.data_options()?.whole())?;
    let data = in_order(&problem.train, config.seed.unwrap_or_default());
    let device = Device::cpu(config.threads.unwrap_or(0));
    let shape = problem.preprocessing.inputs.shape();
    let mut run = Run { job, stop, observer, device, data: &data, shape };
    let mut summary = match config.precision.unwrap_or(Precision::F64) {
        Precision::F32 => run.compute::<f32>()?,
        Precision::F64 => run.compute::<f64>()?,
    };
    summary.notes = problem.notes;
    summary.seconds = start.elapsed().as_secs_f64();
    Ok(summary)
}

/// The rows as they stand in the file: the split shuffles them, also where it cuts nothing off.
fn in_order(shuffled: &Dataset<f64>, seed: u64) -> Dataset<f64> {
    let order = permutation(shuffled.rows(), seed, Purpose::Split, 0);
    let mut place = vec![0; order.len()];
    for (at, &row) in order.iter().enumerate() {
        place[row] = at;
    }
    shuffled.select(&place)
}

struct Run<'a> {
    job: &'a Job,
    stop: &'a AtomicBool,
    observer: &'a mut dyn Observer,
    device: Device,
    data: &'a Dataset<f64>,
    shape: Shape,
}

impl Run<'_> {
    fn compute<T: Scalar>(&mut self) -> Result<Summary> {
        let x: Matrix<T> = self.data.inputs.cast().into_matrix();
        match &self.job.choice {
            Choice::Infinite(architecture) => {
                let points = architecture.clone().for_inputs(self.shape)?.kernel()?.points(&x, &self.device)?;
                drop(x);
                self.tiles(&InfiniteTiles { rows: &points, columns: &points, which: architecture.which })
            }
            Choice::Finite(architecture) => {
                let specification = architecture.specification(self.shape, self.data.targets.columns());
                let seed = self.job.config.seed.unwrap_or_default();
                let model = Model::builder(specification).seed(seed).device(self.device.clone()).build()?;
                self.tiles(&EmpiricalKernel::new(&model, &x, &x, Which::Ntk, Outputs::Trace)?)
            }
        }
    }

    fn tiles<T: Scalar>(&mut self, tiles: &dyn KernelTiles<T>) -> Result<Summary> {
        let size = self.data.rows();
        if size > SPECTRUM && self.job.part.is_none() && (self.job.out.is_none() || self.job.page.is_some()) {
            return Err(Error::Setting {
                name: "data",
                value: format!("{size} rows"),
                range: format!("at most {SPECTRUM} rows for a spectrum and a page; write a larger matrix with --out"),
            });
        }
        let blocks = size.div_ceil(TILE);
        let part = self
            .job
            .part
            .map_or(0..blocks, |part| blocks * (part.number - 1) / part.count..blocks * part.number / part.count);
        let rows = (part.start * TILE, (part.end * TILE).min(size));
        let mut summary = self.summary::<T>(size, rows);
        if let Some(path) = &self.job.out {
            let contents = Contents {
                format_version: Contents::FORMAT_VERSION,
                fingerprint: self.fingerprint::<T>(),
                precision: T::NAME.to_owned(),
                size,
                rows,
            };
            summary.interrupted = !self.write(tiles, path, contents, part)?;
        }
        let shown = self.job.part.is_none() && !summary.interrupted;
        if shown && size <= SPECTRUM {
            let kernel = match &self.job.out {
                // A kernel of images may have taken hours.
                Some(path) => read(path, size)?,
                None => finite(tiles.symmetric_matrix(TILE)?)?.into_f64(),
            };
            self.describe(&kernel, &mut summary)?;
        }
        Ok(summary)
    }

    fn summary<T: Scalar>(&self, size: usize, rows: (usize, usize)) -> Summary {
        Summary {
            schema_version: 1,
            kernel: self.job.choice.to_string(),
            size,
            rows,
            precision: T::NAME.to_owned(),
            out: self.job.out.clone(),
            page: self.job.page.clone(),
            interrupted: false,
            trace: None,
            largest: None,
            smallest: None,
            condition: None,
            rank: None,
            effective_rank: None,
            alignment: None,
            seconds: 0.0,
            notes: Vec::new(),
        }
    }

    /// Writes rows of blocks. Tiles lie on one grid and are always computed below the diagonal, so that the numbers do
    /// not depend on the division into parts. Returns whether the file is whole.
    fn write<T: Scalar>(
        &mut self,
        tiles: &dyn KernelTiles<T>,
        path: &Path,
        contents: Contents,
        part: std::ops::Range<usize>,
    ) -> Result<bool> {
        let (size, whole) = (contents.size, self.job.part.is_none());
        let range = |block: usize| block * TILE..((block + 1) * TILE).min(size);
        let (mut file, done) = MatrixFile::open(path, contents)?;
        for block in part.start + done..part.end {
            let rows = range(block);
            for other in 0..=block {
                let columns = range(other);
                let tile = finite(tiles.tile(rows.clone(), columns.clone())?)?;
                for (i, row) in rows.clone().enumerate() {
                    let entry = |j: usize| if other == block && j > i { tile[(j, i)] } else { tile[(i, j)] };
                    file.write(row, columns.start, (0..columns.len()).map(entry))?;
                }
                if whole && other < block {
                    for (j, row) in columns.enumerate() {
                        file.write(row, rows.start, (0..rows.len()).map(|i| tile[(i, j)]))?;
                    }
                }
            }
            let right = if whole { 0..0 } else { block + 1..size.div_ceil(TILE) };
            for other in right {
                let columns = range(other);
                let tile = finite(tiles.tile(columns.clone(), rows.clone())?)?;
                for (i, row) in rows.clone().enumerate() {
                    file.write(row, columns.start, (0..columns.len()).map(|j| tile[(j, i)]))?;
                }
            }
            let done = block + 1 - part.start;
            file.commit(done)?;
            self.observer.count("blocks", done, part.len());
            if self.stop.load(Ordering::Relaxed) && done < part.len() {
                return Ok(false);
            }
        }
        file.finish()?;
        Ok(true)
    }

    fn describe(&self, kernel: &Matrix<f64>, summary: &mut Summary) -> Result<()> {
        let spectrum = Spectrum::new(kernel, self.device.threads())?;
        summary.trace = Some(spectrum.trace());
        summary.largest = spectrum.values.last().copied();
        summary.smallest = spectrum.values.first().copied();
        summary.condition = Some(spectrum.condition()).filter(|condition| condition.is_finite());
        summary.rank = Some(spectrum.rank());
        summary.effective_rank = Some(spectrum.effective_rank());
        summary.alignment = Some(alignment(kernel, &self.data.targets)?);
        if let Some(path) = &self.job.page {
            page::write(path, summary, kernel, &spectrum, &self.data.targets)?;
        }
        Ok(())
    }

    /// A number that changes with the data, the kernel, the seed and the program.
    fn fingerprint<T: Scalar>(&self) -> String {
        let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
        let seed = self.job.config.seed.unwrap_or_default();
        hash.add(format!("{} {seed} {} {}", self.job.choice, T::NAME, env!("CARGO_PKG_VERSION")).as_bytes());
        for value in self.data.inputs.as_slice() {
            hash.add(&value.to_le_bytes());
        }
        format!("{:016x}", hash.0)
    }
}

/// The symmetric matrix of a file that is whole.
fn read(path: &Path, size: usize) -> Result<Matrix<f64>> {
    let wrong = |reason| Error::KernelFile { path: path.to_owned(), reason };
    let bytes = read_file(path)?;
    let array = Array::parse(&bytes).map_err(wrong)?;
    if array.matrix_shape() != Some((size, size)) {
        return Err(wrong(format!("is no matrix of {size} rows and columns")));
    }
    Ok(Matrix::from_vec(size, size, (0..size).flat_map(|column| array.column(column)).collect())?)
}

/// Numbers none of which is too large for its type.
fn finite<T: Scalar>(kernel: Matrix<T>) -> Result<Matrix<T>> {
    if kernel.as_slice().iter().all(|value| value.is_finite()) {
        return Ok(kernel);
    }
    Err(gramstep::Error::NonFinite { what: "the kernel: its numbers are too large for their type", layer: None }.into())
}

/// The hash of Fowler, Noll and Vo (FNV-1a, 64 bits).
struct Fnv(u64);

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

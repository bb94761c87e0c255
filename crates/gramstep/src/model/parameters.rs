//! The flat parameter vector: which stretch of θ belongs to which layer, and how it starts.

use std::ops::Range;

use rand::Rng;
use rand_distr::{Distribution as _, StandardNormal};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::random::{Purpose, stream};
use crate::scalar::Scalar;

/// A named stretch of the parameter vector θ.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// For example `layers.0.weight`.
    pub name: String,
    /// Index of its first element in θ.
    pub offset: usize,
    /// Shape in row-major order; weights are (out, in).
    pub shape: Vec<usize>,
    /// Factor s of this span in G = Σ s·(span's part) and in steps: 0 freezes it, 1 is plain.
    pub weight: f64,
    pub(crate) start: Start,
}

impl Span {
    /// Number of parameters.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shape.iter().fold(1, |length, &side| length.saturating_mul(side))
    }

    /// Whether there are no parameters.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its place in θ.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.offset..self.offset + self.len()
    }
}

/// The name of a span without the mark of its copy in a symmetric network.
pub(crate) fn bare(name: &str) -> &str {
    name.strip_prefix("a.").or_else(|| name.strip_prefix("b.")).unwrap_or(name)
}

/// Where the parameters of weight > 0 lie in θ: in order, neighbours joined.
pub(crate) fn trainable(spans: &[Span]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for span in spans.iter().filter(|span| span.weight > 0.0 && !span.is_empty()) {
        match runs.last_mut().filter(|run| run.end == span.offset) {
            Some(run) => run.end += span.len(),
            None => runs.push(span.range()),
        }
    }
    runs
}

/// A distribution of initial parameters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Distribution {
    /// All 0.
    Zeros,
    /// All 1.
    Ones,
    /// N(0, σ²), the number is σ.
    Normal(f64),
    /// ±1 with equal probability.
    Signs,
}

/// How a span starts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Start {
    Draw(Distribution),
    /// The values of the span at this offset: the twin of a symmetric initialisation.
    CopyOf(usize),
}

/// What a layer asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterRequest {
    /// Last part of the span's name, for example `weight`.
    pub name: &'static str,
    /// Shape in row-major order.
    pub shape: Vec<usize>,
    /// Initial values.
    pub distribution: Distribution,
}

/// More parameters are a slip of the finger, and memory that cannot be had would end the program.
const MOST_PARAMETERS: usize = 1 << 33;

/// Draws θ. Every span has a random stream of its own, so adding a layer leaves the others' values as they were.
///
/// # Errors
/// [`Error::Specification`] if there are too many parameters for any machine, or for the memory of this one.
pub(crate) fn initial<T: Scalar>(spans: &[Span], seed: u64) -> Result<Vec<T>> {
    let length = |span: &Span| span.shape.iter().try_fold(1_usize, |length, &side| length.checked_mul(side));
    let count = spans.iter().try_fold(0_usize, |count, span| count.checked_add(length(span)?));
    let mut theta = Vec::new();
    let count = count.filter(|&count| count <= MOST_PARAMETERS && theta.try_reserve_exact(count).is_ok());
    if count.is_none() {
        let text = spans.last().map_or_else(String::new, |span| format!("{} of shape {:?}", span.name, span.shape));
        let reason = format!("more parameters than fit in memory, or than {MOST_PARAMETERS}");
        return Err(Error::Specification { text, reason });
    }
    for (number, span) in spans.iter().enumerate() {
        let mut generator = stream(seed, Purpose::Initialisation, number as u64, 0);
        match span.start {
            Start::CopyOf(offset) => theta.extend_from_within(offset..offset + span.len()),
            Start::Draw(distribution) => theta.extend((0..span.len()).map(|_| match distribution {
                Distribution::Zeros => T::ZERO,
                Distribution::Ones => T::ONE,
                Distribution::Normal(deviation) => {
                    let draw: f64 = StandardNormal.sample(&mut generator);
                    T::from_f64(deviation * draw)
                }
                Distribution::Signs => {
                    if generator.next_u32() & 1 == 0 {
                        T::ONE
                    } else {
                        -T::ONE
                    }
                }
            })),
        }
    }
    Ok(theta)
}

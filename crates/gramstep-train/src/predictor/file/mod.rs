//! `model.safetensors`: all that is needed to predict, and to say how sure a prediction is.
//!
//! Of a network one tensor for each span of θ under the span's name, of several under `network.N.` and that name; of a kernel regression its training
//! rows (`inputs`, `targets`, `weights`) and `coefficients`; of a regression by networks some rows for error bars
//! (`known.inputs`, `known.targets`, `known.weights`, `known.places`); of a combination its training rows, and the tensors
//! of every part under `part.N.`; of the errors on unseen rows `spread.inputs`, `spread.coefficients`, `spread.scores`.
//!
//! The metadata has one entry, `gramstep`: a JSON object ([`Metadata`]). One entry and not several, because the order of
//! several is random and the same run would write other bytes each time. It holds no time and no path, so that equal runs
//! are equal to the byte, and a BLAKE3 sum of the whole file (`seal.rs`).

mod metadata;
mod parts;
mod read;
mod read_parts;
mod scales;
mod seal;
mod write;

pub use metadata::{FORMAT_VERSION, Metadata};
pub use parts::{CombinationMetadata, NetworksMetadata, PartMetadata, ScaledMetadata, SpreadMetadata};
pub(super) use read::{Parsed, parse};
pub use scales::{KernelMetadata, Scales};
pub(super) use write::bytes;

/// What stands before the names of the tensors of a network.
fn prefix(number: usize, members: usize) -> String {
    if members == 1 { String::new() } else { format!("network.{number}.") }
}

/// What stands before the names of the tensors of a part of a combination.
fn part_prefix(number: usize) -> String {
    format!("part.{number}.")
}

/// The key of the metadata.
const KEY: &str = "gramstep";

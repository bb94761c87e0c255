//! `model.safetensors`: all that is needed to predict, and to say how sure a prediction is.
//!
//! Of a network one tensor for each span of θ under the span's name, of several under `network.N.` and that name; of a kernel regression its training
//! rows (`inputs`, `targets`, `weights`) and `coefficients`; of a regression by networks some rows for error bars
//! (`known.inputs`, `known.targets`, `known.weights`, `known.places`).
//!
//! The metadata has one entry, `gramstep`: a JSON object ([`Metadata`]). One entry and not several, because the order of
//! several is random and the same run would write other bytes each time. It holds no time and no path, so that equal runs
//! are equal to the byte, and a BLAKE3 sum of the whole file (`seal.rs`).

mod metadata;
mod read;
mod seal;
mod write;

pub use metadata::{FORMAT_VERSION, KernelMetadata, Metadata};
pub(super) use read::parse;
pub(super) use write::bytes;

/// What stands before the names of the tensors of a network.
fn prefix(number: usize, members: usize) -> String {
    if members == 1 { String::new() } else { format!("network.{number}.") }
}

/// The key of the metadata.
const KEY: &str = "gramstep";

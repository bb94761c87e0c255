//! What a claim of a paper is.

use super::certificate::Certificate;
use super::ground::Ground;
use crate::error::Result;

/// How much is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum Effort {
    /// Seconds a claim.
    Quick,
    /// The sizes of the papers: minutes a claim.
    Full,
}

/// A claim of a paper.
///
/// ```
/// use gramstep::theory::{Claim, Effort, LinearRate};
/// let claim = LinearRate::new(Effort::Quick);
/// assert!(!claim.name().is_empty() && !claim.statement().is_empty());
/// ```
pub trait Claim: Send {
    /// Its name, as a user writes it.
    fn name(&self) -> &'static str;

    /// Key of the paper in references.bib.
    fn source(&self) -> &'static str;

    /// What is claimed, in one sentence.
    fn statement(&self) -> &'static str;

    /// Tries it. `tell` hears the share of the work that is done, from 0 to 1.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if there are no seeds, and those of building and evaluating networks. A
    /// run that leaves the finite numbers is no error: its measurement is not a number, and the claim does not hold.
    fn certify(&self, ground: &Ground, tell: &mut dyn FnMut(f64)) -> Result<Certificate>;
}

//! Vector code chosen at run time.

/// Runs a loop compiled for the best vector unit of the machine (AVX-512, AVX2 + FMA, else the baseline).
#[inline(always)]
pub(crate) fn vectorized<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}

//! Vector code chosen at run time.

/// Runs a loop compiled for the best vector unit of the machine (AVX-512, AVX2 + FMA, else the baseline).
#[inline(always)]
pub(crate) fn vectorized<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}

/// The same for a long body, which the compiler would leave as a function of its own, compiled for no vector unit: called
/// through a mutable reference, a closure that is marked `inline(always)` is inlined whatever its length.
#[inline(always)]
pub(crate) fn vectorized_body<R>(work: impl FnMut() -> R) -> R {
    struct Body<F>(F);
    impl<R, F: FnMut() -> R> pulp::NullaryFnOnce for Body<F> {
        type Output = R;
        #[inline(always)]
        fn call(mut self) -> R {
            (self.0)()
        }
    }
    pulp::Arch::new().dispatch(Body(work))
}

//! The threads of a decomposition.

use faer::Par;

use crate::device::Device;

/// Runs `work` on a number of threads: those of the pool it is called in, else of a pool made for it. The pool that all of a
/// process share is never begun: a process forked after it was would wait for its threads for ever.
pub(super) fn among<R: Send>(threads: usize, work: impl FnOnce(Par) -> R + Send) -> R {
    if threads <= 1 {
        work(Par::Seq)
    } else if rayon::current_thread_index().is_some() {
        work(Par::rayon(threads))
    } else {
        Device::cpu(threads).install(|| work(Par::rayon(threads)))
    }
}

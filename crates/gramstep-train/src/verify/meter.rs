//! The clock and the memory of this process.

use std::time::Instant;

use gramstep::theory::{Cost, Meter};

/// Measures seconds, and on Linux the peak of the resident memory beyond what was there before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine;

impl Meter for Machine {
    fn measure(&self, work: &mut dyn FnMut()) -> Cost {
        let before = forget_peak().and_then(|()| status("VmRSS:"));
        let start = Instant::now();
        work();
        let seconds = start.elapsed().as_secs_f64();
        let peak = before.and_then(|_| status("VmHWM:"));
        Cost { seconds, bytes: before.zip(peak).map(|(before, peak)| (peak - before).max(0.0)) }
    }
}

/// Sets the recorded peak to the present use (`proc_pid_clear_refs(5)`).
fn forget_peak() -> Option<()> {
    std::fs::write("/proc/self/clear_refs", "5").ok()
}

/// Bytes of an entry of `/proc/self/status`.
fn status(entry: &str) -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(entry))?;
    line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok().map(|kilobytes| 1024.0 * kilobytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_was_touched_is_counted_where_it_can_be_told() {
        let cost = Machine.measure(&mut || {
            std::hint::black_box(vec![1_u8; 80_000_000]);
        });
        assert!(cost.seconds > 0.0);
        if let Some(bytes) = cost.bytes {
            assert!((6e7..3e8).contains(&bytes), "{bytes}");
        }
    }
}

//! Searches with libFuzzer; without it, replays the files that are named.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gramstep_fuzz::reading(bytes));

#[cfg(not(fuzzing))]
fn main() -> std::io::Result<()> {
    gramstep_fuzz::replay(gramstep_fuzz::reading)
}

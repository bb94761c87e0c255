//! `gramstep info`: the program and the machine.

use crate::Bench;

#[test]
fn what_the_report_of_a_fault_needs_is_told_as_text_and_as_json() {
    let bench = Bench::new();
    let system = bench.json("info --system --json");
    for key in
        ["version", "architecture", "simd", "threads", "profile", "features", "formats", "processors", "memory_budget"]
    {
        assert!(!system[key].is_null(), "{key}: {system}");
    }
    let text = bench.run("info --system").stdout;
    for word in ["gramstep ", "threads", "simd", "build", "formats", "processor", "memory", "budget"] {
        assert!(text.lines().any(|line| line.starts_with(word)), "{word}:\n{text}");
    }
    assert!(text.contains(&format!("{} MiB for", system["memory_budget"].as_u64().unwrap() >> 20)), "{text}");
    // A run is another question.
    let both = bench.run("info --system some-run");
    assert_eq!(both.code, 2);
    assert!(both.stderr.contains("--system"), "{}", both.stderr);
}

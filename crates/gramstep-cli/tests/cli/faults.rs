//! Faults around the program: other writers, outputs in the wrong place, streams that are full or closed.

use std::process::Stdio;
use std::time::Duration;

use super::{Bench, Run, smooth_table};

impl Bench {
    fn trained(rows: usize) -> Self {
        let bench = Self::new();
        bench.write("t.csv", smooth_table(rows));
        bench.json("train --data t.csv --model mlp:8:tanh --epochs 3 --quiet --json --out run");
        bench
    }
}

#[test]
fn a_run_has_one_writer_and_any_number_of_readers() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(60));
    let endless = "--optimizer sgd --model mlp:8:gelu --epochs 100000000 --patience 100000000 --quiet";
    let mut first = bench.command(&format!("train --data t.csv {endless} --out run"));
    let mut first = first.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !bench.path("run/checkpoint.json").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let process = format!("run is in use by process {}", first.id());
    bench.fails("train --resume run", 1, &[&process, "hint: "]);
    bench.fails(&format!("train --data t.csv {endless} --out run"), 2, &["run already holds a run"]);
    assert_eq!(bench.run("report run").code, 0);
    first.kill().unwrap();
    first.wait().unwrap();
    // Its lock is there, and nobody's.
    assert!(bench.path("run/run.lock").exists());
    let run = bench.run("train --resume run --epochs 1 --quiet");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(!bench.path("run/run.lock").exists());
}

#[test]
fn two_resumes_at_once_are_one_and_an_error() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(60));
    for round in 0..4 {
        let out = format!("run{round}");
        let settings = "--optimizer sgd --model mlp:8:gelu --epochs 400 --patience 1000 --quiet";
        let mut child = bench.command(&format!("train --data t.csv {settings} --out {out}"));
        let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while !bench.path(&out).join("checkpoint.json").exists() {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let resume = || {
            let mut command = bench.command(&format!("train --resume {out} --quiet"));
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let runs = [resume(), resume()].map(|child| Run::of(child.wait_with_output().unwrap()));
        let done = runs.iter().filter(|run| run.code == 0).count();
        assert!(done >= 1, "{}", runs[0].stderr);
        for run in runs.iter().filter(|run| run.code != 0) {
            assert!(run.stderr.contains("in use by") || run.stderr.contains("come to its end"), "{}", run.stderr);
        }
        let record = std::fs::read_to_string(bench.path(&out).join("record.jsonl")).unwrap();
        let epochs = record.lines().filter(|line| line.contains("\"kind\":\"epoch\"")).count();
        assert_eq!(epochs, 400, "each epoch is there once");
    }
}

#[test]
fn outputs_are_never_written_over_inputs_or_files_of_a_run() {
    let bench = Bench::trained(60);
    std::fs::copy(bench.path("t.csv"), bench.path("before.csv")).unwrap();
    let refused = |arguments: &str, word: &str| bench.fails(arguments, 2, &["would be overwritten", word, "hint: "]);
    refused("predict run --data t.csv --out t.csv", "reads t.csv");
    refused("predict run --data t.csv --out ./run/../t.csv", "reads t.csv");
    refused("predict run --data t.csv --out run/model.safetensors", "a file of the run in run");
    refused("predict run --data t.csv --out run/report.html", "a file of the run in run");
    refused("kernel --data t.csv --infinite ntk:relu --out t.csv", "reads t.csv");
    refused("kernel --data t.csv --infinite ntk:relu --report run/report.html", "a file of the run");
    refused("attack run --data t.csv --norm linf --radius 0.1 --report t.csv", "reads t.csv");
    refused("attack run --norm linf --radius 0.1 --report run/config.toml", "a file of the run");
    refused("report run --out run/record.jsonl", "a file of the run");
    refused("verify size --out run", "a file of the run");
    refused("compare --data t.csv --out run --epochs 1", "a file of the run");
    bench.fails("predict run --data t.csv --out gone/p.csv", 1, &["gone/p.csv", "hint: "]);
    assert_eq!(std::fs::read(bench.path("t.csv")).unwrap(), std::fs::read(bench.path("before.csv")).unwrap());
    assert_eq!(bench.run("predict run --data t.csv --out run/p.csv --quiet").code, 0);
    assert_eq!(bench.run("predict run --data t.csv --out run/p.csv --quiet").code, 0);
    assert_eq!(bench.run("report run").code, 0);
}

#[test]
#[cfg(unix)]
fn an_output_that_cannot_be_written_whole_leaves_the_old_one() {
    let bench = Bench::trained(300);
    assert_eq!(bench.run("predict run --data t.csv --out p.csv --quiet").code, 0);
    let before = std::fs::read(bench.path("p.csv")).unwrap();
    // A file may have two blocks of 512 bytes.
    let run =
        bench.shell("trap '' XFSZ; ulimit -f 2; exec gramstep predict run --data t.csv --out p.csv --std --quiet");
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert_eq!(std::fs::read(bench.path("p.csv")).unwrap(), before);
    let names = std::fs::read_dir(bench.path(".")).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.into_iter().all(|name| !name.to_string_lossy().starts_with(".gramstep")));
}

#[test]
#[cfg(unix)]
fn streams_that_are_full_or_closed_end_nothing() {
    let bench = Bench::trained(60);
    let train = "gramstep train --data t.csv --model mlp:8:tanh --epochs 3";
    for (number, stderr) in ["2>/dev/full", "2>&-"].into_iter().enumerate() {
        let run = bench.shell(&format!("{train} --out err{number} {stderr}"));
        assert_eq!(run.code, 0, "{stderr}");
        assert!(run.stdout.contains("r2") && bench.path(&format!("err{number}/report.html")).exists());
        let run = bench.shell(&format!("gramstep predict run --data t.csv {stderr}"));
        assert_eq!((run.code, run.stdout.lines().count()), (0, 61));
        assert_eq!(bench.shell(&format!("gramstep predict run --data gone.csv {stderr}")).code, 1);
    }
    // A reader that leaves is no error, and no noise.
    for command in
        ["predict run --data t.csv --quiet", "info", "info run", "kernel --data t.csv --infinite ntk:relu --quiet"]
    {
        let run = bench.shell(&format!("{{ gramstep {command}; echo $? >&2; }} | true"));
        assert_eq!(run.stderr, "0\n", "{command}");
    }
    let run = bench.shell("gramstep predict run --data t.csv --quiet >/dev/full");
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("cannot write to stdout"), "{}", run.stderr);
    let refuted = bench.shell("{ gramstep info --json; echo $? >&2; } >&-");
    assert!(!refuted.stderr.contains("panicked"), "{}", refuted.stderr);
}

#[test]
fn numbers_beyond_reason_are_wrong_use_and_not_an_abort() {
    let bench = Bench::trained(60);
    bench.fails("train --data t.csv --threads 10000", 2, &["1 to 1024"]);
    bench.fails("predict run --data t.csv --threads 1000000", 2, &["1 to 1024"]);
    bench.fails("kernel --data t.csv --infinite ntk:relu --threads 99999", 2, &["1 to 1024"]);
    bench.fails("verify size --seeds 1000000000000", 2, &["1 to 10000"]);
    bench.fails("verify size --seeds 18446744073709551615", 2, &["1 to 10000"]);
    bench.fails("verify du2019 --widths 1000000000000", 2, &["at most"]);
    for model in ["mlp:1000000,1000000:tanh", "mlp:1000000,1000000,1000000,1000000:tanh"] {
        bench.fails(&format!("train --data t.csv --model {model} --out big"), 1, &["memory", "hint: "]);
        assert!(!bench.path("big").exists());
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_limit_of_memory_is_an_error_before_the_work() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(9000));
    for (model, word) in [
        ("--model ntk:depth=1:relu", "kernel of the training rows"),
        ("--model mlp:200,200:tanh --batch-size full", "system of a step"),
    ] {
        let run = bench.shell(&format!("ulimit -v 600000; gramstep train --data t.csv {model} --threads 1 --out run"));
        assert_eq!(run.code, 1, "{}", run.stderr);
        assert!(run.stderr.contains(word) && run.stderr.contains("hint: "), "{}", run.stderr);
        assert!(!bench.path("run").exists());
    }
}

#[test]
fn the_time_limit_holds_for_any_number_of_networks() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(60));
    let start = std::time::Instant::now();
    let command = "train --data t.csv --model mlp:4:tanh --ensemble 100000 --time-limit 2s --quiet --json --out run";
    let report = bench.json(command);
    assert_eq!(report["stop_reason"], "time-limit");
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}

/// A few kilobytes that unpack to four gigabytes.
#[cfg(target_os = "linux")]
#[test]
fn what_unpacks_to_more_than_there_is_memory_is_refused() {
    use std::io::Write;
    let bench = Bench::new();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let zeros = vec![b'0'; 1 << 20];
    (0..64).for_each(|_| packed.write_all(&zeros).unwrap());
    let one = packed.finish().unwrap();
    // Members of a gzip file follow one another.
    bench.write("t.csv.gz", one.repeat(64));
    let run = bench.shell("ulimit -v 1500000; gramstep train --data t.csv.gz --threads 1");
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stderr.contains("what the file unpacks to needs") && run.stderr.contains("hint:"), "{}", run.stderr);
    let sparse = "truncate -s 8T t.npy; gramstep train --data t.npy --threads 1";
    let run = bench.shell(sparse);
    assert!(run.code == 1 && run.stderr.contains("the file needs"), "{}", run.stderr);
}

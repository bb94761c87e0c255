//! `gramstep kernel`: matrices in NPY files, whole, in parts, and interrupted.

use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use gramstep::kernel::InfiniteArchitecture;
use gramstep::{Device, Matrix};

use crate::Bench;

/// A table whose inputs are already standardised up to a factor, so that the kernel can be checked.
fn table(rows: usize) -> (String, Matrix<f64>) {
    let x = Matrix::from_fn(rows, 3, |i, j| ((i * 7919 + j * 104_729) % 1009) as f64 / 1009.0);
    let mut text = "a,b,c,y\n".to_owned();
    for i in 0..rows {
        writeln!(text, "{},{},{},{}", x[(i, 0)], x[(i, 1)], x[(i, 2)], x[(i, 0)] - x[(i, 1)]).unwrap();
    }
    let moment = |j: usize, centre: f64| (0..rows).map(|i| (x[(i, j)] - centre).powi(2)).sum::<f64>() / rows as f64;
    let mean: Vec<f64> = (0..3).map(|j| (0..rows).map(|i| x[(i, j)]).sum::<f64>() / rows as f64).collect();
    let standard = Matrix::from_fn(rows, 3, |i, j| (x[(i, j)] - mean[j]) / moment(j, mean[j]).sqrt());
    (text, standard)
}

/// The numbers of an NPY file of doubles.
fn read(path: &Path) -> Vec<f64> {
    let bytes = std::fs::read(path).unwrap();
    assert_eq!(&bytes[..6], b"\x93NUMPY");
    let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    bytes[start..].chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect()
}

#[test]
fn the_file_holds_the_kernel_of_the_rows_in_their_order() {
    let bench = Bench::new();
    let (text, x) = table(600);
    bench.write("t.csv", text);
    let summary =
        bench.json("kernel --data t.csv --infinite ntk:depth=2:relu --out k.npy --report k.html --json --quiet");
    assert_eq!(summary["size"], 600);
    let numbers = read(&bench.path("k.npy"));
    let kernel: InfiniteArchitecture = "ntk:depth=2:relu".parse().unwrap();
    let points = kernel.kernel().unwrap().points(&x, &Device::cpu(1)).unwrap();
    let gram = points.gram(kernel.which);
    assert_eq!(numbers.len(), 360_000);
    for (got, want) in numbers.iter().zip(gram.as_slice()) {
        assert!((got - want).abs() <= 1e-12 * want.abs().max(1.0), "{got} {want}");
    }
    let trace: f64 = (0..600).map(|i| gram[(i, i)]).sum();
    assert!((summary["trace"].as_f64().unwrap() / trace - 1.0).abs() < 1e-12);
    assert!(summary["alignment"].as_f64().unwrap() > 0.0 && summary["effective_rank"].as_f64().unwrap() > 1.0);
    assert!(std::fs::read_to_string(bench.path("k.html")).unwrap().contains("<svg"));
    assert!(!bench.path("k.npy.part").exists() && !bench.path("k.npy.progress").exists());
}

#[test]
fn parts_make_up_the_whole_file_byte_for_byte() {
    let bench = Bench::new();
    bench.write("t.csv", table(1300).0);
    for kernel in ["--infinite nngp:tanh", "--model mlp:16:gelu --seed 3"] {
        let command = format!("kernel --data t.csv {kernel} --precision f32 --json --quiet --threads 2");
        bench.json(&format!("{command} --out whole.npy"));
        for part in 1..=3 {
            bench.json(&format!("{command} --tile {part}/3 --out part-{part}.npy"));
        }
        bench.json("kernel --join part-2.npy part-3.npy part-1.npy --out joined.npy --json");
        assert!(std::fs::read(bench.path("whole.npy")).unwrap() == std::fs::read(bench.path("joined.npy")).unwrap());
    }
    bench.fails("kernel --join part-1.npy part-3.npy --out joined.npy", 1, &["part-3.npy", "row", "hint"]);
    bench.fails("kernel --join part-1.npy part-2.npy --out joined.npy", 1, &["no part"]);
    bench.json("kernel --data t.csv --infinite ntk:relu --tile 1/3 --precision f32 --out part-1.npy --json --quiet");
    bench.fails("kernel --join part-1.npy part-2.npy part-3.npy --out joined.npy", 1, &["another matrix"]);
    bench.json(
        "kernel --data t.csv --model mlp:16:gelu --seed 3 --tile 1/3 --precision f32 --out part-1.npy --json --quiet",
    );
    let part = bench.path("part-2.npy");
    let bytes = std::fs::read(&part).unwrap();
    std::fs::write(&part, &bytes[..bytes.len() - 4]).unwrap();
    bench.fails("kernel --join part-1.npy part-2.npy part-3.npy --out joined.npy", 1, &["part-2.npy", "bytes"]);
}

#[test]
fn a_killed_command_goes_on_where_it_was_and_writes_the_same_bytes() {
    let bench = Bench::new();
    bench.write("t.csv", table(3600).0);
    let command = "kernel --data t.csv --infinite ntk:depth=12:relu --precision f32 --json --quiet --threads 2";
    bench.json(&format!("{command} --out whole.npy"));
    let mut child = bench.command(&format!("{command} --out k.npy")).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_mins(1);
    let progress = bench.path("k.npy.progress");
    let begun = || std::fs::read_to_string(&progress).is_ok_and(|text| !text.contains("\"blocks_done\":0"));
    while !begun() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(bench.path("k.npy.part").exists() && !bench.path("k.npy").exists(), "killed on the way");
    bench.json(&format!("{command} --out k.npy"));
    assert!(std::fs::read(bench.path("whole.npy")).unwrap() == std::fs::read(bench.path("k.npy")).unwrap());
    assert!(!bench.path("k.npy.part").exists() && !progress.exists());
}

#[test]
fn wrong_use_is_told() {
    let bench = Bench::new();
    bench.write("t.csv", table(20).0);
    bench.fails("kernel --data t.csv", 2, &["infinite", "hint"]);
    for (options, text) in [
        ("--infinite ntk:swoosh", "swoosh"),
        ("--infinite mlp:3", "ntk"),
        ("--model forest", "mlp"),
        ("--infinite ntk --tile 4/3 --out k.npy", "K/N"),
        ("--infinite ntk --tile 1/3", "--out"),
    ] {
        let run = bench.run(&format!("kernel --data t.csv {options}"));
        assert_eq!(run.code, 2, "{}", run.stderr);
        assert!(run.stderr.contains(text), "{}", run.stderr);
    }
    bench.fails("kernel --data t.csv --infinite ntk --out no/such/folder/k.npy", 1, &["no/such/folder", "hint"]);
}

use super::{Bench, columns, numbers};

/// An array of 64-bit floats in Fortran order.
fn npy(columns: &[Vec<f64>]) -> Vec<u8> {
    let shape = format!("({}, {})", columns[0].len(), columns.len());
    let mut header = format!("{{'descr': '<f8', 'fortran_order': True, 'shape': {shape}, }}");
    header = format!("{header:<117}\n");
    let numbers = columns.iter().flatten().flat_map(|value| value.to_le_bytes());
    b"\x93NUMPY\x01\x00\x76\x00".iter().copied().chain(header.into_bytes()).chain(numbers).collect()
}

fn table() -> Vec<u8> {
    let a: Vec<f64> = (0..80).map(|i| f64::from(i * 37 % 101) / 50.0 - 1.0).collect();
    let y = a.iter().map(|a| (2.0 * a).sin()).collect();
    npy(&[a, y])
}

#[test]
fn an_array_is_trained_on_and_predictions_are_written_as_one() {
    let bench = Bench::new();
    bench.write("t.npy", table());
    let report = bench.json("train --data t.npy --model mlp:16:gelu --epochs 30 --quiet --json --out run");
    assert!(report["test"]["r2"].as_f64().unwrap() > 0.9, "{report}");
    assert_eq!(bench.run("predict run --data t.npy --out p.npy --quiet").code, 0);
    assert_eq!(bench.run("predict run --data npy:t.npy --out p.csv --quiet").code, 0);
    let csv = columns(&bench.path("p.csv"));
    assert_eq!(csv[0].0, "predicted_column_2");
    let bytes = std::fs::read(bench.path("p.npy")).unwrap();
    let read: Vec<f64> = bytes[128..].chunks(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect();
    assert_eq!(read, numbers(&csv[0]));
}

#[test]
fn files_that_are_no_arrays_of_numbers_are_refused() {
    let bench = Bench::new();
    bench.write("t.npy", "1,2\n3,4\n");
    bench.fails("train --data t.npy", 1, &["t.npy: not an NPY file", "numpy.savez"]);
    let whole = table();
    bench.write("t.npy", &whole[..whole.len() - 1]);
    bench.fails("train --data t.npy", 1, &["t.npy: 1279 bytes of numbers do not make an array of 80×2"]);
    bench.write("t.npz", &whole);
    bench.fails("train --data t.npz", 1, &["t.npz: not an NPZ file"]);
    bench.fails("train --data gone.npz", 1, &["cannot read gone.npz", "check the path"]);
    bench.write("t.npy", npy(&[vec![1.0, f64::INFINITY, 2.0, 4.0, 5.0, 6.0], vec![2.0, 3.0, 1.0, 5.0, 6.0, 8.0]]));
    bench.fails("train --data t.npy", 1, &["t.npy:2: column `column_1`: infinite value"]);
}

use super::{Bench, smooth_table};

fn trained() -> Bench {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(40));
    let run = bench.run("train --data t.csv --model mlp:8:gelu --epochs 2 --quiet --out run");
    assert_eq!(run.code, 0, "{}", run.stderr);
    bench
}

#[test]
fn a_table_without_the_columns_of_the_model_is_refused_with_their_names() {
    let bench = trained();
    bench.write("p.csv", "a,c\n1,2\n");
    bench.fails("predict run --data p.csv", 1, &["2 columns that the table lacks: b, kind", "same names"]);
}

#[test]
fn text_in_a_numeric_column_of_the_model_is_refused_with_its_line() {
    let bench = trained();
    bench.write("p.csv", "a,b,kind\n1,2,low\n1,x,low\n");
    bench.fails("predict run --data p.csv", 1, &["p.csv:3: column `b`: `x` is not a number"]);
}

#[test]
fn an_unknown_category_is_said_and_predicted() {
    let bench = trained();
    bench.write("p.csv", "kind,b,a,extra\nhuge,2,1,9\nlow,,1,9\n");
    let run = bench.run("predict run --data p.csv");
    assert_eq!((run.code, run.stdout.lines().count()), (0, 3), "{}", run.stderr);
    assert!(run.stderr.contains("`kind`: 1 row has a value that the training rows do not have"), "{}", run.stderr);
}

#[test]
fn rows_outside_the_training_range_are_said_and_predicted() {
    let bench = Bench::new();
    bench.write("t.csv", super::smooth_table(40));
    assert_eq!(bench.run("train --data t.csv --model mlp:4:tanh --epochs 2 --out run --quiet").code, 0);
    let known = std::fs::read_to_string(bench.path("t.csv")).unwrap();
    let header = known.lines().next().unwrap();
    let far = vec!["1e6"; header.split(',').count()].join(",");
    bench.write("new.csv", format!("{header}\n{far}\n"));
    let run = bench.run("predict run --data new.csv");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("1 of 1 rows lie outside the training range"), "{}", run.stderr);
}

#[test]
fn a_folder_without_a_model_is_refused() {
    let bench = trained();
    bench.fails("predict gone --data t.csv", 1, &["cannot read gone/model.safetensors"]);
    bench.fails("info gone", 1, &["cannot read gone/model.safetensors"]);
}

#[test]
fn a_damaged_or_foreign_model_is_refused() {
    let bench = trained();
    let model = bench.path("run/model.safetensors");
    let bytes = std::fs::read(&model).unwrap();
    for length in [0, 4, 8, 100, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&model, &bytes[..length]).unwrap();
        bench.fails("predict run --data t.csv", 1, &["model.safetensors: damaged", "hint: "]);
    }
    let mut poisoned = bytes.clone();
    let end = poisoned.len() - 8;
    poisoned[end..].copy_from_slice(&f64::NAN.to_le_bytes());
    std::fs::write(&model, &poisoned).unwrap();
    bench.fails("predict run --data t.csv", 1, &["model.safetensors: damaged: its contents do not match its sum"]);
    std::fs::write(&model, b"\x02\0\0\0\0\0\0\0{}").unwrap();
    bench.fails("predict run --data t.csv", 1, &["not of a gramstep model"]);
}

#[test]
fn every_altered_bit_of_a_small_model_is_refused() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(30));
    bench.json("train --data t.csv --model mlp:2:tanh --epochs 2 --out run --json --quiet");
    let bytes = std::fs::read(bench.path("run/model.safetensors")).unwrap();
    let parse = |bytes: &[u8]| gramstep_train::Predictor::parse("m".as_ref(), bytes, &gramstep::Device::cpu(1));
    assert!(parse(&bytes).is_ok());
    let mut altered = bytes.clone();
    for bit in 0..8 * bytes.len() {
        altered[bit / 8] ^= 1 << (bit % 8);
        assert!(parse(&altered).is_err(), "bit {bit} of {}", 8 * bytes.len());
        altered[bit / 8] = bytes[bit / 8];
    }
}

#[test]
fn a_model_of_another_version_is_refused() {
    let bench = trained();
    let model = bench.path("run/model.safetensors");
    let text = b"format_version\\\":2";
    let mut bytes = std::fs::read(&model).unwrap();
    let at = bytes.windows(text.len()).position(|window| window == text).expect("the version in the metadata");
    bytes[at + text.len() - 1] = b'7';
    std::fs::write(&model, &bytes).unwrap();
    bench.fails("predict run --data t.csv", 1, &["format version 7, this program reads version 2"]);
}

#[test]
fn a_run_that_diverges_names_the_step_and_the_best_model() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(60));
    let options = "--model mlp:32,32:quadratic-relu --optimizer sgd --learning-rate 1 --batch-size full --epochs 500";
    bench.fails(
        &format!("train --data t.csv {options} --out run"),
        1,
        &["error: step ", "(epoch ", "not finite", "hint: lower --learning-rate"],
    );
}

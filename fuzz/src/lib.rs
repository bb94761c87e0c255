//! What has to hold for any bytes in the files that gramstep reads: an error or a usable value, never a panic.
//!
//! One function a format. `cargo fuzz run --sanitizer none table` (in the root, Rust stable, `cargo install cargo-fuzz`)
//! searches with libFuzzer from `fuzz/corpus/table`; `cargo run -p gramstep-fuzz --bin table FILE..` replays inputs;
//! `tests/mutation.rs` tries a fixed sequence of altered inputs in every test run.

use std::path::Path;

use gramstep::Device;
use gramstep_train::Predictor;
use gramstep_train::data::{Encoding, Format, Problem, Table, check_idx, check_image};
use gramstep_train::run::check_checkpoint;
use gramstep_train::settings::{Config, Settings};

/// A fuzz target.
pub type Target = fn(&[u8]);

/// Every target with the folder of its corpus.
pub const TARGETS: [(&str, Target); 7] = [
    ("table", table),
    ("reading", reading),
    ("config", config),
    ("checkpoint", checkpoint),
    ("model", model),
    ("image", image),
    ("idx", idx),
];

/// Most values of a learning problem that is made of a table, so that an input takes milliseconds.
const MOST_VALUES: usize = 1 << 16;

/// What a byte says of the cells of a table: a setting for each of its bits.
const SAID: [(&str, &str); 8] = [
    ("task", "classification"),
    ("decimal", ","),
    ("thousands", "."),
    ("header", "no"),
    ("missing", "5,x"),
    ("types", "a=category,b=date:dmy"),
    ("split", "group:a"),
    ("delimiter", ";"),
];

/// A table of one of four formats, then a learning problem: the first byte chooses the format, the next one what is said
/// of the cells.
pub fn table(bytes: &[u8]) {
    let Some((&[format, settings], bytes)) = bytes.split_first_chunk() else { return };
    let format = [Format::Csv, Format::Tsv, Format::Npy, Format::Npz][usize::from(format % 4)];
    let mut config = Config { data: Some("csv:table".to_owned()), ..Config::default() };
    for (bit, (name, value)) in SAID.into_iter().enumerate() {
        if settings >> bit & 1 == 1 {
            config.set(name, value).expect("a value");
        }
    }
    let options = config.data_options().expect("a source");
    let Ok(table) = Table::parse_with("table", bytes, format, &options.reading) else { return };
    assert!(table.rows() > 0 && !table.columns().is_empty());
    assert!(
        table
            .columns()
            .iter()
            .all(|column| (0..table.rows()).all(|row| column.is_missing(row) || column.text(row).is_some()))
    );
    if table.rows() * table.columns().len() > MOST_VALUES {
        return;
    }
    let Ok(problem) = Problem::of_table(&table, &options) else { return };
    let finite = |values: &[f64]| values.iter().all(|value| value.is_finite());
    assert!(finite(problem.train.inputs.as_slice()), "inputs are finite");
    assert!(finite(problem.train.targets.as_slice()), "targets are finite");
    assert!(Settings::resolve(&config, &problem).is_ok(), "the defaults are settings");
}

/// A table of text and what is said of its cells: lines `SETTING=VALUE`, an empty line, the table. What was read is read
/// again as a later table is: by what the columns meant.
pub fn reading(bytes: &[u8]) {
    let Some(end) = bytes.windows(2).position(|two| two == b"\n\n") else { return };
    let Ok(said) = std::str::from_utf8(&bytes[..end]) else { return };
    let mut config = Config { data: Some("csv:table".to_owned()), ..Config::default() };
    for (name, value) in said.lines().filter_map(|line| line.split_once('=')) {
        let _ = config.set(name, value);
    }
    let Ok(options) = config.data_options() else { return };
    let bytes = &bytes[end + 2..];
    let Ok(table) = Table::parse_with("table", bytes, Format::Csv, &options.reading) else { return };
    let names = table.columns().iter().map(|column| column.name.clone()).collect();
    let as_before = options.reading.like(table.reading().clone(), names);
    let again = Table::parse_with("table", bytes, Format::Csv, &as_before).expect("what was read can be read again");
    assert_eq!(again.columns().len(), table.columns().len(), "as many columns");
    for (column, before) in again.columns().iter().zip(table.columns()) {
        assert_eq!(column.name, before.name);
        let same = (0..table.rows()).all(|row| column.text(row) == before.text(row));
        assert!(same, "`{}` means what it meant: {before:?}, {column:?}", column.name);
    }
    if table.rows() * table.columns().len() <= MOST_VALUES {
        let _ = Problem::of_table(&table, &options);
    }
}

/// A `config.toml`.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(config) = Config::parse(Path::new("config.toml"), text) {
        let _ = config.validate();
    }
}

/// A `checkpoint.json`.
pub fn checkpoint(bytes: &[u8]) {
    let _ = check_checkpoint(Path::new("checkpoint.json"), bytes);
}

/// A JPEG or PNG file.
pub fn image(bytes: &[u8]) {
    if let Ok(size) = check_image(Path::new("image"), bytes) {
        assert!(size.height > 0 && size.width > 0);
    }
}

/// An IDX file of images, packed or not.
pub fn idx(bytes: &[u8]) {
    if let Ok(images) = check_idx(Path::new("images-idx3-ubyte"), bytes) {
        assert!(images <= 1 << 32);
    }
}

/// A `model.safetensors`, then a prediction.
pub fn model(bytes: &[u8]) {
    let Ok(model) = Predictor::parse(Path::new("model.safetensors"), bytes, &Device::cpu(1)) else { return };
    let mut header = Vec::new();
    let mut cells = Vec::new();
    for column in &model.preprocessing().inputs.columns {
        let cell = match &column.encoding {
            Encoding::Number { median, .. } if median.is_finite() => median.to_string(),
            Encoding::Number { .. } => "1".to_owned(),
            Encoding::Category(category) => category.values.first().cloned().unwrap_or_default(),
            _ => return,
        };
        header.push(quoted(&column.name));
        cells.push(quoted(&cell));
    }
    let text = format!("{}\n{}\n", header.join(","), cells.join(","));
    if let Ok(table) = Table::parse("table", text.as_bytes(), Format::Csv) {
        let _ = model.predict(&table);
    }
}

fn quoted(cell: &str) -> String {
    format!("\"{}\"", cell.replace('"', "\"\""))
}

/// Runs a target on the files that the command line names.
///
/// # Errors
/// When a file cannot be read.
pub fn replay(target: Target) -> std::io::Result<()> {
    for path in std::env::args_os().skip(1) {
        target(&std::fs::read(path)?);
    }
    Ok(())
}

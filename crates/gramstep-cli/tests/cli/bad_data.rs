use std::fmt::Write;

use super::{Bench, smooth_table};

const TRAIN: &str = "train --data t.csv --model mlp:8:gelu --epochs 2";

#[track_caller]
fn refused(content: impl AsRef<[u8]>, options: &str, texts: &[&str]) {
    let bench = Bench::new();
    bench.write("t.csv", content);
    bench.fails(&format!("{TRAIN} {options}"), 1, texts);
    assert!(!bench.path("runs").exists(), "a refused run leaves no folder");
}

#[track_caller]
fn misused(content: impl AsRef<[u8]>, options: &str, texts: &[&str]) {
    let bench = Bench::new();
    bench.write("t.csv", content);
    bench.fails(&format!("{TRAIN} {options}"), 2, texts);
}

/// Trains and returns what was said on stderr.
#[track_caller]
fn repaired(content: impl AsRef<[u8]>, options: &str) -> String {
    let bench = Bench::new();
    bench.write("t.csv", content);
    let run = bench.run(&format!("{TRAIN} {options}"));
    assert_eq!(run.code, 0, "{}", run.stderr);
    run.stderr
}

#[test]
fn a_file_that_is_not_there_is_named() {
    Bench::new().fails("train --data gone.csv", 1, &["cannot read gone.csv", "hint: check the path"]);
}

#[test]
fn no_data_gets_a_hint_that_names_a_builtin() {
    Bench::new().fails("train", 2, &["no data given", "hint: try --data builtin:diabetes"]);
}

#[test]
fn an_unknown_builtin_or_kind_of_file_is_refused() {
    Bench::new().fails("train --data builtin:mars", 2, &["`mars`", "builtin:winequality"]);
    Bench::new().fails("train --data table.xlsx", 2, &["`table.xlsx` is not a data source", ".csv"]);
}

#[test]
fn an_empty_file_a_lone_header_and_a_single_row_are_refused() {
    refused("", "", &["t.csv: the file is empty"]);
    refused("a,y\n", "", &["t.csv: a header and no rows"]);
    refused("a,y\n1,2\n", "", &["1 usable row, too few", "--test"]);
}

#[test]
fn a_ragged_row_is_named_by_file_and_line() {
    refused("a,y\n1,2\n3,4,5\n", "", &["t.csv:3: 3 cells where the first line has 2", "separator"]);
}

#[test]
fn text_in_a_numeric_column_is_named_by_file_line_and_column_and_can_be_dropped() {
    let table = "a,b,y\n1,2,1\n3,oops,2\n5,6,3\n7,8,4\n";
    refused(table, "", &["t.csv:3: column `b`: `oops` is not a number", "--drop", "--missing"]);
    repaired(table, "--drop b --test 0 --validation 0");
}

#[test]
fn an_infinite_value_is_named_by_file_line_and_column() {
    refused("a,y\n1,2\n3,inf\n4,5\n6,7\n8,9\n", "", &["t.csv:3: column `y`: infinite value"]);
    refused("a,y\n1,2\n1e999,2\n4,5\n6,7\n8,9\n", "", &["t.csv:3: column `a`: infinite value"]);
}

#[test]
fn bytes_that_are_not_text_are_refused() {
    refused([0x61, 0x2c, 0x79, 0x0a, 0x81, 0xfe, 0x2c, 0x31, 0x0a], "", &["t.csv:2: not UTF-8 text", "UTF-8"]);
    refused("a,y\n1,2\n".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>(), "", &["not UTF-8 text"]);
}

#[test]
fn two_columns_of_one_name_get_numbers() {
    let said = repaired("a,a,y\n1,2,3\n4,5,6\n3,1,2\n", "--test 0 --validation 0");
    assert!(said.contains("names that are there twice have got numbers: `a_2`"), "{said}");
}

#[test]
fn an_unknown_target_or_dropped_column_gets_a_suggestion() {
    misused(smooth_table(30), "--target Y", &["no column `Y`", "did you mean `y`?"]);
    misused(smooth_table(30), "--drop colour", &["no column `colour`", "the columns are a, b, kind, y"]);
    misused(smooth_table(30), "--target y --drop y", &["also among the dropped"]);
    misused(smooth_table(30), "--target y,y", &["named twice"]);
}

#[test]
fn a_constant_an_empty_and_a_text_target_of_a_regression_are_refused() {
    let rows = |y: &str| format!("a,y\n{}", (0..20).map(|i| format!("{i},{y}\n")).collect::<Vec<_>>().concat());
    refused(rows("3"), "", &["`y` has the same value in every training row", "--target"]);
    refused(rows(""), "", &["0 usable rows", "the target is empty"]);
    refused(rows("x"), "--task regression", &["t.csv:2: column `y`: `x` is not a number"]);
}

#[test]
fn a_table_without_a_useful_input_is_refused_with_the_reason() {
    let table = format!("a,y\n{}", (0..20).map(|i| format!("7,{i}\n")).collect::<Vec<_>>().concat());
    refused(table, "", &["no input column is left: `a` is left out: the same value in every training row"]);
    refused(smooth_table(20), "--drop a,b,kind", &["no input column is left"]);
}

#[test]
fn gaps_constant_columns_and_rows_without_target_are_repaired_and_said() {
    let mut table = "a,b,k,y\n".to_owned();
    for i in 0..40 {
        let gap = if i % 4 == 0 { String::new() } else { i.to_string() };
        let target = if i == 7 { String::new() } else { (i * i).to_string() };
        writeln!(table, "{gap},{},5,{target}", i % 7).unwrap();
    }
    let said = repaired(table, "");
    for text in [
        "the target is the last column, `y`",
        "t.csv: 1 row has no target and is not used",
        "missing in the training rows; filled with the median",
        "`k` is left out: the same value in every training row",
    ] {
        assert!(said.contains(text), "`{text}` is not in\n{said}");
    }
}

#[test]
fn a_column_without_a_value_is_left_out_and_said() {
    let table = format!("a,b,y\n{}", (0..20).map(|i| format!("{i},,{}\n", i * i)).collect::<Vec<_>>().concat());
    assert!(repaired(table, "").contains("`b` is left out: no value in the training rows"));
}

#[test]
fn a_target_with_a_heavy_tail_is_named() {
    let table = |y: &dyn Fn(u32) -> f64| {
        format!("a,y\n{}", (0..200).map(|i| format!("{i},{}\n", y(i))).collect::<Vec<_>>().concat())
    };
    let said =
        repaired(table(&|i| f64::from(i % 7).exp() * if i == 30 { 1e4 } else { 1.0 }), "--test 0 --validation 0");
    assert!(said.contains("`y` has a heavy tail"), "{said}");
    assert!(!repaired(table(&|i| f64::from(i).sin()), "--test 0 --validation 0").contains("heavy tail"));
}

#[test]
fn quiet_says_nothing() {
    assert_eq!(repaired(smooth_table(30), "--quiet"), "");
}

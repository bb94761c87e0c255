//! What people write, and what it means: a hundred cells in the columns that they stand in. Numbers are those of English
//! (1,234.5), Indian (12,34,567.8), German, Dutch, Italian and Spanish (1.234,5), French, Swedish, Polish and Czech
//! (1 234,5), Swiss (1'234.5) and programmers' (1_234.5) convention, of bookkeepers, typesetters and spreadsheets.

use gramstep_train::data::{Cells, Format, Table};
use gramstep_train::settings::Config;

const GAP: f64 = f64::NAN;

/// What a column of numbers holds, between which marks it stands, and what its cells are.
type Numbers = (&'static str, &'static str, &'static [(&'static str, f64)]);

const NUMBERS: [Numbers; 28] = [
    (
        "plain",
        ",",
        &[("1", 1.0), ("-2.5", -2.5), ("+3", 3.0), (".5", 0.5), ("6.", 6.0), ("1e3", 1e3), ("-1.5E-3", -1.5e-3)],
    ),
    ("zeros before the point", ",", &[("0.125", 0.125), ("0", 0.0), ("-0.250", -0.25)]),
    ("three decimals between commas are decimals", ",", &[("1.234", 1.234), ("5.678", 5.678)]),
    ("English thousands", ",", &[("\"1,234\"", 1234.0), ("\"12,345,678\"", 12_345_678.0), ("850", 850.0)]),
    ("English thousands and decimals", ";", &[("1,234.50", 1234.5), ("0.75", 0.75), ("999", 999.0)]),
    ("Indian groups", ",", &[("\"12,34,567.8\"", 1_234_567.8), ("\"1,00,000\"", 100_000.0)]),
    (
        "German thousands and decimals",
        ";",
        &[("1.234,50", 1234.5), ("0,75", 0.75), ("1.234.567", 1_234_567.0), ("850", 850.0)],
    ),
    ("decimal commas between semicolons", ";", &[("1,234", 1.234), ("5,678", 5.678)]),
    ("decimal commas between tabs", "\t", &[("4,524", 4.524), ("0,907", 0.907), ("12,5", 12.5)]),
    ("French spaces", ";", &[("1 234,5", 1234.5), ("12 345 678", 12_345_678.0), ("0,5", 0.5)]),
    (
        "no-break spaces",
        ",",
        &[("1\u{a0}234.5", 1234.5), ("1\u{202f}000", 1000.0), ("1\u{2009}234\u{2009}567", 1_234_567.0)],
    ),
    ("Swiss apostrophes", ",", &[("1'234.5", 1234.5), ("1\u{2019}234\u{2019}567", 1_234_567.0), ("5", 5.0)]),
    ("underscores", ",", &[("1_234.5", 1234.5), ("1_000_000", 1e6)]),
    ("percent", ",", &[("45.2%", 45.2), ("9.1 %", 9.1), ("-3%", -3.0), ("0", 0.0)]),
    ("percent with decimal commas", ";", &[("45,2 %", 45.2), ("100 %", 100.0)]),
    ("dollars", ",", &[("\"$1,234.50\"", 1234.5), ("$5", 5.0), ("-$5", -5.0), ("$ 7", 7.0)]),
    ("a currency that some leave away", ",", &[("$5", 5.0), ("7", 7.0), ("\"$1,000\"", 1000.0)]),
    ("millions", ",", &[("$56.5M", 56.5e6), ("$537K", 537e3), ("-", GAP), ("$2.5 bn", 2.5e9), ("$7", 7.0)]),
    ("Fortran's exponents", ",", &[("1.5D+03", 1500.0), ("-2.0d-01", -0.2)]),
    ("euros after the number", ";", &[("1.234,50 €", 1234.5), ("5 €", 5.0), ("-0,99 €", -0.99)]),
    ("currencies in letters", ",", &[("CHF 1'234.50", 1234.5), ("CHF -5", -5.0)]),
    ("rupees", ",", &[("\"₹12,34,567\"", 1_234_567.0), ("₹5", 5.0)]),
    ("units", ",", &[("5 kg", 5.0), ("7.5kg", 7.5), ("-1 kg", -1.0)]),
    ("compound units", ",", &[("12 km/h", 12.0), ("130 km/h", 130.0)]),
    ("typeset minus", ",", &[("\u{2212}5", -5.0), ("\u{2013}6.5", -6.5), ("- 7", -7.0), ("8", 8.0)]),
    ("bookkeepers' brackets", ",", &[("\"(1,234.50)\"", -1234.5), ("5", 5.0), ("(7)", -7.0)]),
    (
        "gaps of programs",
        ",",
        &[("1", 1.0), ("NA", GAP), ("NaN", GAP), ("null", GAP), ("None", GAP), ("?", GAP), ("#N/A", GAP)],
    ),
    (
        "gaps of people",
        ",",
        &[("1", 1.0), ("-", GAP), ("--", GAP), (".", GAP), ("n/a", GAP), ("n.a.", GAP), ("–", GAP)],
    ),
];

/// Columns that stay the text that they are.
const TEXT: [(&str, &[&str]); 9] = [
    ("codes that begin with 0", &["007", "012", "450"]),
    ("postcodes", &["01067", "80331", "04109"]),
    ("numbers of 17 digits", &["12345678901234501", "12345678901234502", "12345678901234503"]),
    ("codes beside letters", &["01234", "1234", "A12", "B7x"]),
    ("house numbers", &["3", "3a", "4", "4a", "5b"]),
    ("signs as values", &["+", "-", "+"]),
    ("mixed units", &["5 kg", "300 g", "2 kg"]),
    ("ranges", &["18-25", "26-40", "41-65"]),
    ("versions", &["1.2.3", "1.10.0", "2.0.1"]),
];

/// Dates and times, and the seconds that they are.
const DATES: [Numbers; 9] = [
    ("times of day", ",", &[("00:30", 1800.0), ("3:04 PM", 54_240.0), ("23:59:59.5", 86_399.5)]),
    ("digits alone", ",", &[("19700102", 86_400.0), ("20000301", 951_868_800.0), ("", GAP)]),
    ("ISO", ",", &[("1970-01-02", 86_400.0), ("2000-03-01", 951_868_800.0), ("", GAP)]),
    ("ISO with time", ",", &[("1970-01-01T01:00:00Z", 3600.0), ("1970-01-01 02:30", 9000.0)]),
    ("with offsets", ",", &[("1970-01-01T01:00:00+01:00", 0.0), ("1970-01-01 00:00-05:00", 18_000.0)]),
    ("day first with points", ",", &[("2.1.1970", 86_400.0), ("01.03.2000", 951_868_800.0)]),
    ("day first, as one of them shows", ",", &[("02/01/1970", 86_400.0), ("31/01/1970", 2_592_000.0)]),
    ("month first, as one of them shows", ",", &[("01/02/1970", 86_400.0), ("01/31/1970", 2_592_000.0)]),
    (
        "names of months",
        ",",
        &[("2 Jan 1970", 86_400.0), ("01-Mar-2000", 951_868_800.0), ("\"March 1, 2000\"", 951_868_800.0)],
    ),
];

/// A table of a column beside another one, so that the mark between cells is seen.
fn table(mark: &str, cells: &[&str]) -> Table {
    let rows = cells.iter().map(|cell| format!("{cell}{mark}x\n")).collect::<Vec<_>>().concat();
    Table::parse("t", format!("a{mark}b\n{rows}").as_bytes(), Format::Csv).unwrap()
}

fn check(convention: &str, cells: &[(&str, f64)], read: &[f64]) {
    for ((cell, value), read) in cells.iter().zip(read) {
        assert!(value == read || (value.is_nan() && read.is_nan()), "{convention}: `{cell}` is {value}, not {read}");
    }
    assert_eq!(cells.len(), read.len(), "{convention}");
}

#[test]
fn numbers_are_read_as_they_are_meant() {
    for (convention, mark, cells) in NUMBERS {
        let table = table(mark, &cells.iter().map(|(cell, _)| *cell).collect::<Vec<_>>());
        let Cells::Numbers(read) = &table.columns()[0].cells else { panic!("{convention}: {:?}", table.columns()[0]) };
        check(convention, cells, read);
    }
}

#[test]
fn what_looks_like_numbers_and_is_none_stays_as_it_is() {
    for (convention, cells) in TEXT {
        let table = table(",", cells);
        assert!(matches!(table.columns()[0].cells, Cells::Text(_)), "{convention}");
        let read: Vec<_> = (0..cells.len()).map(|row| table.columns()[0].text(row).unwrap_or_default()).collect();
        assert_eq!(read, cells, "{convention}");
    }
}

#[test]
fn dates_are_read_as_they_are_meant() {
    for (convention, mark, cells) in DATES {
        let table = table(mark, &cells.iter().map(|(cell, _)| *cell).collect::<Vec<_>>());
        let Cells::Dates(read) = &table.columns()[0].cells else { panic!("{convention}: {:?}", table.columns()[0]) };
        check(convention, cells, read);
    }
}

#[test]
fn the_table_has_a_hundred_readings() {
    let numbers = NUMBERS.iter().map(|(_, _, cells)| cells.len()).sum::<usize>();
    let texts = TEXT.iter().map(|(_, cells)| cells.len()).sum::<usize>();
    assert!(numbers + texts + DATES.iter().map(|(_, _, cells)| cells.len()).sum::<usize>() >= 100);
}

#[test]
fn two_readings_that_are_equally_likely_are_an_error_that_shows_both() {
    let error = |text: &str| Table::parse("t", text.as_bytes(), Format::Csv).unwrap_err();
    let dots = error("a;b\n1.234;x\n5.678;x\n");
    assert_eq!(dots.to_string(), "t:2: column `a`: `1.234` may be 1.234 or 1234");
    assert!(dots.hint().unwrap().contains("--decimal"));
    let commas = error("a\tb\n1,234\tx\n5,678\tx\n");
    assert_eq!(commas.to_string(), "t:2: column `a`: `1,234` may be 1234 or 1.234");
    let shares = error("a,b\n45%,x\n0.45,x\n50%,x\n");
    assert!(shares.to_string().contains("`0.45` may be 0.45 % or 45 %"), "{shares}");
    let days = error("a,b\n03/05/2024,x\n04/05/2024,x\n");
    assert_eq!(days.to_string(), "t:2: column `a`: `03/05/2024` may have the day or the month first");
    assert!(days.hint().unwrap().contains("--types COL=date:dmy"));
}

#[test]
fn digits_are_dates_only_where_all_of_them_are_and_the_option_that_reads_numbers_is_named() {
    let table = |cells: &str| Table::parse("t", format!("a,b\n{cells}").as_bytes(), Format::Csv).unwrap();
    let dates = table("20240531,x\n20240601,x\n");
    assert!(dates.notes().iter().any(|note| note.contains("--types COL=number")), "{:?}", dates.notes());
    for cells in ["20240531,x\n20240631,x\n", "20240531,x\n7,x\n", "21240531,x\n", "20240531.5,x\n", "$20240531,x\n"] {
        let table = table(cells);
        assert!(matches!(table.columns()[0].cells, Cells::Numbers(_)), "{cells}: {:?}", table.columns()[0]);
    }
    let mut config = Config { types: vec!["a=number".to_owned()], ..Config::default() };
    let options = |config: &Config| config.read_options().unwrap();
    let said = Table::parse_with("t", b"a,b\n20240531,x\n", Format::Csv, &options(&config)).unwrap();
    assert!(matches!(&said.columns()[0].cells, Cells::Numbers(values) if values == &[20_240_531.0]));
    config.types.clear();
    // A model that learned numbers sees numbers.
    let first = Table::parse("t", b"a,b\n7,x\n20240531,x\n", Format::Csv).unwrap();
    let as_before = options(&config).like(first.reading().clone(), vec!["a".to_owned()]);
    let later = Table::parse_with("t", b"a,b\n20240531,x\n", Format::Csv, &as_before).unwrap();
    assert!(matches!(later.columns()[0].cells, Cells::Numbers(_)));
}

#[test]
fn other_columns_of_the_file_and_ungrouped_numbers_decide() {
    let a = |text: &str| match &Table::parse("t", text.as_bytes(), Format::Csv).unwrap().columns()[0].cells {
        Cells::Numbers(values) => values.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(a("a;b\n1.234;2,5\n959;3,5\n"), [1234.0, 959.0]);
    assert_eq!(a("a;b\n1.234;2.5\n5.678;3.5\n"), [1.234, 5.678]);
    assert_eq!(a("a;b\n1.234;x\n5678;x\n"), [1.234, 5678.0]);
    assert_eq!(a("a\tb\n1,234\tx\n5678\tx\n"), [1.234, 5678.0]);
    assert_eq!(a("a\tb\n1,234\t0.5\n5,678\t0.7\n"), [1234.0, 5678.0]);
}

//! Rows that belong together are learned from together, or judge together: those of an input with several classes, and those
//! of a group. Else what is told of rows that were not seen is not so.

use std::fmt::Write;
use std::sync::atomic::AtomicBool;

use gramstep_train::folder::Keep;
use gramstep_train::outcome::Report;
use gramstep_train::outcome::event::Silent;
use gramstep_train::predictor::Predictor;
use gramstep_train::run::train;
use gramstep_train::settings::Config;

struct Bench(tempfile::TempDir);

impl Bench {
    fn with(table: &str) -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        std::fs::write(bench.0.path().join("t.csv"), table).unwrap();
        bench
    }

    fn train(&self, settings: &[(&str, &str)]) -> (Report, Predictor) {
        let data = self.0.path().join("t.csv").display().to_string();
        let mut config = Config { data: Some(data), threads: Some(2), ..Config::default() };
        for (name, value) in settings {
            config.set(name, value).unwrap();
        }
        let out =
            self.0.path().join(settings.iter().map(|(_, value)| value.replace(':', "-")).collect::<String>() + "run");
        let report = train(&config, Keep::Folder(&out), &AtomicBool::new(false), &mut Silent).unwrap();
        (report, Predictor::load(&out, &gramstep::Device::cpu(1)).unwrap())
    }
}

/// Twelve levels that say nothing, each with 0.7 of one class and 0.3 of the other.
fn levels() -> String {
    let row = |k: usize| format!("k{k},0.7,no\nk{k},0.3,yes\n");
    format!("k,w,y\n{}", (0..12).map(row).collect::<String>())
}

#[test]
fn classes_of_inputs_that_come_again_have_their_shares() {
    let bench = Bench::with(&levels());
    let entropy = -(0.7_f64 * 0.7_f64.ln() + 0.3 * 0.3_f64.ln());
    let every = [
        &[("preset", "fast")][..],
        &[("model", "mlp:20:tanh"), ("ensemble", "3")],
        &[("model", "ntk:depth=3:relu")],
        &[("model", "kernel:rbf")],
    ];
    for settings in every {
        let (report, _) = bench.train(&[settings, &[("weights", "w")]].concat());
        for (what, metrics) in
            [("train", Some(&report.train)), ("validation", report.validation.as_ref()), ("test", report.test.as_ref())]
        {
            let told = metrics.expect(what).loss;
            assert!((told - entropy).abs() < 0.02, "{settings:?}, {what}: {told} for {entropy}");
        }
    }
}

/// Twelve levels of 40 rows that say much, as rows or as counts.
fn telling_levels(counted: bool) -> String {
    let share = |k: usize| [4, 12, 32][k % 3];
    let mut text = if counted { "k,n,y\n" } else { "k,y\n" }.to_owned();
    for k in 0..12 {
        for (class, count) in [("yes", share(k)), ("no", 40 - share(k))] {
            if counted {
                writeln!(text, "k{k},{count},{class}").unwrap();
            } else {
                text.push_str(&format!("k{k},{class}\n").repeat(count));
            }
        }
    }
    text
}

#[test]
fn what_a_few_inputs_say_is_learned_from_rows_and_from_counts() {
    let entropy = |p: f64| -p * p.ln() - (1.0 - p) * (1.0 - p).ln();
    let best = [0.1, 0.3, 0.8].map(entropy).iter().sum::<f64>() / 3.0;
    let mut test = Vec::new();
    for (counted, weights) in [(false, &[][..]), (true, &[("weights", "n")])] {
        let bench = Bench::with(&telling_levels(counted));
        for settings in [&[][..], &[("model", "ntk:depth=3:relu")], &[("model", "kernel:rbf")]] {
            let (report, _) = bench.train(&[settings, weights].concat());
            assert!((report.train.loss - best).abs() < 0.03, "{settings:?}: {} for {best}", report.train.loss);
            for metrics in [&report.validation, &report.test] {
                let told = metrics.as_ref().unwrap();
                assert!((told.loss - best).abs() < 0.12, "{settings:?}: {} for {best}", told.loss);
                assert!(told.rows > 90, "{settings:?}: {}", told.rows);
            }
            test.push(report.test.unwrap().rows);
        }
    }
    assert_eq!(test[..3], test[3..]);
}

/// Groups of ten rows with the same inputs, a deviation of their own each, and little noise.
fn panel(groups: std::ops::Range<usize>) -> String {
    let mut state = 7 + groups.start as u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / f64::from(1_u32 << 31) * 2.0 - 1.0
    };
    let mut text = "g,u,v,y\n".to_owned();
    for group in groups {
        let (u, v, own) = (noise(), noise(), 2.0 * noise());
        for _ in 0..10 {
            writeln!(text, "g{group},{u},{v},{}", u + own + 0.05 * noise()).unwrap();
        }
    }
    text
}

/// A file of validation rows is of another month: what is told of it does not know its rows.
#[test]
fn rows_of_a_validation_file_are_left_out_together() {
    let row = |i: usize, shift: f64| {
        let x = (i as f64 * 0.7312).fract();
        format!("{x},{}\n", x + shift + 0.01 * (i as f64 * 5.77).sin())
    };
    let table =
        |rows: std::ops::Range<usize>, shift: f64| format!("x,y\n{}", rows.map(|i| row(i, shift)).collect::<String>());
    let bench = Bench::with(&table(0..100, 0.0));
    let month = bench.0.path().join("month.csv");
    std::fs::write(&month, table(1000..1100, 3.0)).unwrap();
    let (report, _) = bench.train(&[("validation", month.to_str().unwrap()), ("test", "0"), ("epochs", "20")]);
    assert!(report.candidates.len() > 3, "a combination: {:?}", report.candidates);
    // Off by 3 of targets whose deviation is that of x: 1/√12 at least.
    for candidate in &report.candidates {
        assert!(candidate.loss > 50.0, "{candidate:?}");
    }
}

#[test]
fn a_kernel_beside_groups_is_repeated_by_its_configuration() {
    let bench = Bench::with(&panel(0..30));
    let (first, _) = bench.train(&[("split", "group:g"), ("model", "kernel:rbf")]);
    let config = Config::read(&std::path::Path::new(&first.run.unwrap()).join("config.toml")).unwrap();
    let out = bench.0.path().join("again");
    let again = train(&config, Keep::Folder(&out), &AtomicBool::new(false), &mut Silent).unwrap();
    assert_eq!((first.train, first.validation, first.test), (again.train, again.validation, again.test));
}

#[test]
fn intervals_hold_for_new_groups() {
    let bench = Bench::with(&panel(0..60));
    let new = bench.0.path().join("new.csv");
    std::fs::write(&new, panel(100..200)).unwrap();
    for settings in [&[("split", "group:g")][..], &[("split", "group:g"), ("model", "kernel:matern32")]] {
        let (report, predictor) = bench.train(settings);
        let told = report.validation.unwrap().regression.unwrap().rmse;
        assert!(told > 0.7, "groups that were not seen deviate by 2/√3: {told}");
        let table = predictor.read(&new.display().to_string().parse().unwrap(), 1).unwrap();
        let bars = gramstep_train::predictor::ErrorBars { interval: Some(0.9), ..Default::default() };
        let predicted = predictor.predict_with(&table, bars).unwrap();
        let y = table.numbers(table.column("y").unwrap()).unwrap();
        let (low, high) = (predicted.header.len() - 2, predicted.header.len() - 1);
        let holds = |i: &usize| (predicted.values[(*i, low)]..=predicted.values[(*i, high)]).contains(&y[*i]);
        let share = (0..y.len()).filter(holds).count() as f64 / y.len() as f64;
        assert!((0.75..=1.0).contains(&share), "{settings:?}: {share}");
    }
}

//! Laws of attacks on runs, whatever the attack and the data.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use gramstep::attack::{NamedAttack, Norm};
use gramstep_train::attack::{AttackOptions, AttackReport, attack};
use gramstep_train::folder::Keep;
use gramstep_train::outcome::event::Silent;
use gramstep_train::run::train;
use gramstep_train::settings::Config;

struct Bench(tempfile::TempDir);

impl Bench {
    /// A run on a table, of a network that bends much.
    fn with(table: &str) -> (Self, PathBuf) {
        let bench = Self(tempfile::tempdir().unwrap());
        let (data, out) = (bench.0.path().join("t.csv"), bench.0.path().join("run"));
        std::fs::write(&data, table).unwrap();
        let mut config = Config { data: Some(data.display().to_string()), threads: Some(1), ..Config::default() };
        for (name, value) in [("model", "mlp:40,40:tanh"), ("epochs", "60"), ("ensemble", "1"), ("test", "0.4")] {
            config.set(name, value).unwrap();
        }
        train(&config, Keep::Folder(&out), &AtomicBool::new(false), &mut Silent).unwrap();
        (bench, out)
    }
}

fn attacked(run: &Path, norm: Norm, radius: f64, by: &str) -> AttackReport {
    let mut options = AttackOptions::new(norm, radius);
    options.attack = by.parse::<NamedAttack>().unwrap();
    options.threads = 1;
    attack(run, None, &options, &AtomicBool::new(false), &mut Silent).unwrap()
}

fn waves(gaps: bool) -> String {
    let row = |i: usize| {
        let (a, b) = ((i as f64 * 0.618).fract(), (i as f64 * 0.367).fract());
        let first = if gaps && i.is_multiple_of(3) { String::new() } else { format!("{a}") };
        format!("{first},{b},{}\n", (20.0 * a).sin() + b)
    };
    format!("a,b,y\n{}", (0..150).map(row).collect::<String>())
}

/// Single steps overshoot where a function waves: a larger ball holds the smaller ones all the same.
#[test]
fn the_loss_does_not_fall_with_the_radius() {
    let (_bench, run) = Bench::with(&waves(false));
    for by in ["fgsm", "pgd:3"] {
        let losses: Vec<f64> =
            attacked(&run, Norm::Linf, 0.32, by).robust.iter().map(|robust| robust.metrics.loss).collect();
        assert!(losses.is_sorted() && losses.len() == 4, "{by}: {losses:?}");
    }
}

/// The value that a gap was filled with is no measurement.
#[test]
fn what_stands_in_a_gap_is_not_moved() {
    let (_bench, run) = Bench::with(&waves(true));
    let whole = attacked(&run, Norm::Linf, 0.05, "pgd:5");
    let moved = whole.moves.iter().find(|moved| moved.column == "a").unwrap().mean;
    // A third of the rows are gaps.
    assert!(moved > 0.0 && moved < 0.05 * 0.75, "{moved}");
}

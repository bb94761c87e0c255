//! Runs of every kind, killed at random moments again and again, end as if they had been left alone.
//!
//! `cargo test -p gramstep-cli --test chaos -- --ignored --nocapture` takes some minutes and prints its counts;
//! `GRAMSTEP_CHAOS=N` kills N times as often.

#[path = "cli/record.rs"]
mod record;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use image::{GrayImage, Luma};

use self::record::record;

/// Kills of each kind of run, at least.
const KILLS: usize = 25;

/// Kinds of runs on a table, `t.csv`, or on a folder of images, of two classes or three.
const KINDS: [(&str, &str); 11] = [
    (
        "gram-gauss-newton",
        "--data t.csv --model mlp:24:gelu --batch-size 20 --momentum 0.9 --epochs 150 --patience 1000",
    ),
    ("full-batch", "--data t.csv --model mlp:24:tanh --epochs 60 --patience 1000"),
    ("adam", "--data t.csv --model mlp:24:gelu --optimizer adam --precision f32 --epochs 300 --patience 1000"),
    ("ensemble", "--data t.csv --model mlp:16:gelu --optimizer sgd --ensemble 4 --epochs 100 --patience 1000"),
    ("side by side", "--data t.csv --model mlp:16:tanh --ensemble 5 --threads 2 --epochs 60 --patience 1000"),
    ("adversarial", "--data t.csv --model mlp:8:tanh --adversarial linf:0.2:pgd:3 --epochs 60 --patience 1000"),
    ("classes", "--data t.csv --target kind --model mlp:16:tanh --optimizer sgd --epochs 200 --patience 1000"),
    ("kernel", "--data t.csv --model ntk:depth=2:relu"),
    ("open", "--data t.csv --patience 3"),
    ("images", "--data pictures --model cnn:4:relu --epochs 12 --batch-size 8 --patience 1000"),
    ("one row a sample", "--data kinds --model cnn:4:relu --epochs 60 --batch-size 8 --patience 1000"),
];

/// A sequence that is the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        let mut table = "a,b,kind,y\n".to_owned();
        for i in 0..90_u32 {
            let (a, b) = (f64::from(i * 37 % 101) / 101.0, f64::from(i * 53 % 97) / 97.0);
            let y = 5.0 * (3.0 * a).sin() + 4.0 * b * b + f64::from(i % 3);
            writeln!(table, "{a},{b},{},{y}", ["low", "mid", "high"][i as usize % 3]).unwrap();
        }
        std::fs::write(bench.path("t.csv"), table).unwrap();
        let two = [("pictures/across", 0), ("pictures/down", 9)];
        for (class, slope) in two.into_iter().chain([("kinds/across", 0), ("kinds/aslant", 4), ("kinds/down", 9)]) {
            std::fs::create_dir_all(bench.path(class)).unwrap();
            for i in 0..15_u32 {
                let image = GrayImage::from_fn(8, 8, |x, y| Luma([((9 - slope) * x + slope * y + 7 * i) as u8]));
                image.save(bench.path(class).join(format!("{i}.png"))).unwrap();
            }
        }
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gramstep"));
        command.current_dir(self.0.path()).args(arguments.split_whitespace()).stdout(Stdio::null());
        command.env("GRAMSTEP_CACHE", "").stderr(Stdio::piped());
        command
    }

    /// Ends by itself, with this code and these words.
    fn run(&self, arguments: &str) -> (Option<i32>, String) {
        let output = self.command(arguments).output().unwrap();
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!words.contains("panicked"), "{arguments}\n{words}");
        (output.status.code(), words)
    }
}

#[test]
#[ignore = "takes minutes"]
fn runs_of_every_kind_that_are_killed_at_random_end_as_if_they_had_been_left_alone() {
    let times: usize = std::env::var("GRAMSTEP_CHAOS").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    let (mut killed, mut runs) = (0, 0);
    for (number, (kind, settings)) in KINDS.into_iter().enumerate() {
        let bench = Bench::new();
        let settings = format!("train --threads 1 {settings} --quiet");
        assert_eq!(bench.run(&format!("{settings} --out whole")).0, Some(0), "{kind}");
        let whole = bench.path("whole");
        let (model, steps) = (std::fs::read(whole.join("model.safetensors")).unwrap(), record(&whole));
        let mut random = Random(number as u64);
        let (mut of_kind, mut round) = (0, 0);
        while of_kind < KILLS * times {
            round += 1;
            let run = bench.path(&format!("cut-{round}"));
            let (mut attempt, mut longest) = (0, 20);
            loop {
                // A run without a configuration has not begun.
                let resumed = run.join("config.toml").exists();
                let command = if resumed { "train --quiet --resume" } else { &format!("{settings} --out") };
                let mut child = bench.command(&format!("{command} {}", run.display())).spawn().unwrap();
                attempt += 1;
                // A choice of architectures begins again each time: it has to be left alone for long enough some day.
                longest += longest / 10;
                std::thread::sleep(Duration::from_millis(1 + random.below(longest)));
                let ended = child.try_wait().unwrap();
                child.kill().ok();
                let output = child.wait_with_output().unwrap();
                let words = String::from_utf8_lossy(&output.stderr);
                assert!(!words.contains("panicked"), "{kind}: {words}");
                match ended.and_then(|status| status.code()) {
                    None => of_kind += 1,
                    Some(0) => break,
                    Some(_) => {
                        assert!(words.contains("come to its end"), "{kind}, round {round}, attempt {attempt}: {words}");
                        break;
                    }
                }
            }
            assert!(std::fs::read(run.join("model.safetensors")).unwrap() == model, "{kind}, round {round}");
            assert_eq!(record(&run), steps, "{kind}, round {round}");
            let names = std::fs::read_dir(&run).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let names: BTreeSet<String> = names.filter(|name| name != "run.lock").collect();
            let expected = ["config.toml", "model.safetensors", "record.jsonl", "report.html"].map(str::to_owned);
            assert_eq!(names, BTreeSet::from(expected), "{kind}, round {round}");
        }
        println!("{kind}: {of_kind} kills in {round} runs");
        (killed, runs) = (killed + of_kind, runs + round);
    }
    println!("{killed} kills in {runs} runs: every model and record as undisturbed, no file left over");
}

#[test]
#[ignore = "takes minutes"]
fn outputs_of_commands_that_are_killed_are_the_old_or_the_new_ones() {
    let times: usize = std::env::var("GRAMSTEP_CHAOS").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    let bench = Bench::new();
    assert_eq!(bench.run("train --data t.csv --model mlp:8:tanh --epochs 3 --quiet --out run").0, Some(0));
    let commands = [
        ("predict run --data t.csv --quiet --out", "p.csv"),
        ("predict run --data t.csv --quiet --std --out", "q.npy"),
        ("report run --out", "page.html"),
        ("kernel --data t.csv --infinite ntk:relu --quiet --out", "k.npy"),
    ];
    let (mut random, mut killed) = (Random(99), 0);
    for (command, output) in commands {
        assert_eq!(bench.run(&format!("{command} new-{output}")).0, Some(0), "{command}");
        let new = std::fs::read(bench.path(&format!("new-{output}"))).unwrap();
        let mut seen = BTreeSet::new();
        for _ in 0..KILLS * times {
            std::fs::write(bench.path(output), "old").unwrap();
            let mut child = bench.command(&format!("{command} {output}")).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(random.below(60)));
            killed += usize::from(child.try_wait().unwrap().is_none());
            child.kill().ok();
            child.wait().unwrap();
            let found = std::fs::read(bench.path(output)).unwrap();
            seen.insert(found == new);
            assert!(found == new || found == b"old", "{command}: {} bytes", found.len());
        }
        assert!(seen.contains(&false), "{command}");
    }
    println!("{killed} kills of commands: every output the old or the new one");
}
